"""The SINR of the eavesdroppers as a random variable.

An eavesdropper receives a signal x and interference y_j, all independent and CN:

    SINR = |x|² / (Σ_j |y_j|² + σ²),    x ~ CN(a, v),    y_j ~ CN(a_j, v_j).

It exceeds s with a probability in closed form where the interference is certain, the power |x|² being noncentral χ²
(:mod:`secagent_env.secrecy.power`), and where the signal has no mean, from the transform of the interference:

    P(SINR > s) = e^(−s σ² / v) Π_j exp(−s |a_j|² / (v + s v_j)) / (1 + s v_j / v).

Of several eavesdroppers that do not collude the largest SINR counts, below s with the product of their probabilities.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.physics import combine_eavesdroppers, downlink_sinr, uplink_sinr
from secagent_env.sampling.beforehand import EvePrior
from secagent_env.sampling.eavesdroppers import complex_normal, draw_eavesdroppers
from secagent_env.sampling.whereabouts import Whereabouts
from secagent_env.secrecy.power import power_tails

ROUNDING = 1e-13
"""A mean |a|² below this share of the spread v changes nothing."""
DRAWN = 2**18
"""About so many numbers are drawn at a time."""


class EavesdropperSINR(ABC):
    """The SINR that limits secrecy on one link or several (…), that of all eavesdroppers together."""

    closed: bool = False
    """Whether ``tails`` has a closed form."""

    def tails(self, sinr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities that the SINR is at most so large, and that it is larger, (…)."""
        raise NotImplementedError

    @abstractmethod
    def draws(self, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield draws in batches (B, …), ``count`` in all."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FadingSINR(EavesdropperSINR):
    """The SINR of E eavesdroppers with Gaussian links.

    Attributes
    ----------
    signal_w, signal_spread_w
        |a|² and v of what they receive of the signal, (…, E), W.
    noise_w
        σ², W.
    others_w, others_spread_w
        |a_j|² and v_j of the interference, (…, J, E), W; by default there is none.
    colluding
        Whether their SINRs add.

    Raises
    ------
    ValueError
        If a power is negative or not finite.
    """

    signal_w: np.ndarray
    signal_spread_w: np.ndarray
    noise_w: float
    others_w: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    others_spread_w: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    colluding: bool = False

    def __post_init__(self) -> None:
        for name in ("signal_w", "signal_spread_w", "others_w", "others_spread_w"):
            array = np.asarray(getattr(self, name), float)
            if not (np.isfinite(array) & (array >= 0)).all():
                raise ValueError(f"{name} must hold powers ≥ 0, W, got {array!r:.200}")
            object.__setattr__(self, name, array)
        if not 0 < self.noise_w < math.inf:
            raise ValueError(f"noise_w must be a finite number > 0, got {self.noise_w!r}")
        signal = np.broadcast_arrays(np.atleast_1d(self.signal_w), np.atleast_1d(self.signal_spread_w))
        object.__setattr__(self, "signal_w", signal[0])
        object.__setattr__(self, "signal_spread_w", signal[1])

    @property
    def together(self) -> bool:
        """Whether the SINRs of several eavesdroppers add."""
        return self.colluding and self.signal_w.shape[-1] > 1

    @property
    def jammed(self) -> np.ndarray:
        """Where the interference is random, (…, E)."""
        return np.asarray((self.others_spread_w > 0).any(axis=-2))

    @property
    def scattered(self) -> np.ndarray:
        """Where the signal has no mean to speak of, (…, E): that of a beam nulled at it is rounding."""
        return np.asarray(self.signal_w <= ROUNDING * self.signal_spread_w)

    @property
    def closed(self) -> bool:  # type: ignore[override]
        """Whether ``tails`` has a closed form."""
        return not self.together and not (self.jammed & ~self.scattered & (self.signal_w > 0)).any()

    @property
    def fixed_w(self) -> np.ndarray:
        """Noise and the means of the interference, (…, E), W."""
        return np.asarray(self.others_w.sum(axis=-2) + self.noise_w)

    @np.errstate(over="ignore", divide="ignore")  # infinite is as good
    def tails(self, sinr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities that the SINR is at most so large, and that it is larger, (…)."""
        level = np.asarray(sinr, float)[..., None]
        below, above = power_tails(level * self.fixed_w, self.signal_w, self.signal_spread_w)
        random = self.jammed & (self.signal_spread_w > 0)
        if random.any():
            scale = np.maximum(level, 0.0) / np.where(random, self.signal_spread_w, 1.0)
            noisy = scale[..., None, :] * self.others_spread_w
            survived = np.log1p(noisy) + scale[..., None, :] * self.others_w / (1 + noisy)
            survived = scale * self.noise_w + survived.sum(axis=-2)
            below = np.where(random, -np.expm1(-survived), below)
            above = np.where(random & (level >= 0), np.exp(-survived), above)
        if below.shape[-1] == 1:
            return below[..., 0], above[..., 0]
        return np.prod(below, axis=-1), -np.expm1(np.log1p(-above).sum(axis=-1))

    def draws(self, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield draws in batches (B, …), ``count`` in all."""
        signal, others = self.signal_w.shape, np.broadcast_shapes(self.others_w.shape, self.others_spread_w.shape)
        most = max(1, DRAWN // (math.prod(signal) + math.prod(others)))
        for start in range(0, count, most):
            size = min(most, count - start)
            received = _power(rng, (size, *signal), self.signal_w, self.signal_spread_w)
            interference = _power(rng, (size, *others), self.others_w, self.others_spread_w).sum(axis=-2)
            yield combine_eavesdroppers(received / (interference + self.noise_w), self.colluding)


@dataclass(frozen=True, eq=False)
class DrawnSINR(EavesdropperSINR):
    """The SINR of an instance's eavesdroppers to whom a decision sends, where only draws tell.

    Attributes
    ----------
    instance, decision
        Single ones.
    links, whereabouts
        What is known of the eavesdroppers' links.
    uplink
        Of every agent, (N,); or else of the downlink, ().
    """

    instance: Instance
    decision: Decision
    links: EvePrior
    whereabouts: Whereabouts | None
    uplink: bool

    def draws(self, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield draws in batches (B, …), ``count`` in all."""
        heard = uplink_sinr if self.uplink else downlink_sinr
        for part in draw_eavesdroppers(self.instance, self.links, count, rng, self.whereabouts):
            yield combine_eavesdroppers(heard(part, self.decision)[1], self.instance.scenario.colluding)


def _power(rng: np.random.Generator, shape: tuple[int, ...], power: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(np.sqrt(power) + np.sqrt(spread) * complex_normal(rng, shape)) ** 2)
