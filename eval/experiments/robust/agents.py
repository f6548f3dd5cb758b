"""The cells of ``secagent reproduce robust`` for trained agents.

A module of its own, so that results of solvers do not depend on the code of trained agents.
"""

from __future__ import annotations

from eval.compare.solving_agents import load_same_agent
from eval.experiments.robust.cells import DESIGN, row_of
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import returns

FUNCTION = "eval.experiments.robust.agents:design"


@returns(DESIGN)
def design(cell: Cell) -> Row:
    """Return the row of a cell for a trained agent, whose digest is its option ``policy``."""
    options = cell.options
    return row_of(load_same_agent(options["solver"], options["solver_options"], options["policy"]), cell)
