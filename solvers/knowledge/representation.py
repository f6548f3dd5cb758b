"""What agents know, as vectors, as a graph or as a topology, behind one interface for teachers, students and peers.

Passages are the same in all three; what finds them and what is sent differs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from solvers.knowledge.compress.compression import compress
from solvers.knowledge.store import wire
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure import changes
from solvers.knowledge.structure.concepts import ByConcepts
from solvers.knowledge.structure.graph import KnowledgeGraph
from solvers.knowledge.structure.hops import search_hops
from solvers.knowledge.structure.topology import KnowledgeTopology

STRUCTURES: dict[str, type[ByConcepts]] = {"graph": KnowledgeGraph, "topology": KnowledgeTopology}
REPRESENTATIONS = ("vectors", *STRUCTURES)
STEPS = 8
"""Halvings in which the passages of a compressed graph or topology are chosen."""


class Held(Protocol):
    """Knowledge as an agent holds it: a base of vectors, a graph or a topology."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages."""

    @property
    def size_bits(self) -> int:
        """The bits of the message of all of it."""

    def __len__(self) -> int: ...

    def to_bytes(self) -> bytes:
        """Return the message of all of it."""


class Representation(Protocol):
    """How an agent represents knowledge; teacher and student need the same one."""

    name: str
    near: float
    """A question counts as open where the best score is below this."""

    def build(self, passages: Iterable[Passage]) -> Any:
        """Return knowledge of passages."""

    def grow(self, held: Any, passages: Iterable[Passage]) -> Any:
        """Return knowledge with further passages, which replace those with the same keys."""

    def decode(self, message: bytes) -> Any:
        """Return the knowledge in a message of all of it; raise ValueError where it cannot be read."""

    def difference(self, old: Any, new: Any) -> bytes:
        """Return the message that makes ``new`` of ``old``."""

    def apply(self, old: Any, update: bytes) -> Any:
        """Return the knowledge that a difference makes of ``old``; raise ValueError where it cannot be read."""

    def search(
        self, held: Any, texts: Sequence[str], k: int, exclude_groups: Sequence[str | Collection[str]] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k passages (Q, k) that suit each text best, and their scores; −1 and −inf where fewer do."""

    def compress(self, held: Any, ratio: float, **options: Any) -> Any:
        """Return the most useful part of knowledge at a ratio of the bits of its message."""


class Vectors:
    """Passages with a vector each, found by the similarity to a question.

    Parameters
    ----------
    encoder
        The encoder of passages and questions.
    precision
        Of the vectors in messages; None sends texts alone.
    """

    name, near = "vectors", 0.5

    def __init__(self, encoder: Encoder, precision: str | None = None) -> None:
        self.encoder, self.precision = encoder, precision

    def build(self, passages: Iterable[Passage]) -> KnowledgeBase:
        """Encode passages."""
        return KnowledgeBase.build(tuple(passages), self.encoder, self.precision)

    def grow(self, held: KnowledgeBase, passages: Iterable[Passage]) -> KnowledgeBase:
        """Return the base with further passages, at its own precision."""
        return held.merge(KnowledgeBase.build(passages, self.encoder, held.precision))

    def decode(self, message: bytes) -> KnowledgeBase:
        """Return the base in a message; raise ValueError if it is bad, or of another encoder."""
        return self._checked(wire.from_bytes(message, self.encoder))

    def difference(self, old: KnowledgeBase, new: KnowledgeBase) -> bytes:
        """Return the message that makes ``new`` of ``old``."""
        return wire.difference(old, new)

    def apply(self, old: KnowledgeBase, update: bytes) -> KnowledgeBase:
        """Return the base that a difference makes of ``old``; raise ValueError if the message is bad."""
        return self._checked(wire.apply(old, update, self.encoder))

    def search(
        self,
        held: KnowledgeBase,
        texts: Sequence[str],
        k: int,
        exclude_groups: Sequence[str | Collection[str]] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k passages (Q, k) nearest to each text, and their similarities."""
        return held.search(self.encoder.encode(texts), k, exclude_groups)

    def compress(self, held: KnowledgeBase, ratio: float, **options: Any) -> KnowledgeBase:
        """Return the most useful part of a base; see :func:`solvers.knowledge.compress.compression.compress`."""
        return compress(held, ratio, encoder=self.encoder, **options)

    def _checked(self, base: KnowledgeBase) -> KnowledgeBase:
        if base.vectors.shape[1] != self.encoder.dimension:
            raise ValueError(
                f"the message has vectors of {base.vectors.shape[1]} numbers, but {self.encoder.name} makes "
                f"{self.encoder.dimension}: teacher and student need the same encoder"
            )
        return base


class Structured:
    """Passages found by a walk over several hops between their concepts: a graph or a topology.

    Parameters
    ----------
    name
        ``"graph"`` or ``"topology"``.
    hops
        Of the walk; see :mod:`solvers.knowledge.structure.hops`.
    encoder
        By which a teacher chooses passages where it compresses; only that needs one.

    Raises
    ------
    ValueError
        If the name is unknown, or there is no hop.
    """

    near = 0.05

    def __init__(self, name: str = "graph", hops: int = 2, encoder: Encoder | None = None) -> None:
        check_name("structure", name, STRUCTURES)
        self.name, self.hops, self.encoder = name, integer("hops", hops, 1), encoder
        self._type = STRUCTURES[name]

    def build(self, passages: Iterable[Passage]) -> ByConcepts:
        """Read passages."""
        return self._type.build(passages)

    def grow(self, held: ByConcepts, passages: Iterable[Passage]) -> ByConcepts:
        """Read the passages that are held and further ones, in this order."""
        new = {passage.key: passage for passage in passages}
        return self.build([*(own for own in held.passages if own.key not in new), *new.values()])

    def decode(self, message: bytes) -> ByConcepts:
        """Return the structure in a message; raise ValueError if it is bad."""
        return self._type.from_bytes(message)

    def difference(self, old: ByConcepts, new: ByConcepts) -> bytes:
        """Return the message that makes ``new`` of ``old``."""
        return changes.difference(old, new)

    def apply(self, old: ByConcepts, update: bytes) -> ByConcepts:
        """Return the structure that a difference makes of ``old``; raise ValueError if the message is bad."""
        return changes.apply(old, update)

    def search(
        self,
        held: ByConcepts,
        texts: Sequence[str],
        k: int,
        exclude_groups: Sequence[str | Collection[str]] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k passages (Q, k) that the walk reaches most from each text, and their shares of its visits."""
        if exclude_groups is None:
            return search_hops(held, texts, k, self.hops)
        excluded = [{own} - {""} if isinstance(own, str) else set(own) for own in exclude_groups]
        members = [{p for p, each in enumerate(held.passages) if each.group in own} for own in excluded]
        indices, scores = search_hops(held, texts, k + max(map(len, members), default=0), self.hops)
        for row, score, own in zip(indices, scores, members, strict=True):
            last = np.isin(row, list(own)) | (row < 0)
            order = np.argsort(last, kind="stable")
            row[:], score[:] = np.where(last, -1, row)[order], np.where(last, -np.inf, score)[order]
        return indices[:, :k], scores[:, :k]

    def compress(self, held: ByConcepts, ratio: float, **options: Any) -> ByConcepts:
        """Return the structure of the most useful passages, whose message takes at most a ratio of the bits.

        Passages are chosen as for vectors, by the encoder. It is empty where not one passage fits.

        Raises
        ------
        ValueError
            If the ratio is out of range, or there is no encoder.
        """
        if ratio == 1 and not options.get("ratios"):
            return held
        if self.encoder is None:
            raise ValueError(f"the passages of a compressed {self.name} are chosen by an encoder: give one")
        base = KnowledgeBase.build(held.passages, self.encoder)
        kept, low, high = self._type.build(()), 0.0, float(ratio)
        ratios: Mapping[str, float] = options.pop("ratios", None) or {}
        for step in range(STEPS):
            share = high if step == 0 else (low + high) / 2
            by = {name: own * share / max(ratio, 1e-9) for name, own in ratios.items()} or None
            tried = self._type.build(compress(base, share, ratios=by, encoder=self.encoder, **options).passages)
            if tried.size_bits <= ratio * held.size_bits:
                kept, low = tried, share
                if step == 0:
                    break
            else:
                high = share
        return kept


def representation(name: str, encoder: Encoder, precision: str | None = None, hops: int = 2) -> Representation:
    """Return a representation by its name: ``"vectors"``, ``"graph"`` or ``"topology"``."""
    check_name("representation", name, REPRESENTATIONS)
    return Vectors(encoder, precision) if name == "vectors" else Structured(name, hops, encoder)
