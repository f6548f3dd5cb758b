"""The power control game of transmitter–receiver pairs that share one spectrum: the game and its physics.

Batched over leading dimensions, on any library of the Python array API. Dimension letters: N pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import array_api_compat
import numpy as np

from secagent_env.model.batched import Array, Batched, namespace
from secagent_env.support.checks import number

MAX_POWER_W = 10.0
"""P_max of the paper, W."""

_LN2 = math.log(2.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Game(Batched):
    """N pairs with fixed channels, each with a rate to reach; one game or a batch of them.

    Parameters
    ----------
    gain
        (…, N, N): power gain |h|² from transmitter i (row) to receiver j (column), ≥ 0 and > 0 on the diagonal.
    target_rate
        (…, N): the rate each pair is to reach, bit/s/Hz, > 0.
    initial_power_w
        (…, N): the transmit powers before the first round, W, in (0, P_max].
    max_power_w
        P_max of every transmitter, W.
    noise_w
        Noise power at every receiver, W; the paper's gains are relative to a noise of 1.

    Raises
    ------
    ValueError
        If an array has the wrong shape, holds a NaN or infinite number, or is out of range.
    """

    gain: Array
    target_rate: Array
    initial_power_w: Array
    max_power_w: float = MAX_POWER_W
    noise_w: float = 1.0

    _shared: ClassVar[tuple[str, ...]] = ("max_power_w", "noise_w")
    _measured: ClassVar[tuple[str, int]] = ("target_rate", 1)

    def __post_init__(self) -> None:
        for name in ("max_power_w", "noise_w"):
            object.__setattr__(self, name, number(name, getattr(self, name), above=0))
        n = np.shape(self.target_rate)[-1:]
        if not n or n[0] < 1:
            raise ValueError(f"target_rate must have shape (…, N) with N ≥ 1, got {tuple(np.shape(self.target_rate))}")
        xp = self._check_arrays({"gain": "NN", "target_rate": "N", "initial_power_w": "N"}, {"N": n[0]})
        if not (xp.all(self.gain >= 0) and xp.all(self.own_gain > 0)):
            raise ValueError("gain must be ≥ 0, and > 0 from each transmitter to its own receiver")
        if not xp.all(self.target_rate > 0):
            raise ValueError(f"target_rate must be > 0, got {float(xp.min(self.target_rate))}")
        if not xp.all((self.initial_power_w > 0) & (self.initial_power_w <= self.max_power_w)):
            raise ValueError(f"initial_power_w must be in (0, max_power_w = {self.max_power_w:g}]")

    @property
    def num_pairs(self) -> int:
        """N."""
        return int(self.target_rate.shape[-1])

    @cached_property
    def own_gain(self) -> Array:
        """|h_ii|², (…, N): from each transmitter to its own receiver."""
        return namespace(self.gain).linalg.diagonal(self.gain)

    @cached_property
    def cross_gain(self) -> Array:
        """The gains with a zero diagonal, (…, N, N): those of the interference."""
        xp = namespace(self.gain)
        n, where = self.num_pairs, array_api_compat.device(self.gain)
        return self.gain * (1 - xp.eye(n, dtype=self.gain.dtype, device=where))

    @cached_property
    def target_sinr(self) -> Array:
        """γ_i = 2^target − 1, (…, N)."""
        return namespace(self.target_rate).expm1(self.target_rate * _LN2)

    @classmethod
    def stack(cls, games: Sequence[Game]) -> Game:
        """Return a batch with a new leading dimension; the games share their shapes, P_max and noise."""
        kinds = {(g.batch_shape, g.num_pairs, g.max_power_w, g.noise_w) for g in games}
        if len(kinds) > 1:
            raise ValueError("Game.stack needs games of one batch shape, number of pairs, max_power_w and noise_w")
        return super().stack(games)


def sinr(game: Game, power_w: Array) -> Array:
    """Return SINR_i = |h_ii|² p_i / (σ² + Σ_{j≠i} |h_ji|² p_j), (…, N), at powers (…, N), W, not checked."""
    return game.own_gain * power_w / (game.noise_w + interference(game, power_w))


def rates(game: Game, power_w: Array) -> Array:
    """Return the rates log2(1 + SINR_i), (…, N), bit/s/Hz, at powers (…, N), W, not checked."""
    return namespace(power_w).log1p(sinr(game, power_w)) / _LN2


def interference(game: Game, power_w: Array) -> Array:
    """Return the interference at each receiver, Σ_{j≠i} |h_ji|² p_j, (…, N), W: a sum that leaves i out."""
    # Not a matrix product: NumPy adds rows in their order, to the same bits in a batch of any size.
    return namespace(power_w).sum(game.cross_gain * power_w[..., None], axis=-2)
