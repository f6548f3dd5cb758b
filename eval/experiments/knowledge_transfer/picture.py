"""The picture of GenAINet's Table 1: accuracy against the share of the bits, and by category."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.compare.looks import LIGHT
from eval.experiments.knowledge_transfer.cells import ALL, CHOSEN, WITHOUT
from eval.experiments.knowledge_transfer.printed import OVERALL, TABLE_1
from eval.experiments.knowledge_transfer.results import Transfer, points_of
from eval.stats.pictures import ends, written_figure
from eval.stats.statistics import CONFIDENCE
from secagent_env.rendering.style import BLUE, DIM, GREEN, INK, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONDITIONS = ((ALL, "full", BLUE, "o"), (CHOSEN, "compressed", ORANGE, "^"), (WITHOUT, "none", INK, "x"))


def save_curve(transfer: Transfer, path: Path) -> None:
    """Draw accuracy over ratio and by category, and write ``path`` with the suffixes .png and .pdf."""
    note = f"{transfer.source.name}, {transfer.categories.size} questions, {CONFIDENCE:.0%} intervals"
    with written_figure(path, 10.5, 4.4, note, grid="y") as figure:
        from matplotlib.ticker import PercentFormatter

        left, right = figure.subplots(1, 2)
        for name, colour, style, label in (
            ("others", BLUE, "o-", "explanations of other questions"),
            ("answers", GREEN, "*:", "the questions' own among them (leak)"),
            ("asked", LIGHT["pink"], "D:", "the same, chosen by the questions asked"),
        ):
            curve = points_of(transfer, name)
            x = [point.ratio for point in curve]
            mean, low, high = ends(point.accuracy for point in curve)
            left.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
            left.plot(x, mean, style, color=colour, ms=4, label=label)
        printed = TABLE_1[OVERALL]
        paper = (printed.none, printed.compressed, printed.full)
        left.plot([0, printed.ratio, 1], paper, "s--", color=DIM, mfc="none", ms=5, label="printed (a language model)")
        left.set(xlabel="share of the bits sent", ylabel="right answers", xlim=(-0.03, 1.03), ylim=(0, 1))
        left.set_title("Accuracy against what is sent", loc="left", size=9.5)
        left.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        _categories(transfer, right)
        right.set_title("By category; pale: printed", loc="left", size=9.5)
        for ax in (left, right):
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            ax.legend(frameon=False, fontsize=8)


def _categories(transfer: Transfer, ax: Axes) -> None:
    names = [*transfer.names, OVERALL]
    for place, (condition, label, colour, mark) in enumerate(CONDITIONS):
        x = np.arange(len(names)) + 0.22 * (place - 1)
        mean, low, high = ends(transfer.accuracy(condition, name) for name in names)
        spread = np.clip([mean - low, high - mean], 0, None)
        ax.errorbar(x, mean, spread, fmt=mark, color=colour, ms=5, elinewidth=1.2, label=label)
        paper = [(at, getattr(TABLE_1[name], label)) for at, name in zip(x, names, strict=True) if name in TABLE_1]
        if paper:
            ax.plot(*zip(*paper, strict=True), mark, color=colour, mfc="none", ms=5, ls="", alpha=0.6)
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n") or "none" for name in names])
    ax.set_ylim(0, 1)
