"""The picture of Table V: votes beside the printed ones, and what correlation does to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.compare.looks import looks
from eval.experiments.pictures import figure_of, save_figure
from eval.experiments.votes.cells import ANY, FITTED, SCHEMES, TITLES, Votes
from eval.experiments.votes.tables import label
from eval.stats.statistics import CONFIDENCE
from secagent_env.model.workload import accuracy_at_difficulty
from secagent_env.rendering.style import BLUE, DIM, FAINT, GREEN, ORANGE, own_style
from secagent_env.support.extras import require
from solvers.reasoning.simulated import mean_accuracy, voted_accuracy

CURVE = np.linspace(0.0, 1.0, 21)


def save_votes(votes: Votes, rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the rows of :func:`.tables.figures`, and write ``path`` with the suffixes .png and .pdf."""
    require("matplotlib", extra="eval")
    from matplotlib.ticker import PercentFormatter

    with own_style():
        figure = figure_of(11, 3.8)
        *panels, last = figure.subplots(1, len(votes.asked) + 1, sharey=True)
        shown = looks(SCHEMES)
        for ax, asked in zip(panels, votes.asked, strict=True):
            for place, scheme in enumerate(SCHEMES):
                [row] = [row for row in rows if (row["data set"], row["scheme"]) == (asked.name, scheme)]
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
            stands = "" if asked.source == asked.name else f" ({asked.source})"
            ax.set_title(f"{TITLES[asked.name]}{stands}", size=9, loc="left")
        panels[0].set_ylabel("share of right answers")
        accuracies = votes.accuracies(FITTED)
        for asked, colour in zip(votes.asked, (BLUE, ORANGE, GREEN), strict=True):
            there = [accuracy_at_difficulty(selected, votes.difficulty[asked.name]) for selected in accuracies]
            curve = [voted_accuracy(there, asked.num_options, float(rho)) for rho in CURVE]
            last.plot(CURVE, curve, color=colour, lw=1.4, label=TITLES[asked.name])
            last.axhline(mean_accuracy(there, asked.num_options), color=colour, lw=0.8, ls=":")
        last.set_xlabel("correlation of errors ρ")
        last.set_title(f"{FITTED}'s vote; dotted: an agent", size=9, loc="left")
        last.legend(frameon=False, fontsize=8)
        for ax in (*panels, last):
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            ax.set_ylim(0.3, 1.0)
            ax.grid(color=FAINT)
            ax.set_axisbelow(True)
        figure.supxlabel(
            f"Filled: simulated votes with {CONFIDENCE:.0%} bootstrap intervals; bars: theory; hollow: as printed. "
            f"{FITTED} is fitted, the others are predicted.",
            size=8,
            color=DIM,
        )
        save_figure(figure, path)
