"""A topological representation: a simplicial complex over the concepts that occur together.

The rarest concepts of a passage form a simplex with all its faces: two concepts are an edge, three that occur together
fill a triangle. So relations of more than two concepts are kept, which a graph cannot express. A question finds the
passages whose simplices share the largest face with its concepts.

Betti numbers describe a whole corpus: the number of its connected parts, and the number of cycles of concepts that no
passage fills. They do not help to find a passage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations

import numpy as np

from secagent_env.support.checks import integer
from solvers.knowledge.store.lookup import no_results
from solvers.knowledge.store.message import numbers, pack_fields, passages_of, strings, unpack_fields
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure.concepts import ByConcepts, Concepts, Content

MAGIC = b"SAKT"
VERTICES = 8
"""The most concepts of a simplex; with d of them it has 2^d − 1 faces."""
Simplex = tuple[int, ...]
"""Vertices in rising order."""


class Complex:
    """A simplicial complex, given by some simplices, each a collection of vertices; all their faces belong to it."""

    def __init__(self, simplices: Iterable[Iterable[int]]) -> None:
        given = {tuple(sorted(set(simplex))) for simplex in simplices}
        self.given = tuple(sorted(simplex for simplex in given if simplex))

    def faces(self, dimension: int) -> list[Simplex]:
        """Return the simplices of a dimension: 0 for vertices, 1 for edges, 2 for triangles."""
        return sorted({face for simplex in self.given for face in combinations(simplex, dimension + 1)})

    @property
    def dimension(self) -> int:
        """The largest dimension; -1 for the empty complex."""
        return max(map(len, self.given), default=0) - 1

    @property
    def euler_characteristic(self) -> int:
        """The alternating sum of the numbers of faces: vertices − edges + triangles and so on."""
        return sum((-1) ** dimension * len(self.faces(dimension)) for dimension in range(self.dimension + 1))

    def betti(self, dimension: int) -> int:
        """Return a Betti number over GF(2): the number of parts (0), of unfilled cycles (1), of voids (2)."""
        return len(self.faces(dimension)) - self._rank(dimension) - self._rank(dimension + 1)

    def star(self, face: Iterable[int]) -> list[Simplex]:
        """Return the given simplices that have a face."""
        return [simplex for simplex in self.given if set(face) <= set(simplex)]

    def link(self, face: Iterable[int]) -> Complex:
        """Return the complex of the simplices of a face's star without the face itself."""
        return Complex(set(simplex) - set(face) for simplex in self.star(face))

    def _rank(self, dimension: int) -> int:
        """Return the rank of the boundary of faces of a dimension over GF(2), by column reduction."""
        if dimension < 1:
            return 0
        place = {face: index for index, face in enumerate(self.faces(dimension - 1))}
        pivots: dict[int, set[int]] = {}
        for face in self.faces(dimension):
            column = {place[side] for side in combinations(face, dimension)}
            while column and max(column) in pivots:
                column = column ^ pivots[max(column)]
            if column:
                pivots[max(column)] = column
        return len(pivots)


@dataclass(frozen=True, eq=False)
class KnowledgeTopology(ByConcepts):
    """Passages as simplices of concepts, which are the vertices.

    Parameters
    ----------
    simplices
        The vertices of each passage in rising order; () if it shares no concept with others.
    """

    noun = "topology"
    magic = MAGIC

    simplices: tuple[Simplex, ...]

    @classmethod
    def of_contents(
        cls, passages: Iterable[Passage], reader: Concepts, contents: Sequence[Content]
    ) -> KnowledgeTopology:
        """Return the topology with these vertices of each passage."""
        names = sorted({name for content in contents for name in content.concepts})
        place = {name: index for index, name in enumerate(names)}
        simplices = tuple(tuple(sorted({place[name] for name in content.concepts})) for content in contents)
        return cls(tuple(passages), tuple(names), reader, simplices)

    @classmethod
    def build(cls, passages: Iterable[Passage], vertices: int = VERTICES) -> KnowledgeTopology:
        """Make a simplex of each passage from its rarest concepts, among those that another passage has too."""
        integer("vertices", vertices, 1)
        kept = tuple(passages)
        reader = Concepts.learn(passage.text for passage in kept)
        mentioned = [reader.of(passage.text) for passage in kept]
        counts = Counter(chain.from_iterable(mentioned))
        chosen = [
            sorted((name for name in own if counts[name] > 1), key=lambda name: (counts[name], name))[:vertices]
            for own in mentioned
        ]
        concepts = sorted(set(chain.from_iterable(chosen)))
        place = {name: index for index, name in enumerate(concepts)}
        simplices = tuple(tuple(sorted(place[name] for name in own)) for own in chosen)
        return cls(kept, tuple(concepts), reader, simplices)

    @property
    def own(self) -> tuple[tuple[int, ...], ...]:
        """For each passage its vertices."""
        return self.simplices

    @cached_property
    def complex(self) -> Complex:
        """The complex of all simplices and their faces."""
        return Complex(self.simplices)

    def shared_faces(self, text: str) -> dict[int, tuple[str, ...]]:
        """Return the largest face that each passage shares with the concepts of a text, where they share any."""
        faces: dict[int, list[int]] = {}
        for vertex in sorted(self.known(text)):
            for passage in self._passages_of[vertex]:
                faces.setdefault(passage, []).append(vertex)
        return {passage: tuple(self.concepts[vertex] for vertex in face) for passage, face in faces.items()}

    def search_texts(self, texts: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the k passages (Q, k) that share the largest faces with the concepts of each text, and their scores.

        A score is the number of vertices of the face, plus up to one for rare ones.
        """
        indices, scores = no_results(len(texts), k)
        for row, text in enumerate(texts):
            size = np.zeros(len(self), np.float32)
            for vertex in self.known(text):
                here = self._passages_of[vertex]
                size[here] += 1 + 1 / (VERTICES * len(here))
            best = np.argsort(-size, kind="stable")[:k]
            best = best[size[best] > 0]
            indices[row, : len(best)] = best
            scores[row, : len(best)] = size[best]
        return indices, scores

    def to_bytes(self, faces: bool = False) -> bytes:
        """Return the complex as a message, with its passages; with a list of all ``faces``, 2^d − 1 for d vertices.

        The message reads the same without: a simplex implies its faces.
        """
        fields = self._fields(simplices=[list(simplex) for simplex in self.simplices])
        if faces:
            fields["faces"] = [
                face
                for simplex in self.complex.given
                for size in range(1, len(simplex))
                for face in combinations(simplex, size)
            ]
        return pack_fields(MAGIC, fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> KnowledgeTopology:
        """Return the complex in a message; raise ValueError if it is foreign, cut, damaged or of another version."""
        fields = unpack_fields(MAGIC, data)
        passages, concepts = passages_of(fields), strings(fields, "concepts")
        simplices = tuple(map(tuple, numbers(fields, "simplices", len(concepts))))
        rising = all(simplex == tuple(sorted(set(simplex))) for simplex in simplices)
        if len(simplices) != len(passages) or not rising:
            raise ValueError("the message is damaged: its simplices have gaps")
        return cls(passages, tuple(concepts), Concepts.from_fields(fields), simplices)

    @cached_property
    def _passages_of(self) -> list[list[int]]:
        """The passages of each vertex."""
        passages: list[list[int]] = [[] for _ in self.concepts]
        for passage, simplex in enumerate(self.simplices):
            for vertex in simplex:
                passages[vertex].append(passage)
        return passages
