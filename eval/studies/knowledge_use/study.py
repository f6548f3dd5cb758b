"""``secagent study knowledge-use``: two-fact questions, facts that change, and passages that lie.

It prints the tables of ``docs/knowledge-use.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.pictures import drawing, save_figure
from eval.stats.statistics import CONFIDENCE, share
from eval.studies.knowledge_use.cells import ALARMS, CHANGED, FUNCTION, POLICIES, READ, STEPS
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env.rendering.style import BLUE, FAINT, GREEN, ORANGE
from secagent_env.support.errors import check_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {True: "names of one word", False: "names of two words"}
"""The schemes of the cells of two-fact questions, by whether names are joined."""
HELD = {"vectors, texts alone": None, "vectors, int8": "int8", "graph": None, "topology": None}
"""The schemes of the cells of drift, and the precision of vectors."""
COLOURS = {"vectors, texts alone": BLUE, "vectors, int8": BLUE, "graph": ORANGE, "topology": GREEN}
STYLES = dict(zip(POLICIES, (":", "--", "-", "-."), strict=True))
ANSWERS = 24000
"""The answers of a game with passages that lie."""
LIES = 12


@dataclass(frozen=True)
class KnowledgeUse(Experiment):
    """Knowledge that is used.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    name: ClassVar[str] = "knowledge-use"

    worlds: int = option(3, "networks of facts that are drawn (default: %(default)s)", "K")
    questions: int = option(24, "of each of the three kinds (default: %(default)s)", "Q")
    parts: Sequence[str] = option(
        ("two-facts", "drift", "quarantine"), "of the study (default: %(default)s)", "PART", nargs="+"
    )
    seed: int = option(0, "of the first network (default: %(default)s)")

    def __post_init__(self) -> None:
        number_of("worlds", self.worlds)
        number_of("questions", self.questions, most=120)
        for part in self.parts:
            check_name("part", part, TABLES)

    def cells(self) -> list[Cell]:
        """Return the cells of all parts."""
        return [cell for part in self.parts for cell in self._cells(part)]

    def _cells(self, part: str) -> list[Cell]:
        seeds = range(self.seed, self.seed + self.worlds)
        parts: dict[str, dict[str, dict[str, Any]]] = {
            "two-facts": {scheme: {"joined": joined} for joined, scheme in NAMES.items()},
            "drift": {scheme: {"precision": precision} for scheme, precision in HELD.items()},
            "quarantine": {scheme: {"answers": ANSWERS, "lies": LIES} for scheme in ("with", "without")},
        }
        function = f"{FUNCTION}:{part.replace('-', '_')}"
        return [
            Cell(function, self.name, scheme, seed=seed, options={"questions": self.questions, "part": part, **more})
            for scheme, more in parts[part].items()
            for seed in seeds
        ]

    def report(self, compute: Compute) -> Report:
        """Return the tables, and a picture of drift."""
        frame = compute(self.cells())
        parts: dict[str, Report] = {}
        for part in self.parts:
            own = {name for cell in self._cells(part) for name in [cell.scheme]}
            rows = summary(part, [row for row in frame.to_dict("records") if row["scheme"] in own])
            draw = (lambda path, rows=rows: save_figure(picture(rows), path)) if part == "drift" else None
            parts[f"knowledge-use-{part}"] = Report(numbers=rows, draw=draw)
        text = "\n".join(markdown(part, parts[f"knowledge-use-{part}"].numbers) for part in self.parts)
        return Report(text, parts=parts)


def summary(part: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a part's file: the cells' rows, put together over the networks."""
    keys = {"two-facts": ("scheme", "way"), "drift": ("scheme", "policy"), "quarantine": ("scheme",)}[part]
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [dict(zip(keys, group, strict=True)) | _TOGETHER[part](own) for group, own in groups.items()]


def _read(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return [json.loads(row[name]) for row in rows]


def _two_facts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    hits = {name: np.concatenate(_read(rows, name)) for name in ("first", "second", "both", "exact", "reader")}
    return {"questions": len(hits["both"]), **{name: int(own.sum()) for name, own in hits.items()}}


def _drift(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"{name}_{step}": float(np.mean(own))
        for name in ("one", "two", "bits")
        for step, own in enumerate(zip(*_read(rows, name), strict=True))
    }


def _quarantine(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = {name: int(sum(row[name] for row in rows)) for name in ("honest", "lies", "found", "false_alarms")}
    answers = [taken for own in _read(rows, "answers") for taken in own]
    mean = float(np.mean(answers)) if answers else float("nan")
    right = {f"right_{part}": float(np.mean(own)) for part, own in enumerate(zip(*_read(rows, "right"), strict=True))}
    return {**counts, "answers": mean, **right}


_TOGETHER = {"two-facts": _two_facts, "drift": _drift, "quarantine": _quarantine}


def markdown(part: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of a part, in Markdown, from the rows of its file."""
    return TABLES[part](rows)


def _two_facts_table(rows: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for scheme in dict.fromkeys(row["scheme"] for row in rows):
        own = [row for row in rows if row["scheme"] == scheme]
        lines = [
            [
                row["way"],
                *(percent(share(row[name], row["questions"])) for name in ("first", "both", "exact", "reader")),
            ]
            for row in own
        ]
        headers = ["passages by", "first fact found", "both found", "exact reader (stand-in)", "retrieval reader"]
        parts.append(f"#### Two facts, {scheme}: {own[0]['questions']} questions\n\n{tabulated(lines, headers)}\n")
    note = f"{READ} passages for each question. Shares with Wilson's {CONFIDENCE:.0%} intervals; chance is 25 %.\n"
    return "\n".join([*parts, note])


def _drift_table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        [
            row["scheme"],
            row["policy"],
            f"{row['bits_0']:,.0f}",
            f"{(row[f'bits_{STEPS}'] - row['bits_0']) / STEPS:,.0f}",
            *(f"{row[f'{name}_{step}']:.1%}" for name in ("one", "two") for step in (0, STEPS)),
        ]
        for row in rows
    ]
    headers = ["held as", "sent after the first message", "bit at first", "bit a step"]
    headers += ["one fact, at first", f"one fact, step {STEPS}", "two facts, at first", f"two facts, step {STEPS}"]
    note = f"The exact reader (stand-in) with {READ} passages; {CHANGED:.0%} of the facts change in each step."
    return f"#### Drift\n\n{tabulated(lines, headers)}\n\n{note}\n"


def _quarantine_table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        [
            row["scheme"],
            f"{row['right_0']:.1%}",
            f"{row['right_9']:.1%}",
            f"{row['found']} of {row['lies']}",
            NONE if np.isnan(row["answers"]) else f"{row['answers']:.1f}",
            percent(share(row["false_alarms"], row["honest"])),
        ]
        for row in rows
    ]
    headers = ["quarantine", "right, first tenth", "right, last tenth", "lies found", "tests of a lie until then"]
    headers += [f"honest ones in quarantine (at most {ALARMS:.0%})"]
    return f"#### Quarantine\n\n{tabulated(lines, headers)}\n"


TABLES = {"two-facts": _two_facts_table, "drift": _drift_table, "quarantine": _quarantine_table}


def picture(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Return a picture of accuracy and of bits over time."""
    steps = range(STEPS + 1)
    with drawing(9, 3.6) as figure:
        axes = figure.subplots(1, 3)
        titles = ("right answers, one fact", "right answers, two facts", "kilobit sent")
        for ax, name, title in zip(axes, ("one", "two", "bits"), titles, strict=True):
            for row in rows:
                if row["scheme"] == "vectors, int8":
                    continue
                values = [row[f"{name}_{step}"] / (1e3 if name == "bits" else 1) for step in steps]
                label = f"{row['scheme']}: {row['policy']}"
                ax.plot(steps, values, STYLES[row["policy"]], color=COLOURS[row["scheme"]], label=label)
            ax.set(title=title, xlabel="step")
            ax.grid(color=FAINT)
        axes[2].set_yscale("log")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return figure
