"""The student: an agent that answers with received knowledge, and feeds back open questions (GenAINet, III-C)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.checks import integer, number
from solvers.collaboration.levels import Inquiries, Inquiry, encode
from solvers.knowledge.representation import Representation, Vectors
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.lookup import group_of, query
from solvers.knowledge.store.passages import Passage
from solvers.reasoning.answer import Answer, Reasoner


def inquiry_of(question: Question, *, passage: bool = False) -> Inquiry:
    """Return a question for a message: without its answer and explanation, with its own passage only where wanted."""
    return Inquiry(question.text, question.options, question.passage if passage else "", group_of(question))


class Student:
    """An agent with knowledge, which answers with the passages that suit a question best.

    Parameters
    ----------
    reasoner
        The reasoner that answers.
    encoder
        The encoder of questions, which must be the one of received vectors.
    base
        The knowledge at the beginning, a base of vectors or what the representation holds; None: nothing.
    representation
        Vectors, a graph or a topology, of :mod:`solvers.knowledge.representation`; None: vectors of the encoder.
    passages
        The number of passages that are read for a question.
    threshold
        A question counts as open if the score of the best passage is below this, from −1 to 1: its similarity, or its
        share of a walk's visits. None: ``near`` of the representation.
    unsure
        It counts as open too if its answer has a confidence below this, from 0 to 1, or names no option.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    def __init__(
        self,
        reasoner: Reasoner,
        encoder: Encoder,
        base: Any = None,
        *,
        representation: Representation | None = None,
        passages: int = 3,
        threshold: float | None = None,
        unsure: float = 0.0,
    ) -> None:
        self.passages = integer("passages", passages, 1)
        self.representation = Vectors(encoder) if representation is None else representation
        self.threshold = number("threshold", self.representation.near if threshold is None else threshold, -1, 1)
        self.unsure = number("unsure", unsure, 0, 1)
        self.reasoner, self.encoder = reasoner, encoder
        self.base = self.representation.build(()) if base is None else base
        self._unanswered: dict[Inquiry, None] = {}

    def receive(self, message: bytes) -> None:
        """Replace the knowledge by what a teacher has sent.

        What was known stays, and ValueError is raised, if the message holds none, is damaged or of another encoder.
        """
        self.base = self.representation.decode(message)

    def update(self, message: bytes) -> None:
        """Apply a teacher's update to the knowledge.

        What was known stays, and ValueError is raised, if the message holds none, is damaged or for another base.
        """
        self.base = self.representation.apply(self.base, message)

    def learn(self, passages: Iterable[Passage]) -> int:
        """Add passages with new keys, and return their number."""
        known = {passage.key for passage in self.base.passages}
        new = {passage.key: passage for passage in passages if passage.key not in known}
        if new:
            self.base = self.representation.grow(self.base, new.values())
        return len(new)

    def retrieve(self, question: Question | Inquiry) -> tuple[tuple[Passage, ...], np.ndarray]:
        """Return the passages that suit a question best, the best first, and their scores.

        Passages of the question's own group are left out.
        """
        group = question.group if isinstance(question, Inquiry) else group_of(question)
        texts = [query(question)]
        indices, scores = self.representation.search(self.base, texts, self.passages, exclude_groups=[group])
        valid = indices[0] >= 0
        return tuple(self.base.passages[index] for index in indices[0][valid]), scores[0][valid]

    def answer(self, question: Question, rng: np.random.Generator, *, note: bool = True) -> Answer:
        """Answer a question with the knowledge base; ``note`` it for the feedback if it stays open."""
        passages, scores = self.retrieve(question)
        answer = self.reasoner.answer(question, [passage.text for passage in passages], rng)
        if note and not self.answered(answer, scores):
            self._unanswered[inquiry_of(question)] = None
        return answer

    def answered(self, answer: Answer, scores: np.ndarray) -> bool:
        """Return whether a question counts as answered: by an option, with confidence, and from near passages."""
        sure = answer.confidence is None or answer.confidence >= self.unsure
        return answer.option is not None and sure and scores.max(initial=-1.0) >= self.threshold

    @property
    def unanswered(self) -> tuple[Inquiry, ...]:
        """The open questions since the last feedback."""
        return tuple(self._unanswered)

    def feedback(self) -> bytes:
        """Return the open questions as a message to the teacher, and forget them."""
        message = encode(Inquiries(self.unanswered))
        self._unanswered.clear()
        return message


def warm(encoder: Encoder, questions: Sequence[Question]) -> None:
    """Encode the queries of many questions at once, for encoders that remember vectors."""
    encoder.encode([query(question) for question in questions])
