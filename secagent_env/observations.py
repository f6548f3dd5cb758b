"""Observations: what the supervisor sees of an instance, scaled to the order of 1. Batched, float32, finite.

It knows the task, each agent's compute time, power and accuracy, and all channels, those of the
eavesdroppers included (the paper's footnote 1). A gain is told as the SNR that a sender at full power would
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
``agents`` and ``eavesdroppers``, for policies that leave the channels' directions to the guided action format.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from secagent_env._errors import unknown_name
from secagent_env.instance import Instance
from secagent_env.rewards import mean_execution_energy_j
from secagent_env.scenario import Scenario

BOUND = 10.0
COMPACT_PARTS = ("task", "agents", "eavesdroppers")
OBSERVATION_FORMATS = ("flat", "dict", "compact")


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
    }
    return {part: shape for part, shape in shapes.items() if name != "compact" or part in COMPACT_PARTS}


def observation_space(name: str, scenario: Scenario) -> gymnasium.Space:
    """Return the space of the observation format called ``name``."""
    if name not in OBSERVATION_FORMATS:
        raise unknown_name("observation_format", name, OBSERVATION_FORMATS)
    shapes = observation_shapes(scenario, name)
    if name == "dict":
        box = gymnasium.spaces.Box
        return gymnasium.spaces.Dict({part: box(-BOUND, BOUND, shape, np.float32) for part, shape in shapes.items()})
    return gymnasium.spaces.Box(-BOUND, BOUND, (sum(map(math.prod, shapes.values())),), np.float32)


def observe(instance: Instance, name: str) -> Any:
    """Return the observation of an instance in the format called ``name``: new float32 arrays (…, shape)."""
    wanted = COMPACT_PARTS if name == "compact" else tuple(PARTS)
    bounded = {part: np.clip(PARTS[part](instance), -BOUND, BOUND).astype(np.float32) for part in wanted}
    if name == "dict":
        return bounded
    batch = instance.batch_shape
    return np.concatenate(
        [value.reshape(*batch, math.prod(value.shape[len(batch) :])) for value in bounded.values()], -1
    )


def _task(instance: Instance) -> np.ndarray:
    scenario = instance.scenario
    task = [
        scenario.required_agents / scenario.num_agents,
        scenario.min_accuracy,
        math.log10(scenario.latency_limit_s) / 3,
        math.log10(scenario.downlink_bits) / 7,
        math.log10(scenario.uplink_bits) / 5,
        float(scenario.colluding),
    ]
    return np.broadcast_to(np.array(task), (*instance.batch_shape, len(task)))


def _agents(instance: Instance) -> np.ndarray:
    scenario = instance.scenario
    snr = scenario.max_power_w / scenario.noise_power_w
    per_agent = [
        _level(instance.bs_gain * snr),
        instance.execution_energy_j / mean_execution_energy_j(scenario),
        instance.inference_time_s / scenario.latency_limit_s,
        instance.compute_power_w / scenario.compute_power_w[1],
        instance.accuracy,
    ]
    return np.concatenate([np.stack(per_agent, -1), _level(instance.gain_eve * snr)], -1)


def _eavesdroppers(instance: Instance) -> np.ndarray:
    scenario = instance.scenario
    gain = np.sum(np.abs(instance.channel_eve) ** 2, axis=-1)
    return _level(gain * (scenario.bs_power_w / scenario.noise_power_w))[..., None]


def _gain_agents(instance: Instance) -> np.ndarray:
    scenario = instance.scenario
    level = _level(instance.gain_agents * (scenario.max_power_w / scenario.noise_power_w))
    diagonal = np.arange(scenario.num_agents)
    level[..., diagonal, diagonal] = 0.0
    return level


PARTS: dict[str, Callable[[Instance], np.ndarray]] = {
    "task": _task,
    "agents": _agents,
    "eavesdroppers": _eavesdroppers,
    "channel_bs": lambda instance: _direction(instance.channel_bs),
    "channel_eve": lambda instance: _direction(instance.channel_eve),
    "gain_agents": _gain_agents,
}
"""The parts, float64 and not clipped yet, (…, shape)."""


def _level(snr: np.ndarray) -> np.ndarray:
    """Return an SNR in dB / 40; zero as the lower bound."""
    return np.log10(np.maximum(snr, 10.0 ** (-4 * BOUND))) / 4


def _direction(channel: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.sum(np.abs(channel) ** 2, axis=-1, keepdims=True))
    unit = channel * (math.sqrt(channel.shape[-1]) / np.where(length > 0, length, 1.0))
    return np.concatenate([unit.real, unit.imag], axis=-1)
