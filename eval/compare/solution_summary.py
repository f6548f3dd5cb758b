"""The summary of a solution that `secagent solve` prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from eval.compare.conversation import usage
from eval.stats.formatting import with_unit
from eval.stats.statistics import Interval
from solvers import Solution


def summary(solution: Solution) -> str:
    """Return what a person wants to know of a solution, in a few lines."""

    def quantity(value: Any, unit: str) -> str:
        return with_unit(Interval(float(value), np.nan, np.nan, 1), unit)

    def listed(mask: np.ndarray) -> str:
        return ", ".join(map(str, np.flatnonzero(mask))) or "nobody"

    outcome, decision = solution.outcome, solution.decision
    selected, power = decision.selection, decision.power_w
    violated = {name: outcome.violations[name] for name, beyond in outcome.violated.items() if beyond}
    lines = {
        "status": f"{solution.status}: {solution.message}",
        "energy": f"{quantity(outcome.energy_j, 'J')} = {quantity(outcome.execution_energy_j, 'J')} execution"
        f" + {quantity(outcome.transmission_energy_j, 'J')} transmission",
        "lower bound": f"{quantity(solution.lower_bound_j, 'J')}, gap {solution.gap:.3g}"
        f" (transmission alone {solution.transmission_gap:.3g})",
        "latency": f"{quantity(outcome.latency_s, 's')} = {quantity(outcome.downlink_time_s, 's')} downlink"
        f" + {quantity(outcome.inference_time_s, 's')} inference"
        f" + {quantity(outcome.uplink_time_s, 's')} uplink",
        "violated": ", ".join(f"{name} by {value:.4g}" for name, value in violated.items()) or "nothing",
        "selected": f"{selected.sum()} of {selected.size} agents: {listed(selected)}",
        "jamming": listed(~selected & (power > 0)),
        "effort": f"{solution.evaluations} evaluations in {quantity(solution.wall_time_s, 's')}",
    }
    if solution.usage:
        lines = {"solver": solution.solver, **lines, "asked": usage(solution)}
    return "\n".join(f"{name:<12} {text}" for name, text in lines.items())
