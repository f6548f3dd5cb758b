"""Results of GenAINet's Table 1: accuracies and bits by condition and category."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eval.experiments.knowledge_transfer import cells
from eval.experiments.knowledge_transfer.cells import Condition
from eval.experiments.knowledge_transfer.printed import OVERALL, TABLE_1
from eval.experiments.question_source import Source
from eval.stats.paired import paired_difference
from eval.stats.statistics import Interval, share
from solvers.reasoning.reader import RetrievalReader


@dataclass(frozen=True)
class Sent:
    """The knowledge sent in a condition, and all of it; bit, in the mean over blocks."""

    passages: float
    bits: float
    whole_bits: float
    ratios: dict[str, float]
    """By category, of its bits; and :data:`OVERALL`."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """Answers and knowledge by condition.

    Attributes
    ----------
    categories
        (Q,), of each question that was asked.
    right
        (Q,) bool by condition: which questions were answered right.
    chance
        The share of right answers of a guess.
    unused
        Of a student behind an endpoint, the conditions in which no answer could be used, and the first complaint.
    """

    source: Source
    categories: np.ndarray
    right: dict[Condition, np.ndarray]
    sent: dict[Condition, Sent]
    chance: float
    unused: Mapping[Condition, str] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: Any, source: Source, conditions: Sequence[Condition] = cells.CONDITIONS) -> Transfer:
        """Return the results of the rows of cells (a pandas DataFrame)."""
        questions = source.load()
        right, sent, unused = {}, {}, {}
        asked: list[int] = []
        for condition in conditions:
            rows = frame[(frame["condition"] == condition.kind) & (frame["ratio"] == condition.ratio)]
            asked = [number for text in rows["asked"] for number in json.loads(text)]
            right[condition] = np.array([correct for text in rows["right"] for correct in json.loads(text)], bool)
            sent[condition] = _sent(rows.drop_duplicates("block"))
            if "used" in rows and not rows["used"].sum():
                unused[condition] = str(rows["complaint"].iloc[0])
        categories = np.array([questions[number].category for number in asked])
        chance = float(np.mean([1 / len(questions[number].options) for number in asked]))
        return cls(source, categories, right, sent, chance, unused)

    @property
    def names(self) -> list[str]:
        """The categories: those of the paper in the order of its table, then others."""
        names = set(self.categories.tolist())
        return [name for name in TABLE_1 if name in names] + sorted(names - {*TABLE_1})

    def own(self, category: str) -> np.ndarray:
        """Return which questions are of a category, (Q,) bool."""
        return np.full(self.categories.size, True) if category == OVERALL else self.categories == category

    def accuracy(self, condition: Condition, category: str = OVERALL) -> Interval:
        """Return the share of right answers; none where no answer could be used."""
        if condition in self.unused:
            return share(0, 0)
        right = self.right[condition][self.own(category)]
        return share(int(right.sum()), right.size)

    def difference(self, first: Condition, second: Condition, category: str = OVERALL) -> Interval:
        """Return the difference of the shares of right answers, first − second, on the same questions."""
        if {first, second} & set(self.unused):
            return share(0, 0)
        own = self.own(category)
        return paired_difference(self.right[first][own].astype(float), self.right[second][own].astype(float))


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
    """The accuracy of the reader with knowledge at a ratio of its bits; 0 is none, 1 all of it."""

    ratio: float
    bits: float
    accuracy: Interval


CURVES = {
    "others": (cells.NOTHING, cells.COMPRESSED, cells.FULL),
    "answers": (cells.NOTHING, cells.LEAK_COMPRESSED, cells.LEAK),
    "asked": (cells.NOTHING, cells.LEAK_ASKED, cells.LEAK),
}
"""Kinds of conditions from no knowledge to all of it: explanations of other questions; those of the very questions too,
which is the leak, chosen by other questions; the same, chosen by the very questions, which a device has fed back."""


def points_of(transfer: Transfer, curve: str = "others") -> list[Point]:
    """Return accuracy against ratio, from no knowledge to all of it; the ratios are those asked for.

    ``curve`` is one of :data:`CURVES`.
    """
    return [
        Point(condition.ratio, transfer.sent[condition].bits, transfer.accuracy(condition))
        for condition in curve_of(curve)
    ]


def curve_of(curve: str) -> list[Condition]:
    """Return the conditions of a curve, from no knowledge to all of it."""
    return [condition for kind in CURVES[curve] for condition in cells.CONDITIONS if condition.kind == kind]


def curve_json(transfer: Transfer) -> str:
    """Return the curves as JSON: by ratio, bits, accuracy, its interval, and of how many questions."""
    content = {"questions": transfer.source.name, "reader": RetrievalReader.name}
    curves = {name: _plain(points_of(transfer, name)) for name in CURVES}
    return json.dumps({**content, **curves}, indent=1) + "\n"


def _plain(points: list[Point]) -> dict[str, Any]:
    return {
        f"{point.ratio:g}": {
            "bits": point.bits,
            "accuracy": point.accuracy.mean,
            "interval": [point.accuracy.low, point.accuracy.high],
            "n": point.accuracy.size,
        }
        for point in points
    }


def figures(transfer: Transfer) -> list[dict[str, Any]]:
    """Return the numbers as flat rows: by condition and category."""
    rows = []
    for condition in cells.CONDITIONS:
        for category in [*transfer.names, OVERALL]:
            sent, accuracy = transfer.sent[condition], transfer.accuracy(condition, category)
            rows.append(
                {
                    "questions": transfer.source.name,
                    "knowledge": condition.kind,
                    "ratio asked": condition.ratio,
                    "category": category,
                    "ratio": sent.ratios.get(category),
                    "bits": sent.bits,
                    "n": accuracy.size,
                    "accuracy": accuracy.mean,
                    "low": accuracy.low,
                    "high": accuracy.high,
                }
            )
    return rows
