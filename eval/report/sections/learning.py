"""The section of trained agents: learning curves, and results on test networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eval.compare.looks import Look, looks
from eval.report.data.results import Results
from eval.report.sections.chart import Chart, axis, make_chart, plain
from eval.report.sections.parts import Cell, Section, Table, number
from eval.stats.formatting import percent
from eval.stats.statistics import Interval, bootstrap_mean


def learning_section(results: Results) -> Section:
    """Return the learning curves, and the results of trained agents on test instances."""
    environments: dict[str, list[Any]] = {}
    for run in results.runs:
        environments.setdefault(str(run.config["environment"]), []).append(run)
    charts = {name: learning_charts(runs, f"learn-{at}") for at, (name, runs) in enumerate(environments.items())}
    lead = "What trained agents reach against the steps of training, and on networks that no training has seen."
    content = {"charts": charts, "tests": None if results.learners is None else _test_table(results.learners)}
    return Section("learning", "Learning", lead, content, [chart for some in charts.values() for chart in some])


def _test_table(frame: Any) -> Table:
    columns = ("feasible", "gap", "feasible_repaired", "gap_repaired", "single_ms", "steps")
    rows = []
    for (learner, agents), own in frame.groupby(["learner", "num_agents"], sort=False):
        mean = {name: float(own[name].mean()) if name in own else math.nan for name in columns}
        rows.append(
            {
                "learner": Cell(str(learner), look=looks(frame["learner"])[learner]),
                "N": Cell(f"{agents}", float(agents)),
                "seeds": Cell(f"{len(own)}", float(len(own))),
                "feasible": _percent(mean["feasible"]),
                "over the bound": _percent(mean["gap"]),
                "feasible, repaired": _percent(mean["feasible_repaired"]),
                "over the bound, repaired": _percent(mean["gap_repaired"]),
                "ms alone": number(mean["single_ms"], f"{mean['single_ms']:.2f}"),
                "steps": number(mean["steps"], f"{mean['steps']:,.0f}".replace(",", "\u2009")),
            }
        )
    return Table("Trained agents on test networks: means over the seeds", rows)


def _percent(value: float) -> Cell:
    return number(value, percent(Interval(value, math.nan, math.nan, 1)))


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
            "yaxis": axis(kind, unit, [y for t in traces for y in t["y"]]),
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
    shared: dict[str, Any] = {"type": "scatter", "mode": "lines", "x": list(at), "legendgroup": label}
    line = {"color": look.css, "dash": look.dash, "width": 2}
    unit = "" if name == "score" else " %"
    hover = f"{plain(label)}<br>%{{x:.3s}} steps: %{{y:.4g}}{unit}<extra></extra>"
    named = {"name": f"{plain(label)} ({len(runs)})", "line": line, "hovertemplate": hover}
    main = {**shared, "y": [mean.mean for mean in means], **named}
    if len(runs) < 2:
        return [main]
    edge = {**shared, "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    low = [mean.low if math.isfinite(mean.low) else mean.mean for mean in means]
    high = [mean.high if math.isfinite(mean.high) else mean.mean for mean in means]
    return [{**edge, "y": high}, {**edge, "y": low, "fill": "tonexty", "fillcolor": look.band}, main]
