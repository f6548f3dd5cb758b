"""Table V with real language models: measured distributions over the options in the place of simulated agents."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from eval.compare.lineup import module_of
from eval.experiments.model_votes.cells import FUNCTION
from eval.experiments.model_votes.measured import Measured, read_all
from eval.experiments.model_votes.results import (
    PAPER,
    SCHEMES,
    Chosen,
    accuracy_bounds,
    binding_accuracy,
    figures,
)
from eval.experiments.model_votes.tables import markdown
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.recorded import SCORES, find
from eval.experiments.votes.cells_selection import ANY
from eval.experiments.votes.cells_selection import SCHEMES as SOLVERS
from eval.experiments.votes.experiment import PRESET
from eval.experiments.votes.printed import TABLE_V
from eval.experiments.votes.tables import flat
from eval.sweep.cells import Cell
from eval.sweep.grid import Grid, number_of
from secagent_env import Scenario
from solvers.answer_scores.files import ScoreFile, recording

SIZES = (12, 12, 6)
"""The number of agents of each group, the smallest model first (section V-C)."""


@dataclass(frozen=True)
class ModelVotes(Experiment):
    """Table V with the answers of real models, from files of scores; by default those that are recorded.

    Raises ValueError if a number is out of range; so do its cells if files of scores are missing or damaged.
    """

    name: ClassVar[str] = "table5-models"

    instances: int = option(100, "networks; default: %(default)s", "K")
    seed: int = option(0, "of the networks; default: %(default)s")
    distributions: Sequence[Path] = option((), "of `secagent answer-distributions`", "FILE")
    sizes: Sequence[int] = SIZES

    def __post_init__(self) -> None:
        number_of("the number of networks", self.instances)

    @functools.cached_property
    def files(self) -> list[ScoreFile]:
        """The scores of each model, the narrowest model first."""
        if not self.distributions:
            raise ValueError(
                "no scores are named: measure models with `secagent answer-distributions` and name the files with "
                "--distributions, or take the recorded ones with --replay"
            )
        files = read_all(self.distributions)
        if len(files) != len(self.sizes):
            raise ValueError(f"it takes the scores of {len(self.sizes)} models, one for each group, got {len(files)}")
        return files

    @functools.cached_property
    def sets(self) -> list[Measured]:
        """What the models answer, by data set."""
        return [Measured.of(name, self.files) for name in TABLE_V if all(file.of(name) for file in self.files)]

    @functools.cached_property
    def tried(self) -> list[tuple[Measured, float]]:
        """The data sets at the Acc_min that binds, then those at the paper's that can meet it."""
        binding = [(each, binding_accuracy(each, self.sizes)) for each in self.sets]
        return binding + [(each, PAPER) for each in self.sets if accuracy_bounds(each, self.sizes)[2] >= PAPER]

    def replayed(self, place: Path | None) -> ModelVotes:
        """Return the experiment with the recorded scores."""
        return replace(self, distributions=(find(self.name, place, SCORES),))

    def cells(self) -> Grid:
        """Return the cells in which every scheme selects agents in every network, for every data set and Acc_min."""
        widths = [int(file.about["dim"]) for file in self.files]
        sizes = tuple(zip(widths, self.sizes, strict=True))
        cells = []
        for measured, min_accuracy in self.tried:
            accuracy = [float(p) for p, size in zip(measured.accuracy, self.sizes, strict=True) for _ in range(size)]
            for scheme in SCHEMES:
                least = 0.0 if scheme == ANY else min_accuracy
                scenario = Scenario.preset(PRESET, model_sizes=sizes, min_accuracy=least)
                options = {"scenario": scenario.to_dict(), "accuracy": accuracy}
                labels = (FUNCTION, self.name, scheme, value_of(measured, min_accuracy), self.seed)
                cells.append(Cell(*labels, options=options, modules=(module_of(SOLVERS[scheme][0]),)))
        return Grid(cells, self.instances)

    def report(self, compute: Compute) -> Report:
        """Return the tables and their numbers.

        Raises ValueError if in none of the networks every scheme found a feasible decision.
        """
        frame = compute(self.cells())
        results: list[tuple[Chosen, list[dict[str, Any]]]] = []
        for measured, min_accuracy in self.tried:
            own = frame[frame["value"] == value_of(measured, min_accuracy)]
            chosen = Chosen(measured, tuple(self.sizes), min_accuracy, own)
            if not chosen.networks:
                raise ValueError(
                    f"in none of the {self.instances} networks did every scheme find a feasible decision for "
                    f"{chosen.title} at an Acc_min of {min_accuracy:g}; take more"
                )
            results.append((chosen, figures(chosen)))
        text = markdown(self.sets, results, self.sizes, self.instances)
        recorded = {f"{self.name}{SCORES}": recording(self.files)}
        return Report(text, [numbers(row) for _, rows in results for row in rows], files=recorded)


def value_of(measured: Measured, min_accuracy: float) -> str:
    """Return the label of a data set at an Acc_min."""
    return f"{measured.name}, {min_accuracy:g}"


def numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of figures as columns of numbers."""
    groups = {f"agents {group}": count for group, count in enumerate(row["agents"], 1)}
    return flat({name: value for name, value in row.items() if name != "agents"} | groups)
