"""What a student answers with knowledge as it is, compressed, and without: the cells behind GenAINet's Table 1.

A cell is a piece of the questions that are asked, with all conditions: a worker encodes its questions once. Knowledge
are the explanations of questions of other groups than any that is asked with the same base. Only numbers leave a cell.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.sweep.cells import Cell, Row
from eval.sweep.engine import Sweep, completed, run_sweep
from secagent_env import questions
from secagent_env.questions import Question, QuestionSet
from solvers.knowledge.compress.compression import adaptive_ratios, compress
from solvers.knowledge.corpus import explanations
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import default_encoder
from solvers.knowledge.store.lookup import group_of, query
from solvers.reasoning.reader import FITTED_ON, RetrievalReader

EXPERIMENT, FUNCTION = "genainet-table1", "eval.experiments.knowledge_transfer.cells:answer"
TELEQNA, SAMPLE = "teleqna", "sample"
COUNT = 2000
"""How many questions are asked."""
PIECE = 125
"""So many of them in a cell."""
FOLDS = 5
"""Of a set that is asked as a whole: in turns one fold is asked, and the others are known."""
PASSAGES = 5
"""How many a student reads for a question."""
PRINTED_RATIO = 0.4552
RATIOS = (0.05, 0.1, 0.2, 0.3, PRINTED_RATIO, 0.6, 0.8)
BATCH, MEASURED = 1500, 400
"""Questions of others by which the teacher chooses what to send, and by which it measures what a category needs."""
NOTHING, FULL, COMPRESSED = "no knowledge", "full", "compressed"
RANDOM, ADAPTIVE, EIGHT_BITS, ONE_BIT = "at random", "adaptive by category", "int8 vectors", "binary vectors"
LEAK, LEAK_COMPRESSED, LEAK_ASKED = "leak", "leak, compressed", "leak, compressed by what is asked"


@dataclass(frozen=True)
class Condition:
    """What the student has: a kind of knowledge, at a ratio of its bits."""

    kind: str
    ratio: float = 1.0

    @property
    def label(self) -> str:
        """What it is called in tables."""
        return f"{self.kind}, {100 * self.ratio:g} %" if 0 < self.ratio < 1 else self.kind


CONDITIONS = (
    Condition(NOTHING, 0.0),
    *(Condition(COMPRESSED, ratio) for ratio in RATIOS),
    Condition(FULL),
    Condition(RANDOM, PRINTED_RATIO),
    Condition(ADAPTIVE, PRINTED_RATIO),
    Condition(EIGHT_BITS),
    Condition(ONE_BIT),
    *(Condition(kind, ratio) for kind in (LEAK_COMPRESSED, LEAK_ASKED) for ratio in RATIOS),
    Condition(LEAK),
)


@dataclass(frozen=True)
class Source:
    """Where the questions come from.

    Attributes
    ----------
    name
        ``teleqna``, or ``sample`` where that is not on this machine.
    path
        Where it was looked for; None: where the environment says.
    digest
        Of keys, options and answers.
    """

    name: str
    path: str | None
    digest: str

    @classmethod
    def of(cls, name: str = TELEQNA, data: Path | str | None = None) -> Source:
        """Return a question set, or the packaged sample where it is not found.

        Raises
        ------
        ValueError
            If it is there and cannot be read.
        """
        path = None if data is None else os.fspath(data)
        try:
            found = load(name, path)
        except FileNotFoundError:
            name, path = SAMPLE, None
            found = load(name, path)
        told = [(question.key, question.options, question.answer, question.explanation) for question in found]
        return cls(name, path, hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12])

    def load(self) -> QuestionSet:
        """Return the questions."""
        return load(self.name, self.path)


@functools.lru_cache(maxsize=4)
def load(name: str, path: str | None) -> QuestionSet:
    """Return a question set, read once in a process."""
    return questions.load(name, path)


def blocks(asked: QuestionSet, count: int, seed: int) -> list[np.ndarray]:
    """Return the numbers of the questions that are asked; those of a block are asked with the same knowledge.

    None is asked that the weights of the reader were fitted on. All are of one block, if no more than half of the
    set is asked; else there are ``FOLDS``, so that the others are left to be known.
    """
    fitted = np.random.default_rng(0).permutation(len(asked))[: FITTED_ON if asked.name == TELEQNA else 0]
    seen = {group_of(asked[int(number)]) for number in fitted}
    fresh = [number for number, question in enumerate(asked) if group_of(question) not in seen]
    drawn = np.array(fresh)[questions.sample([asked[number] for number in fresh], count, seed)]
    if 2 * len(drawn) <= len(asked):
        return [drawn]
    return [drawn[fold] for fold in questions.split([asked[int(number)] for number in drawn], FOLDS, seed)]


def cells(source: Source, count: int = COUNT, seed: int = 0) -> list[Cell]:
    """Return the cells, a piece of the questions each; those of a block follow each other.

    Raises
    ------
    ValueError
        If no question is to be asked.
    """
    found = []
    for number, block in enumerate(blocks(source.load(), count, seed)):
        told = {"source": source.name, "path": source.path, "digest": source.digest, "count": count, "block": number}
        found += [
            Cell(FUNCTION, EXPERIMENT, RetrievalReader.name, None, seed, start // PIECE, told)
            for start in range(0, len(block), PIECE)
        ]
    return found


class World:
    """All that is known in a block, and what a student is sent of it in each condition."""

    def __init__(self, asked: QuestionSet, block: np.ndarray, seed: int) -> None:
        self.encoder = default_encoder()
        self.reader = RetrievalReader(self.encoder)
        own = {group_of(asked[int(number)]) for number in block}
        self.others = [question for question in asked if group_of(question) not in own]
        self.whole = KnowledgeBase.build(explanations(self.others), self.encoder)
        self.told = [asked[int(number)] for number in block]
        self.seed = seed
        order = np.random.default_rng(seed).permutation(len(self.others))
        self.batch = [self.others[int(number)] for number in order[:BATCH]]
        self._sent: dict[Condition, KnowledgeBase] = {}

    def sent(self, condition: Condition) -> KnowledgeBase:
        """Return what a student is sent."""
        if condition not in self._sent:
            self._sent[condition] = self._choose(condition)
        return self._sent[condition]

    def reference(self, condition: Condition) -> KnowledgeBase:
        """Return that of which a student is sent a part, as it would be sent."""
        if condition.kind.startswith(LEAK):
            return self.sent(Condition(LEAK))
        return self.whole

    def _choose(self, condition: Condition) -> KnowledgeBase:
        match condition.kind:
            case "no knowledge":
                return self.whole.select([])
            case "compressed":
                return compress(self.whole, condition.ratio, queries=self.queries, seed=self.seed)
            case "at random":
                return self._at_random(condition.ratio)
            case "adaptive by category":
                ratios = adaptive_ratios(condition.ratio, self.measured(), self._bits())
                return compress(self.whole, condition.ratio, queries=self.queries, ratios=ratios, seed=self.seed)
            case "int8 vectors":
                return self.whole.at_precision("int8")
            case "binary vectors":
                return self.whole.at_precision("binary")
            case "leak":
                return self.whole.merge(KnowledgeBase.build(explanations(self.told), self.encoder))
            case "leak, compressed":
                leak = self.sent(Condition(LEAK))
                return compress(leak, condition.ratio, queries=self.queries, seed=self.seed)
            case "leak, compressed by what is asked":
                asked = self.encoder.encode([query(question) for question in self.told])
                return compress(self.sent(Condition(LEAK)), condition.ratio, queries=asked, seed=self.seed)
            case "full":
                return self.whole
        raise ValueError(f"there is no condition {condition.kind!r}")

    @functools.cached_property
    def queries(self) -> np.ndarray:
        """Questions of others, (Q, d): the batch by which the teacher chooses."""
        return self.encoder.encode([query(question) for question in self.batch])

    def _bits(self) -> dict[str, float]:
        return {category: float(bits) for category, bits in bits_by_category(self.whole).items()}

    def _at_random(self, ratio: float) -> KnowledgeBase:
        """Return passages at random: as many as the ratio allows, to what one passage in a hundred takes."""
        order = np.random.default_rng(self.seed).permutation(len(self.whole))
        budget, count = ratio * self.whole.size_bits, int(ratio * len(self.whole))
        step = max(1, len(order) // 100)
        while count > 0 and self.whole.select(np.sort(order[:count])).size_bits > budget:
            count -= step
        return self.whole.select(np.sort(order[: max(count, 0)]))

    def measured(self) -> Mapping[str, list[tuple[float, float]]]:
        """Return by category how many questions of the batch are answered right at some ratios."""
        some = self.batch[:MEASURED]
        curves: dict[str, list[tuple[float, float]]] = {category: [] for category in self.whole.categories}
        for condition in CONDITIONS:
            if condition.kind in (NOTHING, COMPRESSED, FULL):
                right = self.correct(some, condition)
                for category, curve in curves.items():
                    own = np.array([question.category == category for question in some])
                    curve.append((condition.ratio, float(right[own].sum())))
        return curves

    def texts(self, asked: Sequence[Question], condition: Condition) -> list[list[str]]:
        """Return what a student reads for each question.

        What is known of a question's own group is left out, but where the leak is to be shown.
        """
        base = self.sent(condition)
        leak = condition.kind.startswith(LEAK)
        vectors = self.encoder.encode([query(question) for question in asked])
        groups = [() if leak else group_of(question) for question in asked]
        nearest, _ = base.search(vectors, PASSAGES, exclude_groups=groups)
        return [[base.passages[number].text for number in row if number >= 0] for row in nearest]

    def correct(self, asked: Sequence[Question], condition: Condition) -> np.ndarray:
        """Return which questions the reader answers right, (Q,) bool."""
        answers = self.reader.answer_all(asked, self.texts(asked, condition))
        return np.array([got.option == question.answer for got, question in zip(answers, asked, strict=True)], bool)


@functools.lru_cache(maxsize=2)
def world_of(name: str, path: str | None, count: int, seed: int, block: int) -> World:
    """Return the world of a block; a worker keeps it for all of its cells."""
    asked = load(name, path)
    return World(asked, blocks(asked, count, seed)[block], seed)


def answer(cell: Cell) -> list[Row]:
    """Return a row for each condition: what was sent, in bits, and which questions the reader answered right."""
    world, piece, some = piece_of(cell)
    block = cell.options["block"]
    return [row_of(world, condition, block, piece, world.correct(some, condition)) for condition in CONDITIONS]


def piece_of(cell: Cell) -> tuple[World, np.ndarray, list[Question]]:
    """Return what is known where a cell asks, and which questions it asks, by number and as they are."""
    told = cell.options
    asked = load(told["source"], told["path"])
    block = blocks(asked, told["count"], cell.seed)[told["block"]]
    piece = block[cell.index * PIECE : (cell.index + 1) * PIECE]
    world = world_of(told["source"], told["path"], told["count"], cell.seed, told["block"])
    return world, piece, [asked[int(number)] for number in piece]


def row_of(world: World, condition: Condition, block: int, piece: np.ndarray, right: np.ndarray) -> Row:
    """Return the row of a condition: what was sent, in bits, and which questions were answered right."""
    sent, whole = world.sent(condition), world.reference(condition)
    return {
        "condition": condition.kind,
        "ratio": condition.ratio,
        "block": block,
        "passages": len(sent),
        "bits": sent.size_bits,
        "whole_bits": whole.size_bits,
        "bits_by_category": json.dumps(bits_by_category(sent)),
        "whole_bits_by_category": json.dumps(bits_by_category(whole)),
        "asked": piece.tolist(),
        "right": right.astype(int).tolist(),
    }


@functools.lru_cache(maxsize=64)
def bits_by_category(base: KnowledgeBase) -> dict[str, int]:
    """Return what the passages of each category would take to send by themselves, bit."""
    own = np.array([passage.category for passage in base.passages])
    return {category: base.select(np.flatnonzero(own == category)).size_bits for category in base.categories}


def run(source: Source, count: int = COUNT, seed: int = 0, out: Path | str = "results", **how: Any) -> Any:
    """Return the rows of all cells (a pandas DataFrame); what is computed is kept in the folder ``out``.

    ``how`` are arguments of :func:`eval.sweep.engine.run_sweep`.

    Raises
    ------
    ValueError
        For a bad argument, or if cells failed.
    """
    return completed(run_sweep(Sweep(cells(source, count, seed)), out, **how))
