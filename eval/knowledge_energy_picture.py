"""The picture of the frontier: energy against required accuracy, one line per share of the knowledge sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.knowledge_energy import CERTIFIED, ENOUGH, Entry
from eval.reproduce_pictures import figure_of, save_figure
from secagent_env._extras import require
from secagent_env.rendering.style import DIM, FAINT, own_style


def save_frontier(found: Sequence[Entry], path: Path) -> None:
    """Draw the energies and write ``path`` with the suffixes .png and .pdf: a panel per network and curve."""
    require("matplotlib", extra="eval")
    from matplotlib import colormaps
    from matplotlib.ticker import EngFormatter, PercentFormatter

    networks = list(dict.fromkeys(entry.network for entry in found))
    curves = list(dict.fromkeys(entry.curve for entry in found))
    ratios = sorted({entry.ratio for entry in found})
    colours = dict(zip(ratios, colormaps["viridis"](np.linspace(0.9, 0.05, len(ratios))), strict=True))
    with own_style():
        figure = figure_of(3.6 * len(networks), 3.1 * len(curves) + 0.6)
        axes = np.atleast_2d(figure.subplots(len(curves), len(networks), squeeze=False))
        for row, curve in zip(axes, curves, strict=True):
            for ax, network in zip(row, networks, strict=True):
                for ratio in ratios:
                    for scheme, line in ((CERTIFIED, "-"), ("asc", ":")):
                        own = [
                            entry
                            for entry in found
                            if (entry.network, entry.curve, entry.ratio, entry.scheme)
                            == (network, curve, ratio, scheme)
                            and entry.feasible >= ENOUGH * entry.instances
                        ]
                        _draw(ax, own, colours[ratio], line)
                ax.set_title(f"{network}: {curve}", size=9, loc="left")
                ax.set_xlabel("mean accuracy required (15)")
                ax.set_ylabel("energy per task (20)")
                ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
                ax.yaxis.set_major_formatter(EngFormatter("J"))
                ax.grid(color=FAINT)
                ax.set_axisbelow(True)
        for ratio in ratios:
            axes[0, 0].plot([], [], color=colours[ratio], marker="o", ms=4, label=f"{ratio:.0%} of the knowledge sent")
        axes[0, 0].plot([], [], color=DIM, ls="-", label="exact")
        axes[0, 0].plot([], [], color=DIM, ls=":", label="asc")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        save_figure(figure, path)


def _draw(ax, own: Sequence[Entry], colour, line: str) -> None:  # type: ignore[no-untyped-def]
    if not own:
        return
    mean, low, high = (np.array([getattr(entry.energy_j, end) for entry in own]) for end in ("mean", "low", "high"))
    spread = np.nan_to_num(np.array([mean - low, high - mean]))
    required = [entry.required for entry in own]
    ax.errorbar(required, mean, spread if line == "-" else None, color=colour, ls=line, marker="o", ms=3.5, lw=1.2)
