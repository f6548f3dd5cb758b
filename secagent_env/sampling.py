"""Sampling: a random network and task, from a seed.

Positions are uniform; the path loss is ``32.4 + 20 log10(f/GHz) + 20 log10(d/m)`` dB; fading is Rayleigh
with amplitude mean m = 10^(−PL/20), so that a coefficient is CN(0, 4m²/π). Distances below 1 m count as 1 m.

Every instance draws from a generator of its own, in one fixed order (below), so that instance i of a batch
depends on (seed, i) alone, and a batch costs no more than its random numbers and a few array operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from secagent_env._batched import Batched
from secagent_env.instance import Instance
from secagent_env.scenario import Scenario

_PER_AGENT = 7
"""Uniform numbers an agent draws: x, y, k, q, f, p^exe, ln C."""

Seed = int | np.random.Generator


def sample_instance(
    scenario: Scenario | str | None = None, seed: Seed = 0, batch: tuple[int, ...] | int = ()
) -> Instance:
    """Draw an instance, or a batch of them.

    Parameters
    ----------
    scenario
        A :class:`Scenario`, the name of a preset, or None for the default.
    seed
        A non-negative integer: instance i of a batch (in C order) then depends on ``(seed, i)`` alone, and a
        single instance equals instance 0. Or a NumPy Generator, from which the instances are drawn in turn.
    batch
        Leading dimensions, such as ``(256,)``.

    Returns
    -------
    Instance
        float64 NumPy arrays; the same bits in every process on one machine, and the same to 1e-12 elsewhere.
    """
    scenario = Scenario.coerce(scenario)
    shape = _batch_shape(batch)
    count = math.prod(shape)
    if isinstance(seed, np.random.Generator):
        generators: Sequence[np.random.Generator] = [seed] * count
    elif isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        generators = [instance_generator(int(seed), i) for i in range(count)]
    else:
        raise ValueError(f"seed must be an integer ≥ 0 or a numpy Generator, got {seed!r}")
    flat = draw(scenario, generators)
    return flat._map(lambda array: array.reshape(shape + array.shape[1:]))


def instance_generator(seed: int, index: int) -> np.random.Generator:
    """Return the generator that draws instance ``index`` of every batch of ``seed``."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Network(Batched):
    """What lasts from task to task in B networks: places, mean gains of the links, and what the agents are.

    Parameters
    ----------
    scenario
        Of all of them.
    position_m, eve_position_m
        (B, N, 2) and (B, E, 2), m.
    model_dim, compute_rate, compute_power_w, accuracy
        k_n, f_n in operations/s, p_n^exe in W and Acc_n of (14), each (B, N).
    amplitude_bs, amplitude_eve
        Standard deviation of the real and of the imaginary part of a channel coefficient, (B, N) and (B, E).
    mean_gain_agents, mean_gain_eve
        Means of the power gains, (B, N, N) and (B, N, E).
    """

    scenario: Scenario
    position_m: np.ndarray
    eve_position_m: np.ndarray
    model_dim: np.ndarray
    compute_rate: np.ndarray
    compute_power_w: np.ndarray
    accuracy: np.ndarray
    amplitude_bs: np.ndarray
    amplitude_eve: np.ndarray
    mean_gain_agents: np.ndarray
    mean_gain_eve: np.ndarray

    _arrays: ClassVar[tuple[str, ...]] = (
        "position_m",
        "eve_position_m",
        "model_dim",
        "compute_rate",
        "compute_power_w",
        "accuracy",
        "amplitude_bs",
        "amplitude_eve",
        "mean_gain_agents",
        "mean_gain_eve",
    )

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading dimensions."""
        return tuple(self.accuracy.shape[:-1])


def draw(scenario: Scenario, generators: Sequence[np.random.Generator]) -> Instance:
    """Draw a batch of instances, one from each generator (B of them)."""
    return draw_networks(scenario, generators)[1]


def draw_networks(scenario: Scenario, generators: Sequence[np.random.Generator]) -> tuple[Network, Instance]:
    """Draw a batch of networks, one from each generator (B of them), and the first task of each."""
    n, eves = scenario.num_agents, scenario.num_eavesdroppers
    uniform = np.empty((len(generators), _PER_AGENT * n + 2 * eves))
    links = _numbers(scenario, generators, uniform)
    per_agent = uniform[:, : _PER_AGENT * n].reshape(-1, _PER_AGENT, n)
    position = _place(per_agent[:, :2].transpose(0, 2, 1), scenario.area_m)
    eve_position = _place(uniform[:, _PER_AGENT * n :].reshape(-1, eves, 2), scenario.eve_area_m)
    dim = _spread(per_agent[:, 2], scenario.model_dim)
    low, high = scenario.training_budget
    budget = np.exp(_spread(per_agent[:, 6], (math.log(low), math.log(high))))
    mean_gain = mean_gain_at_1m(scenario)
    scale = math.sqrt(mean_gain / 2)  # of real and imaginary part
    network = Network(
        scenario=scenario,
        position_m=position,
        eve_position_m=eve_position,
        model_dim=dim,
        compute_rate=_spread(per_agent[:, 4], scenario.compute_rate),
        compute_power_w=_spread(per_agent[:, 5], scenario.compute_power_w),
        accuracy=scaling_law_accuracy(dim, budget),
        amplitude_bs=scale / np.sqrt(squared_distance(position)),
        amplitude_eve=scale / np.sqrt(squared_distance(eve_position)),
        mean_gain_agents=mean_gain / squared_distance(position[:, :, None] - position[:, None]),
        mean_gain_eve=mean_gain / squared_distance(position[:, :, None] - eve_position[:, None]),
    )
    return network, _task(network, per_agent[:, 3], *links)


def draw_tasks(network: Network, generators: Sequence[np.random.Generator]) -> Instance:
    """Draw the next task of each of B networks: tool calls and the fading of all links; one from each generator."""
    unit = np.empty((len(generators), network.scenario.num_agents))
    links = _numbers(network.scenario, generators, unit)
    return _task(network, unit, *links)


def _numbers(
    scenario: Scenario, generators: Sequence[np.random.Generator], uniform: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fill ``uniform`` (B, ·), and return normal and exponential numbers for the links, each from its generator."""
    n, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers
    size = len(generators)
    normal = np.empty((size, (n + eves) * antennas * 2))
    exponential = np.empty((size, n * (n - 1) // 2 + n * eves + 1))
    for i, generator in enumerate(generators):
        generator.random(out=uniform[i])
        generator.standard_normal(out=normal[i])
        generator.standard_exponential(out=exponential[i, :-1])
    exponential[:, -1] = 0.0  # the diagonal of gain_agents takes this entry
    return normal, exponential


def _task(network: Network, tool_unit: np.ndarray, normal: np.ndarray, exponential: np.ndarray) -> Instance:
    """Return one task per network from unit-interval draws (B, N) of the tool calls and the numbers of the links."""
    scenario = network.scenario
    n, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers
    fading = normal.view(np.complex128).reshape(-1, n + eves, antennas)
    gain_agents = exponential.take(_pair_index(n, exponential.shape[1] - 1), axis=1)
    gain_agents *= network.mean_gain_agents
    gain_eve = exponential[:, n * (n - 1) // 2 : -1].reshape(-1, n, eves)
    return Instance._trusted(
        scenario,
        channel_bs=fading[:, :n] * network.amplitude_bs[..., None],
        channel_eve=fading[:, n:] * network.amplitude_eve[..., None],
        gain_agents=gain_agents,
        gain_eve=gain_eve * network.mean_gain_eve,
        inference_time_s=inference_time(scenario, network.model_dim, network.compute_rate, tool_unit),
        compute_power_w=network.compute_power_w,
        accuracy=network.accuracy,
        position_m=network.position_m,
        eve_position_m=network.eve_position_m,
    )


def mean_gain_at_1m(scenario: Scenario) -> float:
    """Return E|h|² = 4m²/π at a distance of 1 m, with the mean amplitude m of the path loss; it falls with d²."""
    loss_db = 32.4 + 20 * math.log10(scenario.carrier_hz / 1e9)
    return 4 / math.pi * float(10 ** (-loss_db / 10))


def scaling_law_accuracy(model_dim: np.ndarray, training_budget: np.ndarray) -> np.ndarray:
    """Return Acc = 1 − exp(−M(k) ln C + R) of (14), clipped to [0, 1].

    The paper leaves M and R open; M(k) = 0.45 / (1 + 3000/k) is the saturating form of arXiv 2509.25300 and
    R = 0.2, both fitted to the paper's typical case.
    """
    exponent = 0.2 - 0.45 / (1 + 3000 / model_dim) * np.log(training_budget)
    return np.clip(-np.expm1(exponent), 0.0, 1.0)


def inference_time(
    scenario: Scenario, model_dim: np.ndarray, compute_rate: np.ndarray, tool_unit: np.ndarray | float
) -> np.ndarray:
    """Return the inference times t_n (16), s, at tool-call lengths q_n from draws in [0, 1)."""
    low, high = scenario.tool_tokens
    tokens = np.floor(_spread(tool_unit, (low, high + 1)))
    output = scenario.output_tokens
    operations = model_dim * (scenario.activation_ops + 1 + tokens + output + tokens**2 + output**2)
    return operations / compute_rate


def _spread(unit: Any, bounds: tuple[float, float]) -> Any:
    low, high = bounds
    return low + (high - low) * unit


def _place(unit: np.ndarray, area: Any) -> np.ndarray:
    (x_low, x_high), (y_low, y_high) = area
    return np.array([x_low, y_low]) + np.array([x_high - x_low, y_high - y_low]) * unit


def squared_distance(offset: np.ndarray) -> np.ndarray:
    """Return the squared length (…) of offsets (…, 2) in m², at least 1."""
    return np.maximum(offset[..., 0] ** 2 + offset[..., 1] ** 2, 1.0)


@lru_cache(maxsize=8)
def _pair_index(n: int, diagonal: int) -> np.ndarray:
    """Return (N, N) indices into the draws of the pairs, the same for (i, j) and (j, i)."""
    index = np.full((n, n), diagonal)
    upper = np.triu_indices(n, 1)
    index[upper] = index[upper[::-1]] = np.arange(len(upper[0]))
    return index


def _batch_shape(batch: tuple[int, ...] | int) -> tuple[int, ...]:
    shape = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    if not all(isinstance(size, (int, np.integer)) and size >= 0 for size in shape):
        raise ValueError(f"batch must be a tuple of integers ≥ 0, got {batch!r}")
    return tuple(int(size) for size in shape)
