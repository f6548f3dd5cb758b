"""The parts that sections consist of, as data: the templates in ``assets`` turn them into HTML and escape all text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eval.compare.looks import Look
from eval.report.sections.chart import Chart
from eval.stats.formatting import NONE


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes
    ----------
    name
        Its id in the page, and the name of its template in ``sections.html``.
    title, lead
        Its heading and first sentence.
    content
        The arguments of its template.
    charts
        The charts in it.
    """

    name: str
    title: str
    lead: str
    content: Mapping[str, Any]
    charts: list[Chart] = field(default_factory=list)


@dataclass(frozen=True)
class Cell:
    """A cell of a table, and the number that it sorts by; without one it sorts as text, NaN last."""

    text: str
    key: float | None = None
    look: Look | None = None

    @property
    def sort_key(self) -> str:
        """The number as the page's script reads it, empty unless it is finite."""
        return repr(self.key) if self.key is not None and math.isfinite(self.key) else ""


def number(value: float, text: str) -> Cell:
    """Return the cell of a number; a dash unless it is finite."""
    return Cell(text, value) if math.isfinite(value) else Cell(NONE, math.nan)


@dataclass(frozen=True)
class Table:
    """A table whose first column heads the rows; a click on a heading sorts it. Rows have the same headings."""

    caption: str
    rows: Sequence[Mapping[str, Cell]]

    def is_numeric(self, heading: str) -> bool:
        """Whether all cells of a column sort by a number."""
        return all(row[heading].key is not None for row in self.rows)
