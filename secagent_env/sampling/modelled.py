"""Links of every channel model but the paper's: path loss, line of sight, shadowing, Rician fading, arrays.

The paper's, with Rayleigh fading, is :class:`secagent_env.sampling.fading.Links`. A coefficient with the mean power
gain G of its link is

    h = √G (√(K/(K+1)) e^(jφ) a(u, v) + √(1/(K+1)) C z),    z ~ CN(0, I),

with K = 0 where there is no line of sight, the array's response a and R = C Cᴴ the correlation of what is scattered.
Links are those of the base station, to N agents and then to E eavesdroppers, and those between devices: N (N − 1) / 2
pairs in the order of ``np.triu_indices(N, 1)``, then N E from agents to eavesdroppers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from secagent_env.model.batched import Batched
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario
from secagent_env.propagation.arrays import exponential_factor, grid_of, one_ring_factor, response
from secagent_env.propagation.path_loss import DECIBEL
from secagent_env.sampling.fading import Links, squared_distance, squared_pair_distance, write_pairs

_ROWS = 32
"""How many instances' links fit the cache."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Lasting(Batched):
    """The random numbers of a link that last as long as the places of its ends, of B instances, all links in a row.

    Attributes
    ----------
    shade, sight
        Standard normal numbers of the shadowing and uniform ones in [0, 1) of the line of sight, (B, links); (B, 0)
        where the path loss draws none.
    strength
        Standard normal numbers of the Rician K, (B, links); (B, 0) where it is given.
    """

    shade: np.ndarray
    sight: np.ndarray
    strength: np.ndarray

    _measured: ClassVar[tuple[str, int]] = ("shade", 1)

    @classmethod
    def empty(cls, scenario: Scenario, size: int) -> Lasting:
        """Return those of ``size`` instances, yet to be drawn."""
        links = sum(links_of(scenario))
        drawn = links if scenario.propagation.draws else 0
        strength = links if scenario.fading == "rician" and scenario.rician_k_db is None else 0
        return cls(shade=np.empty((size, drawn)), sight=np.empty((size, drawn)), strength=np.empty((size, strength)))


def links_of(scenario: Scenario) -> tuple[int, int]:
    """Return how many links the base station has, and how many there are between devices."""
    n, eves = scenario.num_agents, scenario.num_eavesdroppers
    return n + eves, n * (n - 1) // 2 + n * eves


def empty_phases(scenario: Scenario, size: int) -> np.ndarray:
    """Return the phases of the lines of sight in turns, (B, ·), yet to be drawn.

    Those of the base station's links (of each of their antennas where these have no geometry), then those between
    devices; none where no link is Rician.
    """
    base, devices = links_of(scenario)
    per_link = scenario.num_antennas if scenario.array == "iid" else 1
    return np.empty((size, (base * per_link + devices) * (scenario.fading == "rician")))


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelledLinks(Batched):
    """All links of B networks before fading.

    Parameters
    ----------
    scenario
        Of all of them.
    gain_base, gain_devices
        E|h|² given shadowing and line of sight, (B, N + E) per antenna of the base station, and (B, D).
    line_base, line_devices
        K/(K+1), the line of sight's share of it, of the same shapes; None with Rayleigh fading.
    direction
        Unit vectors from the base station to the other ends, (B, N + E, 3), along the array's broadside, along its
        rows and upwards; None where nothing depends on them.
    los
        Which links have a line of sight, (B, N + E + D).
    """

    scenario: Scenario
    gain_base: np.ndarray
    gain_devices: np.ndarray
    line_base: np.ndarray | None
    line_devices: np.ndarray | None
    direction: np.ndarray | None
    los: np.ndarray

    _shared: ClassVar[tuple[str, ...]] = ("scenario",)
    _measured: ClassVar[tuple[str, int]] = ("gain_base", 1)

    @classmethod
    def between(
        cls, scenario: Scenario, position_m: np.ndarray, eve_position_m: np.ndarray, lasting: Lasting
    ) -> ModelledLinks:
        """Return the links of agents at (B, N, 2) and eavesdroppers at (B, E, 2) m; the base station is at (0, 0)."""
        size, (base, devices) = len(position_m), links_of(scenario)
        gain, los = np.empty((size, base + devices)), np.empty((size, base + devices), bool)
        places = np.concatenate([position_m, eve_position_m], axis=1)

        def write(rows: slice, part: slice, squared: np.ndarray, from_bs: bool) -> None:
            if scenario.propagation.draws:
                shade, sight = lasting.shade[rows, part], lasting.sight[rows, part]
                gain[rows, part], los[rows, part] = scenario.propagation.gain(squared, from_bs, shade, sight)
            else:
                gain[rows, part], los[rows, part] = scenario.propagation.mean_gain(squared, from_bs), True

        write(slice(size), slice(base), squared_distance(places), True)
        for rows in _slices(size):
            to_eve = squared_distance(position_m[rows, :, None] - eve_position_m[rows, None])
            pairs = squared_pair_distance(position_m[rows])
            between = np.concatenate([pairs, to_eve.reshape(len(pairs), -1)], axis=1)
            write(rows, slice(base, None), between, False)
        line = _line(scenario, los, lasting.strength) if scenario.fading == "rician" else None
        turned = scenario.scatter_correlation == "one-ring" or (line is not None and scenario.array != "iid")
        return cls(
            scenario=scenario,
            gain_base=gain[:, :base],
            gain_devices=gain[:, base:],
            line_base=None if line is None else line[:, :base],
            line_devices=None if line is None else line[:, base:],
            direction=_directions(scenario, places) if turned else None,
            los=los,
        )

    def fade(self, instances: Instance, exponential: np.ndarray, phase: np.ndarray) -> np.ndarray:
        """Write faded channels and gains to B instances, and return the gains of the pairs, (B, N (N − 1) / 2).

        Parameters
        ----------
        instances
            Real and imaginary parts of their channels are standard normal draws, to be scaled.
        exponential
            Standard exponential draws, (B, D + 1), of what is scattered between devices, the last one 0; they are
            overwritten.
        phase
            Of the lines of sight, in turns: :func:`empty_phases`.
        """
        n, eves = self.scenario.num_agents, self.scenario.num_eavesdroppers
        devices, pairs = self.gain_devices.shape[-1], n * (n - 1) // 2
        for rows in _slices(len(exponential)):
            gains = exponential[rows, :-1]
            if self.line_devices is not None:
                _add_line(gains, self.line_devices[rows], phase[rows, -devices:])
            gains *= self.gain_devices[rows]
            self._fade_base(instances, rows, phase[rows, : phase.shape[1] - devices])
        write_pairs(exponential, instances.gain_agents)
        instances.gain_eve[...] = exponential[:, pairs:-1].reshape(-1, n, eves)
        return exponential[:, :pairs]

    def _fade_base(self, instances: Instance, rows: slice, phase: np.ndarray) -> None:
        n = self.scenario.num_agents
        start = 0
        for channel, links in ((instances.channel_bs, slice(n)), (instances.channel_eve, slice(n, None))):
            there: Any = channel[rows]
            gain = self.gain_base[rows, links]
            line = 0.0 if self.line_base is None else self.line_base[rows, links]
            self._correlate(there, rows, links)
            parts = there.view(np.float64)  # real factors are half the work of complex ones
            parts *= np.sqrt(gain * (1 - line) / 2)[..., None]
            if self.line_base is not None:
                per_link = phase.shape[1] // self.gain_base.shape[1]
                end = start + gain.shape[1] * per_link
                turned = _unit(phase[:, start:end].reshape(*gain.shape, per_link), np.sqrt(gain * line)[..., None])
                there += turned if self.direction is None else self._response(rows, links, turned[..., 0])
                start = end

    def _correlate(self, channel: np.ndarray, rows: slice, links: slice) -> None:
        """Make independent coefficients (B, ·, L) those of the scenario's scatter, in place."""
        scenario = self.scenario
        if scenario.scatter_correlation == "none":
            return
        grid = grid_of(scenario.array, scenario.num_antennas, scenario.array_rows)
        if scenario.scatter_correlation == "exponential":
            channel[...] = channel @ exponential_factor(grid, scenario.correlation_coefficient).T
            return
        spread = math.radians(scenario.angular_spread_deg)
        forward, side, up = np.moveaxis(self.direction[rows, links], -1, 0)  # type: ignore[index]
        azimuth, elevation = np.arctan2(side, forward), np.arcsin(up)
        for i in range(len(channel)):  # a matrix for each link: they would not fit the cache together
            factor = one_ring_factor(grid, scenario.antenna_spacing, azimuth[i], elevation[i], spread)
            channel[i] = (factor @ channel[i][..., None])[..., 0]

    def _response(self, rows: slice, links: slice, first: np.ndarray) -> np.ndarray:
        _, side, up = np.moveaxis(self.direction[rows, links], -1, 0)  # type: ignore[index]
        grid = grid_of(self.scenario.array, self.scenario.num_antennas, self.scenario.array_rows)
        return response(grid, self.scenario.antenna_spacing, side, up, first)


def links_at(
    scenario: Scenario, position_m: np.ndarray, eve_position_m: np.ndarray, lasting: Lasting
) -> Links | ModelledLinks:
    """Return the links of agents at (B, N, 2) and eavesdroppers at (B, E, 2) m, as the scenario's models have them."""
    plain = scenario.fading == "rayleigh" and scenario.scatter_correlation == "none"
    if plain and not scenario.propagation.draws:
        return Links.between(scenario, position_m, eve_position_m)
    return ModelledLinks.between(scenario, position_m, eve_position_m, lasting)


def _line(scenario: Scenario, los: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Return K/(K+1) of links, 0 without a line of sight."""
    if scenario.rician_k_db is not None:
        k = 10 ** (scenario.rician_k_db / 10)
        return np.where(los, k / (k + 1), 0.0)
    mean, spread = scenario.propagation.rician_k_db  # type: ignore[misc]
    return np.where(los, 1 / (1 + np.exp(-DECIBEL * (mean + spread * strength))), 0.0)


def _add_line(power: np.ndarray, line: np.ndarray, phase: np.ndarray) -> None:
    """Make the power E of what is scattered |√line + √((1 − line) E) e^(jφ)|², in place."""
    power *= 1 - line
    both = np.sqrt(power * line)
    both *= np.cos(_turns(phase))
    both *= 2
    power += line
    power += both
    np.maximum(power, 0.0, out=power)  # rounding


def _turns(phase: np.ndarray) -> np.ndarray:
    """Return uniform phases, from turns to radians, in single precision: 2²⁴ directions are as good as a circle."""
    return np.multiply(phase, 2 * math.pi, dtype=np.float32, casting="same_kind")


def _unit(phase: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return complex numbers of these lengths and phases, in turns."""
    angle = _turns(phase)
    along, across = np.cos(angle).astype(np.float64), np.sin(angle).astype(np.float64)
    scale = length / np.sqrt(along * along + across * across)  # the length is exact
    turned = np.empty(phase.shape, complex)
    np.multiply(along, scale, out=turned.real)
    np.multiply(across, scale, out=turned.imag)
    return turned


def _directions(scenario: Scenario, places: np.ndarray) -> np.ndarray:
    """Return unit vectors from the base station to places (…, 2): along broadside, along the rows, upwards."""
    model, bearing = scenario.propagation, math.radians(scenario.array_bearing_deg)
    cos, sin = math.cos(bearing), math.sin(bearing)
    x, y = places[..., 0], places[..., 1]
    vectors = np.empty((*x.shape, 3))
    vectors[..., 0] = cos * x + sin * y
    vectors[..., 1] = cos * y - sin * x
    vectors[..., 2] = model.device_height_m - model.bs_height_m
    length = np.sqrt(np.sum(vectors**2, axis=-1, keepdims=True))
    vectors /= np.where(length > 0, length, 1.0)
    return vectors


def _slices(size: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, size, _ROWS))
