"""An agent's answer, and the interface of reasoners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from secagent_env.questions.question import Question


@dataclass(frozen=True)
class Answer:
    """An agent's answer to a question.

    Attributes
    ----------
    option
        The index of the option; None where the answer names no option, which counts as wrong.
    confidence
        The agent's confidence, from 0 to 1; None where it gives none.
    explanation
        The agent's explanation.
    fault
        The reason why there is no option, in a word or two to be counted; empty where there is one.
    """

    option: int | None
    confidence: float | None = None
    explanation: str = ""
    fault: str = ""


class Reasoner(Protocol):
    """Answers questions with the texts that it is given."""

    @property
    def name(self) -> str:
        """The reasoner's name in tables; a stand-in's name says that it is one."""

    def answer(self, question: Question, texts: Sequence[str], rng: np.random.Generator) -> Answer:
        """Return the answer to a question.

        Parameters
        ----------
        question
            The question; only a simulated reasoner may read its ``answer`` or ``explanation``.
        texts
            Texts that may help, the nearest first.
        rng
            The generator of all random numbers.
        """
