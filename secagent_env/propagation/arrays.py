"""Antenna arrays: how a plane wave meets them, and how their antennas share what is scattered.

Antenna row · columns + column of an array is ``spacing`` wavelengths beside and above its neighbours. A direction is
u, the sine of the azimuth off broadside times the cosine of the elevation, and v, the sine of the elevation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from secagent_env.support.checks import integer

ARRAYS = ("iid", "ula", "upa")
SCATTER = ("none", "exponential", "one-ring")
_ISOTROPIC = 1e-9
"""The share of the power that a ring scatters from everywhere, so that its correlation has a Cholesky factor."""


def grid_of(array: str, antennas: int, rows: int | None = None) -> tuple[int, int]:
    """Return rows and columns of an array; ValueError where the antennas do not fill them.

    ``rows=None`` of a ``"upa"``: the largest divisor of the number of antennas up to its root.
    """
    if array != "upa":
        if rows not in (None, 1):
            raise ValueError(f"array_rows must be None with array={array!r}, got {rows!r}")
        return 1, antennas
    if rows is None:
        rows = max(r for r in range(1, math.isqrt(antennas) + 1) if antennas % r == 0)
    integer("array_rows", rows, low=1, high=antennas)
    if antennas % rows:
        raise ValueError(f"array_rows must divide the {antennas} antennas, got {rows!r}")
    return rows, antennas // rows


def response(
    grid: tuple[int, int], spacing: float, u: np.ndarray, v: np.ndarray, first: np.ndarray | float = 1.0
) -> np.ndarray:
    """Return first · a(u, v), (…, L) complex: a = exp(2πj · spacing · (column u + row v)), for directions (…)."""
    rows, columns = grid
    waves = np.empty((rows * columns, *np.shape(u)), complex)  # antennas first: long inner loops
    waves[0] = first
    _continue(waves[:columns], np.exp(2j * math.pi * spacing * u))
    if rows > 1:
        _continue(waves.reshape(rows, columns, *np.shape(u)), np.exp(2j * math.pi * spacing * v))
    return np.moveaxis(waves, 0, -1)


def _continue(waves: np.ndarray, turn: np.ndarray) -> None:
    """Make waves[i] = waves[0] · turnⁱ, by doubling."""
    done, step = 1, turn
    while done < len(waves):
        more = min(done, len(waves) - done)
        np.multiply(waves[:more], step, out=waves[done : done + more])
        done, step = done + more, step * step


@lru_cache(maxsize=16)
def exponential_factor(grid: tuple[int, int], coefficient: float) -> np.ndarray:
    """Return the Cholesky factor C, (L, L), of R = C Cᵀ with R_lm = coefficient^(columns + rows between l and m)."""
    factors = []
    for size in grid:
        apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        factors.append(np.linalg.cholesky(float(coefficient) ** apart))
    factor = np.kron(*factors)
    factor.setflags(write=False)
    return factor


def one_ring_factor(
    grid: tuple[int, int], spacing: float, azimuth: np.ndarray, elevation: np.ndarray, spread: float
) -> np.ndarray:
    """Return Cholesky factors, (…, L, L), of the mean of a aᴴ over azimuths within ± ``spread`` of each, radians.

    All scatter comes at the elevation of the link. Gauss–Legendre quadrature; a billionth of the power comes from
    everywhere.
    """
    # As many nodes as the outermost antennas' phase has radians to go through, and some.
    node, weight = _quadrature(24 + math.ceil(2 * math.pi * spacing * grid[1] * spread))
    angle = azimuth[..., None] + spread * node
    level = np.cos(elevation)[..., None]
    waves = response(grid, spacing, level * np.sin(angle), np.broadcast_to(np.sin(elevation)[..., None], angle.shape))
    matrix = np.swapaxes(waves * (weight[:, None] / 2), -1, -2) @ waves.conj()
    matrix *= 1 - _ISOTROPIC
    diagonal = np.arange(matrix.shape[-1])
    matrix[..., diagonal, diagonal] = 1.0
    return np.linalg.cholesky(matrix)


@lru_cache(maxsize=16)
def _quadrature(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights on [−1, 1]."""
    return np.polynomial.legendre.leggauss(nodes)
