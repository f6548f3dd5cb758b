"""The numeric power control game for shared parameters: each pair is an environment of its own."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv

from secagent_env.power_control import Game, rates, sample_game
from secagent_env.power_control.match import MAX_RATE, ROUNDS, numeric_observation
from secagent_env.power_control.metrics import Function, Metric, metric_of

METRIC = "rate_gap_and_power"


def observations(game: Game, power_w: np.ndarray, played: float) -> np.ndarray:
    """Return the observations of every pair, (…, N, N + 3) float32, those of the numeric parallel environment.

    They show games (…) at powers (…, N), W, after the share ``played`` of the rounds.
    """
    share, rate = power_w / game.max_power_w, rates(game, power_w)
    each = (
        numeric_observation(i, share[..., i], rate[..., i], played, game.target_rate) for i in range(game.num_pairs)
    )
    return np.stack(list(each), axis=-2)


class PairsVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Pairs of many games at once, all in the same round: environment g N + i is pair i of game g.

    Actions are powers on the scale −1 (silent) to 1 (P_max); the metric is the reward of every pair of a game after
    each round. New games are drawn when all rounds have been played, ``feasible`` ones or others as by ``sample_game``.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_pairs: int,
        games: int,
        *,
        metric: str | Metric | Function = METRIC,
        feasible: bool | None = False,
    ) -> None:
        self.num_pairs, self.games, self.feasible = num_pairs, games, feasible
        self.metric = metric_of(metric)
        self.num_envs = games * num_pairs
        self.single_observation_space = Box(0.0, MAX_RATE, (num_pairs + 3,), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, self.num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, self.num_envs)
        self._seeds = np.random.default_rng()
        self._round = 0

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw new games; ``seed`` (an int) makes all draws from now on repeatable."""
        if isinstance(seed, int):
            self._seeds = np.random.default_rng(seed)
        return self._deal(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play a round."""
        power = (np.clip(actions, -1.0, 1.0).reshape(self.games, self.num_pairs) + 1.0) / 2.0 * self._game.max_power_w
        self._power_w, self._round = power.astype(float), self._round + 1
        value = self.metric(self._game, self._power_w, rates(self._game, self._power_w))
        reward = np.repeat(np.asarray(value, float), self.num_pairs)
        over = np.full(self.num_envs, self._round == ROUNDS)
        seen, info = self._seen(), {}
        if over[0]:
            final = np.empty(self.num_envs, object)
            final[:] = list(seen)
            info = {"final_obs": final, "_final_obs": over}
            seen = self._deal()
        return seen, reward, over, np.zeros(self.num_envs, bool), info

    def _deal(self) -> np.ndarray:
        seed = int(self._seeds.integers(2**32))
        self._game = sample_game(self.num_pairs, seed, (self.games,), feasible=self.feasible)
        self._power_w, self._round = self._game.initial_power_w, 0
        return self._seen()

    def _seen(self) -> np.ndarray:
        seen = observations(self._game, self._power_w, self._round / ROUNDS)
        return seen.reshape(self.num_envs, self.num_pairs + 3)
