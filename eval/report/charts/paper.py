"""The charts of the paper's experiments: ours with intervals, over the numbers that the paper prints."""

from __future__ import annotations

import math
from typing import Any

from eval.compare.looks import Look, looks
from eval.experiments.secure.printed import TRANSMISSION
from eval.experiments.secure.results import BOUND
from eval.report.charts.chart import Chart, axis, decades, error_bars, make_chart, notation
from eval.report.data.reproduction import ExperimentFigures
from eval.stats.statistics import Interval

_SPREAD = 0.012
"""How far the marks of schemes stand apart, relative to the range of values."""


def paper_chart(shown: ExperimentFigures) -> Chart:
    """Return the chart of an experiment."""
    experiment, figures = shown.experiment, shown.figures
    schemes = looks(scheme for scheme in figures["scheme"] if scheme != BOUND)
    step = _SPREAD * (max(experiment.values) - min(experiment.values))
    traces: list[Any] = []
    for place, (label, look) in enumerate(schemes.items()):
        rows = figures[figures["scheme"] == label]
        traces += _scheme(rows, experiment.varies, label, look, step * (place - (len(schemes) - 1) / 2))
    bounds = figures[(figures["scheme"] == BOUND) & figures["mean_j"].notna()]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": bounds[experiment.varies].tolist(),
            "y": bounds["mean_j"].tolist(),
            "name": BOUND,
            "line": {"color": "var(--dim)", "dash": "dash", "width": 1.5},
            "hovertemplate": f"{BOUND}<br>%{{y:.4s}}J<extra></extra>",
        }
    )
    transmission = experiment.metric == TRANSMISSION
    values = list(experiment.values)
    layout: dict[str, Any] = {
        "xaxis": {
            "title": {"text": notation(experiment.symbol)},
            "tickvals": values,
            "ticktext": [f"{v:g}" for v in values],
        },
        "yaxis": {**axis("linear", "J"), "rangemode": "tozero"},
    }
    if transmission:
        layout["yaxis"] = {**axis("log", "J"), **decades(y for trace in traces for y in trace["y"])}
    caption = (
        f"{'Transmission energy, equation (18)' if transmission else 'Execution energy, equation (19)'}: filled marks "
        "on lines are ours, with 95 % intervals; hollow marks are printed in the paper. The marks of one value stand "
        "side by side."
    )
    never = [label for label in schemes if figures.loc[figures["scheme"] == label, "feasible"].sum() == 0]
    caption += f" Never feasible, so not drawn: {', '.join(never)}." * bool(never)
    return make_chart(f"paper-{experiment.name}", experiment.title, caption, traces, layout, 470)


def _scheme(rows: Any, varies: str, label: str, look: Look, shift: float) -> list[Any]:
    """Return ours and the paper's numbers of a scheme; a click on its name hides both."""
    ours = rows[rows["mean_j"].notna()]
    spreads = zip(ours["mean_j"], ours["mean_j_low"], ours["mean_j_high"], ours["draws"], strict=True)
    shared = {"type": "scatter", "legendgroup": label, "name": label}
    traces: list[Any] = [
        {
            **shared,
            "mode": "lines+markers",
            "x": (ours[varies] + shift).tolist(),
            "y": ours["mean_j"].tolist() or [None],
            "error_y": error_bars([Interval(*spread) for spread in spreads], look.css),
            "line": {"color": look.css, "dash": look.dash, "width": 2},
            "marker": {"color": look.css, "symbol": look.symbol, "size": 8},
            "hovertemplate": f"{label}, ours<br>%{{y:.4s}}J<extra></extra>",
        }
    ]
    theirs = rows[rows["printed_j"].notna()]
    if len(theirs):
        symbol = look.symbol.removesuffix("-open") + "-open"
        traces.append(
            {
                **shared,
                "mode": "markers",
                "x": theirs[varies].tolist(),
                "y": theirs["printed_j"].tolist(),
                "marker": {"color": look.css, "symbol": symbol, "size": 13, "line": {"width": 2}},
                "showlegend": False,
                "hovertemplate": f"{label}, the paper<br>%{{y:.4s}}J<extra></extra>",
            }
        )
    return traces


def ratio(mean: float, printed: float) -> float:
    """Return ours over theirs; NaN where one is missing."""
    return mean / printed if printed > 0 and math.isfinite(mean) else math.nan
