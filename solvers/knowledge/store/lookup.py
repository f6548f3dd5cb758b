"""The look-up of knowledge for a question: the query text, the group that is left out, and the form of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from secagent_env.questions.question import Question
from secagent_env.support.checks import integer


class TextAndOptions(Protocol):
    """A question, or an inquiry that was sent."""

    @property
    def text(self) -> str:
        """The question."""

    @property
    def options(self) -> Sequence[str]:
        """The options; there may be none."""


def query(question: TextAndOptions) -> str:
    """Return the text by which knowledge for a question is looked up: the question and its options."""
    return " ".join([question.text, *question.options])


def group_of(question: Question) -> str:
    """Return the group whose knowledge must not help to answer a question; by default the question's key."""
    return question.group or question.key


def no_results(queries: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return indices −1 and scores −inf, (queries, k) each, for a search to fill; raise ValueError for a bad k."""
    shape = (queries, integer("k", k))
    return np.full(shape, -1), np.full(shape, -np.inf, np.float32)
