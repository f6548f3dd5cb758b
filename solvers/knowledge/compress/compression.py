"""Semantic compression: the most useful knowledge within a share of the bits (GenAINet, III-A and IV-A).

Three levers, in this order: vectors at eight bits, where the base has finer ones; shorter texts, by rules
(:mod:`solvers.knowledge.compress.shortening`) or by a writer such as a language model; and a choice of passages, by
their use for the expected questions, by their news beside the passages chosen before, and by their bits. A ratio is one
of messages: the bits of the compressed base to those of the whole base.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from secagent_env.support.checks import number
from secagent_env.support.errors import check_name
from solvers.knowledge.compress.shortening import leading_sentences, shorten
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.quantisation import bytes_per_vector

Writer = Callable[[str], str]

REPRESENTATIVES = 2048
"""The most queries that are compared with; they are drawn from those given, or from the base itself."""
COARSE = "int8"


def compress(
    base: KnowledgeBase,
    ratio: float,
    *,
    queries: np.ndarray | None = None,
    ratios: Mapping[str, float] | None = None,
    shortening: str | None = None,
    writer: Writer | None = None,
    encoder: Encoder | None = None,
    seed: int = 0,
) -> KnowledgeBase:
    """Return the part of a base that is most useful at a ratio of its bits.

    Parameters
    ----------
    base
        The whole base.
    ratio
        From 0, which leaves nothing, to 1, which leaves the base as it is.
    queries
        Vectors (Q, d) of questions like the expected ones. Without them the vectors of the passages take their place.
    ratios
        Ratios by category, in place of ``ratio``.
    shortening
        ``"light"`` or ``"telegraphic"`` texts, or the ``"leading"`` sentence of each, the one nearest to the whole
        text; None leaves texts as they are.
    writer
        Returns a shorter text, as :class:`solvers.knowledge.language.summaries.Summariser` does; longer and empty ones
        are ignored. If it has a method ``prepare``, that is called with all texts first.
    encoder
        Encodes shortened texts anew. Without it a shortened passage keeps the vector of the whole text, which the
        receiver can have only where vectors are sent.
    seed
        The seed of the choice of representatives.

    Returns
    -------
    KnowledgeBase
        ``size_bits`` is at most the ratio times that of the base (or of each category); passages are in the order of
        the base. It is empty where not even one passage fits.

    Raises
    ------
    ValueError
        If a ratio is not from 0 to 1, a category is unknown, or shorter texts without vectors lack an encoder.
    """
    number("ratio", ratio, 0, 1)
    if queries is not None:
        queries = np.atleast_2d(np.asarray(queries, np.float32))
        if queries.shape[1] != base.vectors.shape[1]:
            raise ValueError(f"queries must have {base.vectors.shape[1]} numbers each, got {queries.shape[1]}")
        if not np.isfinite(queries).all():
            raise ValueError("queries must be finite numbers")
    if (shortening or writer) and base.precision is None and encoder is None:
        raise ValueError("shorter texts have other vectors, which the receiver computes: give the encoder")
    if ratios is not None:
        return _by_category(
            base, ratio, ratios, queries=queries, shortening=shortening, writer=writer, encoder=encoder, seed=seed
        )
    if ratio == 1 or not len(base):
        return base
    budget = ratio * base.size_bits
    short = _shorter(base, shortening, writer, encoder)
    if short.precision in ("float32", "float16"):
        short = short.at_precision(COARSE)
    if short.size_bits <= budget:
        return short
    order = ranking(short, queries, seed)
    return short.select(np.sort(order[: _most(short, order, budget)]))


def ranking(base: KnowledgeBase, queries: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Return the indices of the passages (P,) in the order in which they should be sent.

    The next passage is the one with the largest gain per bit in the sum over the queries of the similarity to the
    nearest passage sent (facility location, greedy with lazy evaluation). A passage that repeats another one gains
    nothing. Ties: by the largest similarity to a query.
    """
    rng = np.random.default_rng(seed)
    expected = base.vectors if queries is None or not len(queries) else queries
    if len(expected) > REPRESENTATIVES:
        expected = expected[np.sort(rng.choice(len(expected), REPRESENTATIVES, replace=False))]
    similar = np.maximum(base.vectors @ expected.T, 0.0)  # (P, Q)
    cost = _costs(base)
    nearest = similar.max(axis=1, initial=0.0)
    reached = np.zeros(similar.shape[1], np.float32)
    gains = similar.sum(axis=1) / cost
    heap = list(zip((-gains).tolist(), (-nearest).tolist(), range(len(base)), strict=True))
    heapq.heapify(heap)
    order = []
    while heap:
        old, near, index = heapq.heappop(heap)
        gain = float(np.maximum(similar[index] - reached, 0.0).sum() / cost[index]) if old < 0 else 0.0
        if heap and (-gain, near, index) > heap[0] and old < 0:
            heapq.heappush(heap, (-gain, near, index))
            continue
        order.append(index)
        np.maximum(reached, similar[index], out=reached)
    return np.array(order, int)


def _costs(base: KnowledgeBase) -> np.ndarray:
    """Return an estimate of the bits of each passage in a message."""
    vector = 8 * bytes_per_vector(base.precision, base.vectors.shape[1]) if base.precision is not None else 0
    fields = (f'"{p.key}","{p.text}","{p.category}","{p.group}",' for p in base.passages)
    plain = np.array([len(field.encode(errors="replace")) for field in fields])
    texts = base.size_bits - vector * len(base)
    return vector + plain * (texts / plain.sum() if len(base) else 1.0)


def adaptive_ratios(
    ratio: float, curves: Mapping[str, Sequence[tuple[float, float]]], bits: Mapping[str, float]
) -> dict[str, float]:
    """Return the ratio of each category that gives most right answers within a ratio of all bits.

    Parameters
    ----------
    ratio
        The share of all bits that may be sent.
    curves
        By category, the right answers expected at some ratios, ``(ratio, right answers)``; 0 and 1 are among the
        ratios. Only the increasing concave hull counts: points below it are noise, or ratios that never pay.
    bits
        By category, the bits of all its knowledge.

    Raises
    ------
    ValueError
        If a ratio is not from 0 to 1, or a category has no curve from 0 to 1, or no bits.
    """
    number("ratio", ratio, 0, 1)
    steps = []
    for category, curve in curves.items():
        check_name("category", category, bits)
        hull = _hull(category, curve)
        for (low, before), (high, after) in itertools.pairwise(hull):
            cost = (high - low) * bits[category]
            steps.append(((after - before) / cost if cost > 0 else math.inf, category, low, high))
    budget = ratio * sum(bits[category] for category in curves)
    ratios = dict.fromkeys(curves, 0.0)
    for _, category, low, high in sorted(steps, key=lambda step: -step[0]):
        cost = (high - low) * bits[category]
        share = 1.0 if cost <= budget else budget / cost
        ratios[category] = low + share * (high - low)
        budget -= share * cost
        if share < 1:
            break
    return ratios


def missing(base: KnowledgeBase, queries: np.ndarray, threshold: float) -> np.ndarray:
    """Return the queries (Q, d) without a near passage, (Q,) bool: the largest inner product is below a threshold."""
    _, scores = base.search(queries, 1)
    return scores[:, 0] < threshold


def _hull(category: str, curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the increasing concave hull of a curve."""
    points = sorted((float(at), float(value)) for at, value in curve)
    for at, _ in points:
        number(f"a ratio of {category}", at, 0, 1)
    if not points or points[0][0] != 0 or points[-1][0] != 1:
        raise ValueError(f"the curve of {category} must reach from the ratio 0 to 1")
    highest = max(range(len(points)), key=lambda index: points[index][1])  # the first one: points beyond never pay
    hull: list[tuple[float, float]] = []
    for point in points[: highest + 1]:
        while len(hull) >= 2 and _slope(hull[-2], hull[-1]) <= _slope(hull[-1], point):
            hull.pop()
        if not hull or point[1] > hull[-1][1]:
            hull.append(point)
    return hull if hull[-1][0] == 1 else [*hull, (1.0, hull[-1][1])]


def _slope(first: tuple[float, float], second: tuple[float, float]) -> float:
    return (second[1] - first[1]) / (second[0] - first[0])


def _by_category(base: KnowledgeBase, ratio: float, ratios: Mapping[str, float], **options: Any) -> KnowledgeBase:
    for category, own in ratios.items():
        check_name("category", category, base.categories)
        number(f"the ratio of {category}", own, 0, 1)
    parts = [base.select([])]
    for category in base.categories:
        rows = np.flatnonzero([passage.category == category for passage in base.passages])
        parts.append(compress(base.select(rows), ratios.get(category, ratio), **options))
    if any(part.precision == COARSE for part in parts):
        parts = [part.at_precision(COARSE) for part in parts]
    whole = reduce(KnowledgeBase.merge, parts)
    place = {passage.key: index for index, passage in enumerate(base.passages)}
    return whole.select(np.argsort([place[passage.key] for passage in whole.passages]))


def _shorter(
    base: KnowledgeBase, shortening: str | None, writer: Writer | None, encoder: Encoder | None
) -> KnowledgeBase:
    if shortening is None and writer is None:
        return base
    texts = [passage.text for passage in base.passages]
    if writer is not None:
        if hasattr(writer, "prepare"):
            writer.prepare(texts)
        written = [writer(text) for text in texts]
        texts = [new if new.strip() and len(new) < len(old) else old for new, old in zip(written, texts, strict=True)]
    if shortening == "leading":
        if encoder is None:
            raise ValueError("leading sentences are found by their meaning: give the encoder")
        texts = leading_sentences(texts, encoder)
    elif shortening is not None:
        texts = [shorten(text, shortening) for text in texts]
    passages = tuple(replace(passage, text=text) for passage, text in zip(base.passages, texts, strict=True))
    if encoder is not None:
        return KnowledgeBase.build(passages, encoder, base.precision)
    return KnowledgeBase(passages, base.vectors, base.precision)


def _most(base: KnowledgeBase, order: np.ndarray, budget: float) -> int:
    """Return the number of passages, in this order, that fit into the budget, bit."""

    def fits(count: int) -> bool:
        return base.select(np.sort(order[:count])).size_bits <= budget

    # Messages are slow to make: the search starts at the number that the estimated costs give, and widens.
    low, high = 0, len(order) + 1  # fits, does not fit
    middle = int(np.searchsorted(np.cumsum(_costs(base)[order]), budget))
    step = 1 + len(order) // 200
    while high - low > 1:
        middle = min(max(middle, low + 1), high - 1)
        if fits(middle):
            low, middle = middle, middle + step
        else:
            high, middle = middle, middle - step
        if low > 0 and high <= len(order):
            middle = (low + high) // 2
        step *= 2
    return low
