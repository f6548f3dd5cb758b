"""The cells of ``secagent study intent-change``: games in which targets change, played at one level."""

from __future__ import annotations

import numpy as np

from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, numbers, returns
from secagent_env.power_control import Game, IntentChange, NewTargets, Record
from secagent_env.power_control.changes import with_targets
from secagent_env.power_control.game import rates
from secagent_env.power_control.generator import draw_games
from secagent_env.sampling.seeds import generators_of
from solvers.planning.intents import IntentPlayer
from solvers.power_control import dpc, optimum
from solvers.power_control.players import play

FUNCTION = "eval.studies.intent_change.cells"
NEAR = 0.05
"""A target is met within this share of it."""
MEASURES = ("met_after", "gap", "gap_others", "power_w", "power_others_w", "bits", "bits_before")
"""Of each game, see :func:`measures`."""


@returns(columns(**dict.fromkeys((*MEASURES, "course"), numbers)))
def told(cell: Cell) -> Row:
    """Return the measures of each game, played by agents of one level, and the course of the rate gap."""
    games, new = drawn(cell)
    options = cell.options
    after = options["change_round"]
    records = []
    for i in range(len(games)):
        player = IntentPlayer(level=options["level"], change_round=after, lie=options["lie"], tells=options["tells"])
        change = NewTargets(round=after, target_rate=new[i])
        records.append(play(games[i], player, options["rounds"], new_targets=change, targets_seen="own"))
    power, rate = (np.stack([getattr(r, name) for r in records], axis=1) for name in ("power_w", "rate"))
    bits = np.array([[sent_bits(record, 0, after), sent_bits(record, after, None)] for record in records])
    return {**_row(games, new, power, rate, after), "bits_before": bits[:, 0], "bits": bits[:, 1]}


@returns(columns(**dict.fromkeys((*MEASURES, "course"), numbers)))
def full(cell: Cell) -> Row:
    """Return the same of a controller that knows all channels and targets: DPC, then the new certified optimum."""
    games, new = drawn(cell)
    after, rounds = cell.options["change_round"], cell.options["rounds"]
    changed = with_targets(games, new)
    best = np.broadcast_to(optimum(changed).power_w, (rounds - after, *new.shape))
    power = np.concatenate([np.asarray(dpc(games, after)), best])
    nothing = np.zeros(len(games))
    return {**_row(games, new, power, np.asarray(rates(games, power)), after), "bits_before": nothing, "bits": nothing}


def drawn(cell: Cell) -> tuple[Game, np.ndarray]:
    """Return the games of a cell, whose targets can be reached before and after, and the new targets (K, N)."""
    options = cell.options
    change = IntentChange(
        round=options["change_round"], pairs=options["changed"], scale=tuple(options["scale"]), feasible=True
    )
    generators = generators_of(cell.seed, options["draws"])
    return change.drawn(generators, lambda some: draw_games(options["pairs"], some, feasible=True))


def measures(target: np.ndarray, rate: np.ndarray, power_w: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return what counts after a change, (K,) each, of rounds (T, K, N) since.

    ``met_after``: the first round from which all rates stay within 5 % of the new targets (K, N), T + 1 where they do
    not at the end. ``gap``, bit/s/Hz, and ``power_w``, the total: means over the rounds. ``gap_others`` and
    ``power_others_w``: of the pairs ``kept`` (K, N), whose target did not change.
    """
    error = np.abs(rate - target)
    far = (error > NEAR * target).any(axis=-1)
    last = np.where(far.any(axis=0), len(far) - np.argmax(far[::-1], axis=0), 0)
    number = np.maximum(kept.sum(axis=-1), 1)
    return {
        "met_after": last + 1,
        "gap": error.mean(axis=(0, 2)),
        "gap_others": (error.mean(axis=0) * kept).sum(axis=-1) / number,
        "power_w": power_w.sum(axis=-1).mean(axis=0),
        "power_others_w": (power_w.mean(axis=0) * kept).sum(axis=-1),
    }


def sent_bits(record: Record, first: int, last: int | None) -> int:
    """Return the bits of all messages that were delivered in some of the rounds, 8 for a character."""
    return 8 * sum(len(m.text.encode()) for delivery in record.deliveries[first:last] for m in delivery.messages)


def _row(games: Game, new: np.ndarray, power: np.ndarray, rate: np.ndarray, after: int) -> Row:
    kept = new == games.target_rate
    found = measures(new, rate[after + 1 :], power[after + 1 :], kept)
    old = np.abs(rate[: after + 1] - games.target_rate).mean(axis=(1, 2))
    course = np.concatenate([old, np.abs(rate[after + 1 :] - new).mean(axis=(1, 2))])
    return {**found, "course": course}
