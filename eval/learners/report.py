"""The table of learners, with intervals over seeds and instances, and their learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.compare.looks import drawn, looks
from eval.learners.runs import Judgement, Training
from eval.stats.formatting import NONE, percent, tabulated
from eval.stats.paired import over_seeds
from eval.stats.pictures import drawing, ends, save_picture
from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_mean
from secagent_env.rendering.style import FAINT


def markdown(results: Sequence[Judgement]) -> str:
    """Return the table: a row per learner and number of agents."""
    groups: dict[tuple[int, str], list[Judgement]] = {}
    for result in results:
        groups.setdefault((result.agents, result.learner), []).append(result)
    rows = []
    for (agents, learner), group in groups.items():
        gap, repaired = (np.stack([getattr(r, name) for r in group]) for name in ("gap", "repaired_gap"))
        rows.append(
            {
                "N": agents,
                "learner": learner,
                "seeds": len(group),
                "feasible": percent(over_seeds(np.isfinite(gap))),
                "over the bound": percent(over_seeds(gap)),
                "feasible, repaired": percent(over_seeds(np.isfinite(repaired))),
                "over the bound, repaired": percent(over_seeds(repaired)),
                "ms each in a batch": _number([r.batch_ms for r in group], ".3f"),
                "ms alone": _number([r.single_ms for r in group], ".2f"),
                "steps": _number([r.steps for r in group], ",.0f"),
                "CPU min": _number([r.minutes for r in group], ".1f"),
            }
        )
    return (
        f"{tabulated(rows)}\n\n"
        f"On {results[0].gap.size} test instances of each N. Interquartile means over the seeds of means "
        f"over the instances, with {CONFIDENCE:.0%} bootstrap intervals over both; energies over the certified bound "
        "are those of feasible decisions. A repair acted on all decisions that were not feasible as they were. Times "
        "include it; a batch holds all instances. Times, steps and the processor time of a training: medians over the "
        "seeds.\n"
    )


def _number(values: Sequence[float], form: str) -> str:
    known = [value for value in values if np.isfinite(value)]
    return format(float(np.median(known)), form) if known else NONE


PANELS = (("feasible", "feasible decisions, %"), ("gap", "energy over the bound, %"))


def save_curves(trainings: Sequence[Training], path: Path) -> None:
    """Draw feasibility and gap on the validation instances against the steps: means and intervals over the seeds."""
    learners: dict[str, list[Training]] = {}
    for training in trainings:
        learners.setdefault(training.learner, []).append(training)
    with drawing(11, 4.2) as figure:
        axes = figure.subplots(1, len(PANELS))
        first = min((steps for group in learners.values() for steps in _curve(group, "score")[0] if steps), default=1)
        for ax, (name, label) in zip(axes, PANELS, strict=True):
            for learner, look in looks(learners).items():
                group = learners[learner]
                steps, intervals = _curve(group, name)
                if not steps:
                    continue
                mean, low, high = 100 * ends(intervals)
                ax.plot(steps, mean, color=look.light, ls=look.line, lw=1.5, label=f"{drawn(learner)} ({len(group)})")
                if len(group) > 1:
                    ax.fill_between(steps, low, high, color=look.light, alpha=0.2, lw=0)
            ax.set_xscale("symlog", linthresh=first)
            ax.set_xlabel("steps")
            ax.set_ylabel(label)
            ax.grid(color=FAINT)
            ax.set_axisbelow(True)
        axes[1].set_yscale("log")
        axes[0].legend(loc="lower right", frameon=False)
        figure.supxlabel(
            "On the validation instances, without repair. Lines are means over the seeds (their number in brackets), "
            f"bands their {CONFIDENCE:.0%} bootstrap intervals; energies are those of feasible decisions.",
            size=8,
        )
        save_picture(figure, path)


def _curve(trainings: Sequence[Training], name: str) -> tuple[list[int], list[Interval]]:
    """Return the steps at which all trainings were evaluated, and the means there of those that have a value."""
    curves: list[dict[int, Any]] = [{row["steps"]: row.get(name) for row in one.evaluations} for one in trainings]
    common = sorted(set.intersection(*map(set, curves)))
    values = {steps: [float(curve[steps]) for curve in curves if curve[steps] is not None] for steps in common}
    known = [steps for steps in common if values[steps]]
    return known, [bootstrap_mean(values[steps]) for steps in known]
