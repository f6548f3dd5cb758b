"""FixedTP to the letter: ASC's agents, everybody at the fixed power, and the best beam for that.

At fixed powers most agents have no uplink secrecy (``docs/model.md``, 8.4), and ASC's selection holds some of them. Its
decision is infeasible then, whatever the beam; how often, is what this module is for.
"""

from __future__ import annotations

from dataclasses import dataclass

from eval.compare.rows import result_of
from eval.compare.solving import instance_at, solver_seed
from eval.sweep.cells import Cell, Row
from secagent_env import Scenario, evaluate
from solvers.asc.solver import ASC
from solvers.benchmarks.fixedtp import FixedTP
from solvers.interface.base import SolverRun


@dataclass(frozen=True, kw_only=True)
class FixedTPAsWritten(FixedTP):
    """The selection of ASC, and then powers and beam as in FixedTP."""

    name = "fixedtp (as written)"

    def _solve(self, run: SolverRun) -> None:
        selection = ASC().solve(run.instance, seed=run.seed).decision.selection
        decision = self._links(run).jammed(selection, self.powers(run.instance))
        heard = int((selection & ~(evaluate(run.instance, decision).uplink_secrecy > 0)).sum())
        if heard:
            run.message = f"{heard} of the {int(selection.sum())} agents selected cannot send in secret at these powers"


def solve_cell(cell: Cell) -> Row:
    """Return the row of a cell whose options hold the ``scenario``."""
    instance = instance_at(Scenario(**cell.options["scenario"]), cell.seed, cell.index)
    return result_of(FixedTPAsWritten().solve(instance, seed=solver_seed(cell.seed, cell.index)))
