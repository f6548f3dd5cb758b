"""Estimates of the eavesdroppers' channels: an instance as the supervisor knows it.

Eavesdroppers are passive: the supervisor infers their channels from where it senses them, approximately (the paper's
footnote 1). The estimate of a link h, amplitude gains from antennas to one eavesdropper, is

    ĥ = √(1−ε) h + √ε e,    e ~ CN(0, m I), independent,

with the error variance ε in [0, 1) and the mean power m of the link per antenna, as it is known beforehand. By the
prior h ~ CN(μ, C) that an instance carries, m is (‖μ‖² + tr C) / L. By default μ = 0 and C = m I, where m is the mean
of the scenario's path loss over line of sight and shadowing (:mod:`secagent_env.propagation`) at the positions, and
over the disc in which an eavesdropper is where ``eve_position_error_m`` says that its position is uncertain. Then ĥ
has the distribution of h, and their correlation is √(1−ε): ε = 0 is perfect knowledge, and towards ε = 1 the prior
alone is known. Afterwards h is known as

    CN(μ + √(1−ε) G (ĥ − √(1−ε) μ), C − (1−ε) G C),    G = C ((1−ε) C + ε m I)⁻¹,

by default CN(√(1−ε) ĥ, ε m I).

The mean over the fading that happened, ‖h‖²/L, would instead tell the supervisor that a link is in a deep fade however
bad the estimate is. It stands in for m where an instance has neither prior nor positions; for the one antenna of an
agent it is the link's own power. A posterior cannot be had of it, and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from secagent_env.model.batched import namespace
from secagent_env.model.instance import Instance
from secagent_env.propagation.disc import disc_mean_gain
from secagent_env.sampling.fading import squared_distance
from secagent_env.sampling.seeds import Seed, generators_of
from secagent_env.support.checks import number

_STREAM = 1
"""Sets the random numbers of an estimate apart from those of the instance with the same seed and index."""
_NARROWEST = 1e12
"""Phases are drawn to a millionth of a radian at best."""


class EvePrior(NamedTuple):
    """What is known of the links to the eavesdroppers: h ~ CN(mean, covariance), amplitude gains.

    ``bs_mean`` (…, E, L) and ``bs_covariance`` (…, E, L, L) are those of the base station, ``agents_mean`` (…, N, E)
    complex and ``agents_variance`` (…, N, E) real those of the agents.
    """

    bs_mean: np.ndarray
    bs_covariance: np.ndarray
    agents_mean: np.ndarray
    agents_variance: np.ndarray


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
    generators = _generators(instance, seed)
    if error_variance == 0:
        return instance
    channel, coefficient = _estimates(instance, error_variance, generators)
    return instance.replace(channel_eve=channel, gain_eve=_power(coefficient, instance))


def posterior_eavesdroppers(instance: Instance, error_variance: float, seed: Seed = 0) -> Instance:
    """Return :func:`estimate_eavesdroppers` with all that is known then as its prior, by the formula above.

    What a decision may be based on is in it: the estimates, and how far the truth may be from them. Of an agent's link
    h an instance has |h|² alone. Where its prior has a mean, its phase is drawn from that prior, given |h|²; elsewhere
    it does not matter. |h|² is noncentral χ² with 2 degrees of freedom, of which the phase of the mean tells nothing.

    Parameters and errors are those of :func:`estimate_eavesdroppers`; ValueError is raised too where an instance has
    neither a prior nor positions.
    """
    error_variance = number("error_variance", error_variance, low=0, below=1)
    return _posterior(instance, *_estimates(instance, error_variance, _generators(instance, seed)), error_variance)


def as_known(instance: Instance, error_variance: float, seed: Seed = 0) -> Instance:
    """Return what the supervisor knows of an instance: the estimates, and the posterior where one can be had.

    That is where something was known before them: a prior, or positions. Parameters and errors are those of
    :func:`estimate_eavesdroppers`.
    """
    spreads = instance.prior_bs_covariance, instance.prior_agents_variance
    beforehand = path_gains(instance) is not None or all(spread is not None for spread in spreads)
    return (posterior_eavesdroppers if beforehand else estimate_eavesdroppers)(instance, error_variance, seed)


def known_from(estimated: Instance, error_variance: float) -> Instance:
    """Return an instance of estimates with all that is known by them as its prior, by the formula above.

    ``estimated`` holds what was known before them: a prior, or positions. Of an agent's link it has |ĥ|² alone, which
    is enough where the prior has no mean; elsewhere ValueError says to use :func:`posterior_eavesdroppers`.
    """
    error_variance = number("error_variance", error_variance, low=0, below=1)
    if estimated.prior_agents_mean is not None and estimated.prior_agents_mean.any():
        raise ValueError(
            "of estimated links whose prior_agents_mean is not 0 the phases are missing: posterior_eavesdroppers "
            "estimates the true ones and says what is then known"
        )
    return _posterior(estimated, estimated.channel_eve, np.sqrt(estimated.gain_eve), error_variance)


def _posterior(instance: Instance, channel: np.ndarray, coefficient: np.ndarray, error_variance: float) -> Instance:
    """Return the instance with estimates of the base station's links (…, E, L) and the agents', and their posterior."""
    prior = eve_prior(instance)
    mean_bs, mean_agents = mean_eve_gains(instance)
    kept, added = 1 - error_variance, error_variance
    spread, axes = np.linalg.eigh(prior.bs_covariance)
    gain = _gain(np.maximum(spread, 0), kept, added * mean_bs[..., None])
    surprise = axes.conj().swapaxes(-1, -2) @ (channel - math.sqrt(kept) * prior.bs_mean)[..., None]
    bs_mean = prior.bs_mean + math.sqrt(kept) * (axes @ (gain[..., None] * surprise))[..., 0]
    left = (added * mean_bs[..., None] * gain)[..., None, :]
    gain = _gain(prior.agents_variance, kept, added * mean_agents)
    agents_mean = prior.agents_mean + math.sqrt(kept) * gain * (coefficient - math.sqrt(kept) * prior.agents_mean)
    real, complex_ = instance.gain_eve.dtype, instance.channel_eve.dtype
    return instance.replace(
        channel_eve=channel,
        gain_eve=_power(coefficient, instance),
        prior_bs_mean=bs_mean.astype(complex_),
        prior_bs_covariance=((axes * left) @ axes.conj().swapaxes(-1, -2)).astype(complex_),
        prior_agents_mean=agents_mean.astype(complex_),
        prior_agents_variance=(added * mean_agents * gain).astype(real),
    )


def eve_prior(instance: Instance) -> EvePrior:
    """Return what is known of the links to the eavesdroppers beforehand: the instance's prior, or the path loss.

    ValueError where it has neither: of the true gains nothing must be taken.
    """
    covariance, variance = instance.prior_bs_covariance, instance.prior_agents_variance
    if covariance is None or variance is None:
        by_place = path_gains(instance)
        if by_place is None:
            name = "prior_bs_covariance" if covariance is None else "prior_agents_variance"
            raise ValueError(
                f"nothing is known of the eavesdroppers beforehand: give {name}, or position_m and eve_position_m, "
                "from which the path loss follows"
            )
        if covariance is None:
            covariance = by_place[0][..., None, None] * np.eye(instance.scenario.num_antennas, dtype=complex)
        if variance is None:
            variance = by_place[1]
    means = (instance.prior_bs_mean, instance.channel_eve), (instance.prior_agents_mean, instance.gain_eve)
    to_bs, to_agents = (np.zeros(like.shape, complex) if mean is None else mean for mean, like in means)
    return EvePrior(to_bs, covariance, to_agents, variance)


def mean_eve_gains(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean power gains to the eavesdroppers: per antenna of the base station (…, E), of agents (…, N, E).

    Those of the prior where there is one, else of the path loss where positions are known, else ‖h‖²/L and |h|² of the
    instance.
    """
    by_place = path_gains(instance)
    covariance, variance = instance.prior_bs_covariance, instance.prior_agents_variance
    if covariance is not None:
        to_bs = _second_moment(instance.prior_bs_mean, np.linalg.diagonal(covariance).real).mean(axis=-1)
    else:
        to_bs = np.mean(np.abs(instance.channel_eve) ** 2, axis=-1) if by_place is None else by_place[0]
    if variance is not None:
        return to_bs, _second_moment(instance.prior_agents_mean, variance)
    return to_bs, instance.gain_eve if by_place is None else by_place[1]


def path_gains(instance: Instance) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the mean power gains of the path loss, as in :func:`mean_eve_gains`; None without positions."""
    if instance.position_m is None or instance.eve_position_m is None:
        return None
    to_bs = instance.eve_position_m
    to_agents = instance.position_m[..., :, None, :] - instance.eve_position_m[..., None, :, :]
    model, radius = instance.scenario.propagation, instance.scenario.eve_position_error_m
    if radius:
        to_bs, to_agents = (np.linalg.norm(offset, axis=-1) for offset in (to_bs, to_agents))
        return disc_mean_gain(model, to_bs, True, radius), disc_mean_gain(model, to_agents, False, radius)
    to_bs, to_agents = squared_distance(to_bs), squared_distance(to_agents)
    return model.mean_gain(to_bs, from_bs=True), model.mean_gain(to_agents, from_bs=False)


def _second_moment(mean: np.ndarray | None, variance: np.ndarray) -> np.ndarray:
    return variance if mean is None else np.abs(mean) ** 2 + variance


def _gain(spread: np.ndarray, kept: float, noise: np.ndarray) -> np.ndarray:
    """Return λ / ((1−ε) λ + ε m), by which an estimate moves a mean; 0 where nothing can move."""
    return np.divide(spread, kept * spread + noise, out=np.zeros(spread.shape), where=spread > 0)


def _power(coefficient: np.ndarray, instance: Instance) -> np.ndarray:
    return (coefficient.real**2 + coefficient.imag**2).astype(instance.gain_eve.dtype)


def _generators(instance: Instance, seed: Seed) -> list[np.random.Generator]:
    if namespace(instance.channel_eve) is not np:
        raise ValueError("estimate_eavesdroppers needs NumPy arrays; convert the instance with .to(numpy) first")
    return generators_of(seed, math.prod(instance.batch_shape), estimate_generator)


def _estimates(
    instance: Instance, error_variance: float, generators: Sequence[np.random.Generator]
) -> tuple[np.ndarray, np.ndarray]:
    """Return ĥ of the base station (…, E, L) and of the agents (…, N, E), complex."""
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
    coefficient = kept * _agent_links(instance, generators) + added * np.sqrt(mean_agents) * error_agents
    return channel.astype(instance.channel_eve.dtype), coefficient


def _agent_links(instance: Instance, generators: Sequence[np.random.Generator]) -> np.ndarray:
    """Return links h (…, N, E) of the agents, of which |h|² is known: real where their prior has no mean.

    Of a link CN(μ, c) the phase given |h| is von Mises about that of μ, with the concentration 2 |h| |μ| / c.
    """
    size, mean, variance = np.sqrt(instance.gain_eve), instance.prior_agents_mean, instance.prior_agents_variance
    if mean is None or variance is None:
        return size
    variance = np.maximum(variance, np.finfo(float).tiny)
    with np.errstate(over="ignore"):
        narrow = np.minimum(2 * size * np.abs(mean) / variance, _NARROWEST)
    drawn = [
        generator.vonmises(about, concentration)
        for generator, about, concentration in zip(
            generators, *(array.reshape(len(generators), -1) for array in (np.angle(mean), narrow)), strict=True
        )
    ]
    return size * np.exp(1j * np.reshape(drawn, size.shape))


def estimate_generator(seed: int, index: int) -> np.random.Generator:
    """Return the generator of the errors of instance ``index`` of every batch, from ``seed``."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, _STREAM)))
