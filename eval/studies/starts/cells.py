"""The cells of ``secagent study starts``: a solver on one random instance, from the decision of another, if any."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eval.compare.lineup import make
from eval.compare.solving import instance_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, number, numbers, returns, text

FUNCTION = "eval.studies.starts.cells:solve"


@returns(columns(status=text, lower_bound_j=number, seconds=count, improvements=numbers))
def solve(cell: Cell) -> Row:
    """Return how the solve ended, its bound, J, its time, s, and when it found what, the time of the start included.

    ``improvements`` are pairs of seconds and the least energy, J, that was known from then on.
    """
    instance, seed = instance_of(cell), solver_seed(cell.seed, cell.index)
    start, spent, found = None, 0.0, []
    if cell.options["start"] is not None:
        first = make(cell.options["start"]).solve(instance, seed)
        start, spent = first.decision, first.wall_time_s
        found += [(spent, first.outcome.energy_j)] if first.outcome.feasible else []
    solver = make(cell.options["solver"], **cell.options["solver_options"])
    solution = solver.solve(instance, seed, start=start, max_seconds=cell.options["max_seconds"])
    found += improvements(solution.history, spent)
    if solution.outcome.feasible:
        found.append((spent + solution.wall_time_s, solution.outcome.energy_j))
    return {
        "status": solution.status,
        "lower_bound_j": solution.lower_bound_j,
        "seconds": spent + solution.wall_time_s,
        "improvements": json.dumps([(when, energy) for when, energy in _better(found)]),
    }


def improvements(history: Sequence[Mapping[str, Any]], spent: float) -> Iterator[tuple[float, float]]:
    """Yield the seconds, after ``spent``, and the least energy, J, of a history's records."""
    for record in history:
        if math.isfinite(record["best_energy_j"]):
            yield spent + record["seconds"], float(record["best_energy_j"])


def _better(found: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield those that are better than all before."""
    least = math.inf
    for when, energy in found:
        if energy < least:
            least = energy
            yield float(when), float(energy)
