"""What a design is tested on: draws of the eavesdroppers' links from all that is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from secagent_env import Decision, Instance, Outcome, evaluate
from secagent_env.sampling.estimation import EvePrior

CHUNK = 500
"""How many draws are scored at a time."""


@dataclass(frozen=True)
class Belief:
    """The links of an instance's eavesdroppers as random variables: h ~ CN(mean, covariance), independent.

    ``instance`` holds everything else, which is known.
    """

    instance: Instance
    links: EvePrior

    @property
    def certain(self) -> bool:
        """Whether nothing is unknown."""
        return not (self.links.bs_covariance.any() or self.links.agents_variance.any())

    def means(self) -> Instance:
        """Return the instance with the means of all links in the place of what they are."""
        power = np.abs(self.links.agents_mean) ** 2
        return without_prior(self.instance, channel_eve=self.links.bs_mean, gain_eve=power)

    def draw(self, count: int, rng: np.random.Generator) -> Instance:
        """Return a batch (count,) of instances that differ in the eavesdroppers' links alone, drawn from the belief."""
        mean, covariance, agents_mean, agents_variance = self.links
        values, axes = np.linalg.eigh(covariance)
        root = axes * np.sqrt(np.maximum(values, 0.0))[..., None, :]
        channel = mean + (root @ _normal(rng, (count, *mean.shape))[..., None])[..., 0]
        coefficient = agents_mean + np.sqrt(agents_variance) * _normal(rng, (count, *agents_mean.shape))
        fields = {
            name: None if array is None else np.broadcast_to(array, (count, *array.shape))
            for name in Instance._arrays
            if name not in _NO_PRIOR
            for array in [getattr(self.instance, name)]
        }
        fields |= {"channel_eve": channel, "gain_eve": np.abs(coefficient) ** 2, "origin": None}
        drawn = Instance._trusted(scenario=self.instance.scenario, **_NO_PRIOR, **fields)
        drawn.__dict__["bs_gain"] = np.broadcast_to(self.instance.bs_gain, (count, *self.instance.bs_gain.shape))
        return drawn


@dataclass(frozen=True)
class Trial:
    """A decision on draws of the links.

    Attributes
    ----------
    failures, draws
        On how many of the draws the decision is infeasible.
    energy_j
        Of each draw (draws,), J; infinite where the decision is infeasible.
    """

    failures: int
    draws: int
    energy_j: np.ndarray

    @classmethod
    def of(cls, decision: Decision, drawn: Instance) -> Trial:
        """Return the trial of a decision on a batch of instances."""
        energies = []
        for start in range(0, len(drawn), CHUNK):
            outcome = evaluate(drawn[start : start + CHUNK], decision)
            energies.append(np.where(outcome.feasible, outcome.energy_j, np.inf))
        energy = np.concatenate(energies)
        return cls(int(np.sum(~np.isfinite(energy))), len(drawn), energy)

    @property
    def outage(self) -> float:
        """The share of failures."""
        return self.failures / self.draws

    def quantile_j(self, outage: float) -> float:
        """Return the energy that is exceeded on a share ``outage`` of the draws at most, J."""
        return float(np.sort(self.energy_j)[max(self.draws - 1 - int(outage * self.draws), 0)])


_NO_PRIOR = dict.fromkeys(
    ("prior_bs_mean", "prior_bs_covariance", "prior_agents_mean", "prior_agents_variance")
)


def without_prior(instance: Instance, **changes: Any) -> Instance:
    """Return an instance of links that count as known, with some fields replaced, and no places of eavesdroppers."""
    return Instance._trusted(**{**instance._fields(), **_NO_PRIOR, "eve_position_m": None, "origin": None, **changes})


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return draws of CN(0, 1)."""
    parts = rng.standard_normal((*shape, 2)) * np.sqrt(0.5)
    return parts[..., 0] + 1j * parts[..., 1]
