"""GenAINet's Table 1 with real language models as students, from the scores of their answers."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from eval.experiments.knowledge_transfer.cells import ALL, CHOSEN, PRINTED_RATIO, WITH_ANSWERS, WITHOUT, Condition
from eval.experiments.knowledge_transfer.cells_endpoints import CONDITIONS
from eval.experiments.knowledge_transfer.printed import OVERALL, TABLE_1
from eval.experiments.knowledge_transfer.vocabulary import (
    BY_RULES,
    BY_WRITER,
    OF_STUDENTS,
    OF_WRITERS,
    PREFIX,
    SWAPPED,
    WRITER,
)
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.experiments.recorded import SCORES, find
from eval.stats.formatting import NONE, percent, points, tabulated
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, Interval, share, spread
from secagent_env.support.checks import integer, number
from solvers.answer_scores.files import Scored, ScoreFile, read_scores, recording

PAIRS = ((ALL, WITHOUT), (CHOSEN, WITHOUT), (CHOSEN, ALL), (WITH_ANSWERS, ALL))
PAIRS_OF_TERMS = (
    *((ALL, WITHOUT), (CHOSEN, WITHOUT), (CHOSEN, ALL), (SWAPPED, WITHOUT), (ALL, SWAPPED)),
    *((BY_WRITER, WITHOUT), (BY_WRITER, ALL), (BY_WRITER, CHOSEN), (BY_WRITER, BY_RULES)),
)
"""Conditions that are compared, on the same questions."""


@dataclass(frozen=True, eq=False)
class Student:
    """What a student answers: the Q questions (their keys and categories), and which were right in each condition.

    ``writer`` says what the one that shortened texts made of them, if there was one.
    """

    name: str
    categories: np.ndarray
    right: dict[Condition, np.ndarray]
    chance: float
    writer: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, file: ScoreFile, conditions: Sequence[Condition] = CONDITIONS, prefix: str = "") -> Student:
        """Return what a model answers, its likeliest letter, to the questions that were asked in all conditions.

        ``prefix`` is what the names of the sets begin with. Raises ValueError if there are no such questions.
        """
        asked = {each: {scored.key: scored for scored in file.of(prefix + each.label)} for each in conditions}
        common = [key for key in asked[WITHOUT] if all(key in own for own in asked.values())]
        if not common:
            names = ", ".join(prefix + each.label for each in conditions)
            raise ValueError(f"of {file.model}, no question is scored in all conditions: {names}")
        right = {condition: np.array([_right(own[key]) for key in common], float) for condition, own in asked.items()}
        first = [asked[WITHOUT][key] for key in common]
        categories = np.array([each.category for each in first])
        chance = float(np.mean([1 / each.num_options for each in first]))
        return cls(file.model, categories, right, chance, _writer_of(file))

    def accuracy(self, condition: Condition, category: str = OVERALL) -> Interval:
        """Return the share of right answers in a category."""
        own = self.right[condition][self.categories == category] if category != OVERALL else self.right[condition]
        return share(int(own.sum()), own.size)


@dataclass(frozen=True)
class ModelStudents(Experiment):
    """Table 1 with models as students: `secagent answer-distributions --student` measures them."""

    name: ClassVar[str] = "genainet-table1-models"

    students: Sequence[Path] = option((), "of `secagent answer-distributions --student`", "FILE")

    @functools.cached_property
    def files(self) -> list[ScoreFile]:
        """The scores of each student."""
        if not self.students:
            raise ValueError(
                "no scores are named: measure a model with `secagent answer-distributions MODEL --student` and name "
                "the files with --students, or take the recorded ones with --replay"
            )
        return [file for path in self.students for file in read_scores(path)]

    def replayed(self, place: Path | None) -> ModelStudents:
        """Return the experiment with the recorded scores."""
        return replace(self, students=(find(self.name, place, SCORES),))

    def report(self, compute: Compute) -> Report:
        """Return the table with its numbers; nothing is left to compute."""
        on_terms = [file for file in self.files if any(each.data_set.startswith(PREFIX) for each in file.questions)]
        students = [Student.of(file) for file in self.files if file not in on_terms]
        of_terms = [
            Student.of(file, (*OF_STUDENTS, *(OF_WRITERS if WRITER in file.about else ())), PREFIX) for file in on_terms
        ]
        rows = [row for student in students for row in figures(student)]
        rows += [row for student in of_terms for row in figures(student, PREFIX)]
        text = "\n".join(
            [*([markdown(students)] if students else []), *([terms_markdown(of_terms)] if of_terms else [])]
        )
        return Report(text, rows, files={f"{self.name}{SCORES}": recording(self.files)})


def figures(student: Student, prefix: str = "") -> list[dict[str, Any]]:
    """Return the numbers of a student, by condition and category; ``prefix`` comes before the condition."""
    return [
        {
            "student": student.name,
            "knowledge": prefix + condition.label,
            "category": category,
            **spread("accuracy", interval := student.accuracy(condition, category)),
            "n": interval.size,
        }
        for condition in student.right
        for category in (*_categories(student), OVERALL)
    ]


def markdown(students: Sequence[Student]) -> str:
    """Return the tables."""
    parts = ["## GenAINet, Table 1 with real models", _setting(students[0])]
    parts += [_table(students), "### What knowledge is worth", _differences(students, PAIRS)]
    return "\n\n".join(parts) + "\n"


def terms_markdown(students: Sequence[Student]) -> str:
    """Return the tables of students that read a vocabulary."""
    setting = (
        f"{students[0].categories.size} questions on terms, a guess is right on {students[0].chance:.1%}. The student "
        "reads what is nearest to a question of the vocabulary, of all of it, of what is compressed to "
        f"{PRINTED_RATIO:.2%} of its bits by other questions, or none; and, as a placebo, what was found for another."
    )
    lines = [
        [
            condition.label,
            *(percent(each.accuracy(condition)) if condition in each.right else NONE for each in students),
        ]
        for condition in (ALL, CHOSEN, *OF_WRITERS, WITHOUT, SWAPPED)
        if any(condition in each.right for each in students)
    ]
    table = tabulated(lines, ["vocabulary", *(student.name for student in students)])
    writers = {
        f"{own['model']} shortened {own['shorter']} of {own['texts']} texts, to {own['letters']:.1%} of all letters."
        for own in (student.writer for student in students)
        if own
    }
    parts = [
        "## The vocabulary of a standard, with real models",
        " ".join([setting, *sorted(writers)]),
        table,
        _differences(students, PAIRS_OF_TERMS),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(first: Student) -> str:
    return (
        f"{first.categories.size} questions, a guess is right on {first.chance:.1%}. A student reads the passages "
        "nearest to a question, of all knowledge, of what is compressed to "
        f"{PRINTED_RATIO:.2%} of its bits, or none, and answers with its likeliest letter: one pass per question and "
        f"condition. Brackets are {CONFIDENCE:.0%} intervals over questions (Wilson; bootstrap of paired differences)."
    )


def _table(students: Sequence[Student]) -> str:
    printed = {WITHOUT: "none", CHOSEN: "compressed", ALL: "full"}
    lines = []
    for category in (*_categories(students[0]), OVERALL):
        for condition in (ALL, CHOSEN, WITHOUT, WITH_ANSWERS):
            number = getattr(TABLE_1.get(category), printed.get(condition, ""), None)
            cells = [percent(student.accuracy(condition, category)) for student in students]
            lines.append([category, condition.label, *cells, NONE if number is None else f"{number:.1%}"])
    headers = ["category", "knowledge", *(student.name for student in students), "printed"]
    note = f"{WITH_ANSWERS.label}: the explanations of the very questions are among the knowledge."
    return f"{tabulated(lines, headers)}\n\n{note}"


def _differences(students: Sequence[Student], pairs: Sequence[tuple[Condition, Condition]]) -> str:
    lines = [
        [
            f"{first.label} less {second.label}",
            *(
                points(paired_difference(each.right[first], each.right[second]))
                if {first, second} <= set(each.right)
                else NONE
                for each in students
            ),
        ]
        for first, second in pairs
        if any({first, second} <= set(each.right) for each in students)
    ]
    return tabulated(lines, ["difference", *(student.name for student in students)])


def _categories(student: Student) -> list[str]:
    found = set(student.categories.tolist())
    return [name for name in TABLE_1 if name in found] + sorted(found - {*TABLE_1})


def _writer_of(file: ScoreFile) -> Mapping[str, Any]:
    """Return what a file says of the writer that shortened its texts; raise ValueError if that cannot be."""
    told = file.about.get(WRITER, {})
    if told:
        try:
            texts = integer("texts", told["texts"], 1)
            integer("shorter", told["shorter"], 0, texts)
            number("letters", told["letters"], 0, 1)
            if not isinstance(told["model"], str):
                raise ValueError("model must be a text")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the scores of {file.model} tell of a writer that cannot be: {error}") from None
    return told


def _right(scored: Scored) -> bool:
    return int(np.argmax(scored.scores.letter)) == scored.answer
