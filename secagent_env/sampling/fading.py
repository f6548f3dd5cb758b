"""The paper's channel model: the path loss of every link, and the Rayleigh fading around it.

The path loss is ``32.4 + 20 log10(f/GHz) + 20 log10(d/m)`` dB; fading is Rayleigh with amplitude mean m = 10^(−PL/20),
so that a coefficient is CN(0, 4m²/π). Distances below 1 m count as 1 m. Every other model is in
:mod:`secagent_env.sampling.modelled`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from secagent_env.model.batched import Batched
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario
from secagent_env.propagation.paper import Paper


@dataclass(frozen=True, eq=False, kw_only=True)
class Links(Batched):
    """The mean strengths of all links of B networks, by path loss.

    Parameters
    ----------
    deviation_bs, deviation_eve
        Standard deviation of the real and of the imaginary part of a coefficient from the base station to each agent,
        (B, N), and to each eavesdropper, (B, E).
    mean_gain_pairs, mean_gain_eve
        Means of the power gains between agents, (B, N (N − 1) / 2) in the order of ``np.triu_indices(N, 1)``, and
        from agents to eavesdroppers, (B, N, E).
    """

    deviation_bs: np.ndarray
    deviation_eve: np.ndarray
    mean_gain_pairs: np.ndarray
    mean_gain_eve: np.ndarray

    _measured: ClassVar[tuple[str, int]] = ("deviation_bs", 1)

    @classmethod
    def between(cls, scenario: Scenario, position_m: np.ndarray, eve_position_m: np.ndarray) -> Links:
        """Return the links of agents at (B, N, 2) and eavesdroppers at (B, E, 2) m; the base station is at (0, 0)."""
        to_eve = squared_distance(position_m[:, :, None] - eve_position_m[:, None])
        at_1m = Paper(scenario.carrier_hz).gain_at_1m
        part = math.sqrt(at_1m / 2)  # the standard deviation of the real and of the imaginary part
        return cls(
            deviation_bs=part / np.sqrt(squared_distance(position_m)),
            deviation_eve=part / np.sqrt(squared_distance(eve_position_m)),
            mean_gain_pairs=at_1m / squared_pair_distance(position_m),
            mean_gain_eve=at_1m / to_eve,
        )

    @property
    def los(self) -> np.ndarray:
        """Which links have a line of sight, (B, N + E + D): all."""
        shapes = self.deviation_bs.shape, self.deviation_eve.shape, self.mean_gain_pairs.shape, self.mean_gain_eve.shape
        return np.ones((len(self), sum(math.prod(shape[1:]) for shape in shapes)), bool)

    def fade(self, instances: Instance, exponential: np.ndarray, phase: np.ndarray) -> np.ndarray:
        """Write faded channels and gains to B instances, and return the gains of the pairs, (B, N (N − 1) / 2).

        Parameters
        ----------
        instances
            Real and imaginary parts of their channels are standard normal draws, to be scaled.
        exponential
            Standard exponential draws, (B, N (N − 1) / 2 + N E + 1), of the power gains of pairs and to eavesdroppers,
            the last one 0; they are overwritten.
        phase
            None, (B, 0).
        """
        agents, eves = self.mean_gain_eve.shape[-2:]
        pairs = self.mean_gain_pairs.shape[-1]
        exponential[:, :pairs] *= self.mean_gain_pairs
        write_pairs(exponential, instances.gain_agents)
        np.multiply(exponential[:, pairs:-1].reshape(-1, agents, eves), self.mean_gain_eve, out=instances.gain_eve)
        channels: Any = ((instances.channel_bs, self.deviation_bs), (instances.channel_eve, self.deviation_eve))
        for channel, scale in channels:
            parts = channel.view(np.float64)  # real factors are half the work of complex ones
            parts *= scale[..., None]
        return exponential[:, :pairs]


def squared_distance(offset: np.ndarray) -> np.ndarray:
    """Return the squared length (…) of offsets (…, 2) in m², at least 1."""
    return np.maximum(offset[..., 0] ** 2 + offset[..., 1] ** 2, 1.0)


def squared_pair_distance(position: np.ndarray) -> np.ndarray:
    """Return the squared distances of all pairs (B, N (N − 1) / 2) of places (B, N, 2) in m², at least 1."""
    first, second = _pairs(position.shape[-2])
    squared = np.empty((len(position), len(first)))
    for start in range(0, len(position), 32):  # as many as fit the cache
        rows = slice(start, start + 32)
        place = position[rows].view(np.complex128)[..., 0]
        offset = place.take(first, axis=-1, mode="clip")
        offset -= place.take(second, axis=-1, mode="clip")
        squares = offset.view(np.float64)
        squares *= squares
        np.add(squares[:, ::2], squares[:, 1::2], out=squared[rows])
    return np.maximum(squared, 1.0, out=squared)


@lru_cache(maxsize=8)
def _pairs(n: int) -> tuple[np.ndarray, ...]:
    return np.triu_indices(n, 1)


def write_pairs(gains: np.ndarray, matrix: Any) -> None:
    """Write the gains of pairs, first in (B, ·), to symmetric matrices (B, N, N); the last one, 0, is the diagonal."""
    index = pair_index(matrix.shape[-1], gains.shape[-1] - 1)
    gains.take(index, axis=1, out=matrix, mode="clip")  # without mode, take would write to a copy first


@lru_cache(maxsize=8)
def pair_index(n: int, diagonal: int) -> np.ndarray:
    """Return (N, N) indices into the draws of the pairs, the same for (i, j) and (j, i)."""
    index = np.full((n, n), diagonal)
    upper = _pairs(n)
    index[upper] = index[upper[::-1]] = np.arange(len(upper[0]))
    return index
