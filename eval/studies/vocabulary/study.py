"""``secagent study vocabulary``: GenAINet's case A with texts that hold the answers, and were written for no question.

It prints the tables of ``docs/knowledge-transfer.md``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from eval.experiments.knowledge_transfer.cells import Condition
from eval.experiments.knowledge_transfer.printed import TABLE_1
from eval.experiments.knowledge_transfer.vocabulary import (
    ALL,
    ASKED,
    CATEGORY,
    CHOSEN,
    COMPRESSED,
    CONDITIONS,
    PLACEBO,
    RANDOM,
    SHORTENED,
    WITHOUT,
    vocabulary_file,
)
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.question_source import Source, digest_of
from eval.stats.formatting import NONE, percent, points, tabulated
from eval.stats.paired import paired_difference
from eval.stats.pictures import ends, written_figure
from eval.stats.statistics import CONFIDENCE, interval_in, share, spread
from eval.studies.vocabulary.cells import FUNCTION
from eval.sweep.cells import Cell
from eval.sweep.grid import MOST_AT_ONCE, number_of
from secagent_env.rendering.style import BLUE, DIM, GREEN, INK
from secagent_env.support.errors import check_name
from solvers.knowledge.corpus import vocabulary
from solvers.reasoning.reader import RetrievalReader

Right = Mapping[Condition, np.ndarray]
"""Which questions of a category are answered right in a condition, (Q,)."""


@dataclass(frozen=True)
class Vocabulary(Experiment):
    """What a vocabulary is worth to the offline reader, whole, compressed, and at random.

    Raises
    ------
    ValueError
        If a number is out of range, a category is unknown, or the vocabulary is not on this machine.
    """

    name: ClassVar[str] = "vocabulary"

    questions: int = option(500, "of each category, at most (default: %(default)s)", "Q")
    categories: Sequence[str] = option(tuple(TABLE_1)[:-1], "of questions (default: all of TeleQnA)", "NAME", nargs="+")
    seed: int = option(0, "of the questions that are drawn (default: %(default)s)")
    data: Path | str | None = option(None, "of the data sets; default: SECAGENT_DATA", "FOLDER")

    def __post_init__(self) -> None:
        number_of("questions", self.questions, most=MOST_AT_ONCE)
        for category in self.categories:
            check_name("category", category, {question.category for question in self.source.load()})
        vocabulary_file(self.data)

    @functools.cached_property
    def source(self) -> Source:
        """The set that the questions come from."""
        return Source.of(data=self.data)

    def cells(self) -> list[Cell]:
        """Return the cells, a category each."""
        path = vocabulary_file(self.data)
        options = {
            "source": self.source.name,
            "path": self.source.path,
            "digest": self.source.digest,
            "vocabulary": str(path),
            "terms": digest_of([passage.text for passage in vocabulary(path)]),
            "count": self.questions,
        }
        return [
            Cell(FUNCTION, self.name, RetrievalReader.name, seed=self.seed, options={**options, "category": category})
            for category in self.categories
        ]

    def report(self, compute: Compute) -> Report:
        """Return the tables, their rows, and a picture of what is left of the knowledge when it is compressed."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        cells = self.cells()
        rows = iter(compute(cells).to_dict("records"))
        for cell in cells:
            found[cell.options["category"]] = [next(rows) for _ in CONDITIONS]
        numbers = [row for category, own in found.items() for row in figures(category, own)]
        return Report(markdown(numbers), numbers, functools.partial(save_picture, numbers))


def figures(category: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the numbers of a category: accuracies by condition, and differences to none and all of the terms."""
    right: Right = {
        Condition(row["condition"], row["ratio"]): np.array(json.loads(row["right"]), float) for row in rows
    }
    return [
        {
            "category": category,
            "knowledge": condition.kind,
            "ratio": condition.ratio,
            "questions": own.size,
            "passages": row["passages"],
            "kilobytes": row["bits"] / 8000,
            "bits_share": row["bits"] / row["whole_bits"],
            **spread("accuracy", share(int(own.sum()), own.size)),
            **spread("beside_none", paired_difference(own, right[WITHOUT])),
            **spread("beside_full", paired_difference(own, right[ALL])),
        }
        for row, (condition, own) in zip(rows, right.items(), strict=True)
    ]


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables of the numbers, in Markdown."""
    categories, first = list(dict.fromkeys(row["category"] for row in rows)), _main_category(rows)
    lines = [
        [
            Condition(row["knowledge"], row["ratio"]).label,
            f"{row['passages']:.0f}",
            f"{row['kilobytes']:.1f} kB",
            percent(interval_in(row, "accuracy")),
            points(interval_in(row, "beside_none")) if row["knowledge"] != WITHOUT.kind else NONE,
            points(interval_in(row, "beside_full")) if row["knowledge"] != ALL.kind else NONE,
        ]
        for row in rows
        if row["category"] == first
    ]
    parts = [tabulated(lines, [f"{first}: knowledge", "passages", "sent", "right", "beside none", "beside full"])]
    lines = []
    for category in categories:
        own = {Condition(row["knowledge"], row["ratio"]): row for row in rows if row["category"] == category}
        printed = TABLE_1.get(category)
        lines.append(
            [
                category,
                f"{own[ALL]['questions']:.0f}",
                *(percent(interval_in(own[each], "accuracy")) for each in (ALL, CHOSEN, WITHOUT)),
                points(interval_in(own[ALL], "beside_none")),
                points(interval_in(own[CHOSEN], "beside_full")),
                f"{100 * (printed.full - printed.none):+.1f}, {100 * (printed.compressed - printed.full):+.1f}"
                if printed
                else NONE,
            ]
        )
    headers = ["category", "questions", "full", CHOSEN.label, "none", "full − none", "compressed − full", "printed"]
    parts.append(tabulated(lines, headers))
    return (
        "\n\n".join(parts) + f"\n\nBrackets are {CONFIDENCE:.0%} intervals: Wilson, bootstrap of paired differences.\n"
    )


def save_picture(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw accuracy against the share of the bits, and write ``path`` with the suffixes .png and .pdf."""
    own = [row for row in rows if row["category"] == _main_category(rows)]
    by_condition = {Condition(row["knowledge"], row["ratio"]): row for row in own}
    note = f"{own[0]['category']}, {own[0]['questions']} questions, {CONFIDENCE:.0%} intervals"
    with written_figure(path, 6.4, 4.2, note, grid="y") as figure:
        from matplotlib.ticker import PercentFormatter

        ax = figure.subplots()
        for kind, colour, style, label in (
            (COMPRESSED, BLUE, "o-", "chosen by other questions"),
            (ASKED, GREEN, "D-", "chosen by the questions asked"),
        ):
            curve = [WITHOUT, *(each for each in by_condition if each.kind == kind), ALL]
            x = [by_condition[each]["bits_share"] for each in curve]
            mean, low, high = ends(interval_in(by_condition[each], "accuracy") for each in curve)
            ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
            ax.plot(x, mean, style, color=colour, ms=4, label=label)
        for kind, colour, mark in ((RANDOM, DIM, "x"), (SHORTENED, INK, "^"), (PLACEBO, DIM, "s")):
            for each, row in by_condition.items():
                if each.kind == kind:
                    ax.plot(row["bits_share"], row["accuracy"], mark, color=colour, ms=6, ls="", label=each.label)
        ax.set(xlabel="share of the bits sent", ylabel="right answers", xlim=(-0.03, 1.03))
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.legend(frameon=False, fontsize=8)


def _main_category(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the category that is shown in full: that of terms, or else the first."""
    return next((CATEGORY for row in rows if row["category"] == CATEGORY), str(rows[0]["category"]))
