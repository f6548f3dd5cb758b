"""Instance: one random network and task, or a batch of them, with validation and save/load."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from secagent_env.model.batched import Array, Batched, namespace
from secagent_env.model.scenario import Scenario
from secagent_env.support.digests import DIGEST, check_digest, digest
from secagent_env.support.files import whole_file
from secagent_env.support.reading import check_array_bytes, open_arrays, parse_json, short

FORMAT = "secagent.Instance"
FORMAT_VERSION = 1

_DIMENSIONS = {
    "channel_bs": "NL",
    "channel_eve": "EL",
    "gain_agents": "NN",
    "gain_eve": "NE",
    "inference_time_s": "N",
    "compute_power_w": "N",
    "accuracy": "N",
    "position_m": "N2",
    "eve_position_m": "E2",
}
_OPTIONAL = ("position_m", "eve_position_m")
_COMPLEX = ("channel_bs", "channel_eve")


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
        (…, N, 2) and (…, E, 2), m; for pictures only, may be None.

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

    _shared: ClassVar[tuple[str, ...]] = ("scenario",)
    _measured: ClassVar[tuple[str, int]] = ("channel_bs", 2)

    def __post_init__(self) -> None:
        if not isinstance(self.scenario, Scenario):
            raise ValueError(f"scenario must be a Scenario, got {type(self.scenario).__name__}")
        for name in self._arrays:
            if getattr(self, name) is None and name not in _OPTIONAL:
                raise ValueError(f"{name} must be an array, got None")
        xp = self._check_arrays(_DIMENSIONS, _sizes(self.scenario), _COMPLEX)
        for name in self._arrays:
            array = getattr(self, name)
            if name not in (*_COMPLEX, *_OPTIONAL) and not xp.all(array >= 0):
                raise ValueError(f"{name} must be ≥ 0, got {float(xp.min(array))}")
        if not xp.all(self.accuracy <= 1):
            raise ValueError(f"accuracy must be ≤ 1, got {float(xp.max(self.accuracy))}")

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
        arrays = {name: np.asarray(a) for name in self._arrays if (a := getattr(self, name)) is not None}
        check_array_bytes(arrays)
        header = {"format": FORMAT, "version": FORMAT_VERSION, "scenario": self.scenario.to_dict()}
        text = json.dumps({**header, DIGEST: digest({"header": header, **arrays})})
        with whole_file(path) as file:
            np.savez_compressed(file, header=np.array(text), **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | Path) -> Instance:
        """Read an instance that :meth:`save` wrote; data only, nothing in the file is executed.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is damaged, not an instance, or of a later version.
        """
        try:
            with open_arrays(path) as file:
                header = _checked_header(parse_json(file.text("header")) if "header" in file.names else None)
                scenario = Scenario.coerce(header["scenario"])
                sizes = _sizes(scenario)
                arrays = file.read({name: tuple(sizes[d] for d in dims) for name, dims in _DIMENSIONS.items()})
            found = header.pop(DIGEST, None)
            check_digest(found, {"header": header, **arrays}, path)
            missing = set(_DIMENSIONS) - set(_OPTIONAL) - set(arrays)
            if missing:
                raise ValueError(f"the array {min(missing)} is missing")
            return cls(scenario=scenario, **arrays)
        except ValueError as error:
            raise ValueError(f"cannot load an instance from {path}: {short(error, 800)}") from error


def squared_norm(channel: Array) -> Array:
    """Return the squared length ‖h‖² (…) of complex vectors (…, L)."""
    xp = namespace(channel)
    return xp.real(xp.vecdot(channel, channel))


def _sizes(scenario: Scenario) -> dict[str, int]:
    """Return the sizes that the letters of the dimensions stand for."""
    return {"N": scenario.num_agents, "L": scenario.num_antennas, "E": scenario.num_eavesdroppers, "2": 2}


def _checked_header(header: Any) -> dict[str, Any]:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("it holds no secagent instance")
    if header.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"it has format version {header.get('version')!r:.80}, this secagent reads {FORMAT_VERSION}; "
            "upgrade secagent to read it"
        )
    if not isinstance(header.get("scenario"), dict):
        raise ValueError("its header names no scenario")
    return header
