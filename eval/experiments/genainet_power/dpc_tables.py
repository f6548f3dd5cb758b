"""Power control on random games: rate gap and power after DPC, beside the second paper."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from eval.bench.power_control import report as speed_table
from eval.experiments.genainet_power.cells_dpc import METHODS, PLAY, SPEED
from eval.experiments.genainet_power.printed import TABLE_2
from eval.experiments.genainet_power.results import GAMES, Course, by_pairs
from eval.experiments.genainet_power.tables import decimal
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import percent, tabulated
from eval.stats.statistics import CONFIDENCE, bootstrap_mean
from eval.sweep.cells import Cell
from eval.sweep.grid import MOST_AT_ONCE, number_of
from secagent_env.power_control import sample_game
from secagent_env.power_control.match import ROUNDS


@dataclass(frozen=True)
class PowerControlTables(Experiment):
    """DPC and the certified optimum on the same games: what DPC leaves of the rate gap, and at what power."""

    name: ClassVar[str] = "power-control"

    pairs: Sequence[int] = option(tuple(TABLE_2), "default: %(default)s", "N")
    draws: int = option(1000, "games of each number of pairs; default: %(default)s")
    games: str = option("infeasible", "which games; default: %(default)s", flag="--of", choices=list(GAMES))
    rounds: int = option(ROUNDS, "default: %(default)s")
    seed: int = option(0, "of the games; default: %(default)s")

    def __post_init__(self) -> None:
        number_of("draws", self.draws, most=MOST_AT_ONCE)

    def cells(self) -> list[Cell]:
        """Return a cell for each number of pairs and method."""
        options = {"draws": self.draws, "rounds": self.rounds, "feasible": GAMES[self.games]}
        for num_pairs in self.pairs:
            sample_game(num_pairs, self.seed, (0,))  # raises for what is no number of pairs
        return [
            Cell(PLAY, self.name, method, num_pairs, self.seed, options=options)
            for num_pairs in self.pairs
            for method in METHODS
        ]

    def courses(self, compute: Compute) -> list[Course]:
        """Return the ends of every method on the same games: courses of one row."""
        columns = ("rate_gap", "total_power_w", "share")
        courses = []
        for row in compute(self.cells()).to_dict("records"):
            gap, power, share = (np.array(json.loads(row[name])) for name in columns)
            courses.append(Course(row["value"], row["scheme"], gap[None], power[None], share))
        return courses

    def report(self, compute: Compute) -> Report:
        """Return the table of means; the paper reports on infeasible games alone."""
        return Report(markdown(self.courses(compute), paper=self.games == "infeasible"))


@dataclass(frozen=True)
class PowerControlSpeed(Experiment):
    """The speed of many games at once, for each number of pairs."""

    name: ClassVar[str] = "power-control-speed"

    pairs: Sequence[int] = option(tuple(TABLE_2), "default: %(default)s", "N")

    def cells(self) -> list[Cell]:
        """Return a cell for each number of pairs."""
        return [Cell(SPEED, self.name, "games", num_pairs) for num_pairs in self.pairs]

    def report(self, compute: Compute) -> Report:
        """Return the table of times."""
        figures = [json.loads(figures) for figures in compute(self.cells())["figures"]]
        return Report(f"{speed_table(figures, tabulated)}\n")


def markdown(courses: Sequence[Course], *, paper: bool = True) -> str:
    """Return the table of courses at their ends, with the paper's figures below those of the same number of pairs."""
    lines: list[list[str]] = []
    for num_pairs, own in by_pairs(courses).items():
        for course in own:
            gap, power, share = (
                bootstrap_mean(values) for values in (course.rate_gap[-1], course.total_power_w[-1], course.share)
            )
            lines.append([str(num_pairs), course.method, decimal(gap, 4), decimal(power, 2), percent(share)])
        for method, (kbps, watt) in TABLE_2.get(num_pairs, {}).items() if paper else ():
            lines.append([str(num_pairs), f"paper: {method}", f"{kbps} kbps", f"{watt:.1f}", "–"])
    headers = ["pairs", "method", "absolute rate gap, bit/s/Hz", "total power, W", "least share of a target SINR"]
    draws = courses[0].share.size if courses else 0
    note = f"Means with {CONFIDENCE:.0%} bootstrap intervals over {draws} games, the same for every method."
    return f"{tabulated(lines, headers)}\n\n{note}\n"
