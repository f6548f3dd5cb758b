"""What a cell of ``secagent study benchmark-set`` computes for a trained agent; solvers do not depend on its code."""

from __future__ import annotations

from eval.benchmark_set.cells import DECISION, decision_row
from eval.compare.solving_agents import load_same_agent
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import returns


@returns(DECISION)
def decide(cell: Cell) -> Row:
    """Return the decision of a trained agent, as :func:`eval.benchmark_set.cells.decide` that of a solver."""
    options = cell.options
    return decision_row(load_same_agent(options["solver"], options["solver_options"], options["policy"]), cell)
