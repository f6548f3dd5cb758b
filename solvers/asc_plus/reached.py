"""Starts with jammers at a beam that is given: what the downlink needs of the jammers is a linear test then, too."""

from __future__ import annotations

import numpy as np

from secagent_env import Instance
from solvers.asc_plus.starts import FAINTEST, JAMMED, cheapest_protected, jammers_of
from solvers.certificate.linear_test import linear_test

REACHED_MARGINS = (0.01, 0.1, 1.0)
"""By how much the agents of a start pass the linear tests of the two links."""


def equal_beam(instance: Instance) -> np.ndarray:
    """Return √(p_BS / L) · 1, (L,) complex, √W."""
    antennas = instance.scenario.num_antennas
    return np.full(antennas, np.sqrt(instance.scenario.bs_power_w / antennas), complex)


def reached_selection(
    instance: Instance, beamformer: np.ndarray, allowed: np.ndarray, margin: float, *, seconds: float = 1.0
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the cheapest selection (N,) bool with secrecy on both links at a given beam, and its jammers (N,), W.

    At a given beam the downlink is a linear test in the jammers' powers as well, of the signals |h_nᴴw|² at agent n and
    |g_eᴴw|² at eavesdropper e. With the test of the uplink, beside weak senders, it is the integer program of
    :func:`solvers.asc_plus.starts.cheapest_protected`, in which selected agents have no power. (For colluding
    eavesdroppers |g_eᴴw|² and |h_n,e|² are summed over them, which suffices.) Both tests are passed by a ``margin``;
    only agents that are ``allowed``, (N,) bool, are selected. None if there is none, or it is not found in so many
    seconds.
    """
    scenario = instance.scenario
    n = scenario.num_agents
    heard = np.maximum(instance.gain_eve, FAINTEST)
    cap = min(scenario.max_power_w, JAMMED * scenario.noise_power_w / float(heard.max()))
    overheard = [np.abs(instance.channel_eve.conj() @ beamformer) ** 2, heard]  # (E,), (N, E)
    if scenario.colluding:
        overheard = [np.broadcast_to(power.sum(axis=-1, keepdims=True), power.shape) for power in overheard]
    received = [np.abs(instance.channel_bs.conj() @ beamformer) ** 2, instance.bs_gain]
    at_receiver = [instance.gain_agents.T[:, None, :], instance.bs_gain]  # of the jammers, in each link
    rows: list[tuple[np.ndarray, ...]] = []
    for own, theirs, disturbance in zip(received, overheard, at_receiver, strict=True):
        ratio = own[:, None] / np.maximum(theirs, FAINTEST) / (1 + margin)
        slope, level = linear_test(ratio, 1.0, disturbance, heard)
        slope *= cap / scenario.noise_power_w
        least = level + np.minimum(slope, 0.0).sum(axis=2)
        right = least - ratio + 1
        rows += [(np.arange(n), slope[:, e], least[:, e], right[:, e]) for e in range(level.shape[1])]
    tests = tuple(np.concatenate(column) for column in zip(*rows, strict=True))
    protected = cheapest_protected(instance, tests, cap, allowed, apart=True, seconds=seconds)
    return None if protected is None else (protected[0], jammers_of(instance, *protected))
