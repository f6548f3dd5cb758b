"""Figures of experiments: drawn without a display, and written as PNG and PDF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eval.stats.statistics import Interval
from secagent_env.rendering.style import DIM, FAINT, own_style
from secagent_env.support.extras import require
from secagent_env.support.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf")


def figure_of(width: float, height: float, dpi: int = 120) -> Figure:
    """Return an empty figure of this size, inches, that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def written_figure(
    path: Path, width: float, height: float, note: str, grid: Literal["both", "y"] = "both"
) -> Iterator[Figure]:
    """Yield an empty figure of this size, inches, to be drawn; then add grids and a note below, and write it."""
    require("matplotlib", extra="eval")
    with own_style():
        figure = figure_of(width, height)
        yield figure
        for ax in figure.axes:
            ax.grid(axis=grid, color=FAINT)
            ax.set_axisbelow(True)
        figure.supxlabel(note, size=8, color=DIM)
        save_figure(figure, path)


def ends(intervals: Iterable[Interval]) -> np.ndarray:
    """Return means, lower and upper bounds of intervals, (3, number of intervals)."""
    return np.array([(interval.mean, interval.low, interval.high) for interval in intervals]).reshape(-1, 3).T


def save_figure(figure: Figure, path: Path, formats: Iterable[str] = FORMATS) -> None:
    """Write a figure to ``path`` with the suffix of each format, .png and .pdf by default."""
    for form in formats:
        undated: dict[str, Any] = {"CreationDate": None} if form == "pdf" else {}  # the same input, the same bytes
        with whole_file(path.with_name(f"{path.name}.{form}")) as file:
            figure.savefig(file, format=form, metadata=undated)
