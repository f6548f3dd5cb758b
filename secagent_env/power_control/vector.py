"""``secagent/PowerControl-v0``, many at once: sampling, physics, reward and observation in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from secagent_env.allocation.rules import count_of, options_of
from secagent_env.gym_bases.seeded_vector import (
    SeededVectorEnv,
    SubGenerators,
    check_shapes,
    reset_mask_of,
    same_step_infos,
    seeds_of,
)
from secagent_env.power_control.game import MAX_POWER_W, Game, fitting
from secagent_env.power_control.match import ROUNDS
from secagent_env.power_control.metrics import Function, Metric
from secagent_env.power_control.rules import ControlRules, Plays


class PowerControlVectorEnv(SeededVectorEnv):
    """``num_envs`` environments of :class:`~secagent_env.power_control.env.PowerControlEnv` in one.

    Environment i, seeded with s, plays the same episodes as the scalar one seeded with s, bit for bit, and every
    result is that of Gymnasium's ``SyncVectorEnv`` in its mode ``SAME_STEP``: where an episode ends, the observation
    is the first of the next one, and what belongs to the finished one is in ``infos["final_obs"]`` and
    ``infos["final_info"]``. Returned arrays belong to the caller.

    ## Reset
    ``seed``: an integer s seeds environment i with s + i; or a list, where None leaves a generator as it is.
    ``options["reset_mask"]``: (num_envs,) bool, resets only these environments.
    ``options["game"]``: the games to play, a batch (num_envs,) or a single one for all; of a batch, those in the mask
    count.

    ## Arguments
    num_envs
        How many environments.
    num_pairs, rounds, metric, feasible, max_power_w
        As in the scalar environment; the metric is given batches.
    max_episode_steps
        Where episodes are truncated, as Gymnasium's ``TimeLimit`` does; None: nowhere.

    ## Version history
    * v0: first version.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        num_pairs: int = 4,
        rounds: int = ROUNDS,
        *,
        metric: str | Metric | Function = "rate_gap",
        feasible: bool | None = None,
        max_power_w: float = MAX_POWER_W,
        max_episode_steps: int | None = None,
    ) -> None:
        self.num_envs = count_of("num_envs", num_envs)
        self._rules = ControlRules(
            num_pairs=num_pairs, rounds=rounds, metric=metric, feasible=feasible, max_power_w=max_power_w
        )
        self._limit = None if max_episode_steps is None else count_of("max_episode_steps", max_episode_steps)
        self.single_action_space = self._rules.action_space
        self.single_observation_space = self._rules.observation_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._random = SubGenerators(self.num_envs)
        self._plays: Plays | None = None

    @property
    def _running(self) -> Plays:
        if self._plays is None:
            raise gymnasium.error.ResetNeeded("there are no games yet: call reset() first")
        return self._plays

    @property
    def game(self) -> Game:
        """A copy of the games being played, a batch (num_envs,)."""
        return self._running.game._map(np.copy)

    def decode(self, actions: Any) -> np.ndarray:
        """Return the powers (num_envs, N), W, that actions stand for."""
        return self._rules.decode(actions)

    def encode(self, power_w: Any) -> np.ndarray:
        """Return the actions that come nearest to powers (num_envs, N), W."""
        return self._rules.encode(power_w)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start episodes: in all environments, or in those of ``options["reset_mask"]``."""
        seeds = seeds_of(seed, self.num_envs)
        chosen = options_of(options, "game", "reset_mask")
        mask = reset_mask_of(chosen["reset_mask"], self.num_envs)
        if self._plays is None and not mask.all():
            raise gymnasium.error.ResetNeeded("the first reset must be of all environments, without a reset_mask")
        given = chosen["game"]
        if given is not None:
            given = fitting(given, (self.num_envs,), self._rules.num_pairs, self._rules.max_power_w)
            given = given[mask] if given.batch_shape else Game.stack([given] * int(mask.sum()))
        self._random.seed(seeds, mask)
        self._begin(mask, given)
        return self._rules.observe(self._running), {}

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Set the powers of a round; where an episode ends, one begins."""
        running = self._running
        check_shapes(self.action_space, actions)
        self._plays, rewards, info = self._rules.step(running, self.decode(actions))
        terminated = self._rules.over(self._plays)
        limit = self._limit
        truncated = np.zeros(self.num_envs, bool) if limit is None else self._plays.round >= limit
        done = terminated | truncated
        final = self._rules.observe(self._plays[done]) if done.any() else None
        infos = same_step_infos(info, done, final)
        if done.any():
            self._begin(done)
        return self._rules.observe(self._plays), rewards, terminated, truncated, infos

    def _begin(self, mask: np.ndarray, game: Game | None = None) -> None:
        """Begin episodes in the environments of ``mask``."""
        generators = self._random.generators
        plays = self._rules.begin([generators[i] for i in np.flatnonzero(mask)], game)
        self._plays = plays if mask.all() else self._running.replaced(mask, plays)
