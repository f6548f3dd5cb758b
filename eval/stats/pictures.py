"""Figures: drawn in one style without a display, and written whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secagent_env.rendering.style import own_style
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
