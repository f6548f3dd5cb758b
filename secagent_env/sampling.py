"""Sampling: a random network and task, from a seed.

Positions are uniform; the path loss is ``32.4 + 20 log10(f/GHz) + 20 log10(d/m)`` dB; fading is Rayleigh
with amplitude mean m = 10^(−PL/20), so that a coefficient is CN(0, 4m²/π). Distances below 1 m count as 1 m.

Every instance draws from a generator of its own, in one fixed order (below), so that instance i of a batch
depends on (seed, i) alone, and a batch costs no more than its random numbers and a few array operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

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


def draw(scenario: Scenario, generators: Sequence[np.random.Generator]) -> Instance:
    """Draw a batch of instances, one from each generator (B of them)."""
    n, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers
    size = len(generators)
    pairs = n * (n - 1) // 2
    uniform = np.empty((size, _PER_AGENT * n + 2 * eves))
    normal = np.empty((size, (n + eves) * antennas * 2))
    exponential = np.empty((size, pairs + n * eves + 1))
    for i, generator in enumerate(generators):
        generator.random(out=uniform[i])
        generator.standard_normal(out=normal[i])
        generator.standard_exponential(out=exponential[i, :-1])
    exponential[:, -1] = 0.0  # the diagonal of gain_agents takes this entry

    per_agent = uniform[:, : _PER_AGENT * n].reshape(size, _PER_AGENT, n)
    position = _place(per_agent[:, :2].transpose(0, 2, 1), scenario.area_m)
    eve_position = _place(uniform[:, _PER_AGENT * n :].reshape(size, eves, 2), scenario.eve_area_m)
    inference_time, accuracy = _reasoning(scenario, per_agent[:, 2:])

    mean_gain = mean_gain_at_1m(scenario)
    scale = math.sqrt(mean_gain / 2)  # of real and imaginary part
    fading = normal.view(np.complex128).reshape(size, n + eves, antennas)
    channel_bs = fading[:, :n] * (scale / np.sqrt(squared_distance(position)))[..., None]
    channel_eve = fading[:, n:] * (scale / np.sqrt(squared_distance(eve_position)))[..., None]
    gain_agents = exponential.take(_pair_index(n, exponential.shape[1] - 1), axis=1)
    gain_agents *= mean_gain / squared_distance(position[:, :, None] - position[:, None])
    gain_eve = exponential[:, pairs:-1].reshape(size, n, eves) * mean_gain
    gain_eve /= squared_distance(position[:, :, None] - eve_position[:, None])
    return Instance._trusted(
        scenario,
        channel_bs=channel_bs,
        channel_eve=channel_eve,
        gain_agents=gain_agents,
        gain_eve=gain_eve,
        inference_time_s=inference_time,
        compute_power_w=_spread(per_agent[:, 5], scenario.compute_power_w),
        accuracy=accuracy,
        position_m=position,
        eve_position_m=eve_position,
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


def _reasoning(scenario: Scenario, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return inference times (16), s, and accuracies (14) from the unit-interval draws (B, 5, N)."""
    dim = _spread(unit[:, 0], scenario.model_dim)
    low, high = scenario.tool_tokens
    tokens = np.floor(_spread(unit[:, 1], (low, high + 1)))
    rate = _spread(unit[:, 2], scenario.compute_rate)
    low, high = scenario.training_budget
    budget = np.exp(_spread(unit[:, 4], (math.log(low), math.log(high))))
    output = scenario.output_tokens
    operations = dim * (scenario.activation_ops + 1 + tokens + output + tokens**2 + output**2)
    return operations / rate, scaling_law_accuracy(dim, budget)


def _spread(unit: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
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
