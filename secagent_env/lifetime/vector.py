"""``secagent/Lifetime-v0``, many at once: sampling, physics, batteries and observation in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from secagent_env.lifetime.env import MAX_EPISODE_STEPS
from secagent_env.lifetime.rules import Episodes, LifetimeRules
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario


class LifetimeVectorEnv(SeededVectorEnv):
    """``num_envs`` environments of :class:`~secagent_env.lifetime.env.LifetimeEnv` in one.

    Environment i, seeded with s, plays the same episodes as the scalar one seeded with s, bit for bit, and every
    result is that of Gymnasium's ``SyncVectorEnv`` in its mode ``SAME_STEP``: where an episode ends, the observation
    is the first of the next one, and what belongs to the finished one is in ``infos["final_obs"]`` and
    ``infos["final_info"]``. Returned arrays belong to the caller.

    ## Reset
    ``seed``: an integer s seeds environment i with s + i; or a list, where None leaves a generator as it is.
    ``options["reset_mask"]``: (num_envs,) bool, resets only these environments.
    ``options["battery_j"]``: initial batteries, (N,) for all, or a row for each environment that is reset.

    ## Arguments
    num_envs
        How many environments.
    scenario, action_format, observation_format, battery_j, max_failures
        As in the scalar environment.
    max_episode_steps
        Where episodes are truncated, as Gymnasium's ``TimeLimit`` does.

    ## Version history
    * v0: first version.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Scenario | str | Mapping[str, Any] | None = None,
        *,
        action_format: str = "flat",
        observation_format: str = "flat",
        battery_j: tuple[float, float] | None = None,
        max_failures: int = 10,
        max_episode_steps: int = MAX_EPISODE_STEPS,
    ) -> None:
        self.num_envs = count_of("num_envs", num_envs)
        self._rules = LifetimeRules(
            scenario,
            action_format=action_format,
            observation_format=observation_format,
            battery_j=battery_j,
            max_failures=max_failures,
        )
        self._limit = count_of("max_episode_steps", max_episode_steps)
        self.scenario = self._rules.scenario
        self.observation_format = observation_format
        self.single_action_space = self._rules.action_format.space
        self.single_observation_space = self._rules.observation_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._random = SubGenerators(self.num_envs)
        self._streams: list[Any] = [None] * self.num_envs  # of the running episodes
        self._episodes: Episodes | None = None

    @property
    def _running(self) -> Episodes:
        if self._episodes is None:
            raise gymnasium.error.ResetNeeded("there are no episodes yet: call reset() first")
        return self._episodes

    @property
    def instance(self) -> Instance:
        """The present tasks, a batch (num_envs,)."""
        return self._running.instance

    @property
    def battery_j(self) -> np.ndarray:
        """What the batteries hold now, (num_envs, N), J."""
        return self._running.battery_j.copy()

    def decode(self, actions: Any) -> Decision:
        """Return the decisions that actions (num_envs, …) stand for."""
        return self._rules.action_format.decode(actions, None if self._episodes is None else self.instance)

    def encode(self, decision: Decision) -> Any:
        """Return the actions that stand for, or come nearest to, decisions (num_envs,)."""
        return self._rules.action_format.encode(decision, None if self._episodes is None else self.instance)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes: in all environments, or in those of ``options["reset_mask"]``."""
        chosen = options_of(options, "battery_j", "reset_mask")
        mask = reset_mask_of(chosen["reset_mask"], self.num_envs)
        if self._episodes is None and not mask.all():
            raise gymnasium.error.ResetNeeded("the first reset must be of all environments, without a reset_mask")
        self._random.seed(seeds_of(seed, self.num_envs), mask)
        self._begin(mask, chosen["battery_j"])
        return self._rules.observe(self._running), {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Serve the present tasks, or fail to, and go on to the next ones; where an episode ends, one begins."""
        running = self._running
        check_shapes(self.action_space, actions)
        self._episodes, _, info = self._rules.step(running, self.decode(actions), self._streams)
        rewards = info["served"].astype(np.float64)
        terminated = self._rules.over(self._episodes)
        truncated = self._episodes.served + self._episodes.unserved >= self._limit
        done = terminated | truncated
        final = self._rules.observe(self._episodes[done]) if done.any() else None
        infos = same_step_infos(info, done, final)
        if done.any():
            self._begin(done)
        return self._rules.observe(self._episodes), rewards, terminated, truncated, infos

    def _begin(self, mask: np.ndarray, battery_j: Any = None) -> None:
        """Begin episodes in the environments of ``mask``."""
        generators = self._random.generators
        for i in np.flatnonzero(mask):
            (self._streams[i],) = generators[i].spawn(1)
        episodes = self._rules.begin([self._streams[i] for i in np.flatnonzero(mask)], battery_j)
        self._episodes = episodes if mask.all() else self._running.replaced(mask, episodes)
