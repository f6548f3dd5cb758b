"""Action formats: maps between a policy's actions and decisions. Batched over leading dimensions, in float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import gymnasium
import numpy as np

from secagent_env.allocation.guided import (
    LOWEST_POWER_W,
    BidsFormat,
    GuidedFormat,
    RankedFormat,
    SelectionFormat,
    real_parts,
)
from secagent_env.gym_bases.spaces import action_array
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario
from secagent_env.support.checks import flag
from secagent_env.support.errors import check_name


class ActionFormat(Protocol):
    """A Gymnasium space and the map between its elements and decisions."""

    space: gymnasium.Space[Any]

    def decode(self, action: Any, instance: Instance | None = None) -> Decision:
        """Return the decision an action stands for in an instance, which only some formats need."""

    def encode(self, decision: Decision, instance: Instance | None = None) -> Any:
        """Return the action, an element of ``space``, that stands for (or comes nearest to) a decision."""


class FlatFormat:
    """One flat ``Box(-1, 1, (2N + 2L,), float32)``; beyond the bounds it is clipped.

    ================  =====================================================================================
    slice             meaning
    ================  =====================================================================================
    ``[:N]``          selection: the agent computes iff the entry is > 0
    ``[N:N+2L]``      beamformer: real parts, then imaginary parts, in units of √p_BS; a vector longer
                      than 1 is scaled to 1, so that the power budget (1) always holds
    ``[N+2L:]``       power on a dB scale from −70 dBm (just above −1) to p_max (1); −1 means silent
    ================  =====================================================================================

    A positive power below −70 dBm is encoded as −70 dBm, a beam beyond the budget as the one scaled to it. Artificial
    noise is left out.
    """

    def __init__(self, scenario: Scenario) -> None:
        n, antennas = scenario.num_agents, scenario.num_antennas
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Box(-1.0, 1.0, (2 * n + 2 * antennas,), np.float32)
        self._size = 2 * n + 2 * antennas
        self.slices = {
            "selection": slice(0, n),
            "beamformer": slice(n, n + 2 * antennas),
            "power_w": slice(n + 2 * antennas, None),
        }
        self._antennas = antennas
        self._amplitude = np.sqrt(scenario.bs_power_w)
        self._max_power_w = scenario.max_power_w
        self._octaves = np.log(scenario.max_power_w / LOWEST_POWER_W)

    def decode(self, action: Any, instance: Instance | None = None) -> Decision:
        """Return the decision that an action (…, 2N + 2L) stands for."""
        action = np.clip(action_array("action", action, self._size), -1.0, 1.0)
        parts = action[..., self.slices["beamformer"]]
        length = np.sqrt(np.sum(parts**2, axis=-1, keepdims=True))
        parts = parts * (self._amplitude / np.maximum(length, 1.0))
        level = action[..., self.slices["power_w"]]
        power = LOWEST_POWER_W * np.exp((level + 1) / 2 * self._octaves)
        return Decision(
            selection=action[..., self.slices["selection"]] > 0,
            beamformer=parts[..., : self._antennas] + 1j * parts[..., self._antennas :],
            power_w=np.where(level > -1, np.minimum(power, self._max_power_w), 0.0),
        )

    def encode(self, decision: Decision, instance: Instance | None = None) -> np.ndarray:
        """Return the action (…, 2N + 2L), float32."""
        parts = real_parts(decision.beamformer) / self._amplitude
        parts = parts / np.maximum(np.sqrt(np.sum(parts**2, axis=-1, keepdims=True)), 1.0)
        power = np.clip(decision.power_w, LOWEST_POWER_W, self._max_power_w)
        level = 2 * np.log(power / LOWEST_POWER_W) / self._octaves - 1
        # -70 dBm itself is the first number above -1, which means silent.
        level = np.maximum(level.astype(np.float32), np.nextafter(np.float32(-1), np.float32(0)))
        return np.concatenate(
            [np.where(decision.selection, 1.0, -1.0), parts, np.where(decision.power_w > 0, level, -1.0)],
            axis=-1,
        ).astype(np.float32)


class DictFormat:
    """A ``Dict`` in physical units, in which the budgets (1) and (20c) can be violated.

    Beyond its bounds it is clipped.

    ==============  ==================================  =====================================================
    key             space                               meaning
    ==============  ==================================  =====================================================
    ``selection``   ``MultiBinary(N)``                  1: the agent computes
    ``beamformer``  ``Box(±√p_BS, (2L,), float64)``     real parts, then imaginary parts, √W; ‖w‖² may
                                                        exceed p_BS
    ``power_w``     ``Box(0, 2 p_max, (N,), float64)``  W; may exceed p_max
    ``noise``       ``Box(±√p_BS, (2L²,), float64)``    with ``artificial_noise`` only: F, row by row, real parts,
                                                        then imaginary parts, √W; the base station sends noise of
                                                        the covariance V = F Fᴴ
    ==============  ==================================  =====================================================
    """

    def __init__(self, scenario: Scenario, artificial_noise: bool = False) -> None:
        amplitude = float(np.sqrt(scenario.bs_power_w))
        n, antennas = scenario.num_agents, scenario.num_antennas
        box = gymnasium.spaces.Box
        self._boxes = {
            "beamformer": box(-amplitude, amplitude, (2 * antennas,), np.float64),
            "power_w": box(0.0, 2 * scenario.max_power_w, (n,), np.float64),
        }
        if artificial_noise:
            self._boxes["noise"] = box(-amplitude, amplitude, (2 * antennas**2,), np.float64)
        self.space: gymnasium.Space[Any] = gymnasium.spaces.Dict(
            {"selection": gymnasium.spaces.MultiBinary(n), **self._boxes}
        )
        self._sizes = {"selection": n, **{name: box.shape[0] for name, box in self._boxes.items()}}
        self._antennas = antennas

    def decode(self, action: Any, instance: Instance | None = None) -> Decision:
        """Return the decision that a dict of arrays, each with leading dimensions (…), stands for."""
        if not isinstance(action, Mapping) or set(action) != set(self._sizes):
            got = f"the keys {sorted(action)}" if isinstance(action, Mapping) else type(action).__name__
            raise ValueError(f"action must be a dict with the keys {sorted(self._sizes)}, got {got}")
        parts = {key: action_array(f"action[{key!r}]", action[key], size) for key, size in self._sizes.items()}
        decision = Decision(
            selection=parts["selection"] > 0.5,
            beamformer=_complex(self._clip("beamformer", parts)),
            power_w=self._clip("power_w", parts),
        )
        if "noise" not in parts:
            return decision
        factor = _complex(self._clip("noise", parts))
        if factor.shape[:-1] != decision.batch_shape:
            raise ValueError(
                f"action['noise'] must have the batch dimensions {decision.batch_shape} of the others, "
                f"got {factor.shape[:-1]}"
            )
        factor = factor.reshape(*decision.beamformer.shape, self._antennas)
        covariance = factor @ factor.conj().swapaxes(-1, -2)  # semidefinite, which need not be checked
        return Decision._trusted(**decision._fields() | {"noise_covariance": covariance})

    def encode(self, decision: Decision, instance: Instance | None = None) -> dict[str, np.ndarray]:
        """Return the action as a dict of arrays."""
        parts = {
            "beamformer": real_parts(decision.beamformer),
            "power_w": np.asarray(decision.power_w, np.float64),
        }
        if "noise" in self._boxes:
            root = _root(decision)
            parts["noise"] = real_parts(root.reshape(*root.shape[:-2], -1))
        return {
            "selection": np.asarray(decision.selection).astype(np.int8),
            **{name: self._clip(name, parts) for name in parts},
        }

    def _clip(self, key: str, parts: dict[str, np.ndarray]) -> np.ndarray:
        return np.clip(parts[key], self._boxes[key].low, self._boxes[key].high)


ACTION_FORMATS: dict[
    str,
    type[FlatFormat]
    | type[DictFormat]
    | type[GuidedFormat]
    | type[SelectionFormat]
    | type[BidsFormat]
    | type[RankedFormat],
] = {
    "flat": FlatFormat,
    "dict": DictFormat,
    "guided": GuidedFormat,
    "selection": SelectionFormat,
    "bids": BidsFormat,
    "ranked": RankedFormat,
}


def action_format(name: str, scenario: Scenario, artificial_noise: bool = False) -> ActionFormat:
    """Return the action format called ``name``, for a scenario; ``"dict"`` has artificial noise where that is asked."""
    form = ACTION_FORMATS[check_name("action_format", name, ACTION_FORMATS)]
    if not flag("artificial_noise", artificial_noise):
        return form(scenario)
    if form is not DictFormat:
        raise ValueError(f"artificial_noise needs action_format='dict', got {name!r}")
    return DictFormat(scenario, artificial_noise=True)


def _root(decision: Decision) -> np.ndarray:
    """Return an F (…, L, L) with F Fᴴ the covariance of a decision's artificial noise."""
    if decision.noise_covariance is None:
        return np.zeros((*decision.beamformer.shape, decision.beamformer.shape[-1]))
    values, vectors = np.linalg.eigh(np.asarray(decision.noise_covariance))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :])


def _complex(parts: np.ndarray) -> np.ndarray:
    real, imaginary = np.split(parts, 2, axis=-1)
    return np.asarray(real + 1j * imaginary)
