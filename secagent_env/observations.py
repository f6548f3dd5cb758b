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

Entries are clipped to ±10. The flat format is the parts in this order, each in C order.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np

from secagent_env._errors import unknown_name
from secagent_env.instance import Instance
from secagent_env.rewards import mean_execution_energy_j
from secagent_env.scenario import Scenario

BOUND = 10.0
OBSERVATION_FORMATS = ("flat", "dict")


def observation_shapes(scenario: Scenario) -> dict[str, tuple[int, ...]]:
    """Return the shape of every named part, in the order of the flat format."""
    n, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers
    return {
        "task": (6,),
        "agents": (n, 5 + eves),
        "eavesdroppers": (eves, 1),
        "channel_bs": (n, 2 * antennas),
        "channel_eve": (eves, 2 * antennas),
        "gain_agents": (n, n),
    }


def observation_space(name: str, scenario: Scenario) -> gymnasium.Space:
    """Return the space of the observation format called ``name``."""
    if name not in OBSERVATION_FORMATS:
        raise unknown_name("observation_format", name, OBSERVATION_FORMATS)
    shapes = observation_shapes(scenario)
    if name == "dict":
        box = gymnasium.spaces.Box
        return gymnasium.spaces.Dict({part: box(-BOUND, BOUND, shape, np.float32) for part, shape in shapes.items()})
    return gymnasium.spaces.Box(-BOUND, BOUND, (sum(map(math.prod, shapes.values())),), np.float32)


def observe(instance: Instance, name: str) -> Any:
    """Return the observation of an instance in the format called ``name``: new float32 arrays (…, shape)."""
    parts = _parts(instance)
    bounded = {part: np.clip(value, -BOUND, BOUND).astype(np.float32) for part, value in parts.items()}
    if name == "dict":
        return bounded
    batch = instance.batch_shape
    return np.concatenate(
        [value.reshape(*batch, math.prod(value.shape[len(batch) :])) for value in bounded.values()], -1
    )


def _parts(instance: Instance) -> dict[str, np.ndarray]:
    scenario = instance.scenario
    power, noise = scenario.max_power_w, scenario.noise_power_w
    task = [
        scenario.required_agents / scenario.num_agents,
        scenario.min_accuracy,
        math.log10(scenario.latency_limit_s) / 3,
        math.log10(scenario.downlink_bits) / 7,
        math.log10(scenario.uplink_bits) / 5,
        float(scenario.colluding),
    ]
    per_agent = [
        _level(instance.bs_gain * (power / noise)),
        instance.execution_energy_j / mean_execution_energy_j(scenario),
        instance.inference_time_s / scenario.latency_limit_s,
        instance.compute_power_w / scenario.compute_power_w[1],
        instance.accuracy,
    ]
    gain_agents = _level(instance.gain_agents * (power / noise))
    diagonal = np.arange(scenario.num_agents)
    gain_agents[..., diagonal, diagonal] = 0.0
    eve_gain = np.sum(np.abs(instance.channel_eve) ** 2, axis=-1)
    return {
        "task": np.broadcast_to(np.array(task), (*instance.batch_shape, len(task))),
        "agents": np.concatenate([np.stack(per_agent, -1), _level(instance.gain_eve * (power / noise))], -1),
        "eavesdroppers": _level(eve_gain * (scenario.bs_power_w / noise))[..., None],
        "channel_bs": _direction(instance.channel_bs),
        "channel_eve": _direction(instance.channel_eve),
        "gain_agents": gain_agents,
    }


def _level(snr: np.ndarray) -> np.ndarray:
    """Return an SNR in dB / 40; zero as the lower bound."""
    return np.log10(np.maximum(snr, 10.0 ** (-4 * BOUND))) / 4


def _direction(channel: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.sum(np.abs(channel) ** 2, axis=-1, keepdims=True))
    unit = channel * (math.sqrt(channel.shape[-1]) / np.where(length > 0, length, 1.0))
    return np.concatenate([unit.real, unit.imag], axis=-1)
