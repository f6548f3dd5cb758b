"""Starting points: who could send in secret while others jam, and at which powers.

While senders are weak, agent n has uplink secrecy iff for every eavesdropper e the linear test

    g_n (Σ_m |h_m,e|² q_m + σ²) > |h_n,e|² (Σ_m g_m q_m + σ²)

holds at the jammers' powers q: it is the ratio of gains that the jammers change. Good jammers are the agents whom an
eavesdropper hears much better than the base station does; they can usually not send in secret themselves.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from secagent_env import Decision, Instance
from secagent_env.allocation.actions import LOWEST_POWER_W
from secagent_env.model.physics import combine_eavesdroppers
from solvers.asc.greedy import Costs, repair
from solvers.numerics.milp import milp

START_SNR = 0.03
"""Receive SNR of the senders at a start without jammers; p ∝ 1/g_n, about 1e-9 W."""
MARGINS = (0.1, 1.0, 3.0)
"""By how much the senders of a start pass the linear test: the more, the less their powers matter."""
JAMMED = 300.0
"""Interference over noise at the base station beyond which stronger jammers make no difference to the linear test."""
JAMMERS_PER_EVE = (1, 2, 3, 4, 6)
JAMMER_LEVELS = (1e-6, 1e-3)
"""Sizes and powers (relative to p_max) of the jammer patterns."""


def sender_powers(
    instance: Instance, snr: float | np.ndarray = START_SNR, lowest_w: float = LOWEST_POWER_W
) -> np.ndarray:
    """Return powers (…, N), W, at which each agent alone is received with the SNR ``snr`` (…), within the budget."""
    scenario = instance.scenario
    power = np.asarray(snr)[..., None] * scenario.noise_power_w / np.maximum(instance.bs_gain, 1e-300)
    return np.clip(power, lowest_w, scenario.max_power_w)


def jammer_patterns(instance: Instance) -> np.ndarray:
    """Return jamming powers (·, N), W, weakest first: for each eavesdropper the best few jammers, all at one level."""
    ratio = instance.gain_eve / np.maximum(instance.bs_gain, 1e-300)[:, None]
    order = np.argsort(-ratio, axis=0, kind="stable")
    sets: list[np.ndarray] = []
    for size in JAMMERS_PER_EVE:
        jammers = np.zeros(len(ratio), bool)
        jammers[order[:size].ravel()] = True
        if not sets or not np.array_equal(jammers, sets[-1]):
            sets.append(jammers)
    levels = np.maximum(np.array(JAMMER_LEVELS) * instance.scenario.max_power_w, LOWEST_POWER_W)
    return (levels[:, None, None] * np.stack(sets)).reshape(-1, len(ratio))


def secret_senders(instance: Instance, jammer_w: np.ndarray) -> np.ndarray:
    """Return who passes the linear test beside jammers of power ``jammer_w`` (N,), (N,) bool."""
    noise = instance.scenario.noise_power_w
    at_eve = instance.gain_eve / (jammer_w @ instance.gain_eve + noise)
    at_bs = instance.bs_gain / (instance.bs_gain @ jammer_w + noise)
    return np.asarray(at_bs > combine_eavesdroppers(at_eve, instance.scenario.colluding))


def cheap_selection(instance: Instance, allowed: np.ndarray) -> np.ndarray | None:
    """Return a cheap selection (N,) bool among the allowed agents that meets (13) and (15); None if none does."""
    return repair(execution_costs(instance, allowed), np.zeros(len(allowed), bool))


def execution_costs(instance: Instance, allowed: np.ndarray) -> Costs:
    """Return the costs of selecting agents, of which only those of computing are counted."""
    energy = instance.execution_energy_j
    unit = float(energy.mean()) or 1.0
    return Costs(
        change=energy / unit,
        surplus=instance.accuracy - instance.scenario.min_accuracy,
        allowed=allowed,
        required=instance.scenario.required_agents,
        unit_j=unit,
        uplink_time_s=np.zeros_like(energy),
    )


def protecting_jammers(instance: Instance, selection: np.ndarray, margin: float) -> np.ndarray | None:
    """Return jamming powers (N,), W, beside which a selection (N,) bool can send in secret; None if none are found."""
    found = protected_selection(instance, selection, margin, everybody=True)
    return None if found is None else jammers_of(instance, *found)


def jammers_of(instance: Instance, selection: np.ndarray, power_w: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Return the powers (N,), W, of the unselected agents, times a factor; those below −70 dBm are silent."""
    jammer_w = np.where(selection, 0.0, np.minimum(factor * power_w, instance.scenario.max_power_w))
    return np.where(jammer_w > LOWEST_POWER_W, jammer_w, 0.0)


def protected_selection(
    instance: Instance, allowed: np.ndarray, margin: float, *, everybody: bool = False, seconds: float = 1.0
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the cheapest selection (N,) bool whose agents can all send in secret, and powers (N,), W, that make it so.

    The linear test at powers of all agents is an integer program in α and p: for each agent and eavesdropper
    g_n (Σ_m |h_m,e|² p_m + σ²) ≥ (1 + margin) |h_n,e|² (Σ_m g_m p_m + σ²) − M (1 − α_n), m ≠ n. (For colluding
    eavesdroppers |h_n,e|² on the right is summed over them, which suffices.) The powers are capped where noise no
    longer matters; that keeps M moderate. None if there is none, or it is not found in time.

    Parameters
    ----------
    allowed
        (N,) bool, who may be selected, and with ``everybody`` who must be.
    margin
        By how much the test is passed.
    seconds
        Time for the integer program.
    """
    scenario = instance.scenario
    noise, n = scenario.noise_power_w, scenario.num_agents
    gain, heard = np.maximum(instance.bs_gain, 1e-300), np.maximum(instance.gain_eve, 1e-300)
    cap = min(scenario.max_power_w, JAMMED * noise / float(np.median(gain)))
    own = np.broadcast_to(heard.sum(axis=1, keepdims=True), heard.shape) if scenario.colluding else heard
    ratio = gain[:, None] / own / (1 + margin)  # (N, E)
    slope = (ratio[:, :, None] * heard.T - gain) * (cap / noise)  # (N, E, N): what p_m/cap adds to the row of n, e
    slope[np.arange(n), :, np.arange(n)] = 0.0
    lowest = ratio - 1 + np.minimum(slope, 0.0).sum(axis=2)
    binding = lowest < 0
    rows = np.concatenate([np.zeros((int(binding.sum()), n)), slope[binding]], axis=1)
    rows[np.arange(len(rows)), np.nonzero(binding)[0]] = lowest[binding]
    bound = lowest[binding] - (ratio - 1)[binding]
    scale = np.maximum(np.abs(rows).max(axis=1, initial=0.0), 1e-300)
    energy = instance.execution_energy_j
    surplus = 1e2 * (instance.accuracy - scenario.min_accuracy)
    matrix = np.concatenate(
        [rows / scale[:, None], [np.repeat([1.0, 0.0], n)], [np.concatenate([surplus, np.zeros(n)])]]
    )
    result = milp(
        np.concatenate([energy / (energy.mean() or 1.0), np.full(n, 1e-6)]),
        integrality=np.repeat([1, 0], n),
        bounds=optimize.Bounds(
            np.concatenate([allowed & everybody, np.zeros(n)]), np.concatenate([allowed, np.ones(n)])
        ),
        constraints=optimize.LinearConstraint(matrix, [*(bound / scale), scenario.required_agents, 0.0], np.inf),
        options={"mip_rel_gap": 1e-3, "time_limit": seconds},
    )
    if result.x is None:
        return None
    return result.x[:n] > 0.5, cap * np.clip(result.x[n:], 0.0, 1.0)


def sender_levels(instance: Instance, selection: np.ndarray, beamformer: np.ndarray, jammer_w: np.ndarray) -> Decision:
    """Return decisions (·) that differ in the common level of the senders, beside given jammers."""
    noise = instance.scenario.noise_power_w
    disturbance = 1 + float(np.sum(instance.bs_gain * jammer_w, where=~selection)) / noise
    levels = sender_powers(instance, np.logspace(-6, 2, 17) * disturbance)
    shape = (len(levels),)
    return Decision(
        selection=np.broadcast_to(selection, shape + selection.shape),
        beamformer=np.broadcast_to(beamformer, shape + beamformer.shape),
        power_w=np.where(selection, levels, jammer_w),
    )
