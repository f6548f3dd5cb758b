"""What is known of the eavesdroppers, and draws of their links from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from secagent_env import Instance
from secagent_env.model.prior import PRIOR
from secagent_env.sampling.estimation import EvePrior, eve_prior
from solvers.interface.scaling import scaled

CHUNK = 500
"""How many draws are made at a time."""


@dataclass(frozen=True)
class Belief:
    """The links of an instance's eavesdroppers as random variables, h ~ CN(mean, covariance), independent.

    ``instance`` holds everything else, which is known.
    """

    instance: Instance
    links: EvePrior

    @classmethod
    def of(cls, instance: Instance) -> Belief:
        """Return what an instance says of its eavesdroppers, scaled as solvers search: by its prior, or its positions.

        ValueError where it says nothing.
        """
        links = eve_prior(instance)
        network = scaled(instance.replace(**dict(zip(PRIOR, links, strict=True))))
        return cls(network, eve_prior(network))

    @property
    def certain(self) -> bool:
        """Whether nothing is unknown."""
        return not (self.links.bs_covariance.any() or self.links.agents_variance.any())

    def expected(self) -> Instance:
        """Return the instance with every link at its mean."""
        power = np.abs(self.links.agents_mean) ** 2
        return known(self.instance, channel_eve=self.links.bs_mean, gain_eve=power)

    def draws(self, count: int, rng: np.random.Generator) -> Iterator[Instance]:
        """Yield batches of instances, ``count`` in all, that differ in the eavesdroppers' links alone."""
        mean, covariance, agents_mean, agents_variance = self.links
        values, axes = np.linalg.eigh(covariance)
        root = axes * np.sqrt(np.maximum(values, 0.0))[..., None, :]
        deviation = np.sqrt(agents_variance)
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            channel = mean + (root @ _normal(rng, (size, *mean.shape))[..., None])[..., 0]
            coefficient = agents_mean + deviation * _normal(rng, (size, *agents_mean.shape))
            drawn = known(self.instance)._map(lambda array, size=size: np.broadcast_to(array, (size, *array.shape)))
            yield known(drawn, channel_eve=channel, gain_eve=np.abs(coefficient) ** 2)


def known(instance: Instance, **changes: Any) -> Instance:
    """Return an instance with some fields replaced, and without what tells of eavesdroppers otherwise."""
    nothing = dict.fromkeys((*PRIOR, "eve_position_m", "origin"))
    return Instance._trusted(**{**instance._fields(), **nothing, **changes})


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return draws of CN(0, 1)."""
    parts = rng.standard_normal((*shape, 2)) * np.sqrt(0.5)
    return np.asarray(parts[..., 0] + 1j * parts[..., 1])
