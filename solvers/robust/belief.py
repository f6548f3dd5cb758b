"""What is known of the eavesdroppers, and draws of their links from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from secagent_env.model.prior import PRIOR
from secagent_env.sampling.beforehand import EvePrior, eve_prior
from secagent_env.sampling.eavesdroppers import draw_eavesdroppers, with_links
from secagent_env.sampling.whereabouts import Whereabouts
from solvers.interface.scaling import scaled


@dataclass(frozen=True)
class Belief:
    """The links of an instance's eavesdroppers as random variables, h ~ CN(mean, covariance), independent.

    ``instance`` holds everything else, which is known. Where positions are uncertain, ``links`` is what designs take
    for known, and ``draws`` are from the mixture over ``whereabouts``.
    """

    instance: Instance
    links: EvePrior
    whereabouts: Whereabouts | None = None

    @classmethod
    def of(cls, instance: Instance) -> Belief:
        """Return what an instance says of its eavesdroppers, scaled as solvers search: by its prior, or its positions.

        ValueError where it says nothing.
        """
        links = eve_prior(instance)
        network = scaled(instance.replace(**dict(zip(PRIOR, links, strict=True))))
        return cls(network, eve_prior(network), Whereabouts.of(instance, links))

    @property
    def certain(self) -> bool:
        """Whether nothing is unknown."""
        return not (self.links.bs_covariance.any() or self.links.agents_variance.any())

    def expected(self) -> Instance:
        """Return the instance with every link at its mean."""
        power = np.abs(self.links.agents_mean) ** 2
        return with_links(self.instance, channel_eve=self.links.bs_mean, gain_eve=power)

    def draws(self, count: int, rng: np.random.Generator) -> Iterator[Instance]:
        """Yield batches of instances, ``count`` in all, that differ in the eavesdroppers' links alone."""
        return draw_eavesdroppers(self.instance, self.links, count, rng, self.whereabouts)
