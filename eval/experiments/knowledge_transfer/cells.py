"""Cells of GenAINet's Table 1: a student answers with all knowledge, with compressed knowledge, and without.

A cell is a piece of the questions, in all conditions: a worker encodes its questions once. The knowledge consists of
the explanations of questions of other groups than those asked with the same base. Only numbers leave a cell.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.experiments.question_source import TELEQNA, folder_of, load
from eval.sweep import promises
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, document, numbers, optional, returns, text
from secagent_env import questions
from secagent_env.questions import Question, QuestionSet
from solvers.knowledge.compress.compression import adaptive_ratios, compress
from solvers.knowledge.corpus import explanations
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import default_encoder
from solvers.knowledge.store.lookup import group_of, query
from solvers.reasoning.answer import Answer
from solvers.reasoning.reader import FITTED_ON, RetrievalReader

FUNCTION = "eval.experiments.knowledge_transfer.cells:answer"
PIECE = 125
"""Questions in a cell."""
FOLDS = 5
"""Of a set that is asked as a whole: in turns one fold is asked, and the others are known."""
PASSAGES = 5
"""How many a student reads for a question."""
PRINTED_RATIO = 0.4552
"""The paper's ratio of compression, row "Overall" of its Table 1."""
RATIOS = (0.05, 0.1, 0.2, 0.3, PRINTED_RATIO, 0.6, 0.8)
BATCH, MEASURED = 1500, 400
"""Other questions by which the teacher chooses passages, and by which it measures the accuracy in each category."""
NOTHING, FULL, COMPRESSED = "no knowledge", "full", "compressed"
RANDOM, ADAPTIVE, EIGHT_BITS, ONE_BIT = "at random", "adaptive by category", "int8 vectors", "binary vectors"
LEAK, LEAK_COMPRESSED, LEAK_ASKED = "leak", "leak, compressed", "leak, compressed by what is asked"


@dataclass(frozen=True)
class Condition:
    """The knowledge of the student: its kind, and its ratio of the bits of all of it."""

    kind: str
    ratio: float = 1.0

    @property
    def label(self) -> str:
        """The name in tables."""
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
WITHOUT, ALL, CHOSEN = Condition(NOTHING, 0.0), Condition(FULL), Condition(COMPRESSED, PRINTED_RATIO)
WITH_ANSWERS, ANSWERS_CHOSEN = Condition(LEAK), Condition(LEAK_COMPRESSED, PRINTED_RATIO)
ASKED_CHOSEN = Condition(LEAK_ASKED, PRINTED_RATIO)


def blocks(available: QuestionSet, count: int, seed: int) -> list[np.ndarray]:
    """Return the numbers of the questions to ask; those of a block are asked with the same knowledge.

    Questions that the weights of the reader were fitted on are left out. There is one block if at most half of the
    set is asked; else there are ``FOLDS``, so that each has the others as knowledge.

    Raises ValueError if no question is to be asked.
    """
    fresh = unfitted(available)
    drawn = np.array(fresh)[questions.sample([available[number] for number in fresh], count, seed)]
    if 2 * len(drawn) <= len(available):
        return [drawn]
    return [drawn[fold] for fold in questions.split([available[int(number)] for number in drawn], FOLDS, seed)]


def unfitted(available: QuestionSet) -> list[int]:
    """Return the numbers of the questions of whose groups none served to fit the reader's weights."""
    fitted = np.random.default_rng(0).permutation(len(available))[: FITTED_ON if available.name == TELEQNA else 0]
    seen = {group_of(available[int(number)]) for number in fitted}
    return [number for number, question in enumerate(available) if group_of(question) not in seen]


class Block:
    """Questions that are asked with the same knowledge, and the part of it that a student is sent in each condition."""

    def __init__(self, available: QuestionSet, block: np.ndarray, seed: int) -> None:
        self.encoder = default_encoder()
        self.reader = RetrievalReader(self.encoder)
        self.asked = [available[int(number)] for number in block]
        own = {group_of(question) for question in self.asked}
        self.others = [question for question in available if group_of(question) not in own]
        self.whole = KnowledgeBase.build(explanations(self.others), self.encoder)
        self.seed = seed
        order = np.random.default_rng(seed).permutation(len(self.others))
        self.batch = [self.others[int(number)] for number in order[:BATCH]]
        self._sent: dict[Condition, KnowledgeBase] = {}

    def sent(self, condition: Condition) -> KnowledgeBase:
        """Return the knowledge that a student is sent."""
        if condition not in self._sent:
            self._sent[condition] = self._choose(condition)
        return self._sent[condition]

    def reference(self, condition: Condition) -> KnowledgeBase:
        """Return all of the knowledge of which a student is sent a part."""
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
                return at_random(self.whole, condition.ratio, self.seed)
            case "adaptive by category":
                bits = {category: float(bits) for category, bits in bits_by_category(self.whole).items()}
                ratios = adaptive_ratios(condition.ratio, self.measured(), bits)
                return compress(self.whole, condition.ratio, queries=self.queries, ratios=ratios, seed=self.seed)
            case "int8 vectors":
                return self.whole.at_precision("int8")
            case "binary vectors":
                return self.whole.at_precision("binary")
            case "leak":
                return self.whole.merge(KnowledgeBase.build(explanations(self.asked), self.encoder))
            case "leak, compressed":
                leak = self.sent(Condition(LEAK))
                return compress(leak, condition.ratio, queries=self.queries, seed=self.seed)
            case "leak, compressed by what is asked":
                queries = self.encoder.encode([query(question) for question in self.asked])
                return compress(self.sent(Condition(LEAK)), condition.ratio, queries=queries, seed=self.seed)
            case "full":
                return self.whole
        raise ValueError(f"there is no condition {condition.kind!r}")

    @functools.cached_property
    def queries(self) -> np.ndarray:
        """Vectors (Q, d) of the other questions by which the teacher chooses."""
        return self.encoder.encode([query(question) for question in self.batch])

    def measured(self) -> Mapping[str, list[tuple[float, float]]]:
        """Return by category how many questions of the batch are answered right at some ratios."""
        asked = self.batch[:MEASURED]
        curves: dict[str, list[tuple[float, float]]] = {category: [] for category in self.whole.categories}
        for condition in CONDITIONS:
            if condition.kind in (NOTHING, COMPRESSED, FULL):
                right = self.correct(asked, condition)
                for category, curve in curves.items():
                    own = np.array([question.category == category for question in asked])
                    curve.append((condition.ratio, float(right[own].sum())))
        return curves

    def texts(self, asked: Sequence[Question], condition: Condition) -> list[list[str]]:
        """Return the passages that a student reads for each question.

        Those of the question's own group are left out, except where the condition is a leak.
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
        return right_of(answers, asked)


def at_random(base: KnowledgeBase, ratio: float, seed: int) -> KnowledgeBase:
    """Return random passages: as many as the ratio of the bits allows, in steps of a hundredth of the passages."""
    order = np.random.default_rng(seed).permutation(len(base))
    budget, count = ratio * base.size_bits, int(ratio * len(base))
    step = max(1, len(order) // 100)
    while count > 0 and base.select(np.sort(order[:count])).size_bits > budget:
        count -= step
    return base.select(np.sort(order[: max(count, 0)]))


def right_of(answers: Iterable[Answer], asked: Iterable[Question]) -> np.ndarray:
    """Return which questions are answered right, (Q,) bool."""
    return np.array([answer.option == question.answer for answer, question in zip(answers, asked, strict=True)], bool)


@functools.lru_cache(maxsize=2)
def block_of(name: str, path: str | None, count: int, seed: int, number: int) -> Block:
    """Return a block by its number; a worker keeps it for all of its cells."""
    available = load(name, path)
    return Block(available, blocks(available, count, seed)[number], seed)


PROMISED = columns(
    condition=text,
    ratio=optional(promises.number),
    **dict.fromkeys(("block", "passages", "bits", "whole_bits"), count),
    **dict.fromkeys(("bits_by_category", "whole_bits_by_category"), document),
    **dict.fromkeys(("asked", "right"), numbers),
)
"""Of a row."""


@returns(PROMISED)
def answer(cell: Cell) -> list[Row]:
    """Return a row for each condition: the knowledge sent, in bits, and which questions the reader answered right."""
    block, numbers, asked = piece_of(cell)
    number = cell.options["block"]
    return [row_of(block, condition, number, numbers, block.correct(asked, condition)) for condition in CONDITIONS]


def piece_of(cell: Cell) -> tuple[Block, np.ndarray, list[Question]]:
    """Return the block of a cell, and the questions that it asks of the block: their numbers, and themselves."""
    options = cell.options
    available = load(options["source"], options["path"])
    numbers = blocks(available, options["count"], cell.seed)[options["block"]]
    piece = numbers[cell.index * PIECE : (cell.index + 1) * PIECE]
    block = block_of(options["source"], folder_of(options["path"]), options["count"], cell.seed, options["block"])
    return block, piece, [available[int(number)] for number in piece]


def row_of(block: Block, condition: Condition, number: int, asked: np.ndarray, right: np.ndarray) -> Row:
    """Return the row of a condition in a block: the knowledge sent, in bits, and which questions were answered right.

    ``number`` is that of the block; ``asked`` and ``right`` (Q,) are the numbers of questions, and their answers.
    """
    sent, whole = block.sent(condition), block.reference(condition)
    return {
        "condition": condition.kind,
        "ratio": condition.ratio,
        "block": number,
        "passages": len(sent),
        "bits": sent.size_bits,
        "whole_bits": whole.size_bits,
        "bits_by_category": json.dumps(bits_by_category(sent)),
        "whole_bits_by_category": json.dumps(bits_by_category(whole)),
        "asked": asked.tolist(),
        "right": right.astype(int).tolist(),
    }


@functools.lru_cache(maxsize=64)
def bits_by_category(base: KnowledgeBase) -> dict[str, int]:
    """Return the bits that it would take to send the passages of each category by themselves."""
    own = np.array([passage.category for passage in base.passages])
    return {category: base.select(np.flatnonzero(own == category)).size_bits for category in base.categories}
