"""The cells of ``secagent study representations``: all representations of one corpus, timed and asked.

Times are of one run on one machine; compare them with each other.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.experiments.knowledge_transfer.cells import blocks
from eval.stats.statistics import Interval, share
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, returns, text
from secagent_env import questions
from secagent_env.questions import Question
from secagent_env.questions.loading import ENVIRONMENT_VARIABLE
from solvers.knowledge.corpus import explanations, vocabulary
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder, default_encoder
from solvers.knowledge.store.lookup import group_of
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.store.vectors import VectorIndex, recall
from solvers.knowledge.structure.graph import KnowledgeGraph
from solvers.knowledge.structure.topology import KnowledgeTopology
from solvers.reasoning.reader import RetrievalReader

FUNCTION = "eval.studies.representations.cells:represent"
FOUND = 5
"""Passages that are looked for."""
READ = 3
"""Passages that the reader is given."""
SPARE = 10
"""Further passages that are looked for, so that some are left without those of the question's own group."""
Search = Callable[[Sequence[str], int], np.ndarray]


@dataclass(frozen=True)
class Representation:
    """The figures of one representation of a corpus.

    Sizes are those of sending it with the texts of the passages. Times are those to build it from texts, and of a
    question in a batch, with the encoding. The recall is a share of what exact search over float32 vectors finds.
    """

    name: str
    structure: str  # vectors, graph or topology
    sent_bits: int
    build_s: float
    query_s: float
    recall: float
    own_hits: int  # of own_asked, the questions whose own explanation is in the corpus
    own_asked: int
    right_hits: int  # of all that are asked, by the reader without passages of the question's own group
    asked: int

    @property
    def own(self) -> Interval | None:
        """How often a question's own explanation is found; None where the corpus has none."""
        return share(self.own_hits, self.own_asked) if self.own_asked else None

    @property
    def right(self) -> Interval:
        """How often the retrieval reader is right."""
        return share(self.right_hits, self.asked)


@dataclass(frozen=True)
class Corpus:
    """Passages, and questions about them."""

    passages: tuple[Passage, ...]
    questions: Sequence[Question]

    @functools.cached_property
    def digest(self) -> str:
        """A hash of the texts and the answers."""
        content = [passage.text for passage in self.passages]
        answers = [(question.key, question.options, question.answer) for question in self.questions]
        return hashlib.sha256(json.dumps([content, answers]).encode()).hexdigest()[:12]


@returns(
    columns(
        name=text,
        structure=text,
        **dict.fromkeys(("passages", "sent_bits", "build_s", "query_s", "recall"), count),
        **dict.fromkeys(("own_hits", "own_asked", "right_hits", "asked"), count),
    )
)
def represent(cell: Cell) -> list[Row]:
    """Return a row for each representation of a corpus, by the scheme of the cell.

    Raises
    ------
    ValueError
        If the corpus is not the one that the cell is of.
    """
    options = cell.options
    corpus = corpora(options["data"], options["passages"]).get(cell.scheme)
    if corpus is None or corpus.digest != options["digest"]:
        raise ValueError(f"the corpus {cell.scheme} was changed, or is another one on this machine")
    order = np.random.default_rng(cell.seed).permutation(len(corpus.questions))
    asked = [corpus.questions[place] for place in np.sort(order[: options["questions"]])]
    measured = measure(corpus.passages, asked, type(default_encoder())())
    return [{"passages": len(corpus.passages), **vars(row)} for row in measured]


@functools.lru_cache(maxsize=1)
def corpora(data: str | None, most: int | None) -> dict[str, Corpus]:
    """Return the corpora on this machine by title, with at most so many passages; the sample is always there."""
    sample = questions.load("sample")
    found = {"Sample": Corpus(explanations(sample)[:most], sample)}
    asked: Sequence[Question] = sample
    try:
        whole = questions.load("teleqna", data)
        # Questions that the reader was fitted on are known, but never asked.
        asked = [whole[place] for place in np.sort(np.concatenate(blocks(whole, len(whole), 0)))]
        found["TeleQnA"] = Corpus(explanations(whole)[:most], asked)
    except FileNotFoundError:
        pass
    folder = data or os.environ.get(ENVIRONMENT_VARIABLE)
    files = sorted(Path(folder).rglob("21905*.docx")) if folder else []
    if files:
        lexicon = [question for question in asked if "exicon" in question.category] or asked
        found["3GPP vocabulary"] = Corpus(vocabulary(files[0])[:most], lexicon)
    return found


def measure(passages: Sequence[Passage], asked: Sequence[Question], encoder: Encoder) -> list[Representation]:
    """Return a row for texts alone, each precision, each index, the graph and the topology, in this order.

    Texts that the encoder has encoded before take no time: give a fresh one.

    Raises
    ------
    ValueError
        If there is no passage or no question.
    """
    if not passages or not asked:
        raise ValueError("representations are compared by at least one passage and one question")
    texts = [question.text for question in asked]
    base, encoded_s = _timed(KnowledgeBase.build, passages, encoder, "float32")
    queries, asked_s = _timed(encoder.encode, texts)
    exact, _ = base.search(queries, FOUND)
    reader = RetrievalReader(encoder)
    rows = []

    def row(name: str, structure: str, sent: int, build_s: float, search: Search, encoding_s: float = 0.0) -> None:
        found, search_s = _timed(search, texts, FOUND + SPARE)
        times = build_s, (search_s + encoding_s) / len(asked)
        own, right = _own(passages, asked, found), _right(passages, asked, found, reader)
        same = recall(found[:, :FOUND], exact)
        rows.append(Representation(name, structure, sent, *times, same, *own, right, len(asked)))

    for precision in (None, "float32", "int8", "binary"):
        held, packed_s = _timed(base.at_precision, precision)
        name = "texts alone, encoded by the receiver" if precision is None else f"vectors, {precision}"
        row(name, "vectors", held.size_bits, encoded_s + packed_s, _by_vectors(held, queries), asked_s)
    for kind in ("hnsw", "ivf"):
        index, indexed_s = _timed(VectorIndex, base.vectors, kind)
        name, built_s = f"vectors, float32, {kind}", encoded_s + indexed_s
        row(name, "vectors", base.size_bits, built_s, _by_vectors(index, queries), asked_s)
    graph, graph_s = _timed(KnowledgeGraph.build, passages)
    graph.search_texts(texts[:1], 1)  # the first question also builds an index
    row("graph", "graph", graph.size_bits, graph_s, lambda own, k: graph.search_texts(own, k)[0])
    topology, topology_s = _timed(KnowledgeTopology.build, passages)
    topology.search_texts(texts[:1], 1)
    search: Search = lambda own, k: topology.search_texts(own, k)[0]  # noqa: E731
    row("topology, simplices", "topology", topology.size_bits, topology_s, search)
    listed, listed_s = _timed(functools.partial(topology.to_bytes, faces=True))
    row("topology, all faces", "topology", 8 * len(listed), topology_s + listed_s, search)
    return rows


def _by_vectors(held: KnowledgeBase | VectorIndex, queries: np.ndarray) -> Search:
    """Return the search by the vectors of the questions, which are encoded already."""
    return lambda _, k: held.search(queries, k)[0]


def _timed(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    done = work(*arguments)
    return done, time.perf_counter() - start


def _own(passages: Sequence[Passage], asked: Sequence[Question], found: np.ndarray) -> tuple[int, int]:
    """Return for how many questions their own explanation was found, and how many have one."""
    known = {passage.group for passage in passages if passage.group}
    hits = [
        any(place >= 0 and passages[place].group == group_of(question) for place in row[:FOUND])
        for question, row in zip(asked, found, strict=True)
        if group_of(question) in known
    ]
    return sum(hits), len(hits)


def _right(passages: Sequence[Passage], asked: Sequence[Question], found: np.ndarray, reader: Any) -> int:
    """Return how many questions a reader answers right by the passages found, without those of their own groups."""
    texts = [
        [passages[place].text for place in row if place >= 0 and passages[place].group != group_of(question)][:READ]
        for question, row in zip(asked, found, strict=True)
    ]
    answers = reader.answer_all(asked, texts)
    return sum(answer.option == question.answer for answer, question in zip(answers, asked, strict=True))
