"""The picture of ``secagent study asc``: the convergence of Algorithms 1 and 2."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.compare.looks import LIGHT
from eval.stats.pictures import written_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST = 1e-6
"""Shares of the energy are not drawn below it."""
ROUNDS = (("blue", "o"), ("orange", "^"), ("green", "s"))
"""Colour and marker of Algorithm 1's runs in the first rounds of Algorithm 2."""


def draw(results: Mapping[str, tuple[Any, Any]], path: Path) -> None:
    """Draw what Algorithms 1 and 2 do on each preset, and write the picture.

    ``results`` has by preset the rows of asc, and of asc without Algorithm 1, whose selection is the start's. Above the
    energy over the bound after each round of Algorithm 2; below the energy of computing over the bound after each
    iteration of Algorithm 1, and the penalty. Means over the networks; an algorithm that has ended stays where it is.
    """
    note = (
        "Shares of the lower bound, means over the networks; an algorithm that has ended stays where it is.\n"
        "Above: round 0 is the start's selection with beam and powers; in brackets, on how many networks a round ends "
        "infeasible.\nBelow: dotted is the penalty of (25)."
    )
    with written_figure(path, 3.6 * len(results) + 1, 6.4, note) as figure:
        axes = figure.subplots(2, len(results), squeeze=False)
        for (preset, (rows, start)), above, below in zip(results.items(), *axes, strict=True):
            bounds = rows["lower_bound_j"].to_numpy(float)
            courses = [json.loads(course) for course in rows["course"]]
            first = start["energy_j"].where(start["feasible"].astype(bool)).to_numpy(float) / bounds - 1
            _draw_rounds(above, np.column_stack([first, over_rounds(courses, bounds)]))
            above.set_title(preset)
            _draw_iterations(below, courses, bounds)
        axes[0, 0].set_ylabel("energy over the bound")
        axes[1, 0].set_ylabel("energy of computing over the bound")


def _draw_rounds(ax: Axes, over: np.ndarray) -> None:
    missing = np.isnan(over).sum(axis=0)
    means = np.nansum(over, axis=0) / np.where(missing < len(over), len(over) - missing, np.nan)
    shown = np.maximum(means, LEAST)
    ax.plot(range(len(means)), shown, color=LIGHT["blue"], marker="o")
    for r, (value, count) in enumerate(zip(shown, missing, strict=True)):
        if np.isfinite(value) and count:
            ax.annotate(f"({count})", (r, value), (0, 6), textcoords="offset points", fontsize=7)
    ax.set(yscale="log", xlabel="round r of Algorithm 2")
    ax.locator_params(axis="x", integer=True)


def _draw_iterations(ax: Axes, courses: Sequence[Mapping[str, Any]], bounds: np.ndarray) -> None:
    for r, (colour, marker) in enumerate(ROUNDS):
        computing, penalty = over_iterations(courses, bounds, r)
        steps = range(1, len(computing) + 1)
        look: dict[str, Any] = {"color": LIGHT[colour], "marker": marker, "ms": 4}
        ax.plot(steps, np.maximum(computing, LEAST), label=f"r = {r + 1}", **look)
        ax.plot(steps, np.where(penalty > LEAST, penalty, np.nan), ls=":", **look)
    ax.set(yscale="log", xlabel="iteration of Algorithm 1")
    ax.locator_params(axis="x", integer=True)
    ax.legend(fontsize=7)


def over_rounds(courses: Sequence[Mapping[str, Any]], bounds: np.ndarray) -> np.ndarray:
    """Return the energies over the bounds, minus 1, (instances, rounds); NaN where a round ended infeasible."""
    energies = padded([[np.nan if e is None else e for e in course["energy_j"]] for course in courses])
    return energies / bounds[:, None] - 1


def over_iterations(courses: Sequence[Mapping[str, Any]], bounds: np.ndarray, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of computing's energy over the bound, minus 1, and of the penalty over it, (iterations,).

    Of Algorithm 1 in round r of Algorithm 2, from 0, over those instances that have such a round.
    """
    runs = [
        (np.array(course["admm"][r]), bound)
        for course, bound in zip(courses, bounds, strict=True)
        if len(course["admm"]) > r and course["admm"][r]
    ]
    computing = padded(list(run[:, 0] / bound - 1) for run, bound in runs)
    penalty = padded(list(run[:, 1] / bound) for run, bound in runs)
    return computing.mean(axis=0) if runs else np.empty(0), penalty.mean(axis=0) if runs else np.empty(0)


def padded(series: Iterable[Sequence[float]]) -> np.ndarray:
    """Return series of different lengths as (series, the longest's length), the last value of each one repeated."""
    several = list(series)
    longest = max(map(len, several), default=0)
    rows = [[*one, *[one[-1] if len(one) else np.nan] * (longest - len(one))] for one in several]
    return np.array(rows, float).reshape(len(several), longest)
