"""The section of trained agents: learning curves, and results on test networks."""

from __future__ import annotations

import math
from typing import Any

from eval.compare.looks import looks
from eval.report.charts.learning import learning_charts
from eval.report.data.results import Results
from eval.report.sections.parts import Cell, Section, Table, number
from eval.stats.formatting import percent
from eval.stats.statistics import Interval


def learning_section(results: Results) -> Section:
    """Return the learning curves, and the results of trained agents on test instances."""
    environments: dict[str, list[Any]] = {}
    for run in results.runs:
        environments.setdefault(str(run.config["environment"]), []).append(run)
    charts = {name: learning_charts(runs, f"learn-{at}") for at, (name, runs) in enumerate(environments.items())}
    lead = "What trained agents reach against the steps of training, and on networks that no training has seen."
    content = {"charts": charts, "tests": None if results.learners is None else _test_table(results.learners)}
    return Section("learning", "Learning", lead, content, [chart for some in charts.values() for chart in some])


def _test_table(frame: Any) -> Table:
    columns = ("feasible", "gap", "feasible_repaired", "gap_repaired", "single_ms", "steps")
    rows = []
    for (learner, agents), own in frame.groupby(["learner", "num_agents"], sort=False):
        mean = {name: float(own[name].mean()) if name in own else math.nan for name in columns}
        rows.append(
            {
                "learner": Cell(str(learner), look=looks(frame["learner"])[learner]),
                "N": Cell(f"{agents}", float(agents)),
                "seeds": Cell(f"{len(own)}", float(len(own))),
                "feasible": _percent(mean["feasible"]),
                "over the bound": _percent(mean["gap"]),
                "feasible, repaired": _percent(mean["feasible_repaired"]),
                "over the bound, repaired": _percent(mean["gap_repaired"]),
                "ms alone": number(mean["single_ms"], f"{mean['single_ms']:.2f}"),
                "steps": number(mean["steps"], f"{mean['steps']:,.0f}".replace(",", "\u2009")),
            }
        )
    return Table("Trained agents on test networks: means over the seeds", rows)


def _percent(value: float) -> Cell:
    return number(value, percent(Interval(value, math.nan, math.nan, 1)))
