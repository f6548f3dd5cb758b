"""The pictures of the reproduction: curves beside the paper's printed numbers, and performance profiles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.compare.looks import Look, looks
from eval.experiments.secure.printed import AS_WRITTEN, TRANSMISSION
from eval.experiments.secure.results import BOUND, Reproduced, SchemeResult
from eval.stats.paired import performance_profile
from eval.stats.pictures import ends, written_figure
from eval.stats.statistics import CONFIDENCE
from secagent_env.rendering.style import DIM, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAPS = np.logspace(-6, 1, 71)
"""Where profiles are drawn, as fractions."""


def save_exhibit(shown: Reproduced, path: Path) -> None:
    """Draw an exhibit and write ``path`` with the suffixes .png and .pdf: ours filled, the paper's hollow."""
    exhibit = shown.exhibit
    note = (
        f"Means over the draws that every scheme solved, with {CONFIDENCE:.0%} bootstrap intervals; marks of one "
        "value stand side by side."
    )
    with written_figure(path, 7.5, 4.8, note) as figure:
        ax = figure.subplots()
        schemes = looks(e.scheme for e in shown.results if e.scheme not in (BOUND, AS_WRITTEN))
        step = 0.012 * (max(exhibit.values) - min(exhibit.values))
        for place, (scheme, look) in enumerate(schemes.items()):
            shift = step * (place - (len(schemes) - 1) / 2)
            _draw(ax, [e for e in shown.results if e.scheme == scheme], look, shift)
        bounds = [e for e in shown.results if e.scheme == BOUND and np.isfinite(e.mean.mean)]
        ax.plot([e.value for e in bounds], [e.mean.mean for e in bounds], color=INK, lw=1, ls=(0, (4, 3)), label=BOUND)
        _axes(ax, shown)
        ax.plot([], [], "o", mfc="none", mec=DIM, ls="", label="hollow: as printed in the paper")
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
        figure.suptitle(exhibit.title, size=9, color=DIM, x=0.01, ha="left")


def save_profiles(gaps: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw performance profiles, of gaps (seeds, draws), and write ``path`` with the suffixes .png and .pdf."""
    note = f"Bands: {CONFIDENCE:.0%} bootstrap intervals over draws, and seeds."
    with written_figure(path, 7.5, 4.2, note) as figure:
        from matplotlib.ticker import PercentFormatter

        ax = figure.subplots()
        for name, look in looks(gaps).items():
            limits = 100 * GAPS
            mean, low, high = ends(performance_profile(gaps[name], GAPS))
            ax.step(limits, mean, where="post", color=look.light, ls=look.line, lw=1.4, label=name)
            ax.fill_between(limits, low, high, step="post", color=look.light, alpha=0.15, lw=0)
        ax.set_xscale("log")
        ax.set_xlabel("gap to the certified bound, %")
        ax.set_ylabel("share of the draws with at most this gap")
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)


def _draw(ax: Axes, results: list[SchemeResult], look: Look, shift: float) -> None:
    """Draw one scheme: its means with intervals, and the paper's numbers at the values themselves."""
    known = [e for e in results if np.isfinite(e.mean.mean)]
    at = np.array([e.value for e in known]) + shift
    mean, low, high = ends(e.mean for e in known)
    spread = np.nan_to_num(np.array([mean - low, high - mean]))
    drawn = {"color": look.light, "marker": look.marker}
    ax.errorbar(at, mean, spread, **drawn, ls=look.line, ms=5, lw=1.1, capsize=2, label=results[0].label)
    printed = [(e.value, e.printed.value) for e in results if e.printed is not None]
    if printed:
        ax.plot(*zip(*printed, strict=True), **drawn, ls="", ms=8, mfc="none", mew=1.2)


def _axes(ax: Axes, shown: Reproduced) -> None:
    from matplotlib.ticker import EngFormatter, NullFormatter

    exhibit = shown.exhibit
    ax.set_xticks(exhibit.values, [f"{value:g}" for value in exhibit.values])
    name, _, index = exhibit.symbol.partition("_")
    ax.set_xlabel(f"{name}$_{{{index}}}$" if index else name)
    if exhibit.metric == TRANSMISSION:
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_ylim(bottom=0)
    ax.set_ylabel("transmission energy (18)" if exhibit.metric == TRANSMISSION else "execution energy (19)")
    ax.yaxis.set_major_formatter(EngFormatter("J"))
