"""Questions with options, of which one is right: the content of a user's task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True)
class Question:
    """A question with options, scored by the index of the option.

    Parameters
    ----------
    key
        Its name in the data set, unique there.
    text, options
        The question, and at least two options.
    answer
        The index of the right option.
    category
        Of the data set; empty where it has none.
    explanation
        Why that is the answer. It restates the answer: knowledge for other questions only.
    passage
        A text that belongs to the question and is given with it; empty where there is none.
    group
        The same for duplicates, which are never split apart.

    Raises
    ------
    ValueError
        If there is no text, an option is missing, or the answer is none of them.
    """

    key: str
    text: str
    options: tuple[str, ...]
    answer: int
    category: str = ""
    explanation: str = ""
    passage: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("it has no text")
        if len(self.options) < 2 or not all(option.strip() for option in self.options):
            raise ValueError(f"it needs at least two options, none of them empty, got {len(self.options)}")
        if not 0 <= self.answer < len(self.options):
            raise ValueError(f"its answer must be one of the {len(self.options)} options, got number {self.answer + 1}")


@dataclass(frozen=True)
class QuestionSet(Sequence[Question]):
    """The questions of a data set, in its order.

    Parameters
    ----------
    name
        Of the data set.
    questions
        The records that are questions.
    skipped
        A sentence for every record that is none, without its text.
    """

    name: str
    questions: tuple[Question, ...]
    skipped: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Question: ...

    @overload
    def __getitem__(self, index: slice) -> QuestionSet: ...

    def __getitem__(self, index: int | slice) -> Question | QuestionSet:
        if isinstance(index, slice):
            return QuestionSet(self.name, self.questions[index], self.skipped)
        return self.questions[index]

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories, in the order in which they come."""
        return tuple(dict.fromkeys(question.category for question in self.questions))
