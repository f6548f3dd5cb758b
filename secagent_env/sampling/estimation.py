"""Estimates of the eavesdroppers' channels: an instance as the supervisor knows it.

Eavesdroppers are passive: the supervisor infers their channels from where it senses them, approximately (the paper's
footnote 1). The estimate of a coefficient h, amplitude gain from one antenna to one eavesdropper, is

    ĥ = √(1−ε) h + √ε e,    e ~ CN(0, m), independent,

with the error variance ε in [0, 1) and the mean power m of the link. Where positions are known, m is the mean of the
scenario's path loss over line of sight and shadowing (:mod:`secagent_env.propagation`). Then ĥ has the distribution
of h, and their correlation is √(1−ε): ε = 0 is perfect knowledge, and towards ε = 1 the distance alone is known. The
mean over the fading that happened, ‖h‖²/L, would instead tell the supervisor that a link is in a deep fade however
bad the estimate is. It stands in where an instance has no positions; for the one antenna of an agent it is the link's
own power.
"""

from __future__ import annotations

import math

import numpy as np

from secagent_env.model.batched import namespace
from secagent_env.model.instance import Instance
from secagent_env.sampling.fading import squared_distance
from secagent_env.sampling.seeds import Seed, generators_of
from secagent_env.support.checks import number

_STREAM = 1
"""Sets the random numbers of an estimate apart from those of the instance with the same seed and index."""


def estimate_eavesdroppers(instance: Instance, error_variance: float, seed: Seed = 0) -> Instance:
    """Return the instance with estimates in the place of ``channel_eve`` and ``gain_eve``.

    A power gain |h|² becomes |ĥ|²; the phase of h does not matter to it, since that of the error is uniform. The same
    seed gives the same errors e whatever their variance.

    Parameters
    ----------
    instance
        The true one, or a batch of them: NumPy arrays.
    error_variance
        ε, relative to the mean power of each link, in [0, 1); 0 gives the instance as it is.
    seed
        A non-negative integer: the estimate of instance i of a batch (in C order) then depends on ``(seed, i)`` and
        that instance alone, and a single instance is instance 0. Or a NumPy Generator, from which all are drawn.

    Raises
    ------
    ValueError
        If an argument is out of range, or the arrays are not NumPy's.
    """
    error_variance = number("error_variance", error_variance, low=0, below=1)
    if namespace(instance.channel_eve) is not np:
        raise ValueError("estimate_eavesdroppers needs NumPy arrays; convert the instance with .to(numpy) first")
    generators = generators_of(seed, math.prod(instance.batch_shape), estimate_generator)
    if error_variance == 0:
        return instance
    eves, antennas = instance.channel_eve.shape[-2:]
    agents = instance.gain_eve.shape[-2]
    normal = np.empty((len(generators), eves * (antennas + agents), 2))
    for i, generator in enumerate(generators):
        generator.standard_normal(out=normal[i])
    error = normal.view(complex)[..., 0] * math.sqrt(0.5)  # CN(0, 1)
    error_bs = error[:, : eves * antennas].reshape(instance.channel_eve.shape)
    error_agents = error[:, eves * antennas :].reshape(instance.gain_eve.shape)
    mean_bs, mean_agents = mean_eve_gains(instance)
    kept, added = math.sqrt(1 - error_variance), math.sqrt(error_variance)
    channel = kept * instance.channel_eve + added * np.sqrt(mean_bs)[..., None] * error_bs
    coefficient = kept * np.sqrt(instance.gain_eve) + added * np.sqrt(mean_agents) * error_agents
    return instance.replace(
        channel_eve=channel.astype(instance.channel_eve.dtype),
        gain_eve=(coefficient.real**2 + coefficient.imag**2).astype(instance.gain_eve.dtype),
    )


def mean_eve_gains(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean power gains to the eavesdroppers: per antenna of the base station (…, E), of agents (…, N, E).

    Those of the path loss where positions are known, else ‖h‖²/L and |h|² of the instance.
    """
    if instance.position_m is None or instance.eve_position_m is None:
        return np.mean(np.abs(instance.channel_eve) ** 2, axis=-1), instance.gain_eve
    to_agents = squared_distance(instance.position_m[..., :, None, :] - instance.eve_position_m[..., None, :, :])
    to_bs = squared_distance(instance.eve_position_m)
    model = instance.scenario.propagation
    return model.mean_gain(to_bs, from_bs=True), model.mean_gain(to_agents, from_bs=False)


def estimate_generator(seed: int, index: int) -> np.random.Generator:
    """Return the generator of the errors of instance ``index`` of every batch, from ``seed``."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, _STREAM)))
