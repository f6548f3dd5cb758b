"""The picture of all models and controls: energy over the certified bound against what a solve has used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from eval.compare.looks import LIGHT
from eval.stats.pictures import written_figure
from eval.studies.llm_bench.ladder import FORMS, STEPS
from eval.studies.llm_bench.results import Results, Solve, Solves, groups
from secagent_env.rendering.style import DIM
from solvers.law.proposals import VIEWS

POINTS = 60
HUGE = 1e9
"""Drawn instead of infinity, beyond the picture: quartiles between finite and infinite values are infinite."""

COLOURS = tuple(LIGHT[name] for name in ("blue", "red", "green", "purple", "pink", "brown", "olive", "orange"))
CONTROL_COLOURS = tuple(LIGHT[name] for name in ("orange", "olive", "grey", "sky"))


def over_bound(solve: Solve, bound_j: float, axis: str, points: np.ndarray) -> np.ndarray:
    """Return the energy over the bound (T,) once so much is used; infinite while nothing feasible is known.

    ``axis`` is what is used: ``"evaluations"``, ``"calls"`` or ``"tokens"``, and ``points`` (T,) how much of it.
    """
    if axis == "evaluations":
        used = points
    else:
        steps = np.searchsorted(getattr(solve, axis), points, side="right")
        used = np.concatenate([[0.0], solve.evaluations])[steps]
    places = np.searchsorted(solve.best[:, 0], used, side="right")
    return np.concatenate([[np.inf], solve.best[:, 1] / bound_j - 1])[places]


def _quartiles(values: np.ndarray) -> np.ndarray:
    """Return the quartiles (3, T) of values (n, T); NaN where one is infinite."""
    found = np.quantile(np.minimum(values, HUGE), [0.25, 0.5, 0.75], axis=0)
    return np.where(found < HUGE / 1e3, found, np.nan)


def draw(results: Results, axis: str, path: Path) -> None:
    """Draw the median over networks and seeds with its quartiles, step by step and view by view."""
    drawn = {**_of_first_form(results.models), **results.controls}
    places = list(groups({task: () for solves in drawn.values() for task in solves}))
    steps = [step for step in STEPS if any(step == place[0] for place in places)]
    views = [view for view in VIEWS if any(view == place[1] for place in places)]
    colours = dict(zip(results.models, COLOURS, strict=False)) | dict(
        zip(results.controls, CONTROL_COLOURS, strict=False)
    )
    note = f"median over networks with quartiles; of the controls over {axis_seeds(results)} solves of each network"
    with written_figure(path, 3.1 * len(steps) + 0.6, 2.7 * len(views) + 1.1, note) as figure:
        grid = figure.subplots(len(views), len(steps), squeeze=False, sharex=True, sharey="col")
        for row, view in enumerate(views):
            for column, step in enumerate(steps):
                ax = grid[row][column]
                ax.set_title(f"{step}, {view}", loc="left", fontsize=9)
                ax.set_yscale("symlog", linthresh=0.01)
                ax.set_xscale("log")
                for label, own in drawn.items():
                    solves = groups(own).get((step, view, FORMS[0]), {})
                    _curve(ax, results, solves, axis, label, colours.get(label, DIM), dashed=label in results.controls)
                if row == len(views) - 1:
                    ax.set_xlabel(axis)
                if column == 0:
                    ax.set_ylabel("energy over the bound")
                ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=8)


def _of_first_form(models: Mapping[str, Solves]) -> dict[str, Solves]:
    return {
        label: {task: solves for task, solves in own.items() if task.form == FORMS[0]} for label, own in models.items()
    }


def axis_seeds(results: Results) -> int:
    """Return the number of solves of a control on a network."""
    return max((len(several) for own in results.controls.values() for several in own.values()), default=0)


def _curve(ax: object, results: Results, solves: Solves, axis: str, label: str, colour: str, *, dashed: bool) -> None:
    pairs: Sequence[tuple[Solve, float]] = [
        (solve, results.bound_j(task)) for task, several in solves.items() for solve in several
    ]
    if not pairs:
        ax.plot([], [], color=colour, ls=":" if dashed else "-", label=label)  # type: ignore[attr-defined]
        return
    ends = [solve.effort[axis] for solve, _ in pairs]
    points = np.geomspace(1 if axis != "tokens" else 100, np.median(ends), POINTS)
    low, middle, high = _quartiles(np.array([over_bound(solve, bound, axis, points) for solve, bound in pairs]))
    ax.plot(points, middle, color=colour, lw=1.5, ls=":" if dashed else "-", label=label)  # type: ignore[attr-defined]
    ax.fill_between(points, low, high, color=colour, alpha=0.12, lw=0)  # type: ignore[attr-defined]
