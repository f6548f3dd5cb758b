"""The cells of ``secagent study thoughts``: games planned by one planner, proposer and reward."""

from __future__ import annotations

import numpy as np

from eval.studies.thoughts.proposers import TOLD, proposing, told
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, numbers, returns
from secagent_env.power_control import Game, rates, sample_game
from secagent_env.power_control.metrics import rate_gap
from solvers.planning import make
from solvers.planning.players import PlanningTeam
from solvers.planning.powers import intent
from solvers.power_control import dpc, optimum

FUNCTION = "eval.studies.thoughts.cells"
ONE = "one thought"
"""In the place of a planner: a chain of a single thought."""
ENDS = {**dict.fromkeys(("reward", "gap", "power_w"), numbers), "calls": count}


@returns(columns(**ENDS, **TOLD))
def plan(cell: Cell) -> Row:
    """Return the intent, rate gap and total power after the last round of each of the cell's games."""
    options, games = cell.options, _games(cell)
    one, planner = options["planner"] == ONE, options["planner"]
    with proposing(cell) as proposer:
        team = PlanningTeam(
            planner=make("chain" if one else planner),
            proposer=proposer,
            reward=options["reward"],
            budget=1 if one else options["budget"],
        )
        count = len(games.target_rate)
        played = [team.play(games[i], options["rounds"], seed=cell.seed + i) for i in range(count)]
        power = np.stack([game.record.power_w[-1] for game in played])
        return {**_ends(cell, power, sum(game.calls for game in played)), **told(proposer)}


@returns(columns(**ENDS))
def reference(cell: Cell) -> Row:
    """Return the same of a method without thoughts: DPC, the certified optimum, or the powers at the beginning."""
    games = _games(cell)
    powers = {
        "dpc": lambda: dpc(games, cell.options["rounds"])[-1],
        "optimum": lambda: optimum(games).power_w,
        "start": lambda: games.initial_power_w,
    }
    return _ends(cell, np.asarray(powers[cell.options["planner"]]()), 0)


def _games(cell: Cell) -> Game:
    options = cell.options
    return sample_game(options["pairs"], cell.seed, (options["draws"],), feasible=options["feasible"])


def _ends(cell: Cell, power: np.ndarray, calls: int) -> Row:
    games = _games(cell)
    gap = rate_gap(games, power, rates(games, power))
    return {"reward": intent(games, power), "gap": gap, "power_w": power.sum(axis=-1), "calls": calls}
