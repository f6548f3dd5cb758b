"""The mean gain of a link to a place that is known to lie in a disc."""

from __future__ import annotations

import itertools
import math

import numpy as np

from secagent_env.propagation.path_loss import PathLoss

NODES = 24
"""Of a Gauss-Legendre rule, on each of the three pieces."""
NEAREST = 1e-2
"""Distances below this share of the path loss's shortest are left out: a share 1e-4 of those that count as it."""

TINY = 1e-6
"""The gain in a disc whose radius is less than this share of the distance is that at its centre, to its square."""


def disc_mean_gain(model: PathLoss, distance_m: np.ndarray, from_bs: bool, radius_m: float) -> np.ndarray:
    """Return E|h|² of links (…) to a place uniform in a disc, over line of sight and shadowing too.

    ``distance_m`` (…) is that to the disc's centre, ``radius_m`` is above 0. With R the radius and D the distance to
    the centre, the place is at a distance r with the density 2 r θ(r) / (π R²). Here half the arc of the circle of
    radius r that lies in the disc is θ = arccos((r² + D² − R²) / (2 r D)), π for r ≤ R − D, and 0 beyond D ± R. It is
    integrated over ln r.
    """
    low, centre = model.range_m[0], np.maximum(distance_m, 1e-9 * radius_m)
    ends = (np.full_like(centre, NEAREST * low), np.full_like(centre, low), abs(centre - radius_m), centre + radius_m)
    edges = np.log(np.sort(np.clip(np.stack(ends), NEAREST * low, centre + radius_m), axis=0))
    points, shares = np.polynomial.legendre.leggauss(NODES)
    turn = math.pi / 2 * (points + 1)  # nodes crowd at both ends, where arcs begin and end like a root
    total = weight = np.zeros_like(centre)
    for start, end in itertools.pairwise(edges):
        middle, half = (start + end)[..., None] / 2, (end - start)[..., None] / 2
        r = np.exp(middle - half * np.cos(turn))
        versine = (radius_m**2 - (centre[..., None] - r) ** 2) / (2 * r * centre[..., None])
        share = half * np.sin(turn) * shares * r**2 * np.arcsin(np.sqrt(np.clip(versine / 2, 0, 1)))
        total = total + np.sum(share * model.mean_gain(r**2, from_bs), axis=-1)
        weight = weight + np.sum(share, axis=-1)
    wide = radius_m > TINY * centre
    return np.where(wide, total / np.where(wide, weight, 1.0), model.mean_gain(distance_m**2, from_bs))


def disc_places(radius_m: float, count: int) -> np.ndarray:
    """Return places (count, 2) that fill a disc around (0, 0) evenly, each for the same area: a sunflower's seeds."""
    index = np.arange(count)
    radius, angle = radius_m * np.sqrt((index + 0.5) / count), index * (math.pi * (3 - math.sqrt(5)))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def place_in_disc(radius_m: float, unit: np.ndarray) -> np.ndarray:
    """Return places (…, 2) in a disc around (0, 0) from uniform draws (…, 2) in [0, 1): uniform there."""
    radius, angle = radius_m * np.sqrt(unit[..., 0]), 2 * math.pi * unit[..., 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
