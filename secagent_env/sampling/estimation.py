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
from typing import Any

import numpy as np

from secagent_env.model.batched import namespace
from secagent_env.model.instance import Instance
from secagent_env.sampling.beforehand import eve_prior, mean_eve_gains, path_gains
from secagent_env.sampling.seeds import Seed, generators_of
from secagent_env.support.checks import number

ESTIMATED = ("channel_eve", "gain_eve")
"""The fields of an instance that are estimated."""
_STREAM = 1
"""Sets the random numbers of an estimate apart from those of the instance with the same seed and index."""
_NARROWEST = 1e12
"""Phases are drawn to a millionth of a radian at best."""

ErrorVariance = float | tuple[Any, Any]
"""ε of all links, or those of the base station's links, (…, E), and of the agents', (…, N, E)."""


def estimate_eavesdroppers(instance: Instance, error_variance: ErrorVariance, seed: Seed = 0) -> Instance:
    """Return the instance with estimates in the place of ``channel_eve`` and ``gain_eve``.

    A power gain |h|² becomes |ĥ|²; the phase of h does not matter to it, since that of the error is uniform. The same
    seed gives the same errors e whatever their variance.

    Parameters
    ----------
    instance
        The true one, or a batch of them: NumPy arrays.
    error_variance
        ε, relative to the mean power of each link, in [0, 1); 0 gives the instance as it is. Where links differ, two
        arrays (or what can be broadcast to them): of the base station's links, (…, E), and of the agents', (…, N, E).
    seed
        A non-negative integer: the estimate of instance i of a batch (in C order) then depends on ``(seed, i)`` and
        that instance alone, and a single instance is instance 0. Or a NumPy Generator, from which all are drawn.

    Raises
    ------
    ValueError
        If an argument is out of range, or the arrays are not NumPy's.
    """
    variances = _variances(error_variance, instance)
    generators = _generators(instance, seed)
    if error_variance == 0:
        return instance
    return _with_estimates(instance, *_estimates(instance, variances, generators))


def posterior_eavesdroppers(instance: Instance, error_variance: ErrorVariance, seed: Seed = 0) -> Instance:
    """Return :func:`estimate_eavesdroppers` with all that is known then as its prior, by the formula above.

    What a decision may be based on is in it: the estimates, and how far the truth may be from them. Of an agent's link
    h an instance has |h|² alone. Where its prior has a mean, its phase is drawn from that prior, given |h|²; elsewhere
    it does not matter. |h|² is noncentral χ² with 2 degrees of freedom, of which the phase of the mean tells nothing.

    Parameters and errors are those of :func:`estimate_eavesdroppers`; ValueError is raised too where an instance has
    neither a prior nor positions.
    """
    variances = _variances(error_variance, instance)
    channel, coefficient = _estimates(instance, variances, _generators(instance, seed))
    estimates = _with_estimates(instance, channel, coefficient)
    if instance.prior_agents_mean is None:  # |h| stood for h: the phase of ĥ would tell of it
        coefficient = np.abs(coefficient)
    return _posterior(estimates, coefficient, variances)


def as_known(instance: Instance, error_variance: ErrorVariance, seed: Seed = 0) -> Instance:
    """Return what the supervisor knows of an instance: the estimates, and the posterior where one can be had.

    That is where something was known before them: a prior, or positions. Parameters and errors are those of
    :func:`estimate_eavesdroppers`.
    """
    spreads = instance.prior_bs_covariance, instance.prior_agents_variance
    beforehand = path_gains(instance) is not None or all(spread is not None for spread in spreads)
    return (posterior_eavesdroppers if beforehand else estimate_eavesdroppers)(instance, error_variance, seed)


def known_from(estimated: Instance, error_variance: ErrorVariance) -> Instance:
    """Return an instance of estimates with all that is known by them as its prior, by the formula above.

    ``estimated`` holds what was known before them: a prior, or positions. Of an agent's link it has |ĥ|² alone, which
    is enough where the prior has no mean; elsewhere ValueError says to use :func:`posterior_eavesdroppers`.
    """
    variances = _variances(error_variance, estimated)
    if estimated.prior_agents_mean is not None and estimated.prior_agents_mean.any():
        raise ValueError(
            "of estimated links whose prior_agents_mean is not 0 the phases are missing: posterior_eavesdroppers "
            "estimates the true ones and says what is then known"
        )
    return _posterior(estimated, np.sqrt(estimated.gain_eve), variances)


def estimated(instance: Instance, error_variance: float, generators: Sequence[np.random.Generator]) -> Instance:
    """Return the estimates of :func:`estimate_eavesdroppers`, from a generator for each instance (in C order).

    What was known before them stays the prior, and :func:`known_by` says what is known by them. For that the agents'
    links are turned so that their estimates are real and positive: only their powers are seen. ``error_variance`` and
    ``generators`` must be valid; nothing is drawn where ε is 0.
    """
    if error_variance == 0:
        return instance
    channel, coefficient = _estimates(instance, (error_variance, error_variance), generators)
    estimates, mean = _with_estimates(instance, channel, coefficient), instance.prior_agents_mean
    if mean is None:
        return estimates
    turned = mean * np.exp(-1j * np.angle(coefficient))
    return Instance._trusted(**{**estimates._fields(), "prior_agents_mean": turned.astype(mean.dtype)})


def known_by(estimates: Instance, error_variance: float) -> Instance:
    """Return the estimates of :func:`estimated` with all that is known by them as their prior, by the formula above."""
    return _posterior(estimates, np.sqrt(estimates.gain_eve), (error_variance, error_variance))


def _with_estimates(instance: Instance, channel: np.ndarray, coefficient: np.ndarray) -> Instance:
    """Return the instance with estimates ĥ of the base station's links (…, E, L) and the agents' (…, N, E)."""
    power = (coefficient.real**2 + coefficient.imag**2).astype(instance.gain_eve.dtype)
    return Instance._trusted(**{**instance._fields(), "channel_eve": channel, "gain_eve": power})


def _posterior(instance: Instance, coefficient: np.ndarray, variances: tuple[Any, Any]) -> Instance:
    """Return an instance of estimates with their posterior; ``coefficient`` (…, N, E) is ĥ of the agents' links."""
    prior = eve_prior(instance)
    mean_bs, mean_agents = mean_eve_gains(instance)
    added = _for_antennas(variances[0])
    kept, root = 1 - added, _root(1 - added)
    spread, axes = np.linalg.eigh(prior.bs_covariance)
    gain = _gain(np.maximum(spread, 0), kept, added * mean_bs[..., None])
    surprise = axes.conj().swapaxes(-1, -2) @ (instance.channel_eve - root * prior.bs_mean)[..., None]
    bs_mean = prior.bs_mean + root * (axes @ (gain[..., None] * surprise))[..., 0]
    left = (added * mean_bs[..., None] * gain)[..., None, :]
    added = variances[1]
    kept, root = 1 - added, _root(1 - added)
    gain = _gain(prior.agents_variance, kept, added * mean_agents)
    agents_mean = prior.agents_mean + root * gain * (coefficient - root * prior.agents_mean)
    real, complex_ = instance.gain_eve.dtype, instance.channel_eve.dtype
    return instance.replace(
        prior_bs_mean=bs_mean.astype(complex_),
        prior_bs_covariance=((axes * left) @ axes.conj().swapaxes(-1, -2)).astype(complex_),
        prior_agents_mean=agents_mean.astype(complex_),
        prior_agents_variance=(added * mean_agents * gain).astype(real),
    )


def _variances(error_variance: ErrorVariance, instance: Instance) -> tuple[Any, Any]:
    """Return ε of the base station's links and of the agents': numbers, or arrays (…, E) and (…, N, E)."""
    if not isinstance(error_variance, (tuple, list)):
        variance = number("error_variance", error_variance, low=0, below=1)
        return variance, variance
    if len(error_variance) != 2:
        raise ValueError(
            "error_variance must be a number, or two arrays: of the base station's links and of the agents', got "
            f"{len(error_variance)} of them"
        )
    shapes = (instance.channel_eve.shape[:-1], instance.gain_eve.shape)
    found = []
    for whose, each, shape in zip(("the base station's", "the agents'"), error_variance, shapes, strict=True):
        try:
            array = np.broadcast_to(np.asarray(each, float), shape)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"error_variance of {whose} links must be numbers of the shape {shape}, or broadcast to it"
            ) from error
        if not ((array >= 0) & (array < 1)).all():
            raise ValueError(f"error_variance of {whose} links must be in [0, 1), got {array.min()} to {array.max()}")
        found.append(array)
    return found[0], found[1]


def _root(variance: Any) -> Any:
    """Return the square root; of a number a number, beside which arrays keep their precision."""
    return np.sqrt(variance) if isinstance(variance, np.ndarray) else math.sqrt(variance)


def _for_antennas(variance: Any) -> Any:
    """Return ε of the base station's links with a dimension for the antennas; a number stays one."""
    return variance[..., None] if isinstance(variance, np.ndarray) else variance


def _gain(spread: np.ndarray, kept: Any, noise: np.ndarray) -> np.ndarray:
    """Return λ / ((1−ε) λ + ε m), by which an estimate moves a mean; 0 where nothing can move."""
    return np.divide(spread, kept * spread + noise, out=np.zeros(spread.shape), where=spread > 0)


def _generators(instance: Instance, seed: Seed) -> list[np.random.Generator]:
    if namespace(instance.channel_eve) is not np:
        raise ValueError("estimate_eavesdroppers needs NumPy arrays; convert the instance with .to(numpy) first")
    return generators_of(seed, math.prod(instance.batch_shape), estimate_generator)


def _estimates(
    instance: Instance, variances: tuple[Any, Any], generators: Sequence[np.random.Generator]
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
    (kept, added), (kept_agents, added_agents) = (
        (_root(1 - variance), _root(variance)) for variance in (_for_antennas(variances[0]), variances[1])
    )
    channel = kept * instance.channel_eve + added * np.sqrt(mean_bs)[..., None] * error_bs
    coefficient = kept_agents * _agent_links(instance, generators) + added_agents * np.sqrt(mean_agents) * error_agents
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


def generator_beside(generator: np.random.Generator) -> np.random.Generator:
    """Return a generator of errors beside one of instances, which it does not move.

    That beside ``default_rng(seed)`` is ``estimate_generator(seed, 0)``.
    """
    seeds: Any = generator.bit_generator.seed_seq
    return np.random.default_rng(np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, 0, _STREAM)))


def estimate_generator(seed: int, index: int) -> np.random.Generator:
    """Return the generator of the errors of instance ``index`` of every batch, from ``seed``."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, _STREAM)))
