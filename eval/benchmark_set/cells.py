"""What a cell of ``secagent study benchmark-set`` computes: a solver's decision on a network of the set."""

from __future__ import annotations

import json

import numpy as np

from eval.benchmark_set.frozen import frozen
from eval.compare.decisions import plain_decision
from eval.compare.solving import solver_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, document, finite, flag, optional, returns, text
from solvers import Solver

FUNCTION, AGENT_FUNCTION = "eval.benchmark_set.cells:decide", "eval.benchmark_set.cells_agents:decide"

DECISION = columns(
    status=text, decided=flag, impossible=flag, seconds=count, lower_bound_j=optional(finite), decision=document
)


@returns(DECISION)
def decide(cell: Cell) -> Row:
    """Return the decision of a solver on the network ``index`` of the option ``preset``, within ``max_seconds``."""
    return decision_row(solver_of(cell), cell)


def decision_row(solver: Solver, cell: Cell) -> Row:
    """Return the decision of a solver that is made, as plain data; a failed solve has none."""
    network = frozen(cell.options["preset"]).instances[cell.index]
    seed = solver_seed(cell.seed, cell.index)
    solution = solver.solve(network, seed=seed, max_seconds=cell.options["max_seconds"])
    bound = solution.lower_bound_j
    return {
        "status": solution.status,
        "decided": solution.status != "failed",
        "impossible": solution.status == "infeasible",
        "seconds": solution.wall_time_s,
        "lower_bound_j": float(bound) if np.isfinite(bound) else None,
        "decision": json.dumps(plain_decision(solution.decision)),
    }
