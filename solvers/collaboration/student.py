"""The student: an agent that answers with received knowledge, and feeds back open questions (GenAINet, III-C)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.checks import integer, number
from solvers.collaboration.levels import Inquiries, Inquiry, encode
from solvers.knowledge.store import wire
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.lookup import group_of, query
from solvers.knowledge.store.passages import Passage
from solvers.reasoning.answer import Answer, Reasoner


def inquiry_of(question: Question, *, passage: bool = False) -> Inquiry:
    """Return a question for a message: without its answer and explanation, with its own passage only where wanted."""
    return Inquiry(question.text, question.options, question.passage if passage else "", group_of(question))


class Student:
    """An agent with a knowledge base, which answers with the passages nearest to a question.

    Parameters
    ----------
    reasoner
        The reasoner that answers.
    encoder
        The encoder of questions, which must be the one of received vectors.
    base
        The base at the beginning; None: an empty one.
    passages
        The number of passages that are read for a question.
    threshold
        A question counts as open if its similarity to the best passage is below this, from −1 to 1.
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
        base: KnowledgeBase | None = None,
        *,
        passages: int = 3,
        threshold: float = 0.5,
        unsure: float = 0.0,
    ) -> None:
        self.passages = integer("passages", passages, 1)
        self.threshold = number("threshold", threshold, -1, 1)
        self.unsure = number("unsure", unsure, 0, 1)
        self.reasoner, self.encoder = reasoner, encoder
        self.base = KnowledgeBase.build((), encoder) if base is None else base
        self._unanswered: dict[Inquiry, None] = {}

    def receive(self, message: bytes) -> None:
        """Replace the knowledge base by one that a teacher has sent.

        The old base stays, and ValueError is raised, if the message holds none, is damaged or of another encoder.
        """
        self._take(wire.from_bytes(message, self.encoder))

    def update(self, message: bytes) -> None:
        """Apply a teacher's update to the knowledge base.

        The old base stays, and ValueError is raised, if the message holds none, is damaged or for another base.
        """
        self._take(wire.apply(self.base, message, self.encoder))

    def learn(self, passages: Iterable[Passage]) -> int:
        """Add passages with new keys, and return their number."""
        known = {passage.key for passage in self.base.passages}
        new = {passage.key: passage for passage in passages if passage.key not in known}
        if new:
            self.base = self.base.merge(KnowledgeBase.build(new.values(), self.encoder, self.base.precision))
        return len(new)

    def _take(self, base: KnowledgeBase) -> None:
        if base.vectors.shape[1] != self.encoder.dimension:
            raise ValueError(
                f"the message has vectors of {base.vectors.shape[1]} numbers, but {self.encoder.name} makes "
                f"{self.encoder.dimension}: teacher and student need the same encoder"
            )
        self.base = base

    def retrieve(self, question: Question | Inquiry) -> tuple[tuple[Passage, ...], np.ndarray]:
        """Return the passages nearest to a question, the nearest first, and their similarities.

        Passages of the question's own group are left out.
        """
        group = question.group if isinstance(question, Inquiry) else group_of(question)
        vectors = self.encoder.encode([query(question)])
        indices, scores = self.base.search(vectors, self.passages, exclude_groups=[group])
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
