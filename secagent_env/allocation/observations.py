"""Observations: what the supervisor sees of an instance, scaled to the order of 1. Batched, float32, finite.

It knows the task, each agent's compute time, power and accuracy, and all channels, those of the
eavesdroppers included (the paper's footnote 1). A gain is given as the SNR that a sender at full power would
have, in dB, divided by 40; a channel as its direction, so that nothing is lost to float32.

=================  ============  ========================================================================
part               shape         entries
=================  ============  ========================================================================
``task``           (6,)          N_min / N; Acc_min; log10(τ / s) / 3; log10(downlink bits) / 7;
                                 log10(uplink bits) / 5; 1 if the eavesdroppers collude, else 0
``agents``         (N, 5 + E)    SNR agent → base station, p_max g_n / σ², in dB / 40;
                                 execution energy e_n over its mean in the scenario;
                                 inference time over τ; compute power over its highest; accuracy;
                                 SNR agent → each eavesdropper, p_max |h_n,eve|² / σ², in dB / 40
``eavesdroppers``  (E, 1)        SNR base station → eavesdropper, p_BS ‖h_BS,eve‖² / σ², in dB / 40
``channel_bs``     (N, 2L)       h_BS,n √L / ‖h_BS,n‖: real parts, then imaginary parts
``channel_eve``    (E, 2L)       the same of h_BS,eve
``gain_agents``    (N, N)        SNR agent n' → agent n, p_max |h_n',n|² / σ², in dB / 40; diagonal 0
=================  ============  ========================================================================

Entries are clipped to ±10. The flat format is the parts in this order, each in C order; the compact one only ``task``,
``agents`` and ``eavesdroppers``, for policies that leave the channels' directions to the action format. The ranked one
is compact too, with the agents in the order of :func:`ranking`, for networks that do not know that agents are alike.
The pairwise one tells of directions what does not depend on the number of antennas: the compact parts,
``gain_agents``, and

=================  ============  ========================================================================
``alignment``      (N, N)        |ĥ_nᴴ ĥ_m| of the unit vectors ĥ_n of h_BS,n: how much a beam towards one agent reaches
                                 another
``alignment_eve``  (N, E)        |ĥ_nᴴ ĝ_e|, the same towards the eavesdroppers
``clear``          (N, N)        |ĥ_nᴴ F ĥ_m| behind the leakage filter F of :mod:`secagent_env.model.beams`; on the
                                 diagonal the share of an agent's gain that the eavesdroppers leave
=================  ============  ========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from secagent_env.gym_bases.spaces import BOUND, bounded_box
from secagent_env.model.beams import leakage_filtered
from secagent_env.model.instance import Instance, squared_norm
from secagent_env.model.scenario import Scenario
from secagent_env.model.workload import mean_execution_energy_j
from secagent_env.sampling.fading import pair_index
from secagent_env.support.errors import check_name

_COMPACT = ("task", "agents", "eavesdroppers")
_ALL = (*_COMPACT, "channel_bs", "channel_eve", "gain_agents")
_PARTS = {
    "flat": _ALL,
    "dict": _ALL,
    "compact": _COMPACT,
    "ranked": _COMPACT,
    "pairwise": (*_COMPACT, "gain_agents", "alignment", "alignment_eve", "clear"),
}
"""The parts of each format, in their order."""
OBSERVATION_FORMATS = tuple(_PARTS)


def observation_shapes(scenario: Scenario, name: str = "dict") -> dict[str, tuple[int, ...]]:
    """Return the shape of every part of the observation format called ``name``, in the order of the flat formats."""
    n, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers
    shapes = {
        "task": (6,),
        "agents": (n, 5 + eves),
        "eavesdroppers": (eves, 1),
        "channel_bs": (n, 2 * antennas),
        "channel_eve": (eves, 2 * antennas),
        "gain_agents": (n, n),
        "alignment": (n, n),
        "alignment_eve": (n, eves),
        "clear": (n, n),
    }
    return {part: shapes[part] for part in _PARTS[name]}


def observation_space(name: str, scenario: Scenario) -> gymnasium.Space:
    """Return the space of the observation format called ``name``."""
    shapes = observation_shapes(scenario, check_name("observation_format", name, OBSERVATION_FORMATS))
    if name == "dict":
        return gymnasium.spaces.Dict({part: bounded_box(*shape) for part, shape in shapes.items()})
    return bounded_box(sum(map(math.prod, shapes.values())))


def observe(instance: Instance, name: str, out: Any = None, pair_gain: np.ndarray | None = None) -> Any:
    """Return the observation of an instance in the format called ``name``: float32 arrays (…, shape).

    Parameters
    ----------
    out
        An earlier observation of the same shape, to be overwritten and returned; None: new arrays.
    pair_gain
        The upper triangle of ``gain_agents`` (…, N (N − 1) / 2) where the gains are the same both ways, as
        :func:`~secagent_env.sampling.generator.draw_into` returns it: the same numbers for half the work.
    """
    shapes = observation_shapes(instance.scenario, name)
    batch = instance.batch_shape
    if out is None:
        out = (
            {part: np.empty((*batch, *shape), np.float32) for part, shape in shapes.items()}
            if name == "dict"
            else np.empty((*batch, sum(map(math.prod, shapes.values()))), np.float32)
        )
    start = 0
    for part, shape in shapes.items():
        end = start + math.prod(shape)
        # Splitting the last axis is a view: the part is written where it belongs.
        target = out[part] if name == "dict" else out[..., start:end].reshape(*batch, *shape)
        if part == "gain_agents" and pair_gain is not None:
            _pair_gain(instance, pair_gain, target)
        else:
            _WRITE[part](instance, target)
        if name == "ranked" and part == "agents":
            target[...] = np.take_along_axis(target, ranking(instance)[..., None], axis=-2)
        start = end
    return out


def ranking(instance: Instance) -> np.ndarray:
    """Return the agents (…, N) in the order of their energy for computing, the least first, of equal ones by index."""
    return np.argsort(instance.execution_energy_j, axis=-1, stable=True)


def task_part(scenario: Scenario) -> list[float]:
    """Return the part ``task`` of the observations of a scenario's instances."""
    return [
        scenario.required_agents / scenario.num_agents,
        scenario.min_accuracy,
        math.log10(scenario.latency_limit_s) / 3,
        math.log10(scenario.downlink_bits) / 7,
        math.log10(scenario.uplink_bits) / 5,
        float(scenario.colluding),
    ]


def _task(instance: Instance, out: np.ndarray) -> None:
    out[...] = task_part(instance.scenario)


def _agents(instance: Instance, out: np.ndarray) -> None:
    scenario = instance.scenario
    snr = scenario.max_power_w / scenario.noise_power_w
    out[..., 0] = _level(instance.bs_gain, snr)
    out[..., 1] = np.minimum(instance.execution_energy_j / mean_execution_energy_j(scenario), BOUND)
    out[..., 2] = np.minimum(instance.inference_time_s / scenario.latency_limit_s, BOUND)
    out[..., 3] = np.minimum(instance.compute_power_w / scenario.compute_power_w[1], BOUND)
    out[..., 4] = instance.accuracy
    out[..., 5:] = _level(instance.gain_eve, snr)


def _eavesdroppers(instance: Instance, out: np.ndarray) -> None:
    scenario = instance.scenario
    out[..., 0] = _level(squared_norm(instance.channel_eve), scenario.bs_power_w / scenario.noise_power_w)


def _channel_bs(instance: Instance, out: np.ndarray) -> None:
    _direction(instance.channel_bs, instance.bs_gain, out)


def _channel_eve(instance: Instance, out: np.ndarray) -> None:
    _direction(instance.channel_eve, squared_norm(instance.channel_eve), out)


def _gain_agents(instance: Instance, out: np.ndarray) -> None:
    scenario = instance.scenario
    snr = scenario.max_power_w / scenario.noise_power_w
    out[...] = _level(instance.gain_agents, snr)
    diagonal = np.arange(scenario.num_agents)
    out[..., diagonal, diagonal] = 0.0


def _pair_gain(instance: Instance, pair_gain: np.ndarray, out: np.ndarray) -> None:
    """Write what :func:`_gain_agents` writes, of gains that are the same both ways."""
    scenario, pairs = instance.scenario, pair_gain.shape[-1]
    level = np.zeros((*instance.batch_shape, pairs + 1), np.float32)  # the last one is the diagonal
    _level(pair_gain, scenario.max_power_w / scenario.noise_power_w, out=level[..., :pairs])
    out[...] = level.take(pair_index(scenario.num_agents, pairs), axis=-1, mode="clip")


def _alignment(instance: Instance, out: np.ndarray) -> None:
    unit = _unit(instance.channel_bs)
    out[...] = np.abs(unit.conj() @ unit.swapaxes(-1, -2))


def _alignment_eve(instance: Instance, out: np.ndarray) -> None:
    out[...] = np.abs(_unit(instance.channel_bs).conj() @ _unit(instance.channel_eve).swapaxes(-1, -2))


def _clear(instance: Instance, out: np.ndarray) -> None:
    unit = _unit(instance.channel_bs)
    out[...] = np.abs(leakage_filtered(instance, unit) @ unit.conj().swapaxes(-1, -2))


def _unit(channel: np.ndarray) -> np.ndarray:
    """Return channels (…, L), each of length 1 or, where it is zero, 0."""
    length = np.sqrt(squared_norm(channel))[..., None]
    return channel / np.where(length > 0, length, 1.0)


_WRITE: dict[str, Callable[[Instance, np.ndarray], None]] = {
    "task": _task,
    "agents": _agents,
    "eavesdroppers": _eavesdroppers,
    "channel_bs": _channel_bs,
    "channel_eve": _channel_eve,
    "gain_agents": _gain_agents,
    "alignment": _alignment,
    "alignment_eve": _alignment_eve,
    "clear": _clear,
}
"""The function that writes each part (…, shape)."""


def _level(gain: np.ndarray, snr: float, out: np.ndarray | None = None) -> np.ndarray:
    """Return the SNR of a gain in dB / 40, float32, within the bounds; ``snr`` is that of a gain of 1."""
    level = np.empty(gain.shape, np.float32) if out is None else out
    with np.errstate(divide="ignore", over="ignore"):  # of zero or too large for float32: a bound
        np.multiply(gain, snr, out=level, casting="same_kind")
        np.log10(level, out=level)
    level *= 0.25
    return level.clip(-BOUND, BOUND, out=level)


def _direction(channel: np.ndarray, squared: np.ndarray, out: np.ndarray) -> None:
    """Write the direction of a channel (…, L) of a squared length (…), √L long: real, then imaginary parts."""
    antennas = channel.shape[-1]
    scale = (math.sqrt(antennas) / np.sqrt(np.where(squared > 0, squared, 1.0)))[..., None]
    # Real factors are half the work of complex ones; the products become float32 on their way.
    np.multiply(channel.real, scale, out=out[..., :antennas], casting="same_kind")
    np.multiply(channel.imag, scale, out=out[..., antennas:], casting="same_kind")
    if antennas > BOUND**2:
        np.clip(out, -BOUND, BOUND, out=out)
