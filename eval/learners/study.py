"""``secagent study learners``: trained agents of every algorithm and seed on the same test instances.

The policies of finished trainings are judged at the scenario's number of agents and, where a policy takes any, at
others, with N_min a third of them. Beside the table there are the rows of a run and size each, and the learning curves;
with ``--ship NAME=LEARNER`` the policy of a learner's best seed goes into ``training/policies``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import training
from eval.experiments.options import REQUIRED, option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.learners.report import markdown, save_curves
from eval.learners.runs import Judgement, Training, set_apart
from eval.learners.shipping import best_training, ship
from eval.sweep.cells import Cell
from eval.sweep.grid import MOST_AT_ONCE, number_of
from secagent_env.support.checks import integer
from secagent_env.support.extras import require

logger = logging.getLogger("secagent.learners")

CURVES = "learning-curves.png"
ALLOCATION = "secagent/Allocation-v0"
REFERENCES = {"untrained": "untrained", "random actions": "random_actions"}
"""By label, the functions of references that there are several seeds of."""
CHEAPEST = "cheapest agents"


@dataclass(frozen=True)
class Learners(Experiment):
    """Finished trainings, of one scenario, judged: what they reach on test instances, over their seeds.

    The references are random actions, untrained networks (which need torch) and, once, the cheapest agents.

    Raises ValueError if there is no training, trainings have different scenarios or play something else than
    Allocation, there is no such learner, or a number is out of range.
    """

    name: ClassVar[str] = "learners"

    trainings: Sequence[Training] = option(
        REQUIRED,
        "folders of finished trainings",
        "RUN",
        flag="runs",
        nargs="+",
        read=lambda runs: set_apart([Training.read(path) for path in runs]),
    )
    instances: int = option(500, "test instances (default: %(default)s)", "K")
    sizes: Sequence[int] = option((50, 100), "default: %(default)s", "N", nargs="*")
    references: int = option(3, "seeds of the references (default: %(default)s)", "K")
    curves: Path | None = option(None, f"the learning curves (default: DIR/{CURVES})", "FILE")
    shipped: dict[str, str] = option(
        dict,
        "as in ppo=ppo l2o=l2o",
        "NAME=LEARNER",
        flag="--ship",
        nargs="+",
        read=lambda items: dict(item.partition("=")[::2] for item in items),
    )

    def __post_init__(self) -> None:
        number_of("instances", self.instances, most=MOST_AT_ONCE)
        integer("references", self.references)
        if not self.trainings:
            raise ValueError("there is no training to judge")
        first = self.trainings[0]
        for one in self.trainings:
            if one.environment != ALLOCATION:
                raise ValueError(f"the run {one.path} plays {one.environment}, only {ALLOCATION} is judged here")
            if one.scenario != first.scenario:
                raise ValueError(f"the runs {first.path} and {one.path} have different scenarios; judge them apart")
        for learner in self.shipped.values():
            best_training(self.trainings, learner)

    def cells(self) -> list[Cell]:
        """Return the cells: size by size the policies, then the references."""
        return [cell for cell, _ in self._judged()]

    def report(self, compute: Compute) -> Report:
        """Return the table, its rows and the curves, and ship policies."""
        judged = self._judged()
        rows = compute([cell for cell, _ in judged]).to_dict("records")
        results = [Judgement.of(row, one) for row, (_, one) in zip(rows, judged, strict=True)]
        for name, learner in self.shipped.items():
            one = best_training(self.trainings, learner)
            logger.info("shipped %s: %s", one.path, ship(one, name, results))
        return Report(
            markdown(results),
            [result.row() for result in results],
            lambda path: save_curves(self.trainings, self.curves or path.with_name(CURVES)),
        )

    def _judged(self) -> list[tuple[Cell, Training | None]]:
        """Return the cells, with their trainings where they have one."""
        scenario = self.trainings[0].scenario
        agents = {one.path: training.load_agent(one.path) for one in self.trainings}
        judged: list[tuple[Cell, Training | None]] = []
        for size in dict.fromkeys((scenario.num_agents, *self.sizes)):
            for one in self.trainings:
                agent = agents[one.path]
                if size == scenario.num_agents or agent.any_agents:
                    policy = {"path": str(one.path), "digest": agent.digest}
                    judged.append((self._cell("policy", one.learner, size, one.seed, **policy), one))
            judged += [(cell, None) for cell in self._references(size)]
        return judged

    def _references(self, size: int) -> Iterator[Cell]:
        try:
            for module in ("torch", "onnx"):
                require(module, extra="rl")
            kinds = REFERENCES
        except ImportError:
            kinds = {label: function for label, function in REFERENCES.items() if label != "untrained"}
        for label, function in kinds.items():
            for seed in range(self.references):
                yield self._cell(function, label, size, seed)
        if self.references:
            yield self._cell("cheapest_agents", CHEAPEST, size, 0)

    def _cell(self, function: str, label: str, size: int, seed: int, **more: Any) -> Cell:
        options = {"scenario": self.trainings[0].scenario.to_dict(), "instances": self.instances, **more}
        return Cell(f"eval.learners.cells:{function}", self.name, label, size, seed, options=options)
