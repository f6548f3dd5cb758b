"""Starting points of ASC-plus: selections that can send in secret, jammers that protect them, and powers.

While senders are weak, agent n has uplink secrecy iff it passes the linear test at the jammers' powers
(:mod:`solvers.certificate.linear_test`). Good jammers are the agents that an eavesdropper hears much better than the
base station does; they can usually not send in secret themselves.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Decision, Instance
from secagent_env.allocation.guided import LOWEST_POWER_W
from solvers.asc.starts import execution_costs, sender_powers
from solvers.asc_plus.exchanges import repair
from solvers.certificate.linear_test import linear_test
from solvers.interface.base import at_powers
from solvers.numerics.milp import binary_program

START_SNR = 0.03
"""Receive SNR of the senders at a start without jammers; p ∝ 1/g_n, about 1e-9 W."""
MARGINS = (0.1, 1.0, 3.0)
"""By how much the senders of a start pass the linear test: the more, the less their powers matter."""
JAMMED = 300.0
"""Interference over noise at the base station beyond which stronger jammers make no difference to the linear test."""
FAINTEST = 1e-120
"""The least gain to an eavesdropper that counts: products of a ratio to it with other gains do not overflow."""
JAMMERS_PER_EVE = (1, 2, 3, 4, 6)
JAMMER_LEVELS = (1e-6, 1e-3)
"""Sizes and powers (relative to p_max) of the jammer patterns."""


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


def cheap_selection(instance: Instance, allowed: np.ndarray) -> np.ndarray | None:
    """Return a cheap selection (N,) bool among the allowed agents that meets (13) and (15); None if none does."""
    return repair(execution_costs(instance, allowed), np.zeros(len(allowed), bool))


def protecting_jammers(
    instance: Instance, selection: np.ndarray, margin: float, factors: tuple[float, ...] = (1.0,)
) -> list[np.ndarray]:
    """Return jamming powers (N,), W, beside which a selection (N,) bool can send in secret, once for each factor."""
    protected = protected_selection(instance, selection, margin, everybody=True)
    return [] if protected is None else [jammers_of(instance, *protected, factor) for factor in factors]


def jammers_of(instance: Instance, selection: np.ndarray, power_w: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Return the powers (N,), W, of the unselected agents, times a factor; those below −70 dBm are silent."""
    jammer_w = np.where(selection, 0.0, np.minimum(factor * power_w, instance.scenario.max_power_w))
    return np.where(jammer_w > LOWEST_POWER_W, jammer_w, 0.0)


def protected_selection(
    instance: Instance,
    allowed: np.ndarray,
    margin: float,
    *,
    jammed: np.ndarray | None = None,
    everybody: bool = False,
    seconds: float = 1.0,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the cheapest selection (N,) bool whose agents can all send in secret, and powers (N,), W, that make it so.

    Agents that are ``allowed``, (N,) bool, may be selected, and with ``everybody`` must be; they pass the linear test
    of the uplink by a ``margin``. The powers are capped where noise no longer matters; that keeps the coefficients
    moderate. Jammers count with the gains ``jammed``, (N, E), by default those with which senders are overheard. None
    if there is no such selection, or it is not found in so many seconds.
    """
    scenario = instance.scenario
    n = scenario.num_agents
    gain, heard = np.maximum(instance.bs_gain, 1e-300), np.maximum(instance.gain_eve, FAINTEST)
    cap = min(scenario.max_power_w, JAMMED * scenario.noise_power_w / float(np.median(gain)))
    overheard = np.broadcast_to(heard.sum(axis=1, keepdims=True), heard.shape) if scenario.colluding else heard
    slope, level = linear_test(gain[:, None] / overheard / (1 + margin), 1.0, gain, heard if jammed is None else jammed)
    slope *= cap / scenario.noise_power_w
    slope[np.arange(n), :, np.arange(n)] = 0.0  # the own power cancels
    least = level + np.minimum(slope, 0.0).sum(axis=2)
    may_fail = least < 0
    tests = (np.nonzero(may_fail)[0], slope[may_fail], least[may_fail], (least - level)[may_fail])
    return cheapest_protected(instance, tests, cap, allowed, everybody=everybody, seconds=seconds)


def cheapest_protected(
    instance: Instance,
    tests: tuple[np.ndarray, ...],
    cap_w: float,
    allowed: np.ndarray,
    *,
    everybody: bool = False,
    apart: bool = False,
    seconds: float = 1.0,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the cheapest selection (N,) bool whose agents pass linear tests, and powers (N,), W, that make them pass.

    An integer program in α and x = p / cap, under (13), (15) and the tests of the selected agents. None if there is no
    such selection, or it is not found in time.

    Parameters
    ----------
    tests
        R linear tests as rows Σ_m slope_m x_m + least α_n ≥ least − level: the agent n (R,), slope (R, N) for x, the
        least value (R,) that the test takes in x ∈ [0, 1]^N, and the right side (R,).
    cap_w
        The largest power.
    allowed
        (N,) bool, the agents that may be selected, and with ``everybody`` must be.
    apart
        Whether selected agents have no power, x_n + α_n ≤ 1.
    seconds
        Time for the integer program.
    """
    agent, slope, least, right = tests
    n = instance.scenario.num_agents
    secret = np.concatenate([np.zeros_like(slope), slope], axis=1)
    secret[np.arange(len(agent)), agent] = least
    scale = np.maximum(np.abs(secret).max(axis=1, initial=0.0), 1e-300)
    energy = instance.execution_energy_j
    surplus = 1e2 * (instance.accuracy - instance.scenario.min_accuracy)
    separate = np.hstack([-np.eye(n), -np.eye(n)])[: n * apart]
    enough = np.stack([np.repeat([1.0, 0.0], n), np.append(surplus, np.zeros(n))])
    result = binary_program(
        np.concatenate([energy / (energy.mean() or 1.0), np.full(n, 1e-6)]),
        n,
        np.concatenate([secret / scale[:, None], separate, enough]),
        [*(right / scale), *[-1.0] * len(separate), instance.scenario.required_agents, 0.0],
        low=np.concatenate([allowed & everybody, np.zeros(n)]),
        high=np.concatenate([allowed, np.ones(n)]),
        gap=1e-3,
        seconds=seconds,
    )
    if result.x is None:
        return None
    return result.x[:n] > 0.5, cap_w * np.clip(result.x[n:], 0.0, 1.0)


def sender_levels(
    instance: Instance,
    selection: np.ndarray,
    beamformer: np.ndarray,
    jammer_w: np.ndarray,
    noise_covariance: np.ndarray | None = None,
) -> Decision:
    """Return decisions (·) that differ in the common level of the senders, beside given jammers."""
    noise = instance.scenario.noise_power_w
    disturbance = 1 + float(np.sum(instance.bs_gain * jammer_w, where=~selection)) / noise
    levels = sender_powers(instance, np.logspace(-5, 2, 15) * disturbance)
    return at_powers(selection, beamformer, np.where(selection, levels, jammer_w), noise_covariance)
