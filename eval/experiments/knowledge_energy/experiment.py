"""What knowledge is worth in joules: energy, accuracy and compression, from measured knowledge to solved networks.

A curve gives the accuracy of agents with knowledge sent at a ratio of its full size. Each of its points becomes a
scenario (:mod:`solvers.knowledge.link`): the ratio is that of D, the accuracy is the agents' mean. `exact` and
`asc-plus` then give the energy of a task at a required mean accuracy (15), and the frontier is the energy at the best
ratio.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from eval.compare.lineup import module_of
from eval.experiments.knowledge_energy.cells import FUNCTION
from eval.experiments.knowledge_energy.picture import save_frontier
from eval.experiments.knowledge_energy.printed import PRINTED
from eval.experiments.knowledge_energy.results import SCHEMES, Curve, frontier
from eval.experiments.knowledge_energy.tables import markdown
from eval.experiments.knowledge_transfer.cells import PRINTED_RATIO
from eval.experiments.knowledge_transfer.experiment import KnowledgeTransfer
from eval.experiments.knowledge_transfer.results import Point, points_of
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.question_source import TELEQNA
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env import Scenario
from solvers.knowledge.link import with_knowledge

RATIOS = (0.0, 0.1, PRINTED_RATIO, 1.0)
"""At which knowledge is sent in networks."""


@dataclass(frozen=True)
class NetworkPreset:
    """A preset that knowledge is sent in, how many accuracies are required there, and on how many instances at most."""

    levels: int
    most: int


NETWORKS = {"paper": NetworkPreset(5, 1000), "tight-latency": NetworkPreset(3, 20), "contested": NetworkPreset(1, 5)}
"""Fewer of those that take longer: a solve of `exact` takes 15 ms, half a second and half a minute."""


@dataclass(frozen=True)
class KnowledgeEnergy(Experiment):
    """The energy of tasks by knowledge and required accuracy.

    There are at most as many instances of a setting as in :data:`NETWORKS`. Without ``curves``, accuracy against
    compression, those of the offline reader are measured by ``transfer`` first, and joined by the paper's.

    Raises ValueError if there are no instances.
    """

    name: ClassVar[str] = "knowledge-energy"
    unit: ClassVar[str] = "solves"
    grows: ClassVar[bool] = True

    instances: int = 100
    seed: int = 0
    curves: Sequence[Curve] | None = None
    transfer: KnowledgeTransfer = field(default_factory=KnowledgeTransfer)

    def __post_init__(self) -> None:
        number_of("the number of instances", self.instances)

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Self:
        """Return the experiment that the options of `secagent reproduce` describe."""
        return cls(args.instances, args.seed, transfer=KnowledgeTransfer.from_arguments(args))

    def cells(self) -> list[Cell]:
        """Return the solves of the curves that are known, after the cells that measure the reader."""
        if self.curves is not None:
            return self.solves(self.curves)
        return [*self.transfer.cells(), *self.solves([PRINTED])]

    def solves(self, curves: Iterable[Curve]) -> list[Cell]:
        """Return the cells that solve, network by network and instance by instance."""
        cells = []
        for name, settings in itertools.groupby(settings_of(curves), lambda setting: setting["network"]):
            of_network = list(settings)
            for index in range(min(self.instances, NETWORKS[name].most)):
                for options in of_network:
                    labels = (options["ratio"], self.seed, index, options)
                    cells += [
                        Cell(FUNCTION, self.name, scheme, *labels, modules=(module_of(scheme),)) for scheme in SCHEMES
                    ]
        return cells

    def report(self, compute: Compute) -> Report:
        """Return the frontier with its numbers and its picture."""
        curves = [*self.measured(compute), PRINTED] if self.curves is None else self.curves
        points = frontier(compute(self.solves(curves)))
        draw = functools.partial(save_frontier, points)
        return Report(markdown(points, curves), [point.row() for point in points], draw)

    def measured(self, compute: Compute) -> list[Curve]:
        """Return the curves of the offline reader: with knowledge of other questions, and with the answers."""
        transfer = self.transfer.results(compute)
        sample = "" if transfer.source.name == TELEQNA else ", packaged sample"
        return [
            curve_of(f"offline reader, {knowledge}{sample}", points_of(transfer, name))
            for knowledge, name in (("knowledge of other questions", "others"), ("knowledge with the answers", "asked"))
        ]


def settings_of(curves: Iterable[Curve]) -> Iterator[dict[str, Any]]:
    """Yield the options of cells: every network at every ratio of every curve and every accuracy required."""
    curves = list(curves)
    for name, network in NETWORKS.items():
        for curve in curves:
            for ratio, scenario in linked(Scenario.preset(name), curve).items():
                for required in curve.levels(network.levels):
                    setting = {"network": name, "curve": curve.name, "ratio": ratio, "required": required}
                    yield {**setting, "scenario": scenario.replace(min_accuracy=required).to_dict()}


def linked(scenario: Scenario, curve: Curve) -> dict[float, Scenario]:
    """Return the scenario at each ratio of a curve; all of the knowledge is the scenario's own D."""
    bits = scenario.knowledge_bits
    return {ratio: with_knowledge(scenario, ratio * bits, accuracy) for ratio, accuracy in curve.points}


def curve_of(name: str, points: Sequence[Point]) -> Curve:
    """Return the curve through measured points, at the ratios at which knowledge is sent in networks."""
    pairs = []
    for point in points:
        if point.ratio in RATIOS:
            # Nobody is always right or always wrong: the share is kept by half a question from 0 and 1.
            bound = 0.5 / point.accuracy.size
            pairs.append((point.ratio, min(max(point.accuracy.mean, bound), 1 - bound)))
    return Curve(name, tuple(pairs), points[-1].bits)
