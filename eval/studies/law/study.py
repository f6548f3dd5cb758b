"""``secagent study law``: the ablations of LAW and its controls at the same settings, beside ASC and the exact solver.

It prints the table of ``docs/law.md``, and draws the convergence of each sub-problem. With ``--model`` (and
``--base-url``) a language model joins.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from eval.compare.comparison import Comparison
from eval.compare.convergence import check_picture
from eval.compare.looks import LIGHT
from eval.compare.rows import OWN
from eval.compare.table import notes_on
from eval.experiments.options import option, texts
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, count, percent, tabulated, with_unit
from eval.stats.pictures import drawing, save_figure, save_picture
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean
from eval.studies.law.cells import FUNCTION
from eval.studies.law.variants import CONTROLS, STAND_IN
from eval.sweep.grid import Grid
from secagent_env import Scenario
from secagent_env.rendering.style import DIM
from secagent_env.support.errors import check_name
from solvers import make
from solvers.law.evaluation import OBJECTIVES
from solvers.law.proposals import VIEWS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Results = Mapping[str, Any]
"""By variant, its rows as a pandas DataFrame, instance by instance."""

ABLATIONS: dict[str, dict[str, Any]] = {
    STAND_IN: {},
    "without expert search": {"expert_search": False},
    "without expert search, as many evaluations": {"expert_search": False, "proposals": 42},
    "without examples": {"examples": False},
}
COLOURS = tuple(
    LIGHT[name] for name in ("orange", "sky", "purple", "grey", "olive", "brown", "blue", "green", "red", "pink")
)
"""Of the variants: that of LAW is the first."""


@dataclass(frozen=True)
class LawAblations(Experiment):
    """LAW's ablations and controls; a language model joins where options of LAW name one."""

    name: ClassVar[str] = "law"

    scenario: str = option("paper", "a preset (default: %(default)s)", "NAME")
    instances: int = option(20, "networks (default: %(default)s)", "K")
    seed: int = option(0, "of the networks and the solvers (default: %(default)s)")
    model: Mapping[str, Any] = texts(
        model="a language model that joins; its key is that of OPENAI_API_KEY",
        base_url="of its endpoint",
        transcript="a file that records its replies, and replays those it has",
    )
    view: str = option("ranked", "of the problem in the prompts: ranked or raw (default: %(default)s)")
    picture: Path | None = option(None, "draw the convergence there too: a .png, .pdf or .svg file", "FILE")

    def __post_init__(self) -> None:
        check_name("view", self.view, VIEWS)
        if self.picture is not None:
            check_picture(self.picture)

    def cells(self) -> Grid:
        """Return the cells, instance by instance."""
        compared: dict[str, Mapping[str, Any]] = {"asc": {}, "exact": {}}
        labels = {name: name for name in compared}
        variants = {**ABLATIONS, **CONTROLS}
        if self.model:
            variants[make("law", **self.model).name] = dict(self.model)
        for label, options in variants.items():
            named = label if label.startswith("law (") else f"{STAND_IN[:-1]}, {label})"
            compared[named], labels[named] = {**options, "view": self.view}, label
        cells = Comparison(Scenario.preset(self.scenario), compared, self.instances, self.seed).cells(self.name)
        return cells.map(lambda cell: dataclasses.replace(cell, function=FUNCTION, scheme=labels[cell.scheme]))

    def report(self, compute: Compute) -> Report:
        """Return the table and the picture."""
        frame = compute(self.cells())
        results = dict(iter(frame.groupby("scheme", sort=False)))

        def draw(path: Path) -> None:
            figure = convergence(results)
            if self.picture is not None:
                save_picture(figure, self.picture)
            save_figure(figure, path)

        view = "" if self.view == VIEWS[0] else f"The view in all prompts is {self.view}.\n"
        return Report(table(results) + view, frame.drop(columns="course"), draw)


def table(results: Results) -> str:
    """Return the table of the variants, in Markdown: means over the instances that all solved feasibly."""
    solved = np.array([rows["feasible"].to_numpy(bool) for rows in results.values()])
    never = [label for label, own in zip(results, solved, strict=True) if not own.any()]
    able = np.logical_and(solved[solved.any(axis=1)].all(axis=0), solved.any(axis=0))
    reference = results[STAND_IN]["energy_j"].to_numpy(float)[able]
    lines = []
    for label, rows in results.items():
        compared = rows[able & (label not in never)]
        energies = compared["energy_j"].to_numpy(float)
        asks = rows["calls"].notna().any()
        more = bootstrap_mean([] if {label, STAND_IN} & set(never) else energies / reference - 1)
        lines.append(
            {
                "": label,
                "feasible": f"{rows['feasible'].sum()}/{len(rows)}",
                "energy": with_unit(bootstrap_mean(energies), "J"),
                "over the bound": percent(bootstrap_mean(compared["gap"])),
                f"more than {STAND_IN}": NONE if label == STAND_IN else _signed(more),
                "transmission": with_unit(bootstrap_mean(compared["transmission_energy_j"]), "J"),
                "own improvements": percent(bootstrap_mean(rows[OWN].dropna() if OWN in rows else [])),
                "calls": count(bootstrap_mean(rows["calls"])) if asks else NONE,
                "tokens": count(bootstrap_mean(rows["tokens"])) if asks else NONE,
                "evaluations": count(bootstrap_mean(rows["evaluations"])),
                "time": with_unit(bootstrap_mean(rows["seconds"]), "s", digits=3),
            }
        )
    solvers = f"all but {', '.join(never)}" if never else "all"
    notes = "".join(f"{note}\n" for label, rows in results.items() for note in notes_on(label, rows, rows["index"]))
    return (
        f"{tabulated(lines)}\n\nMeans with {CONFIDENCE:.0%} bootstrap intervals over the {able.sum()} of {able.size} "
        f"instances that {solvers} solved feasibly; own improvements (the share of steps in which the proposal itself "
        f"was better than the best example), calls, tokens (estimated for rules), evaluations and time over all. "
        f"Differences are of pairs.\n{notes}"
    )


def _signed(interval: Interval) -> str:
    bounds = ", ".join(f"{100 * value:+.1f}" for value in (interval.low, interval.high))
    return NONE if math.isnan(interval.mean) else f"{100 * interval.mean:+.1f} % [{bounds}]".replace("-", "−")


def curves(courses: Sequence[Mapping[str, Any]], sub_problem: str) -> tuple[np.ndarray, np.ndarray]:
    """Return f of the best example against the steps that a sub-problem has taken so far.

    Parameters
    ----------
    courses
        Of the instances (:func:`eval.studies.law.cells.course`).
    sub_problem
        Of which sub-problem.

    Returns
    -------
    calls, values
        (T,) and (instances, T); infinite while nothing is feasible. Steps of the other sub-problems in between can
        change f at a new round.
    """
    series = [course["best_f"].get(sub_problem, []) for course in courses]
    longest = max(map(len, series), default=0)
    padded = np.array([[*values, *[values[-1] if values else math.inf] * (longest - len(values))] for values in series])
    calls = next((course["calls"] for course in courses if course["best_f"]), 1)
    return np.arange(1, longest + 1) * calls, padded


def quartiles(values: np.ndarray) -> np.ndarray:
    """Return the quartiles (3, T) of values (instances, T); NaN where one is infinite, or between infinite ones."""
    huge = 1e200  # NumPy interpolates between finite numbers only
    found = np.quantile(np.minimum(values, huge), [0.25, 0.5, 0.75], axis=0)
    return np.where(found < huge / 1e6, found, np.nan)


def convergence(results: Results) -> Figure:
    """Draw, for each sub-problem, the median of f over the instances against the calls, with quartiles."""
    courses = {
        label: [json.loads(text) if isinstance(text, str) else {"best_f": {}} for text in rows["course"]]
        for label, rows in results.items()
        if rows["course"].notna().any()
    }
    with drawing(10.5, 3.9, dpi=160) as figure:
        from matplotlib.ticker import EngFormatter

        bound = float(np.median(results["exact"]["lower_bound_j"].fillna(math.inf)))
        for ax, (sub_problem, (_, name, unit)) in zip(figure.subplots(1, 3), OBJECTIVES.items(), strict=True):
            drawn = False
            for (label, own), colour in zip(courses.items(), COLOURS, strict=False):
                calls, values = curves(own, sub_problem)
                low, middle, high = quartiles(values)
                drawn = drawn or bool(np.isfinite(middle).any())
                ax.plot(calls, middle, color=colour, lw=1.6, ls=":" if label in CONTROLS else "-", label=label)
                ax.fill_between(calls, low, high, color=colour, alpha=0.12, lw=0)
            if sub_problem == "selection" and math.isfinite(bound):
                ax.axhline(bound, color=DIM, lw=1, ls=(0, (4, 3)), label="certified lower bound (median)")
            if drawn:
                ax.set_xscale("log")
            else:
                ax.text(0.5, 0.6, "feasible in less than\nhalf of the networks", transform=ax.transAxes, ha="center")
            ax.yaxis.set_major_formatter(EngFormatter(unit))
            ax.tick_params(axis="y", labelsize=8)
            ax.set_title(f"{sub_problem}: {name}", loc="left")
            ax.set_xlabel("calls for this sub-problem")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure
