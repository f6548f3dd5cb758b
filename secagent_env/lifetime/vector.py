"""``secagent/Lifetime-v0``, many at once: sampling, physics, batteries and observation in batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from secagent_env.gym_bases.arguments import takes_arguments_of
from secagent_env.gym_bases.instance_env import DecisionActions
from secagent_env.gym_bases.own_instances import with_instances
from secagent_env.gym_bases.running import RunningVectorEnv
from secagent_env.lifetime.env import MAX_EPISODE_STEPS
from secagent_env.lifetime.episodes import LifetimeEpisodes
from secagent_env.lifetime.rules import LifetimeRules
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario


@takes_arguments_of(LifetimeRules)
class LifetimeVectorEnv(DecisionActions, RunningVectorEnv[LifetimeEpisodes]):
    """``num_envs`` environments of :class:`~secagent_env.lifetime.env.LifetimeEnv` in one.

    Seeds, masks and infos are those of :class:`~secagent_env.gym_bases.seeded_vector.SeededVectorEnv`.

    ## Reset
    ``options["battery_j"]``: initial batteries, (N,) for all, or a row for each environment that is reset.

    ## Arguments
    num_envs
        How many environments.
    max_episode_steps
        Where episodes are truncated, as Gymnasium's ``TimeLimit`` does.
    autoreset_mode
        ``"SameStep"``, ``"NextStep"`` or ``"Disabled"``.
    scenario, action_format, observation_format, instances, order, csi_error, artificial_noise, battery_j, max_failures
        As in the scalar environment.

    ## Version history
    * v0: first version.
    """

    _rules: LifetimeRules
    _option = "battery_j"

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Scenario | str | Mapping[str, Any] | None = None,
        *,
        max_episode_steps: int = MAX_EPISODE_STEPS,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        **arguments: Any,
    ) -> None:
        rules = LifetimeRules(**with_instances(scenario, arguments))
        super().__init__(num_envs, rules, rules.actions.space, max_episode_steps, autoreset_mode)
        self.scenario, self.observation_format = rules.scenario, rules.observation_format
        self._streams: list[Any] = [None] * self.num_envs  # of the running episodes

    @property
    def instance(self) -> Instance:
        """The present tasks, a batch (num_envs,); under ``csi_error`` their estimates, with what is then known."""
        return self._rules.known(self._running.instance)

    @property
    def truth(self) -> Instance:
        """The present tasks as they are, a batch (num_envs,)."""
        return self._running.truth

    @property
    def battery_j(self) -> np.ndarray:
        """What the batteries hold now, (num_envs, N), J."""
        return self._running.battery_j.copy()

    @property
    def _instance(self) -> Instance | None:  # type: ignore[override]
        return None if self._episodes is None else self._episodes.instance

    def _fitting(self, given: Any, mask: np.ndarray) -> Any:
        return given

    def _new(self, rows: np.ndarray, given: Any) -> LifetimeEpisodes:
        generators = self.np_random
        for i in rows:
            (self._streams[i],) = generators[i].spawn(1)
        seeds, turns = self.np_random_seed, self._turns[rows].copy()
        self._turns[rows] += 1
        return self._rules.begin([self._streams[i] for i in rows], given, [seeds[i] for i in rows], turns)

    def _next(
        self, episodes: LifetimeEpisodes, decoded: Decision
    ) -> tuple[LifetimeEpisodes, np.ndarray, dict[str, Any]]:
        following, _, info = self._rules.step(episodes, decoded, self._streams)
        return following, info["served"].astype(np.float64), info
