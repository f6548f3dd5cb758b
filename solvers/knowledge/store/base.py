"""The knowledge base: passages, their vectors, and the search for the passages nearest to a question."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.lookup import no_results
from solvers.knowledge.store.message import WHOLE, columns, pack_base
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.store.quantisation import check_precision, round_trip


@dataclass(frozen=True, eq=False)
class KnowledgeBase:
    """Passages with a unit vector each.

    Parameters
    ----------
    passages
        P of them; their keys are unique.
    vectors
        (P, d) float32, to be compared with the vector of a question.
    precision
        Of the vectors in a message: ``"float32"``, ``"float16"``, ``"int8"`` or ``"binary"``; None sends texts alone,
        and the receiver encodes them.

    Raises
    ------
    ValueError
        If keys repeat, the sizes differ, a vector is not finite, or the precision is unknown.
    """

    passages: tuple[Passage, ...]
    vectors: np.ndarray
    precision: str | None = None

    def __post_init__(self) -> None:
        check_precision(self.precision)
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.passages):
            raise ValueError(
                f"a knowledge base needs a vector for each of its {len(self.passages)} passages, "
                f"got an array of shape {self.vectors.shape}"
            )
        if not np.isfinite(self.vectors).all():
            raise ValueError("the vectors of a knowledge base must be finite")
        keys = [passage.key for passage in self.passages]
        if len(set(keys)) < len(keys):
            raise ValueError(f"the key {max(keys, key=keys.count)!r} is given to two passages; keys must be unique")

    @classmethod
    def build(cls, passages: Iterable[Passage], encoder: Encoder, precision: str | None = None) -> Self:
        """Encode passages; the base has the vectors as they are after a journey at the precision."""
        kept = tuple(passages)
        vectors = encoder.encode([passage.text for passage in kept])
        return cls(kept, round_trip(vectors, precision), precision)

    def __len__(self) -> int:
        return len(self.passages)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories, in the order in which they come."""
        return tuple(dict.fromkeys(passage.category for passage in self.passages))

    def to_bytes(self) -> bytes:
        """Return the base as a message."""
        return pack_base(WHOLE, self.precision, columns(self.passages), self.vectors)

    @cached_property
    def size_bits(self) -> int:
        """The bits of the base as a message."""
        return 8 * len(self.to_bytes())

    def select(self, indices: Sequence[int] | np.ndarray) -> KnowledgeBase:
        """Return the base of some of the passages, in the order given."""
        rows = np.asarray(indices, int).reshape(-1)
        return KnowledgeBase(tuple(self.passages[i] for i in rows), self.vectors[rows], self.precision)

    def merge(self, other: KnowledgeBase) -> KnowledgeBase:
        """Return the base with the passages of another one, which replace passages with the same keys.

        Raises
        ------
        ValueError
            If the two differ in precision.
        """
        if self.precision != other.precision:
            raise ValueError(f"bases of {self.precision} and {other.precision} vectors do not merge")
        replaced = {passage.key for passage in other.passages}
        kept = [index for index, passage in enumerate(self.passages) if passage.key not in replaced]
        passages = (*(self.passages[index] for index in kept), *other.passages)
        return KnowledgeBase(passages, np.concatenate([self.vectors[kept], other.vectors]), self.precision)

    def at_precision(self, precision: str | None) -> KnowledgeBase:
        """Return the base with its vectors as they are after a journey at another precision."""
        return KnowledgeBase(self.passages, round_trip(self.vectors, precision), precision)

    def search(
        self, vectors: np.ndarray, k: int, exclude_groups: Sequence[str | Collection[str]] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k nearest passages of every query by inner product, by comparing with all of them.

        Parameters
        ----------
        vectors
            (Q, d).
        k
            How many.
        exclude_groups
            For each query the group, or groups, whose passages tell its answer, and are left out.

        Returns
        -------
        indices, scores
            (Q, k), the nearest first; -1 and -inf where there are fewer. Ties: the lower index first.
        """
        queries = np.atleast_2d(np.asarray(vectors, np.float32))
        indices, scores = no_results(len(queries), k)
        count = min(k, len(self))
        if not count:
            return indices, scores
        for start in range(0, len(queries), 512):  # so that the similarities stay small
            rows = slice(start, start + 512)
            similar = queries[rows] @ self.vectors.T
            if exclude_groups is not None:
                for row, groups in zip(similar, exclude_groups[rows], strict=True):
                    for group in (groups,) if isinstance(groups, str) else groups:
                        row[self._members.get(group, [])] = -np.inf
            near = (
                np.argsort(-similar, axis=1, kind="stable")[:, :count]
                if count > len(self) // 4
                else _top(similar, count)
            )
            indices[rows, :count] = near
            scores[rows, :count] = np.take_along_axis(similar, near, axis=1)
        indices[np.isneginf(scores)] = -1
        return indices, scores

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        """The indices of the passages of each named group."""
        members: dict[str, list[int]] = {}
        for index, passage in enumerate(self.passages):
            if passage.group:
                members.setdefault(passage.group, []).append(index)
        return members


def _top(similar: np.ndarray, k: int) -> np.ndarray:
    """Return the k largest of each row, in order; ties by the lower index."""
    threshold = np.partition(similar, -k, axis=1)[:, -k]
    top = np.empty((len(similar), k), int)
    for row, (values, least) in enumerate(zip(similar, threshold, strict=True)):
        candidates = np.flatnonzero(values >= least)
        top[row] = candidates[np.argsort(-values[candidates], kind="stable")[:k]]
    return top
