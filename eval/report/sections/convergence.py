"""The section of the convergence of ASC and LAW on one network."""

from __future__ import annotations

from collections.abc import Mapping

from eval.report.charts.convergence import convergence_charts
from eval.report.data.results import Compared
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
