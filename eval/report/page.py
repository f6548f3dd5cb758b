"""The page: sections, style, scripts and data put into one HTML file that asks the network for nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from eval.compare.looks import css_colours
from eval.report.sections.section import Section
from secagent_env.support.extras import require

ASSETS = files("eval.report") / "assets"
"""The template, the style and the script."""


def page(
    title: str, heading: str, lead: str, sections: Sequence[Section], facts: Sequence[tuple[str, str, str]]
) -> str:
    """Return the page.

    Parameters
    ----------
    title, heading, lead
        Its name, its heading, and the sentence below.
    sections
        In their order.
    facts
        What stands first, large: a number, what it counts, and the name of the section it is about.

    Raises
    ------
    ImportError
        If plotly is not installed.
    """
    plotly = require("plotly.offline", extra="report")
    charts = {chart.name: chart.figure for section in sections for chart in section.charts}
    links = "".join(f'<li><a href="#{s.name}">{escape(s.title)}</a></li>' for s in sections)
    body = "".join(
        f'<section id="{s.name}"><h2>{escape(s.title)}</h2><p class="lead">{escape(s.lead)}</p>{s.body}</section>'
        for s in sections
    )
    cards = "".join(
        f'<a class="card" href="#{name}"><strong>{escape(number)}</strong><span>{escape(what)}</span></a>'
        for number, what, name in facts
    )
    return fill(
        _asset("template.html"),
        {
            "title": escape(title),
            "heading": escape(heading),
            "lead": escape(lead),
            "style": fill(_asset("style.css"), {"light": css_colours(dark=False), "dark": css_colours(dark=True)}),
            "contents": links,
            "cards": cards,
            "sections": body,
            "plotly": plotly.get_plotlyjs(),
            "figures": script_json(charts),
            "script": _asset("report.js"),
        },
    )


def fill(template: str, values: dict[str, str]) -> str:
    """Return a template with ``{{ name }}`` replaced, once: what is filled in is not looked at again."""
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: values[match[1]], template)


def script_json(content: Any) -> str:
    """Return JSON that can stand in a script element: it cannot end it."""
    return json.dumps(content, allow_nan=False, ensure_ascii=False).translate(
        {ord("<"): "\\u003c", ord("&"): "\\u0026"}
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
