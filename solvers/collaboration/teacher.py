"""The teacher–student paradigm: knowledge is compressed, sent, and refined by what could not be answered.

A teacher holds the whole base. It sends a compressed one; a student feeds back the questions that it could not answer;
the teacher adds the passages nearest to them, and only the difference travels. All that is sent, in both directions, is
counted in bits (GenAINet, III-C and IV-A).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from secagent_env.questions import Question
from solvers.collaboration.levels import Inquiries, decode
from solvers.collaboration.student import Student, warm
from solvers.knowledge.compress.compression import compress
from solvers.knowledge.store import wire
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.lookup import query
from solvers.knowledge.store.passages import Passage


class Teacher:
    """Holds knowledge and sends what students need of it; what it sends goes to all of its students alike.

    Parameters
    ----------
    passages
        What it knows.
    encoder
        Of passages and questions.
    precision
        Of the vectors that are sent with the texts; None: texts alone are sent, and students encode them.

    Attributes
    ----------
    base
        All of its knowledge.
    taught
        What its students have.
    """

    def __init__(self, passages: Iterable[Passage], encoder: Encoder, precision: str | None = None) -> None:
        self.encoder = encoder
        self.base = KnowledgeBase.build(tuple(passages), encoder, precision)
        self.taught = self.base.select([])

    def teach(
        self,
        ratio: float = 1.0,
        *,
        queries: Sequence[str] | None = None,
        ratios: Mapping[str, float] | None = None,
        **options: Any,
    ) -> bytes:
        """Return the knowledge, compressed, as it is sent to a student.

        Parameters
        ----------
        ratio
            Of what is sent to all of the knowledge, in bits, from 0 to 1.
        queries
            Questions that are expected, to choose by.
        ratios
            Of categories that shall be compressed more or less than the others.
        options
            Such as ``shortening`` and ``writer`` of :func:`solvers.knowledge.compress.compression.compress`.

        Raises
        ------
        ValueError
            If a ratio is out of range.
        """
        expected = self.encoder.encode(queries) if queries else None
        self.taught = compress(self.base, ratio, queries=expected, ratios=ratios, encoder=self.encoder, **options)
        return wire.to_bytes(self.taught)

    def refine(self, feedback: bytes, passages: int = 1) -> bytes:
        """Return what is to be added to the knowledge of a student so that it can answer its questions, as it is sent.

        Parameters
        ----------
        feedback
            As students give it. For each question the passages nearest to it are added that the student does not have,
            or has shortened; never those of the question's own group.
        passages
            How many for each question at most.

        Raises
        ------
        ValueError
            If the feedback is no list of questions.
        """
        asked = decode(feedback)
        if not isinstance(asked, Inquiries):
            raise ValueError(f"feedback must be questions, got a message of {type(asked).__name__.lower()}")
        if not asked.questions:
            return wire.difference(self.taught, self.taught)
        known = set(self.taught.passages)
        rest = self.base.select([index for index, each in enumerate(self.base.passages) if each not in known])
        vectors = self.encoder.encode([query(each) for each in asked.questions])
        indices, _ = rest.search(vectors, passages, exclude_groups=[each.group for each in asked.questions])
        wanted = rest.select(np.unique(indices[indices >= 0]))
        grown = self.taught.merge(wanted.at_precision(self.taught.precision))
        update = wire.difference(self.taught, grown)
        self.taught = grown
        return update


@dataclass(frozen=True)
class Round:
    """A round of a course.

    Attributes
    ----------
    bits_down, bits_up
        What the teacher sent before its questions, and what the student fed back after them, bit.
    passages
        How many the student has.
    correct
        Of each question, whether it was answered right.
    held_out
        The same for the questions that are never fed back.
    fed_back
        How many questions could not be answered, and were fed back.
    """

    bits_down: int
    bits_up: int
    passages: int
    correct: tuple[bool, ...]
    held_out: tuple[bool, ...]
    fed_back: int

    @property
    def accuracy(self) -> float:
        """The share of right answers, among the questions that may be fed back; NaN if there are none."""
        return float(np.mean(self.correct)) if self.correct else float("nan")


def course(
    teacher: Teacher,
    student: Student,
    questions: Sequence[Question],
    rounds: int = 3,
    *,
    ratio: float = 1.0,
    ratios: Mapping[str, float] | None = None,
    queries: Sequence[str] | None = None,
    held_out: Sequence[Question] = (),
    passages: int = 1,
    seed: int = 0,
    **options: Any,
) -> list[Round]:
    """Teach a student, let it answer, and refine its knowledge by what it could not answer.

    Parameters
    ----------
    teacher, student
        Who take part; both change.
    questions
        What the student is asked in every round.
    rounds
        How many times; the first one is after the compressed knowledge has come.
    ratio, ratios, queries, options
        See :meth:`Teacher.teach`.
    held_out
        Questions that are asked too, but never fed back: what the feedback on others is worth to them.
    passages
        See :meth:`Teacher.refine`.
    seed
        Of everything random in the reasoner.

    Raises
    ------
    ValueError
        If there are fewer than 1 rounds, or a ratio is out of range.
    """
    if not isinstance(rounds, (int, np.integer)) or isinstance(rounds, bool) or rounds < 1:
        raise ValueError(f"rounds must be an integer ≥ 1, got {rounds!r}")
    warm(student.encoder, [*questions, *held_out])
    taken = []
    message = teacher.teach(ratio, queries=queries, ratios=ratios, **options)
    student.receive(message)
    for number in range(rounds):
        correct = _scored(student, questions, (seed, 0), note=True)
        unseen = _scored(student, held_out, (seed, 1), note=False)
        fed_back, feedback = len(student.unanswered), b""
        if number < rounds - 1:
            feedback = student.feedback()
        taken.append(Round(8 * len(message), 8 * len(feedback), len(student.base.passages), correct, unseen, fed_back))
        if feedback:
            message = teacher.refine(feedback, passages)
            student.update(message)
    return taken


def _scored(student: Student, questions: Sequence[Question], seed: tuple[int, int], *, note: bool) -> tuple[bool, ...]:
    """Return for each question whether it is answered right; chance is the same in every round."""
    generators = [np.random.default_rng([*seed, index]) for index in range(len(questions))]
    return tuple(
        student.answer(question, rng, note=note).option == question.answer
        for question, rng in zip(questions, generators, strict=True)
    )
