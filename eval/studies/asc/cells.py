"""The cells of ``secagent study asc``: a variant of ASC on one random instance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from eval.compare.rows import RESULT, result_of
from eval.compare.solving import instance_of, solver_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, document, returns

FUNCTION = "eval.studies.asc.cells:solve"


@returns(RESULT | columns(course=document))
def solve(cell: Cell) -> Row:
    """Return what a row says of the solution, and its :func:`course`."""
    solution = solver_of(cell).solve(instance_of(cell), solver_seed(cell.seed, cell.index))
    return result_of(solution) | {"course": course(solution.history)}


def course(history: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the convergence of Algorithm 2, from a solver's history.

    ``energy_j`` has the energy after the powers of each round, None where the decision is infeasible then; ``admm`` has
    for each round a list of the iterations of Algorithm 1, each as the energy of computing of its α and the penalty, J.
    """
    energies, iterations = [], []
    for record in history:
        if record["sub_problem"] == "powers":
            energy = record["energy_j"]
            energies.append(energy if record["feasible"] and math.isfinite(energy) else None)
        elif "admm" in record:
            iterations.append([[step["execution_energy_j"], step["penalty_j"]] for step in record["admm"]])
    return {"energy_j": energies, "admm": iterations}
