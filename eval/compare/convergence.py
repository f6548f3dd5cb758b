"""The picture of one solve: how energies and violation changed with the sub-problems, down to the certified bound."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.compare.looks import LIGHT
from eval.stats.pictures import drawing, save_picture
from secagent_env.rendering.style import BLUE, DIM, FAINT, GREEN, GREY, INK, ORANGE, RED
from solvers import Solution

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".pdf", ".svg")

_BOUND: dict[str, Any] = {"color": RED, "lw": 1.1, "ls": (0, (4, 3))}
_STYLES = {"selection": (BLUE, "o"), "beam": (ORANGE, "^"), "powers": (GREEN, "s")}
_LABELS = {"selection": "agent selection", "beam": "beamforming", "powers": "transmission powers"}
_OTHERS = ((LIGHT["pink"], "D"), (RED, "v"), (LIGHT["sky"], "P"), (GREY, "X"))
ROUNDING = 1e-9
"""Violations up to it, relative to their limits, count as none."""


class NothingToDraw(Exception):
    """Raised, with the reason, for a solution without a history."""


def check_picture(path: Path) -> None:
    """Raise ValueError unless the file's name ends as one of ``FORMATS``."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"a picture's name must end with {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, got {path.name!r}"
        )


def save_convergence(solution: Solution, path: Path, *, title: str = "") -> None:
    """Draw the history of a solution, record by record, and write the picture.

    Of a record, ``best_energy_j`` is drawn, and what else it has of ``energy_j``, ``transmission_energy_j``,
    ``violation``, ``feasible``, ``sub_problem`` and ``iteration`` (which is 1 where a search starts again).

    Raises
    ------
    NothingToDraw
        If the history is empty.
    ValueError
        For an unknown kind of file.
    """
    check_picture(path)
    history = solution.history
    if not history:
        raise NothingToDraw(f"{solution.solver} left no history of iterations")
    panels = [(3.0, _energy)]
    if any(0 < record.get("transmission_energy_j", 0) < math.inf for record in history):
        panels.append((2.2, _transmission))
    if any(record.get("violation", 0) > ROUNDING for record in history):
        panels.append((1.6, _violation))
    heights = [height for height, _ in panels]
    with drawing(7, 1.7 + 0.7 * sum(heights), dpi=160) as figure:
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for ax, (_, draw) in zip(axes, panels, strict=True):
            draw(ax, solution)
            for start in _starts(history)[1:]:
                ax.axvline(start + 0.5, color=FAINT, lw=1, zorder=0)
        _steps(axes[-1], solution)
        figure.suptitle(title or _title(solution), size=9, color=DIM, x=0.01, ha="left")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        save_picture(figure, path)


def _title(solution: Solution) -> str:
    if not solution.outcome.feasible:
        return f"{solution.solver}: no feasible decision found"
    return f"{solution.solver}: {solution.status}, gap to the certified lower bound {solution.gap:.2g}"


def _energy(ax: Axes, solution: Solution) -> None:
    """Draw the energy after each sub-problem, the best so far and the bound."""
    from matplotlib.ticker import EngFormatter

    history = solution.history
    best = _column(history, "best_energy_j")
    own = np.array(["energy_j" in record for record in history])
    _dots(ax, history, np.where(own, _column(history, "energy_j"), best))
    if np.isfinite(best).any():
        label = "best feasible so far"
        ax.plot(_numbers(history), best, color=INK, lw=1.3, drawstyle="steps-post", zorder=1.5, label=label)
    if math.isfinite(solution.lower_bound_j):
        ax.axhline(solution.lower_bound_j, **_BOUND, zorder=2.5, label="certified lower bound")
    low, high = ax.get_ylim()
    margin = max(0.1 * (high - low), 0.05 * high)  # what is equal to many digits is drawn so
    ax.set_ylim(low - margin, high + margin)
    ax.yaxis.set_major_formatter(EngFormatter("J"))
    ax.set_ylabel("energy (20)")


def _transmission(ax: Axes, solution: Solution) -> None:
    """Draw the transmission energy after each sub-problem, and its bound for the selection of the result."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    _dots(ax, solution.history, _column(solution.history, "transmission_energy_j"))
    bound = solution.transmission_bound_j
    if solution.outcome.feasible and bound > 0:
        ax.axhline(bound, **_BOUND, zorder=1)
        note: dict[str, Any] = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points"}
        text = "lower bound for the agents selected in the end"
        ax.annotate(text, (1, bound), (-2, -4), size=7, color=RED, ha="right", va="top", **note)
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 4, high * 1.5)
    ax.yaxis.set_major_formatter(EngFormatter("J"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel("its transmission part (18)")


def _violation(ax: Axes, solution: Solution) -> None:
    """Draw the largest violation relative to its limit: none at the bottom, infinite ones at the top."""
    from matplotlib.ticker import NullLocator

    violation = _column(solution.history, "violation", infinite=True)
    finite = violation[np.isfinite(violation) & (violation > ROUNDING)]
    low = 10.0 ** (math.floor(math.log10(min(finite, default=0.1))) - 1)
    high = 10.0 ** (math.ceil(math.log10(max(finite, default=0.1))) + 1)
    _dots(ax, solution.history, np.where(violation <= ROUNDING, low, np.minimum(violation, high)))
    ax.set_yscale("log")
    ax.set_ylim(low / 3, high * 3)
    between: list[float] = []
    if finite.size:
        between = [10.0**power for power in range(round(math.log10(low)) + 1, round(math.log10(high)))]
    ax.set_yticks([low, *between, high], ["none", *(f"{value:g}" for value in between), "∞"])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylabel("violation")


def _dots(ax: Axes, history: Sequence[Mapping[str, Any]], values: np.ndarray) -> None:
    """Draw a value per record, in colour and shape of its sub-problem; hollow where it is not feasible."""
    numbers = _numbers(history)
    for first, last in itertools.pairwise([*_starts(history), len(history)]):
        ax.plot(numbers[first:last], values[first:last], color=GREY, lw=0.8, zorder=1)
    names = [str(record.get("sub_problem", "iteration")) for record in history]
    feasible = np.array([bool(record.get("feasible", True)) for record in history])
    others = itertools.cycle(_OTHERS)
    for name in dict.fromkeys(names):
        colour, marker = _STYLES.get(name) or next(others)
        mine = np.array([other == name for other in names])
        style: dict[str, Any] = {"ls": "", "marker": marker, "ms": 4.5, "mec": colour, "zorder": 2}
        ax.plot(numbers[mine & feasible], values[mine & feasible], mfc=colour, label=_LABELS.get(name, name), **style)
        ax.plot(numbers[mine & ~feasible], values[mine & ~feasible], mfc="white", **style)
    if not feasible.all():
        ax.plot([], [], ls="", marker="o", ms=4.5, mec=DIM, mfc="white", label="hollow: infeasible")


def _starts(history: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return where searches start: at the first record, and where the counting of iterations starts again."""
    starts, seen = [0], set[tuple[int, Any]]()
    for index, record in enumerate(history):
        if "iteration" in record:
            step = (record["iteration"], record.get("sub_problem"))
            if step in seen or step[0] < max((iteration for iteration, _ in seen), default=0):
                starts.append(index)
                seen.clear()
            seen.add(step)
    return starts


def _steps(ax: Axes, solution: Solution) -> None:
    from matplotlib.ticker import MaxNLocator

    history = solution.history
    ax.set_xlim(0.5, len(history) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    solved = "sub-problems solved" if "sub_problem" in history[0] else "iterations"
    note = "; a vertical line is a new start" * (len(_starts(history)) > 1)
    ax.set_xlabel(f"{solved} ({len(history)} in {history[-1]['seconds']:.3g} s{note})")


def _numbers(history: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return np.arange(1, len(history) + 1)


def _column(history: Sequence[Mapping[str, Any]], name: str, infinite: bool = False) -> np.ndarray:
    """Return one entry of all records; NaN where it is missing or, unless they are wanted, infinite."""
    values = np.array([float(record.get(name, math.nan)) for record in history])
    return values if infinite else np.where(np.isfinite(values), values, np.nan)
