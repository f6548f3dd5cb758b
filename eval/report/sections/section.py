"""What a section of a report is, and the places of charts in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from eval.report.charts.chart import Chart


@dataclass(frozen=True)
class Section:
    """A part of the page: its identity, heading, first sentence and content, and the charts in that."""

    name: str
    title: str
    lead: str
    body: str
    charts: list[Chart] = field(default_factory=list)


def chart_html(chart: Chart) -> str:
    """Return the place of a chart, which the page's script fills."""
    title = escape(chart.title)
    return (
        f'<figure><h4>{title}</h4><div class="chart" id="{escape(chart.name)}" role="img" aria-label="{title}" '
        f'style="height:{chart.height}px"></div><figcaption>{escape(chart.caption)}</figcaption></figure>'
    )


def grid(charts: Sequence[Chart]) -> str:
    """Return the places of charts, side by side where there is room."""
    return f'<div class="grid">{"".join(map(chart_html, charts))}</div>'
