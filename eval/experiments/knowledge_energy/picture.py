"""The picture of the frontier: energy against the share of the knowledge sent, one line per accuracy required."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.experiments.knowledge_energy.results import CERTIFIED, FrontierPoint
from eval.stats.pictures import written_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = {CERTIFIED: "-", "asc-plus": ":"}
SAME = 0.004
"""Lines that end nearer to each other, relatively, share a label."""


def save_frontier(points: Sequence[FrontierPoint], path: Path) -> None:
    """Draw the energies and write ``path`` with the suffixes .png and .pdf: a panel per network and curve."""
    networks = list(dict.fromkeys(point.network for point in points))
    curves = list(dict.fromkeys(point.curve for point in points))
    note = (
        "Numbers at the lines: the mean accuracy required (15). Solid: exact, dotted: asc-plus. Means over networks; "
        "where a mark is missing, fewer than nine in ten can meet it."
    )
    with written_figure(path, 3.6 * len(networks) + 0.6, 2.7 * len(curves) + 0.8, note) as figure:
        axes = figure.subplots(len(curves), len(networks), squeeze=False)
        for row, curve in zip(axes, curves, strict=True):
            for ax, network in zip(row, networks, strict=True):
                _panel(ax, [point for point in points if (point.network, point.curve) == (network, curve)])
            row[0].set_ylabel(f"{curve.replace(', ', chr(10))}\nenergy per task (20)")
        for ax, network in zip(axes[0], networks, strict=True):
            ax.set_title(network, size=10, loc="left")
        for ax in axes[-1]:
            ax.set_xlabel("share of the knowledge sent")


def _panel(ax: Axes, own: Sequence[FrontierPoint]) -> None:
    from matplotlib import colormaps
    from matplotlib.ticker import EngFormatter, PercentFormatter

    levels = sorted({point.required for point in own})
    colours = dict(zip(levels, colormaps["viridis"](np.linspace(0.85, 0.05, len(levels))), strict=True))
    ends: list[tuple[float, float, float]] = []
    for required in levels:
        for scheme, line in LINES.items():
            met = [point for point in own if (point.required, point.scheme) == (required, scheme) and point.met]
            line_points = sorted((point.ratio, point.energy_j.mean) for point in met)
            if line_points:
                ax.plot(*zip(*line_points, strict=True), ls=line, marker="o", ms=3.5, lw=1.3, color=colours[required])
                if scheme == CERTIFIED:
                    ends.append((*line_points[-1], required))
    _label(ax, ends, colours)
    ax.set_xlim(-0.04, 1.28)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.yaxis.set_major_formatter(EngFormatter("J"))
    ax.margins(y=0.12)


def _label(ax: Axes, ends: Sequence[tuple[float, float, float]], colours: dict[float, Any]) -> None:
    """Write the accuracies at the ends of the lines, those of lines that end together in one label."""
    groups: list[list[tuple[float, float, float]]] = []
    for end in sorted(ends):
        last = groups[-1][-1] if groups else None
        if last is not None and end[0] == last[0] and abs(end[1] / last[1] - 1) < SAME:
            groups[-1].append(end)
        else:
            groups.append([end])
    for group in groups:
        low, high = min(end[2] for end in group), max(end[2] for end in group)
        text = f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"
        at = group[0][:2]
        ax.annotate(text, at, (5, 0), textcoords="offset points", va="center", size=8, color=colours[high])
