"""The teacher–student paradigm: knowledge is compressed, sent, and refined by open questions.

A teacher holds the whole base and sends a compressed one. A student feeds back its open questions, and the teacher
sends the passages nearest to them as a difference. The messages of both directions are counted in bits (GenAINet, III-C
and IV-A).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.checks import integer
from solvers.collaboration.levels import Inquiries, decode
from solvers.collaboration.student import Student, warm
from solvers.knowledge.representation import Representation, Vectors
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.lookup import query
from solvers.knowledge.store.passages import Passage


class Teacher:
    """An agent with the whole knowledge, which sends the same parts of it to all of its students.

    Parameters
    ----------
    passages
        The teacher's knowledge.
    encoder
        The encoder of passages and questions.
    precision
        The precision of the vectors in messages; None: texts alone are sent, and students encode them.
    representation
        Vectors, a graph or a topology, of :mod:`solvers.knowledge.representation`; None: vectors at the precision.

    Attributes
    ----------
    base
        The teacher's knowledge.
    taught
        The students' knowledge.
    """

    def __init__(
        self,
        passages: Iterable[Passage],
        encoder: Encoder,
        precision: str | None = None,
        *,
        representation: Representation | None = None,
    ) -> None:
        self.encoder = encoder
        self.representation = Vectors(encoder, precision) if representation is None else representation
        self.base = self.representation.build(tuple(passages))
        self.taught = self.representation.build(())

    def teach(
        self,
        ratio: float = 1.0,
        *,
        queries: Sequence[str] | None = None,
        ratios: Mapping[str, float] | None = None,
        **options: Any,
    ) -> bytes:
        """Return the message with the compressed knowledge.

        Parameters
        ----------
        ratio
            The ratio of the bits of the message to those of all knowledge, from 0 to 1.
        queries
            Expected questions, by which passages are chosen.
        ratios
            Ratios by category, in place of ``ratio``.
        options
            Other options of :func:`solvers.knowledge.compress.compression.compress`, such as ``shortening``.

        Raises
        ------
        ValueError
            If a ratio is out of range.
        """
        expected = self.encoder.encode(queries) if queries else None
        self.taught = self.representation.compress(self.base, ratio, queries=expected, ratios=ratios, **options)
        message: bytes = self.taught.to_bytes()
        return message

    def learn(self, passages: Iterable[Passage]) -> None:
        """Replace the teacher's own knowledge, as facts change; students keep theirs until the next message."""
        self.base = self.representation.build(tuple(passages))

    def update(self) -> bytes:
        """Return the difference between what the students know and all that the teacher knows."""
        message = self.representation.difference(self.taught, self.base)
        self.taught = self.representation.apply(self.taught, message)
        return message

    def refine(self, feedback: bytes, passages: int = 1) -> bytes:
        """Return the update for the students' base after feedback.

        Parameters
        ----------
        feedback
            A student's feedback. For each question the nearest passages are added that the student does not have, or
            has in a shorter form, without passages of the question's own group.
        passages
            The most passages for each question.

        Raises
        ------
        ValueError
            If the feedback is no list of questions.
        """
        inquiries = decode(feedback)
        if not isinstance(inquiries, Inquiries):
            raise ValueError(f"feedback must be questions, got a message of {type(inquiries).__name__.lower()}")
        known = set(self.taught.passages)
        rest = self.representation.build([each for each in self.base.passages if each not in known])
        nearest: dict[str, Passage] = {}
        if inquiries.questions and len(rest):
            texts, groups = [query(each) for each in inquiries.questions], [each.group for each in inquiries.questions]
            indices, _ = self.representation.search(rest, texts, passages, exclude_groups=groups)
            nearest = {each.key: each for each in (rest.passages[place] for place in np.unique(indices[indices >= 0]))}
        grown = self.representation.grow(self.taught, nearest.values())
        update = self.representation.difference(self.taught, grown)
        self.taught = grown
        return update


@dataclass(frozen=True)
class CourseRound:
    """A round of a course.

    Attributes
    ----------
    bits_down, bits_up
        The bits of the teacher's message before the questions, and of the student's feedback after them.
    passages
        The number of passages that the student has.
    correct
        Whether each question was answered right.
    held_out
        The same for the questions that are never fed back.
    fed_back
        The number of open questions, which are fed back.
    """

    bits_down: int
    bits_up: int
    passages: int
    correct: tuple[bool, ...]
    held_out: tuple[bool, ...]
    fed_back: int

    @property
    def accuracy(self) -> float:
        """The share of right answers to the questions that may be fed back; NaN if there are none."""
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
) -> list[CourseRound]:
    """Teach a student, let it answer, and refine its knowledge by its open questions.

    Parameters
    ----------
    teacher, student
        The teacher and the student, whose bases change.
    questions
        The questions of every round.
    rounds
        The number of rounds; the first follows the compressed knowledge.
    ratio, ratios, queries, options
        See :meth:`Teacher.teach`.
    held_out
        Questions of every round that are never fed back, to measure the use of feedback on other questions.
    passages
        See :meth:`Teacher.refine`.
    seed
        The seed of the reasoner's random numbers.

    Raises
    ------
    ValueError
        If there is no round, or a ratio is out of range.
    """
    integer("rounds", rounds, 1)
    warm(student.encoder, [*questions, *held_out])
    rounds_taken = []
    message = teacher.teach(ratio, queries=queries, ratios=ratios, **options)
    student.receive(message)
    for number in range(rounds):
        correct = _scored(student, questions, (seed, 0), note=True)
        unseen = _scored(student, held_out, (seed, 1), note=False)
        fed_back, feedback = len(student.unanswered), b""
        if number < rounds - 1:
            feedback = student.feedback()
        rounds_taken.append(
            CourseRound(8 * len(message), 8 * len(feedback), len(student.base.passages), correct, unseen, fed_back)
        )
        if feedback:
            message = teacher.refine(feedback, passages)
            student.update(message)
    return rounds_taken


def _scored(student: Student, questions: Sequence[Question], seed: tuple[int, int], *, note: bool) -> tuple[bool, ...]:
    """Return whether each question is answered right, with the same random numbers in every round."""
    generators = [np.random.default_rng([*seed, index]) for index in range(len(questions))]
    return tuple(
        student.answer(question, rng, note=note).option == question.answer
        for question, rng in zip(questions, generators, strict=True)
    )
