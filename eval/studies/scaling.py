"""How time and gap of the solvers grow with the number of agents and antennas: a table and a picture.

``python -m eval.studies.scaling --out docs/images`` prints the table and draws ``scaling.png``; it takes minutes.
Solvers take turns on the same instances, with one BLAS thread. Times are processor time, which other processes disturb
least.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval import one_blas_thread
from eval.compare.looks import Look, looks
from eval.stats.formatting import tabulated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AGENTS = (10, 30, 100, 300, 1000)
ANTENNAS = (2, 4, 8, 16, 32, 64, 128)
SOLVERS = ("exact", "asc")
PICTURE = "scaling.png"
GAP_FLOOR = 1e-12
"""Gaps below it are drawn on it and written as 0: they are rounding errors."""
Row = dict[str, Any]


def measure(
    agents: Sequence[int] = AGENTS,
    antennas: Sequence[int] = ANTENNAS,
    *,
    instances: int = 3,
    max_seconds: float = 20.0,
    progress: Callable[[str], object] = lambda text: None,
) -> list[Row]:
    """Return a row per size, instance and solver.

    Parameters
    ----------
    agents, antennas
        N at the L of the preset ``paper``, and L at its N.
    instances
        How many of each size.
    max_seconds
        Time limit of a solve.
    progress
        Called with a sentence before each size.
    """
    import solvers
    from eval.bench.timing import processor_seconds
    from eval.compare.solving import instance_at, solver_seed
    from secagent_env import Scenario

    paper = Scenario()
    made = {name: solvers.make(name) for name in SOLVERS}
    for solver in made.values():
        solver.solve(instance_at(paper, 0, instances))  # whatever happens only once
    sizes = [("N", n, paper.replace(num_agents=n)) for n in agents]
    sizes += [("L", n, paper.replace(num_antennas=n)) for n in antennas]
    rows = []
    for axis, size, scenario in sizes:
        progress(f"solving with N = {scenario.num_agents}, L = {scenario.num_antennas}")
        for index in range(instances):
            instance = instance_at(scenario, 0, index)
            for name, solver in made.items():
                solve = partial(solver.solve, instance, seed=solver_seed(0, index), max_seconds=max_seconds)
                solution, seconds = processor_seconds(solve)
                rows.append(
                    {
                        "axis": axis,
                        "size": size,
                        "instance": index,
                        "solver": name,
                        "status": solution.status,
                        "seconds": seconds,
                        "gap": solution.gap,
                        "transmission_gap": solution.transmission_gap,
                    }
                )
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """Return the tables over N and over L: medians with the smallest and the largest value."""
    tables = []
    for axis in dict.fromkeys(row["axis"] for row in rows):
        lines = []
        for size in dict.fromkeys(row["size"] for row in rows if row["axis"] == axis):
            line = [str(size)]
            for name in SOLVERS:
                cell = [r for r in rows if (r["axis"], r["size"], r["solver"]) == (axis, size, name)]
                line += [_seconds(cell), _percent(cell, "gap"), _percent(cell, "transmission_gap"), _endings(cell)]
            lines.append(line)
        headers = [axis]
        for name in SOLVERS:
            headers += [f"{name}: time", "gap", "transmission gap", "ended as"]
        tables.append(tabulated(lines, headers))
    return "\n\n".join(tables)


def _spread(cell: Sequence[Row], column: str) -> tuple[float, float, float]:
    """Return smallest, median and largest value."""
    values = sorted(row[column] for row in cell)
    middle = len(values) // 2
    median = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
    return values[0], median, values[-1]


def _seconds(cell: Sequence[Row]) -> str:
    from eval.stats.formatting import with_unit
    from eval.stats.statistics import Interval

    low, median, high = _spread(cell, "seconds")
    return with_unit(Interval(median, low, high, len(cell)), "s", digits=3)


def _percent(cell: Sequence[Row], column: str) -> str:
    from eval.stats.formatting import NONE

    low, median, high = (NONE if value == math.inf else _digits(100 * value) for value in _spread(cell, column))
    if median == NONE:
        return NONE
    return f"{median} %" if low == high else f"{median} % [{low}, {high}]"


def _digits(percentage: float) -> str:
    return f"{percentage:.2g}" if percentage >= 100 * GAP_FLOOR and percentage < 100 else f"{max(percentage, 0):.0f}"


def _endings(cell: Sequence[Row]) -> str:
    endings = [row["status"] for row in cell]
    return ", ".join(f"{endings.count(status)} {status}" for status in dict.fromkeys(endings))


_PANELS = (
    ("seconds", "processor time per solve, s", 1.0),
    ("gap", "gap to the certified bound, %", 100.0),
    ("transmission_gap", "transmission gap, %", 100.0),
)
_AXES = {"N": "agents N (L = 20)", "L": "antennas L (N = 30)"}


def save_picture(rows: Sequence[Row], path: Path) -> None:
    """Draw time and gaps over N and over L, and write the PNG file."""
    from secagent_env.rendering.style import DIM, own_style
    from secagent_env.support.extras import require
    from secagent_env.support.files import whole_file

    require("matplotlib", extra="eval")
    with own_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 8), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(_PANELS), len(_AXES), sharex="col", sharey="row", squeeze=False)
        shown = {name: (look, shift) for (name, look), shift in zip(looks(SOLVERS).items(), (0.97, 1.03), strict=True)}
        for column, (axis, label) in enumerate(_AXES.items()):
            for line, (quantity, _, scale) in enumerate(_PANELS):
                for name, (look, shift) in shown.items():
                    cells = [r for r in rows if r["axis"] == axis and r["solver"] == name]
                    _curve(axes[line, column], cells, quantity, scale, name, look, shift)
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
        with whole_file(path) as file:
            figure.savefig(file, format="png")


def _curve(ax: Axes, cells: Sequence[Row], quantity: str, scale: float, name: str, look: Look, shift: float) -> None:
    """Draw a solver's medians with bars; sizes of which no instance has a finite value are left out."""
    colour, marker = look.light, look.marker
    floor = 0.0 if quantity == "seconds" else GAP_FLOOR
    points = []
    for size in sorted({row["size"] for row in cells}):
        cell = [row for row in cells if row["size"] == size]
        finite = [row for row in cell if math.isfinite(row[quantity])]
        if finite:
            low, median, high = (scale * max(value, floor) for value in _spread(finite, quantity))
            points.append((size * shift, median))
            ax.plot([size * shift] * 2, [low, high], color=colour, lw=2, alpha=0.5, solid_capstyle="butt")
            stopped = any(row["status"] == "stopped" for row in cell)
            ax.plot(*points[-1], marker=marker, color=colour, mfc="white" if stopped else colour, ms=5.5, zorder=3)
    if points:
        ax.plot(*zip(*points, strict=True), color=colour, lw=1.2)
        ax.set_yscale("log")
    ax.plot((), (), marker=marker, color=colour, ms=5.5, lw=1.2, label=name)


def _axis(ax: Axes, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    from secagent_env.rendering.style import FAINT

    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.grid(color=FAINT)
    ax.set_axisbelow(True)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the table and draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m eval.studies.scaling", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"), metavar="DIR", help="default: docs/images")
    parser.add_argument("--agents", type=int, nargs="*", default=AGENTS, metavar="N")
    parser.add_argument("--antennas", type=int, nargs="*", default=ANTENNAS, metavar="L")
    parser.add_argument("--instances", type=int, default=3, metavar="K", help="of each size (default: 3)")
    parser.add_argument("--max-seconds", type=float, default=20.0, metavar="S", help="of a solve (default: 20)")
    args = parser.parse_args(argv)
    with one_blas_thread():
        rows = measure(
            args.agents,
            args.antennas,
            instances=args.instances,
            max_seconds=args.max_seconds,
            progress=lambda text: print(text, file=sys.stderr, flush=True),
        )
    print(markdown(rows))
    args.out.mkdir(parents=True, exist_ok=True)
    save_picture(rows, args.out / PICTURE)


if __name__ == "__main__":
    main()
