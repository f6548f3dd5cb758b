"""Approximate search (faiss), faster than a comparison with every vector, and the share of hits that it misses.

:meth:`solvers.knowledge.store.base.KnowledgeBase.search` compares with all vectors, which suits bases that are sent:
ten thousand passages take about a millisecond a question. An index is for much larger bases.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from secagent_env.support.extras import require
from solvers.knowledge.store.lookup import no_results

KINDS = ("exact", "hnsw", "ivf")
NEIGHBOURS = 32
"""Links of each vector in an HNSW graph."""
TRAINED_BY = 39
"""The number of vectors for each list below which faiss warns."""


class VectorIndex:
    """The nearest of many vectors by inner product.

    Parameters
    ----------
    vectors
        (P, d).
    kind
        ``"exact"``: all are compared. ``"hnsw"``: a graph of near neighbours is walked (hierarchical navigable small
        world). ``"ivf"``: vectors are in lists around centres, and the lists of the nearest centres are compared.
    effort
        How many candidates a walk keeps (64 by default), or how many lists are compared (one in eight). More effort
        finds more, and takes longer.

    Raises
    ------
    ValueError
        If the kind is unknown, or the vectors are not (P, d) or not finite.
    ImportError
        If the extra ``knowledge`` is not installed.
    """

    def __init__(self, vectors: np.ndarray, kind: str = "exact", effort: int | None = None) -> None:
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise ValueError(f"vectors must be finite and of shape (P, d), got an array of shape {vectors.shape}")
        check_name("index", kind, KINDS)
        if effort is not None:
            integer("effort", effort, 1)
        self.kind = kind
        self._count, self._dimension = vectors.shape
        self._faiss: Any = require("faiss", extra="knowledge")
        with self._one_thread():  # or the graph depends on which thread is first
            self._index = self._built(vectors, effort)

    def __len__(self) -> int:
        return self._count

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return indices and scores (Q, k) of the vectors found nearest to queries (Q, d), the nearest first.

        As in ``KnowledgeBase.search``, they are -1 and -inf where fewer were found.
        """
        queries = np.ascontiguousarray(np.atleast_2d(queries), np.float32)
        if queries.shape[1] != self._dimension:
            raise ValueError(f"queries must have {self._dimension} numbers each, got {queries.shape[1]}")
        indices, scores = no_results(len(queries), k)
        most = min(k, self._count)
        if most and len(queries):
            with self._one_thread():
                scores[:, :most], indices[:, :most] = self._index.search(queries, most)
        scores[indices < 0] = -np.inf
        return indices, scores

    def _built(self, vectors: np.ndarray, effort: int | None) -> Any:
        faiss = self._faiss
        if self.kind == "exact":
            index = faiss.IndexFlatIP(self._dimension)
        elif self.kind == "hnsw":
            index = faiss.IndexHNSWFlat(self._dimension, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efSearch = effort or 64
        else:
            lists = max(1, min(round(4 * self._count**0.5), self._count // TRAINED_BY))
            centres = faiss.IndexFlatIP(self._dimension)
            index = faiss.IndexIVFFlat(centres, self._dimension, lists, faiss.METRIC_INNER_PRODUCT)
            index.nprobe = min(lists, effort or max(1, lists // 8))
            if len(vectors) >= TRAINED_BY:
                index.train(vectors)
            else:  # too few to learn from: one list around the origin
                index.train(np.zeros((TRAINED_BY, self._dimension), np.float32))
        if self._count:
            index.add(vectors)
        return index

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        threads = self._faiss.omp_get_max_threads()
        self._faiss.omp_set_num_threads(1)
        try:
            yield
        finally:
            self._faiss.omp_set_num_threads(threads)


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the share of the exact results (Q, k) that an index found, in any order; 1 where there are none."""
    total = hits = 0
    for row, exact_row in zip(found, exact, strict=True):
        nearest = {int(index) for index in exact_row if index >= 0}
        total += len(nearest)
        hits += len(nearest & {int(index) for index in row})
    return hits / total if total else 1.0
