"""``secagent/PowerControl-v0``, many at once: sampling, physics, reward and observation in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from secagent_env.gym_bases.arguments import takes_arguments_of
from secagent_env.gym_bases.running import RunningVectorEnv
from secagent_env.power_control.game import Game
from secagent_env.power_control.match import ROUNDS
from secagent_env.power_control.rules import PowerControlRules, RunningGames


@takes_arguments_of(PowerControlRules)
class PowerControlVectorEnv(RunningVectorEnv[RunningGames]):
    """``num_envs`` environments of :class:`~secagent_env.power_control.env.PowerControlEnv` in one.

    Seeds, masks and infos are those of :class:`~secagent_env.gym_bases.seeded_vector.SeededVectorEnv`.

    ## Reset
    ``options["game"]``: the games to play, a batch (num_envs,) or a single one for all; of a batch, those in the mask
    count. With ``intent_change`` the new targets are drawn.

    ## Arguments
    num_envs
        How many environments.
    max_episode_steps
        Where episodes are truncated, as Gymnasium's ``TimeLimit`` does; None: nowhere.
    autoreset_mode
        ``"SameStep"``, ``"NextStep"`` or ``"Disabled"``.
    num_pairs, rounds, metric, feasible, max_power_w, intent_change
        As in the scalar environment; the metric is given batches.

    ## Version history
    * v0: first version.
    """

    _rules: PowerControlRules
    _option = "game"

    def __init__(
        self,
        num_envs: int = 1,
        num_pairs: int = 4,
        rounds: int = ROUNDS,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        **arguments: Any,
    ) -> None:
        rules = PowerControlRules(num_pairs=num_pairs, rounds=rounds, **arguments)
        super().__init__(num_envs, rules, rules.action_space, max_episode_steps, autoreset_mode)

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

    def _new(self, rows: np.ndarray, given: Game | None) -> RunningGames:
        generators = self.np_random
        return self._rules.begin([generators[i] for i in rows], given)

    def _next(self, episodes: RunningGames, decoded: np.ndarray) -> tuple[RunningGames, np.ndarray, dict[str, Any]]:
        return self._rules.step(episodes, decoded)
