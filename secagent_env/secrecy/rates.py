"""Secrecy outage and ergodic secrecy rates, in closed form where there is one.

The rate of a wire-tap channel is [log₂(1 + γ) − log₂(1 + γ_e)]⁺, bit/s/Hz (Wyner, Bell Syst. Tech. J. 54, 1975;
Leung-Yan-Cheong and Hellman, IEEE Trans. Inf. Theory 24, 1978). Here γ is known and γ_e is random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import quad_vec
from scipy.special import hyperu

from secagent_env.model.physics import LN2, secrecy_rate
from secagent_env.sampling.seeds import Seed, generators_of
from secagent_env.secrecy.sinr import EavesdropperSINR, FadingSINR
from secagent_env.secrecy.wiretap import Wiretap
from secagent_env.support.checks import choice, integer, number

METHODS = ("auto", "closed-form", "quadrature", "monte-carlo")
DEPTH = 36.0
"""The SINRs integrated over reach down to e^(−DEPTH) of what matters."""
KEPT = 1e-4
"""A difference of closed forms below this share of them is integrated instead."""
PRECISION = 1e-11
LARGEST = 1e300
"""SNRs beyond it are infinite."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number, or one for each link (…).

    Attributes
    ----------
    value, standard_error
        The error is 0 but for Monte Carlo.
    method
        ``"closed-form"``, ``"quadrature"`` (of closed forms, to about 1e-9), or ``"monte-carlo"``.
    """

    value: np.ndarray
    standard_error: np.ndarray
    method: str


def secrecy_outage(
    channel: Wiretap, rate: float, *, method: str = "auto", draws: int = 100_000, seed: Seed = 0
) -> Estimate:
    """Return the probability that log₂(1 + γ) − log₂(1 + γ_e) falls below ``rate``.

    For rate > 0 it is the secrecy outage probability (Bloch, Barros, Rodrigues, McLaughlin, Wireless
    information-theoretic security, IEEE Trans. Inf. Theory 54, 2008) given γ, and for 0 the probability that nothing
    can be sent in secret: P(γ_e > (1 + γ) 2^−rate − 1). With one eavesdropper whose signal has no mean, a mean SNR of
    1/z, and no jammers, this is exp(−z ((1 + γ) 2^−rate − 1)).

    Parameters
    ----------
    channel
        Of :func:`~secagent_env.secrecy.wiretap`.
    rate
        bit/s/Hz, ≥ 0.
    method
        ``"auto"``, ``"closed-form"``, which wants the forms of :class:`~secagent_env.secrecy.FadingSINR`, or
        ``"monte-carlo"``.
    draws, seed
        Of Monte Carlo.

    Raises
    ------
    ValueError
        If an argument is out of range, or the method wanted is not there.
    """
    rate = number("rate", rate, low=0)
    sinr, eavesdropper, methods = _checked(channel), channel.eavesdropper, [METHODS[3]]
    if eavesdropper.closed:
        methods.insert(0, METHODS[1])
    limit = sinr * np.exp2(-rate) + np.expm1(-rate * LN2)
    if _chosen(method, methods) == METHODS[1]:
        outage = np.asarray(eavesdropper.tails(limit)[1])
        return Estimate(outage, np.zeros_like(outage), METHODS[1])
    return _simulated(channel, lambda heard: heard > limit, draws, seed)


def ergodic_secrecy_rate(channel: Wiretap, *, method: str = "auto", draws: int = 100_000, seed: Seed = 0) -> Estimate:
    """Return E[(log₂(1 + γ) − log₂(1 + γ_e))⁺] over the eavesdroppers' links, bit/s/Hz.

    At a given power it is the secrecy rate of ergodic fading (Gopala, Lai, El Gamal, On the secrecy capacity of fading
    channels, IEEE Trans. Inf. Theory 54, 2008), given γ. By parts it is ∫₀^γ P(γ_e ≤ s) / (1 + s) ds / ln 2.
    With one eavesdropper whose signal has no mean, a mean SNR of 1/z, and no jammers this is

        [ln(1 + γ) − e^z E₁(z) + e^z E₁(z (1 + γ))] / ln 2.

    Parameters and errors are those of :func:`secrecy_outage`. ``"closed-form"`` is this one, or that nothing is random;
    ``"quadrature"`` integrates the closed forms of P(γ_e ≤ s), and takes over where the difference would lose digits.
    """
    sinr, eavesdropper, methods = _checked(channel), channel.eavesdropper, [METHODS[3]]
    if eavesdropper.closed:
        methods.insert(0, METHODS[2])
    value, precise = None, False
    if isinstance(eavesdropper, FadingSINR):
        value, precise = _closed_rate(sinr, eavesdropper)
    if value is not None:
        methods.insert(0 if precise else 1, METHODS[1])
    chosen = _chosen(method, methods)
    if chosen == METHODS[3]:
        return _simulated(channel, lambda heard: secrecy_rate(sinr, heard), draws, seed)
    if chosen == METHODS[2] or value is None:
        value = _integrated_rate(sinr, eavesdropper)
    return Estimate(value, np.zeros_like(value), chosen)


def _checked(channel: Wiretap) -> np.ndarray:
    sinr = np.asarray(channel.sinr, float)
    if not (np.isfinite(sinr) & (sinr >= 0)).all():
        raise ValueError(f"sinr must hold finite numbers ≥ 0, got {sinr!r:.200}")
    return sinr


def _chosen(method: str, methods: list[str]) -> str:
    """Return the method to use, of those that there are, the best first."""
    if choice("method", method, METHODS) == "auto":
        return methods[0]
    if method not in methods:
        raise ValueError(f"method={method!r} is not there for this link and quantity, only {' and '.join(methods)}")
    return method


def _simulated(channel: Wiretap, quantity: Callable[[np.ndarray], np.ndarray], draws: int, seed: Seed) -> Estimate:
    """Return the mean of a quantity of the eavesdroppers' SINR over draws, and its standard error.

    Of a share of draws the error is that of one success and one failure more (Agresti, Coull 1998), hence never 0.
    """
    draws = integer("draws", draws, low=2)
    (rng,) = generators_of(seed, 1)
    total, squares, likely = 0.0, 0.0, False
    for heard in channel.eavesdropper.draws(draws, rng):
        lacking = max(0, np.ndim(channel.sinr) + 1 - heard.ndim)
        found = quantity(heard.reshape(heard.shape[0], *[1] * lacking, *heard.shape[1:]))
        likely = found.dtype == bool
        total, squares = total + found.sum(axis=0, dtype=float), squares + np.square(found, dtype=float).sum(axis=0)
    mean = np.asarray(total / draws)
    share = (total + 1) / (draws + 2)
    variance = share * (1 - share) if likely else np.maximum(squares / draws - mean**2, 0.0) * draws / (draws - 1)
    return Estimate(mean, np.sqrt(variance / draws), METHODS[3])


@np.errstate(over="ignore")
def _closed_rate(sinr: np.ndarray, heard: FadingSINR) -> tuple[np.ndarray | None, bool]:
    """Return the ergodic rate of exponential or certain SINRs, and whether it keeps its digits; None of others."""
    power, spread = heard.signal_w[..., 0], heard.signal_spread_w[..., 0]
    certain = spread == 0
    if heard.signal_w.shape[-1] > 1 or heard.jammed.any() or not (certain | heard.scattered[..., 0]).all():
        return None, False
    fixed = heard.fixed_w[..., 0]
    z = np.where(certain, 1.0, np.clip(fixed / np.where(certain, 1.0, spread), 1 / LARGEST, LARGEST))
    alone, lost = np.log1p(sinr), hyperu(1, 1, z)  # hyperu(1, 1, z) is e^z E₁(z)
    left = np.maximum(alone - lost + np.exp(-sinr * z) * hyperu(1, 1, z * (1 + sinr)), 0.0)
    precise = certain | (left > KEPT * (alone + lost)) | (sinr == 0)
    return np.where(certain, secrecy_rate(sinr, power / fixed), left / LN2), bool(precise.all())


def _integrated_rate(sinr: np.ndarray, heard: EavesdropperSINR) -> np.ndarray:
    """Return ∫₀^γ P(γ_e ≤ s) / (1 + s) ds / ln 2, over u with s = γ e^(−u)."""
    rate = np.log1p(sinr)
    most = heard.tails(sinr)[0] * rate  # the integral is no larger
    scale = np.where(most > 0, most, 1.0)
    depth = DEPTH + rate

    def integrand(part: float) -> np.ndarray:
        at = sinr * np.exp(-depth * part)
        return depth * heard.tails(at)[0] * (at / (1 + at)) / scale

    value = sum(
        quad_vec(integrand, low, high, epsabs=PRECISION, epsrel=PRECISION, norm="max")[0]
        for low, high in pairwise(_knees(sinr, heard, depth))
    )
    return np.asarray(np.where(most > 0, value * scale, 0.0) / LN2)


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def _knees(sinr: np.ndarray, heard: EavesdropperSINR, depth: np.ndarray) -> list[float]:
    """Return where to cut the integral: the SINRs about which the eavesdroppers' lie, as shares of the depth."""
    inside: list[float] = []
    if isinstance(heard, FadingSINR):
        typical = (heard.signal_w + heard.signal_spread_w) / heard.fixed_w
        share = np.log(sinr[..., None] / typical) / depth[..., None]
        inside = [float(u) for u in np.unique(np.round(share, 9)) if 0 < u < 1]
    return [0.0, *inside, 1.0]
