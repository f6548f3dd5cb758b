"""What a cell of ``secagent study benchmark-set`` computes: a solver's decision on a network of the set."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from eval.benchmark_set.frozen import frozen
from eval.compare.solving import solver_of, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, finite, flag, numbers, optional, returns, text
from secagent_env import Decision
from solvers import Solver

FUNCTION, AGENT_FUNCTION = "eval.benchmark_set.cells:decide", "eval.benchmark_set.cells_agents:decide"

DECISION = columns(
    status=text,
    decided=flag,
    impossible=flag,
    seconds=count,
    lower_bound_j=optional(finite),
    selection=numbers,
    power_w=numbers,
    beamformer=numbers,
    noise_covariance=optional(numbers),
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
    decision, noise, bound = solution.decision, solution.decision.noise_covariance, solution.lower_bound_j
    return {
        "status": solution.status,
        "decided": solution.status != "failed",
        "impossible": solution.status == "infeasible",
        "seconds": solution.wall_time_s,
        "lower_bound_j": float(bound) if np.isfinite(bound) else None,
        "selection": json.dumps(np.asarray(decision.selection).astype(int).tolist()),
        "power_w": json.dumps(np.asarray(decision.power_w).tolist()),
        "beamformer": json.dumps(_parts(decision.beamformer)),
        "noise_covariance": None if noise is None else json.dumps(_parts(noise)),
    }


def decision_of(row: Row) -> Decision:
    """Return the decision of a row."""
    noise = row.get("noise_covariance")  # no column where no decision has any
    return Decision(
        selection=np.array(json.loads(row["selection"]), bool),
        power_w=np.array(json.loads(row["power_w"]), float),
        beamformer=_whole(json.loads(row["beamformer"])),
        noise_covariance=_whole(json.loads(noise)) if isinstance(noise, str) else None,
    )


def _parts(array: Any) -> list[Any]:
    """Return the real and the imaginary part of an array as lists."""
    return [np.real(array).tolist(), np.imag(array).tolist()]


def _whole(parts: list[Any]) -> np.ndarray:
    return np.array(parts[0]) + 1j * np.array(parts[1])
