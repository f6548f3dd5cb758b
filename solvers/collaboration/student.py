"""The student: an agent that answers by what it was sent, and says what it could not answer (GenAINet, III-C)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from secagent_env.questions import Question
from solvers.collaboration.levels import Inquiries, Inquiry, encode
from solvers.knowledge.store import wire
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.lookup import group_of, query
from solvers.knowledge.store.passages import Passage
from solvers.reasoning.answer import Answer, Reasoner


def inquiry_of(question: Question, *, passage: bool = False) -> Inquiry:
    """Return a question as it is asked: without its answer and explanation, its own passage only where wanted."""
    return Inquiry(question.text, question.options, question.passage if passage else "", group_of(question))


class Student:
    """An agent with a knowledge base, which answers with the passages nearest to a question.

    Parameters
    ----------
    reasoner
        Who answers.
    encoder
        Of its questions; it must be the one of the vectors that it is sent.
    base
        What it knows at first; None: nothing.
    passages
        How many passages are read for a question.
    threshold
        A question could not be answered if the similarity to the best passage is below this, from −1 to 1.
    unsure
        Neither could one that was answered with a confidence below this, from 0 to 1, or with none of the options.

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
        if not isinstance(passages, (int, np.integer)) or isinstance(passages, bool) or passages < 1:
            raise ValueError(f"passages must be an integer ≥ 1, got {passages!r}")
        if not -1 <= threshold <= 1:
            raise ValueError(f"threshold must be a similarity from -1 to 1, got {threshold!r}")
        if not 0 <= unsure <= 1:
            raise ValueError(f"unsure must be a confidence from 0 to 1, got {unsure!r}")
        self.reasoner, self.encoder = reasoner, encoder
        self.base = KnowledgeBase.build((), encoder) if base is None else base
        self.passages, self.threshold, self.unsure = int(passages), threshold, unsure
        self._unanswered: dict[Inquiry, None] = {}

    def receive(self, message: bytes) -> None:
        """Take over a knowledge base that a teacher has sent.

        Raises
        ------
        ValueError
            If it is none, is damaged, or its vectors are of another encoder; the own base stays as it was.
        """
        self._take(wire.from_bytes(message, self.encoder))

    def update(self, message: bytes) -> None:
        """Change the knowledge base as a teacher says, who has sent it before.

        Raises
        ------
        ValueError
            If the message is none, is damaged, or is meant for another base; the own one stays as it was.
        """
        self._take(wire.apply(self.base, message, self.encoder))

    def learn(self, passages: Iterable[Passage]) -> int:
        """Add passages whose keys are new, and return how many these are."""
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

    def retrieve(self, asked: Question | Inquiry) -> tuple[tuple[Passage, ...], np.ndarray]:
        """Return the passages nearest to a question, the nearest first, and their similarities.

        None of them is of the question's own group.
        """
        group = asked.group if isinstance(asked, Inquiry) else group_of(asked)
        vectors = self.encoder.encode([query(asked)])
        indices, scores = self.base.search(vectors, self.passages, exclude_groups=[group])
        found = indices[0] >= 0
        return tuple(self.base.passages[index] for index in indices[0][found]), scores[0][found]

    def answer(self, question: Question, rng: np.random.Generator, *, note: bool = True) -> Answer:
        """Answer a question with what is known; note it for the feedback if it could not be answered.

        Parameters
        ----------
        question
            The question.
        rng
            Of everything random in the reasoner.
        note
            False: do not note it.
        """
        passages, scores = self.retrieve(question)
        answer = self.reasoner.answer(question, [passage.text for passage in passages], rng)
        if note and not self.could(answer, scores):
            self._unanswered[inquiry_of(question)] = None
        return answer

    def could(self, answer: Answer, scores: np.ndarray) -> bool:
        """Whether a question counts as answered: with an option, surely enough, and from passages near enough to it."""
        sure = answer.confidence is None or answer.confidence >= self.unsure
        return answer.option is not None and sure and scores.max(initial=-1.0) >= self.threshold

    @property
    def unanswered(self) -> tuple[Inquiry, ...]:
        """What could not be answered since the last feedback."""
        return tuple(self._unanswered)

    def feedback(self) -> bytes:
        """Return the questions that could not be answered, to be sent to the teacher, and begin anew."""
        message = encode(Inquiries(self.unanswered))
        self._unanswered.clear()
        return message


def warm(encoder: Encoder, questions: Sequence[Question]) -> None:
    """Encode the look-ups of many questions at once, for encoders that remember."""
    encoder.encode([query(question) for question in questions])
