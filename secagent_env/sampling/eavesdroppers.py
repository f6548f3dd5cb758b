"""Draws of the links to the eavesdroppers from what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from secagent_env.model.instance import Instance
from secagent_env.model.prior import PRIOR
from secagent_env.sampling.beforehand import EvePrior
from secagent_env.sampling.whereabouts import Whereabouts

CHUNK = 500
"""How many draws are made at a time."""


def draw_eavesdroppers(
    instance: Instance,
    links: EvePrior,
    count: int,
    rng: np.random.Generator,
    whereabouts: Whereabouts | None = None,
) -> Iterator[Instance]:
    """Yield batches of instances, ``count`` in all, that differ in the eavesdroppers' links alone.

    ``instance`` is a single one, NumPy arrays; its links are h ~ CN(mean, covariance), independent, or the mixture of
    such over the places where an eavesdropper may be (:mod:`secagent_env.sampling.whereabouts`).
    """
    mean, covariance, agents_mean, agents_variance = links
    values, axes = np.linalg.eigh(covariance)
    root = axes * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    along = (axes.conj().swapaxes(-1, -2) @ mean[..., None])[..., 0]
    deviation = np.sqrt(agents_variance)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        to_bs, to_agents = complex_normal(rng, (size, *mean.shape)), complex_normal(rng, (size, *agents_mean.shape))
        channel, coefficient = mean + (root @ to_bs[..., None])[..., 0], agents_mean + deviation * to_agents
        if whereabouts is not None:
            factor_bs, factor_agents = whereabouts.draw(size, rng)
            scattered = factor_bs * along + np.sqrt(factor_bs * np.maximum(values, 0.0)) * to_bs
            channel = (axes @ scattered[..., None])[..., 0]
            coefficient = factor_agents * agents_mean + np.sqrt(factor_agents) * deviation * to_agents
        yield with_links(_repeated(with_links(instance), size), channel_eve=channel, gain_eve=np.abs(coefficient) ** 2)


def with_links(instance: Instance, **changes: Any) -> Instance:
    """Return an instance with some fields replaced, and without what tells of eavesdroppers otherwise."""
    nothing = dict.fromkeys((*PRIOR, "eve_position_m", "origin"))
    return Instance._trusted(**{**instance._fields(), **nothing, **changes})


def _repeated(instance: Instance, size: int) -> Instance:
    return instance._map(lambda array: np.broadcast_to(array, (size, *array.shape)))


def complex_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return draws of CN(0, 1)."""
    parts = rng.standard_normal((*shape, 2)) * np.sqrt(0.5)
    return np.asarray(parts[..., 0] + 1j * parts[..., 1])
