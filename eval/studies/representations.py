"""Vectors, graph or topology: what each costs to send, build and ask, and how well passages are found by it.

``python -m eval.studies.representations`` prints the tables of ``docs/representations.md``: on TeleQnA's explanations
and the 3GPP vocabulary where the folder of data sets has them, and on the packaged sample. Times are of one run on one
machine; compare them with each other.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.experiments.knowledge_transfer.cells import blocks
from eval.experiments.secure.pictures import figure_of, save_figure
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.statistics import Interval, share
from secagent_env import questions
from secagent_env.questions import Question
from secagent_env.questions.loading import ENVIRONMENT_VARIABLE
from secagent_env.rendering.style import BLUE, FAINT, GREEN, INK, ORANGE, own_style
from secagent_env.support.extras import require
from secagent_env.support.files import write_text
from solvers.knowledge.corpus import explanations, vocabulary
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder, default_encoder
from solvers.knowledge.store.lookup import group_of
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.store.vectors import VectorIndex, recall
from solvers.knowledge.structure.graph import KnowledgeGraph
from solvers.knowledge.structure.topology import KnowledgeTopology
from solvers.reasoning.reader import RetrievalReader

NAME = "representations"
FOUND = 5
"""Passages that are looked for."""
READ = 3
"""Passages that the reader is given."""
SPARE = 10
"""More are looked for, so that some are left without those of the question's own group."""
QUERIES = 1000
ENCODED = "with an encoder"
COLOURS = {"vectors": BLUE, "graph": ORANGE, "topology": GREEN}
Search = Callable[[Sequence[str], int], np.ndarray]


@dataclass(frozen=True)
class Row:
    """What was measured of one representation.

    Attributes
    ----------
    name, kind
        What it is; ``vectors``, ``graph`` or ``topology``.
    sent_bits
        What it takes to send, with the texts of the passages, bit.
    build_s
        To build from texts, with their encoding.
    query_s
        A question, with its encoding, in a batch.
    recall
        The share of what exact search over float32 vectors finds.
    own
        How often a question's own explanation is among those found; None where the corpus has none.
    right
        How often the retrieval reader is right by what was found, without the question's own group.
    """

    name: str
    kind: str
    sent_bits: int
    build_s: float
    query_s: float
    recall: float
    own: Interval | None
    right: Interval


def measure(passages: Sequence[Passage], asked: Sequence[Question], encoder: Encoder) -> list[Row]:
    """Return a row for texts alone, each precision, each index, the graph and the topology, in this order.

    Parameters
    ----------
    passages
        The corpus; at least one.
    asked
        The questions; at least one.
    encoder
        For vectors and for the reader. What it knows already counts as encoded in no time: give a fresh one.

    Raises
    ------
    ValueError
        If there is no passage or no question.
    """
    if not passages or not asked:
        raise ValueError("representations are compared by at least one passage and one question")
    texts = [question.text for question in asked]
    base, encoded_s = _timed(lambda: KnowledgeBase.build(passages, encoder, "float32"))
    queries, asked_s = _timed(lambda: encoder.encode(texts))
    exact, _ = base.search(queries, FOUND)
    reader = RetrievalReader(encoder)
    rows = []

    def row(name: str, kind: str, sent: int, build_s: float, search: Search, encoding_s: float) -> None:
        found, search_s = _timed(lambda: search(texts, FOUND + SPARE))
        query_s = (search_s + encoding_s) / len(asked)
        own, right = _own(passages, asked, found), _right(passages, asked, found, reader)
        rows.append(Row(name, kind, sent, build_s, query_s, recall(found[:, :FOUND], exact), own, right))

    for precision in (None, "float32", "int8", "binary"):
        held, packed_s = _timed(lambda precision=precision: base.at_precision(precision))  # type: ignore[misc]
        name = "texts alone, encoded by the receiver" if precision is None else f"vectors, {precision}"
        row(name, "vectors", held.size_bits, encoded_s + packed_s, _by_vectors(held, queries), asked_s)
    for kind in ("hnsw", "ivf"):
        index, indexed_s = _timed(lambda kind=kind: VectorIndex(base.vectors, kind))  # type: ignore[misc]
        name, built_s = f"vectors, float32, {kind}", encoded_s + indexed_s
        row(name, "vectors", base.size_bits, built_s, _by_vectors(index, queries), asked_s)
    graph, graph_s = _timed(lambda: KnowledgeGraph.build(passages))
    graph.search_texts(texts[:1], 1)  # what is made at the first question
    row("graph", "graph", graph.size_bits, graph_s, lambda own, k: graph.search_texts(own, k)[0], 0.0)
    topology, topology_s = _timed(lambda: KnowledgeTopology.build(passages))
    topology.search_texts(texts[:1], 1)

    def search(own: Sequence[str], k: int) -> np.ndarray:
        return topology.search_texts(own, k)[0]

    row("topology, simplices", "topology", topology.size_bits, topology_s, search, 0.0)
    listed, listed_s = _timed(lambda: topology.to_bytes(faces=True))
    row("topology, all faces", "topology", 8 * len(listed), topology_s + listed_s, search, 0.0)
    return rows


def markdown(rows: Sequence[Row], title: str, passages: int, asked: int) -> str:
    """Return the table of a corpus."""
    texts = rows[0]
    lines = [
        [
            row.name,
            f"{row.sent_bits / 8e3:,.0f} kB" if row.sent_bits >= 8e5 else f"{row.sent_bits / 8e3:.1f} kB",
            f"{row.sent_bits / texts.sent_bits:.2f}",
            f"{row.build_s:.3g} s",
            f"{1e3 * row.query_s:.3g} ms",
            f"{row.recall:.1%}",
            NONE if row.own is None else percent(row.own),
            percent(row.right),
        ]
        for row in rows
    ]
    headers = ["representation", "sent", "beside texts", "built in", "a question", f"recall of {FOUND}"]
    headers += [f"own explanation in {FOUND}", "reader right"]
    return f"### {title}: {passages} passages, {asked} questions\n\n{tabulated(lines, headers)}\n"


def claims(rows: Sequence[Row]) -> str:
    """Return which of the paper's claims (GenAINet, III-A) hold by these figures."""
    by = {row.name: row for row in rows}
    graph, simplices, faces = by["graph"], by["topology, simplices"], by["topology, all faces"]
    shares = {name: by[f"vectors, {name}"].sent_bits / graph.sent_bits for name in ("binary", "int8", "float32")}
    less = [name for name, part in shares.items() if part < 1]
    built = by["vectors, float32"].build_s / graph.build_s
    topology = {
        "as simplices": simplices.sent_bits / graph.sent_bits,
        "with all faces": faces.sent_bits / graph.sent_bits,
    }
    more = [name for name, part in topology.items() if part > 1]
    told = (
        ("vectors cost less to send than a graph", less, shares, "of the graph's bits"),
        ("vectors cost less to build than a graph", [ENCODED] * (built < 1), {ENCODED: built}, "of its time"),
        ("a topology costs more to send than a graph", more, topology, "of the graph's bits"),
    )
    lines = []
    for claim, holding, figures, unit in told:
        verdict = "holds" if len(holding) == len(figures) else f"holds only {', '.join(holding)}" if holding else ""
        shown = ", ".join(f"{name} {part:.3g}" for name, part in figures.items())
        lines.append(f"- *{claim}*: {verdict or 'does not hold'} here ({shown} {unit}).")
    return "\n".join(lines)


def save_picture(rows: Sequence[Row], title: str, path: Path) -> None:
    """Draw what is sent and what is found, and write ``path`` with the suffixes .png and .pdf."""
    require("matplotlib", extra="eval")
    from matplotlib.ticker import PercentFormatter

    with own_style():
        figure = figure_of(9.5, 3.6)
        left, right = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(rows))
        colours = [COLOURS[row.kind] for row in rows]
        left.scatter([row.sent_bits / 8e3 for row in rows], places, color=colours)
        left.set(xscale="log", xlabel="sent, kB, with the texts")
        left.set_yticks(places, [row.name for row in rows])
        left.invert_yaxis()
        left.set_title(title, loc="left", size=9.5)
        right.scatter([row.recall for row in rows], places, color=colours, marker="o", label=f"recall of {FOUND}")
        own = [(row.own, place) for row, place in zip(rows, places, strict=True) if row.own is not None]
        if own:
            mean, low, high = (np.array([getattr(part, end) for part, _ in own]) for end in ("mean", "low", "high"))
            spread = np.clip([mean - low, high - mean], 0, None)
            at, label = [place for _, place in own], f"own explanation in {FOUND}"
            right.errorbar(mean, at, xerr=spread, fmt="s", color=INK, mfc="none", ms=6, elinewidth=1, label=label)
        right.set(xlim=(0, 1.03), xlabel="found")
        right.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        right.legend(frameon=False, fontsize=8, loc="upper left")
        for ax in (left, right):
            ax.grid(axis="x", color=FAINT)
            ax.set_axisbelow(True)
        save_figure(figure, path)


def _by_vectors(held: KnowledgeBase | VectorIndex, queries: np.ndarray) -> Search:
    """Return the search by the vectors of the questions, which are encoded already."""
    return lambda _, k: held.search(queries, k)[0]


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start


def _own(passages: Sequence[Passage], asked: Sequence[Question], found: np.ndarray) -> Interval | None:
    known = {passage.group for passage in passages if passage.group}
    hits = [
        any(place >= 0 and passages[place].group == group_of(question) for place in row[:FOUND])
        for question, row in zip(asked, found, strict=True)
        if group_of(question) in known
    ]
    return share(sum(hits), len(hits)) if hits else None


def _right(passages: Sequence[Passage], asked: Sequence[Question], found: np.ndarray, reader: Any) -> Interval:
    texts = [
        [passages[place].text for place in row if place >= 0 and passages[place].group != group_of(question)][:READ]
        for question, row in zip(asked, found, strict=True)
    ]
    answers = reader.answer_all(asked, texts)
    hits = sum(answer.option == question.answer for answer, question in zip(answers, asked, strict=True))
    return share(hits, len(asked))


def corpora(data: Path | None, most: int | None) -> list[tuple[str, tuple[Passage, ...], Sequence[Question]]]:
    """Return title, passages and questions of each corpus that is on this machine; the sample always is."""
    sample = questions.load("sample")
    found: list[tuple[str, tuple[Passage, ...], Sequence[Question]]] = [("Sample", explanations(sample)[:most], sample)]
    asked: Sequence[Question] = sample
    try:
        whole = questions.load("teleqna", data)
        # Those that the reader was fitted on are known, but never asked.
        asked = [whole[place] for place in np.sort(np.concatenate(blocks(whole, len(whole), 0)))]
        found.append(("TeleQnA", explanations(whole)[:most], asked))
    except FileNotFoundError:
        pass
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    data = Path(named) if data is None and named else data
    files = sorted(data.rglob("21905*.docx")) if data is not None else []
    if files:
        lexicon = [question for question in asked if "exicon" in question.category] or asked
        found.append(("3GPP vocabulary", vocabulary(files[0])[:most], lexicon))
    return found


def report(data: Path | None, most: int | None, asked: int, seed: int, out: Path) -> str:
    """Return the tables in Markdown; write them and a picture of the largest corpus into a folder."""
    parts, largest = [], 0
    for title, passages, known in corpora(data, most):
        rng = np.random.default_rng(seed)
        drawn = [known[place] for place in np.sort(rng.permutation(len(known))[:asked])]
        rows = measure(passages, drawn, type(default_encoder())())
        parts += [markdown(rows, title, len(passages), len(drawn)), claims(rows) + "\n"]
        if len(passages) > largest:
            largest = len(passages)
            save_picture(rows, f"{title}, {len(passages)} passages", out / NAME)
    text = "\n".join(parts)
    write_text(out / f"{NAME}.md", text)
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m eval.studies.representations", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of the data sets; default: SECAGENT_DATA")
    parser.add_argument("--passages", type=int, metavar="K", help="at most, of each corpus; default: all")
    parser.add_argument("--questions", type=int, default=QUERIES, metavar="Q", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="that questions are drawn by; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("results"), help="default: results")
    options = parser.parse_args(arguments)
    if options.questions < 1 or (options.passages is not None and options.passages < 1):
        parser.error("--questions and --passages must be at least 1")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        print(report(options.data, options.passages, options.questions, options.seed, options.out), end="")
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
