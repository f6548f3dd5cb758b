"""A knowledge graph: concepts, the relations between them, and the passages that express each relation.

Concepts and relations are found by the rules of :mod:`solvers.knowledge.structure.concepts`. A question starts a random
walk from its concepts along the relations (personalised PageRank), and passages rank by the concepts that the walk
visits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from secagent_env.support.extras import require
from solvers.knowledge.store.lookup import no_results
from solvers.knowledge.store.message import numbers, pack_fields, passages_of, strings, unpack_fields
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure.concepts import BESIDE, ByConcepts, Concepts, Content

MAGIC = b"SAKG"
VERB_WEIGHT, BESIDE_WEIGHT = 2.0, 0.5
"""Weights, per passage, of a relation that a verb expresses, and of two neighbouring concepts without a verb."""
DAMPING = 0.3
"""The probability that a walk goes on: walks are short, since passages far from a question rarely answer it."""
STEPS = 8
BATCH = 128


class Relation(NamedTuple):
    """An edge: indices of two concepts, their relation, and the indices of the passages that express it."""

    subject: int
    relation: str
    object: int
    passages: tuple[int, ...]


class Triple(NamedTuple):
    """A relation in words."""

    subject: str
    relation: str
    object: str


@dataclass(frozen=True, eq=False)
class KnowledgeGraph(ByConcepts):
    """Concepts as nodes, relations as edges that remember their passages.

    Parameters
    ----------
    mentions
        For each passage the indices of its concepts.
    relations
        The edges.
    """

    noun = "graph"
    magic = MAGIC

    mentions: tuple[tuple[int, ...], ...]
    relations: tuple[Relation, ...]

    @classmethod
    def of_contents(cls, passages: Iterable[Passage], reader: Concepts, contents: Sequence[Content]) -> KnowledgeGraph:
        """Return the graph with these concepts and relations of each passage."""
        names = sorted({name for content in contents for name in content.concepts})
        place = {name: index for index, name in enumerate(names)}
        edges: dict[tuple[int, str, int], list[int]] = {}
        for number, content in enumerate(contents):
            for one, relation, other in content.relations:
                if one not in place or other not in place:
                    raise ValueError("the message is damaged: its relations have gaps")
                edges.setdefault((place[one], relation, place[other]), []).append(number)
        mentions = tuple(tuple(place[name] for name in content.concepts) for content in contents)
        relations = tuple(Relation(*edge, tuple(sources)) for edge, sources in sorted(edges.items()))
        return cls(tuple(passages), tuple(names), reader, mentions, relations)

    @cached_property
    def contents(self) -> list[Content]:
        """The concepts and the relations of each passage."""
        said: list[list[tuple[str, str, str]]] = [[] for _ in self.passages]
        for edge in self.relations:
            triple = self.concepts[edge.subject], edge.relation, self.concepts[edge.object]
            for passage in edge.passages:
                said[passage].append(triple)
        names = super().contents
        return [Content(own.concepts, tuple(sorted(triples))) for own, triples in zip(names, said, strict=True)]

    @classmethod
    def build(cls, passages: Iterable[Passage]) -> KnowledgeGraph:
        """Read passages into a graph; the same passages give the same graph."""
        kept = tuple(passages)
        reader = Concepts.learn(passage.text for passage in kept)
        known: dict[str, int] = {}
        mentions: list[tuple[int, ...]] = []
        edges: dict[tuple[int, str, int], list[int]] = {}
        for place, passage in enumerate(kept):
            before: int | None = None
            own: dict[int, None] = {}
            for mention in reader.mentions(passage.text):
                here = [known.setdefault(name, len(known)) for name in mention.concepts]
                own.update(dict.fromkeys(here))
                if before is not None and mention.relation is not None and before != here[0]:
                    sources = edges.setdefault((before, mention.relation, here[0]), [])
                    if place not in sources:
                        sources.append(place)
                before = here[0]
            mentions.append(tuple(own))
        relations = tuple(Relation(*edge, tuple(sources)) for edge, sources in edges.items())
        return cls(kept, tuple(known), reader, tuple(mentions), relations)

    @property
    def own(self) -> tuple[tuple[int, ...], ...]:
        """For each passage the indices of its concepts."""
        return self.mentions

    @cached_property
    def graph(self) -> Any:
        """The graph as a networkx.MultiDiGraph; edges have the keys ``relation``, ``passages`` and ``weight``."""
        graph = require("networkx", extra="knowledge").MultiDiGraph()
        graph.add_nodes_from(self.concepts)
        for edge in self.relations:
            names = self.concepts[edge.subject], self.concepts[edge.object]
            graph.add_edge(*names, relation=edge.relation, passages=edge.passages, weight=_weight(edge))
        return graph

    def search_texts(self, texts: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the k passages (Q, k) that a walk from the concepts of each text reaches most, and their scores."""
        indices, scores = no_results(len(texts), k)
        count = min(k, len(self))
        for start in range(0, len(texts) if count else 0, BATCH):
            visited = self.walk(texts[start : start + BATCH])
            reached = (self._relevance @ visited.T).T
            best = np.argsort(-reached, axis=1, kind="stable")[:, :count]
            rows = slice(start, start + len(best))
            indices[rows, :count] = best
            scores[rows, :count] = np.take_along_axis(reached, best, axis=1)
        indices[scores <= 0] = -1
        scores[scores <= 0] = -np.inf
        return indices, scores

    def walk(self, texts: Sequence[str]) -> np.ndarray:
        """Return the share of visits (Q, C) to each concept of a walk that restarts at the concepts of a text.

        The rows sum to one; they are zero for a text without known concepts. Rare concepts start more walks.
        """
        start = np.zeros((len(texts), len(self.concepts)))
        for row, text in zip(start, texts, strict=True):
            here = self.known(text)
            row[here] = self._rarity[here]
        total = start.sum(axis=1, keepdims=True)
        start /= np.where(total > 0, total, 1)
        visited = start
        for _ in range(STEPS):
            moved = (self._steps.T @ visited.T).T
            lost = visited.sum(axis=1, keepdims=True) - moved.sum(axis=1, keepdims=True)  # at concepts without edges
            visited = (1 - DAMPING) * start + DAMPING * (moved + lost * start)
        return visited

    def explain(self, text: str, passage: int) -> tuple[Triple, ...]:
        """Return why a passage was found: the shortest path from a concept of the text to one of the passage.

        A concept of both is explained by the passage's relations of it, or by the passage's key where it has none; ()
        if there is no path.
        """
        networkx = require("networkx", extra="knowledge")
        own = {self.concepts[place] for place in self.mentions[passage]}
        starts = [name for name in self.reader.of(text) if name in self.graph]
        shared = [name for name in starts if name in own]
        if shared:
            triples = [
                Triple(self.concepts[edge.subject], edge.relation, self.concepts[edge.object])
                for edge in self.relations
                if passage in edge.passages
                and (self.concepts[edge.subject] in shared or self.concepts[edge.object] in shared)
            ]
            return tuple(triples) or (Triple(shared[0], "in", self.passages[passage].key),)
        if not starts or not own:
            return ()
        plain = self.graph.to_undirected(as_view=True)
        paths = networkx.multi_source_dijkstra_path(plain, set(starts), weight=lambda *_: 1)
        reached = [paths[name] for name in sorted(own) if name in paths]
        path = min(reached, key=len, default=())
        return tuple(self._triple(one, other) for one, other in pairwise(path))

    def _triple(self, one: str, other: str) -> Triple:
        for subject, object_ in ((one, other), (other, one)):
            for data in (self.graph.get_edge_data(subject, object_) or {}).values():
                return Triple(subject, data["relation"], object_)
        raise AssertionError("a path has edges")  # pragma: no cover

    def to_bytes(self) -> bytes:
        """Return the graph as a message, with its passages."""
        names = sorted({edge.relation for edge in self.relations})
        place = {name: index for index, name in enumerate(names)}
        fields = self._fields(
            mentions=[list(own) for own in self.mentions],
            names=names,
            edges=[[edge.subject, place[edge.relation], edge.object] for edge in self.relations],
            said=[list(edge.passages) for edge in self.relations],
        )
        return pack_fields(MAGIC, fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> KnowledgeGraph:
        """Return the graph in a message; raise ValueError if it is foreign, cut, damaged or of another version."""
        fields = unpack_fields(MAGIC, data)
        passages, concepts, names = passages_of(fields), strings(fields, "concepts"), strings(fields, "names")
        mentions = numbers(fields, "mentions", len(concepts))
        edges = numbers(fields, "edges", max(len(concepts), len(names)))
        sources = numbers(fields, "said", len(passages))
        if (
            len(mentions) != len(passages)
            or len(sources) != len(edges)
            or any(len(edge) != 3 or max(edge[0], edge[2]) >= len(concepts) or edge[1] >= len(names) for edge in edges)
        ):
            raise ValueError("the message is damaged: its graph has gaps")
        relations = tuple(
            Relation(subject, names[name], object_, tuple(where))
            for (subject, name, object_), where in zip(edges, sources, strict=True)
        )
        reader = Concepts.from_fields(fields)
        return cls(passages, tuple(concepts), reader, tuple(map(tuple, mentions)), relations)

    @cached_property
    def _rarity(self) -> np.ndarray:
        """The weight (C,) of each concept: the logarithm of one over the share of passages with it, smoothed."""
        counts = np.bincount([place for own in self.mentions for place in own], minlength=len(self.concepts))
        return np.asarray(np.log((1 + len(self)) / (0.5 + counts)))

    @cached_property
    def _steps(self) -> Any:
        """The probability (C, C) of each step of the walk, along or against an edge."""
        ends = np.array([(edge.subject, edge.object) for edge in self.relations], int).reshape(-1, 2)
        weights = np.array([_weight(edge) for edge in self.relations])
        sparse = require("scipy.sparse", extra="knowledge")
        size = (len(self.concepts),) * 2
        both = sparse.csr_array(
            (np.tile(weights, 2), (np.r_[ends[:, 0], ends[:, 1]], np.r_[ends[:, 1], ends[:, 0]])), size
        )
        total = both.sum(axis=1)
        return sparse.diags_array(1 / np.where(total > 0, total, 1)) @ both

    @cached_property
    def _relevance(self) -> Any:
        """The gain (P, C) of a passage from a visit of a concept: large for rare ones, small in passages with many."""
        sparse = require("scipy.sparse", extra="knowledge")
        rows = np.repeat(np.arange(len(self)), [len(own) for own in self.mentions])
        cells = np.array([place for own in self.mentions for place in own], int)
        length = np.sqrt(np.maximum(1, np.bincount(rows, self._rarity[cells] ** 2, minlength=len(self))))
        values = self._rarity[cells] / length[rows]
        return sparse.csr_array((values, (rows, cells)), (len(self), len(self.concepts)))


def _weight(edge: Relation) -> float:
    return (BESIDE_WEIGHT if edge.relation == BESIDE else VERB_WEIGHT) * len(edge.passages)
