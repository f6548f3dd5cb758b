"""Cells in which a scheme selects the agents of a network."""

from __future__ import annotations

from typing import Any

import numpy as np

import solvers
from eval.compare.rows import RESULT, result_of
from eval.compare.solving import instance_at, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, numbers, returns
from secagent_env import Scenario

FUNCTION = "eval.experiments.votes.cells_selection:select"
ANY = "randas (any ten)"
SCHEMES: dict[str, tuple[str, dict[str, Any]]] = {
    "asc": ("asc", {}),
    "asc-plus": ("asc-plus", {}),
    "law": ("law", {}),
    "ga": ("ga", {}),
    "randas": ("randas", {}),
    "exact": ("exact", {}),
    ANY: ("randas", {"min_accuracy": 0.0}),
}
"""The solver of each scheme, and the fields that differ from the preset in its scenario."""


_AGENTS = columns(selected=numbers, accuracy=numbers)


@returns(RESULT | _AGENTS)
def select(cell: Cell) -> Row:
    """Return the row of a cell: the solution, the agents that it selects, and the accuracy of every agent by (14)."""
    instance = instance_at(Scenario(**cell.options["scenario"]), cell.seed, cell.index)
    solution = solvers.make(SCHEMES[cell.scheme][0]).solve(instance, seed=solver_seed(cell.seed, cell.index))
    return {
        **result_of(solution),
        "selected": np.flatnonzero(solution.decision.selection).tolist(),
        "accuracy": np.asarray(instance.accuracy).tolist(),
    }
