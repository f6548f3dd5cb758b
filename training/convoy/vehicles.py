"""The crossing for shared parameters: each vehicle is an environment of its own."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv

from secagent_env.convoy import LEVELS, Actions, CrossingRules, Crossings, draw, observations, view_of
from secagent_env.convoy.messages import INTENT, NOTHING
from secagent_env.convoy.motion import BRAKE_M_S2, THROTTLE_M_S2
from secagent_env.convoy.rules import END_M
from secagent_env.convoy.views import observation_size
from secagent_env.support.errors import check_name


def action_size(level: str) -> int:
    """Return how many numbers an action has: the acceleration, whether to send, and what an intent says."""
    return {NOTHING: 1, INTENT: 3}.get(LEVELS.index(check_name("level", level, LEVELS)), 2)


def seen_in(crossings: Crossings) -> np.ndarray:
    """Return what the vehicles decide by, (B, V, D + V) float32.

    These are :func:`secagent_env.convoy.views.observations`, and a 1 for the own arm among zeros: without it vehicles
    that meet in the same way could only do the same.
    """
    batch, vehicles = crossings.place.shape
    own = np.broadcast_to(np.eye(vehicles, dtype=np.float32), (batch, vehicles, vehicles))
    return np.concatenate([observations(view_of(crossings)), own], axis=-1)


def actions_of(numbers: np.ndarray, level: str, rules: CrossingRules) -> Actions:
    """Return what vehicles do, from numbers (B, V, A) in [−1, 1]; what is beyond is clipped.

    The first number is the acceleration: −1 is −6 m/s², 0 is 0, and 1 is 3 m/s². A vehicle sends at the ``level``, at
    full power, where the second is above 0, and its intent is "I go first" where the third is above 0, else "I yield".
    """
    share = np.clip(np.asarray(numbers, float), -1.0, 1.0)
    first, shape = share[..., 0], share.shape[:-1]
    never = np.zeros(shape, bool)
    sends = share[..., 1] > 0 if level != "nothing" else never
    return Actions(
        acceleration=np.where(first > 0, THROTTLE_M_S2, BRAKE_M_S2) * first,
        send=np.where(sends, LEVELS.index(level), NOTHING),
        power_w=np.where(sends, rules.max_power_w, 0.0),
        go=(share[..., 2] > 0 if level == "intent" else never).astype(int),
    )


class VehiclesVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Vehicles of many crossings at once: environment b V + i is vehicle i of crossing b.

    Observations are those of :func:`seen_in`, actions those of :func:`actions_of`. The reward of a crossing is that of
    all its vehicles. A crossing that has ended, by the clock too, is replaced by a new one in the same step; for
    vehicles that have crossed before, it goes on without effect.

    Parameters
    ----------
    level
        Of messages, one of :data:`secagent_env.convoy.messages.LEVELS`.
    crossings
        How many there are at once.
    rules
        Of the crossings; None: the usual ones.
    bonus_per_m
        What the reward adds for a metre of way, the mean over the vehicles, s: whoever has crossed has got the same in
        all, and who stands gets nothing. The environment's reward has no such part.

    Raises
    ------
    ValueError
        If the level is unknown, or if radio agents are independent or there is a roadside unit.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self, level: str, crossings: int, rules: CrossingRules | None = None, *, bonus_per_m: float = 0.0
    ) -> None:
        self.rules = rules = rules or CrossingRules()
        if rules.organisation == "independent" or rules.roadside:
            raise ValueError("a shared policy drives and sends: set organisation='converged' and roadside=False")
        self.level, self.batch, self.num_envs = level, crossings, crossings * rules.num_vehicles
        size = observation_size(rules.num_vehicles) + rules.num_vehicles
        self.single_observation_space = Box(-1.0, 1.0, (size,), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (action_size(level),), np.float32)
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, self.num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, self.num_envs)
        self.bonus_per_m = bonus_per_m
        self._random = np.random.default_rng()

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin new crossings; ``seed`` (an int) makes all draws from now on repeatable."""
        if isinstance(seed, int):
            self._random = np.random.default_rng(seed)
        self.crossings = Crossings(self.rules, draw(self.rules, self._random, self.batch), self._random)
        return self._seen(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Let every vehicle act once."""
        vehicles = self.rules.num_vehicles
        numbers = np.asarray(actions).reshape(self.batch, vehicles, -1)
        before = np.minimum(self.crossings.place, END_M)
        reward = self.crossings.step(actions_of(numbers, self.level, self.rules))
        way = np.minimum(self.crossings.place, END_M) - before
        reward = reward + self.bonus_per_m * way.mean(-1)
        seen, info, ended = self._seen(), {}, ~self.crossings.active
        over = np.repeat(ended, vehicles)
        if ended.any():
            final = np.empty(self.num_envs, object)
            final[:] = list(seen)
            info = {"final_obs": final, "_final_obs": over}
            self.crossings.renew(ended, draw(self.rules, self._random, int(ended.sum())))
            seen = self._seen()
        return seen, np.repeat(reward, vehicles), over, np.zeros(self.num_envs, bool), info

    def _seen(self) -> np.ndarray:
        return seen_in(self.crossings).reshape(self.num_envs, -1)
