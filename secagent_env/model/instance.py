"""Instance: one network and task, or a batch of them, with validation and save/load."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from secagent_env.model.array_folder import write_folder
from secagent_env.model.batched import Array, Batched, namespace, require_shape
from secagent_env.model.instance_files import header_of, map_folder, read_file, reading, write_file
from secagent_env.model.prior import PRIOR, PRIOR_COMPLEX, check_prior
from secagent_env.model.scenario import Scenario

DIMENSIONS = {
    "channel_bs": "NL",
    "channel_eve": "EL",
    "gain_agents": "NN",
    "gain_eve": "NE",
    "inference_time_s": "N",
    "compute_power_w": "N",
    "accuracy": "N",
    "position_m": "N2",
    "eve_position_m": "E2",
    **PRIOR,
}
"""The last dimensions of each array, as letters: N agents, L antennas, E eavesdroppers, 2 coordinates."""
_PLACES = ("position_m", "eve_position_m")
_OPTIONAL = (*_PLACES, *PRIOR)
_COMPLEX = ("channel_bs", "channel_eve", *PRIOR_COMPLEX)

ORIGINS = ("given", "derived", "drawn")
"""Where a field of :meth:`Instance.from_channels` comes from: the caller; the positions given, with the path loss and
fading of the scenario; the scenario alone."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Instance(Batched):
    """One network and task, or a batch of them; ``instance[i]`` takes one out of a batch.

    Parameters
    ----------
    scenario
        The parameters, which set N, L and E.
    channel_bs
        h_BS,n, (…, N, L) complex amplitude gains between base station and agents.
    channel_eve
        h_BS,eve, (…, E, L) complex amplitude gains from the base station to the eavesdroppers.
    gain_agents
        |h_n',n|², (…, N, N) power gains from agent n' (row) to agent n (column).
    gain_eve
        |h_n,eve|², (…, N, E) power gains from the agents to the eavesdroppers.
    inference_time_s, compute_power_w, accuracy
        t_n of (16) in s, p_n^exe in W and Acc_n of (14) in [0, 1], each (…, N).
    position_m, eve_position_m
        (…, N, 2) and (…, E, 2), m, with the base station at (0, 0); may be None. They are for pictures, and for the
        means of estimated channels (:mod:`secagent_env.sampling.estimation`).
    prior_bs_mean, prior_bs_covariance
        μ (…, E, L) and C (…, E, L, L), complex: h_BS,eve is CN(μ, C) as far as the supervisor knows beforehand. A mean
        that is None is 0; without a covariance it is the path loss at the places that tells.
    prior_agents_mean, prior_agents_variance
        The same of the links from the agents to the eavesdroppers, amplitude gains: (…, N, E) complex and real.
    origin
        Where each field comes from, one of :data:`ORIGINS` by name, of an instance that :meth:`from_channels` made.

    Raises
    ------
    ValueError
        If an array has the wrong shape, holds a NaN or infinite number, or is out of range.
    """

    scenario: Scenario
    channel_bs: Array
    channel_eve: Array
    gain_agents: Array
    gain_eve: Array
    inference_time_s: Array
    compute_power_w: Array
    accuracy: Array
    position_m: Array | None = None
    eve_position_m: Array | None = None
    prior_bs_mean: Array | None = None
    prior_bs_covariance: Array | None = None
    prior_agents_mean: Array | None = None
    prior_agents_variance: Array | None = None
    origin: Mapping[str, str] | None = None

    _shared: ClassVar[tuple[str, ...]] = ("scenario", "origin")
    _measured: ClassVar[tuple[str, int]] = ("channel_bs", 2)

    def __post_init__(self) -> None:
        if not isinstance(self.scenario, Scenario):
            raise ValueError(f"scenario must be a Scenario, got {type(self.scenario).__name__}")
        for name in self._arrays:
            if getattr(self, name) is None and name not in _OPTIONAL:
                raise ValueError(f"{name} must be an array, got None")
        xp = self._check_arrays(DIMENSIONS, sizes_of(self.scenario), _COMPLEX)
        for name in self._arrays:
            array = getattr(self, name)
            if name not in (*_COMPLEX, *_OPTIONAL) and not xp.all(array >= 0):
                raise ValueError(f"{name} must be ≥ 0, got {float(xp.min(array))}")
        if not xp.all(self.accuracy <= 1):
            raise ValueError(f"accuracy must be ≤ 1, got {float(xp.max(self.accuracy))}")
        check_prior({name: getattr(self, name) for name in PRIOR})
        if self.origin is not None:
            object.__setattr__(self, "origin", _checked_origin(self.origin))

    @classmethod
    def from_channels(
        cls,
        channel_bs: Array,
        channel_eve: Array,
        scenario: Scenario | str | Mapping[str, Any] | None = "paper",
        gain_eve: Array | None = None,
        gain_agents: Array | None = None,
        position_m: Array | None = None,
        eve_position_m: Array | None = None,
        *,
        inference_time_s: Array | None = None,
        compute_power_w: Array | None = None,
        accuracy: Array | None = None,
        prior_bs_mean: Array | None = None,
        prior_bs_covariance: Array | None = None,
        prior_agents_mean: Array | None = None,
        prior_agents_variance: Array | None = None,
        complete: str | None = None,
        seed: Any = 0,
    ) -> Instance:
        """Return an instance of channels of your own, or a batch of them; what you do not have is made.

        Inference times, powers and accuracies that are missing are drawn from the scenario: those of instance i are
        those of ``sample_instance(scenario, seed, batch)[i]``. Gains that are missing are derived from the positions:
        the path loss and fading of the scenario, from ``seed`` and i. :attr:`origin` tells which field is which.

        Parameters
        ----------
        channel_bs, channel_eve
            (…, N, L) and (…, E, L) complex amplitude gains h, of which |hᴴw|² counts: where your model is y = H w, give
            conj(H). Their dimensions are those of the scenario.
        scenario
            A :class:`Scenario`, the name of a preset, or a dict of fields.
        gain_eve, gain_agents
            (…, N, E) and (…, N, N) power gains |h|², linear.
        position_m, eve_position_m
            (…, N, 2) and (…, E, 2), m, from the base station at (0, 0).
        inference_time_s, compute_power_w, accuracy
            t_n in s, p_n^exe in W and Acc_n in [0, 1], each (…, N).
        prior_bs_mean, prior_bs_covariance, prior_agents_mean, prior_agents_variance
            What is known of the eavesdroppers beforehand, as in an Instance; it is never made. Where your model is
            y = H w, give conj(μ) and conj(C).
        complete
            ``"scenario"``: places that are missing are drawn from the scenario, to derive gains from. They decide who
            can send in secret and are no part of the instance. None: they are missed.
        seed
            A non-negative integer, or a NumPy Generator.

        All but the channels may lack the leading dimensions of ``channel_bs``: they then hold for all instances.

        Raises
        ------
        ValueError
            If an array does not fit the scenario, holds what it cannot hold, or is missed.
        """
        made: Instance = pkgutil.resolve_name("secagent_env.channels.completion:completed")(
            {
                "channel_bs": channel_bs,
                "channel_eve": channel_eve,
                "gain_agents": gain_agents,
                "gain_eve": gain_eve,
                "inference_time_s": inference_time_s,
                "compute_power_w": compute_power_w,
                "accuracy": accuracy,
                "position_m": position_m,
                "eve_position_m": eve_position_m,
                "prior_bs_mean": prior_bs_mean,
                "prior_bs_covariance": prior_bs_covariance,
                "prior_agents_mean": prior_agents_mean,
                "prior_agents_variance": prior_agents_variance,
            },
            Scenario.coerce(scenario),
            complete=complete,
            seed=seed,
        )
        return made

    @cached_property
    def bs_gain(self) -> Array:
        """g_n = ‖h_BS,n‖², (…, N), the power gain of (9)."""
        return squared_norm(self.channel_bs)

    @cached_property
    def execution_energy_j(self) -> Array:
        """p_n^exe t_n, (…, N): what each agent would spend on computing (19), J."""
        return self.compute_power_w * self.inference_time_s

    @classmethod
    def stack(cls, instances: Sequence[Instance]) -> Instance:
        """Return a batch with a new leading dimension; the instances share one scenario."""
        for i, instance in enumerate(instances):
            if instance.scenario != instances[0].scenario:
                raise ValueError(f"Instance.stack needs instances of one scenario, number {i} has another")
            if instance.batch_shape != instances[0].batch_shape:
                raise ValueError(
                    f"Instance.stack needs instances of one batch shape, "
                    f"number {i} has {instance.batch_shape}, the first {instances[0].batch_shape}"
                )
        return super().stack(instances)

    def save(self, path: str | Path) -> None:
        """Write the instance to a versioned ``.npz`` file, whole or not at all.

        NumPy's arrays only: convert others with ``.to(numpy)`` first.
        """
        write_file(path, *self._stored())

    @staticmethod
    def save_folder(path: str | Path, parts: Iterable[Instance]) -> None:
        """Write batches (B_1, …), (B_2, …), … as one (ΣB, …) to a new folder of ``.npy`` files, which ``load`` maps.

        Parts are written one by one, and need not be in memory together.
        """
        write_folder(path, (part._stored() for part in parts))

    def _stored(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        arrays = {name: np.asarray(a) for name in self._arrays if (a := getattr(self, name)) is not None}
        return header_of(self.scenario, arrays, self.origin), arrays

    @classmethod
    def load(cls, path: str | Path) -> Instance:
        """Read what :meth:`save` or :meth:`save_folder` wrote; data only, nothing in the file is executed.

        The arrays of a folder are mapped into memory: what is not used is not read, and its digest is not verified.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is damaged, not an instance, or of a later version.
        """
        with reading(path):
            folder = os.path.isdir(path)
            scenario, arrays, origin = (map_folder if folder else read_file)(path, _shapes)
            missing = set(DIMENSIONS) - set(_OPTIONAL) - set(arrays)
            if missing:
                raise ValueError(f"the array {min(missing)} is missing")
            if not folder:
                return cls(scenario=scenario, **arrays, origin=origin)
            return cls._mapped(scenario, arrays, origin)

    @classmethod
    def _mapped(cls, scenario: Scenario, arrays: Mapping[str, np.ndarray], origin: Any) -> Instance:
        """Return the instances of a folder, whose numbers were checked when they were written."""
        fields = cls._trusted(scenario=scenario, **arrays)
        for name, shape in _shapes(scenario).items():
            if name in arrays:
                batch = require_shape(name, arrays[name], shape, DIMENSIONS[name])
                if batch != fields.batch_shape:
                    raise ValueError(f"{name} must have the batch dimensions {fields.batch_shape}, got {batch}")
                if arrays[name].dtype.kind != ("c" if name in _COMPLEX else "f"):
                    raise ValueError(f"{name} holds {arrays[name].dtype}")
        return fields if origin is None else cls._trusted(**fields._fields(), origin=_checked_origin(origin))


def squared_norm(channel: Array) -> Array:
    """Return the squared length ‖h‖² (…) of complex vectors (…, L)."""
    xp = namespace(channel)
    return xp.real(xp.vecdot(channel, channel))


def sizes_of(scenario: Scenario) -> dict[str, int]:
    """Return the sizes that the letters of the dimensions stand for."""
    return {"N": scenario.num_agents, "L": scenario.num_antennas, "E": scenario.num_eavesdroppers, "2": 2}


def _shapes(scenario: Scenario) -> dict[str, tuple[int, ...]]:
    """Return the last dimensions of the arrays by name."""
    sizes = sizes_of(scenario)
    return {name: tuple(sizes[d] for d in dims) for name, dims in DIMENSIONS.items()}


def _checked_origin(origin: Any) -> dict[str, str]:
    known = isinstance(origin, Mapping) and set(origin) <= set(DIMENSIONS)
    if not known or not all(value in ORIGINS for value in origin.values()):
        raise ValueError(f"origin must map fields to one of {', '.join(ORIGINS)}, got {origin!r:.200}")
    return dict(origin)
