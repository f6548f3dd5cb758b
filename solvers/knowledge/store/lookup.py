"""How knowledge for a question is looked up: by which text, and without whose knowledge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from secagent_env.questions.question import Question


class Asked(Protocol):
    """Whatever has a text and options: a question, or an inquiry that was sent."""

    @property
    def text(self) -> str:
        """The question."""

    @property
    def options(self) -> Sequence[str]:
        """Its options; there may be none."""


def query(asked: Asked) -> str:
    """Return the text by which knowledge for a question is looked up: the question and its options."""
    return " ".join([asked.text, *asked.options])


def group_of(question: Question) -> str:
    """Return the group whose knowledge must not help to answer a question; a question without one is its own."""
    return question.group or question.key
