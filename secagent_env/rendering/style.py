"""Colours, sizes and the few drawing helpers that map and charts share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from secagent_env.support.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.text import Text

WIDTH, HEIGHT, DPI = 1100, 700, 100

# Okabe and Ito's palette, which readers with colour-blindness can tell apart; shapes and signs say it again.
BLUE, ORANGE, RED, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
DARK_ORANGE = "#A86F00"  # for text: the palette's own is too pale on white
INK, DIM, GREY, FAINT = "#222222", "#595959", "#8C8C8C", "#E8E8E8"

# Weak to strong: lightness falls all the way, so that the order survives in greyscale.
_BEAM = ("#CFCFCF", "#8FC7EA", "#2B83BA", "#04264D")

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


@contextmanager
def own_style() -> Iterator[None]:
    """Draw in our style whatever the user's matplotlib settings are: the same input gives the same bytes."""
    require("matplotlib", extra="render")
    from matplotlib import style

    with style.context(["default", _RC]):
        yield


def new_figure(height: float = HEIGHT) -> Figure:
    """Return an empty figure of 1100 × ``height`` pixels that no window shows; to be called in :func:`own_style`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(fig)
    return fig


def pixels(fig: Figure) -> np.ndarray:
    """Return the pixels of a figure, (height, width, 3) uint8."""
    canvas: Any = fig.canvas
    with own_style():
        canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()


def beam_colours() -> Colormap:
    """Return the colours of SINRs, from weak to strong."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("beam", _BEAM)


def pixel_axes(fig: Figure, left: float, top: float, width: float, height: float, **options: Any) -> Axes:
    """Return axes whose box is given in pixels from the upper left corner."""
    box = (left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT)
    return fig.add_axes(box, **options)


def pixel_text(fig: Figure, left: float, top: float, text: str, **options: Any) -> Text:
    """Write text whose left edge and middle are given in pixels from the upper left corner."""
    return fig.text(left / WIDTH, 1 - top / HEIGHT, text, va="center", **options)
