"""Distributions over the options, read out of scores: the rule and its temperature are fitted on other questions.

A *rule* makes a number of each option of what was measured; the distribution is the softmax of these numbers over a
temperature, the one at which the right answers to the calibration questions are the most likely. Of all rules the one
is taken whose drawn answers are then right most often on these questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from solvers.answer_scores.files import Scored
from solvers.answer_scores.scores import Scores

UNBIASED = "letter, unbiased"
RULES: dict[str, Callable[[Scores], np.ndarray]] = {
    "letter": lambda scores: np.array(scores.letter),
    UNBIASED: lambda scores: np.array(scores.letter),
    "text": lambda scores: np.array(scores.text),
    "text per byte": lambda scores: np.array(scores.text) / np.array(scores.length or 1),
    "text over prior": lambda scores: np.array(scores.text) - np.array(scores.prior),
}
"""By name: the numbers (m,) of the options; empty where they were not measured.

The unbiased letter is less likely by as much as it is on average over the calibration questions: small models prefer
a letter whatever the question (Zhao et al., 2021). The last two are those of evaluation harnesses: the likelihood of
the text per byte, and beside its likelihood without the question (Holtzman et al., 2021).
"""

BY_TEXT = ("text", "text per byte", "text over prior")
"""The rules that need the texts' scores."""

LEAST_SEEN = 10
"""A letter that fewer calibration questions have is taken as it is."""

TEMPERATURES = (1e-3, 1e3)
"""The range of temperatures."""


@dataclass(frozen=True)
class Readout:
    """A rule with its temperature.

    Attributes
    ----------
    rule
        One of :data:`RULES`.
    temperature
        T of the softmax.
    offsets
        Of the letters, which are taken off; empty for other rules.
    drawn, best
        How often a drawn answer, and the most likely one, is right on the calibration questions.
    """

    rule: str
    temperature: float
    offsets: tuple[float, ...] = ()
    drawn: float = float("nan")
    best: float = float("nan")

    def distribution(self, scores: Scores) -> np.ndarray:
        """Return the probabilities (m,) of a question's options.

        Raises ValueError if what the rule needs was not measured.
        """
        numbers = RULES[self.rule](scores)
        if not numbers.size:
            raise ValueError(
                f"scores by {self.rule}, the best readout on the calibration questions, were not measured of the "
                "others: measure them into the same file with --text needed"
            )
        if self.offsets:  # a letter that no calibration question has is taken as it is
            known = np.array(self.offsets)[: numbers.size]
            numbers = numbers - np.pad(known, (0, numbers.size - known.size))
        return np.asarray(softmax(numbers / self.temperature))


def readouts(calibration: Sequence[Scored]) -> dict[str, Readout]:
    """Return every rule that can be read out of the scores of calibration questions, fitted to these.

    Raises ValueError if there are no questions.
    """
    if not calibration:
        raise ValueError("there are no calibration questions")
    fitted = {}
    for rule, numbers_of in RULES.items():
        numbers = [numbers_of(each.scores) for each in calibration]
        if not all(each.size for each in numbers):
            continue
        offsets = _offsets(numbers) if rule == UNBIASED else ()
        if offsets:
            numbers = [each - np.array(offsets)[: each.size] for each in numbers]
        fitted[rule] = _fitted(rule, numbers, [each.answer for each in calibration], offsets)
    return fitted


def best(fitted: Mapping[str, Readout]) -> Readout:
    """Return the readout whose drawn answers are right most often; the first of equal ones."""
    return max(fitted.values(), key=lambda readout: readout.drawn)


def _fitted(rule: str, numbers: Sequence[np.ndarray], answers: Sequence[int], offsets: tuple[float, ...]) -> Readout:
    def loss(log_temperature: float) -> float:
        scaled = [each / np.exp(log_temperature) for each in numbers]
        return -sum(each[answer] - logsumexp(each) for each, answer in zip(scaled, answers, strict=True))

    low, high = np.log(TEMPERATURES)
    temperature = float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))
    right = [softmax(each / temperature)[answer] for each, answer in zip(numbers, answers, strict=True)]
    most = [each.argmax() == answer for each, answer in zip(numbers, answers, strict=True)]
    return Readout(rule, temperature, offsets, float(np.mean(right)), float(np.mean(most)))


def _offsets(numbers: Sequence[np.ndarray]) -> tuple[float, ...]:
    """Return how much likelier than the others of its question each letter is, on average."""
    most = max(each.size for each in numbers)
    seen = [[each[letter] - each.mean() for each in numbers if each.size > letter] for letter in range(most)]
    return tuple(float(np.mean(each)) if len(each) >= LEAST_SEEN else 0.0 for each in seen)
