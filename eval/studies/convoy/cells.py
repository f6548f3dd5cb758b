"""The cells of ``secagent study convoy``: a team crosses many times."""

from __future__ import annotations

import numpy as np

from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, numbers, returns
from secagent_env.convoy.crossing import Crossings, results
from secagent_env.convoy.rules import CrossingRules
from solvers.convoy.team import Team, play

FUNCTION = "eval.studies.convoy.cells"
FIGURES = columns(
    **dict.fromkeys(("collided", "late", "seconds", "bits", "motion_j", "radio_j", "reward", "last", "others"), numbers)
)


@returns(FIGURES)
def cross(cell: Cell) -> Row:
    """Return the figures of every crossing of a team, each a list."""
    rules, team = CrossingRules(**cell.options["rules"]), Team(**cell.options["team"])
    return figures(play(rules, team, int(cell.options["crossings"]), cell.seed))


def figures(crossings: Crossings) -> Row:
    """Return the results of crossings, with their rewards, and the seconds of the last vehicle and of the others.

    The reward is that of the whole episode, from the same energies, times and collisions.
    """
    found, rules = results(crossings), crossings.rules
    radio = rules.radio_cost_per_j * found["radio_j"] / rules.num_vehicles
    reward = -(found["seconds"] + rules.motion_cost_per_j * found["motion_j"] + radio)
    reward -= rules.collision_cost * found["collided"]
    last, others = crossings.seconds[:, -1], crossings.seconds[:, :-1].mean(-1)
    row = {**found, "reward": reward, "last": last, "others": others}
    return {name: np.round(np.asarray(values, float), 9).tolist() for name, values in row.items()}
