"""Pictures of a match: powers and rates against targets now, and their course over the rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from secagent_env.power_control.match import Record
from secagent_env.rendering import style
from secagent_env.rendering.text import COLUMNS
from secagent_env.support.units import plural, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_REACHED = 1e-6
"""A target counts as reached within this share of it."""
_BAR = 20
_MOST_TICKS = 40


def figure(record: Record) -> Figure:
    """Draw a match as a matplotlib figure of 1100 × 700 pixels."""
    with style.own_style():
        fig = style.new_figure()
        style.pixel_text(fig, 60, 26, _headline(record), size=15, weight="bold")
        style.pixel_text(fig, 60, 51, _subtitle(record), color=style.DIM)
        _draw_powers(style.pixel_axes(fig, 60, 105, 470, 225), record)
        _draw_rates(style.pixel_axes(fig, 605, 105, 470, 225), record)
        total = np.sum(record.power_w, axis=-1)
        _draw_course(style.pixel_axes(fig, 60, 415, 470, 225), record, total, "Total power, W", style.BLUE)
        gaps = np.mean(np.abs(record.target_rate - record.rate), axis=-1)
        title = "Mean |target − rate|, bit/s/Hz"
        _draw_course(style.pixel_axes(fig, 605, 415, 470, 225), record, gaps, title, style.RED)
    return fig


def rgb_array(record: Record) -> np.ndarray:
    """Return the pixels of :func:`figure`, (700, 1100, 3) uint8."""
    return style.pixels(figure(record))


def ansi(record: Record) -> str:
    """Return a text panel of a match: every pair, and the messages of the last round, control characters replaced."""
    power, rate, target = record.power_w[-1], record.rate[-1], record.game.target_rate
    lines = [_headline(record), _subtitle(record), ""]
    for i, agent in enumerate(record.agents):
        filled = round(_BAR * power[i] / record.game.max_power_w)
        mark = "reached" if _reached(record)[i] else "short"
        bar = "█" * filled + "░" * (_BAR - filled)
        lines.append(
            f"  {agent:<8} {bar} {quantity(power[i], 'W'):>8}  {rate[i]:.3f} of {target[i]:.3f} bit/s/Hz  {mark}"
        )
    if record.deliveries:
        last = record.deliveries[-1]
        for message in last.messages:
            line = f"  {message.sender} to {message.recipient}: {printable(message.text)}"
            lines.append(line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…")
        lost = sum(sum(counts.values()) for counts in last.dropped.values())
        if lost:
            lines.append(f"  {plural(lost, 'message')} dropped")
    return "\n".join(lines)


def printable(text: str) -> str:
    """Return text on one line, with ``·`` for what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def _reached(record: Record) -> np.ndarray:
    return record.rate[-1] >= record.game.target_rate * (1 - _REACHED)


def _headline(record: Record) -> str:
    reached = int(np.sum(_reached(record)))
    total = quantity(np.sum(record.power_w[-1]), "W")
    round_of = f"Round {len(record.deliveries)} of {record.rounds}"
    return f"{round_of}: {reached} of {len(record.agents)} targets reached with {total}"


def _subtitle(record: Record) -> str:
    sent = sum(record.messages_sent.values())
    lost = sum(sum(counts.values()) for delivery in record.deliveries for counts in delivery.dropped.values())
    limit = quantity(record.game.max_power_w, "W")
    text = f"{plural(len(record.agents), 'pair')}, at most {limit} each"
    return f"{text}; {plural(sent, 'message')} delivered, {lost} dropped" if sent or lost else text


def _draw_powers(ax: Axes, record: Record) -> None:
    pairs = np.arange(len(record.agents))
    ax.bar(pairs, np.full(pairs.size, record.game.max_power_w), color=style.FAINT)
    ax.bar(pairs, record.power_w[-1], color=style.BLUE)
    _label(ax, "Transmit power of each pair, W", pairs)


def _draw_rates(ax: Axes, record: Record) -> None:
    pairs = np.arange(len(record.agents))
    colours = np.where(_reached(record), style.GREEN, style.ORANGE)
    ax.bar(pairs, record.rate[-1], color=colours)
    ax.hlines(record.game.target_rate, pairs - 0.4, pairs + 0.4, color=style.INK, lw=2)
    _label(ax, "Rate of each pair and its target (line), bit/s/Hz", pairs)


def _label(ax: Axes, title: str, pairs: np.ndarray) -> None:
    ax.set_title(title, size=9.5, weight="bold", loc="left")
    ax.set_xlabel("pair")
    ax.set_ylim(0)
    if pairs.size <= _MOST_TICKS:
        ax.set_xticks(pairs)


def _draw_course(ax: Axes, record: Record, values: np.ndarray, title: str, colour: str) -> None:
    ax.plot(np.arange(len(values)), values, color=colour, marker="o", ms=4)
    ax.set_xlim(-0.2, record.rounds + 0.2)
    ax.set_ylim(0, max(float(np.max(values)) * 1.1, 1e-9))
    ax.set_title(title, size=9.5, weight="bold", loc="left")
    ax.set_xlabel("round")
