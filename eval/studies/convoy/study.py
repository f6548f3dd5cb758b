"""``secagent study convoy``: levels of collaboration × organisations at a crossing, and how hard crossings are.

All schemes get the same starts. It prints the tables of ``docs/convoy.md``; their rows are those of ``docs/convoy.csv``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, tabulated
from eval.stats.statistics import CONFIDENCE, bootstrap_mean, share, spread
from eval.studies.convoy.cells import FUNCTION
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env.convoy.messages import LEVELS
from secagent_env.convoy.rules import ORGANISATIONS, CrossingRules
from secagent_env.support.checks import integer
from solvers.convoy.team import Team

CONTROLS: dict[str, dict[str, Any]] = {
    "no communication": {"level": "nothing"},
    "no communication, cautious": {"level": "nothing", "cautious": True},
    "full information": {"level": "nothing", "full_information": True},
}
LIARS: dict[str, dict[str, Any]] = {
    "intent, distributed, converged; the last claims always": {"lie": "claims"},
    "intent, distributed, converged; the last feigns to yield": {"lie": "feigns"},
}
FAULTS: dict[str, dict[str, Any]] = {
    "no faults": {},
    "20 % of messages cut off": {"cut_rate": 0.2},
    "50 % of messages cut off": {"cut_rate": 0.5},
    "20 % of readings NaN": {"nan_rate": 0.2},
}
HARDNESS: dict[str, dict[str, Any]] = {
    **{f"{n} vehicles": {"num_vehicles": n} for n in (2, 3, 4)},
    **{f"spread {s:g} s": {"spread_s": s} for s in (0.5, 1.0)},
    **{f"buildings at {b:g} m": {"setback_m": b} for b in (3.0, 10.0, 40.0)},
}
"""What differs from the rules, by name; the others are those of :class:`CrossingRules`."""
TRIED = ("no communication", "intent, distributed, converged", "full information")
"""The schemes of which it is shown how hard crossings are."""


def organisations() -> dict[str, dict[str, Any]]:
    """Return the teams of every level and organisation by name."""
    return {
        f"{level}, {'hierarchical' if roadside else 'distributed'}, {within}": {
            "level": level,
            "roadside": roadside,
            "organisation": within,
        }
        for level in LEVELS[1:]
        for roadside in (False, True)
        for within in reversed(ORGANISATIONS)
    }


@dataclass(frozen=True)
class Convoy(Experiment):
    """Levels of collaboration and organisations, with lower and upper controls, liars, faults, and harder crossings."""

    name: ClassVar[str] = "convoy"

    crossings: int = option(500, "of each scheme (default: %(default)s)", "K")
    harder: int = option(200, "crossings of each scheme under other rules (default: %(default)s)", "K")
    seed: int = option(1, "of the crossings (default: %(default)s)")

    def __post_init__(self) -> None:
        for name in ("crossings", "harder"):
            integer(name, number_of(name, getattr(self, name)), 2)

    def cells(self) -> list[Cell]:
        """Return a cell for each row of the tables."""
        teams = {**CONTROLS, **organisations(), **LIARS}
        cells = [self._cell("levels", name, team, {}, self.crossings) for name, team in teams.items()]
        best = organisations()["intent, distributed, converged"]
        cells += [self._cell("faults", name, best, rules, self.harder) for name, rules in FAULTS.items()]
        for name, rules in HARDNESS.items():
            cells += [self._cell("hardness", scheme, teams[scheme], rules, self.harder, name) for scheme in TRIED]
        return cells

    def _cell(
        self, part: str, scheme: str, team: Mapping[str, Any], rules: Mapping[str, Any], number: int, value: str = ""
    ) -> Cell:
        options = {"rules": dict(rules), "team": asdict(Team(**team)), "crossings": number, "part": part}
        CrossingRules(**rules)
        return Cell(f"{FUNCTION}:cross", self.name, scheme, value or part, self.seed, options=options)

    def report(self, compute: Compute) -> Report:
        """Return the tables and their rows."""
        cells = self.cells()
        found = compute(cells).to_dict("records")
        rows = [
            summary(str(cell.options["part"]), str(cell.value), cell.scheme, row)
            for cell, row in zip(cells, found, strict=True)
        ]
        return Report(tables(rows), rows)


def summary(part: str, value: str, scheme: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return means with intervals of the crossings of a scheme, in the units of the table, as a row of the CSV file.

    Times and energies of engines are those of crossings without a collision.
    """
    columns = {name: np.array(json.loads(row[name]), float) for name in _COLUMNS}
    free = columns["collided"] == 0
    size = len(free)
    collisions = spread("collisions", share(int((~free).sum()), size))
    line: dict[str, Any] = {"part": part, "setting": value, "scheme": scheme, "crossings": size}
    line |= {name: 1000 * number for name, number in collisions.items()}
    line["late"] = float(columns["late"].mean())
    for name, factor, rows in _SHOWN:
        values = factor * (columns[name][free] if rows else columns[name])
        line |= spread(name, bootstrap_mean(values) if len(values) > 1 else None)
    return line


_COLUMNS = ("collided", "late", "seconds", "bits", "motion_j", "radio_j", "reward", "last", "others")
_SHOWN = (
    ("seconds", 1.0, True),
    ("bits", 1.0, False),
    ("motion_j", 1e-3, True),
    ("radio_j", 1e3, False),
    ("reward", 1.0, False),
    ("last", 1.0, True),
    ("others", 1.0, True),
)


def _shown(row: Mapping[str, Any], name: str, digits: int = 2) -> str:
    """Return a figure with its interval; none where it is of nothing, and no interval where all are the same."""
    mean, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    if np.isnan(mean) or mean == high == 0:
        return NONE
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables of rows of the CSV file, in Markdown."""
    levels = [row for row in rows if row["part"] == "levels"]
    headers = ["scheme", "collisions per 1000", "bits", "seconds", "engine, kJ", "radios, mJ", "reward"]
    lines = [
        [row["scheme"], _shown(row, "collisions", 0), _shown(row, "bits", 0), _shown(row, "seconds")]
        + [_shown(row, "motion_j", 1), _shown(row, "radio_j"), _shown(row, "reward")]
        for row in levels
    ]
    note = (
        f"{levels[0]['crossings']} crossings of every scheme from the same starts, means with {CONFIDENCE:.0%} intervals. "
        "Bits and radios are of all nodes and a whole crossing; seconds and engine the mean of a vehicle, in crossings "
        "without a collision. Reward in seconds, of all crossings."
    )
    lies = [row for row in levels if row["scheme"].startswith("intent, distributed, converged")]
    told = [[row["scheme"], _shown(row, "collisions", 0), _shown(row, "last"), _shown(row, "others")] for row in lies]
    liars = tabulated(told, ["scheme", "collisions per 1000", "seconds of the last", "seconds of the others"])
    faults = [
        [row["scheme"], _shown(row, "collisions", 0), _shown(row, "seconds"), _shown(row, "bits", 0)]
        for row in rows
        if row["part"] == "faults"
    ]
    hard: dict[str, list[str]] = {}
    for row in rows:
        if row["part"] == "hardness":
            hard.setdefault(str(row["setting"]), []).append(_shown(row, "collisions", 0))
    return (
        "\n\n".join(
            [
                tabulated(lines, headers),
                note,
                "What a liar gains and costs:",
                liars,
                "Faults, with intents, distributed and converged:",
                tabulated(faults, ["faults", "collisions per 1000", "seconds", "bits"]),
                "Collisions per 1000 where the crossing is easier or harder:",
                tabulated([[name, *cells] for name, cells in hard.items()], ["crossing", *TRIED]),
            ]
        )
        + "\n"
    )
