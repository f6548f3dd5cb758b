r"""The network as a pessimist sees it: every link of the eavesdroppers at a quantile of what is known of it.

A received power X = |hᴴw|² of a link hᴴw ~ CN(a, v) exceeds, with probability η at most,

    exact       (v/2) χ'²₂⁻¹(1 − η; 2 |a|²/v), the quantile of the noncentral χ² with 2 degrees of freedom;
    ball        (|a| + √(v r))², the worst case over the ball that holds h with probability 1 − η: r = χ²₂ₗ⁻¹(1 − η) / 2
                for an h of L dimensions (S-procedure: Luo, Sturm, Zhang 2004);
    Bernstein   |a|² + v + √(2s) √(v² + 2 v |a|²) + s v with s = ln 1/η (Bechar 2009; Wang et al. 2014).

For a beam, a = μᴴw and v = wᴴCw. The bound grows with |a|², and is replaced by a tangent at the present beam, floor +
slope |μᴴw|². The slope scales the eavesdropper's channel. What no beam can null, the floor f over the interference,
adds log₂(1 + f) to the rate that the downlink needs, as B T log₂(1 + f) bits in a downlink time T. So the beam and the
powers of any solver are robust ones, on another instance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from secagent_env import Decision, Instance
from secagent_env.sampling.eavesdroppers import with_links
from secagent_env.secrecy.power import power_quantile
from solvers.robust.belief import Belief

STEP = 1e-3
"""Of the tangent's finite difference, relative."""

Bound = Callable[..., np.ndarray]


def exact(power: np.ndarray, spread: np.ndarray, tail: np.ndarray | float, _: int = 1) -> np.ndarray:
    """Return what |x|² of x ~ CN(a, v) exceeds with probability ``tail``; power = |a|² and spread = v, (…)."""
    return power_quantile(power, spread, tail)


def ball(power: np.ndarray, spread: np.ndarray, tail: np.ndarray | float, dimensions: int = 1) -> np.ndarray:
    """Return the worst case over a ball, which |x|² exceeds with probability ``tail`` at most.

    Where ``tail`` > 1/2, the best case: what |x|² exceeds with a probability of at least ``tail``.
    """
    best = np.asarray(tail) > 0.5
    radius = stats.chi2.isf(np.where(best, 1 - np.asarray(tail), tail), 2 * dimensions) / 2
    reach = np.sqrt(spread * radius)
    return np.asarray(np.maximum(np.sqrt(power) + np.where(best, -reach, reach), 0.0) ** 2)


def bernstein(power: np.ndarray, spread: np.ndarray, tail: np.ndarray | float, _: int = 1) -> np.ndarray:
    """Return the Bernstein-type bound, which |x|² exceeds with probability ``tail`` at most (> 1/2: at least)."""
    best = np.asarray(tail) > 0.5
    s = -np.log(np.where(best, 1 - np.asarray(tail), tail))
    root = np.sqrt(2 * s * (spread**2 + 2 * spread * power))
    return np.asarray(np.maximum(power + spread + np.where(best, -root, root + s * spread), 0.0))


METHODS: dict[str, Bound] = {"scenario": exact, "worst-case": ball, "bernstein": bernstein}


@dataclass(frozen=True)
class Pessimist:
    """What a belief looks like when each link may be worse with probability ``tail``, by a method's bound."""

    belief: Belief
    bound: Bound
    tail: float

    @cached_property
    def loud(self) -> np.ndarray:
        """Gains (N, E) of agents whom the eavesdroppers hear as well as can be."""
        return self.heard(self.tail)

    @cached_property
    def quiet(self) -> np.ndarray:
        """Gains (N, E) of agents whom the eavesdroppers hear as badly as can be."""
        return np.minimum(self.heard(1 - self.tail), self.loud)

    def heard(self, tail: np.ndarray | float) -> np.ndarray:
        """Return gains (N, E) that are exceeded with probability ``tail``, a number or (N, 1)."""
        return self.bound(np.abs(self.belief.links.agents_mean) ** 2, self.belief.links.agents_variance, tail, 1)

    def noise_heard(self, noise_covariance: np.ndarray | None) -> np.ndarray:
        """Return what each eavesdropper hears of artificial noise V (L, L) at least, (E,), W, but with ``tail``.

        By Bechar (2009) hᴴVh ≥ tr VC + μᴴVμ − √(2s) √(tr VCVC + 2 μᴴVCVμ) with s = ln 1/η.
        """
        mean, covariance = self.belief.links.bs_mean, self.belief.links.bs_covariance
        if noise_covariance is None:
            return np.zeros(len(mean))
        along = mean @ noise_covariance.T  # Vμ
        spread = noise_covariance @ covariance
        middle = np.real(np.trace(spread, axis1=1, axis2=2) + np.sum(mean.conj() * along, axis=1))
        width = np.real(np.einsum("eij,eji->e", spread, spread))
        width += 2 * np.real(np.einsum("ei,eij,ej->e", along.conj(), covariance, along))
        return np.asarray(np.maximum(middle - np.sqrt(-2 * np.log(self.tail) * np.maximum(width, 0.0)), 0.0))

    def instance(self, near: Decision, risk: np.ndarray, downlink_s: float) -> Instance:
        """Return the network to design for: the selection of a decision, near its beam and its jammers.

        Eavesdroppers hear its senders as well as can be, and all others, its jammers too, as badly. Artificial noise
        stays as it is, and the beam has what it leaves of the power.

        Parameters
        ----------
        near
            The decision; its selected agents must not hear its artificial noise.
        risk
            The probability with which each agent is heard better, (N,), where that is more than ``tail``.
        downlink_s
            How long the downlink takes at most, s.
        """
        belief, scenario = self.belief, self.belief.instance.scenario
        mean, covariance = belief.links.bs_mean, belief.links.bs_covariance
        beam = near.beamformer
        along = np.abs(mean.conj() @ beam) ** 2
        spread = np.maximum(np.real(np.einsum("l,elm,m->e", beam.conj(), covariance, beam)), 0.0)
        step = STEP * along + 1e-6 * spread
        at = self.bound(along, spread, self.tail, scenario.num_antennas)
        ahead = self.bound(along + step, spread, self.tail, scenario.num_antennas)
        slope = np.divide(ahead - at, step, out=np.ones_like(at), where=step > 0)
        jammed = np.where(near.selection, 0.0, near.power_w) @ self.quiet + scenario.noise_power_w
        disturbed = jammed + self.noise_heard(near.noise_covariance)
        floor = np.maximum(at - slope * along, 0.0) / disturbed
        bits = scenario.bandwidth_hz * downlink_s * math.log2(1 + float(np.max(floor)))
        loud = self.heard(np.clip(risk, self.tail, 0.5)[:, None])
        noise_w = 0.0 if near.noise_covariance is None else float(np.trace(near.noise_covariance).real)
        seen = scenario.replace(
            knowledge_bits=scenario.knowledge_bits + bits, bs_power_w=max(scenario.bs_power_w - noise_w, 0.0)
        )
        return with_links(
            belief.instance,
            scenario=seen,
            channel_eve=mean * np.sqrt(slope / (1 + floor) * jammed / disturbed)[:, None],
            gain_eve=np.where(near.selection[:, None], loud, self.quiet),
        )
