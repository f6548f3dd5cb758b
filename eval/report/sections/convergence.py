"""The section of the convergence of ASC and LAW on one network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from eval.compare.looks import Look, looks
from eval.report.data.comparisons import Compared
from eval.report.sections.chart import Chart, axis, finite, make_chart, plain, remark, rule
from eval.report.sections.parts import Section
from solvers import Solution


def convergence_section(solutions: Mapping[str, Solution], compared: Compared, index: int = 0) -> Section:
    """Return the charts of the convergence of ASC and LAW, and how they ended."""
    charts = convergence_charts(solutions)
    lead = (
        f"Network {index} of {compared.description}: the energy after each sub-problem that ASC and LAW solve, down "
        "to the certified bound."
    )
    endings = {
        label: f"{solution.message}; {len(solution.history)} sub-problems in {solution.wall_time_s:.2g} s."
        for label, solution in solutions.items()
    }
    return Section("convergence", "Convergence of ASC and LAW", lead, {"charts": charts, "endings": endings}, charts)


MARKS = {"selection": "circle", "beam": "triangle-up", "powers": "square"}
"""The marker of each sub-problem."""


def convergence_charts(solutions: Mapping[str, Solution]) -> list[Chart]:
    """Return the charts of the energy and of its transmission part after each sub-problem, on one instance."""
    shown = looks(solutions)
    bound = max(solution.lower_bound_j for solution in solutions.values())
    whole = _history(solutions, shown, "energy_j", best=True)
    part = _history(solutions, shown, "transmission_energy_j", best=False)
    counts = [digit * 10**power for power in range(5) for digit in (1, 2, 5)]
    steps = {"type": "log", "title": {"text": "sub-problems solved"}, "tickvals": counts}
    layout: dict[str, Any] = {"xaxis": steps, "yaxis": axis("linear", "J")}
    if math.isfinite(bound):
        layout["shapes"] = [rule(x0=0, x1=1, xref="paper", y0=bound, y1=bound)]
        note = remark(x=1, xref="paper", y=bound, text="certified lower bound", xanchor="right", yanchor="top")
        layout["annotations"] = [note]
    marks = "A circle is a selection, a triangle a beam, a square powers; hollow ones are infeasible."
    return [
        make_chart("convergence-energy", "Energy", f"{marks} The line is the best so far.", whole, layout),
        make_chart(
            "convergence-transmission",
            "Transmission energy",
            f"The transmission part alone, which later sub-problems lower. {marks}",
            part,
            {"xaxis": steps, "yaxis": axis("log", "J", [y for trace in part for y in trace["y"]])},
        ),
    ]


def _history(solutions: Mapping[str, Solution], shown: Mapping[str, Look], name: str, *, best: bool) -> list[Any]:
    traces: list[Any] = []
    for label, look in shown.items():
        history = solutions[label].history
        steps = list(range(1, len(history) + 1))
        values = [finite(record.get(name)) for record in history]
        kinds = [str(record.get("sub_problem", "iteration")) for record in history]
        feasible = [bool(record.get("feasible", True)) for record in history]
        marks = [MARKS.get(kind, "diamond") + "-open" * (not fine) for kind, fine in zip(kinds, feasible, strict=True)]
        shared = {"type": "scatter", "x": steps, "name": plain(label), "legendgroup": label, "hoverinfo": "skip"}
        if best:
            line = {"color": look.css, "width": 2, "shape": "hv"}
            reached = [finite(record.get("best_energy_j")) for record in history]
            traces.append({**shared, "mode": "lines", "y": reached, "line": line, "showlegend": False})
        hints = [f"{kind}{'' if fine else ', infeasible'}" for kind, fine in zip(kinds, feasible, strict=True)]
        style = {"marker": {"color": look.css, "symbol": marks, "size": 8}, "line": {"color": look.css, "width": 1}}
        texts = {"text": hints, "hovertemplate": f"{plain(label)}, %{{x}}: %{{text}}<br>%{{y:.5s}}J<extra></extra>"}
        traces.append({**shared, "mode": "markers" if best else "lines+markers", "y": values, **style, **texts})
    return traces
