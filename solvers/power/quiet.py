"""Powers of the senders while nobody jams (50), without a convex program.

In units of σ² let z_n = g_n p_n be the power that the base station receives from sender n, Z the sum over all senders,
r_ne = |h_n,e|²/g_n the part of it that eavesdropper e receives, and R_e = Σ r_ne z_n. Sender n needs the time T iff

    (1 + z_n / I_n) / (1 + q_n z_n) = κ = 2^(o/(B T)),   z_n = (κ − 1) / (1/I_n − κ q_n),

with I_n = 1 + Z − z_n and q_n the largest of r_ne / (1 + R_e − r_ne z_n) (colluding: their sum). A sender m that
becomes weaker saves energy: its own, since its secrecy rate is concave in its power, and that of every other one n,

    r_ne r_me (1 + Z) I_n < (1 + R_e) (1 + R_e − r_ne z_n),

because both are secret: r_me (1 + Z) < 1 + R_e and r_ne I_n < 1 + R_e − r_ne z_n. (Colluding eavesdroppers: the same
with sums.) So the least powers at which everybody needs the same time T cost least, and less the larger T is: towards

    Σ_n o ln2 σ² / (B g_n (1 − ρ_n)),   ρ_n = max_e r_ne (colluding: Σ_e r_ne).

No powers of the senders cost less while all ρ_n < 1: an eavesdropper's SINR is at least ρ_n times that at the base
station, and this one is at most z_n.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Decision, Instance, Outcome
from secagent_env.model.physics import LN2, combine_eavesdroppers
from solvers.power.power_program import LATENCY_RESERVE

MOST_STEPS = 300


def quiet_powers(
    instance: Instance, decision: Decision, outcome: Outcome, excess: float, lowest_w: np.ndarray | float = 0.0
) -> np.ndarray | None:
    """Return the powers (N,), W, at which a decision without jammers transmits for least energy.

    None where somebody jams, an eavesdropper hears a sender better than the base station does, or there is no time for
    the uplink, or too little power.

    Parameters
    ----------
    decision, outcome
        Its beam decides how much of the latency limit is left; its powers do not matter.
    excess
        Share of the energy that may be given away for speed: nobody is slower than saves more.
    lowest_w
        The least power of a sender, (N,) or one number, W.
    """
    scenario = instance.scenario
    senders = np.flatnonzero(decision.selection)
    room = scenario.latency_limit_s * (1 - LATENCY_RESERVE) - float(outcome.inference_time_s + outcome.downlink_time_s)
    if not senders.size or not room > 0 or np.any(decision.power_w[~decision.selection] > 0):
        return None
    unit = scenario.noise_power_w / np.maximum(instance.bs_gain[senders], 1e-300)  # W at z = 1
    ratio = instance.gain_eve[senders] * (unit / scenario.noise_power_w)[:, None]
    rho = combine_eavesdroppers(ratio, scenario.colluding)
    if not (rho < 1).all():
        return None
    least = np.broadcast_to(lowest_w, decision.power_w.shape)[senders] / unit
    nats = scenario.uplink_bits * LN2 / scenario.bandwidth_hz  # of the rate, times seconds
    z = _least_levels(ratio, max(nats / room, _leisure(unit, rho, excess)), least, scenario.colluding)
    if z is None or (z * unit > scenario.max_power_w).any():
        return None
    power = np.zeros(decision.power_w.shape)
    power[senders] = z * unit
    return power


def _leisure(unit: np.ndarray, rho: np.ndarray, excess: float) -> float:
    """Return the rate, nat/s/Hz, at which the senders' energy exceeds its infimum by the share ``excess`` at most.

    At a small rate c the levels are c / (1 − ρ_n), and their sum Z raises the energy of n by Z / (1 − ρ_n) at most.
    """
    share = 1 / (1 - rho)
    energy = unit * share
    return float(excess * energy.sum() / (share.sum() * (energy @ share)))


def _least_levels(ratio: np.ndarray, rate: float, least: np.ndarray, colluding: bool) -> np.ndarray | None:
    """Return the least z (K,) at which everybody has the secrecy rate ``rate``, nat/s/Hz; None if they are not found.

    Fixed-point iteration from below; with each other's interference what a sender needs rises.
    """
    kappa, gain = np.exp(rate), np.expm1(rate)
    z = least
    for _ in range(MOST_STEPS):
        heard = ratio * z[:, None]
        noise = 1 + (z.sum() - z)
        overheard = combine_eavesdroppers(ratio / (1 + (heard.sum(axis=0) - heard)), colluding)
        spare = 1 / noise - kappa * overheard
        if not (spare > 0).all():
            return None
        needed = np.maximum(gain / spare, least)
        if (np.abs(needed - z) <= 1e-14 * needed).all():
            return np.asarray(needed)
        z = needed
    return None
