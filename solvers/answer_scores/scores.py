"""The scores of a question's options: log-likelihoods that a model gives them, without any text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from secagent_env.questions import Question

DECIMALS = 4
"""Of the log-likelihoods that are kept."""

LOG_LIKELIHOODS = ("letter", "text", "prior")


@dataclass(frozen=True)
class Scores:
    """The scores of the m options of a question; what was not measured is empty.

    Attributes
    ----------
    letter
        (m,), ln p of the option's letter as the first token of the reply, where a chat lists the options.
    text
        (m,), ln p of the option's text after the question alone.
    prior
        (m,), ln p of the option's text without the question.
    length
        (m,), the bytes of the option's text.
    """

    letter: tuple[float, ...] = ()
    text: tuple[float, ...] = ()
    prior: tuple[float, ...] = ()
    length: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, list[float]]:
        """Return what was measured, rounded, as plain data."""
        return {name: [round(value, DECIMALS) for value in values] for name, values in vars(self).items() if values}

    @classmethod
    def of(cls, content: Mapping[str, Any], num_options: int) -> Scores:
        """Return the scores that :meth:`to_dict` wrote of a question; raise ValueError if they are none."""
        values: dict[str, tuple[Any, ...]] = {}
        for name in (*LOG_LIKELIHOODS, "length"):
            value = content.get(name, [])
            if not isinstance(value, list) or len(value) not in (0, num_options):
                raise ValueError(f"{name} must be a list of {num_options} numbers")
            if not all(type(each) in (int, float) and math.isfinite(each) for each in value):
                raise ValueError(f"{name} must hold finite numbers")
            values[name] = tuple(value)
        if any(each > 0 for name in LOG_LIKELIHOODS for each in values[name]):
            raise ValueError("a log-likelihood must not be above 0")
        if any(each < 1 for each in values["length"]):
            raise ValueError("a length must be at least 1")
        scores = cls(**values)
        if not scores.letter and not scores.text:
            raise ValueError("it has neither scores of letters nor of texts")
        if scores.text and not (scores.prior and scores.length):
            raise ValueError("scores of texts need prior and length")
        return scores


class Scorer(Protocol):
    """Scores the options of questions by a model."""

    @property
    def about(self) -> Mapping[str, Any]:
        """What the model is, as plain data: its name, and what else tells it from others."""

    def score(self, question: Question, text: bool = True, letter: Sequence[float] = ()) -> Scores:
        """Return the scores of a question's options; those of their text only with ``text``.

        Those by ``letter``, where they are known, are not asked for again.
        """
