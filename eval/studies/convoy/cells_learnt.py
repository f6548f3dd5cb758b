"""The crossings of a trained policy, in a cell."""

from __future__ import annotations

from pathlib import Path

from eval.studies.convoy.cells import FIGURES, figures
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import returns
from secagent_env.convoy.rules import CrossingRules
from secagent_env.support.digests import digest
from secagent_env.support.reading import read_bytes
from solvers.convoy.team import play
from training.convoy.shared_driving import LearntTeam

FUNCTION = "eval.studies.convoy.cells_learnt:cross"


@returns(FIGURES)
def cross(cell: Cell) -> Row:
    """Return the figures of every crossing of a trained policy, each a list.

    Raises ValueError if the file of the policy is not the one that the cell is of.
    """
    path = Path(cell.options["policy"])
    if digest(read_bytes(path)) != cell.options["digest"]:
        raise ValueError(f"the policy in {path} was changed, or is another one on this machine")
    team = LearntTeam(str(cell.options["level"]), path)
    return figures(play(CrossingRules(**cell.options["rules"]), team, int(cell.options["crossings"]), cell.seed))
