"""What a cell of a comparison computes for a trained agent: its decision on one random instance.

A module of its own, so that results of solvers do not depend on the code of trained agents.
"""

from __future__ import annotations

from typing import Any

from eval.compare.rows import RESULT
from eval.compare.solving import row_of
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import returns
from training import load_agent
from training.play.agents import TrainedAgent


def load_same_agent(name: str, options: dict[str, Any], policy: str | None) -> TrainedAgent:
    """Return the trained agent of this name or path, with options.

    Raises
    ------
    ValueError
        If the digest of its weights is not ``policy``.
    """
    agent = load_agent(name, **options)
    if agent.digest != policy:
        raise ValueError(f"the policy of {name} was changed, or is another one on this machine")
    return agent


@returns(RESULT)
def solve_cell(cell: Cell) -> Row:
    """Return the row of a cell: the result of a trained agent on an instance.

    The options of the cell are those of :func:`eval.compare.solving.solve_cell`, and ``policy``, the digest of the
    agent's weights.

    Raises
    ------
    ValueError
        If the agent was changed since the cell was made.
    """
    options = cell.options
    return row_of(load_same_agent(options["solver"], options["solver_options"], options["policy"]), cell)
