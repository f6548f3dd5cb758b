"""Two vehicles that know everything, beside the exact programme and the bound, in one cell."""

from __future__ import annotations

import numpy as np

from eval.studies.convoy.cells import figures
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, numbers, returns
from secagent_env.convoy.crossing import draw
from secagent_env.convoy.rules import CrossingRules
from solvers.convoy.reference import Programme, bound, on_grid
from solvers.convoy.team import Team, play

FUNCTION = "eval.studies.convoy.cells_reference:compare"
TEAMS = {
    "rule, full information": Team(level="nothing", full_information=True),
    "rule, intent": Team(level="intent"),
    "rule, no communication": Team(level="nothing"),
}


@returns(columns(bound=numbers, programme=numbers, **dict.fromkeys(TEAMS, numbers)))
def compare(cell: Cell) -> Row:
    """Return the rewards of the bound, the programme and the rules on the same starts, a list each.

    Raises ArithmeticError if the programme does not earn what it says.
    """
    rules = CrossingRules(num_vehicles=2, full_information=True)
    start = on_grid(draw(rules, np.random.default_rng([cell.seed, 0]), int(cell.options["crossings"])))
    programme = Programme(rules)
    said, (_, earned) = programme.rewards(start), programme.play(start)
    if not np.allclose(said, earned, atol=1e-6):
        raise ArithmeticError(f"the programme earns {earned.mean():.6f} where it says {said.mean():.6f}")
    row = {"bound": bound(rules, start).tolist(), "programme": said.tolist()}
    for name, team in TEAMS.items():
        row[name] = figures(play(rules, team, start, cell.seed))["reward"]
    return row
