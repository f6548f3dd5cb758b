"""The page: sections, style, scripts and data put into one HTML file that loads nothing from the network.

The templates in ``assets`` are jinja2's, which escapes all that is filled in, but for the HTML that
:mod:`eval.report.sections.markdown` makes and the code of plotly.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from eval.compare.looks import css_colours
from eval.report.sections import markdown
from eval.report.sections.chart import notation
from eval.report.sections.parts import Section
from secagent_env.support.extras import require


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
        The large numbers at the top: each a number, the noun that it counts, and the name of its section.

    Raises
    ------
    ImportError
        If plotly or jinja2 is not installed.
    """
    plotly = require("plotly.offline", extra="report")
    return str(
        environment()
        .get_template("page.html")
        .render(
            title=title,
            heading=heading,
            lead=lead,
            sections=sections,
            facts=facts,
            light=css_colours(dark=False),
            dark=css_colours(dark=True),
            plotly=plotly.get_plotlyjs(),
            figures={chart.name: chart.figure for section in sections for chart in section.charts},
        )
    )


def environment() -> Any:
    """Return the jinja2 environment of the templates, with filters for the texts that become HTML."""
    jinja2 = require("jinja2", extra="report")
    own = jinja2.Environment(
        loader=jinja2.PackageLoader("eval.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False}
    filters: dict[str, Callable[[str], str]] = {
        "notation": lambda text: notation(escape(text)),
        "paragraphs": markdown.paragraphs,
        "document": markdown.document,
    }
    markup = require("markupsafe", extra="report").Markup
    own.filters["base64"] = lambda content: b64encode(content).decode()
    own.filters |= {name: lambda text, to_html=to_html: markup(to_html(text)) for name, to_html in filters.items()}
    return own
