"""A small data set that looks like a measured one: users on a campus, a base station with an array, paths with delays.

A plane wave on the line of sight or an obstructed one, and reflections at fixed walls, so that neighbours have similar
channels, as ray tracing gives them and independent draws do not.
"""

from __future__ import annotations

import numpy as np

from secagent_env.propagation.path_loss import SPEED_OF_LIGHT
from secagent_env.support.checks import integer

CARRIER_HZ = 3.5e9
_WALLS = (-40.0, 160.0)
"""The walls x = … and y = … that reflect, m."""


def example_campus(users: int = 200, antennas: int = 8, times: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    """Return a data set in Sionna's axes: a, tau and the users' positions.

    Parameters
    ----------
    users, antennas
        Receivers of one antenna, and the antennas of the base station at (0, 0), half a wavelength apart.
    times
        Time steps of 10 ms, in which the users walk.
    seed
        A non-negative integer.

    Returns
    -------
    dict
        ``a`` (users, 1, 1, antennas, paths, times) complex path coefficients, with the path loss of free space and
        6 dB for a reflection; ``tau`` (users, 1, paths) delays, s, of the first time step; ``position_m`` (users, 2).
    """
    rng = np.random.default_rng(integer("seed", seed))
    shape = (integer("users", users, 1), integer("times", times, 1))
    start = rng.uniform(5.0, 100.0, (shape[0], 2))
    walk = rng.normal(0.0, 1.0, (shape[0], 2))
    place = start[:, None] + 0.01 * walk[:, None] * np.arange(shape[1])[:, None]
    obstructed = np.where(rng.random(shape[0]) < np.exp(-np.hypot(*start.T) / 60), 1.0, 10 ** (-15 / 20))
    images = [place]  # a reflection comes from the mirror image of the receiver
    for axis in (0, 1):
        for wall in _WALLS:
            mirrored = place.copy()
            mirrored[..., axis] = 2 * wall - mirrored[..., axis]
            images.append(mirrored)
    image = np.stack(images, axis=1)  # (users, paths, times, 2)
    distance = np.hypot(image[..., 0], image[..., 1])
    loss = np.array([1.0, *[10 ** (-6 / 20)] * (len(images) - 1)])[:, None]
    amplitude = loss * SPEED_OF_LIGHT / CARRIER_HZ / (4 * np.pi * distance)
    amplitude[:, 0] *= obstructed[:, None]
    sine = image[..., 0] / distance  # the array lies along the x axis
    phase = -2 * np.pi * distance * CARRIER_HZ / SPEED_OF_LIGHT
    element = np.arange(integer("antennas", antennas, 1))[:, None, None]
    a = amplitude[:, None] * np.exp(1j * (phase[:, None] + np.pi * element * sine[:, None]))
    return {
        "a": a[:, None, None].astype(np.complex64),
        "tau": (distance[:, None, :, 0] / SPEED_OF_LIGHT),
        "position_m": start,
    }
