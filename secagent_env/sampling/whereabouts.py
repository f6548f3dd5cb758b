r"""Where an eavesdropper may be, and what that means for its links: a mixture over the places of a disc.

At a place x all links of an eavesdropper are independent CN(0, g I), g(x) the path loss there, averaged over line of
sight and shadowing; anywhere in the disc is as likely. An instance holds the Gaussian CN(μ, C) that follows from the
mean m = E g and from an estimate. With c an eigenvalue of C, and μ the mean along its axis, the estimate told of this
component what a factor of the density with the precision 1/c − 1/m and the information μ/c does. So given x it is

    CN(λ μ, λ c),    λ = ρ / (κ + ρ (1 − κ)),    ρ = g/m, κ = c/m,

and the places are as likely as the product over the components of all links of

    exp(−(1 − ρ) |μ|²/m / (κ + ρ (1 − κ))) / (κ + ρ (1 − κ)).

κ = 1 is no estimate, κ = 0 a perfect one. Without an estimate the places are alike. Estimates tell the more of the
place the more agents there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env.model.instance import Instance
from secagent_env.propagation.disc import disc_places
from secagent_env.sampling.beforehand import EvePrior, path_gains
from secagent_env.sampling.fading import squared_distance

PLACES = 10_000
"""By so many the disc is represented."""
ROUNDING = 1e-5
"""So much may a variance exceed the mean power, relative."""


@dataclass(frozen=True, eq=False)
class Whereabouts:
    """Places in the discs of E eavesdroppers, how likely each is, and their factors λ of the links.

    Attributes
    ----------
    below
        Cumulative probabilities of the places, (E, K).
    to_bs, to_agents
        λ of the eigenvectors of C in the order of the eigenvalues, (E, K, L), and of the agents' links, (E, K, N).
    """

    below: np.ndarray
    to_bs: np.ndarray
    to_agents: np.ndarray

    @classmethod
    def of(cls, instance: Instance, links: EvePrior) -> Whereabouts | None:
        """Return those of a single instance, in its own units; None where the eavesdroppers are where they seem.

        ValueError is raised where the instance has no positions, or its prior is wider than its discs allow.
        """
        radius = instance.scenario.eve_position_error_m
        if not radius:
            return None
        means = path_gains(instance)
        if means is None or instance.position_m is None or instance.eve_position_m is None:
            raise ValueError(
                "eve_position_error_m says how far eve_position_m may be off, and the instance lacks positions: give "
                "position_m and eve_position_m, or set eve_position_error_m to 0"
            )
        values, axes = np.linalg.eigh(links.bs_covariance)
        along = (axes.conj().swapaxes(-1, -2) @ links.bs_mean[..., None])[..., 0]
        to_bs, to_agents = means
        model, found = instance.scenario.propagation, []
        for e, centre in enumerate(instance.eve_position_m):
            place = centre + disc_places(radius, PLACES)
            at_bs = model.mean_gain(squared_distance(place), from_bs=True)[:, None]
            apart = squared_distance(place[:, None] - instance.position_m)
            at_agents = model.mean_gain(apart, from_bs=False)
            bs, likely = _given(at_bs, to_bs[e], values[e], along[e])
            agents, also = _given(at_agents, to_agents[:, e], links.agents_variance[:, e], links.agents_mean[:, e])
            likely = likely + also
            found.append((np.cumsum(np.exp(likely - np.max(likely))), bs, agents))
        below, bs, agents = (np.stack(part) for part in zip(*found, strict=True))
        return cls(below / below[:, -1:], bs, agents)

    def draw(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the factors at places drawn for each eavesdropper, (size, E, L) and (size, N, E)."""
        eves = range(len(self.below))
        unit = rng.random((len(self.below), size))
        at = [np.searchsorted(self.below[e], unit[e], side="right") for e in eves]
        to_bs = np.stack([self.to_bs[e, at[e]] for e in eves], axis=1)
        return to_bs, np.stack([self.to_agents[e, at[e]] for e in eves], axis=-1)


def _given(
    gain: np.ndarray, mean_gain: np.ndarray, variance: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return λ (K, ·) and the logarithm of how likely the places are (K,), of gains g there (K, ·) and m, c, μ (·)."""
    known = np.maximum(variance, 0.0) / mean_gain
    if (known > 1 + ROUNDING).any():
        raise ValueError(
            "the prior of the links to the eavesdroppers is wider than the path loss in the disc of "
            "eve_position_error_m: set eve_position_error_m to 0 where the prior says all that is known"
        )
    known = np.minimum(known, 1.0)
    ratio = gain / mean_gain
    mixed = known + ratio * (1 - known)
    likely = -np.log(mixed) - (1 - ratio) * np.abs(mean) ** 2 / mean_gain / mixed
    return ratio / mixed, np.sum(likely, axis=-1)
