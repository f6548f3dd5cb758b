"""Power control played by teams of GenAINet's agents, as cells of a sweep, and their courses beside those of others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.sweep.cells import Cell, Row
from eval.sweep.engine import Sweep, completed, run_sweep
from secagent_env.power_control import Game, rates, sample_game, sinr
from secagent_env.power_control.match import ROUNDS
from secagent_env.power_control.metrics import rate_gap, total_power
from secagent_env.sampling.seeds import instance_generator
from solvers.genainet import GenAINet
from solvers.power_control import dpc, optimum
from training.power_control.shared_power import SharedPolicy, trained

EXPERIMENT, FUNCTION = "genainet", "eval.experiments.genainet_power.cells:play"
REFERENCE, OPTIMUM, LEARNT = "dpc", "optimum", "ppo (shared)"
TEAMS: dict[str, dict[str, Any]] = {
    "alone": {"talk": False},
    "without messages": {"delivery": False},
    "talking": {},
    "led": {"organisation": "hierarchical"},
}


@dataclass(frozen=True, eq=False)
class Course:
    """What one method did in a batch of games (B), round by round; row 0 is before the first round.

    Attributes
    ----------
    num_pairs, method
        N, and its name.
    rate_gap
        (R + 1, B): mean over the pairs of |target − rate|, bit/s/Hz.
    total_power_w
        (R + 1, B), W.
    share
        (B,): the least SINR / target SINR among the pairs, at the end.
    messages, proposals
        (B,): for each transmitter, messages delivered and proposals written; of agents that talk.
    faults
        How many replies could not be used.
    """

    num_pairs: int
    method: str
    rate_gap: np.ndarray
    total_power_w: np.ndarray
    share: np.ndarray
    messages: np.ndarray | None = None
    proposals: np.ndarray | None = None
    faults: int = 0

    @classmethod
    def of(cls, method: str, game: Game, power_w: np.ndarray, **more: Any) -> Course:
        """Return the course of powers (R + 1, B, N), W, in games (B)."""
        rate = [rates(game, power) for power in power_w]
        gap = np.stack([rate_gap(game, *pair) for pair in zip(power_w, rate, strict=True)])
        total = np.stack([total_power(game, *pair) for pair in zip(power_w, rate, strict=True)])
        share = np.min(sinr(game, power_w[-1]) / game.target_sinr, axis=-1)
        return cls(game.num_pairs, method, gap, total, share, **more)


def cells(
    pairs: Iterable[int],
    draws: int,
    seed: int,
    rounds: int = ROUNDS,
    model: Mapping[str, Any] | None = None,
    feasible: bool | None = False,
) -> list[Cell]:
    """Return the games of all teams as cells, game by game.

    Parameters
    ----------
    pairs
        Numbers of pairs.
    draws, seed
        How many games of each, and from which seed.
    rounds
        How many rounds a game has.
    model
        Options of :class:`solvers.genainet.GenAINet` that name a language model; empty or None for the stand-in.
    feasible
        False: games whose targets cannot all be reached, on which DPC does not converge; True: others; None: all.

    Raises
    ------
    ValueError
        For a bad argument.
    """
    pairs, model = list(pairs), dict(model or {})
    if draws < 1:
        raise ValueError(f"the number of games must be an integer ≥ 1, got {draws}")
    for num_pairs in pairs:
        sample_game(num_pairs, seed, (0,))
    for own in TEAMS.values():
        GenAINet(**{**model, **own})
    options = {"rounds": rounds, "feasible": feasible, "model": model}
    paid = "model" in model and "replay" not in model
    return [
        Cell(FUNCTION, EXPERIMENT, team, num_pairs, seed, index, options, paid=paid)
        for index in range(draws)
        for num_pairs in pairs
        for team in TEAMS
    ]


def play(cell: Cell) -> Row:
    """Return the row of a cell: the powers of every round, (R + 1, N), W, and what was written."""
    told = cell.options
    game = sample_game(cell.value, instance_generator(cell.seed, cell.index), feasible=told["feasible"])
    team = GenAINet(**{**told["model"], **TEAMS[cell.scheme]})
    found = team.play(game, told["rounds"], cell.seed + cell.index)
    return {
        "method": team.name,
        "power_w": found.record.power_w.tolist(),
        "messages": found.messages_per_transmitter,
        "proposals": found.proposals_per_transmitter,
        "faults": sum(bool(turn.trouble) for turn in found.turns),
    }


def run(
    pairs: Iterable[int],
    draws: int,
    seed: int,
    out: Path,
    rounds: int = ROUNDS,
    model: Mapping[str, Any] | None = None,
    feasible: bool | None = False,
    **how: Any,
) -> list[Course]:
    """Return the courses of all methods on the same games; what teams play is kept in the folder ``out``.

    The arguments are those of :func:`cells`, and ``how`` those of :func:`eval.sweep.engine.run_sweep`.

    Raises
    ------
    ValueError
        For a bad argument, or if games failed.
    """
    pairs = list(pairs)
    frame = completed(run_sweep(Sweep(cells(pairs, draws, seed, rounds, model, feasible)), out, **how), "games")
    courses = []
    for num_pairs in pairs:
        game = sample_game(num_pairs, seed, (draws,), feasible=feasible)
        best = np.broadcast_to(optimum(game).power_w, (rounds + 1, draws, num_pairs))
        courses += [Course.of(REFERENCE, game, dpc(game, rounds)), Course.of(OPTIMUM, game, best)]
        if num_pairs in trained():
            courses.append(Course.of(LEARNT, game, SharedPolicy(num_pairs).powers(game, rounds)))
        own = frame[frame["value"] == num_pairs]
        courses += [_course(game, own[own["scheme"] == team], TEAMS[team].get("talk", True)) for team in TEAMS]
    return courses


def _course(game: Game, rows: Any, talks: bool) -> Course:
    """Return the course of a team's games (B), from their rows in the order of the games."""
    power_w = np.stack([json.loads(text) for text in rows["power_w"]], axis=1)
    written = {name: rows[name].to_numpy(float) for name in ("messages", "proposals")} if talks else {}
    return Course.of(rows["method"].iloc[0], game, power_w, faults=int(rows["faults"].sum()), **written)
