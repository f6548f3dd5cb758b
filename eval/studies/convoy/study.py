"""``secagent study convoy``: levels of collaboration and organisations at a crossing, and how hard crossings are.

All schemes get the same starts. It prints the tables of ``docs/convoy.md``; their rows are in ``docs/convoy.csv``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from eval.experiments.options import endpoint_texts, option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, fixed, tabulated
from eval.stats.statistics import CONFIDENCE, bootstrap_mean, interval_in, share, spread
from eval.studies.convoy import cells_language, cells_learnt, cells_reference, learning
from eval.studies.convoy.cells import FUNCTION
from eval.studies.convoy.picture import save_film
from eval.sweep.answers import costs
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env.convoy.messages import LEVELS
from secagent_env.convoy.rules import ORGANISATIONS, CrossingRules
from secagent_env.support.checks import integer, number
from secagent_env.support.digests import digest
from secagent_env.support.files import write_bytes
from secagent_env.support.secrets import check_written
from solvers.convoy.language import LanguageTeam
from solvers.convoy.team import Team
from training.convoy.shared_driving import BONUS_PER_M, STEPS

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
LEARNT = ("nothing", "decision", "intent")
"""The levels at which a policy is trained, distributed and converged."""
DEAF: dict[str, dict[str, Any]] = {"": {}, "; no message arrives": {"cut_rate": 1.0}}
"""Of trained policies that talk: what is taken from them, by what is added to their names."""
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
    """Levels of collaboration and organisations, with lower and upper controls, liars, faults, and harder crossings.

    Raises
    ------
    ValueError
        If a number is out of range, or a text is none that it may be.
    """

    name: ClassVar[str] = "convoy"

    crossings: int = option(500, "of each scheme (default: %(default)s)", "K")
    harder: int = option(200, "crossings of each scheme under other rules (default: %(default)s)", "K")
    language: int = option(40, "crossings of language agents (default: %(default)s)", "K")
    seed: int = option(1, "of the crossings (default: %(default)s)")
    learnt: int = option(0, "trainings of a policy for each level, of a minute each (default: none)", "K")
    learnt_steps: int = option(STEPS, "of a vehicle each in a training (default: %(default)s)", "K")
    learnt_bonus: float = option(BONUS_PER_M, "what a metre of way earns in training, s (default: %(default)s)", "S")
    runs: Path = option(Path("results/convoy/runs"), "folder of the trained policies (default: %(default)s)", "DIR")
    model: Mapping[str, Any] = endpoint_texts()
    film: Path | None = option(None, "write a film of one crossing, .gif, and nothing else", "FILE")

    def __post_init__(self) -> None:
        for name in ("crossings", "harder", "language"):
            integer(name, number_of(name, getattr(self, name)), 2)
        integer("learnt", self.learnt, 0)
        integer("learnt_steps", self.learnt_steps, 1)
        number("learnt_bonus", self.learnt_bonus, 0)
        check_written(self.model)
        LanguageTeam(**self.model)
        if self.film is not None and self.film.suffix != ".gif":
            raise ValueError(f"the film must be a .gif file, got {str(self.film)!r}")

    def cells(self) -> list[Cell]:
        """Return a cell for each row of the tables."""
        teams = {**CONTROLS, **organisations(), **LIARS}
        cells = [self._cell("levels", name, team, {}, self.crossings) for name, team in teams.items()]
        best = organisations()["intent, distributed, converged"]
        cells += [self._cell("faults", name, best, rules, self.harder) for name, rules in FAULTS.items()]
        for name, rules in HARDNESS.items():
            cells += [self._cell("hardness", scheme, teams[scheme], rules, self.harder, name) for scheme in TRIED]
        start = ("intent, from the same starts", best, self.language)
        cells.append(self._cell("language", start[0], start[1], {}, start[2]))
        return cells + self.trainings()

    def trainings(self) -> list[Cell]:
        """Return a cell for each policy: of every level and seed, and the one that a training begins with."""
        function, name, bonus = learning.FUNCTION, self.name, float(self.learnt_bonus)
        return [
            Cell(
                function,
                name,
                scheme,
                level,
                seed,
                options={"level": level, "steps": steps, "bonus": bonus},
                lasting=True,
            )
            for seed in range(self.learnt)
            for scheme, steps in (("untrained", 0), ("PPO", self.learnt_steps))
            for level in LEARNT
        ]

    def asked(self) -> list[Cell]:
        """Return a cell for each crossing of language agents."""
        return language_cells(self.name, "language", self.model, self.language, self.seed)

    def _cell(
        self, part: str, scheme: str, team: Mapping[str, Any], rules: Mapping[str, Any], number: int, value: str = ""
    ) -> Cell:
        CrossingRules(**rules)
        return team_cell(self.name, scheme, team, number, self.seed, part, rules, value)

    def report(self, compute: Compute) -> Report:
        """Return the tables and their rows; where a film is wanted, write it instead."""
        if self.film is not None:
            save_film(self.film, self.seed)
            return Report()
        cells = [cell for cell in self.cells() if cell.function == f"{FUNCTION}:cross"]
        found = compute(cells).to_dict("records")
        rows = [
            summary(str(cell.options["part"]), str(cell.value), cell.scheme, row)
            for cell, row in zip(cells, found, strict=True)
        ]
        rows.append(language_summary(compute(self.asked()).to_dict("records")))
        two = Cell(
            cells_reference.FUNCTION, self.name, "reference", "reference", self.seed, options={"crossings": self.harder}
        )
        [reference] = compute([two]).to_dict("records")
        for scheme in ("bound", "programme", *cells_reference.TEAMS):
            values = np.array(json.loads(reference[scheme]), float)
            line = {"part": "reference", "setting": "2 vehicles", "scheme": scheme, "crossings": len(values)}
            rows.append(line | spread("reward", bootstrap_mean(values)))
        rows += self._learnt(compute)
        return Report(tables(rows), rows)

    def _learnt(self, compute: Compute) -> list[dict[str, Any]]:
        """Return the rows of trained policies, which are written to the folder of runs."""
        judged, of = [], []
        for cell, row in zip(trainings := self.trainings(), _records(compute, trainings), strict=True):
            level, content = str(cell.value), base64.b64decode(row["policy"])
            path = self.runs / f"{cell.scheme}-{level}-{cell.seed}.onnx"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, content)
            for name, rules in DEAF.items() if cell.scheme == "PPO" and level != "nothing" else [("", {})]:
                options: dict[str, Any] = {"level": level, "policy": str(path), "digest": digest(content)}
                options |= {"rules": rules, "crossings": self.crossings}
                scheme = f"{cell.scheme}, {level}{name}"
                judged.append(Cell(cells_learnt.FUNCTION, self.name, scheme, cell.seed, self.seed, options=options))
                of.append({"steps": int(row["steps"]), "cpu_minutes": float(row["cpu_seconds"]) / 60})
        return [
            summary("learnt", f"seed {cell.value}", cell.scheme, row) | training
            for cell, row, training in zip(judged, _records(compute, judged), of, strict=True)
        ]


def team_cell(
    experiment: str,
    scheme: str,
    team: Mapping[str, Any],
    crossings: int,
    seed: int,
    part: str = "levels",
    rules: Mapping[str, Any] | None = None,
    value: str = "",
) -> Cell:
    """Return the cell of a team's crossings, in a part of the tables, under rules that the value names."""
    options = {"rules": dict(rules or {}), "team": asdict(Team(**team)), "crossings": crossings, "part": part}
    return Cell(f"{FUNCTION}:cross", experiment, scheme, value or part, seed, options=options)


def language_cells(experiment: str, scheme: str, model: Mapping[str, Any], crossings: int, seed: int) -> list[Cell]:
    """Return a cell for each crossing of language agents with the options of a model."""
    options = {"model": dict(model), "crossings": crossings}
    one = Cell(cells_language.FUNCTION, experiment, scheme, "language", seed, 0, options, paid=costs(model))
    return [one.at(index) for index in range(crossings)]


def _records(compute: Compute, cells: Sequence[Cell]) -> list[Mapping[str, Any]]:
    return compute(cells).to_dict("records") if cells else []


def language_summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the row of the crossings of language agents, a row of which each is."""
    joined = {name: json.dumps([json.loads(row[name])[0] for row in found]) for name in _COLUMNS}
    return {
        **summary("language", "language", str(found[0]["method"]), joined),
        "going": float(np.mean([row["going"] for row in found])),
        "agreeing": sum(row["agreeing"] for row in found) / (len(found) * CrossingRules.num_vehicles),
        "faults": int(sum(row["faults"] for row in found)),
    }


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
    value = interval_in(row, name)
    return NONE if value.mean == value.high == 0 else fixed(value, f".{digits}f")


HEADERS = ["scheme", "collisions per 1000", "bits", "seconds", "engine, kJ", "radios, mJ", "reward"]
_DIGITS = {"collisions": 0, "bits": 0, "seconds": 2, "motion_j": 1, "radio_j": 2, "reward": 2}


def figures_of(row: Mapping[str, Any]) -> list[str]:
    """Return the cells below :data:`HEADERS` of a row of the CSV file."""
    return [row["scheme"], *(_shown(row, name, places) for name, places in _DIGITS.items())]


def tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables of rows of the CSV file, in Markdown."""
    levels = [row for row in rows if row["part"] == "levels"]

    def wide(part: str) -> str:
        return tabulated([figures_of(row) for row in rows if row["part"] == part], HEADERS)

    note = (
        f"{levels[0]['crossings']} crossings of every scheme from the same starts, means with {CONFIDENCE:.0%} "
        "intervals. Bits and radios are of all nodes and a whole crossing; seconds and engine the mean of a vehicle, "
        "in crossings without a collision. Reward in seconds, of all crossings."
    )
    lies = [row for row in levels if row["scheme"].startswith("intent, distributed, converged")]
    told = [[row["scheme"], _shown(row, "collisions", 0), _shown(row, "last"), _shown(row, "others")] for row in lies]
    liars = tabulated(told, ["scheme", "collisions per 1000", "seconds of the last", "seconds of the others"])
    faults = [
        [row["scheme"], _shown(row, "collisions", 0), _shown(row, "seconds"), _shown(row, "bits", 0)]
        for row in rows
        if row["part"] == "faults"
    ]
    asked = next(row for row in rows if row["part"] == "language" and not np.isnan(float(row.get("faults", np.nan))))
    spoken = (
        f"{asked['crossings']} crossings of language agents, {float(asked['going']):.2f} of 4 vehicles go first, "
        f"{int(asked['faults'])} replies could not be used:"
    )
    two = [row for row in rows if row["part"] == "reference"]
    hard: dict[str, list[str]] = {}
    for row in rows:
        if row["part"] == "hardness":
            hard.setdefault(str(row["setting"]), []).append(_shown(row, "collisions", 0))
    return (
        "\n\n".join(
            [
                wide("levels"),
                note,
                "What a liar gains and costs:",
                liars,
                "Faults, with intents, distributed and converged:",
                tabulated(faults, ["faults", "collisions per 1000", "seconds", "bits"]),
                "Collisions per 1000 where the crossing is easier or harder:",
                tabulated([[name, *cells] for name, cells in hard.items()], ["crossing", *TRIED]),
                spoken,
                wide("language"),
                f"Two vehicles that know everything, {two[0]['crossings']} starts on the programme's grid:",
                tabulated([[row["scheme"], _shown(row, "reward")] for row in two], ["decides", "reward"]),
                *_of_learnt([row for row in rows if row["part"] == "learnt"]),
            ]
        )
        + "\n"
    )


def _of_learnt(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the tables say of trained policies; nothing where there is none."""
    if not rows:
        return []
    digits = {"collisions": 0, "bits": 0, "seconds": 2, "motion_j": 1, "reward": 2}
    lines = [
        [
            row["scheme"],
            row["setting"],
            *(_shown(row, name, places) for name, places in digits.items()),
            f"{float(row['late']):.0%}",
            f"{float(row['steps']) / 1e6:.2f}",
            f"{float(row['cpu_minutes']):.1f}",
        ]
        for row in rows
    ]
    headers = ["policy", "training", "collisions per 1000", "bits", "seconds", "engine, kJ", "reward"]
    return [
        "Policies with shared parameters, distributed and converged, from the same starts as the first table:",
        tabulated(lines, [*headers, "out of time", "million steps", "CPU min"]),
    ]
