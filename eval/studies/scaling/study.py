"""``secagent study scaling``: how time and gap of the solvers grow with the number of agents and antennas.

Solvers take turns on the same instances, in one process with one BLAS thread. Times are processor time, which other
processes disturb least. All sizes take minutes.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from eval.compare.comparison import Comparison
from eval.compare.looks import Look, looks
from eval.experiments.options import option
from eval.experiments.protocol import Compute, Experiment, Report
from eval.stats.formatting import NONE, tabulated, with_unit
from eval.stats.pictures import drawing, save_figure
from eval.stats.statistics import Interval
from eval.studies.scaling.cells import FUNCTION
from eval.sweep.grid import Chain, Grid
from secagent_env import Scenario
from secagent_env.rendering.style import DIM, FAINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOLVERS = ("exact", "asc-plus")
GAP_FLOOR = 1e-12
"""Gaps below it are drawn on it and written as 0: they are rounding errors."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Scaling(Experiment):
    """How solvers scale: with N at the L of the preset ``paper``, and with L at its N."""

    name: ClassVar[str] = "scaling"

    agents: Sequence[int] = option((10, 30, 100, 300, 1000), "default: %(default)s", "N", nargs="*")
    antennas: Sequence[int] = option((2, 4, 8, 16, 32, 64, 128), "default: %(default)s", "L", nargs="*")
    instances: int = option(3, "of each size (default: %(default)s)", "K")
    seed: int = option(0, "of the networks and the solvers (default: %(default)s)")
    max_seconds: float = option(20.0, "of a solve (default: 20)", "S")

    def cells(self) -> Chain:
        """Return the cells, size by size and instance by instance."""
        sizes = [("N", n, {"num_agents": n}) for n in self.agents]
        sizes += [("L", n, {"num_antennas": n}) for n in self.antennas]
        solvers: dict[str, dict[str, Any]] = {name: {} for name in SOLVERS}
        grids = []
        for axis, size, changed in sizes:
            compared = Comparison(Scenario().replace(**changed), solvers, self.instances, self.seed, self.max_seconds)
            grids.append(
                Grid(
                    [
                        dataclasses.replace(cell, function=FUNCTION, options={**cell.options, "axis": axis})
                        for cell in compared.cells(self.name, size).prototypes
                    ],
                    self.instances,
                )
            )
        return Chain(grids)

    def report(self, compute: Compute) -> Report:
        """Return the tables over N and over L, and the picture."""
        cells = self.cells()
        names = {"value": "size", "index": "instance", "scheme": "solver"}
        rows = [
            {"axis": cell.options["axis"], **row}
            for cell, row in zip(cells, compute(cells).rename(columns=names).to_dict("records"), strict=True)
        ]
        return Report(markdown(rows) + "\n", rows, lambda path: save_figure(picture(rows), path))


def markdown(rows: Sequence[Row]) -> str:
    """Return the tables over N and over L: medians with the smallest and the largest value."""
    tables = []
    for axis in dict.fromkeys(row["axis"] for row in rows):
        lines = []
        for size in dict.fromkeys(row["size"] for row in rows if row["axis"] == axis):
            line = [str(size)]
            for name in SOLVERS:
                solves = [r for r in rows if (r["axis"], r["size"], r["solver"]) == (axis, size, name)]
                low, median, high = _spread(solves, "seconds")
                line.append(with_unit(Interval(median, low, high, len(solves)), "s", digits=3))
                line += [_percent(solves, "gap"), _percent(solves, "transmission_gap")]
                line.append(", ".join(f"{n} {status}" for status, n in Counter(r["status"] for r in solves).items()))
            lines.append(line)
        columns = (": time", "gap", "transmission gap", "ended as")
        headers = [axis, *(name * column.startswith(":") + column for name in SOLVERS for column in columns)]
        tables.append(tabulated(lines, headers))
    return "\n\n".join(tables)


def _spread(solves: Sequence[Row], column: str) -> tuple[float, float, float]:
    """Return smallest, median and largest value."""
    values = [row[column] for row in solves]
    return min(values), statistics.median(values), max(values)


def _percent(solves: Sequence[Row], column: str) -> str:
    low, median, high = (NONE if value == math.inf else _digits(100 * value) for value in _spread(solves, column))
    if median == NONE:
        return NONE
    return f"{median} %" if low == high else f"{median} % [{low}, {high}]"


def _digits(percentage: float) -> str:
    return f"{percentage:.2g}" if percentage >= 100 * GAP_FLOOR and percentage < 100 else f"{max(percentage, 0):.0f}"


_PANELS = (
    ("seconds", "processor time per solve, s", 1.0),
    ("gap", "gap to the certified bound, %", 100.0),
    ("transmission_gap", "transmission gap, %", 100.0),
)
_AXES = {"N": "agents N (L = 20)", "L": "antennas L (N = 30)"}


def picture(rows: Sequence[Row]) -> Figure:
    """Draw time and gaps over N and over L."""
    with drawing(9, 8) as figure:
        axes = figure.subplots(len(_PANELS), len(_AXES), sharex="col", sharey="row", squeeze=False)
        shown = {name: (look, shift) for (name, look), shift in zip(looks(SOLVERS).items(), (0.97, 1.03), strict=True)}
        for column, (axis, label) in enumerate(_AXES.items()):
            for line, (quantity, _, scale) in enumerate(_PANELS):
                for name, (look, shift) in shown.items():
                    own = [r for r in rows if r["axis"] == axis and r["solver"] == name]
                    _curve(axes[line, column], own, quantity, scale, name, look, shift)
                _axis(axes[line, column], sorted({r["size"] for r in rows if r["axis"] == axis}))
            axes[-1, column].set_xlabel(label)
        for line, (_, label, _) in enumerate(_PANELS):
            axes[line, 0].set_ylabel(label)
        axes[0, 0].legend(frameon=False, loc="upper left")
        figure.supxlabel(
            "Median, with a bar from the smallest to the largest value of the instances. Empty: the time limit ended "
            "at least one solve.",
            size=8,
            color=DIM,
        )
    return figure


def _curve(ax: Axes, rows: Sequence[Row], quantity: str, scale: float, name: str, look: Look, shift: float) -> None:
    """Draw a solver's medians with bars; sizes of which no instance has a finite value are left out."""
    colour, marker = look.light, look.marker
    floor = 0.0 if quantity == "seconds" else GAP_FLOOR
    points = []
    for size in sorted({row["size"] for row in rows}):
        solves = [row for row in rows if row["size"] == size]
        finite = [row for row in solves if math.isfinite(row[quantity])]
        if finite:
            low, median, high = (scale * max(value, floor) for value in _spread(finite, quantity))
            points.append((size * shift, median))
            ax.plot([size * shift] * 2, [low, high], color=colour, lw=2, alpha=0.5, solid_capstyle="butt")
            stopped = any(row["status"] == "stopped" for row in solves)
            ax.plot(*points[-1], marker=marker, color=colour, mfc="white" if stopped else colour, ms=5.5, zorder=3)
    if points:
        ax.plot(*zip(*points, strict=True), color=colour, lw=1.2)
        ax.set_yscale("log")
    ax.plot((), (), marker=marker, color=colour, ms=5.5, lw=1.2, label=name)


def _axis(ax: Axes, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.grid(color=FAINT)
    ax.set_axisbelow(True)
