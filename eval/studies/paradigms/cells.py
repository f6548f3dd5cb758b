"""The cells of ``secagent study paradigms``: a question world, with levels, feedback or ways of sharing.

All answers are those of the offline retrieval reader. Knowledge are explanations of other questions; no question is
asked whose group any of them is of, unless the explanations of the questions asked shall be known too. These restate
the answers, as do the sources of questions from which the second paper builds its knowledge.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from eval.experiments.question_source import TELEQNA, load
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, numbers, optional, returns, text
from secagent_env.questions import Question, QuestionSet, sample
from solvers.collaboration.consultation import Shared, consult
from solvers.collaboration.levels import LEVELS
from solvers.collaboration.peers import SHARING, run
from solvers.collaboration.student import Student, warm
from solvers.collaboration.teacher import Teacher, course
from solvers.knowledge.compress.compression import compress
from solvers.knowledge.corpus import explanations
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder, default_encoder
from solvers.knowledge.store.passages import Passage
from solvers.reasoning.answer import Reasoner
from solvers.reasoning.reader import FITTED_ON, RetrievalReader

FUNCTION = "eval.studies.paradigms.cells:lines"
RATIO = 0.45
"""The ratio of compressed knowledge, the second paper's."""
ROUNDS = 3
TAUGHT, DISTRIBUTED = "teacher–student", "distributed"
FED_BACK, HELD_OUT = "questions that may be fed back", "other questions"
SYNCHRONISED, EVERYTHING = "the shared base, nobody is asked", "everything, nobody is asked"
PARTS = 2
"""At most one of so many parts of a data set is asked, and the others are known."""

Team: TypeAlias = list[tuple[Student, list[Student]]]
"""Agents that have questions, each with the agents that it may ask."""


@dataclass(frozen=True)
class QuestionWorld:
    """Questions that are asked, in an order from the seed, knowledge, and the encoder and reasoner of all agents."""

    name: str
    asked: tuple[Question, ...]
    known: tuple[Passage, ...]
    encoder: Encoder
    reasoner: Reasoner

    def student(self, base: KnowledgeBase | None = None) -> Student:
        """Return an agent with a base."""
        return Student(self.reasoner, self.encoder, base)


@dataclass(frozen=True, eq=False)
class Line:
    """The results of a way to work together: bits sent before the first question and for each, and what was right.

    ``beside`` are the right answers of the line that this one is compared with, on the same questions.
    """

    paradigm: str
    way: str
    before_bits: int
    bits: np.ndarray
    correct: np.ndarray
    beside: np.ndarray | None = None


def draw(
    questions: QuestionSet, count: int, seed: int, encoder: Encoder, reasoner: Reasoner, *, own: bool = False
) -> QuestionWorld:
    """Return a world in which ``count`` questions of a set are asked, at most half, and the others are known.

    With ``own`` the explanations of the questions asked are known too, and may help to answer them. No question of
    TeleQnA is asked that the reader's weights were fitted on.
    """
    fitted = np.random.default_rng(0).permutation(len(questions))[: FITTED_ON if questions.name == TELEQNA else 0]
    seen = {questions[int(index)].group for index in fitted}
    fresh = [question for question in questions if question.group not in seen]
    chosen = sample(fresh, min(count, len(questions) // PARTS), seed)
    asked = tuple(fresh[int(index)] for index in np.random.default_rng(seed).permutation(chosen))
    groups = {question.group for question in asked}
    known = explanations([question for question in questions if question.group not in groups])
    name = f"{questions.name}: {len(asked)} questions, knowledge of {len(known)} others"
    if own:
        known += tuple(replace(passage, group="") for passage in explanations(asked))
        name += " and of themselves"
    encoder.encode([passage.text for passage in known])
    warm(encoder, asked)
    return QuestionWorld(name, asked, known, encoder, reasoner)


def levels(world: QuestionWorld, seed: int = 0) -> list[Line]:
    """Return a line for each level of collaboration, of a student with its teacher, and among peers.

    The student knows nothing, the teacher everything. Peers know a category each, and the questions are dealt among
    them. At the intent level all have a shared base, compressed to ``RATIO``; the next line is that of agents that
    have this base and answer by themselves.
    """
    whole = KnowledgeBase.build(world.known, world.encoder)
    shared = Shared(compress(whole, RATIO))
    before = {"intent": shared.base.size_bits, SYNCHRONISED: shared.base.size_bits, EVERYTHING: whole.size_bits}
    peers = [world.student(base) for base in _by_category(whole)]
    teams: dict[str, Team] = {
        TAUGHT: [(world.student(), [world.student(whole)])],
        DISTRIBUTED: [(peer, [other for other in peers if other is not peer]) for peer in peers],
    }
    lines = []
    for paradigm, team in teams.items():
        alone: Team = [(asker, []) for asker, _ in team]
        synchronised: Team = [(world.student(asker.base.merge(shared.base)), []) for asker, _ in team]
        ways: dict[str, Team] = {"alone": alone, **dict.fromkeys(LEVELS, team), SYNCHRONISED: synchronised}
        if paradigm == TAUGHT:
            ways[EVERYTHING] = [(world.student(whole), [])]
        answered = {way: _answered(world, each, way, shared, seed) for way, each in ways.items()}
        beside = answered["alone"][1]
        lines += [
            Line(paradigm, way, before.get(way, 0), bits, correct, None if way == "alone" else beside)
            for way, (bits, correct) in answered.items()
        ]
    return lines


def _answered(world: QuestionWorld, team: Team, way: str, shared: Shared, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each question the bits sent, and whether it was answered right; questions are dealt in turn."""
    bits, correct = np.zeros(len(world.asked)), np.zeros(len(world.asked), bool)
    for index, question in enumerate(world.asked):
        rng = np.random.default_rng([seed, index])
        asker, partners = team[index % len(team)]
        if way in LEVELS:
            consulted = consult(asker, partners, question, way, rng, shared=shared)
            bits[index], answer = consulted.request_bits + consulted.reply_bits, consulted.answer
        else:
            answer = asker.answer(question, rng)
        correct[index] = answer.option == question.answer
    return bits, correct


def courses(world: QuestionWorld, seed: int = 0) -> list[Line]:
    """Return a line for each round of feedback: half of the questions may be fed back, the other half is asked too.

    All that is sent until the questions of a round, both ways, counts as sent before.
    """
    half = (len(world.asked) + 1) // 2
    student, teacher = world.student(), Teacher(world.known, world.encoder)
    rounds = course(teacher, student, world.asked[:half], ROUNDS, ratio=RATIO, held_out=world.asked[half:], seed=seed)
    lines, sent = [], 0
    for number, each in enumerate(rounds):
        sent += each.bits_down
        way = f"round {number + 1}: {each.passages} passages"
        for questions, shown, correct, first in (
            (FED_BACK, f"{way}, {each.fed_back} questions without an answer", each.correct, rounds[0].correct),
            (HELD_OUT, way, each.held_out, rounds[0].held_out),
        ):
            beside = np.array(first) if number else None
            lines.append(Line(questions, shown, sent, np.zeros(len(correct)), np.array(correct), beside))
        sent += each.bits_up
    return sorted(lines, key=lambda line: line.paradigm == HELD_OUT)


def sharing(world: QuestionWorld, seed: int = 0) -> list[Line]:
    """Return a line for each way of sharing among peers with a category and an equal part of the questions each."""
    bases = _by_category(KnowledgeBase.build(world.known, world.encoder))
    streams = [world.asked[number :: len(bases)] for number in range(len(bases))]
    lines: list[Line] = []
    for way in SHARING:
        rounds = run([world.student(base) for base in bases], streams, way, seed)
        correct = np.array([each.correct for each in rounds]).ravel()
        bits = np.repeat([each.bits / len(bases) for each in rounds], len(bases))
        lines.append(Line(DISTRIBUTED, way, 0, bits, correct, lines[0].correct if lines else None))
    return lines


def _by_category(whole: KnowledgeBase) -> list[KnowledgeBase]:
    categories = np.array([passage.category for passage in whole.passages])
    return [whole.select(np.flatnonzero(categories == category)) for category in whole.categories]


TABLES = {"levels": levels, "feedback": courses, "sharing": sharing}
"""By the scheme of a cell, the function that computes the lines of its table."""


@returns(
    columns(
        **dict.fromkeys(("world", "reader", "paradigm", "way"), text),
        before_bits=count,
        bits=numbers,
        correct=numbers,
        beside=optional(numbers),
    )
)
def lines(cell: Cell) -> list[Row]:
    """Return the lines of a part of the study, by the scheme of the cell, as rows."""
    options = cell.options
    world = _world(options["source"], options["path"], options["count"], cell.seed, options["own"])
    return [
        {"world": world.name, "reader": world.reasoner.name, **vars(line)}
        for line in TABLES[cell.scheme](world, cell.seed)
    ]


@functools.lru_cache(maxsize=1)
def _world(name: str, path: str | None, count: int, seed: int, own: bool) -> QuestionWorld:
    """Return the world of the cells of a study; a process encodes its texts once."""
    encoder = default_encoder()
    return draw(load(name, path), count, seed, encoder, RetrievalReader(encoder), own=own)
