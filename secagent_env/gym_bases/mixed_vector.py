"""A vector environment whose sub-environments differ: in turn one of each of several vector environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from secagent_env.gym_bases.arguments import reset_options
from secagent_env.gym_bases.seeded_vector import check_shapes, reset_mask_of, seeds_of
from secagent_env.gym_bases.spaces import action_array


def shares(total: int, parts: int) -> list[int]:
    """Return how many of ``total`` things, dealt out in turn, each of ``parts`` gets: they differ by 1 at most.

    Raises
    ------
    ValueError
        If there are fewer things than parts.
    """
    if total < parts:
        raise ValueError(f"a mixture of {parts} needs at least {parts} to deal out, got {total}")
    return [len(range(part, total, parts)) for part in range(parts)]


class MixedVectorEnv(VectorEnv[Any, Any, np.ndarray]):
    """Environment i is number i // K of part i mod K, of K vector environments with the same flat spaces.

    Seeds, masks and infos are those of :class:`~secagent_env.gym_bases.seeded_vector.SeededVectorEnv`: seeded with s,
    environment i plays the episodes of its scalar one seeded with s + i.

    Parameters
    ----------
    parts
        In the mode ``SAME_STEP``, as large as :func:`shares` says.

    Raises
    ------
    ValueError
        If their spaces differ, or their sizes are not those of taking turns.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, parts: Sequence[VectorEnv[Any, Any, Any]]) -> None:
        self._parts = tuple(parts)
        first, sizes = self._parts[0], [part.num_envs for part in self._parts]
        self.num_envs = sum(sizes)
        if sizes != shares(self.num_envs, len(sizes)):
            raise ValueError(
                f"vector environments that take turns have equal sizes, the first ones 1 more, got {sizes}"
            )
        for kind in ("single_observation_space", "single_action_space"):
            spaces = [getattr(part, kind) for part in self._parts]
            if any(space != spaces[0] for space in spaces) or not isinstance(spaces[0], gymnasium.spaces.Box):
                raise ValueError(f"mixed environments need one flat {kind}, got {', '.join(map(str, spaces))}")
        self.single_observation_space, self.single_action_space = (
            first.single_observation_space,
            first.single_action_space,
        )
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._rows = [slice(k, None, len(sizes)) for k in range(len(sizes))]
        self._observation: np.ndarray | None = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start episodes: in all environments, or in those of ``options["reset_mask"]``."""
        seeds = seeds_of(seed, self.num_envs)
        mask = reset_mask_of(reset_options(options, "reset_mask")["reset_mask"], self.num_envs)
        if self._observation is None:
            if not mask.all():
                raise gymnasium.error.ResetNeeded("the first reset must be of all environments, without a reset_mask")
            self._observation = np.empty(self.observation_space.shape or (), self.observation_space.dtype)
        for part, rows in zip(self._parts, self._rows, strict=True):
            if mask[rows].any():
                chosen = {"reset_mask": mask[rows].copy()}
                self._observation[rows] = part.reset(seed=seeds[rows], options=chosen)[0]  # type: ignore[arg-type]
        return self._observation.copy(), {}

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Make a step in all environments; where an episode ends, the next one begins."""
        check_shapes(self.action_space, actions)
        actions = action_array("actions", actions, actions.shape[-1])  # else a part might step before another refuses
        results = [part.step(actions[rows]) for part, rows in zip(self._parts, self._rows, strict=True)]
        *columns, infos = zip(*results, strict=True)
        observation, rewards, terminated, truncated = (self._woven(column) for column in columns)
        self._observation = observation
        return observation.copy(), rewards, terminated, truncated, self._woven_infos(infos)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the parts."""
        for part in self._parts:
            part.close(**kwargs)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment."""
        return tuple(self._woven([_objects(part.np_random) for part in self._parts]))

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment's generator."""
        return tuple(self._woven([_objects(part.np_random_seed) for part in self._parts]))

    def _woven(self, arrays: Sequence[np.ndarray | None]) -> np.ndarray:
        """Return the rows of arrays, one of each part in turn; zero, False or None where a part has no array."""
        like = next(array for array in arrays if array is not None)
        nothing = None if like.dtype == object else 0
        woven = np.full((self.num_envs, *like.shape[1:]), nothing, like.dtype)
        for array, rows in zip(arrays, self._rows, strict=True):
            if array is not None:
                woven[rows] = array
        return woven

    def _woven_infos(self, infos: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the entries that some part has; their masks say which environments have them."""
        woven: dict[str, Any] = {}
        for name in dict.fromkeys(name for info in infos for name in info):
            values = [info.get(name) for info in infos]
            if any(isinstance(value, Mapping) for value in values):
                woven[name] = self._woven_infos([value or {} for value in values])
            else:
                woven[name] = self._woven(values)
        return woven


def _objects(values: Any) -> np.ndarray:
    """Return an array (n,) of n objects."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
