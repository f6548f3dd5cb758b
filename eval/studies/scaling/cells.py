"""The cells of ``secagent study scaling``: a solver on one random instance of one size, timed."""

from __future__ import annotations

import functools

from eval.bench.timing import processor_seconds
from eval.compare.solving import instance_at, instance_of, solver_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, number, returns, text
from secagent_env import Scenario

FUNCTION = "eval.studies.scaling.cells:solve"


@returns(columns(status=text, seconds=count, gap=number, transmission_gap=number))
def solve(cell: Cell) -> Row:
    """Return how the solve ended, its gaps, and its processor time, s."""
    solver = solver_of(cell)
    if cell.scheme not in _warm:
        solver.solve(instance_at(Scenario(), 0, 0))  # the first solve also imports, compiles and allocates
        _warm.add(cell.scheme)
    seed, limit = solver_seed(cell.seed, cell.index), cell.options["max_seconds"]
    solution, seconds = processor_seconds(
        functools.partial(solver.solve, instance_of(cell), seed=seed, max_seconds=limit)
    )
    gaps = {"gap": solution.gap, "transmission_gap": solution.transmission_gap}
    return {"status": solution.status, "seconds": seconds, **gaps}


_warm: set[str] = set()
