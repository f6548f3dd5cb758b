"""The charts of learning: what trainings reach on the validation instances against their steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eval.compare.looks import Look, looks
from eval.report.charts.chart import Chart, axis, decades, make_chart
from eval.stats.statistics import Interval, bootstrap_mean

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
    # Runs that are still going on have no evaluations at later steps: half of the runs must have one.
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
