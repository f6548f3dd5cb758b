"""The charts beside the map: one column per receiver or sender, one bar per energy and constraint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from secagent_env.rendering import style
from secagent_env.rendering.view import View
from secagent_env.support.units import decibel, plural, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Pixels: the text's left edge; columns; bars and the numbers beside them.
_NAMES = 640
_LEFT, _WIDTH = 672, 413
_NARROWEST = 6  # column that has a number
_BARS, _BAR_WIDTH, _BAR_STEP, _NUMBERS = 746, 165, 20, 922


def draw_sinr(fig: Figure, view: View) -> None:
    """Draw the SINR of each eavesdropper and computing agent, and the gap between them."""
    _header(fig, 74, f"Downlink SINR in dB → secrecy rate {view.secrecy}", view.downlink)
    low, high = limits = view.sinr_limits
    ax = _column_axes(fig, 110, 125, limits)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    # The scale of this chart doubles as the colour bar of the links on the map.
    bar = style.pixel_axes(fig, _LEFT - 10, 110, 7, 125)
    colours = style.beam_colours()
    bar.imshow(np.linspace(1, 0, 64)[:, None], aspect="auto", cmap=colours, extent=(0, 1, low, high))
    bar.set_xticks([])
    bar.locator_params(axis="y", nbins=5, integer=True)
    bar.spines[:].set_visible(False)
    heard, senders, _ = _columns(view)
    levels = np.sort(view.eve_db)
    _stems(ax, heard, levels, style.RED, stems=colours(view.strength(levels)))
    levels = view.sinr_db[view.computing]
    _stems(ax, senders, levels, style.BLUE, stems=colours(view.strength(levels)))
    if view.computing.size:
        top, bottom = (float(np.clip(value, low, high)) for value in (levels[0], view.heard_db))
        between = float(heard[-1] + senders[0]) / 2
        for x, y in ((senders[0], top), (heard[-1], bottom)):
            ax.plot([between, x], [y, y], color=style.INK, lw=0.8, ls=(0, (3, 2)))
        if top - bottom > 0.12 * (high - low):
            arrow = {"arrowstyle": "<->", "color": style.INK, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (between, top), (between, bottom), arrowprops=arrow)


def draw_powers(fig: Figure, view: View) -> None:
    """Draw the power of every computing and jamming agent, under the SINRs and in the same columns."""
    note = f"{plural(view.silent.size, 'agent')} silent (0 W)" if view.silent.size else "nobody is silent"
    if view.exposed.any():
        note += f"; ✗ no secrecy on the uplink: {plural(int(view.exposed.sum()), 'agent')}"
    _header(fig, 262, "Transmit power in dBm", note)
    max_power_w = view.instance.scenario.max_power_w
    limit = float(decibel(max_power_w * 1e3))
    shown = view.power_dbm[np.isfinite(view.power_dbm)]
    low = max(shown.min(initial=limit - 50) - 25, limit - 160)
    high = max(shown.max(initial=limit), limit) + 0.16 * (limit - low)
    ax = _column_axes(fig, 297, 107, (low, high))
    ax.locator_params(axis="y", nbins=5, integer=True)
    ax.axhline(limit, color=style.GREY, lw=0.9, ls=(0, (4, 2)))
    ax.text(0, limit, f" limit {quantity(max_power_w, 'W')}", size=8, color=style.DIM, va="bottom")
    heard, senders, jammers = _columns(view)
    levels = view.power_dbm[view.computing]
    _stems(ax, senders, levels, style.BLUE)
    _stems(ax, jammers, view.power_dbm[view.jamming], style.ORANGE, marker="^")
    lost = view.exposed & np.isfinite(levels)
    size = float(np.clip(0.9 * _step(senders), 4, 10))
    ax.plot(senders[lost], levels[lost], "X", color=style.RED, mec="white", mew=0.6, ms=size)
    eves = [f"E{e}" for e in np.argsort(view.eve_db, kind="stable")]
    _name_columns(ax, heard, eves, "eaves-\ndropper" + "s" * (len(eves) > 1), style.RED)
    _name_columns(ax, senders, view.computing, f"computing ({senders.size})\nweakest first", style.BLUE)
    _name_columns(ax, jammers, view.jamming, f"jamming ({jammers.size})", style.DARK_ORANGE)


def draw_costs(fig: Figure, view: View) -> None:
    """Draw, before a decision, the execution energy and the accuracy of each agent."""
    energy = np.asarray(view.instance.execution_energy_j, np.float64)
    order = np.argsort(energy, kind="stable")
    columns = _spread([order.size])[0]
    scale, unit = (1e3, "kJ") if energy.max() >= 1e3 else (1.0, "J")
    top = 1.12 * max(float(energy.max()) / scale, 1e-9)
    _header(fig, 74, f"Execution energy of each agent in {unit}", "if it is selected; the cheapest first")
    _stems(_column_axes(fig, 110, 125, (0, top)), columns, energy[order] / scale, style.GREY)
    _header(fig, 262, "Accuracy of each agent", "dashed: what the selected ones must reach on average")
    ax = _column_axes(fig, 297, 107, (0, 1.1))
    _stems(ax, columns, np.asarray(view.instance.accuracy, np.float64)[order], style.GREY)
    ax.axhline(view.instance.scenario.min_accuracy, color=style.INK, lw=1.1, ls=(0, (4, 2)), zorder=4)
    _name_columns(ax, columns, order, "agents", style.INK)


def draw_energies(fig: Figure, view: View) -> None:
    """Draw the two energies on one logarithmic axis: they may be twelve orders of magnitude apart."""
    _header(fig, 467, "Energy of all agents (logarithmic axis)")
    names = ("execution", "transmission")
    energies = [float(getattr(view.outcome, f"{name}_energy_j", math.nan)) for name in names]
    finite = [math.log10(energy) for energy in energies if 0 < energy < math.inf]
    low, high = min([-12.0, *finite]), max([6.0, *finite])
    ends = [math.log10(energy) if energy > 0 else low for energy in energies]
    colours = [style.RED if end == math.inf else style.BLUE for end in ends]
    rows = list(zip(names, ends, colours, [quantity(energy, "J") for energy in energies], strict=True))
    ax = _draw_rows(fig, 481, rows, (low, high))
    ticks = {-12: "1 pJ", -6: "1 µJ", 0: "1 J", 6: "1 MJ"}
    ax.set_xticks(list(ticks), list(ticks.values()), size=7)


def draw_constraints(fig: Figure, view: View) -> None:
    """Draw every constraint's value relative to its limit."""
    note = f"latency: {view.times}" if view.times else ""
    _header(fig, 550, "Constraints (bars: value relative to limit)", note)
    rows = []
    for item in view.constraints:
        sign = "" if item.value is None else "✗ " if item.violated else "✓ "
        rows.append((item.name, item.ratio, style.RED if item.violated else style.GREEN, f"{sign}{item}"))
    ax = _draw_rows(fig, 578, rows, (0, 1.5))
    ax.axvline(1, color=style.INK, lw=1.2)
    ax.set_xticks([1], ["limit"], size=7)


def _header(fig: Figure, top: float, title: str, note: str = "") -> None:
    style.pixel_text(fig, _NAMES, top, title, weight="bold", size=9.5)
    style.pixel_text(fig, _NAMES, top + 16, note, size=8.5, color=style.DIM)


def _column_axes(fig: Figure, top: float, height: float, limits: tuple[float, float]) -> Axes:
    ax = style.pixel_axes(fig, _LEFT, top, _WIDTH, height, xlim=(0, 1), ylim=limits)
    ax.set_xticks([])
    return ax


def _columns(view: View) -> list[np.ndarray]:
    """Return the columns of eavesdroppers (strongest last), computing agents (weakest first) and jammers."""
    return _spread([view.eve_db.size, view.computing.size, view.jamming.size])


def _spread(counts: Sequence[int]) -> list[np.ndarray]:
    """Return where in (0, 1) each group's columns are; a small group keeps room for its name."""
    shares = np.array([max(count, 0.16 * sum(counts)) if count else 0.0 for count in counts])
    widths = shares / shares.sum()
    starts = np.cumsum(widths) - widths
    places = (np.arange(count) + 0.5 for count in counts)
    return [s + p * w / max(p.size, 1) for s, p, w in zip(starts, places, widths, strict=True)]


def _step(columns: np.ndarray) -> float:
    """Return the width of a column in pixels."""
    return _WIDTH * (float(columns[1] - columns[0]) if columns.size > 1 else 0.16)


def _stems(
    ax: Axes,
    columns: np.ndarray,
    levels: np.ndarray,
    colour: str,
    *,
    marker: str = "o",
    stems: Any = None,
) -> None:
    """Draw a stem with a head per column and, where there is room, its number.

    A level at or below the axis' floor gets a hollow head there.
    """
    (low, high), step = ax.get_ylim(), _step(columns)
    inside = levels > low
    heights = np.clip(levels, low, high)
    size, width = float(np.clip(0.6 * step, 2.5, 7)), float(np.clip(0.4 * step, 0.8, 6))
    ax.vlines(columns, low, heights, colors=colour if stems is None else stems, lw=width, snap=False)
    ax.plot(columns[inside], heights[inside], marker, color=colour, ms=size, clip_on=False)
    ax.plot(columns[~inside], heights[~inside], "v", mfc="white", mec=colour, ms=size, clip_on=False)
    if step < 24:
        return
    for x, y, value in zip(columns[inside], heights[inside], levels[inside], strict=True):
        text = (f"{value:.0f}" if high > 10 else f"{value:.2g}").replace("-", "−")
        ax.annotate(text, (x, y), (0, 5), textcoords="offset points", size=7.5, ha="center")


def _name_columns(ax: Axes, columns: np.ndarray, labels: Iterable[object], name: str, colour: str) -> None:
    """Write each column's label, where there is room, and the group's name under them."""
    if not columns.size:
        return
    texts = [str(label) for label in labels]
    below = ax.get_xaxis_transform()
    step, length = _step(columns), max(map(len, texts))
    size, turned = (7.5, 0) if step > 7 * length else (6, 0) if step > 5 * length else (6, 90)
    if step > _NARROWEST:
        for x, text in zip(columns, texts, strict=True):
            ax.text(x, -0.05, text, size=size, rotation=turned, ha="center", va="top", transform=below)
    ax.text(columns.mean(), -0.19, name, size=8, color=colour, ha="center", va="top", transform=below)


def _draw_rows(
    fig: Figure, top: float, rows: Sequence[tuple[str, float, str, str]], limits: tuple[float, float]
) -> Axes:
    """Draw bars from the axis' start: the name before each, its end, its colour, and the text behind it."""
    low, high = limits
    height = _BAR_STEP * len(rows)
    ax = style.pixel_axes(fig, _BARS, top, _BAR_WIDTH, height, xlim=limits, ylim=(len(rows) - 0.5, -0.5))
    ax.set_yticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(axis="x", length=2, pad=1)
    for y, (name, end, colour, text) in enumerate(rows):
        ax.barh(y, high - low, left=low, height=0.62, color=style.FAINT)
        ax.barh(y, min(end, high) - low, left=low, height=0.62, color=colour)
        if end > high:
            ax.text(high - 0.02 * (high - low), y, "»", color="white", ha="right", va="center", weight="bold")
        middle = top + _BAR_STEP * (y + 0.5)
        style.pixel_text(fig, _NAMES, middle, name)
        style.pixel_text(fig, _NUMBERS, middle, text)
    return ax
