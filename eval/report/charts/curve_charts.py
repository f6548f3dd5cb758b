"""Charts of what happens on the way: how solvers converge on an instance, and how learners learn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eval.compare.looks import Look, looks
from eval.report.charts.chart import Chart, axis, decades, finite, make_chart, remark, rule
from eval.stats.statistics import Interval, bootstrap_mean
from solvers import Solution

MARKS = {"selection": "circle", "beam": "triangle-up", "powers": "square"}
"""The marker of each sub-problem."""


def convergence_charts(solutions: Mapping[str, Solution]) -> list[Chart]:
    """Return the energy, and its transmission part, after each sub-problem that schemes solved on one instance."""
    shown = looks(solutions)
    bound = max(solution.lower_bound_j for solution in solutions.values())
    whole = _history(solutions, shown, "energy_j", best=True)
    part = _history(solutions, shown, "transmission_energy_j", best=False)
    counts = [digit * 10**power for power in range(5) for digit in (1, 2, 5)]
    steps = {"type": "log", "title": {"text": "sub-problems solved"}, "tickvals": counts}
    layout: dict[str, Any] = {"xaxis": steps, "yaxis": axis("linear", "J")}
    if math.isfinite(bound):
        layout["shapes"] = [rule(x0=0, x1=1, xref="paper", y0=bound, y1=bound)]
        note = remark(x=1, xref="paper", y=bound, text="certified lower bound", xanchor="right", yanchor="top")
        layout["annotations"] = [note]
    marks = "A circle is a selection, a triangle a beam, a square powers; hollow ones are infeasible."
    return [
        make_chart("convergence-energy", "Energy", f"{marks} The line is the best so far.", whole, layout),
        make_chart(
            "convergence-transmission",
            "Transmission energy",
            f"The transmission part alone, which later sub-problems lower. {marks}",
            part,
            {"xaxis": steps, "yaxis": {**axis("log", "J"), **decades(y for trace in part for y in trace["y"])}},
        ),
    ]


def _history(solutions: Mapping[str, Solution], shown: Mapping[str, Look], name: str, *, best: bool) -> list[Any]:
    traces: list[Any] = []
    for label, look in shown.items():
        history = solutions[label].history
        steps = list(range(1, len(history) + 1))
        values = [finite(record.get(name)) for record in history]
        kinds = [str(record.get("sub_problem", "iteration")) for record in history]
        feasible = [bool(record.get("feasible", True)) for record in history]
        marks = [MARKS.get(kind, "diamond") + "-open" * (not fine) for kind, fine in zip(kinds, feasible, strict=True)]
        if best:
            line = {"color": look.css, "width": 2, "shape": "hv"}
            reached = [finite(record.get("best_energy_j")) for record in history]
            traces.append({"mode": "lines", "x": steps, "y": reached, "line": line, "showlegend": False})
        told = [f"{kind}{'' if fine else ', infeasible'}" for kind, fine in zip(kinds, feasible, strict=True)]
        traces.append(
            {
                "mode": "markers" if best else "lines+markers",
                "x": steps,
                "y": values,
                "marker": {"color": look.css, "symbol": marks, "size": 8},
                "line": {"color": look.css, "width": 1},
                "text": told,
                "hovertemplate": f"{label}, %{{x}}: %{{text}}<br>%{{y:.5s}}J<extra></extra>",
            }
        )
        for trace in traces:
            trace.setdefault("name", label)
            trace.setdefault("legendgroup", label)
            trace.setdefault("type", "scatter")
            trace.setdefault("hoverinfo", "skip")
    return traces


_CURVES = (
    ("feasible", "Feasible decisions", "%", "linear", "Without repair, on validation instances."),
    ("gap", "Energy over the certified bound", "%", "log", "Means over the feasible decisions only."),
    ("score", "Score", "", "linear", "The mean return of an episode."),
)


def learning_charts(runs: Sequence[Any], prefix: str) -> list[Chart]:
    """Return what trainings of one environment reached against their steps: means and intervals over the seeds."""
    learners: dict[str, list[Any]] = {}
    for run in runs:
        learners.setdefault(run.learner, []).append(run)
    known = {name for run in runs for row in run.evaluations for name, value in row.items() if value is not None}
    charts = []
    for name, title, unit, kind, note in _CURVES:
        if name not in known or (name == "score" and "feasible" in known):
            continue
        traces = [t for label, look in looks(learners).items() for t in _curve(learners[label], label, look, name)]
        layout = {
            "xaxis": {"title": {"text": "steps of the environment"}, "tickformat": "~s", "rangemode": "tozero"},
            "yaxis": {**axis(kind, unit), **(decades(y for t in traces for y in t["y"]) if kind == "log" else {})},
        }
        caption = f"{note} Lines are means over the seeds, whose number is in brackets; bands are 95 % intervals."
        charts.append(make_chart(f"{prefix}-{name}", title, caption, traces, layout, 430))
    return charts


def _curve(runs: Sequence[Any], label: str, look: Look, name: str) -> list[Any]:
    scale = 1.0 if name == "score" else 100.0
    seen = [{row["steps"]: row[name] for row in run.evaluations if row.get(name) is not None} for run in runs]
    # The steps at which all runs that have got that far were evaluated: some may still be running.
    common = sorted(set.union(*map(set, seen)))
    least = max(1, math.ceil(len(runs) / 2))
    at = {steps: [scale * row[steps] for row in seen if steps in row] for steps in common}
    at = {steps: values for steps, values in at.items() if len(values) >= least}
    means = [bootstrap_mean(values) for values in at.values()]
    shared = {"type": "scatter", "x": list(at), "legendgroup": label}
    line = {"color": look.css, "dash": look.dash, "width": 2}
    unit = "" if name == "score" else " %"
    main = {
        **shared,
        "mode": "lines",
        "y": [mean.mean for mean in means],
        "name": f"{label} ({len(runs)})",
        "line": line,
        "hovertemplate": f"{label}<br>%{{x:.3s}} steps: %{{y:.4g}}{unit}<extra></extra>",
    }
    if len(runs) < 2:
        return [main]
    edge = {**shared, "mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    low, high = ([_or_mean(mean, end) for mean in means] for end in ("low", "high"))
    return [{**edge, "y": high}, {**edge, "y": low, "fill": "tonexty", "fillcolor": look.band}, main]


def _or_mean(interval: Interval, end: str) -> float:
    value = float(getattr(interval, end))
    return value if math.isfinite(value) else interval.mean
