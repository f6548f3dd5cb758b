"""The base of vector environments: seeds, masks and infos as Gymnasium's ``SyncVectorEnv`` has them."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from secagent_env.gym_bases.arguments import reset_options
from secagent_env.support.checks import integer


class SeededVectorEnv(VectorEnv[Any, Any, np.ndarray]):
    """A vector environment with a generator per sub-environment; ``_option`` names what a reset may give.

    Environment i, seeded with s, plays the same episodes as the scalar one seeded with s, bit for bit, and every
    result is that of Gymnasium's ``SyncVectorEnv`` in its mode ``SAME_STEP``: where an episode ends, the observation
    is the first of the next one, and those of the finished one are in ``infos["final_obs"]`` and
    ``infos["final_info"]``. Returned arrays belong to the caller; the environment never writes to them again.

    ``reset`` takes a ``seed``, an integer s that seeds environment i with s + i, or a list, where None leaves a
    generator as it is, and ``options["reset_mask"]``, (num_envs,) bool: only these environments are reset.
    """

    _rules: Any
    _option: str
    _started = False

    def __init__(self, num_envs: int, action_space: gymnasium.Space[Any], observation_space: gymnasium.Space[Any]):
        self.num_envs = integer("num_envs", num_envs, 1)
        self.single_action_space, self.single_observation_space = action_space, observation_space
        self.action_space = batch_space(action_space, self.num_envs)
        self.observation_space = batch_space(observation_space, self.num_envs)
        self._generators: list[Any] = [None] * self.num_envs
        self._seeds: list[Any] = [None] * self.num_envs
        self._turns = np.zeros(self.num_envs, np.int64)  # of the user's own instances, since the last seed
        self._all_seeded = False

    def _fitting(self, given: Any, mask: np.ndarray) -> Any:
        """Return the option of a reset for the environments in ``mask``, or raise ValueError."""
        fitting = self._rules.fitting(given, (self.num_envs,), ())
        return fitting[mask] if fitting.batch_shape else fitting.stack([fitting] * int(mask.sum()))

    @abstractmethod
    def _start(self, mask: np.ndarray, given: Any) -> Any:
        """Start episodes in the environments of ``mask``, with the option or None, and return all observations."""

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes: in all environments, or in those of ``options["reset_mask"]``."""
        seeds = seeds_of(seed, self.num_envs)
        chosen = reset_options(options, self._option, "reset_mask")
        mask = reset_mask_of(chosen["reset_mask"], self.num_envs)
        if not self._started and not mask.all():
            raise gymnasium.error.ResetNeeded("the first reset must be of all environments, without a reset_mask")
        given = chosen[self._option]
        if given is not None:
            given = self._fitting(given, mask)
        for i in map(int, np.flatnonzero(mask)):
            if seeds[i] is not None:
                self._generators[i], self._seeds[i] = seeding.np_random(seeds[i])
                self._turns[i] = 0
        observation = self._start(mask, given)
        self._started = True
        return observation, {}

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment, seeded at random where there was no seed."""
        if not self._all_seeded:
            for i, generator in enumerate(self._generators):
                if generator is None:
                    self._generators[i], self._seeds[i] = seeding.np_random()
            self._all_seeded = True
        return tuple(self._generators)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment's generator."""
        return tuple(self._seeds[: len(self.np_random)])  # which seeds those that have none yet


def seeds_of(seed: Any, num_envs: int) -> list[int | None]:
    """Return the seed of each sub-environment: s, s + 1, … of an integer, the list itself, or None each."""
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, (int, np.integer)):
        return [int(seed) + i for i in range(num_envs)]
    seeds = list(seed)
    if len(seeds) != num_envs:
        raise ValueError(f"a list of seeds must have one per environment, {num_envs}, got {len(seeds)}")
    return [None if one is None else int(one) for one in seeds]


def reset_mask_of(mask: Any, num_envs: int) -> np.ndarray:
    """Return which sub-environments to reset, (num_envs,) bool; None is all. Validated as Gymnasium does."""
    if mask is None:
        return np.ones(num_envs, bool)
    if not isinstance(mask, np.ndarray):
        raise TypeError(f"options['reset_mask'] must be a NumPy array, got {type(mask).__name__}")
    if mask.shape != (num_envs,):
        raise ValueError(f"options['reset_mask'] must have shape ({num_envs},), got {mask.shape}")
    if mask.dtype != np.bool_:
        raise TypeError(f"options['reset_mask'] must be boolean, got {mask.dtype}")
    if not mask.any():
        raise ValueError("options['reset_mask'] must be True for at least one environment, got none")
    return mask.copy()


def check_shapes(space: gymnasium.Space[Any], actions: Any, name: str = "actions") -> None:
    """Raise ValueError if actions lack the shape of their batched space: one row per sub-environment."""
    if isinstance(space, gymnasium.spaces.Dict):
        if not isinstance(actions, Mapping) or set(actions) != set(space):
            got = f"the keys {sorted(actions)}" if isinstance(actions, Mapping) else type(actions).__name__
            raise ValueError(f"{name} must be a dict with the keys {sorted(space)}, got {got}")
        for key, part in space.items():
            check_shapes(part, actions[key], f"{name}[{key!r}]")
        return
    try:
        shape = np.shape(actions)
    except ValueError as error:
        raise ValueError(f"{name} must have shape {space.shape}, got rows of different lengths") from error
    if shape != space.shape:
        raise ValueError(f"{name} must have shape {space.shape}, one row per environment, got {shape}")


def masked(info: Mapping[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Return a copy of an info of arrays (num_envs, …), zero outside ``mask``, with the masks ``_key`` of Gymnasium."""
    result: dict[str, Any] = {}
    for name, value in info.items():
        if isinstance(value, Mapping):
            result[name] = masked(value, mask)
        else:
            result[name] = np.array(value)
            if not mask.all():
                result[name][~mask] = None if result[name].dtype == object else 0
        result[f"_{name}"] = mask.copy()
    return result


def same_step_infos(info: Mapping[str, Any], done: np.ndarray, final: Any) -> dict[str, Any]:
    """Return the infos of a step in the mode ``SAME_STEP``.

    ``info`` is that of all sub-environments before the next episodes begin, ``done`` (num_envs,) bool says where one
    ended, and ``final`` holds the last observations of these: a batch of as many or a dict of batches.
    """
    infos = {} if done.all() else masked(info, ~done)
    if not done.any():
        return infos
    rows = np.full(done.size, None, dtype=object)
    rows[done] = object_rows(rows_of(final), int(done.sum()))
    ended = {"final_obs": rows, "_final_obs": done.copy(), "final_info": masked(info, done), "_final_info": done.copy()}
    return infos | ended


def object_rows(rows: Iterable[Any], num_envs: int) -> np.ndarray:
    """Return an object array of the rows of a batch, one per sub-environment."""
    array = np.full(num_envs, None, dtype=object)
    for i, row in enumerate(rows):
        array[i] = row
    return array


def over_parts(function: Callable[..., Any], batch: Any, *others: Any) -> Any:
    """Return what a function makes of batches; of dicts of batches, a dict of what it makes of each part."""
    if not isinstance(batch, dict):
        return function(batch, *others)
    return {name: function(part, *(other[name] for other in others)) for name, part in batch.items()}


def rows_of(batch: Any) -> Iterable[Any]:
    """Return the rows of a batch, or of a dict of batches, one by one."""
    if not isinstance(batch, dict):
        return batch
    return (dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True))


class Recycler:
    """Makes arrays for a caller to keep, and uses their memory again once nothing refers to them or to a view.

    Memory fresh from the system costs several times what is written to it.
    """

    KEPT = 4
    """How many unused arrays of a shape are kept at most."""

    def __init__(self) -> None:
        self._unused: dict[Any, deque[np.ndarray]] = {}

    def empty_like(self, batch: Any) -> Any:
        """Return arrays as those of a batch, or of a dict of batches, not written yet."""
        if isinstance(batch, dict):
            return {name: self.empty_like(part) for name, part in batch.items()}
        unused = self._unused.setdefault((batch.shape, batch.dtype.str), deque(maxlen=self.KEPT))
        memory = unused.pop() if unused else np.empty_like(batch)
        # Every view of this array refers to it, not to the memory itself: it dies with the last of them.
        lent = np.asarray(memory.data)
        weakref.finalize(lent, unused.append, memory)
        return lent

    def copy_of(self, batch: Any) -> Any:
        """Return a copy of a batch, or of a dict of batches."""
        copy = self.empty_like(batch)
        over_parts(np.copyto, copy, batch)
        return copy
