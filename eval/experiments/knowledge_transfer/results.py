"""What came out of GenAINet's Table 1: accuracies and bits by condition and category, beside the printed ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.experiments.knowledge_transfer.cells import (
    COMPRESSED,
    CONDITIONS,
    FULL,
    LEAK,
    LEAK_ASKED,
    LEAK_COMPRESSED,
    NOTHING,
    PRINTED_RATIO,
    Condition,
    Source,
)
from eval.stats.paired import paired_difference
from eval.stats.statistics import Interval, share
from solvers.reasoning.reader import RetrievalReader

OVERALL = "Overall"
WITHOUT, ALL, CHOSEN = Condition(NOTHING, 0.0), Condition(FULL), Condition(COMPRESSED, PRINTED_RATIO)
WITH_ANSWERS, ANSWERS_CHOSEN = Condition(LEAK), Condition(LEAK_COMPRESSED, PRINTED_RATIO)
ASKED_CHOSEN = Condition(LEAK_ASKED, PRINTED_RATIO)


@dataclass(frozen=True)
class Printed:
    """A row of the paper's table: accuracies with full, compressed and no knowledge, and the ratio of the bits.

    ``questions`` is not printed: it is the one number that the accuracies are fractions of.
    """

    full: float
    compressed: float
    none: float
    ratio: float
    questions: int

    @property
    def accuracies(self) -> tuple[float, float, float]:
        """Full, compressed, none."""
        return self.full, self.compressed, self.none


PRINTED = {
    "Lexicon": Printed(0.9200, 0.9600, 0.8800, 0.4803, 25),
    "Research overview": Printed(0.8846, 0.8365, 0.7212, 0.4484, 104),
    "Research publications": Printed(0.9116, 0.8325, 0.7163, 0.4005, 215),
    "Standards overview": Printed(0.9677, 0.9194, 0.7742, 0.4765, 62),
    "Standards specifications": Printed(0.8191, 0.7766, 0.5319, 0.5235, 94),
    OVERALL: Printed(0.8960, 0.8400, 0.6920, PRINTED_RATIO, 500),
}


@dataclass(frozen=True)
class Sent:
    """What a student was sent in a condition, and that of which it is a part; bit, in the mean over blocks."""

    passages: float
    bits: float
    whole_bits: float
    ratios: dict[str, float]
    """By category, of its bits; and :data:`OVERALL`."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """What came out.

    Attributes
    ----------
    source
        Of the questions.
    categories
        (Q,), of each question that was asked.
    right
        (Q,) bool by condition: what was answered right.
    sent
        By condition.
    chance
        How often a guess is right.
    """

    source: Source
    categories: np.ndarray
    right: dict[Condition, np.ndarray]
    sent: dict[Condition, Sent]
    chance: float

    @property
    def names(self) -> list[str]:
        """The categories: in the order of the paper's table, if they are its own."""
        found = list(dict.fromkeys(self.categories.tolist()))
        return [name for name in PRINTED if name in found] + sorted(name for name in found if name not in PRINTED)

    def own(self, category: str) -> np.ndarray:
        """Return which questions are of a category, (Q,) bool."""
        return np.full(self.categories.size, True) if category == OVERALL else self.categories == category

    def accuracy(self, condition: Condition, category: str = OVERALL) -> Interval:
        """Return how often the answer was right."""
        right = self.right[condition][self.own(category)]
        return share(int(right.sum()), right.size)

    def difference(self, first: Condition, second: Condition, category: str = OVERALL) -> Interval:
        """Return how much more often the first is right than the second, on the same questions."""
        own = self.own(category)
        return paired_difference(self.right[first][own].astype(float), self.right[second][own].astype(float))


def transfer(frame: Any, source: Source, conditions: Sequence[Condition] = CONDITIONS) -> Transfer:
    """Return what the rows of the cells (a pandas DataFrame) say."""
    questions = source.load()
    right, sent = {}, {}
    asked: list[int] = []
    for condition in conditions:
        rows = frame[(frame["condition"] == condition.kind) & (frame["ratio"] == condition.ratio)]
        asked = [number for text in rows["asked"] for number in json.loads(text)]
        right[condition] = np.array([correct for text in rows["right"] for correct in json.loads(text)], bool)
        sent[condition] = _sent(rows.drop_duplicates("block"))
    categories = np.array([questions[number].category for number in asked])
    chance = float(np.mean([1 / len(questions[number].options) for number in asked]))
    return Transfer(source, categories, right, sent, chance)


def _sent(blocks: Any) -> Sent:
    parts, wholes = (
        [json.loads(text) for text in blocks[name]] for name in ("bits_by_category", "whole_bits_by_category")
    )
    bits, whole_bits = float(blocks["bits"].mean()), float(blocks["whole_bits"].mean())
    ratios = {
        name: sum(part.get(name, 0) for part in parts) / sum(whole.get(name, 0) for whole in wholes)
        for name in wholes[0]
    }
    passages = float(blocks["passages"].mean())
    return Sent(passages, bits if passages else 0.0, whole_bits, {**ratios, OVERALL: bits / whole_bits})


@dataclass(frozen=True)
class Point:
    """How accurate the reader is with knowledge at a ratio of its bits; 0 is none, 1 all of it."""

    ratio: float
    bits: float
    accuracy: Interval


CURVES = {
    "others": (NOTHING, COMPRESSED, FULL),
    "answers": (NOTHING, LEAK_COMPRESSED, LEAK),
    "asked": (NOTHING, LEAK_ASKED, LEAK),
}
"""Kinds of conditions from no knowledge to all of it: explanations of other questions; those of the very questions too,
which is the leak, chosen by other questions; the same, chosen by the very questions, which a device has fed back."""


def points_of(found: Transfer, curve: str = "others") -> list[Point]:
    """Return accuracy against ratio, from no knowledge to all of it; the ratios are those asked for.

    ``curve`` is one of :data:`CURVES`.
    """
    return [
        Point(condition.ratio, found.sent[condition].bits, found.accuracy(condition)) for condition in curve_of(curve)
    ]


def curve_of(curve: str) -> list[Condition]:
    """Return the conditions of a curve, from no knowledge to all of it."""
    return [condition for kind in CURVES[curve] for condition in CONDITIONS if condition.kind == kind]


def curve_json(found: Transfer) -> str:
    """Return the curves as JSON: by ratio, bits, accuracy, its interval, and of how many questions."""
    told = {"questions": found.source.name, "reader": RetrievalReader.name}
    curves = {name: points_of(found, name) for name in CURVES}
    return json.dumps({**told, **{name: _told(points) for name, points in curves.items()}}, indent=1) + "\n"


def _told(points: list[Point]) -> dict[str, Any]:
    return {
        f"{point.ratio:g}": {
            "bits": point.bits,
            "accuracy": point.accuracy.mean,
            "interval": [point.accuracy.low, point.accuracy.high],
            "n": point.accuracy.size,
        }
        for point in points
    }


def figures(found: Transfer) -> list[dict[str, Any]]:
    """Return the numbers as flat rows: by condition and category."""
    rows = []
    for condition in CONDITIONS:
        for category in [*found.names, OVERALL]:
            sent, got = found.sent[condition], found.accuracy(condition, category)
            rows.append(
                {
                    "questions": found.source.name,
                    "knowledge": condition.kind,
                    "ratio asked": condition.ratio,
                    "category": category,
                    "ratio": sent.ratios.get(category),
                    "bits": sent.bits,
                    "n": got.size,
                    "accuracy": got.mean,
                    "low": got.low,
                    "high": got.high,
                }
            )
    return rows
