"""Search over several hops: from the concepts of a question to passages, to the concepts they share, to passages.

A walk goes to and fro between concepts and passages. It starts at the concepts of a question; from a concept it goes to
a passage that mentions it, all alike; from a passage to one of its concepts that another passage mentions too, and that
the question did not name, the rarer the likelier. Passages rank by their shares of the visits after one to ``hops``
steps, added up. So the second fact of a question is found by what it has in common with the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from secagent_env.support.checks import integer
from secagent_env.support.extras import require
from solvers.knowledge.store.lookup import no_results
from solvers.knowledge.structure.concepts import ByConcepts

STEEPNESS = 3.0
"""The power of the rarity with which a walk prefers rare concepts: names over words that many passages use."""
SHARPNESS = 4.0
"""Passages similar to the question are visited exp(4 · similarity) as often, where similarities are given."""
BATCH = 128


def search_hops(
    held: ByConcepts, texts: Sequence[str], k: int, hops: int = 2, similar: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the passages that a walk of several hops reaches most.

    Parameters
    ----------
    held
        P passages with their concepts: a graph or a topology.
    texts
        Q questions.
    k
        How many passages.
    hops
        The most steps from concepts to passages; 1 finds passages that share concepts with the question.
    similar
        (Q, P), the similarity of each passage to each question by a sentence encoder; None leaves it out.

    Returns
    -------
    indices, scores
        (Q, k), the best first; -1 and -inf where fewer are reached. Ties: the lower index first. The scores of all
        passages add up to the number of hops that found a way on.

    Raises
    ------
    ValueError
        If a number is out of range, or the similarities are of another shape.
    """
    integer("hops", hops, 1)
    indices, scores = no_results(len(texts), k)
    if similar is not None and similar.shape != (len(texts), len(held)):
        raise ValueError(f"similarities must have the shape {(len(texts), len(held))}, got {similar.shape}")
    count = min(k, len(held))
    for begin in range(0, len(texts) if count else 0, BATCH):
        rows = slice(begin, begin + BATCH)
        visits = walk(held, texts[rows], hops, None if similar is None else similar[rows])
        best = np.argsort(-visits, axis=1, kind="stable")[:, :count]
        indices[rows, :count] = best
        scores[rows, :count] = np.take_along_axis(visits, best, axis=1)
    indices[scores <= 0] = -1
    scores[scores <= 0] = -np.inf
    return indices, scores


def walk(held: ByConcepts, texts: Sequence[str], hops: int, similar: np.ndarray | None = None) -> np.ndarray:
    """Return the share of visits (Q, P) to each passage, added up over the hops; see :func:`search_hops`."""
    mentions = _mentions(held)
    counts = np.asarray(mentions.sum(axis=0)).ravel()
    rarity = np.log((1 + len(held)) / (0.5 + counts)) ** STEEPNESS
    start = np.zeros((len(texts), len(held.concepts)))
    for row, text in zip(start, texts, strict=True):
        named = held.known(text)
        row[named] = rarity[named]
    leads_on = np.where(start > 0, 0, np.where(counts > 1, rarity, 0))
    preferred = 1.0 if similar is None else np.exp(SHARPNESS * similar)
    here, total = _shares(start), np.zeros((len(texts), len(held)))
    for _ in range(hops):
        visits = _shares((mentions @ (here / np.maximum(counts, 1)).T).T * preferred)
        total += visits
        ways = (mentions @ leads_on.T).T  # (Q, P), what the ways on from a passage weigh in all
        onward = np.divide(visits, ways, out=np.zeros_like(visits), where=ways > 0)
        here = _shares(leads_on * (mentions.T @ onward.T).T)
    return total


def _mentions(held: ByConcepts) -> Any:
    """Return which passage mentions which concept, a sparse array (P, C) of ones."""
    sparse = require("scipy.sparse", extra="knowledge")
    rows = np.repeat(np.arange(len(held)), [len(own) for own in held.own])
    cells = np.array([place for own in held.own for place in own], int)
    return sparse.csr_array((np.ones(len(rows)), (rows, cells)), (len(held), len(held.concepts)))


def _shares(values: np.ndarray) -> np.ndarray:
    """Return rows that add up to one; rows of zeros stay so."""
    total = values.sum(axis=1, keepdims=True)
    return values / np.where(total > 0, total, 1)
