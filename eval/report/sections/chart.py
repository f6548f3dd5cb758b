"""A chart of the report: a plotly figure whose colours are names that the page resolves, on light and on dark."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from eval.compare.plots import GAP_FLOOR
from eval.stats.formatting import percent, with_unit
from eval.stats.statistics import Interval
from secagent_env.support.extras import require


@dataclass(frozen=True)
class Chart:
    """A chart of the page.

    Attributes
    ----------
    name
        Its id in the page.
    title, caption
        Its heading, and how it is read.
    figure
        Plotly's ``data`` and ``layout``.
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


def trace(mode: str, x: Sequence[Any], y: Sequence[Any], label: str, hint: str, **options: Any) -> dict[str, Any]:
    """Return a trace of points or lines; pointing at one shows ``label`` and ``hint``."""
    name = plain(label)
    hover = f"{name}{hint}<extra></extra>"
    return {"type": "scatter", "mode": mode, "x": x, "y": y, "name": name, "hovertemplate": hover, **options}


def error_bars(intervals: Sequence[Interval], colour: str = "var(--ink)") -> dict[str, Any]:
    """Return the error bars of intervals; an interval without bounds has none."""
    above = [each.high - each.mean if math.isfinite(each.high) else 0.0 for each in intervals]
    below = [each.mean - each.low if math.isfinite(each.low) else 0.0 for each in intervals]
    style = {"color": colour, "thickness": 2, "width": 0}
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, **style}


def axis(kind: str, unit: str, values: Iterable[float | None] = ()) -> dict[str, Any]:
    """Return an axis for values in joules or seconds with SI prefixes, or in percent."""
    ticks = {"tickformat": "~g", "ticksuffix": " %"} if unit == "%" else {"tickformat": "~s", "ticksuffix": unit}
    return {"type": kind, **ticks, **(decades(values) if kind == "log" else {})}


def decades(values: Iterable[float | None]) -> dict[str, Any]:
    """Return the ticks of a logarithmic axis for these values: only powers of ten where there are several."""
    known = [value for value in values if value is not None and value > 0]
    span = math.log10(max(known) / min(known)) if known else 0.0
    return {"dtick": math.ceil(span / 8)} if span > 1.5 else {}


def rule(**coordinates: Any) -> dict[str, Any]:
    """Return a dashed line across a chart, between the given coordinates."""
    return {
        "type": "line",
        **coordinates,
        "line": {"color": "var(--dim)", "width": 1.5, "dash": "dash"},
        "layer": "below",
    }


def remark(**options: Any) -> dict[str, Any]:
    """Return a small text in a chart."""
    font = {"size": 11, "color": "var(--dim)"}
    return {"showarrow": False, "xanchor": "left", "yanchor": "bottom", "font": font, **options}


def finite(value: Any) -> float | None:
    """Return a number as a float; None unless it is finite, since JSON has no other."""
    return float(value) if value is not None and math.isfinite(value) else None


def value_text(value: float, unit: str) -> str:
    """Return a number for people: joules and seconds with prefixes, or percent."""
    if unit == "%":
        return f"{max(value, 100 * GAP_FLOOR):.3g} %"
    return with_unit(Interval(value, math.nan, math.nan, 1), unit)


def interval_text(mean: Interval, unit: str) -> str:
    """Return an interval for people, as :func:`value_text` returns a number."""
    if unit == "%":
        return percent(Interval(mean.mean / 100, mean.low / 100, mean.high / 100, mean.size))
    return with_unit(mean, unit)


def plain(label: str) -> str:
    """Return a label for plotly, which takes texts for a little HTML, and their per cent signs for templates."""
    return escape(label, quote=False).replace("%{", "%&#123;")


def notation(text: str) -> str:
    """Return HTML with the subscripts of ``N_min``, ``Acc_min`` and the like set low; plotly's texts take it too."""
    return re.sub(r"\b(N|Acc|p)_(min|max)\b", r"\1<sub>\2</sub>", text)
