"""Who knows what, and what is told: paradigms and levels of collaboration, in accuracy and in bits.

``python -m eval.studies.paradigms --questions 500`` prints the tables of ``docs/paradigms.md``: on TeleQnA where the
folder of data sets has it (``--data``, or the environment variable ``SECAGENT_DATA``), else on the sample of the
package. All answers are those of the offline retrieval reader. Knowledge are explanations of other questions; no
question is asked whose group any of them is of. With ``--own`` it holds the explanations of the questions asked too,
which tell the answers, as the sources of questions do that the second paper builds its knowledge from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import paired_difference
from eval.stats.statistics import CONFIDENCE, Interval, share
from secagent_env.questions import Question, QuestionSet, load, sample
from secagent_env.support.files import write_text
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

RATIO = 0.45
"""Of compressed knowledge: the second paper's."""
ROUNDS = 3
TAUGHT, DISTRIBUTED = "teacher–student", "distributed"
FED_BACK, HELD_OUT = "questions that may be fed back", "other questions"
SYNCHRONISED, EVERYTHING = "the shared base, nobody is asked", "everything, nobody is asked"
PARTS = 2
"""Of a small data set, one is asked and the other is known."""
TELEQNA = "teleqna"


Team: TypeAlias = list[tuple[Student, list[Student]]]
"""Agents that have questions, each with those whom it may ask."""


@dataclass(frozen=True)
class World:
    """What is asked, what is known, and who answers.

    Attributes
    ----------
    name
        In a few words.
    asked
        The questions, in an order from the seed.
    known
        Explanations of other questions, or of these too.
    encoder, reasoner
        Of all agents.
    """

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
    """What came of a way to work together.

    Attributes
    ----------
    paradigm, way
        Who helps, and how.
    before_bits
        What was sent before the first question, bit.
    bits
        What was sent for each question, bit.
    correct
        Of each question, whether it was answered right.
    beside
        The same of the line on the same questions that this one is compared with; None where there is none.
    """

    paradigm: str
    way: str
    before_bits: int
    bits: np.ndarray
    correct: np.ndarray
    beside: np.ndarray | None = None


def draw(
    questions: QuestionSet, count: int, seed: int, encoder: Encoder, reasoner: Reasoner, *, own: bool = False
) -> World:
    """Return a world in which ``count`` questions of a set are asked, at most half, and the others are known.

    ``own``: so are those that are asked, and their explanations may help to answer them. Of TeleQnA none is asked that
    the reader's weights were fitted on.
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
    return World(name, asked, known, encoder, reasoner)


def levels(world: World, seed: int = 0) -> list[Line]:
    """Return what collaboration is worth at each level, for a student with its teacher, and among peers.

    The student knows nothing, the teacher everything. Peers know a category each, and the questions are dealt among
    them. At the intent level all have a shared base, compressed to ``RATIO``; the row after it says what an agent that
    has it answers by itself.
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
        found = {way: _answered(world, each, way, shared, seed) for way, each in ways.items()}
        beside = found["alone"][1]
        lines += [
            Line(paradigm, way, before.get(way, 0), bits, correct, None if way == "alone" else beside)
            for way, (bits, correct) in found.items()
        ]
    return lines


def _answered(world: World, team: Team, way: str, shared: Shared, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each question what was sent, bit, and whether it was answered right; they are dealt in turn."""
    bits, correct = np.zeros(len(world.asked)), np.zeros(len(world.asked), bool)
    for index, question in enumerate(world.asked):
        rng = np.random.default_rng([seed, index])
        asker, partners = team[index % len(team)]
        if way in LEVELS:
            found = consult(asker, partners, question, way, rng, shared=shared)
            bits[index], answer = found.request_bits + found.reply_bits, found.answer
        else:
            answer = asker.answer(question, rng)
        correct[index] = answer.option == question.answer
    return bits, correct


def courses(world: World, seed: int = 0) -> list[Line]:
    """Return what feedback is worth: half of the questions may be fed back, the other half is asked too.

    What was sent until the questions of a round, both ways, counts as sent before.
    """
    half = (len(world.asked) + 1) // 2
    student, teacher = world.student(), Teacher(world.known, world.encoder)
    rounds = course(teacher, student, world.asked[:half], ROUNDS, ratio=RATIO, held_out=world.asked[half:], seed=seed)
    lines, sent = [], 0
    for number, each in enumerate(rounds):
        sent += each.bits_down
        way = f"round {number + 1}: {each.passages} passages"
        for told, shown, correct, first in (
            (FED_BACK, f"{way}, {each.fed_back} questions without an answer", each.correct, rounds[0].correct),
            (HELD_OUT, way, each.held_out, rounds[0].held_out),
        ):
            beside = np.array(first) if number else None
            lines.append(Line(told, shown, sent, np.zeros(len(correct)), np.array(correct), beside))
        sent += each.bits_up
    return sorted(lines, key=lambda line: line.paradigm == HELD_OUT)


def sharing(world: World, seed: int = 0) -> list[Line]:
    """Return what ways of sharing are worth among peers, each with a category and an equal part of the questions."""
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


def table(lines: Sequence[Line]) -> str:
    """Return lines as a table in Markdown."""
    rows = []
    for line in lines:
        gain = NONE if line.beside is None else _points(paired_difference(line.correct, line.beside))
        bits = f"{line.bits.mean():,.0f}" if line.bits.size else NONE
        accuracy = percent(share(int(line.correct.sum()), line.correct.size))
        rows.append([line.paradigm, line.way, accuracy, gain, bits, f"{line.before_bits:,}"])
    headers = ["who", "what is sent", "accuracy", "gain, points", "bit a question", "bit before"]
    return tabulated(rows, headers)


def _points(interval: Interval) -> str:
    mean, low, high = (f"{100 * value:+.1f}" for value in (interval.mean, interval.low, interval.high))
    return mean if np.isnan(interval.low) or low == high else f"{mean} [{low}, {high}]"


def markdown(world: World, seed: int = 0) -> str:
    """Return all tables of a world, in Markdown."""
    note = (
        f"{world.name}; {world.reasoner.name}. "
        f"Accuracy with Wilson's {CONFIDENCE:.0%} interval, gains with bootstrap intervals over the same questions."
    )
    parts = {
        "Levels of collaboration": levels(world, seed),
        "Feedback": courses(world, seed),
        "Ways of sharing": sharing(world, seed),
    }
    return "\n\n".join([note, *(f"### {title}\n\n{table(lines)}" for title, lines in parts.items())]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and write them if asked for."""
    parser = argparse.ArgumentParser(prog="python -m eval.studies.paradigms", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of the data sets; default: that of SECAGENT_DATA")
    parser.add_argument("--questions", type=int, default=500, metavar="K", help="how many are asked; default: 500")
    parser.add_argument("--own", action="store_true", help="knowledge holds the explanations of what is asked too")
    parser.add_argument("--seed", type=int, default=0, help="which ones; default: 0")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the tables there too")
    options = parser.parse_args(arguments)
    try:
        try:
            questions = load(TELEQNA, options.data)
        except FileNotFoundError:
            if options.data is not None:
                raise
            questions = load("sample")
        encoder = default_encoder()
        reader = RetrievalReader(encoder)
        world = draw(questions, options.questions, options.seed, encoder, reader, own=options.own)
        text = markdown(world, options.seed)
        print(text, end="")
        if options.out is not None:
            write_text(options.out, text)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
