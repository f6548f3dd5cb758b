"""Random networks and tasks, from a seed: positions are uniform, links those of the scenario's channel model.

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
from secagent_env.propagation.disc import place_in_disc
from secagent_env.sampling.fading import Links
from secagent_env.sampling.modelled import Lasting, ModelledLinks, empty_phases, links_at
from secagent_env.sampling.seeds import Seed, generators_of

_PER_AGENT = 7
"""Uniform numbers an agent draws: x, y, k, q, f, p^exe, ln C."""

_KEPT = ("compute_power_w", "accuracy", "position_m", "eve_position_m")
"""The arrays that all tasks of a deployment share."""

CHUNK = 256
"""How many instances are drawn at a time, so that intermediate arrays stay in the processor's cache."""


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
    generators = generators_of(seed, math.prod(shape))
    instances = empty_instances(scenario, len(generators))
    for start in range(0, len(generators), CHUNK):
        rows = slice(start, start + CHUNK)
        draw_into(instances[rows], generators[rows])
    return instances._map(lambda array: array.reshape(shape + array.shape[1:]))


@dataclass(frozen=True, eq=False, kw_only=True)
class Deployment(Batched):
    """The part of B networks that lasts from task to task: places, links before fading, and the agents' abilities.

    Parameters
    ----------
    scenario
        Of all of them.
    position_m, eve_position_m
        (B, N, 2) and (B, E, 2), m.
    eve_offset_m
        How far from ``eve_position_m`` the eavesdroppers are in truth, (B, E, 2), m.
    model_dim, compute_rate, compute_power_w, accuracy
        k_n, f_n in operations/s, p_n^exe in W and Acc_n of (14), each (B, N).
    links
        Of the places (B).
    """

    scenario: Scenario
    position_m: np.ndarray
    eve_position_m: np.ndarray
    eve_offset_m: np.ndarray
    model_dim: np.ndarray
    compute_rate: np.ndarray
    compute_power_w: np.ndarray
    accuracy: np.ndarray
    links: Links | ModelledLinks

    _shared: ClassVar[tuple[str, ...]] = ("scenario",)
    _measured: ClassVar[tuple[str, int]] = ("accuracy", 1)

    def inference_time_s(self, tool_unit: np.ndarray | float) -> np.ndarray:
        """Return the agents' inference times (16), (B, N), s, at tool calls from draws in [0, 1)."""
        return inference_time(self.scenario, self.model_dim, self.compute_rate, tool_unit)


def draw_deployments(scenario: Scenario, generators: Sequence[np.random.Generator]) -> tuple[Deployment, Instance]:
    """Draw a batch of deployments, one from each generator (B of them), and the first task of each."""
    task = empty_instances(scenario, len(generators))
    deployment, _ = draw_into(task, generators)
    return deployment, task


def draw_tasks(deployment: Deployment, generators: Sequence[np.random.Generator]) -> Instance:
    """Draw the next task in each of B deployments, tool calls and the fading of all links, from a generator each."""
    task = with_kept(deployment, empty_instances(deployment.scenario, len(generators)))
    unit = np.empty((len(generators), deployment.scenario.num_agents))
    phases = empty_phases(deployment.scenario, len(generators))
    _finish(deployment, unit, _numbers(task, generators, unit, [("random", phases)]), phases, task)
    return task


def with_kept(deployment: Deployment, task: Instance) -> Instance:
    """Write what all tasks of a deployment share to tasks (B), and return these."""
    for name in _KEPT:
        getattr(task, name)[...] = getattr(deployment, name)
    return task


def empty_instances(scenario: Scenario, size: int) -> Instance:
    """Return a batch of instances whose numbers are yet to be written, all arrays in C order."""
    n, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers
    return Instance._trusted(
        scenario=scenario,
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


def draw_into(
    task: Instance,
    generators: Sequence[np.random.Generator],
    position_m: np.ndarray | None = None,
    eve_position_m: np.ndarray | None = None,
) -> tuple[Deployment, np.ndarray]:
    """Draw a deployment from each generator (B of them), and write the first task of each to ``task`` (B).

    ``position_m`` (B, N, 2) and ``eve_position_m`` (B, E, 2), m, take the place of the positions drawn; all other
    draws stay what they are. The eavesdroppers' are those reported; their links are those of places drawn around them.

    Returns the deployments, and the gains of the pairs of agents, (B, N (N − 1) / 2) in the order of
    ``np.triu_indices(N, 1)``: the upper triangle of ``gain_agents``.
    """
    scenario = task.scenario
    n, eves = scenario.num_agents, scenario.num_eavesdroppers
    uniform = np.empty((len(generators), _PER_AGENT * n + 2 * eves))
    lasting, phases = Lasting.empty(scenario, len(generators)), empty_phases(scenario, len(generators))
    more = [("standard_normal", lasting.shade), ("standard_normal", lasting.strength), ("random", lasting.sight)]
    astray = np.zeros((len(generators), 2 * eves if scenario.eve_position_error_m else 0))
    exponential = _numbers(task, generators, uniform, [*more, ("random", phases), ("random", astray)])
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
    drawn = per_agent[:, :2].swapaxes(1, 2)
    position[...] = drawn if position_m is None else position_m
    drawn = _spread(uniform[:, _PER_AGENT * n :].reshape(-1, eves, 2), scenario.eve_area_m)
    eve_position[...] = drawn if eve_position_m is None else eve_position_m
    offset = np.zeros_like(eve_position)
    if astray.size:
        offset = place_in_disc(scenario.eve_position_error_m, astray.reshape(offset.shape))
    if scenario.model_sizes is not None:  # what was drawn is not used: everything else stays the draw of the seed
        dim[...] = scenario.model_dims
    task.accuracy[...] = scaling_law_accuracy(dim, np.exp(log_budget), scenario.task_difficulty)
    task.compute_power_w[...] = power
    deployment = Deployment(
        scenario=scenario,
        position_m=position,
        eve_position_m=eve_position,
        eve_offset_m=offset,
        model_dim=dim,
        compute_rate=rate,
        compute_power_w=task.compute_power_w,
        accuracy=task.accuracy,
        links=links_at(scenario, position, eve_position + offset, lasting),
    )
    return deployment, _finish(deployment, tools, exponential, phases, task)


def _numbers(
    task: Instance,
    generators: Sequence[np.random.Generator],
    uniform: np.ndarray,
    more: Sequence[tuple[str, np.ndarray]],
) -> np.ndarray:
    """Draw each generator's uniform, normal and exponential numbers, in this order, and then ``more``.

    The first go to ``uniform`` (B, ·), the second to the channels of ``task``, the third are returned (B, ·), with a
    zero behind them. ``more`` are methods of a generator and the arrays (B, ·) that they fill; empty ones take nothing.
    """
    more = [(name, rows) for name, rows in more if rows.size]
    n, eves = task.scenario.num_agents, task.scenario.num_eavesdroppers
    exponential = np.empty((len(generators), n * (n - 1) // 2 + n * eves + 1))
    exponential[:, -1] = 0.0
    channel_bs, channel_eve = _real(task.channel_bs), _real(task.channel_eve)
    for i, (generator, unit, to_bs, to_eve, gains) in enumerate(
        zip(generators, uniform, channel_bs, channel_eve, exponential[:, :-1], strict=True)
    ):
        generator.random(out=unit)
        generator.standard_normal(out=to_bs)
        generator.standard_normal(out=to_eve)
        generator.standard_exponential(out=gains)
        for name, rows in more:
            getattr(generator, name)(out=rows[i])
    return exponential


def _finish(
    deployment: Deployment, tool_unit: np.ndarray, exponential: np.ndarray, phases: np.ndarray, task: Instance
) -> np.ndarray:
    """Write inference times, faded channels and gains to ``task``, and return the gains of the pairs of agents.

    ``tool_unit`` (B, N) are the draws in [0, 1) of the tool calls, ``exponential`` those of :func:`_numbers`, which
    are changed, and ``phases`` those of the lines of sight.
    """
    task.inference_time_s[...] = deployment.inference_time_s(tool_unit)
    return deployment.links.fade(task, exponential, phases)


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
