"""Scenes: snapshots that the antennas of a base station receive from its user, neighbours and a jammer.

With h(t), (L,), the channel of the user, g_k(t) that of neighbour k, j(t) that of the jammer, and the known pilot taken
out, antenna l receives in snapshot t on subcarrier f

    y(t, f) = √p h(t) + Σ_k √q_k b_k(f) s_k(t, f) g_k(t) + √r z(t, f) j(t) + n(t, f),

with QPSK symbols s_k on the subcarriers b_k of neighbour k, Gaussian z and n, and noise of power 1. The band of 16
subcarriers of 15 kHz is narrow beside the coherence bandwidth, so that channels do not depend on f. Channels come from
:mod:`secagent_env.sampling.motion`: places, path loss, shadowing, line of sight, Rician K, arrays, Doppler.

The user's power p follows its path loss with a line of sight (open-loop power control), so that a line of sight that is
lost shows in the level. Neighbours and jammers are received at levels that are drawn, but for their shadowing: those
that are too weak to be noticed are no condition.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from secagent_env.model.batched import Batched
from secagent_env.model.scenario import Scenario
from secagent_env.radio_scenes.conditions import Conditions, condition_set, indicators
from secagent_env.radio_scenes.settings import ANTENNAS, CHANNELS, MOVING, USER
from secagent_env.sampling.generator import draw_deployments
from secagent_env.sampling.motion import Mobility, advance, start
from secagent_env.sampling.seeds import Seed, generators_of
from secagent_env.support.errors import check_name

SNAPSHOTS, SUBCARRIERS = 16, 16
SHAPE = (SNAPSHOTS, SUBCARRIERS, ANTENNAS)
"""Of an observation: snapshots, subcarriers, antennas."""
AHEAD = 8
"""Snapshots after those observed, in which a counter-measure is judged."""
INTERVAL_S = 0.5e-3
"""From one snapshot to the next."""
SLOW_M_S, FAST_M_S = (0.2, 1.0), (10.0, 30.0)
"""Speeds of the user at a walk, and of the user or the neighbour at speed."""
USER_DB, NEIGHBOUR_DB, JAMMER_DB = (12.0, 18.0), (8.0, 18.0), (8.0, 18.0)
"""Ranges of the mean power at an antenna over the noise, dB: the user's in line of sight; all without shadowing."""
BLOCK = (3, 8)
"""Fewest and most subcarriers of a neighbour."""
_SURE = 10.0
"""A standard normal number whose quantile is 1, to rounding, and stays so over the snapshots."""
_CHUNK = 256


@dataclass(frozen=True, eq=False, kw_only=True)
class Scenes(Batched):
    """B scenes.

    Attributes
    ----------
    received
        (B, 16, 16, 8) complex64: snapshots, subcarriers, antennas; the noise has power 1.
    present
        Which of the conditions a scene has, (B, 5).
    channel
        Channels of user, neighbour at rest, neighbour at speed and jammer, scaled to their received power over the
        noise, 0 where they are silent, in the snapshots observed and the 8 after, (B, 24, 4, 8) complex64.
    occupied
        The subcarriers of the two neighbours, (B, 2, 16) bool; none where they are silent.
    line_of_sight
        Whether the user has one, (B,).
    """

    received: np.ndarray
    present: np.ndarray
    channel: np.ndarray
    occupied: np.ndarray
    line_of_sight: np.ndarray

    _measured: ClassVar[tuple[str, int]] = ("present", 1)

    def __len__(self) -> int:
        return len(self.present)


def sample_scenes(
    sets: Sequence[Collection[str]], channel: str | Scenario = "umi", seed: Seed = 0, first: int = 0
) -> Scenes:
    """Draw a scene for each of B sets of conditions.

    Parameters
    ----------
    sets
        Names of conditions each, such as ``("jamming", "doppler")``; an empty one is a clear scene.
    channel
        One of :data:`~secagent_env.radio_scenes.settings.CHANNELS`, or a scenario with four agents and eight antennas,
        whose path loss knows a line of sight.
    seed, first
        Scene i depends on the seed, ``first`` + i, its set and its channel alone.

    Raises
    ------
    ValueError
        If a name is unknown, there are no sets, or the scenario does not fit.
    """
    scenario = _checked(channel)
    wanted = [condition_set(names) for names in sets]
    if not wanted:
        raise ValueError("sets must name at least one scene's conditions; an empty set is a clear scene")
    generators = generators_of(seed, len(wanted), _generator, first)
    parts = [
        _drawn(scenario, wanted[begin : begin + _CHUNK], generators[begin : begin + _CHUNK])
        for begin in range(0, len(wanted), _CHUNK)
    ]
    fields = [field.name for field in dataclasses.fields(Scenes)]
    return Scenes(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})


def _generator(seed: int, index: int) -> np.random.Generator:
    """Return the generator of a scene, which is no instance's."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, 22)))


def _checked(channel: str | Scenario) -> Scenario:
    if not isinstance(channel, Scenario):
        return CHANNELS[check_name("channel of scenes", channel, CHANNELS)]
    if (channel.num_agents, channel.num_antennas) != (4, ANTENNAS):
        raise ValueError(
            f"scenes need a scenario with 4 agents and {ANTENNAS} antennas, got {channel.num_agents} and "
            f"{channel.num_antennas}"
        )
    if not channel.propagation.draws:
        raise ValueError(f"scenes need a path_loss that knows a line of sight, got {channel.path_loss!r}")
    return channel


def _drawn(scenario: Scenario, sets: Sequence[Conditions], generators: Sequence[np.random.Generator]) -> Scenes:
    present = indicators(sets)
    interference, blockage, moving, jamming, doppler = present.T
    size = len(sets)
    faded, distance_m, los = _channels(scenario, generators, blockage, doppler)
    units = np.array([generator.random(8) for generator in generators]).reshape(size, 8)
    sending = np.stack([np.ones(size, bool), interference, moving, jamming], axis=1)
    levels = np.array([USER_DB, NEIGHBOUR_DB, NEIGHBOUR_DB, JAMMER_DB])
    level_db = levels[:, 0] + (levels[:, 1] - levels[:, 0]) * units[:, :4]
    with_sight, without = scenario.propagation.losses_db(distance_m, True)
    sees = los | (np.arange(4) == USER)  # power control hopes for a line of sight
    scale = np.sqrt(sending * 10 ** ((level_db + np.where(sees, with_sight, without)) / 10))
    channel = faded * scale[:, None, :, None]
    occupied = _blocks(units[:, 4:6], units[:, 6:8]) & present[:, [0, 2], None]
    received = _received(channel[:, :SNAPSHOTS], occupied, generators)
    return Scenes(
        received=received.astype(np.complex64),
        present=present,
        channel=channel.astype(np.complex64),
        occupied=occupied,
        line_of_sight=los[:, USER],
    )


def _channels(
    scenario: Scenario, generators: Sequence[np.random.Generator], blockage: np.ndarray, doppler: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return channels (B, 24, 4, 8), distances to the base station (B, 4), m, and which links have a line of sight."""
    mobility = Mobility(speed_m_s=0.0, task_interval_s=INTERVAL_S, velocity_memory_s=1e6)  # all keep their velocity
    deployment, task = draw_deployments(scenario, generators)
    motion, deployment, _ = start(mobility, deployment, task, generators)
    units = np.array([generator.random((2, 4)) for generator in generators]).reshape(-1, 2, 4)
    slow, fast = (low + (high - low) * units[:, 0] for low, high in (SLOW_M_S, FAST_M_S))
    speed = np.zeros_like(slow)
    speed[:, USER] = np.where(doppler, fast[:, USER], slow[:, USER])
    speed[:, MOVING] = fast[:, MOVING]
    angle = 2 * np.pi * units[:, 1]
    velocity, large = np.zeros_like(motion.velocity_m_s), motion.large.copy()
    velocity[:, :4] = speed[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    large[:, 1, USER] = np.where(blockage, _SURE, -_SURE)
    motion = dataclasses.replace(motion, velocity_m_s=velocity, large=large)
    channels = np.empty((len(generators), SNAPSHOTS + AHEAD, 4, ANTENNAS), complex)
    for snapshot in range(SNAPSHOTS + AHEAD):
        motion, deployment, task = advance(mobility, motion, deployment, generators)
        channels[:, snapshot] = task.channel_bs
    distance_m = np.maximum(np.linalg.norm(motion.place_m[:, :4], axis=-1), scenario.propagation.range_m[0])
    return channels, distance_m, motion.los[:, :4]


def _blocks(width: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Return neighbouring subcarriers (B, K, 16), as many and from where uniform draws (B, K) say."""
    low, high = BLOCK
    count = low + np.floor((high - low + 1) * width)
    first = np.floor((SUBCARRIERS - count + 1) * begin)
    place = np.arange(SUBCARRIERS)
    return (place >= first[..., None]) & (place < (first + count)[..., None])


def _received(channel: np.ndarray, occupied: np.ndarray, generators: Sequence[np.random.Generator]) -> np.ndarray:
    """Return what is received, (B, 16, 16, 8), over channels (B, 16, 4, 8)."""
    size = len(channel)
    noise = np.empty((size, *SHAPE, 2))
    jam = np.empty((size, SNAPSHOTS, SUBCARRIERS, 2))
    quarter = np.empty((size, 2, SNAPSHOTS, SUBCARRIERS), np.int64)
    for i, generator in enumerate(generators):
        generator.standard_normal(out=noise[i])
        generator.standard_normal(out=jam[i])
        quarter[i] = generator.integers(4, size=quarter.shape[1:])
    symbols = np.exp(1j * np.pi / 4 * (2 * quarter + 1)) * occupied[:, :, None]
    sent = np.stack(
        [np.ones_like(symbols[:, 0]), symbols[:, 0], symbols[:, 1], jam.view(complex)[..., 0] / np.sqrt(2)], axis=-1
    )  # of user, neighbours and jammer, (B, 16, 16, 4)
    return sent @ channel + noise.view(complex)[..., 0] / np.sqrt(2)
