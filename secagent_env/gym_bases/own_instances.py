"""Instances of the user's own that episodes are played on: a batch, a file, or a folder that is mapped into memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from secagent_env.model.instance import Instance
from secagent_env.model.prior import PRIOR
from secagent_env.model.scenario import Scenario
from secagent_env.support.checks import choice

ORDERS = ("random", "sequential")
COMPUTE = ("inference_time_s", "compute_power_w", "accuracy")
"""The fields of an instance that tell of the agents; the others tell of the links."""
HELD = tuple(name for name in Instance._arrays if name not in PRIOR)
"""The fields of many instances that are played on at once; a prior is among them where it counts."""


class InstanceSet:
    """A data set of instances, K in all, from which episodes take theirs.

    Parameters
    ----------
    instances
        A batch of instances, or the path of a file or folder that holds one.
    order
        ``"random"``: each episode draws from the set with its environment's generator. ``"sequential"``: an environment
        seeded with s begins with instance s modulo K and goes on one by one.

    Raises
    ------
    ValueError
        If there are no instances, or they are no batch.
    OSError
        If a file cannot be read.
    """

    def __init__(self, instances: Any, order: str = "random") -> None:
        self.order = choice("order", order, ORDERS)
        self._path = os.fspath(instances) if isinstance(instances, (str, Path)) else None
        loaded = instances if self._path is None else Instance.load(self._path)
        if not isinstance(loaded, Instance):
            raise ValueError(
                f"instances must be a batch of Instance or the path of one, got {type(instances).__name__}"
            )
        if not loaded.batch_shape or 0 in loaded.batch_shape:
            raise ValueError(f"instances must be a batch of at least one, got the batch shape {loaded.batch_shape}")
        if not isinstance(loaded.channel_bs, np.ndarray):
            loaded = loaded.to(np)
        dims = len(loaded.batch_shape)
        self._flat = loaded._map(lambda array: array.reshape(-1, *array.shape[dims:]))
        self.scenario = loaded.scenario
        self.times = loaded.batch_shape[-1]
        """How many tasks a trajectory has, where the last axis is time."""

    def __len__(self) -> int:
        return len(self._flat)

    def __reduce__(self) -> tuple[Any, ...]:
        """Hand over the path, not the content of what it leads to."""
        return (InstanceSet, (self._flat if self._path is None else self._path, self.order))

    @cached_property
    def lasting(self) -> tuple[str, ...]:
        """The fields that are the user's own, and not drawn for each instance: they hold where agents last too."""
        origin = self._flat.origin or {}
        return tuple(name for name in HELD if name not in COMPUTE or origin.get(name) != "drawn")

    def fitting(self, scenario: Scenario | str | Mapping[str, Any] | None) -> Scenario:
        """Return the scenario of the instances; ValueError where another one is wanted."""
        if scenario is not None and (wanted := Scenario.coerce(scenario).to_dict()) != self.scenario.to_dict():
            name, own = next((name, own) for name, own in self.scenario.to_dict().items() if own != wanted[name])
            raise ValueError(
                f"the instances have {name} = {own!r}, and the scenario {wanted[name]!r}: leave the scenario out, or "
                "change that of the instances with instances.replace(scenario=…)"
            )
        return self.scenario

    def indices(self, generators: Sequence[np.random.Generator], seeds: Sequence[int], turns: Any) -> np.ndarray:
        """Return which instance each environment plays (B,), at the ``turns``-th episode (B,) since it was seeded."""
        return self._drawn(len(self), generators, seeds, turns)

    def starts(self, generators: Sequence[np.random.Generator], seeds: Sequence[int], turns: Any) -> np.ndarray:
        """Return the instance that each trajectory begins with (B,).

        Of a batch (…, T) trajectories are drawn, and begin at their first task; of a batch (T,) the beginning is.
        """
        trajectories = len(self) // self.times
        if trajectories == 1:
            return self.indices(generators, seeds, turns)
        return self.times * self._drawn(trajectories, generators, seeds, turns)

    def following(self, moment: np.ndarray) -> np.ndarray:
        """Return the instances (B,) that come after others in time; after the last of a trajectory comes its first."""
        return moment - moment % self.times + (moment + 1) % self.times

    def take(self, indices: np.ndarray) -> Instance:
        """Return some of the instances as float64 arrays of their own, a batch (B,)."""
        return self._flat._map(lambda array: _double(array.take(indices, axis=0)))

    def one(self, index: int) -> Instance:
        """Return one of the instances, as float64 arrays of its own."""
        return self.take(np.array([index]))[0]

    @property
    def units(self) -> int:
        """The number of trajectories, where there are several, or of instances."""
        return len(self) if len(self) == self.times else len(self) // self.times

    def like(self) -> Instance:
        """Return no instance, but a batch (0,) that has the fields of these."""
        return self._flat[:0]

    def part(self, rows: slice) -> InstanceSet:
        """Return some of the :attr:`units`."""
        per = len(self) // self.units
        start, stop, _ = rows.indices(self.units)
        flat = self._flat[start * per : stop * per]
        shaped = flat if per == 1 else flat._map(lambda array: array.reshape(-1, per, *array.shape[1:]))
        return InstanceSet(shaped, self.order)

    def copy_to(self, target: Instance, indices: np.ndarray) -> None:
        """Write some of the instances to the arrays of a batch (B,); places that are not known are NaN."""
        for name in target._arrays:
            array, into = getattr(self._flat, name), getattr(target, name)
            if into is None:
                continue
            if array is None:
                into[...] = np.nan
            elif array.dtype == into.dtype:
                array.take(indices, axis=0, out=into, mode="clip")  # another mode writes to a copy first
            else:
                into[...] = array.take(indices, axis=0)

    def _drawn(self, count: int, generators: Sequence[np.random.Generator], seeds: Any, turns: Any) -> np.ndarray:
        if self.order == "random":
            return np.array([generator.integers(count) for generator in generators], np.int64)
        return np.array([(seed + int(turn)) % count for seed, turn in zip(seeds, turns, strict=True)], np.int64)


def with_instances(scenario: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of rules: with the scenario, which is that of ``instances`` where these are given."""
    instances, order = arguments.get("instances"), arguments.get("order", "random")
    if instances is None:
        if order != "random":
            raise ValueError("order needs instances of your own: without them each episode draws a new one")
        return {**arguments, "scenario": Scenario.coerce(scenario)}
    given = instances if isinstance(instances, InstanceSet) else InstanceSet(instances, order)
    return {**arguments, "instances": given, "scenario": given.fitting(scenario)}


def _double(array: np.ndarray) -> np.ndarray:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64, copy=False)
