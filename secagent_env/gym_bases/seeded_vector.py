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
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from secagent_env.gym_bases.arguments import reset_options
from secagent_env.model.batched import Batched
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name


class SeededVectorEnv(VectorEnv[Any, Any, np.ndarray]):
    """A vector environment with a generator per sub-environment; ``_option`` names what a reset may give.

    Environment i, seeded with s, plays the same episodes as the scalar one seeded with s, bit for bit, and every
    result is that of Gymnasium's ``SyncVectorEnv`` in the same ``autoreset_mode``, an ``AutoresetMode`` or its value:

    - ``"SameStep"``, the default: where an episode ends, the observation is the first of the next one, and those of the
      finished one are in ``infos["final_obs"]`` and ``infos["final_info"]``;
    - ``"NextStep"``: the next step starts the next episode there, whatever the action, with the reward 0;
    - ``"Disabled"``: before the next step, a reset with a ``reset_mask`` has to start it.

    Returned arrays belong to the caller; the environment never writes to them again.

    ``reset`` takes a ``seed``, an integer s that seeds environment i with s + i, or a list, where None leaves a
    generator as it is, and ``options["reset_mask"]``, (num_envs,) bool: only these environments are reset.
    """

    _rules: Any
    _option: str
    _started = False

    def __init__(
        self,
        num_envs: int,
        action_space: gymnasium.Space[Any],
        observation_space: gymnasium.Space[Any],
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        self.num_envs = integer("num_envs", num_envs, 1)
        self.autoreset_mode = _mode_of(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self._ended = np.zeros(self.num_envs, bool)  # and the next episode has not begun
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
        unseeded = np.array([one is None for one in seeds])
        following = mask & self._ended & unseeded & (given is None)  # as after a step that ends an episode
        started = mask & ~following
        if started.any():
            observation = self._start(started, given)
        if following.any():
            observation = self._restart(following)
        self._started = True
        self._ended[mask] = False
        return observation, {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Make a step in all environments; the ``autoreset_mode`` says what happens where an episode ends."""
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            return self._step_and_start(actions)
        ended = self._ended
        if self.autoreset_mode is AutoresetMode.DISABLED and ended.any():
            raise gymnasium.error.ResetNeeded(
                f"the episodes of the environments {', '.join(map(str, np.flatnonzero(ended)))} are over: "
                "reset them with options={'reset_mask': …} before the next step"
            )
        if ended.all():
            self._ended = np.zeros(self.num_envs, bool)
            return self._restart(ended), np.zeros(self.num_envs), self._ended.copy(), self._ended.copy(), {}
        observation, rewards, terminated, truncated, infos = self._advance(actions, ~ended)
        if ended.any():
            observation = self._restart(ended)
        self._ended = terminated | truncated
        return observation, rewards, terminated, truncated, infos

    @abstractmethod
    def _step_and_start(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Make a step, and start the next episodes where one ends."""

    @abstractmethod
    def _advance(
        self, actions: Any, mask: np.ndarray
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Make a step in the environments of ``mask`` alone, at least one: zeros, False and no infos elsewhere.

        No episode is started.
        """

    def _restart(self, mask: np.ndarray) -> Any:
        """Start the next episodes in the environments of ``mask``, and return all observations."""
        return self._start(mask, None)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return what a method returns for each environment, or an attribute of each, as ``SyncVectorEnv`` does.

        The method is that of the vector environment, called once: its arguments are batches, and so is its result.
        """
        value = getattr(self, name)
        return self._of_each(value(*args, **kwargs) if callable(value) else value)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each environment: the rows of a batch, or what all of them share."""
        return self._of_each(getattr(self, name))

    def set_attr(self, name: str, values: Any) -> None:
        """Raise AttributeError: there are no environments apart, whose attributes could differ."""
        raise AttributeError(
            f"{name} cannot be set: the environments of {type(self).__name__} are one, made with the same arguments; "
            "make it with others, or use vectorization_mode='sync'"
        )

    def _of_each(self, value: Any) -> tuple[Any, ...]:
        rows = value.batch_shape[:1] if isinstance(value, Batched) else (len(value),) if _is_batch(value) else ()
        if rows == (self.num_envs,):
            return tuple(value[i] for i in range(self.num_envs))
        return (value,) * self.num_envs

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


def _is_batch(value: Any) -> bool:
    return isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _mode_of(mode: Any) -> AutoresetMode:
    if isinstance(mode, AutoresetMode):
        return mode
    return AutoresetMode(check_name("autoreset_mode", mode, [each.value for each in AutoresetMode]))


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
