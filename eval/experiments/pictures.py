"""Figures of experiments: drawn without a display, and written as PNG and PDF."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def save_figure(figure: Figure, path: Path, formats: Iterable[str] = FORMATS) -> None:
    """Write a figure to ``path`` with the suffix of each format, .png and .pdf by default."""
    for form in formats:
        undated: dict[str, Any] = {"CreationDate": None} if form == "pdf" else {}  # the same input, the same bytes
        with whole_file(path.with_name(f"{path.name}.{form}")) as file:
            figure.savefig(file, format=form, metadata=undated)
