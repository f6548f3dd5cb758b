"""How probable a model finds each option of a data set's questions, by the number of the question."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SLACK = 1e-4
"""By how much the probabilities of a question may differ from 1 in sum: they are rounded."""


@dataclass(frozen=True)
class Distributions:
    """The answers of a model to questions of a data set.

    Attributes
    ----------
    model, data_set
        The names of both.
    source
        The digest of the data set, whose questions the numbers are of.
    probabilities
        Of the options of each question, by its number in the data set, from 0.
    answers
        The right option of each question, from 0.

    Raises
    ------
    ValueError
        If probabilities are none, or a question has no right option among its own.
    """

    model: str
    data_set: str
    source: str
    probabilities: Mapping[int, tuple[float, ...]]
    answers: Mapping[int, int]

    def __post_init__(self) -> None:
        whose = f"the answers of {self.model} to {self.data_set}"
        if set(self.probabilities) != set(self.answers):
            raise ValueError(f"{whose} need probabilities and a right option for each of the same questions")
        for number, options in self.probabilities.items():
            if not all(math.isfinite(p) and p >= 0 for p in options) or abs(math.fsum(options) - 1) > SLACK:
                raise ValueError(f"{whose}: those to question {number} are no probabilities with the sum 1")
            if not 0 <= self.answers[number] < len(options):
                raise ValueError(f"{whose}: question {number} has no option {self.answers[number]}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, the questions in the order of their numbers."""
        numbers = sorted(self.probabilities)
        return {
            "model": self.model,
            "data_set": self.data_set,
            "source": self.source,
            "numbers": numbers,
            "answers": [self.answers[number] for number in numbers],
            "probabilities": [list(self.probabilities[number]) for number in numbers],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Distributions:
        """Return what :meth:`to_dict` returned; raise KeyError, TypeError or ValueError for anything else."""
        model, data_set, source = names = [data[name] for name in ("model", "data_set", "source")]
        numbers, answers = ([_whole(value) for value in data[name]] for name in ("numbers", "answers"))
        probabilities = [tuple(map(float, options)) for options in data["probabilities"]]
        if not all(isinstance(name, str) for name in names) or len(set(numbers)) < len(numbers):
            raise TypeError("names are text, and every question is there once")
        by_number = dict(zip(numbers, probabilities, strict=True))
        return cls(model, data_set, source, by_number, dict(zip(numbers, answers, strict=True)))


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r:.40} is no number of a question or an option")
    return value
