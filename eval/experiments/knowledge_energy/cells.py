"""Cells in which a scheme solves a network that knowledge is sent in."""

from __future__ import annotations

import numpy as np

import solvers
from eval.compare.rows import RESULT, plain, result_of
from eval.compare.solving import instance_at, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, finite, number, optional, returns, text
from secagent_env import Scenario, evaluate
from solvers.reasoning.vote_theory import expected_accuracy

FUNCTION = "eval.experiments.knowledge_energy.cells:solve"
OPTIONS_PER_QUESTION = 5
"""Of most questions of TeleQnA; only the voted accuracy depends on it."""
_FIGURES = columns(
    network=text,
    curve=text,
    required=number,
    ratio=optional(number),
    **dict.fromkeys(("downlink_time_s", "mean_accuracy", "voted_accuracy"), optional(finite)),
)


@returns(RESULT | _FIGURES)
def solve(cell: Cell) -> Row:
    """Return the row of a cell: the solution of its scheme, and the accuracies of the agents selected."""
    options = cell.options
    instance = instance_at(Scenario(**options["scenario"]), cell.seed, cell.index)
    solution = solvers.make(cell.scheme).solve(instance, seed=solver_seed(cell.seed, cell.index))
    outcome = evaluate(instance, solution.decision)
    selected = np.asarray(instance.accuracy)[np.asarray(solution.decision.selection)]
    accuracies = {
        "downlink_time_s": outcome.downlink_time_s,
        "mean_accuracy": selected.mean() if selected.size else 0.0,
        "voted_accuracy": expected_accuracy(selected, OPTIONS_PER_QUESTION) if selected.size else 0.0,
    }
    setting = {name: options[name] for name in ("network", "curve", "required", "ratio")}
    return {**setting, **result_of(solution), **plain(accuracies)}
