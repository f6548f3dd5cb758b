"""What a cell of a comparison computes: one solver on one random instance."""

from __future__ import annotations

from typing import Any

import numpy as np

from eval.compare.lineup import make
from eval.compare.rows import judged, result_of
from eval.sweep.cells import Cell, Row
from secagent_env import Instance, Scenario, sample_instance
from secagent_env.sampling.estimation import estimate_eavesdroppers, estimate_generator
from secagent_env.sampling.seeds import instance_generator
from solvers import Solver
from training.play.agents import TrainedAgent


def instance_at(scenario: Scenario, seed: int, index: int) -> Instance:
    """Return instance ``index`` of those that ``sample_instance(scenario, seed, batch)`` draws."""
    return sample_instance(scenario, instance_generator(seed, index))


def solver_seed(seed: int, index: int) -> int:
    """Return the seed of every solver on instance ``index``, unrelated to the instance's random numbers."""
    return int(np.random.SeedSequence((seed, index), spawn_key=(1,)).generate_state(1)[0])


def describe_solver(name: str, solver: Solver, options: dict[str, Any]) -> dict[str, Any]:
    """Return what a cell says of its solver; of a trained agent, its weights too."""
    agent = {"policy": solver.digest} if isinstance(solver, TrainedAgent) else {}
    return {"solver": name, "solver_options": options, **agent}


def solve_cell(cell: Cell) -> Row:
    """Return the row of a cell: what the solver found on the instance.

    The options of the cell are those of :func:`describe_solver`, ``scenario``, ``max_seconds`` and ``csi_error``
    (:class:`eval.compare.comparison.Comparison`).

    Raises
    ------
    ValueError
        If a trained agent is not the one that the cell is of.
    """
    told = cell.options
    solver = make(told["solver"], **told["solver_options"])
    if isinstance(solver, TrainedAgent) and solver.digest != told["policy"]:
        raise ValueError(f"the policy of {told['solver']} was changed, or is another one on this machine")
    truth = instance_at(Scenario(**told["scenario"]), cell.seed, cell.index)
    error = told["csi_error"]
    known = estimate_eavesdroppers(truth, error, estimate_generator(cell.seed, cell.index))
    solution = solver.solve(known, seed=solver_seed(cell.seed, cell.index), max_seconds=told["max_seconds"])
    return judged(solution, truth) if error else result_of(solution)
