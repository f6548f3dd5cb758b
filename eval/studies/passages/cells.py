"""The cells of ``secagent study passages``: questions answered from planned passages. Only numbers leave them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.experiments.knowledge_transfer.cells import Block, blocks
from eval.experiments.knowledge_transfer.vocabulary import Terms
from eval.experiments.question_source import load
from eval.sweep import promises
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, numbers, returns
from secagent_env.questions import Question
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.lookup import group_of, query
from solvers.planning import make
from solvers.planning.passages import Choice, Reading, planned_answer

FUNCTION = "eval.studies.passages.cells"
TERMS, EXPLANATIONS = "vocabulary", "explanations"
NEAREST = 10
"""Passages that a plan chooses from."""
LABEL = "label"
"""The reward of a control that no agent can have: whether the answer is right."""
FOUND = columns(right=numbers, passages=promises.number)


@returns(FOUND)
def planned(cell: Cell) -> Row:
    """Return which answers from planned passages are right, and how many passages they are from in the mean."""
    options = cell.options
    reward = _by_label if options["reward"] == LABEL else options["reward"]
    right, passages = [], []
    for number, reading in enumerate(_readings(cell)):
        answer, choice = planned_answer(
            reading, make(options["planner"]), reward, options["budget"], cell.seed + number
        )
        right.append(answer.option == reading.question.answer)
        passages.append(len(choice))
    return {"right": np.array(right, int), "passages": float(np.mean(passages))}


@returns(FOUND)
def nearest(cell: Cell) -> Row:
    """Return the same of the ``count`` nearest passages, without a plan."""
    readings = _readings(cell)
    choices = [tuple(range(min(cell.options["count"], len(reading.texts)))) for reading in readings]
    answers = [reading.answer(choice) for reading, choice in zip(readings, choices, strict=True)]
    right = [told.option == reading.question.answer for told, reading in zip(answers, readings, strict=True)]
    return {"right": np.array(right, int), "passages": float(np.mean([len(choice) for choice in choices]))}


def _by_label(reading: Reading, choices: Sequence[Choice]) -> list[float]:
    return [float(reading.answer(choice).option == reading.question.answer) for choice in choices]


def _readings(cell: Cell) -> list[Reading]:
    own = cell.options
    return _read(own["knowledge"], own["source"], own["path"], own["questions"], cell.seed, own["vocabulary"])


@functools.lru_cache(maxsize=2)
def _read(
    knowledge: str, source: str, path: str | None, count: int, seed: int, vocabulary: str | None
) -> list[Reading]:
    """Return the questions with the texts nearest to them; those of a question's own group are none of them."""
    available = load(source, path)
    if knowledge == TERMS:
        terms = Terms(available, count, seed, Path(vocabulary or ""))
        return _nearest(terms.asked, terms.whole, terms, [() for _ in terms.asked])
    block = Block(available, blocks(available, count, seed)[0], seed)
    return _nearest(block.asked, block.whole, block, [group_of(question) for question in block.asked])


def _nearest(
    asked: Sequence[Question], base: KnowledgeBase, of: Terms | Block, groups: Sequence[Sequence[str]]
) -> list[Reading]:
    vectors = of.encoder.encode([query(question) for question in asked])
    found, similarity = base.search(vectors, NEAREST, exclude_groups=groups)
    return [
        Reading(question, tuple(base.passages[number].text for number in row if number >= 0), own[row >= 0], of.reader)
        for question, row, own in zip(asked, found, similarity, strict=True)
    ]
