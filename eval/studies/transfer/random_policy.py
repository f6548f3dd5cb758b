"""The reference of ``secagent study transfer`` that has learnt nothing: random actions, repaired as those of agents."""

from __future__ import annotations

from eval.compare.rows import RESULT
from eval.compare.solving import row_of
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import returns
from secagent_env.allocation.actions import action_format
from solvers import Solver
from solvers.interface.base import SolverRun
from training.play.repair import repair

FUNCTION = "eval.studies.transfer.random_policy:solve_cell"


class RandomPolicy(Solver):
    """Draws an action of the guided format, uniformly; a decision that is not feasible is repaired."""

    name = "random"

    def _solve(self, run: SolverRun) -> None:
        actions = action_format("guided", run.given.scenario)
        decision = actions.decode(run.rng.uniform(-1, 1, actions.space.shape), run.given)
        outcome = run.consider(decision)
        run.record(sub_problem="forward pass", feasible=bool(outcome.feasible))
        if not outcome.feasible:
            repair(run.given, decision, run.consider)
            run.record(sub_problem="repair", feasible=run.feasible)


@returns(RESULT)
def solve_cell(cell: Cell) -> Row:
    """Return the row of a random action on an instance, as :func:`eval.compare.solving.solve_cell` does."""
    return row_of(RandomPolicy(), cell)
