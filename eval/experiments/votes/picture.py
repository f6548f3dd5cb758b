"""The picture of Table V: votes beside the printed ones, and against the correlation of errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.compare.looks import looks
from eval.experiments.votes.cells_selection import ANY, SCHEMES
from eval.experiments.votes.results import FITTED, VoteResults
from eval.experiments.votes.tables import label
from eval.stats.pictures import written_figure
from eval.stats.statistics import CONFIDENCE
from secagent_env.model.workload import accuracy_at_difficulty
from secagent_env.rendering.style import BLUE, GREEN, ORANGE
from solvers.reasoning.simulated import mean_accuracy, voted_accuracy

CURVE = np.linspace(0.0, 1.0, 21)


def save_votes(results: VoteResults, rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the rows of :func:`.tables.figures`, and write ``path`` with the suffixes .png and .pdf."""
    note = (
        f"Filled: simulated votes with {CONFIDENCE:.0%} bootstrap intervals; bars: theory; hollow: as printed. "
        f"{FITTED} is fitted, the others are predicted."
    )
    with written_figure(path, 11, 3.8, note) as figure:
        from matplotlib.ticker import PercentFormatter

        *panels, last = figure.subplots(1, len(results.data_sets) + 1, sharey=True)
        shown = looks(SCHEMES)
        for ax, data_set in zip(panels, results.data_sets, strict=True):
            for place, scheme in enumerate(SCHEMES):
                [row] = [row for row in rows if (row["data set"], row["scheme"]) == (data_set.name, scheme)]
                look = shown[scheme]
                voted = row["voted"]
                spread = np.nan_to_num([[voted.mean - voted.low], [voted.high - voted.mean]])
                ax.errorbar(place, voted.mean, spread, color=look.light, marker=look.marker, ms=5, capsize=2, ls="")
                ax.plot([place - 0.35, place + 0.35], [row["theory"]] * 2, color=look.light, lw=1)
                if row["printed"] is not None:
                    ax.plot(place, row["printed"], "o", ms=9, mfc="none", mec=look.light, mew=1.2)
            ax.set_xticks(
                range(len(SCHEMES)), ["any ten" if name == ANY else label(name) for name in SCHEMES], rotation=45
            )
            stands = "" if data_set.source == data_set.name else f" ({data_set.source})"
            ax.set_title(f"{data_set.title}{stands}", size=9, loc="left")
        panels[0].set_ylabel("share of right answers")
        accuracies = results.accuracies(FITTED)
        for data_set, colour in zip(results.data_sets, (BLUE, ORANGE, GREEN), strict=True):
            there = [accuracy_at_difficulty(selected, results.difficulty[data_set.name]) for selected in accuracies]
            curve = [voted_accuracy(there, data_set.num_options, float(rho)) for rho in CURVE]
            last.plot(CURVE, curve, color=colour, lw=1.4, label=data_set.title)
            last.axhline(mean_accuracy(there, data_set.num_options), color=colour, lw=0.8, ls=":")
        last.set_xlabel("correlation of errors ρ")
        last.set_title(f"{FITTED}'s vote; dotted: an agent", size=9, loc="left")
        last.legend(frameon=False, fontsize=8)
        for ax in (*panels, last):
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            ax.set_ylim(0.3, 1.0)
