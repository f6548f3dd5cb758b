"""The picture of a comparison: every instance a dot, per solver, with the mean and its interval."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.compare.looks import drawn, looks
from eval.compare.summary import COMPARED, common_instances
from eval.stats.pictures import drawing, save_picture
from eval.stats.statistics import CONFIDENCE, bootstrap_mean
from secagent_env.rendering.style import BLUE, DIM, FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP_FLOOR = 1e-10
"""Gaps below it, in percent, are drawn on it: they are rounding errors."""

_PANELS = (
    ("energy_j", "energy per task", 1.0, "J", "linear"),
    ("transmission_energy_j", "transmission energy", 1.0, "J", "log"),
    ("gap", "gap to the certified bound", 100.0, "%", "log"),
    ("seconds", "time per solve", 1.0, "s", "log"),
)


def save_comparison(frame: Any, path: Path, *, title: str = "") -> None:
    """Draw a comparison's rows (a pandas DataFrame) and write the picture, in the format of its suffix.

    Energies and gaps are of the instances that the table's means are over, times of all of them.
    """
    names = list(dict.fromkeys(frame["solver"]))
    shown = looks(names)
    common = common_instances(frame)
    compared = frame[frame["feasible"].astype(bool) & frame["instance"].isin(common)]
    with drawing(13, 2.1 + 0.6 * len(names)) as figure:
        axes = figure.subplots(1, len(_PANELS), sharey=True)
        for ax, (column, label, scale, unit, kind) in zip(axes, _PANELS, strict=True):
            rows = compared if column in COMPARED else frame
            for line, name in enumerate(names):
                values = rows.loc[rows["solver"] == name, column].dropna().to_numpy() * scale
                draw_values(ax, line, np.maximum(values, GAP_FLOOR) if column == "gap" else values, shown[name].light)
            if column == "energy_j":
                _bound(ax, compared.groupby("instance")["lower_bound_j"].first().to_numpy() * scale)
            _axis(ax, kind, label, unit)
        axes[0].set_yticks(range(len(names)), [textwrap.fill(drawn(name).replace("(", " (", 1), 24) for name in names])
        axes[0].set_ylim(len(names) - 0.5, -0.5)
        figure.suptitle(title, size=9, color=DIM, x=0.01, ha="left")
        figure.supxlabel(
            f"A dot is an instance; a diamond is the mean, with its {CONFIDENCE:.0%} bootstrap interval. "
            f"{len(common)} of {frame['instance'].nunique()} instances, those of the table's means; "
            "times: of all.",
            size=8,
            color=DIM,
        )
        save_picture(figure, path)


def draw_values(ax: Axes, line: int, values: np.ndarray, colour: str = BLUE) -> None:
    """Draw one solver's values, spread a little so that they do not hide each other, and their mean."""
    if not values.size:
        place: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ha": "center", "va": "center"}
        ax.text(0.5, line, "nothing to compare", color=DIM, **place)
        return
    spread = 0.22 * np.sin(2.4 * np.arange(values.size))  # the same dots every time
    ax.plot(values, line + spread, "o", color=colour, alpha=0.45, ms=4, mew=0)
    mean = bootstrap_mean(values)
    if np.isfinite(mean.low):
        ax.plot([mean.low, mean.high], [line, line], "-", color=INK, lw=2, solid_capstyle="butt")
    ax.plot([mean.mean], [line], "D", color=colour, mec=INK, mew=0.8, ms=5.5)


def _bound(ax: Axes, values: np.ndarray) -> None:
    """Draw the mean of the certified bounds, which lies left of all means, and say so above the axes."""
    if values.size:
        mean = values.mean()
        ax.axvline(mean, color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
        at: dict[str, Any] = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points"}
        ax.annotate("certified lower bound (mean)", (mean, 1), (-3, 4), size=8, color=DIM, ha="left", **at)


def _axis(ax: Axes, kind: str, label: str, unit: str) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    ax.set_xscale(kind)
    ax.set_xlabel(label)
    low, high = ax.get_xlim()
    if kind == "log" and high / low < 30:  # a decade alone would have one label
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    if kind == "log":
        ax.xaxis.set_minor_formatter(NullFormatter())
    if unit == "%":
        ax.set_xlabel(f"{label}, %")
    else:
        ax.xaxis.set_major_formatter(EngFormatter(unit))
    ax.grid(axis="x", color=FAINT)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
