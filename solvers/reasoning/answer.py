"""What an agent answers, and what a reasoner is."""

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
        The index of the option; None where the answer is none of them, which counts as wrong.
    confidence
        From 0 to 1, as the agent sees it; None where it does not say.
    explanation
        In its own words.
    fault
        Why there is no option, in a word or two to be counted; empty where there is one.
    """

    option: int | None
    confidence: float | None = None
    explanation: str = ""
    fault: str = ""


class Reasoner(Protocol):
    """Answers questions with the texts that it is given."""

    @property
    def name(self) -> str:
        """What it is, for tables; a stand-in says so."""

    def answer(self, question: Question, texts: Sequence[str], rng: np.random.Generator) -> Answer:
        """Return the answer to a question.

        Parameters
        ----------
        question
            The question; a reasoner must not read its ``answer`` or ``explanation``, but for a simulated one.
        texts
            What is known that may help, the nearest first.
        rng
            Of everything random.
        """
