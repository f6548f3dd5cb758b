"""``secagent study intent-change``: what it is worth to tell a target that changes in the middle of a game.

Pairs of the power control game, some of whose targets rise or fall after some rounds, at the levels of collaboration of
the second paper's section III-C, beside agents that tell nothing, agents that lie, and a controller that knows all. It
prints the table of ``docs/power-control.md``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import fixed, tabulated
from eval.stats.paired import paired_difference
from eval.stats.pictures import written_figure
from eval.stats.statistics import CONFIDENCE, bootstrap_mean, interval_in, spread
from eval.studies.intent_change.cells import FUNCTION, MEASURES
from eval.sweep.cells import Cell
from eval.sweep.grid import MOST_AT_ONCE, number_of
from secagent_env.rendering import style
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name

CHANGES = {"raised": (1.2, 2.0), "lowered": (0.3, 0.8)}
"""The range of new over old target."""
PLAYERS = {
    "none": ("none", 1.0, True),
    "information": ("information", 1.0, True),
    "decision": ("decision", 1.0, True),
    "intent": ("intent", 1.0, True),
    "intent, kept back": ("intent", 1.0, False),
    "intent, told twice as high": ("intent", 2.0, True),
    "intent, told half as high": ("intent", 0.5, True),
}
"""What is told after the change: the level, the factor of a lie, and whether intents are told."""
FULL = "full"
SEED = 23
"""Of the games."""


@dataclass(frozen=True)
class IntentChanges(Experiment):
    """Levels of collaboration on the same games, whose targets change.

    Raises
    ------
    ValueError
        If a name is unknown or a number is out of range.
    """

    name: ClassVar[str] = "intent-change"

    changes: Sequence[str] = option(tuple(CHANGES), "default: %(default)s", "NAME", nargs="+")
    pairs: int = option(4, "default: %(default)s", "N")
    changed: int = option(1, "pairs with a new target (default: %(default)s)", "M")
    draws: int = option(200, "games of each kind (default: %(default)s)", "K")
    rounds: int = option(20, "of each game (default: %(default)s)", "R")
    change_round: int = option(8, "rounds before the change (default: %(default)s)", "T")
    seed: int = option(SEED, "of the games (default: %(default)s)")

    def __post_init__(self) -> None:
        number_of("draws", self.draws, most=MOST_AT_ONCE)
        integer("pairs", self.pairs, 2)
        integer("changed", self.changed, 1, self.pairs - 1)
        integer("rounds", self.rounds, 2)
        integer("change_round", self.change_round, 1, self.rounds - 1)
        integer("seed", self.seed)
        for name in self.changes:
            check_name("change", name, CHANGES)

    def cells(self) -> list[Cell]:
        """Return a cell for each change and player."""
        return [self._cell(change, player) for change in self.changes for player in (*PLAYERS, FULL)]

    def _cell(self, change: str, player: str) -> Cell:
        level, lie, tells = PLAYERS.get(player, (FULL, 1.0, False))
        options = {
            **{name: getattr(self, name) for name in ("pairs", "changed", "draws", "rounds", "change_round")},
            **{"scale": list(CHANGES[change]), "level": level, "lie": lie, "tells": tells},
        }
        function = "full" if player == FULL else "told"
        return Cell(f"{FUNCTION}:{function}", self.name, f"{change}/{player}", change, self.seed, options=options)

    def report(self, compute: Compute) -> Report:
        """Return the table, its rows, and the picture of the courses."""
        kinds = [(change, player) for change in self.changes for player in (*PLAYERS, FULL)]
        found = {
            kind: {name: np.array(json.loads(row[name]), float) for name in (*MEASURES, "course")}
            for kind, row in zip(kinds, compute(self.cells()).to_dict("records"), strict=True)
        }
        after = self.rounds - self.change_round
        rows: list[dict[str, Any]] = []
        for (change, player), one in found.items():
            none = found[change, "none"]
            rows.append(
                {"change": change, "told": player, "draws": self.draws, "after": after}
                | {"unmet": float((one["met_after"] > after).mean())}
                | {f"{name}{end}": value for name in MEASURES for end, value in _ends(one[name]).items()}
                | spread("gain_rounds", paired_difference(one["met_after"], none["met_after"]))
                | spread("gain_gap", paired_difference(one["gap"], none["gap"]))
            )
        courses = {kind: one["course"] for kind, one in found.items()}
        return Report(markdown(rows), rows, functools.partial(draw, courses, self.change_round))


def _ends(values: np.ndarray) -> dict[str, float]:
    interval = bootstrap_mean(values)
    return {"": interval.mean, "_low": interval.low, "_high": interval.high}


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the rows, in Markdown."""
    lines = []
    for row in rows:
        none = row["told"] == "none"
        lines.append(
            [
                row["change"],
                row["told"],
                fixed(interval_in(row, "met_after"), ".1f"),
                "–" if none else fixed(interval_in(row, "gain_rounds"), "+.1f"),
                f"{row['unmet']:.1%}",
                fixed(interval_in(row, "gap")),
                "–" if none else fixed(interval_in(row, "gain_gap"), "+.4f"),
                fixed(interval_in(row, "gap_others")),
                fixed(interval_in(row, "power_w"), ".1f"),
                f"{row['bits']:,.0f}",
            ]
        )
    headers = [
        *("targets", "told", "rounds until met", "less those of none", "never met", "rate gap, bit/s/Hz"),
        *("less that of none", "rate gap of the others", "total power, W", "bits"),
    ]
    first = rows[0]
    talked = max(row["bits_before"] for row in rows)
    note = (
        f"Means with {CONFIDENCE:.0%} bootstrap intervals over {first['draws']} games of each kind, the same for all; "
        f"differences are of the same games. Of the {first['after']} rounds after the change: the first from which all "
        f"rates stay within 5 % of the new targets ({first['after'] + 1} where they do not at the end), means of rate "
        f"gap and total power, and the bits of all messages. Before the change every level but none and full told "
        f"{talked:,.0f} bits of powers and rates. The others: pairs whose target did not change. Full: a controller "
        f"that knows all channels and targets, and takes the certified optimum at once."
    )
    return f"{tabulated(lines, headers)}\n\n{note}\n"


def draw(courses: Mapping[tuple[str, str], np.ndarray], change_round: int, path: Path) -> None:
    """Write the picture: the rate gap over the rounds, by what is told, for each change; that of full is none."""
    changes = list(dict.fromkeys(change for change, _ in courses))
    note = "Mean |target − rate| of the same games; the dashed line is the last round with the old targets."
    with written_figure(path, 4.6 * len(changes), 3.6, note) as figure:
        panels = figure.subplots(1, len(changes), sharey=True, squeeze=False)[0]
        for ax, change in zip(panels, changes, strict=True):
            for (kind, player), course in courses.items():
                if kind == change and player != FULL and "," not in player:
                    ax.plot(np.arange(len(course)), course, marker="o", ms=3, label=player)
            ax.axvline(change_round, color=style.DIM, ls="--", lw=1)
            ax.set_yscale("log")
            ax.set_xlabel("round")
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.set_title(f"A target is {change}", loc="left", size=10)
        panels[0].set_ylabel("rate gap, bit/s/Hz")
        panels[-1].legend(title="told")
