r"""The uplink of a selection in closed form: which times it can reach at any powers, and powers that reach them.

Let T = Σ_m g_m p_m + σ² be all that the base station hears, T_e = Σ_m |h_m,e|² p_m + σ² what eavesdropper e does,
θ_e = T_e / T, z_n = g_n p_n / T and r_ne = |h_n,e|² / g_n. By (9) and (10) agent n sends its output within t^ul, with
κ = 2^(o/(B t^ul)) > 1, iff for every eavesdropper (each for itself; if they collude, that is necessary)

    (1 − r_ne z_n / θ_e) / (1 − z_n) ≥ κ    ⇔    z_n ≥ a_ne(κ, θ_e) = (κ − 1) θ_e / (κ θ_e − r_ne),   r_ne < κ θ_e,

and a < 1 iff r_ne < θ_e. Everything else that is heard, noise and jammers, has the share 1 − Σ_S z and the ratio R_e
at most, the largest of 1 (noise) and of the jammers' r_me. So θ_e ≤ Σ_S r_ne z_n + R_e (1 − Σ_S z_n), and a selection
S can reach κ only if for every e some θ ∈ (0, R_e] has

    Σ_S (R_e − min(r_ne, R_e)) a_ne(κ, θ) ≤ R_e − θ    and    Σ_S a_ne(κ, θ) ≤ 1.

a falls with θ: on an interval of θ its value at the upper end, with R_e − θ at the lower end, relaxes both conditions.
:func:`uplink_possible` cuts (0, R_e] into intervals until each of them fails, which proves that κ is out of reach, or
until one of its points meets the conditions. Where nobody jams, R_e = 1, they suffice: the powers are
p_n = (z_n / z_0) σ² / g_n with the noise's share z_0 = 1 − Σ z, see :func:`uplink_powers`.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Instance

SAFETY = 1e-9
"""Relative amount by which a condition has to fail before it counts as failed; far above what rounding does."""
CLOSE = 1e-6
"""Relative accuracy of the least time."""


def uplink_ratio(instance: Instance, time_s: float) -> float:
    """Return κ = 2^(o/(B t)) for the time t, s: what the secrecy rate must reach; infinite for no time."""
    scenario = instance.scenario
    if time_s <= 0:
        return np.inf
    with np.errstate(over="ignore"):
        return float(np.exp2(scenario.uplink_bits / (scenario.bandwidth_hz * time_s)))


def uplink_possible(instance: Instance, selection: np.ndarray, time_s: float, rounds: int = 12) -> bool:
    """Return False only if it is proved that a selection (N,) bool cannot send its output within ``time_s``."""
    kappa = uplink_ratio(instance, time_s)
    if not np.isfinite(kappa):
        return False
    ratio = instance.gain_eve / np.maximum(instance.bs_gain, 1e-300)[:, None]
    jammers = ratio[~selection]
    for e in range(ratio.shape[1]):
        others = max(1.0, float(jammers[:, e].max(initial=0.0)))
        if not _reachable(ratio[selection, e], kappa, others, rounds):
            return False
    return True


def least_time(instance: Instance, selection: np.ndarray, low_s: float, high_s: float) -> float:
    """Return a time, s, from ``low_s`` on, below which a selection (N,) bool is proved not to send its output.

    It is found by bisection, to :data:`CLOSE`; infinite where ``high_s`` does not suffice either.
    """
    if not 0 < low_s < high_s < np.inf or uplink_possible(instance, selection, low_s):
        return low_s
    if not uplink_possible(instance, selection, high_s):
        return np.inf
    while high_s > low_s * (1 + CLOSE):
        middle = np.sqrt(low_s * high_s)
        low_s, high_s = (low_s, middle) if uplink_possible(instance, selection, middle) else (middle, high_s)
    return float(low_s)


def _reachable(ratio: np.ndarray, kappa: float, others: float, rounds: int) -> bool:
    """Return False only if no θ in (0, R], R being ``others``, meets both conditions for the ratios (K,)."""
    if len(ratio) == 1:  # alone: θ = r, a = 1 meets the conditions for every κ, but leaves no share to the noise
        return bool(kappa * ratio[0] <= others * (1 + SAFETY))
    least = float(ratio.max()) * (1 - SAFETY)  # below it some a is not < 1
    if least >= others:
        return False
    edges = np.linspace(least, others, 17)
    low, high = edges[:-1], edges[1:]
    gain = np.maximum(others - ratio, 0.0)
    for _ in range(rounds):
        share = _shares(ratio, kappa, high[:, None])
        open_ = ((share @ gain) * (1 - SAFETY) <= others - low * (1 - SAFETY)) & (share.sum(axis=1) <= 1 + SAFETY)
        if not open_.any():
            return False
        share, low, high = share[open_], low[open_], high[open_]
        if ((share @ gain <= others - high) & (share.sum(axis=1) <= 1)).any():
            return True
        middle = (low + high) / 2
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    return True


def _shares(ratio: np.ndarray, kappa: float, theta: np.ndarray) -> np.ndarray:
    """Return a(κ, θ), infinite where κ θ ≤ r; ratios and θ are broadcast."""
    spare = kappa * theta - ratio
    return np.divide((kappa - 1) * theta, spare, out=np.full(spare.shape, np.inf), where=spare > 0)


def uplink_powers(instance: Instance, selection: np.ndarray, time_s: float, steps: int = 60) -> np.ndarray | None:
    """Return the least powers (N,), W, at which a selection sends within ``time_s`` s beside silent jammers.

    The shares are a(κ, θ) at the largest θ that they leave, θ_e = 1 − Σ_S (1 − r_ne) max_e' a_ne'. The right side is
    concave and rises with θ, so that Newton's method from θ = 1 falls to the largest solution. None if there is none,
    or a power exceeds p_max; or if the eavesdroppers collude and hear too much.
    """
    kappa = uplink_ratio(instance, time_s)
    gain = instance.bs_gain[selection]
    if not np.isfinite(kappa) or not (gain > 0).all():
        return None
    ratio = instance.gain_eve[selection] / gain[:, None]
    theta = np.ones(ratio.shape[1])
    for _ in range(steps):
        shares = _shares(ratio, kappa, theta)
        worst = np.argmax(shares, axis=1)
        share = np.take_along_axis(shares, worst[:, None], axis=1)[:, 0]
        if not share.sum() < 1 - SAFETY:
            return None
        excess = theta - 1 + share @ (1 - ratio)  # falls to 0
        if excess.max() <= 1e-14:
            break
        heard = ratio[np.arange(len(share)), worst]
        slope = (kappa - 1) * heard / (kappa * theta[worst] - heard) ** 2
        jacobian = np.eye(len(theta)) - (1 - ratio).T @ (slope[:, None] * np.eye(len(theta))[worst])
        step = np.linalg.solve(jacobian, excess) if np.linalg.det(jacobian) > 0 else np.full(len(theta), -1.0)
        if not ((step >= -1e-12).all() and (step < theta).all()):
            return None
        theta = theta - step
    power = np.zeros(len(selection))
    power[selection] = share / (1 - share.sum()) * instance.scenario.noise_power_w / gain
    return power if power.max() <= instance.scenario.max_power_w else None
