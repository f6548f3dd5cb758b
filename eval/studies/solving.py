"""The solver and the instance of a cell that a comparison declares, for studies that want more than its rows."""

from __future__ import annotations

import solvers
from eval.compare.solving import instance_at
from eval.sweep.cells import Cell
from secagent_env import Instance, Scenario


def solver_of(cell: Cell) -> solvers.Solver:
    """Return the solver of a cell of :meth:`eval.compare.comparison.Comparison.cells`."""
    return solvers.make(cell.options["solver"], **cell.options["solver_options"])


def instance_of(cell: Cell) -> Instance:
    """Return the instance of a cell, from its option ``scenario``, its seed and its index."""
    return instance_at(Scenario(**cell.options["scenario"]), cell.seed, cell.index)
