"""What a cell of a comparison computes: one solver on one random instance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import solvers
from eval.compare.instances_file import FIELD, own_instance
from eval.compare.rows import RESULT, result_of, result_on_true_channels
from eval.sweep.answers import with_answers
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import returns
from secagent_env import Instance, Scenario, sample_instance
from secagent_env.sampling.estimation import as_known, estimate_generator
from secagent_env.sampling.seeds import instance_generator
from solvers import Solution, Solver


def instance_at(scenario: Scenario, seed: int, index: int) -> Instance:
    """Return instance ``index`` of those that ``sample_instance(scenario, seed, batch)`` draws."""
    return sample_instance(scenario, instance_generator(seed, index))


def solver_seed(seed: int, index: int) -> int:
    """Return the seed of every solver on instance ``index``, unrelated to the instance's random numbers."""
    return int(np.random.SeedSequence((seed, index), spawn_key=(1,)).generate_state(1)[0])


def solver_of(cell: Cell) -> Solver:
    """Return the solver of a cell, from its options ``solver`` and ``solver_options``."""
    return solvers.make(cell.options["solver"], **with_answers(cell, cell.options["solver_options"]))


def instance_of(cell: Cell) -> Instance:
    """Return the instance of a cell, from its option ``scenario``, its seed and its index."""
    return instance_at(Scenario(**cell.options["scenario"]), cell.seed, cell.index)


def solve_instance(
    solver: Solver,
    scenario: Scenario,
    seed: int,
    index: int,
    max_seconds: float | None = None,
    csi_error: float = 0.0,
    instances_file: Mapping[str, str] | None = None,
) -> tuple[Instance, Solution]:
    """Return instance ``index``, drawn or of the user's own, and what a solver decides on its estimated channels."""
    truth = instance_at(scenario, seed, index) if instances_file is None else own_instance(instances_file, index)
    known = as_known(truth, csi_error, estimate_generator(seed, index))
    return truth, solver.solve(known, seed=solver_seed(seed, index), max_seconds=max_seconds)


@returns(RESULT)
def solve_cell(cell: Cell) -> Row:
    """Return the row of a cell: the result of a solver on an instance.

    The options of the cell are ``solver``, ``solver_options``, ``scenario``, ``max_seconds`` and ``csi_error``, and
    ``instances_file`` where instances are not drawn (:meth:`eval.compare.comparison.Comparison.cells`).
    """
    return row_of(solver_of(cell), cell)


def row_of(solver: Solver, cell: Cell) -> Row:
    """Return the row of a cell whose solver is made."""
    scenario, limit, error = (cell.options[name] for name in ("scenario", "max_seconds", "csi_error"))
    file = cell.options.get(FIELD)
    truth, solution = solve_instance(solver, Scenario(**scenario), cell.seed, cell.index, limit, error, file)
    return result_on_true_channels(solution, truth) if error else result_of(solution)
