"""Cells in which a scheme selects agents whose accuracy was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import solvers
from eval.compare.rows import RESULT, result_of
from eval.compare.solving import instance_at, solver_seed
from eval.experiments.votes.cells_selection import SCHEMES
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, numbers, returns
from secagent_env import Scenario

FUNCTION = "eval.experiments.model_votes.cells:select"


@returns(RESULT | columns(selected=numbers))
def select(cell: Cell) -> Row:
    """Return the row of a cell: the solution, and the agents that it selects.

    The option ``accuracy`` holds the accuracies of all agents, which take the place of those of (14).
    """
    options = cell.options
    network = instance_at(Scenario(**options["scenario"]), cell.seed, cell.index)
    instance = replace(network, accuracy=np.array(options["accuracy"], float))
    solution = solvers.make(SCHEMES[cell.scheme][0]).solve(instance, seed=solver_seed(cell.seed, cell.index))
    return {**result_of(solution), "selected": np.flatnonzero(solution.decision.selection).tolist()}
