"""``secagent study transfer``: agents on networks with other channels than those they were trained on.

Beside the shipped agents, which are not trained again, stand for each learner one policy that was trained on all
presets in turn, one that was trained on that preset alone, and one that was not trained; random actions; and ``exact``,
with other solvers where they are named. On a preset that is unseen policies of all others are judged. No policy is told
the preset: what it sees are observations, which hold none (:mod:`secagent_env.allocation.observations`). The networks
are test instances, which no training and no validation sees. It prints the table of ``docs/channel-models.md``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import training
from eval.compare.comparison import Comparison, parse_solvers
from eval.compare.lineup import AGENTS
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.scenarios import named_scenario
from eval.studies.transfer import learning, random_policy, timing
from eval.studies.transfer.results import draw, figures, markdown, overview
from eval.sweep.cells import Cell
from eval.sweep.grid import Chain, Grid, number_of
from secagent_env import Scenario
from secagent_env.support.checks import integer, number
from training.learn import seeds
from training.learn.learner import module_of
from training.play.agents import TrainedAgent

EXACT, RANDOM = "exact", "random"
MIXED, ALONE, UNTRAINED = "mixed", "this preset alone", "untrained"


class Learnt(NamedTuple):
    """A policy: the cell that trains it, its learner, the kind of its training, and the preset, where it is of one."""

    cell: Cell
    learner: str
    kind: str
    preset: str | None

    def agent(self, judged: str) -> str:
        """Return what the table calls it on a preset."""
        return f"{self.learner} ({self.kind if self.preset in (None, judged) else self.preset})"

    @property
    def run(self) -> str:
        """The folder of the training."""
        return str(self.cell.options["run"])

    @property
    def trained(self) -> bool:
        """Whether it has learnt anything."""
        return self.kind != UNTRAINED


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
    unseen: Sequence[str] = option((), "presets or TOML files that are judged on, not trained on", "NAME", nargs="*")
    beside: Sequence[str] = option((), "solvers that are compared too, beside exact", "SOLVER", nargs="*")
    equal_seconds: float | None = option(None, "and these, and exact, stopped after this time too", "S")
    instances: int = option(200, "test networks of each preset (default: %(default)s)", "K")
    max_seconds: float | None = option(None, "of a solve (default: no limit)", "S")
    runs: Path = option(Path("results/transfer/runs"), "folder of the trainings (default: %(default)s)", "DIR")

    def __post_init__(self) -> None:
        number_of("instances", self.instances)
        if self.max_seconds is not None:
            number("max_seconds", self.max_seconds, above=0)
        if self.equal_seconds is not None:
            number("equal_seconds", self.equal_seconds, above=0)
        if self.steps is not None:
            integer("steps", self.steps, 1)
        presets = [*map(_short, self.presets), *map(_short, self.unseen)]
        for name, given in (("preset", presets), ("agent", self.agents), ("learner", self.learners)):
            if len(set(given)) < len(given):
                raise ValueError(f"each {name} is named once, got {' '.join(given)}")
        for agent in self.agents:
            if not any(self._takes(agent, scenario) for scenario in self.scenarios.values()):
                training.load_agent(agent).check(next(iter(self.scenarios.values())))  # it says why not
        for algo in self.learners:
            learning.task_of(algo, list(self.learnt.values()), preset=None, steps=self.steps, seed=0)
        Comparison(next(iter(self.scenarios.values())), {EXACT: {}, **parse_solvers(self.beside)})  # for its errors

    @functools.cached_property
    def learnt(self) -> dict[str, Scenario]:
        """The scenarios that policies are trained on, by the names of the presets, or of the files without suffix."""
        return {_short(name): named_scenario(name) for name in self.presets}

    @functools.cached_property
    def scenarios(self) -> dict[str, Scenario]:
        """All scenarios that are judged on."""
        return self.learnt | {_short(name): named_scenario(name) for name in self.unseen}

    def cells(self) -> Chain:
        """Return the cells known before any policy is trained: the trainings, and what needs none."""
        return Chain([[one.cell for one in self._trainings()], *self._judged([])])

    def report(self, compute: Compute) -> Report:
        """Return the table, its rows and the picture, once all policies are trained and judged."""
        learnt = self._trainings()
        trained = compute([one.cell for one in learnt]).to_dict("records") if learnt else []
        frame = compute(Chain(self._judged(learnt)))
        minutes = {one.run: row["cpu_seconds"] / 60 for one, row in zip(learnt, trained, strict=True) if one.trained}
        timed = list(self._timed(learnt))
        batch = compute(timed)["batch_ms"] if timed else []
        spent = {(cell.value, cell.scheme): ms for cell, ms in zip(timed, batch, strict=True)}
        rows = []
        for preset, judged in frame.groupby("value", sort=False):
            of = {scheme: (scheme, 0) for scheme in dict.fromkeys(judged["scheme"])}
            of |= {one.run: (one.agent(preset), one.cell.seed) for one in learnt if one.run in of}
            for row in figures(judged, of):
                own = [scheme for scheme, (agent, _) in of.items() if agent == row["agent"]]
                times = [spent[preset, scheme] for scheme in own if (preset, scheme) in spent]
                trainings = [minutes[scheme] for scheme in own if scheme in minutes]
                rows.append({**row, "in a batch": _mean(times), "cpu_minutes": _mean(trainings)})
        text = f"{overview(rows)}\n{markdown(rows)}" if len({row["preset"] for row in rows}) > 1 else markdown(rows)
        return Report(text, rows, lambda path: draw(rows, path))

    def _trainings(self) -> list[Learnt]:
        """Return the policies of all learners: of all presets in turn, of each alone, and untrained."""
        kinds: list[tuple[str, str | None]] = [(MIXED, None)] if len(self.learnt) > 1 else []
        kinds += [(ALONE, name) for name in self.learnt]
        found = []
        for algo in self.learners:
            for kind, preset in [*kinds, (UNTRAINED, None)]:
                names = list(self.learnt) if preset is None else [preset]
                for seed in self.seeds[:1] if kind == UNTRAINED else self.seeds:
                    options: dict[str, Any] = {
                        "algo": algo,
                        "scenarios": [self.learnt[name].to_dict() for name in names],
                        "preset": preset,
                        "steps": self.steps,
                        "run": str(self.runs / f"{algo}-{preset or kind}-{seed}"),
                    }
                    function = learning.UNTRAINED if kind == UNTRAINED else learning.FUNCTION
                    scheme = f"{algo}, {preset or kind}"
                    modules = (module_of(algo),)
                    cell = Cell(function, self.name, scheme, None, seed, options=options, modules=modules, lasting=True)
                    found.append(Learnt(cell, algo, kind, preset))
        return found

    def _policies(self, preset: str, learnt: Sequence[Learnt]) -> list[str]:
        """Return the policies that are judged on a preset: shipped agents, and the folders of trainings."""
        agents = [name for name in self.agents if self._takes(name, self.scenarios[preset])]
        known = preset in self.learnt
        own = [one.run for one in learnt if one.preset in ((None, preset) if known else (None, one.preset))]
        return agents + [run for run in own if self._takes(run, self.scenarios[preset])]

    def _judged(self, policies: Sequence[Learnt]) -> Iterator[Grid]:
        """Yield the cells of each preset, network by network: all agents, random actions, and solvers."""
        solvers = {EXACT: {}, **parse_solvers(self.beside)}
        for preset, scenario in self.scenarios.items():
            schemes: dict[str, dict[str, Any]] = {**{name: {} for name in self._policies(preset, policies)}, **solvers}
            compared = Comparison(scenario, schemes, self.instances, seeds.TEST.start, self.max_seconds)
            prototypes = compared.cells(self.name, preset).prototypes
            drawn = dataclasses.replace(
                next(cell for cell in prototypes if cell.scheme == EXACT),
                function=random_policy.FUNCTION,
                scheme=RANDOM,
            )
            stopped = [
                dataclasses.replace(
                    cell,
                    scheme=f"{cell.scheme}, {self.equal_seconds:g} s",
                    options={**cell.options, "max_seconds": self.equal_seconds},
                )
                for cell in prototypes
                if self.equal_seconds is not None and cell.scheme in solvers
            ]
            yield Grid([*prototypes, *stopped, drawn], self.instances)

    def _timed(self, policies: Sequence[Learnt]) -> Iterator[Cell]:
        """Yield the cells that time each policy on each preset, in a batch."""
        for preset, scenario in self.scenarios.items():
            for name in self._policies(preset, policies):
                options = {
                    "scenario": scenario.to_dict(),
                    "instances": self.instances,
                    "agent": name,
                    "policy": training.load_agent(name).digest,
                }
                yield Cell(
                    timing.FUNCTION, self.name, name, preset, seeds.TEST.start, options=options, modules=(AGENTS,)
                )

    @staticmethod
    def _takes(name: str, scenario: Scenario) -> bool:
        agent: TrainedAgent = training.load_agent(name)
        try:
            agent.check(scenario)
        except ValueError:
            return False
        return True


def _short(name: str) -> str:
    """Return what the table calls a preset, or a file."""
    return Path(name).name.removesuffix(".toml")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
