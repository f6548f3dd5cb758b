"""Figures: drawn in one style without a display, and written whole."""

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

FORMATS = (".png", ".pdf")


@contextmanager
def drawing(width: float, height: float, dpi: int = 120) -> Iterator[Figure]:
    """Yield an empty figure of this size, inches, that needs no display; what is drawn meanwhile is in our style."""
    require("matplotlib", extra="eval")
    with own_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


@contextmanager
def written_figure(
    path: Path, width: float, height: float, note: str, grid: Literal["both", "x", "y"] = "both"
) -> Iterator[Figure]:
    """Yield an empty figure of this size, inches, to be drawn; then add grids and a note below, and write it."""
    with drawing(width, height) as figure:
        yield figure
        for ax in figure.axes:
            ax.grid(axis=grid, color=FAINT)
            ax.set_axisbelow(True)
        figure.supxlabel(note, size=8, color=DIM)
        save_figure(figure, path)


def ends(intervals: Iterable[Interval]) -> np.ndarray:
    """Return means, lower and upper bounds of intervals, (3, number of intervals)."""
    return np.array([(interval.mean, interval.low, interval.high) for interval in intervals]).reshape(-1, 3).T


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to ``path`` with each of the suffixes .png and .pdf."""
    for suffix in FORMATS:
        save_picture(figure, path.with_name(path.name + suffix))


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix; PNG if it has none."""
    form = path.suffix[1:].lower() or "png"
    undated: dict[str, Any] = {"CreationDate": None} if form == "pdf" else {}  # the same input, the same bytes
    with whole_file(path) as file:
        figure.savefig(file, format=form, metadata=undated)
