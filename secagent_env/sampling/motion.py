"""Agents and eavesdroppers that move between tasks, and what the links remember of where they were.

**Places.** Velocities are Gauss–Markov: each component is an Ornstein–Uhlenbeck process, whose correlation falls as
exp(−Δt/T). Velocity and displacement over an interval are drawn jointly and exactly, so that two intervals are as good
as one of their sum. Whoever meets the border of its area is reflected; agents stay uniform in it.

**Links.** Everything random of a link is a Gaussian number x that goes on as x' = ρx + √(1 − ρ²) w:

- shadowing, line of sight (through its quantile) and Rician K with ρ = exp(−Δx/d_corr), Δx being how far the ends
  moved, both distances added. For shadowing d_corr is that of the present state of sight; for the line of sight and K
  that of a line of sight, since one that follows the state would change how likely the states are;
- what is scattered with ρ = J₀(2π f_D Δt), f_D = v/λ, the product over the ends that move: exact from one task to the
  next, and not beyond;
- a line of sight turns by the change of its length over the wavelength.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import j0, ndtr

from secagent_env.model.batched import Batched
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario
from secagent_env.propagation.path_loss import SPEED_OF_LIGHT
from secagent_env.sampling.generator import Deployment, empty_instances, with_kept
from secagent_env.sampling.modelled import Lasting, empty_phases, links_at, links_of
from secagent_env.support.checks import number
from secagent_env.support.errors import check_name

MOBILITIES = ("gauss-markov",)


@dataclass(frozen=True, kw_only=True)
class Mobility:
    """How fast who moves, and how long a task takes.

    Parameters
    ----------
    speed_m_s, eve_speed_m_s
        Mean speed of agents and of eavesdroppers, m/s; 0: they rest.
    task_interval_s
        From one task to the next, s.
    velocity_memory_s
        T, after which a velocity keeps 1/e of its correlation, s.
    """

    speed_m_s: float = 1.0
    eve_speed_m_s: float = 0.0
    task_interval_s: float
    velocity_memory_s: float = 30.0

    @classmethod
    def checked(cls, name: str | None, scenario: Scenario, given: Mapping[str, Any]) -> Mobility | None:
        """Return the mobility called ``name``, None of None, of the arguments given; by default tasks are τ apart.

        Raises
        ------
        ValueError
            If there is no such mobility, an argument is out of range, or one is given where all rest.
        """
        if name is None:
            if given:
                raise ValueError(f"{next(iter(given))} needs mobility='gauss-markov', got mobility=None")
            return None
        check_name("mobility", name, MOBILITIES)
        bounds = {"task_interval_s": {"above": 0}, "velocity_memory_s": {"above": 0}}
        values = {field: number(field, value, **bounds.get(field, {"low": 0})) for field, value in given.items()}
        moving = cls(**{"task_interval_s": scenario.latency_limit_s, **values})
        if moving.eve_speed_m_s and all(low == high for low, high in np.reshape(scenario.eve_area_m, (2, 2))):
            raise ValueError("eve_speed_m_s needs an eve_area_m with room to move, got a point")
        return moving

    def seen(self, scenario: Scenario, motion: Motion) -> np.ndarray:
        """Return place and velocity as policies see them, (B, N + E, 4): −1 and 1 are the borders; over mean speed."""
        low, high = _areas(scenario)
        half = np.where(high > low, (high - low) / 2, 1.0)
        counts = [scenario.num_agents, scenario.num_eavesdroppers]
        speed = np.repeat([self.speed_m_s or 1.0, self.eve_speed_m_s or 1.0], counts)[:, None]
        return np.concatenate([(motion.place_m - (low + high) / 2) / half, motion.velocity_m_s / speed], axis=-1)

    def spread(self, scenario: Scenario) -> np.ndarray:
        """Return the standard deviations of the velocities' components, (N + E, 2), m/s; 0 where there is no room."""
        speeds = np.repeat([self.speed_m_s, self.eve_speed_m_s], [scenario.num_agents, scenario.num_eavesdroppers])
        low, high = _areas(scenario)
        return speeds[:, None] * math.sqrt(2 / math.pi) * (high > low)


@dataclass(frozen=True, eq=False, kw_only=True)
class Motion(Batched):
    """B networks in motion.

    Attributes
    ----------
    place_m, velocity_m_s
        Of agents and then eavesdroppers, where these are reported, (B, N + E, 2).
    large
        Gaussian numbers of shadowing, line of sight and K of all links, (B, 3, links).
    scatter
        Standard normal real and imaginary parts of what is scattered to each antenna of the base station's links and
        between devices, (B, (N + E) L + D, 2).
    turns
        Phases of the lines of sight, in turns: :func:`~secagent_env.sampling.modelled.empty_phases`, (B, ·).
    los
        Which links have a line of sight, (B, links).
    """

    place_m: np.ndarray
    velocity_m_s: np.ndarray
    large: np.ndarray
    scatter: np.ndarray
    turns: np.ndarray
    los: np.ndarray

    _measured: ClassVar[tuple[str, int]] = ("los", 1)


def start(
    mobility: Mobility, deployment: Deployment, task: Instance, generators: Sequence[np.random.Generator]
) -> tuple[Motion, Deployment, Instance]:
    """Return deployments in motion, their links, and their first tasks, from deployments and tasks just drawn (B)."""
    scenario = deployment.scenario
    normal = _normal(scenario, generators)
    motion = Motion(
        place_m=np.concatenate([deployment.position_m, deployment.eve_position_m], axis=1),
        velocity_m_s=normal.velocity * mobility.spread(scenario),
        large=normal.large,
        scatter=normal.scatter,
        turns=_turns(scenario, generators),
        los=np.empty((len(generators), 0), bool),
    )
    return _arrived(motion, deployment, task.inference_time_s)


def advance(
    mobility: Mobility, motion: Motion, deployment: Deployment, generators: Sequence[np.random.Generator]
) -> tuple[Motion, Deployment, Instance]:
    """Return everything at the next tasks: moved, with new tool calls, and with links that remember (B)."""
    scenario = deployment.scenario
    unit = np.stack([generator.random(scenario.num_agents) for generator in generators])
    normal = _normal(scenario, generators)
    place, velocity = _moved(mobility, scenario, motion, normal.velocity, normal.displacement)
    moved = np.linalg.norm(place - motion.place_m, axis=-1)
    doppler = (
        np.linalg.norm(motion.velocity_m_s, axis=-1) * mobility.task_interval_s * scenario.carrier_hz / SPEED_OF_LIGHT
    )
    with_sight, without = scenario.propagation.correlation_m
    apart = _over_links(scenario, moved, np.add, 0.0)
    shade, sight = np.exp(-apart / np.where(motion.los, with_sight, without)), np.exp(-apart / with_sight)
    kept = np.stack([shade, sight, sight], axis=1)
    faded = _over_links(scenario, j0(2 * math.pi * doppler), np.multiply, 1.0)
    base = links_of(scenario)[0]
    of_antennas = np.concatenate([np.repeat(faded[:, :base], scenario.num_antennas, axis=1), faded[:, base:]], axis=1)
    lengths = (_lengths(scenario, at, deployment.eve_offset_m) for at in (place, motion.place_m))
    lengthened = operator.sub(*lengths) * scenario.carrier_hz / SPEED_OF_LIGHT
    per_link = scenario.num_antennas if scenario.array == "iid" else 1
    turned = np.concatenate([np.repeat(lengthened[:, :base], per_link, axis=1), lengthened[:, base:]], axis=1)
    return _arrived(
        Motion(
            place_m=place,
            velocity_m_s=velocity,
            large=_remembered(motion.large, kept, normal.large),
            scatter=_remembered(motion.scatter, of_antennas[..., None], normal.scatter),
            turns=np.mod(motion.turns - turned, 1.0) if motion.turns.size else motion.turns,
            los=motion.los,
        ),
        deployment,
        deployment.inference_time_s(unit),
    )


def _arrived(motion: Motion, deployment: Deployment, time_s: np.ndarray) -> tuple[Motion, Deployment, Instance]:
    """Return motion, deployments and tasks with the links of these places and numbers."""
    scenario, size = deployment.scenario, len(motion.place_m)
    n, (base, devices) = scenario.num_agents, links_of(scenario)
    shade, sight, strength = motion.large.swapaxes(0, 1)
    links = links_at(
        scenario,
        np.ascontiguousarray(motion.place_m[:, :n]),
        motion.place_m[:, n:] + deployment.eve_offset_m,
        Lasting(shade=shade, sight=ndtr(sight), strength=strength),
    )
    deployment = dataclasses.replace(
        deployment, position_m=motion.place_m[:, :n], eve_position_m=motion.place_m[:, n:], links=links
    )
    task = with_kept(deployment, empty_instances(scenario, size))
    task.inference_time_s[...] = time_s
    split = n * scenario.num_antennas, base * scenario.num_antennas
    task.channel_bs.view(np.float64).reshape(size, -1)[...] = motion.scatter[:, : split[0]].reshape(size, -1)
    task.channel_eve.view(np.float64).reshape(size, -1)[...] = motion.scatter[:, slice(*split)].reshape(size, -1)
    real, imaginary = np.moveaxis(motion.scatter[:, split[1] :], -1, 0)
    power = np.zeros((size, devices + 1))
    power[:, :-1] = (real**2 + imaginary**2) / 2
    phase = motion.turns.copy()
    if phase.size:  # between devices only the phase between the line of sight and what is scattered matters
        phase[:, -devices:] -= np.arctan2(imaginary, real) / (2 * math.pi)
    links.fade(task, power, phase)
    return dataclasses.replace(motion, los=links.los), deployment, task


@dataclass(frozen=True)
class _Normal:
    """Standard normal numbers of B networks: (B, N + E, 2) twice, (B, 3, links), (B, ·, 2)."""

    velocity: np.ndarray
    displacement: np.ndarray
    large: np.ndarray
    scatter: np.ndarray


def _normal(scenario: Scenario, generators: Sequence[np.random.Generator]) -> _Normal:
    base, devices = links_of(scenario)
    shapes = ((base, 2), (base, 2), (3, base + devices), (base * scenario.num_antennas + devices, 2))
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    drawn = np.stack([generator.standard_normal(ends[-1]) for generator in generators])
    parts = np.split(drawn, ends[:-1], axis=1)
    return _Normal(*(part.reshape(len(drawn), *shape) for part, shape in zip(parts, shapes, strict=True)))


def _turns(scenario: Scenario, generators: Sequence[np.random.Generator]) -> np.ndarray:
    turns = empty_phases(scenario, len(generators))
    for generator, row in zip(generators, turns, strict=True):
        generator.random(out=row)
    return turns


def _remembered(old: np.ndarray, correlation: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    return correlation * old + np.sqrt(1 - correlation**2) * fresh


def _moved(
    mobility: Mobility, scenario: Scenario, motion: Motion, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return places and velocities an interval later, from standard normal numbers (B, N + E, 2) each."""
    memory, interval = mobility.velocity_memory_s, mobility.task_interval_s
    lost = -math.expm1(-interval / memory)  # 1 − e^(−Δt/T)
    spread = mobility.spread(scenario)
    renewed = math.sqrt(lost * (2 - lost))  # √(1 − e^(−2Δt/T))
    with_velocity = memory * lost**2 / renewed
    variance = memory**2 * (2 * interval / memory - lost * (2 + lost))
    own = math.sqrt(max(variance - with_velocity**2, 0.0))
    velocity = (1 - lost) * motion.velocity_m_s + spread * renewed * first
    step = memory * lost * motion.velocity_m_s + spread * (with_velocity * first + own * second)
    return _reflected(scenario, motion.place_m + step, velocity)


def _areas(scenario: Scenario) -> np.ndarray:
    """Return the low and the high ends of x and y of the areas of agents and eavesdroppers, (2, N + E, 2)."""
    counts = [scenario.num_agents, scenario.num_eavesdroppers]
    return np.moveaxis(np.repeat(np.array([scenario.area_m, scenario.eve_area_m], float), counts, axis=0), -1, 0)


def _reflected(scenario: Scenario, place: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places and velocities (B, N + E, 2) as borders of the areas mirror them."""
    low, high = _areas(scenario)
    width = np.where(high > low, high - low, 1.0)
    along = np.mod(place - low, 2 * width)
    back = along > width
    inside = low + np.where(back, 2 * width - along, along)
    return np.where(high > low, np.clip(inside, low, high), low), np.where(back, -velocity, velocity)


def _lengths(scenario: Scenario, place: np.ndarray, eve_offset: np.ndarray) -> np.ndarray:
    """Return the lengths of all links, (B, links), m."""
    n, model = scenario.num_agents, scenario.propagation
    first, second = np.triu_indices(n, 1)
    at, eves = place[:, :n], place[:, n:] + eve_offset
    to_bs = model.slant_m(np.linalg.norm(np.concatenate([at, eves], axis=1), axis=-1), from_bs=True)
    pairs = np.linalg.norm(at[:, first] - at[:, second], axis=-1)
    to_eves = np.linalg.norm(at[:, :, None] - eves[:, None], axis=-1).reshape(len(place), -1)
    return np.concatenate([to_bs, pairs, to_eves], axis=1)


def _over_links(scenario: Scenario, of_device: np.ndarray, both: np.ufunc, resting: float) -> np.ndarray:
    """Return ``both`` ends' numbers together for all links, (B, links), of devices (B, N + E); the base rests."""
    n = scenario.num_agents
    first, second = np.triu_indices(n, 1)
    at, eves = of_device[:, :n], of_device[:, n:]
    to_eves = both(at[:, :, None], eves[:, None]).reshape(len(of_device), -1)
    return np.concatenate([both(of_device, resting), both(at[:, first], at[:, second]), to_eves], axis=1)
