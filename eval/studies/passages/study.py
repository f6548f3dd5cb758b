"""``secagent study passages``: chain, tree and graph of thoughts that choose the passages a reader answers from.

It prints the tables of ``docs/reasoning.md``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from eval.experiments.knowledge_transfer.vocabulary import vocabulary_file
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.question_source import Source, digest_of
from eval.stats.formatting import NONE, percent, points, tabulated
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, interval_in, share, spread
from eval.studies.passages.cells import EXPLANATIONS, FUNCTION, LABEL, TERMS
from eval.sweep.cells import Cell
from eval.sweep.grid import MOST_AT_ONCE, number_of
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from solvers import planning
from solvers.knowledge.corpus import vocabulary
from solvers.planning.passages import REWARDS

KNOWLEDGE = (TERMS, EXPLANATIONS)
WITHOUT_PLAN = (0, 3, 5, 10)
"""How many of the nearest passages are read without a plan; a plan begins with three."""
BASIS = "the 3 nearest"
"""What plans are compared with: where their paths begin."""


@dataclass(frozen=True)
class Passages(Experiment):
    """Planned passages on questions with the knowledge that holds their answers, and with knowledge that does not.

    Raises
    ------
    ValueError
        If a name is unknown, a number is out of range, or the vocabulary is not on this machine.
    """

    name: ClassVar[str] = "passages"

    knowledge: Sequence[str] = option(KNOWLEDGE, "what is read (default: %(default)s)", "NAME", nargs="+")
    questions: int = option(500, "with each, at most (default: %(default)s)", "Q")
    budget: int = option(8, "thoughts of a question (default: %(default)s)", "K")
    seed: int = option(0, "of questions and plans (default: %(default)s)")
    data: Path | str | None = option(None, "of the data sets; default: SECAGENT_DATA", "FOLDER")

    def __post_init__(self) -> None:
        number_of("questions", self.questions, most=MOST_AT_ONCE)
        checks.integer("budget", self.budget, 1)
        for name in self.knowledge:
            check_name("knowledge", name, KNOWLEDGE)
        if TERMS in self.knowledge:
            vocabulary_file(self.data)

    @functools.cached_property
    def source(self) -> Source:
        """The set that the questions come from."""
        return Source.of(data=self.data)

    def cells(self) -> list[Cell]:
        """Return the cells, a plan of all questions each."""
        return [cell for knowledge in self.knowledge for cell in self._cells(knowledge)]

    def _cells(self, knowledge: str) -> list[Cell]:
        shared: dict[str, Any] = {
            "knowledge": knowledge,
            "source": self.source.name,
            "path": self.source.path,
            "digest": self.source.digest,
            "questions": self.questions,
            "vocabulary": None,
        }
        if knowledge == TERMS:
            path = vocabulary_file(self.data)
            shared |= {"vocabulary": str(path), "terms": digest_of([passage.text for passage in vocabulary(path)])}
        whole = [
            Cell(f"{FUNCTION}:nearest", self.name, _named(count), seed=self.seed, options={**shared, "count": count})
            for count in WITHOUT_PLAN
        ]
        plans = {"budget": self.budget}
        return whole + [
            Cell(
                f"{FUNCTION}:planned",
                self.name,
                planner,
                seed=self.seed,
                options={**shared, **plans, "planner": planner, "reward": reward},
            )
            for reward in (*REWARDS, LABEL)
            for planner in planning.names()
        ]

    def report(self, compute: Compute) -> Report:
        """Return the table, and its rows."""
        cells = self.cells()
        found: dict[str, list[tuple[Cell, Mapping[str, Any]]]] = {}
        for cell, row in zip(cells, compute(cells).to_dict("records"), strict=True):
            found.setdefault(cell.options["knowledge"], []).append((cell, row))
        numbers = [row for knowledge, own in found.items() for row in figures(knowledge, own)]
        return Report(markdown(numbers), numbers)


def figures(knowledge: str, found: Sequence[tuple[Cell, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the numbers with some knowledge, plan by plan, beside where all plans begin."""
    right = [np.array(json.loads(row["right"]), float) for _, row in found]
    [basis] = [own for (cell, _), own in zip(found, right, strict=True) if cell.scheme == BASIS]
    return [
        {
            "knowledge": knowledge,
            "passages_by": cell.scheme,
            "reward": cell.options.get("reward", ""),
            "questions": own.size,
            "passages": row["passages"],
            **spread("accuracy", share(int(own.sum()), own.size)),
            **spread("beside_nearest", paired_difference(own, basis)),
        }
        for (cell, row), own in zip(found, right, strict=True)
    ]


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the numbers, in Markdown."""
    lines = [
        [
            row["knowledge"],
            row["passages_by"],
            row["reward"] if isinstance(row["reward"], str) and row["reward"] else NONE,
            f"{row['passages']:.1f}",
            percent(interval_in(row, "accuracy")),
            points(interval_in(row, "beside_nearest")) if row["passages_by"] != BASIS else NONE,
        ]
        for row in rows
    ]
    sizes = ", ".join(f"{row['questions']:.0f} with {row['knowledge']}" for row in rows if row["passages_by"] == BASIS)
    note = (
        f"Questions: {sizes}. Brackets are {CONFIDENCE:.0%} intervals: Wilson, bootstrap of paired differences. The "
        "label: a control that no agent can have."
    )
    headers = ["knowledge", "passages by", "reward", "passages", "right", f"beside {BASIS}"]
    return f"{tabulated(lines, headers)}\n\n{note}\n"


def _named(count: int) -> str:
    return f"the {count} nearest" if count else "none"
