"""The charts of a report, as plotly figures whose colours are names that the page resolves, on light and on dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.plots import GAP_FLOOR
from eval.report.schemes import Look, looks
from eval.statistics import COMPARED, Interval, bootstrap_mean, common_instances
from eval.table import percent, with_unit
from secagent_env._extras import require
from solvers import Solution
from solvers.base import OPTIMAL_GAP

MARKS = {"selection": "circle", "beam": "triangle-up", "powers": "square"}
"""The marker of each sub-problem."""
_ROW = 34
_DARKER = {"color": "var(--ink)", "width": 1}


@dataclass(frozen=True)
class Chart:
    """A chart of the page.

    Attributes
    ----------
    name
        Its identity in the page.
    title, caption
        What it is, and how it is read.
    figure
        What plotly draws: ``data`` and ``layout``.
    height
        In pixels.
    """

    name: str
    title: str
    caption: str
    figure: dict[str, Any]
    height: int = 380


def make_chart(name: str, title: str, caption: str, traces: Sequence[Any], layout: Any, height: int = 380) -> Chart:
    """Return a chart of traces, checked by plotly."""
    graph = require("plotly.graph_objects", extra="report")
    figure = graph.Figure(data=list(traces), layout=layout)
    figure.update_layout(template=None, title=None)
    content = figure.to_plotly_json()
    content["layout"].pop("template", None)
    return Chart(name, title, caption, {"data": content["data"], "layout": content["layout"]}, height)


# --- comparisons ---------------------------------------------------------------------------------------------

_STRIPS = (
    ("energy_j", "Energy per task", "J", "linear", "Execution and transmission, equation (20) of the paper."),
    ("gap", "Gap to the certified bound", "%", "log", "At most 10⁻⁴ % counts as proved optimal, and is drawn there."),
    ("transmission_energy_j", "Transmission energy", "J", "log", "Of selected agents and jammers, equation (18)."),
    ("seconds", "Time per solve", "s", "log", "Wall time of one solve with one thread, of all instances."),
)


def comparison_charts(frame: Any, prefix: str) -> list[Chart]:
    """Return a comparison's charts: energy, gap, transmission energy and time, and the profile of the gaps."""
    shown = looks(frame["solver"])
    common = common_instances(frame)
    compared = frame[frame["feasible"].astype(bool) & frame["instance"].isin(common)]
    charts = [
        _strip(f"{prefix}-{column}", title, unit, kind, note, compared if column in COMPARED else frame, column, shown)
        for column, title, unit, kind, note in _STRIPS
    ]
    return [*charts, _profile(f"{prefix}-profile", frame, shown)]


def _strip(
    name: str, title: str, unit: str, kind: str, note: str, rows: Any, column: str, shown: Mapping[str, Look]
) -> Chart:
    """Draw every instance as a dot, per scheme, and the mean with its interval."""
    scale, floor = (100.0, 100 * OPTIMAL_GAP) if unit == "%" else (1.0, 0.0)
    traces: list[Any] = []
    for line, (label, look) in enumerate(shown.items()):
        mine = rows[rows["solver"] == label].dropna(subset=[column])
        values = np.maximum(mine[column].to_numpy(float) * scale, floor)
        if not values.size:
            continue
        told = [f"instance {i}: {_told(value, unit)}" for i, value in zip(mine["instance"], values, strict=True)]
        dots = {"color": look.css, "size": 6, "opacity": 0.45}
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": values.tolist(),
                "y": (line + 0.24 * np.sin(2.4 * np.arange(values.size))).tolist(),
                "marker": dots,
                "name": label,
                "text": told,
                "hovertemplate": f"{label}<br>%{{text}}<extra></extra>",
            }
        )
        mean = bootstrap_mean(values)
        traces.append(_mean(label, look, line, mean, f"mean {_told_interval(mean, unit)}"))
    layout: dict[str, Any] = {
        "showlegend": False,
        "yaxis": {
            "tickvals": list(range(len(shown))),
            "ticktext": list(shown),
            "range": [len(shown) - 0.5, -0.5],
            "showgrid": False,
            "fixedrange": True,
        },
        "xaxis": _axis(kind, unit),
    }
    if column == "energy_j" and len(rows):
        bound = float(rows.groupby("instance")["lower_bound_j"].first().mean())
        layout["shapes"] = [_line(x0=bound, x1=bound, y0=0, y1=1, yref="paper")]
        layout["annotations"] = [_note(x=bound, y=1, yref="paper", text="certified lower bound, mean")]
        layout["margin"] = {"t": 26}
    if not traces:
        layout["annotations"] = [{"text": "nothing to compare", "showarrow": False, "xref": "paper", "x": 0.5}]
    return make_chart(name, title, note, traces, layout, 96 + _ROW * len(shown))


def _mean(label: str, look: Look, line: float, mean: Interval, text: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [mean.mean],
        "y": [line],
        "error_x": _error([mean]),
        "marker": {"color": look.css, "symbol": "diamond", "size": 10, "line": _DARKER},
        "name": label,
        "text": [text],
        "hovertemplate": f"{label}<br>%{{text}}<extra></extra>",
    }


def _error(intervals: Sequence[Interval], colour: str = "var(--ink)") -> dict[str, Any]:
    """Return the error bars of intervals; an interval without bounds has none."""

    def widths(bound: str) -> list[float]:
        pairs = [(interval.mean, getattr(interval, bound)) for interval in intervals]
        return [abs(end - mean) if math.isfinite(end) else 0.0 for mean, end in pairs]

    above, below = widths("high"), widths("low")
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": colour,
        "thickness": 2,
        "width": 0,
    }


def _profile(name: str, frame: Any, shown: Mapping[str, Look]) -> Chart:
    """Draw the share of instances that each scheme solves to within a gap."""
    total, floor = frame["instance"].nunique(), 100 * OPTIMAL_GAP
    feasible = frame["feasible"].astype(bool)
    highest = 100 * float(frame.loc[feasible, "gap"].max()) if feasible.any() else 1.0
    traces = []
    for label, look in shown.items():
        gaps = np.sort(100 * frame.loc[feasible & (frame["solver"] == label), "gap"].dropna().to_numpy(float))
        x = [floor, *np.maximum(gaps, floor).tolist(), max(highest, 10 * floor) * 1.5]
        y = [0.0, *(100 * np.arange(1, gaps.size + 1) / total).tolist(), 100 * gaps.size / total]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": y,
                "name": label,
                "line": {"color": look.css, "dash": look.dash, "shape": "hv", "width": 2.5},
                "hovertemplate": f"{label}<br>%{{y:.0f}} % within %{{x:.3g}} %<extra></extra>",
            }
        )
    layout = {
        "xaxis": {**_axis("log", "%"), "title": {"text": "gap to the certified bound"}},
        "yaxis": {"range": [-3, 104], "ticksuffix": " %", "fixedrange": True},
    }
    caption = (
        "Share of all instances that a scheme solves feasibly and to within a gap: the further up and left, the "
        "better. A curve that ends below 100 % found nothing feasible on the rest."
    )
    return make_chart(name, "Performance profile", caption, traces, layout, 400)


# --- convergence ---------------------------------------------------------------------------------------------


def convergence_charts(solutions: Mapping[str, Solution]) -> list[Chart]:
    """Return the energy, and its transmission part, after each sub-problem that schemes solved on one instance."""
    shown = looks(solutions)
    bound = max(solution.lower_bound_j for solution in solutions.values())
    whole = _history(solutions, shown, "energy_j", best=True)
    part = _history(solutions, shown, "transmission_energy_j", best=False)
    steps = {"type": "log", "title": {"text": "sub-problems solved"}, "dtick": "D2"}
    layout: dict[str, Any] = {"xaxis": steps, "yaxis": {**_axis("linear", "J"), "rangemode": "normal"}}
    if math.isfinite(bound):
        layout["shapes"] = [_line(x0=0, x1=1, xref="paper", y0=bound, y1=bound)]
        note = _note(x=1, xref="paper", y=bound, text="certified lower bound", xanchor="right", yanchor="top")
        layout["annotations"] = [note]
    marks = "A circle is a selection, a triangle a beam, a square powers; hollow ones are infeasible."
    return [
        make_chart("convergence-energy", "Energy", f"{marks} The line is the best so far.", whole, layout),
        make_chart(
            "convergence-transmission",
            "Transmission energy",
            f"The transmission part alone, which later sub-problems lower. {marks}",
            part,
            {"xaxis": steps, "yaxis": _axis("log", "J")},
        ),
    ]


def _history(solutions: Mapping[str, Solution], shown: Mapping[str, Look], name: str, *, best: bool) -> list[Any]:
    traces: list[Any] = []
    for label, look in shown.items():
        history = solutions[label].history
        steps = list(range(1, len(history) + 1))
        values = [_finite(record.get(name)) for record in history]
        kinds = [str(record.get("sub_problem", "iteration")) for record in history]
        feasible = [bool(record.get("feasible", True)) for record in history]
        marks = [MARKS.get(kind, "diamond") + "-open" * (not fine) for kind, fine in zip(kinds, feasible, strict=True)]
        if best:
            line = {"color": look.css, "width": 2, "shape": "hv"}
            reached = [_finite(record.get("best_energy_j")) for record in history]
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


# --- learning curves -----------------------------------------------------------------------------------------

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
            "xaxis": {"title": {"text": "steps of the environment"}, "exponentformat": "SI", "rangemode": "tozero"},
            "yaxis": _axis(kind, unit),
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


# --- parts ---------------------------------------------------------------------------------------------------


def _axis(kind: str, unit: str) -> dict[str, Any]:
    """Return a value axis with SI prefixes, or in percent."""
    ticks: dict[str, Any] = {"ticksuffix": f" {unit}" if unit == "%" else unit}
    ticks["exponentformat"] = "power" if unit == "%" else "SI"
    return {"type": kind, **ticks, **({"dtick": "D2"} if False else {})}


def _line(**where: Any) -> dict[str, Any]:
    return {"type": "line", **where, "line": {"color": "var(--dim)", "width": 1.5, "dash": "dash"}, "layer": "below"}


def _note(**what: Any) -> dict[str, Any]:
    return {
        "showarrow": False,
        "xanchor": "left",
        "yanchor": "bottom",
        "font": {"size": 11, "color": "var(--dim)"},
        **what,
    }


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _told(value: float, unit: str) -> str:
    if unit == "%":
        return f"{max(value, 100 * GAP_FLOOR):.3g} %"
    return with_unit(Interval(value, math.nan, math.nan, 1), unit)


def _told_interval(mean: Interval, unit: str) -> str:
    if unit == "%":
        return percent(Interval(mean.mean / 100, mean.low / 100, mean.high / 100, mean.size))
    return with_unit(mean, unit)
