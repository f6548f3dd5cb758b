"""What LAW's parts are worth: its ablations at the same settings, beside ASC and the exact solver, and a picture.

``python -m eval.studies.law --instances 20`` prints the table of ``docs/law.md`` and draws the convergence of each
sub-problem. With ``--model`` (and ``--base-url``) a language model joins.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import solvers
from eval.compare.convergence import check_picture
from eval.compare.looks import LIGHT
from eval.compare.solving import instance_at, solver_seed
from eval.stats.formatting import NONE, count, percent, tabulated, with_unit
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean
from secagent_env import Scenario
from secagent_env.rendering.style import DIM, own_style
from secagent_env.support.extras import require
from secagent_env.support.files import whole_file
from solvers import Solution
from solvers.law.evaluation import OBJECTIVES

Frame = dict[str, list[Solution]]
"""By variant, its solutions, instance by instance."""

STAND_IN = "law (no LLM)"
ABLATIONS: dict[str, dict[str, Any]] = {
    STAND_IN: {},
    "without expert search": {"expert_search": False},
    "without expert search, as many evaluations": {"expert_search": False, "proposals": 42},
    "without reflection": {"reflection": False},
    "without examples": {"examples": False},
}
COLOURS = tuple(LIGHT[name] for name in ("orange", "sky", "purple", "green", "grey", "red", "pink"))
"""Of the variants: that of LAW is the first."""


def variants(model: Mapping[str, Any]) -> dict[str, solvers.Solver]:
    """Return what is compared by label; ``model`` holds the options of a language model, if one is to join."""
    found = {name: solvers.make(name) for name in ("asc", "exact")}
    found |= {label: solvers.make("law", **options) for label, options in ABLATIONS.items()}
    if model:
        law = solvers.make("law", **model)
        found[law.name] = law
    return found


def measure(scenario: Scenario, instances: int, seed: int, model: Mapping[str, Any]) -> Frame:
    """Return the solutions of all variants on the same instances."""
    tqdm = require("tqdm", extra="eval").tqdm
    compared = variants(model)
    frame: Frame = {label: [] for label in compared}
    with tqdm(total=instances * len(compared), unit="solve", disable=None) as bar:
        for i in range(instances):
            instance = instance_at(scenario, seed, i)
            for label, solver in compared.items():
                frame[label].append(solver.solve(instance, solver_seed(seed, i)))
                bar.update()
    return frame


def table(frame: Frame) -> str:
    """Return the table of the variants, in Markdown: means over the instances that all solved feasibly."""
    solved = np.array([[bool(s.outcome.feasible) for s in solutions] for solutions in frame.values()])
    never = [label for label, mine in zip(frame, solved, strict=True) if not mine.any()]
    able = np.logical_and(solved[solved.any(axis=1)].all(axis=0), solved.any(axis=0))
    reference = _energies(frame[STAND_IN])[able]
    lines = []
    for label, solutions in frame.items():
        compared = np.full(able.shape, False) if label in never else able
        energies = _energies(solutions)[compared]
        feasible = sum(bool(s.outcome.feasible) for s in solutions)
        none = {label, STAND_IN} & set(never)
        more = bootstrap_mean([] if none else energies / reference - 1)
        asked = any(s.usage for s in solutions)
        lines.append(
            {
                "": label,
                "feasible": f"{feasible}/{len(solutions)}",
                "energy": with_unit(bootstrap_mean(energies), "J"),
                "over the bound": percent(_mean([s.gap for s, good in zip(solutions, compared, strict=True) if good])),
                f"more than {STAND_IN}": NONE if label == STAND_IN else _signed(more),
                "transmission": with_unit(_mean(_transmissions(solutions, compared)), "J"),
                "calls": count(_mean([s.usage["calls"] for s in solutions])) if asked else NONE,
                "tokens": count(_mean([_tokens(s) for s in solutions])) if asked else NONE,
                "evaluations": count(_mean([s.evaluations for s in solutions])),
                "time": with_unit(_mean([s.wall_time_s for s in solutions]), "s", digits=3),
            }
        )
    text = tabulated(lines)
    who = f"all but {', '.join(never)}" if never else "all"
    return (
        f"{text}\n\nMeans with {CONFIDENCE:.0%} bootstrap intervals over the {able.sum()} of {able.size} instances "
        f"that {who} solved feasibly; calls, tokens (estimated for the stand-in), evaluations and time over all. "
        "Differences are of pairs.\n"
    )


def _mean(values: Sequence[float]) -> Interval:
    return bootstrap_mean(values)


def _signed(interval: Interval) -> str:
    bounds = ", ".join(f"{100 * value:+.1f}" for value in (interval.low, interval.high))
    return NONE if math.isnan(interval.mean) else f"{100 * interval.mean:+.1f} % [{bounds}]".replace("-", "−")


def _energies(solutions: Sequence[Solution]) -> np.ndarray:
    return np.array([float(s.outcome.energy_j) for s in solutions])


def _transmissions(solutions: Sequence[Solution], able: np.ndarray) -> list[float]:
    return [float(s.outcome.transmission_energy_j) for s, good in zip(solutions, able, strict=True) if good]


def _tokens(solution: Solution) -> int:
    return int(solution.usage["prompt_tokens"] + solution.usage["completion_tokens"])


def curves(solutions: Sequence[Solution], sub_problem: str) -> tuple[np.ndarray, np.ndarray]:
    """Return f of the best example against the steps that a sub-problem has taken so far.

    Returns
    -------
    calls, values
        (T,) and (instances, T); infinite while nothing is feasible. What the other sub-problems do in between can
        change f at a new round.
    """
    series = [
        [record["best_f"] for record in solution.history if record["sub_problem"] == sub_problem]
        for solution in solutions
    ]
    longest = max(map(len, series), default=0)
    padded = np.array([[*values, *[values[-1] if values else math.inf] * (longest - len(values))] for values in series])
    steps = next((len(record["replies"]) for s in solutions for record in s.history), 1)
    return np.arange(1, longest + 1) * steps, padded


def _quartiles(values: np.ndarray) -> np.ndarray:
    """Return the quartiles (3, T) of values (instances, T); NaN where one is infinite, or between infinite ones."""
    huge = 1e200  # NumPy interpolates between finite numbers only
    quartiles = np.quantile(np.minimum(values, huge), [0.25, 0.5, 0.75], axis=0)
    return np.where(quartiles < huge / 1e6, quartiles, np.nan)


def save_picture(frame: Frame, path: Path) -> None:
    """Draw, for each sub-problem, the median of f over the instances against the calls, with quartiles."""
    check_picture(path)
    require("matplotlib", extra="eval")
    asked = {label: solutions for label, solutions in frame.items() if any(s.usage for s in solutions)}
    with own_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter

        figure = Figure(figsize=(10.5, 3.9), dpi=160, layout="constrained")
        FigureCanvasAgg(figure)
        for ax, (sub_problem, (_, name, unit)) in zip(figure.subplots(1, 3), OBJECTIVES.items(), strict=True):
            drawn = False
            for (label, solutions), colour in zip(asked.items(), COLOURS, strict=False):
                calls, values = curves(solutions, sub_problem)
                low, middle, high = _quartiles(values)
                drawn = drawn or bool(np.isfinite(middle).any())
                ax.plot(calls, middle, color=colour, lw=1.6, label=label)
                ax.fill_between(calls, low, high, color=colour, alpha=0.12, lw=0)
            bound = float(np.median([s.lower_bound_j for s in frame["exact"]]))
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
        with whole_file(path) as file:
            figure.savefig(file, format=path.suffix[1:].lower())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and draw the picture where one is wanted."""
    parser = argparse.ArgumentParser(prog="python -m eval.studies.law", description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="paper", help="a preset (default: paper)")
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="a language model that joins; its key is that of OPENAI_API_KEY")
    parser.add_argument("--base-url", help="of its endpoint")
    parser.add_argument("--transcript", help="a file that records what it says, and answers what it has said before")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the convergence: a .png, .pdf or .svg file")
    options = parser.parse_args(arguments)
    if options.picture is not None:
        check_picture(options.picture)
    named = {name: getattr(options, name) for name in ("model", "base_url", "transcript")}
    model = {name: value for name, value in named.items() if value is not None}
    frame = measure(Scenario.preset(options.scenario), options.instances, options.seed, model)
    print(table(frame), end="")
    if options.picture is not None:
        save_picture(frame, options.picture)


if __name__ == "__main__":
    main()
