"""``secagent study transfer``: agents on networks with other channels than those they were trained on.

Beside the shipped agents, which are not trained again, stand for each learner one policy that was trained on all
presets in turn and one that was trained on that preset alone; random actions; and ``exact``. No policy is told the
preset: what it sees are observations, which hold none (:mod:`secagent_env.allocation.observations`). The networks are
test instances, which no training and no validation sees. It prints the table of ``docs/channel-models.md``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import training
from eval.compare.comparison import Comparison
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.scenarios import named_scenario
from eval.studies.transfer import learning, random_policy
from eval.studies.transfer.results import draw, figures, markdown
from eval.sweep.cells import Cell
from eval.sweep.grid import Chain, Grid, number_of
from secagent_env import Scenario
from secagent_env.support.checks import integer, number
from training.learn import seeds
from training.learn.learner import module_of
from training.play.agents import TrainedAgent

EXACT, RANDOM, MIXED, ALONE = "exact", "random", "mixed", "this preset alone"


class Learnt(NamedTuple):
    """A training: its cell, its learner, and the preset it is of; None: all of them."""

    cell: Cell
    learner: str
    preset: str | None

    @property
    def agent(self) -> str:
        """What the table calls it."""
        return f"{self.learner} ({MIXED if self.preset is None else ALONE})"

    @property
    def run(self) -> str:
        """The folder of the training."""
        return str(self.cell.options["run"])


@dataclass(frozen=True)
class Transfer(Experiment):
    """Agents without retraining, beside those that were trained on the networks themselves.

    Raises
    ------
    ValueError
        If presets do not fit together, an agent takes none of them, a name is unknown, or a number is out of range.
    """

    name: ClassVar[str] = "transfer"
    grows: ClassVar[bool] = True

    presets: Sequence[str] = option(
        ("paper", "urban-micro", "indoor", "line-of-sight"), "or TOML files (default: %(default)s)", "NAME", nargs="+"
    )
    agents: Sequence[str] = option(
        ("ppo", "l2o", "ppo-mlp"), "as they are, shipped or folders of runs (default: %(default)s)", "NAME", nargs="*"
    )
    learners: Sequence[str] = option(
        ("ppo",), "trained on all presets in turn and on each alone (default: %(default)s)", "ALGO", nargs="*"
    )
    seeds: Sequence[int] = option(
        (0,), "of trainings, each learner with each (default: %(default)s)", "SEED", nargs="+"
    )
    steps: int | None = option(None, "of a training (default: as in the YAML file)", "K")
    instances: int = option(200, "test networks of each preset (default: %(default)s)", "K")
    max_seconds: float | None = option(None, "of a solve (default: no limit)", "S")
    runs: Path = option(Path("results/transfer/runs"), "folder of the trainings (default: %(default)s)", "DIR")

    def __post_init__(self) -> None:
        number_of("instances", self.instances)
        if self.max_seconds is not None:
            number("max_seconds", self.max_seconds, above=0)
        if self.steps is not None:
            integer("steps", self.steps, 1)
        for name, given in (("preset", self._names), ("agent", self.agents), ("learner", self.learners)):
            if len(set(given)) < len(given):
                raise ValueError(f"each {name} is named once, got {' '.join(given)}")
        for agent in self.agents:
            if not any(self._takes(agent, scenario) for scenario in self.scenarios.values()):
                training.load_agent(agent).check(next(iter(self.scenarios.values())))  # it says why not
        for algo in self.learners:
            learning.task_of(algo, list(self.scenarios.values()), preset=None, steps=self.steps, seed=0)

    @property
    def scenarios(self) -> dict[str, Scenario]:
        """The scenarios by the names of the presets, or of the files without their suffix."""
        return dict(zip(self._names, map(named_scenario, self.presets), strict=True))

    @property
    def _names(self) -> list[str]:
        return [Path(name).name.removesuffix(".toml") for name in self.presets]

    def cells(self) -> Chain:
        """Return the cells known before any policy is trained: the trainings, and what needs none."""
        return Chain([[one.cell for one in self._trainings()], *self._judged([])])

    def report(self, compute: Compute) -> Report:
        """Return the table, its rows and the picture, once all policies are trained and judged."""
        learnt = self._trainings()
        trained = compute([one.cell for one in learnt]).to_dict("records") if learnt else []
        frame = compute(Chain(self._judged(learnt)))
        of = {name: (name, 0) for name in self.agents}
        of |= {one.run: (one.agent, one.cell.seed) for one in learnt} | {name: (name, 0) for name in (RANDOM, EXACT)}
        spent: dict[tuple[str, str], list[float]] = {}
        for one, row in zip(learnt, trained, strict=True):
            for preset in self.scenarios if one.preset is None else (one.preset,):
                spent.setdefault((preset, one.agent), []).append(row["cpu_seconds"] / 60)
        rows = []
        for row in figures(frame, of):
            minutes = spent.get((row["preset"], row["agent"]), [float("nan")])
            rows.append({**row, "cpu_minutes": sum(minutes) / len(minutes)})
        return Report(markdown(rows), rows, lambda path: draw(rows, path))

    def _trainings(self) -> list[Learnt]:
        scenarios = self.scenarios
        mixture: list[tuple[str | None, Sequence[str]]] = [(None, list(scenarios))] if len(scenarios) > 1 else []
        found = []
        for algo in self.learners:
            for preset, names in [*mixture, *((name, [name]) for name in scenarios)]:
                for seed in self.seeds:
                    options: dict[str, Any] = {
                        "algo": algo,
                        "scenarios": [scenarios[name].to_dict() for name in names],
                        "preset": preset,
                        "steps": self.steps,
                        "run": str(self.runs / f"{algo}-{preset or MIXED}-{seed}"),
                    }
                    scheme = f"{algo}, {preset or MIXED}"
                    modules = (module_of(algo),)
                    cell = Cell(learning.FUNCTION, self.name, scheme, None, seed, options=options, modules=modules)
                    found.append(Learnt(cell, algo, preset))
        return found

    def _judged(self, policies: Sequence[Learnt]) -> Iterator[Grid]:
        """Yield the cells of each preset, network by network: all agents, random actions, and ``exact``."""
        for preset, scenario in self.scenarios.items():
            agents = [name for name in self.agents if self._takes(name, scenario)]
            agents += [one.run for one in policies if one.preset in (None, preset)]
            schemes: dict[str, dict[str, Any]] = {name: {} for name in (*agents, EXACT)}
            compared = Comparison(scenario, schemes, self.instances, seeds.TEST.start, self.max_seconds)
            grid = compared.cells(self.name, preset)
            drawn = dataclasses.replace(
                next(cell for cell in grid.prototypes if cell.scheme == EXACT),
                function=random_policy.FUNCTION,
                scheme=RANDOM,
            )
            yield Grid([*grid.prototypes, drawn], self.instances)

    @staticmethod
    def _takes(name: str, scenario: Scenario) -> bool:
        agent: TrainedAgent = training.load_agent(name)
        try:
            agent.check(scenario)
        except ValueError:
            return False
        return True
