"""Mean gains of links: the path loss, and the distances of pairs of agents."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from secagent_env.model.scenario import Scenario


def mean_gain_at_1m(scenario: Scenario) -> float:
    """Return E|h|² = 4m²/π at a distance of 1 m, with the mean amplitude m of the path loss; it falls with d²."""
    loss_db = 32.4 + 20 * math.log10(scenario.carrier_hz / 1e9)
    return 4 / math.pi * float(10 ** (-loss_db / 10))


def squared_distance(offset: np.ndarray) -> np.ndarray:
    """Return the squared length (…) of offsets (…, 2) in m², at least 1."""
    return np.maximum(offset[..., 0] ** 2 + offset[..., 1] ** 2, 1.0)


def _squared_pair_distance(position: np.ndarray) -> np.ndarray:
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
def _pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.triu_indices(n, 1)
    return first, second


@lru_cache(maxsize=8)
def pair_index(n: int, diagonal: int) -> np.ndarray:
    """Return (N, N) indices into the draws of the pairs, the same for (i, j) and (j, i)."""
    index = np.full((n, n), diagonal)
    upper = np.triu_indices(n, 1)
    index[upper] = index[upper[::-1]] = np.arange(len(upper[0]))
    return index
