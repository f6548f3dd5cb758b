"""Many running episodes of several steps: their state, of which some rows are replaced, and who steps them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from secagent_env.gym_bases.arguments import reset_options
from secagent_env.gym_bases.seeded_vector import (
    SeededVectorEnv,
    check_shapes,
    reset_mask_of,
    same_step_infos,
    seeds_of,
)
from secagent_env.model.batched import Batched
from secagent_env.support.checks import integer


class Episodes:
    """A dataclass of the state of B running episodes, whose fields are arrays (B, …) or batches (B)."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def steps(self) -> np.ndarray:
        """How many steps each has had, (B,)."""
        raise NotImplementedError

    def __getitem__(self, rows: np.ndarray | slice) -> Self:
        """Return some of the episodes."""
        return dataclasses.replace(self, **{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def replaced(self, mask: np.ndarray, new: Self) -> Self:
        """Return a copy in which the episodes in ``mask`` (B,) are the new ones, in their order."""
        names = self.__dataclass_fields__
        fields = {name: _replaced(getattr(self, name), mask, getattr(new, name)) for name in names}
        return dataclasses.replace(self, **fields)


def _replaced(old: Any, mask: np.ndarray, new: Any) -> Any:
    """Return a copy of an array, or of a batch of arrays, whose rows in ``mask`` are the new ones."""
    if isinstance(old, Batched):
        arrays = {name: _replaced(getattr(old, name), mask, getattr(new, name)) for name in old._arrays}
        return old._trusted(**{**old._fields(), **arrays})
    copy = old.copy()
    copy[mask] = new
    return copy


_State = TypeVar("_State", bound=Episodes)


class RunningVectorEnv(SeededVectorEnv, Generic[_State]):
    """A vector environment of episodes of several steps.

    Environment i, seeded with s, plays the same episodes as the scalar one seeded with s, bit for bit, and every
    result is that of Gymnasium's ``SyncVectorEnv`` in its mode ``SAME_STEP``: where an episode ends, the observation
    is the first of the next one, and what belongs to the finished one is in ``infos["final_obs"]`` and
    ``infos["final_info"]``. Returned arrays belong to the caller.

    Parameters
    ----------
    num_envs
        How many environments.
    rules
        Has ``over(episodes)``, (B,) bool, and ``observe(episodes)``, new arrays (B, …).
    action_space
        Of one environment; that of the observations is the rules'.
    option
        The name of what a reset may be given to begin with.
    max_episode_steps
        Where episodes are truncated, as Gymnasium's ``TimeLimit`` does; None: nowhere.
    """

    _rules: Any
    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int,
        rules: Any,
        action_space: gymnasium.Space[Any],
        *,
        option: str,
        max_episode_steps: int | None,
    ) -> None:
        super().__init__(num_envs, action_space, rules.observation_space)
        self._rules, self._option = rules, option
        limit = max_episode_steps
        self._limit = np.inf if limit is None else integer("max_episode_steps", limit, 1)
        self._episodes: _State | None = None

    @property
    def _running(self) -> _State:
        if self._episodes is None:
            raise gymnasium.error.ResetNeeded("there are no episodes yet: call reset() first")
        return self._episodes

    def decode(self, actions: Any) -> Any:
        """Return what actions (num_envs, …) stand for."""
        raise NotImplementedError

    def _fitting(self, given: Any, mask: np.ndarray) -> Any:
        """Return the option of a reset for the environments in ``mask``, or raise ValueError."""
        return given

    def _new(self, rows: np.ndarray, given: Any) -> _State:
        """Return new episodes of the environments ``rows``, with the option of the reset, or None."""
        raise NotImplementedError

    def _next(self, episodes: _State, decoded: Any) -> tuple[_State, np.ndarray, dict[str, Any]]:
        """Return the episodes after a step, the rewards (num_envs,) in float64, and the info (num_envs)."""
        raise NotImplementedError

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes: in all environments, or in those of ``options["reset_mask"]``."""
        seeds = seeds_of(seed, self.num_envs)
        chosen = reset_options(options, self._option, "reset_mask")
        mask = reset_mask_of(chosen["reset_mask"], self.num_envs)
        if self._episodes is None and not mask.all():
            raise gymnasium.error.ResetNeeded("the first reset must be of all environments, without a reset_mask")
        given = chosen[self._option]
        if given is not None:
            given = self._fitting(given, mask)
        self._random.seed(seeds, mask)
        self._begin(mask, given)
        return self._rules.observe(self._running), {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Make a step in all environments; where an episode ends, the next one begins."""
        running = self._running
        check_shapes(self.action_space, actions)
        self._episodes, rewards, info = self._next(running, self.decode(actions))
        terminated = self._rules.over(self._episodes)
        truncated = self._episodes.steps >= self._limit
        done = terminated | truncated
        final = self._rules.observe(self._episodes[done]) if done.any() else None
        infos = same_step_infos(info, done, final)
        if done.any():
            self._begin(done, None)
        return self._rules.observe(self._episodes), rewards, terminated, truncated, infos

    def _begin(self, mask: np.ndarray, given: Any) -> None:
        """Begin episodes in the environments of ``mask``."""
        new = self._new(np.flatnonzero(mask), given)
        self._episodes = new if mask.all() else self._running.replaced(mask, new)
