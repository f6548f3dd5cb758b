"""``secagent study representations``: vectors, graph and topology, as sent, built, asked and searched.

It prints the tables of ``docs/representations.md``: on TeleQnA's explanations and the 3GPP vocabulary where the folder
of data sets has them, and on the packaged sample.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.pictures import drawing, save_figure
from eval.studies.representations.cells import FOUND, FUNCTION, Representation, corpora
from eval.sweep.cells import Cell
from eval.sweep.grid import number_of
from secagent_env.rendering.style import BLUE, FAINT, GREEN, INK, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENCODED = "with an encoder"
COLOURS = {"vectors": BLUE, "graph": ORANGE, "topology": GREEN}


@dataclass(frozen=True)
class Representations(Experiment):
    """Representations of the corpora on this machine.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    name: ClassVar[str] = "representations"

    data: Path | None = option(None, "of the data sets (default: that of SECAGENT_DATA)", "FOLDER")
    passages: int | None = option(None, "at most, of each corpus (default: all)", "K")
    questions: int = option(1000, "at most (default: %(default)s)", "Q")
    seed: int = option(0, "of the questions drawn (default: %(default)s)")

    def __post_init__(self) -> None:
        number_of("questions", self.questions)
        if self.passages is not None:
            number_of("passages", self.passages)

    def cells(self) -> list[Cell]:
        """Return a cell for each corpus."""
        data = None if self.data is None else os.fspath(self.data)
        options = {"data": data, "passages": self.passages, "questions": self.questions}
        return [
            Cell(FUNCTION, self.name, title, seed=self.seed, options={**options, "digest": corpus.digest})
            for title, corpus in corpora(data, self.passages).items()
        ]

    def report(self, compute: Compute) -> Report:
        """Return the tables, and a picture of the largest corpus."""
        frame = compute(self.cells())
        columns = [field.name for field in dataclasses.fields(Representation)]
        parts: list[str] = []
        pictures: list[tuple[int, list[Representation], str]] = []
        for title, own in frame.groupby("scheme", sort=False):
            rows = [Representation(**row) for row in own[columns].to_dict("records")]
            passages = int(own["passages"].iloc[0])
            parts += [markdown(rows, title, passages), claims(rows) + "\n"]
            pictures.append((passages, rows, f"{title}, {passages} passages"))
        _, largest, caption = max(pictures, key=lambda corpus: corpus[0])
        return Report("\n".join(parts), frame, lambda path: save_figure(picture(largest, caption), path))


def markdown(rows: Sequence[Representation], title: str, passages: int) -> str:
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
    return f"### {title}: {passages} passages, {texts.asked} questions\n\n{tabulated(lines, headers)}\n"


def claims(rows: Sequence[Representation]) -> str:
    """Return which of the paper's claims (GenAINet, III-A) hold by these figures."""
    by = {row.name: row for row in rows}
    graph, simplices, faces = by["graph"], by["topology, simplices"], by["topology, all faces"]
    shares = {name: by[f"vectors, {name}"].sent_bits / graph.sent_bits for name in ("binary", "int8", "float32")}
    less = [name for name, part in shares.items() if part < 1]
    built = by["vectors, float32"].build_s / graph.build_s
    sizes = {"as simplices": simplices.sent_bits, "with all faces": faces.sent_bits}
    topology = {name: bits / graph.sent_bits for name, bits in sizes.items()}
    more = [name for name, part in topology.items() if part > 1]
    judged = (
        ("vectors cost less to send than a graph", less, shares, "of the graph's bits"),
        ("vectors cost less to build than a graph", [ENCODED] * (built < 1), {ENCODED: built}, "of its time"),
        ("a topology costs more to send than a graph", more, topology, "of the graph's bits"),
    )
    lines = []
    for claim, holding, figures, unit in judged:
        verdict = "holds" if len(holding) == len(figures) else f"holds only {', '.join(holding)}" if holding else ""
        shown = ", ".join(f"{name} {part:.3g}" for name, part in figures.items())
        lines.append(f"- *{claim}*: {verdict or 'does not hold'} here ({shown} {unit}).")
    return "\n".join(lines)


def picture(rows: Sequence[Representation], title: str) -> Figure:
    """Draw the sizes when sent, and the shares found."""
    with drawing(9.5, 3.6) as figure:
        from matplotlib.ticker import PercentFormatter

        left, right = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(rows))
        colours = [COLOURS[row.structure] for row in rows]
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
    return figure
