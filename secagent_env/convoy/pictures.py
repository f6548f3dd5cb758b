"""Pictures of a crossing: the map with buildings, vehicles and what is on the air; speeds and counts beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from secagent_env.convoy.crossing import Crossings
from secagent_env.convoy.geometry import LANE_M, LENGTH_M, WIDTH_M, directions, places
from secagent_env.convoy.messages import LEVELS
from secagent_env.convoy.rules import STEP_S
from secagent_env.rendering import style
from secagent_env.support.units import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RANGE_M = 45.0
"""What the map shows, from the middle to each side."""
COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.DARK_ORANGE)
_RINGS = {"information": "-", "decision": "--", "intent": ":"}
_BAR = 20


def figure(crossings: Crossings, row: int = 0, history: Sequence[np.ndarray] = ()) -> Figure:
    """Draw one crossing of a batch as a matplotlib figure of 1100 × 700 pixels.

    ``history`` are the places (V,) after every step so far, of which a diagram of place and time is drawn.
    """
    with style.own_style():
        fig = style.new_figure()
        colour = style.RED if crossings.collided[row] else style.INK
        style.pixel_text(fig, 40, 26, _headline(crossings, row), size=15, weight="bold", color=colour)
        style.pixel_text(fig, 40, 51, _subtitle(crossings, row), color=style.DIM)
        _draw_map(style.pixel_axes(fig, 40, 95, 570, 570), crossings, row)
        _draw_speeds(style.pixel_axes(fig, 690, 105, 370, 190), crossings, row)
        _draw_courses(style.pixel_axes(fig, 690, 375, 370, 270), crossings, history)
    return fig


def rgb_array(crossings: Crossings, row: int = 0, history: Sequence[np.ndarray] = ()) -> np.ndarray:
    """Return the pixels of :func:`figure`, (700, 1100, 3) uint8."""
    return style.pixels(figure(crossings, row, history))


def ansi(crossings: Crossings, row: int = 0) -> str:
    """Return a text panel of one crossing of a batch: a line for each vehicle."""
    lines = [_headline(crossings, row), _subtitle(crossings, row), ""]
    for i, place in enumerate(crossings.place[row]):
        speed = crossings.speed[row, i]
        filled = round(_BAR * speed / 15.0)
        bar = "█" * filled + "░" * (_BAR - filled)
        what = "hit" if crossings.hit[row, i] else "crossed" if crossings.crossed[row, i] else _sent(crossings, row, i)
        lines.append(f"  vehicle {i}  {place:7.1f} m  {bar} {speed:5.1f} m/s  {what}")
    return "\n".join(lines)


def _sent(crossings: Crossings, row: int, node: int) -> str:
    level = LEVELS[crossings.sent[row, node]]
    return "silent" if level == LEVELS[0] else f"sends {level}"


def _headline(crossings: Crossings, row: int) -> str:
    passed = f"{crossings.seconds[row].max():.1f} s"
    if crossings.collided[row]:
        return f"Collision after {passed}"
    return f"{passed}: {int(crossings.crossed[row].sum())} of {crossings.place.shape[1]} vehicles have crossed"


def _subtitle(crossings: Crossings, row: int) -> str:
    tally = crossings.tally
    bits, sent = int(tally.bits[row].sum()), int(tally.sent[row].sum())
    engine, radio = quantity(crossings.motion_j[row].sum(), "J"), quantity(tally.radio_j[row].sum(), "J")
    return (
        f"{sent} messages, {bits} bits, understood {int(tally.received[row])} times; engines {engine}, radios {radio}"
    )


def _draw_map(ax: Axes, crossings: Crossings, row: int) -> None:
    from matplotlib.patches import Circle, Rectangle

    back, r = crossings.rules.setback_m, RANGE_M
    ax.set(xlim=(-r, r), ylim=(-r, r), aspect="equal", xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    edge = 2 * LANE_M
    ax.add_patch(Rectangle((-r, -edge), 2 * r, 2 * edge, color=style.FAINT))
    ax.add_patch(Rectangle((-edge, -r), 2 * edge, 2 * r, color=style.FAINT))
    for x in (back, -r):
        for y in (back, -r):
            ax.add_patch(Rectangle((x, y), r - back, r - back, color=style.GREY, alpha=0.6))
    for end in (-1, 1):
        ax.plot([end * edge, end * r], [0, 0], color=style.GREY, ls="--", lw=0.8)
        ax.plot([0, 0], [end * edge, end * r], color=style.GREY, ls="--", lw=0.8)
    points = places(crossings.place[row])
    for i, (point, heading) in enumerate(zip(points, directions(len(points)), strict=True)):
        if np.abs(point).max() > r - 2:
            continue
        size = np.where(np.abs(heading) > 0.5, LENGTH_M, WIDTH_M)
        colour = style.RED if crossings.hit[row, i] else COLOURS[i]
        ax.add_patch(Rectangle(tuple(point - size / 2), *size, color=colour, zorder=3))
        ax.annotate(str(i), point, color="white", ha="center", va="center", size=8, weight="bold", zorder=4)
        level = LEVELS[crossings.sent[row, i]]
        if level in _RINGS:
            ax.add_patch(Circle(tuple(point), 5.0, fill=False, color=COLOURS[i], ls=_RINGS[level], lw=1.6, zorder=3))
    for i, j in zip(*np.nonzero(np.triu(crossings.clear[row], 1)), strict=True):
        if not crossings.crossed[row, [i, j]].any() and (i - j) % 2:
            ax.plot(*points[[i, j]].T, color=style.INK, lw=0.7, ls=":", zorder=2)
    ax.set_title(
        "Rings: who sends (solid information, dashed decision, dotted intent). Lines: who sees whom.", size=8.5
    )


def _draw_speeds(ax: Axes, crossings: Crossings, row: int) -> None:
    vehicles = np.arange(crossings.place.shape[1])
    ax.barh(vehicles, crossings.speed[row], color=COLOURS[: len(vehicles)])
    ax.set(xlim=(0, 15), yticks=vehicles, ylim=(len(vehicles) - 0.5, -0.5), ylabel="vehicle")
    ax.set_title("Speed, m/s", size=9.5, weight="bold", loc="left")


def _draw_courses(ax: Axes, crossings: Crossings, history: Sequence[np.ndarray]) -> None:
    if len(history):
        for i, course in enumerate(np.stack(history).T):
            ax.plot(STEP_S * np.arange(len(course)), course, color=COLOURS[i], label=str(i))
    ax.axhspan(-2 * LANE_M - 1.4, 2 * LANE_M + 1.4, color=style.FAINT)
    ax.set(xlim=(0, 12), ylim=(-85, 35), xlabel="time, s")
    ax.set_title("Place on the own lane, m; grey: the crossing", size=9.5, weight="bold", loc="left")
