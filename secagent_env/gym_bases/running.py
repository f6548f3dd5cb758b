"""Many running episodes of several steps: their state, and the vector environment that steps them."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from secagent_env.gym_bases.seeded_vector import SeededVectorEnv, check_shapes, masked, same_step_infos
from secagent_env.model.batched import Batched
from secagent_env.support.checks import integer


class Episodes:
    """A dataclass of the state of B running episodes, whose fields are arrays (B, …), batches (B) or None."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    @abstractmethod
    def steps(self) -> np.ndarray:
        """How many steps each has had, (B,)."""

    def __getitem__(self, rows: np.ndarray | slice) -> Self:
        """Return some of the episodes."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return dataclasses.replace(self, **{name: None if a is None else a[rows] for name, a in fields.items()})

    def replaced(self, mask: np.ndarray, new: Self) -> Self:
        """Return a copy in which the episodes in ``mask`` (B,) are the new ones, in their order."""
        names = self.__dataclass_fields__
        fields = {name: _replaced(getattr(self, name), mask, getattr(new, name)) for name in names}
        return dataclasses.replace(self, **fields)


def _replaced(old: Any, mask: np.ndarray, new: Any) -> Any:
    """Return a copy of an array, or of a batch of arrays, whose rows in ``mask`` are the new ones; None of None."""
    if old is None:
        return None
    if isinstance(old, Batched):
        arrays = {name: _replaced(getattr(old, name), mask, getattr(new, name)) for name in old._arrays}
        return old._trusted(**{**old._fields(), **arrays})
    copy = old.copy()
    copy[mask] = new
    return copy


def first_info(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the info of the first episode: Python's own numbers, and arrays of its own."""
    first: dict[str, Any] = {}
    for name, value in info.items():
        if isinstance(value, Mapping):
            first[name] = first_info(value)
        else:
            first[name] = value[0].copy() if value.ndim > 1 else value[0].item()
    return first


_State = TypeVar("_State", bound=Episodes)


class RunningVectorEnv(SeededVectorEnv, Generic[_State]):
    """A vector environment of episodes of several steps.

    Its rules have ``over(episodes)``, (B,) bool, and ``observe(episodes)``, new arrays (B, …). Episodes are truncated
    after ``max_episode_steps``, as Gymnasium's ``TimeLimit`` does; None: nowhere.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int,
        rules: Any,
        action_space: gymnasium.Space[Any],
        max_episode_steps: int | None,
        autoreset_mode: AutoresetMode | str,
    ) -> None:
        super().__init__(num_envs, action_space, rules.observation_space, autoreset_mode)
        self._rules = rules
        self._limit = np.inf if max_episode_steps is None else integer("max_episode_steps", max_episode_steps, 1)
        self._episodes: _State | None = None

    @property
    def _running(self) -> _State:
        if self._episodes is None:
            raise gymnasium.error.ResetNeeded("there are no episodes yet: call reset() first")
        return self._episodes

    @abstractmethod
    def decode(self, actions: Any) -> Any:
        """Return what actions (num_envs, …) stand for."""

    @abstractmethod
    def _new(self, rows: np.ndarray, given: Any) -> _State:
        """Return new episodes of the environments ``rows``, with the option of the reset, or None."""

    @abstractmethod
    def _next(self, episodes: _State, decoded: Any) -> tuple[_State, np.ndarray, dict[str, Any]]:
        """Return the episodes after a step, the rewards (num_envs,) in float64, and the info (num_envs)."""

    def _step_and_start(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        running = self._running
        check_shapes(self.action_space, actions)
        self._episodes, rewards, info = self._next(running, self.decode(actions))
        terminated = self._rules.over(self._episodes)
        truncated = self._episodes.steps >= self._limit
        done = terminated | truncated
        final = self._rules.observe(self._episodes[done]) if done.any() else None
        infos = same_step_infos(info, done, final)
        observation = self._start(done, None) if done.any() else self._rules.observe(self._episodes)
        return observation, rewards, terminated, truncated, infos

    def _advance(
        self, actions: Any, mask: np.ndarray
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        running = self._running
        check_shapes(self.action_space, actions)
        following, rewards, info = self._next(running, self.decode(actions))
        self._episodes = following if mask.all() else running.replaced(mask, following[mask])
        terminated = mask & self._rules.over(self._episodes)
        truncated = mask & (self._episodes.steps >= self._limit)
        observation = self._rules.observe(self._episodes)
        return observation, np.where(mask, rewards, 0.0), terminated, truncated, masked(info, mask)

    def _start(self, mask: np.ndarray, given: Any) -> Any:
        new = self._new(np.flatnonzero(mask), given)
        self._episodes = new if mask.all() else self._running.replaced(mask, new)
        return self._rules.observe(self._episodes)
