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
from typing import Any, ClassVar

import numpy as np

from secagent_env.model.batched import Batched
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario
from secagent_env.model.workload import inference_time, scaling_law_accuracy
from secagent_env.sampling.fading import _squared_pair_distance, mean_gain_at_1m, pair_index, squared_distance
from secagent_env.sampling.seeds import Seed, generators_of

_PER_AGENT = 7
"""Uniform numbers an agent draws: x, y, k, q, f, p^exe, ln C."""

CHUNK = 256
"""How many instances are drawn at a time: what is computed on the way then stays in the processor's cache."""


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
    shape = batch_shape_of(batch)
    flat = draw(scenario, generators_of(seed, math.prod(shape)))
    return flat._map(lambda array: array.reshape(shape + array.shape[1:]))


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
    mean_gain_pairs, mean_gain_eve
        Means of the power gains between agents, (B, N (N − 1) / 2) in the order of ``np.triu_indices(N, 1)``, and
        from agents to eavesdroppers, (B, N, E).
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
    mean_gain_pairs: np.ndarray
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
        "mean_gain_pairs",
        "mean_gain_eve",
    )

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading dimensions."""
        return tuple(self.accuracy.shape[:-1])


def draw(scenario: Scenario, generators: Sequence[np.random.Generator], out: Instance | None = None) -> Instance:
    """Draw a batch of instances, one from each generator (B of them), into the arrays of ``out`` if it is given.

    Of up to :data:`CHUNK` the gains of the pairs of agents go along as ``pair_gain``, for
    :func:`~secagent_env.allocation.observations.observe`: half the work.
    """
    drawn = empty_instances(scenario, len(generators)) if out is None else out
    if 0 < len(generators) <= CHUNK:
        _, drawn.__dict__["pair_gain"] = _draw_into(drawn, generators)
        return drawn
    for start in range(0, len(generators), CHUNK):
        rows = slice(start, start + CHUNK)
        _draw_into(drawn[rows], generators[rows])
    return drawn


def draw_networks(scenario: Scenario, generators: Sequence[np.random.Generator]) -> tuple[Network, Instance]:
    """Draw a batch of networks, one from each generator (B of them), and the first task of each."""
    task = empty_instances(scenario, len(generators))
    network, _ = _draw_into(task, generators)
    return network, task


def draw_tasks(network: Network, generators: Sequence[np.random.Generator]) -> Instance:
    """Draw the next task of each of B networks: tool calls and the fading of all links; one from each generator."""
    task = empty_instances(network.scenario, len(generators))
    for name in ("compute_power_w", "accuracy", "position_m", "eve_position_m"):
        getattr(task, name)[...] = getattr(network, name)
    unit = np.empty((len(generators), network.scenario.num_agents))
    _fade(network, unit, _numbers(task, generators, unit), task)
    return task


def empty_instances(scenario: Scenario, size: int) -> Instance:
    """Return a batch of instances whose numbers are yet to be written, all arrays in C order."""
    n, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers
    return Instance._trusted(
        scenario,
        channel_bs=np.empty((size, n, antennas), complex),
        channel_eve=np.empty((size, eves, antennas), complex),
        gain_agents=np.empty((size, n, n)),
        gain_eve=np.empty((size, n, eves)),
        inference_time_s=np.empty((size, n)),
        compute_power_w=np.empty((size, n)),
        accuracy=np.empty((size, n)),
        position_m=np.empty((size, n, 2)),
        eve_position_m=np.empty((size, eves, 2)),
    )


def _draw_into(task: Instance, generators: Sequence[np.random.Generator]) -> tuple[Network, np.ndarray]:
    """Draw a network from each generator, and write the first task of each to ``task``.

    Returns the networks, and the gains of the pairs of agents (B, N (N − 1) / 2).
    """
    scenario = task.scenario
    n, eves = scenario.num_agents, scenario.num_eavesdroppers
    uniform = np.empty((len(generators), _PER_AGENT * n + 2 * eves))
    exponential = _numbers(task, generators, uniform)
    low, high = scenario.training_budget
    ranges = (
        *scenario.area_m,
        scenario.model_dim,
        (0.0, 1.0),  # spread by inference_time
        scenario.compute_rate,
        scenario.compute_power_w,
        (math.log(low), math.log(high)),
    )
    # Rows as long as can be: NumPy starts anew at the end of each.
    per_agent = _spread(uniform[:, : _PER_AGENT * n], np.repeat(ranges, n, axis=0)).reshape(-1, _PER_AGENT, n)
    _, _, dim, tools, rate, power, log_budget = per_agent.swapaxes(0, 1)
    position: Any = task.position_m
    eve_position: Any = task.eve_position_m
    position[...] = per_agent[:, :2].swapaxes(1, 2)
    eve_position[...] = _spread(uniform[:, _PER_AGENT * n :].reshape(-1, eves, 2), scenario.eve_area_m)
    if scenario.model_sizes is not None:  # what was drawn is not used: everything else stays the draw of the seed
        dim[...] = scenario.model_dims
    task.accuracy[...] = scaling_law_accuracy(dim, np.exp(log_budget), scenario.task_difficulty)
    task.compute_power_w[...] = power
    mean_gain = mean_gain_at_1m(scenario)
    scale = math.sqrt(mean_gain / 2)  # of real and imaginary part
    network = Network(
        scenario=scenario,
        position_m=position,
        eve_position_m=eve_position,
        model_dim=dim,
        compute_rate=rate,
        compute_power_w=task.compute_power_w,
        accuracy=task.accuracy,
        amplitude_bs=scale / np.sqrt(squared_distance(position)),
        amplitude_eve=scale / np.sqrt(squared_distance(eve_position)),
        mean_gain_pairs=mean_gain / _squared_pair_distance(position),
        mean_gain_eve=mean_gain / squared_distance(position[:, :, None] - eve_position[:, None]),
    )
    return network, _fade(network, tools, exponential, task)


def _numbers(task: Instance, generators: Sequence[np.random.Generator], uniform: np.ndarray) -> np.ndarray:
    """Draw each generator's uniform, normal and exponential numbers, in this order.

    The first go to ``uniform`` (B, ·), the second to the channels of ``task``, the last are returned (B, ·), with a
    zero behind them.
    """
    n, eves = task.scenario.num_agents, task.scenario.num_eavesdroppers
    exponential = np.empty((len(generators), n * (n - 1) // 2 + n * eves + 1))
    exponential[:, -1] = 0.0
    channel_bs, channel_eve = _real(task.channel_bs), _real(task.channel_eve)
    for generator, unit, to_bs, to_eve, gains in zip(
        generators, uniform, channel_bs, channel_eve, exponential[:, :-1], strict=True
    ):
        generator.random(out=unit)
        generator.standard_normal(out=to_bs)
        generator.standard_normal(out=to_eve)
        generator.standard_exponential(out=gains)
    return exponential


def _fade(network: Network, tool_unit: np.ndarray, exponential: np.ndarray, task: Instance) -> np.ndarray:
    """Write gains and times to ``task``, scale its channels, and return the gains of the pairs of agents.

    ``tool_unit`` (B, N) are the draws in [0, 1) of the tool calls, ``exponential`` those of :func:`_numbers`, which
    are changed.
    """
    scenario = network.scenario
    n, eves = scenario.num_agents, scenario.num_eavesdroppers
    pairs = n * (n - 1) // 2
    exponential[:, :pairs] *= network.mean_gain_pairs
    # The last entry, zero, is the diagonal. Without mode, take would write to a copy first.
    exponential.take(pair_index(n, pairs + n * eves), axis=1, out=task.gain_agents, mode="clip")
    np.multiply(exponential[:, pairs:-1].reshape(-1, n, eves), network.mean_gain_eve, out=task.gain_eve)
    task.inference_time_s[...] = inference_time(scenario, network.model_dim, network.compute_rate, tool_unit)
    for channel, amplitude in ((task.channel_bs, network.amplitude_bs), (task.channel_eve, network.amplitude_eve)):
        parts = channel.view(np.float64)  # real factors are half the work of complex ones
        parts *= amplitude[..., None]
    return exponential[:, :pairs]


def _spread(unit: np.ndarray, ranges: Any) -> np.ndarray:
    """Spread draws in [0, 1) over ranges (low, high), one per entry of the last axis, in place, and return them."""
    low, high = np.array(ranges).T
    unit *= high - low
    unit += low
    return unit


def _real(channel: np.ndarray) -> np.ndarray:
    """Return all real and imaginary parts of each row of a complex array in C order, (B, ·): a view."""
    return channel.reshape(len(channel), -1).view(np.float64)


def batch_shape_of(batch: tuple[int, ...] | int) -> tuple[int, ...]:
    """Return leading dimensions as a tuple, or raise ValueError."""
    shape = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    if not all(isinstance(size, (int, np.integer)) and size >= 0 for size in shape):
        raise ValueError(f"batch must be a tuple of integers ≥ 0, got {batch!r}")
    return tuple(int(size) for size in shape)
