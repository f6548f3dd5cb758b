"""Cells that solve by FixedTP to the letter: ASC's agents, all at the fixed power, and the best beam for that.

At fixed powers most agents have no uplink secrecy (``docs/model.md``, 8.4), and ASC's selection holds some of them. Its
decision is infeasible then, whatever the beam; these cells count how often. Other schemes are solved by the cells of a
comparison (:mod:`eval.compare.solving`).
"""

from __future__ import annotations

from dataclasses import dataclass

from eval.compare.rows import RESULT, result_of
from eval.compare.solving import instance_at, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import returns
from secagent_env import Scenario, evaluate
from solvers.asc_plus.solver import ASCPlus
from solvers.benchmarks.fixedtp import FixedTP
from solvers.interface.base import SolverRun

FUNCTION = "eval.experiments.secure.cells:solve_as_written"


@dataclass(frozen=True, kw_only=True)
class FixedTPAsWritten(FixedTP):
    """The selection of ASC, and then powers and beam as in FixedTP."""

    name = "fixedtp (as written)"

    def _solve(self, run: SolverRun) -> None:
        selection = ASCPlus().solve(run.instance, seed=run.seed).decision.selection
        decision = self.links(run, self).jammed(selection, self.powers(run.instance))
        mute = int((selection & ~(evaluate(run.instance, decision).uplink_secrecy > 0)).sum())
        if mute:
            run.message = f"{mute} of the {int(selection.sum())} agents selected cannot send in secret at these powers"


@returns(RESULT)
def solve_as_written(cell: Cell) -> Row:
    """Return the row of a cell whose options hold the ``scenario``."""
    instance = instance_at(Scenario(**cell.options["scenario"]), cell.seed, cell.index)
    return result_of(FixedTPAsWritten().solve(instance, seed=solver_seed(cell.seed, cell.index)))
