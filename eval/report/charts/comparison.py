"""The charts of a comparison: every instance a dot per scheme, with means and intervals, and the profile of gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eval.compare.looks import Look, looks
from eval.compare.summary import COMPARED, common_instances
from eval.report.charts.chart import (
    Chart,
    axis,
    decades,
    error_bars,
    interval_text,
    make_chart,
    remark,
    rule,
    value_text,
)
from eval.stats.statistics import Interval, bootstrap_mean
from solvers.interface.base import OPTIMAL_GAP

_ROW = 34
_DARKER = {"color": "var(--ink)", "width": 1}

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
    all_values: list[float] = []
    for line, (label, look) in enumerate(shown.items()):
        mine = rows[rows["solver"] == label].dropna(subset=[column])
        exact = mine[column].to_numpy(float) * scale
        if not exact.size:
            continue
        values = np.maximum(exact, floor)
        all_values += values.tolist()
        hints = [f"instance {i}: {value_text(value, unit)}" for i, value in zip(mine["instance"], exact, strict=True)]
        dots = {"color": look.css, "size": 6, "opacity": 0.45}
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": values.tolist(),
                "y": (line + 0.24 * np.sin(2.4 * np.arange(values.size))).tolist(),
                "marker": dots,
                "name": label,
                "text": hints,
                "hovertemplate": f"{label}<br>%{{text}}<extra></extra>",
            }
        )
        mean = bootstrap_mean(exact)
        middle, low, high = np.maximum((mean.mean, mean.low, mean.high), floor).tolist()
        drawn = Interval(middle, low, high, mean.size)
        traces.append(_mean(label, look, line, drawn, f"mean {interval_text(mean, unit)}"))
    layout: dict[str, Any] = {
        "showlegend": False,
        "yaxis": {
            "tickvals": list(range(len(shown))),
            "ticktext": list(shown),
            "range": [len(shown) - 0.5, -0.5],
            "showgrid": False,
            "fixedrange": True,
        },
        "xaxis": {**axis(kind, unit), **(decades(all_values) if kind == "log" else {})},
    }
    bounds = rows.groupby("instance")["lower_bound_j"].first().dropna()
    if column == "energy_j" and len(bounds):
        bound = float(bounds.mean())
        layout["shapes"] = [rule(x0=bound, x1=bound, y0=0, y1=1, yref="paper")]
        layout["annotations"] = [remark(x=bound, y=1, yref="paper", text="certified lower bound, mean")]
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
        "error_x": error_bars([mean]),
        "marker": {"color": look.css, "symbol": "diamond", "size": 10, "line": _DARKER},
        "name": label,
        "text": [text],
        "hovertemplate": f"{label}<br>%{{text}}<extra></extra>",
    }


def _profile(name: str, frame: Any, shown: Mapping[str, Look]) -> Chart:
    """Draw the share of instances that each scheme solves to within a gap."""
    total, floor = frame["instance"].nunique(), 100 * OPTIMAL_GAP
    feasible = frame["feasible"].astype(bool)
    known = frame.loc[feasible, "gap"].dropna()
    highest = 100 * float(known.max()) if len(known) else 1.0
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
        "xaxis": {**axis("log", "%"), **decades([floor, highest]), "title": {"text": "gap to the certified bound"}},
        "yaxis": {"range": [-3, 104], "ticksuffix": " %", "fixedrange": True},
    }
    caption = (
        "Share of all instances that a scheme solves feasibly and to within a gap: the further up and left, the "
        "better. A curve that ends below 100 % found nothing feasible on the rest."
    )
    return make_chart(name, "Performance profile", caption, traces, layout, 400)
