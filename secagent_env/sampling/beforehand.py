"""What is known of the eavesdroppers' links beforehand: the prior that an instance carries, or the path loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from secagent_env.model.instance import Instance
from secagent_env.propagation.disc import disc_mean_gain
from secagent_env.sampling.fading import squared_distance


class EvePrior(NamedTuple):
    """What is known of the links to the eavesdroppers: h ~ CN(mean, covariance), amplitude gains.

    ``bs_mean`` (…, E, L) and ``bs_covariance`` (…, E, L, L) are those of the base station, ``agents_mean`` (…, N, E)
    complex and ``agents_variance`` (…, N, E) real those of the agents.
    """

    bs_mean: np.ndarray
    bs_covariance: np.ndarray
    agents_mean: np.ndarray
    agents_variance: np.ndarray


def eve_prior(instance: Instance) -> EvePrior:
    """Return what is known of the links to the eavesdroppers beforehand: the instance's prior, or the path loss.

    ValueError where it has neither: of the true gains nothing must be taken.
    """
    check_beforehand(instance)
    covariance, variance = instance.prior_bs_covariance, instance.prior_agents_variance
    if covariance is None or variance is None:
        to_bs, to_agents = mean_eve_gains(instance)
        if covariance is None:
            covariance = to_bs[..., None, None] * np.eye(instance.scenario.num_antennas, dtype=complex)
        if variance is None:
            variance = to_agents
    means = (instance.prior_bs_mean, instance.channel_eve), (instance.prior_agents_mean, instance.gain_eve)
    bs_mean, agents_mean = (np.zeros(like.shape, complex) if mean is None else mean for mean, like in means)
    return EvePrior(bs_mean, covariance, agents_mean, variance)


def check_beforehand(instance: Instance) -> None:
    """Raise ValueError where nothing is known of the eavesdroppers beforehand: neither a prior nor positions."""
    missing = [name for name in ("prior_bs_covariance", "prior_agents_variance") if getattr(instance, name) is None]
    if missing and (instance.position_m is None or instance.eve_position_m is None):
        raise ValueError(
            f"nothing is known of the eavesdroppers beforehand: give {missing[0]}, or position_m and eve_position_m, "
            "from which the path loss follows"
        )


def mean_eve_gains(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean power gains to the eavesdroppers: per antenna of the base station (…, E), of agents (…, N, E).

    Those of the prior where there is one, else of the path loss where positions are known, else ‖h‖²/L and |h|² of the
    instance.
    """
    covariance, variance = instance.prior_bs_covariance, instance.prior_agents_variance
    by_place = path_gains(instance) if covariance is None or variance is None else None
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
