"""Random games, drawn as in the paper, from seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from secagent_env.power_control.feasibility import is_feasible
from secagent_env.power_control.game import MAX_POWER_W, Game, rates
from secagent_env.sampling.generator import batch_shape_of
from secagent_env.sampling.seeds import generators_of
from secagent_env.support.checks import flag, integer, number

INITIAL_POWER_W = (1.0, 5.0)
TARGET_SCALE = (0.5, 1.5)
MEAN_GAIN = 4 / math.pi
"""E|h|² of a Rayleigh amplitude whose mean is 1."""

MOST_TRIES = 10_000


def sample_game(
    num_pairs: int = 4,
    seed: int | np.random.Generator = 0,
    batch: tuple[int, ...] | int = (),
    *,
    feasible: bool | None = None,
    max_power_w: float = MAX_POWER_W,
) -> Game:
    """Draw random games.

    Every amplitude |h_ij| is Rayleigh with mean 1, initial powers are uniform in [1, 5] W, and the target of pair i is
    μ_i log2(1 + SINR_i) at the initial powers, μ_i uniform in [0.5, 1.5].

    Parameters
    ----------
    num_pairs
        N, the number of transmitter–receiver pairs.
    seed
        A non-negative integer: game i of a batch (in C order) then depends on ``(seed, i)`` alone, and a single game
        equals game 0. Or a NumPy Generator, from which the games are drawn in turn.
    batch
        Leading dimensions, such as ``(256,)``.
    feasible
        True: only games all of whose targets can be reached within P_max, False: only others, on which DPC does not
        reach them; None: all. Games are drawn until they fit.
    max_power_w
        P_max, W, at least 5.

    Raises
    ------
    ValueError
        For a bad argument, or if no game fits in 10 000 tries.
    """
    shape = batch_shape_of(batch)
    generators = generators_of(seed, math.prod(shape))
    drawn = draw_games(num_pairs, generators, feasible=feasible, max_power_w=max_power_w)
    return drawn._map(lambda array: array.reshape(shape + array.shape[1:]))


def draw_games(
    num_pairs: int,
    generators: Sequence[np.random.Generator],
    *,
    feasible: bool | None = None,
    max_power_w: float = MAX_POWER_W,
) -> Game:
    """Draw a batch of games, one from each generator; the arguments are those of :func:`sample_game`."""
    n, limit = integer("num_pairs", num_pairs, 1), check_max_power(max_power_w)
    games = _draw(n, generators, limit)
    if feasible is None:
        return games
    misfits = np.flatnonzero(is_feasible(games) != flag("feasible", feasible))
    for _ in range(MOST_TRIES):
        if not misfits.size:
            return games._map(np.asarray)  # a new one: what this one has computed of its arrays may be outdated
        fresh = _draw(n, [generators[int(i)] for i in misfits], limit)
        for name in Game._arrays:
            getattr(games, name)[misfits] = getattr(fresh, name)
        misfits = misfits[is_feasible(fresh) != feasible]
    raise ValueError(f"no game of {n} pairs with feasible={feasible} in {MOST_TRIES} tries; try other arguments")


def check_max_power(max_power_w: float) -> float:
    """Return P_max, or raise ValueError where initial powers would be beyond it."""
    limit = number("max_power_w", max_power_w, above=0)
    if limit < INITIAL_POWER_W[1]:
        raise ValueError(
            f"max_power_w must be at least the highest initial power {INITIAL_POWER_W[1]:g} W, got {limit:g}"
        )
    return limit


def _draw(n: int, generators: Sequence[np.random.Generator], max_power_w: float) -> Game:
    """Draw a game from each generator, N² exponential numbers and then 2N uniform ones."""
    gain, unit = np.empty((len(generators), n, n)), np.empty((len(generators), 2, n))
    for generator, exponential, uniform in zip(generators, gain, unit, strict=True):
        generator.standard_exponential(out=exponential)
        generator.random(out=uniform)
    gain *= MEAN_GAIN
    power, scale = (low + (high - low) * unit[:, i] for i, (low, high) in enumerate((INITIAL_POWER_W, TARGET_SCALE)))
    game = Game._trusted(gain=gain, target_rate=scale, initial_power_w=power, max_power_w=max_power_w)
    return Game._trusted(**{**game._fields(), "target_rate": scale * rates(game, power)})
