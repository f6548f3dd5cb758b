"""Tables of a report: HTML that sorts by a click on a heading, and everything from data escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from eval.compare.looks import Look
from eval.report.sections.prose import notation


@dataclass(frozen=True)
class Cell:
    """What stands in a table, and the number that it sorts by; without one it sorts as text, NaN last."""

    text: str
    key: float | None = None
    look: Look | None = None


def table(caption: str, rows: Sequence[Mapping[str, Cell]]) -> str:
    """Return rows as a table; the first column heads them.

    Parameters
    ----------
    caption
        For everybody, above the table.
    rows
        By heading, with the same headings in all.
    """
    if not rows:
        return ""
    numeric = {name: all(row[name].key is not None for row in rows) for name in rows[0]}
    head = "".join(
        f'<th scope="col" aria-sort="none"{_class(numeric[name])}>'
        f'<button type="button">{notation(escape(name))}<span class="arrow" aria-hidden="true"></span></button></th>'
        for name in rows[0]
    )
    body = "".join(
        f"<tr>{''.join(_cell(cell, not at, numeric[n]) for at, (n, cell) in enumerate(r.items()))}</tr>" for r in rows
    )
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="sortable">'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _class(numeric: bool) -> str:
    return ' class="number"' if numeric else ""


def _cell(cell: Cell, first: bool, numeric: bool) -> str:
    key = ""
    if cell.key is not None:
        key = f' data-key="{cell.key!r}"' if math.isfinite(cell.key) else ' data-key=""'
    text, bracket, interval = cell.text.partition(" [")
    content = escape(text) + (f' <span class="interval">[{escape(interval)}</span>' if bracket else "")
    if cell.look is not None:
        content = f"{swatch(cell.look)}{content}"
    kind = 'th scope="row"' if first else "td"
    return f"<{kind}{key}{_class(numeric)}>{content}</{kind.split()[0]}>"


def swatch(look: Look) -> str:
    """Return a dot in a scheme's colour."""
    return f'<span class="swatch" style="background:{look.css}"></span>'


def definitions(items: Mapping[str, str]) -> str:
    """Return names and what they are, in two columns."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in items.items())
    return f'<dl class="facts">{rows}</dl>'
