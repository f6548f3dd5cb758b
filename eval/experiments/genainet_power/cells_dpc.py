"""Power control without talk, a cell for each number of pairs: methods on many games, and the speed of many games."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from eval.bench.power_control import measure
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, document, numbers, returns
from secagent_env.power_control import Game, rates, sample_game, sinr
from secagent_env.power_control.metrics import rate_gap, total_power
from solvers.power_control import dpc, optimum

PLAY, SPEED = (f"eval.experiments.genainet_power.cells_dpc:{name}" for name in ("play", "speed"))
METHODS: dict[str, Callable[[Game, int], np.ndarray]] = {
    "initial": lambda game, rounds: game.initial_power_w,
    "dpc": lambda game, rounds: dpc(game, rounds)[-1],
    "optimum": lambda game, rounds: optimum(game).power_w,
}
"""By name: the function that gives the powers (B, N), W, after so many rounds of a batch of games (B)."""


@returns(columns(rate_gap=numbers, total_power_w=numbers, share=numbers))
def play(cell: Cell) -> Row:
    """Return rate gap, total power, W, and least share of a target SINR of every game (B) at its end."""
    options = cell.options
    game = sample_game(cell.value, cell.seed, (options["draws"],), feasible=options["feasible"])
    power = METHODS[cell.scheme](game, options["rounds"])
    rate = rates(game, power)
    return {
        "rate_gap": rate_gap(game, power, rate),
        "total_power_w": total_power(game, power, rate),
        "share": np.min(sinr(game, power) / game.target_sinr, axis=-1),
    }


@returns(columns(figures=document))
def speed(cell: Cell) -> Row:
    """Return the times that :func:`eval.bench.power_control.measure` takes of games with so many pairs."""
    return {"figures": json.dumps(measure(cell.value))}
