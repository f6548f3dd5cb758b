"""The rules of ``secagent/PowerControl-v0``: actions, observations, reward and end, for one environment and for many.

Dimension letters: B running games, N pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from secagent_env.allocation.observations import BOUND
from secagent_env.allocation.rules import count_of
from secagent_env.power_control.game import Game, rates
from secagent_env.power_control.generator import check_feasible, check_max_power, draw_games
from secagent_env.power_control.metrics import Function, Metric, metric_of, rate_gap, total_power


@dataclass(frozen=True, eq=False, kw_only=True)
class Plays:
    """Games being played.

    Attributes
    ----------
    game
        Which (B).
    power_w, rate
        The present powers, W, and rates, bit/s/Hz, (B, N).
    round
        How many rounds have been played, (B,).
    """

    game: Game
    power_w: np.ndarray
    rate: np.ndarray
    round: np.ndarray

    def __getitem__(self, rows: np.ndarray | slice) -> Plays:
        """Return some of them."""
        return Plays(game=self.game[rows], power_w=self.power_w[rows], rate=self.rate[rows], round=self.round[rows])

    def replaced(self, mask: np.ndarray, new: Plays) -> Plays:
        """Return a copy in which those in ``mask`` (B,) are the new ones, in their order."""

        def put(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
            array = array.copy()
            array[mask] = rows
            return array

        fresh = iter([getattr(new.game, name) for name in Game._arrays])
        return Plays(
            game=self.game._map(lambda array: put(array, next(fresh))),
            power_w=put(self.power_w, new.power_w),
            rate=put(self.rate, new.rate),
            round=put(self.round, new.round),
        )


class ControlRules:
    """What the arguments of an environment say, validated; everything else is of B games at once.

    The arguments are those of :class:`~secagent_env.power_control.env.PowerControlEnv`.
    """

    def __init__(
        self,
        *,
        num_pairs: int,
        rounds: int,
        metric: str | Metric | Function,
        feasible: bool | None,
        max_power_w: float,
    ) -> None:
        self.num_pairs = n = count_of("num_pairs", num_pairs)
        self.rounds = count_of("rounds", rounds)
        self.metric = metric_of(metric)
        self.feasible = check_feasible(feasible)
        self.max_power_w = check_max_power(max_power_w)
        self.action_space = Box(-1.0, 1.0, (n,), np.float32)
        high = np.concatenate([np.ones(n), np.full(2 * n + n * n, BOUND), np.ones(1)]).astype(np.float32)
        self.observation_space = Box(np.zeros_like(high), high, dtype=np.float32)

    def begin(self, generators: Sequence[np.random.Generator], game: Game | None = None) -> Plays:
        """Return new games, one from each generator, or a given batch (B)."""
        if game is None:
            game = draw_games(self.num_pairs, generators, feasible=self.feasible, max_power_w=self.max_power_w)
        power = game.initial_power_w
        return Plays(game=game, power_w=power, rate=rates(game, power), round=np.zeros(len(power), np.int64))

    def step(self, plays: Plays, power_w: np.ndarray) -> tuple[Plays, np.ndarray, dict[str, np.ndarray]]:
        """Return the games after a round, the rewards (B,), and the info (B)."""
        game, rate = plays.game, rates(plays.game, power_w)
        info = {
            "power_w": power_w,
            "rate": rate,
            "total_power_w": total_power(game, power_w, rate),
            "rate_gap": rate_gap(game, power_w, rate),
        }
        reward = np.asarray(self.metric(game, power_w, rate), np.float64)
        return Plays(game=game, power_w=power_w, rate=rate, round=plays.round + 1), reward, info

    def over(self, plays: Plays) -> np.ndarray:
        """Return which games have ended, (B,) bool."""
        return plays.round >= self.rounds

    def observe(self, plays: Plays) -> np.ndarray:
        """Return the observations: new float32 arrays (B, N² + 3N + 1)."""
        game, size = plays.game, len(plays.round)
        parts = (
            plays.power_w / self.max_power_w,
            plays.rate,
            game.target_rate,
            np.log2(1 + game.gain).reshape(size, -1),
            (plays.round / self.rounds)[:, None],
        )
        return np.minimum(np.concatenate(parts, axis=-1), BOUND).astype(np.float32)

    def decode(self, action: Any) -> np.ndarray:
        """Return the powers (…, N), W, that an action (…, N) stands for: −1 is silence and 1 is P_max.

        Raises
        ------
        ValueError
            If it has another shape, or holds a NaN or infinite number.
        """
        try:
            array = np.asarray(action, np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"action must be an array of numbers (…, N={self.num_pairs}), got {action!r:.100}"
            ) from None
        if array.ndim < 1 or array.shape[-1] != self.num_pairs:
            raise ValueError(f"action must have shape (…, N={self.num_pairs}), got {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError("action must be finite, got a NaN or infinite number")
        return (np.clip(array, -1.0, 1.0) + 1) / 2 * self.max_power_w

    def encode(self, power_w: Any) -> np.ndarray:
        """Return the action (…, N), float32, that comes nearest to powers (…, N), W."""
        return np.clip(2 * np.asarray(power_w, np.float64) / self.max_power_w - 1, -1.0, 1.0).astype(np.float32)
