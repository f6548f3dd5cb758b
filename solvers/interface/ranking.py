"""How decisions are ranked: feasible ones by their energy, then infeasible ones; the smaller number is the better.

:func:`rank_by_violation` decides what a solver returns, :func:`rank_by_secrecy` the starts and steps of ASC. Searches
without derivatives use :func:`secagent_env.allocation.shaping.secrecy_shortfall`, which is smooth.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Decision, Instance, Outcome, evaluate
from secagent_env.model.outcome import constraint_bounds

INFEASIBLE = 1e100
"""Where the ranks of infeasible decisions begin."""
TIE = 2.0**-40
"""Energies within this relative distance, 10⁻¹², may be ties, which the transmission energy decides."""


def rank_by_violation(instance: Instance, outcome: Outcome) -> np.ndarray:
    """Return energies in J, and for infeasible decisions (…) the sum of relative violations, each at most 10."""
    relative = np.zeros(outcome.energy_j.shape)
    for name, excess in relative_violations(instance, outcome).items():
        relative = relative + np.where(outcome.violated[name], np.minimum(excess, 10.0), 0.0)
    return _feasible_first(outcome, 1.0 + relative)


def to_ties(rank: np.ndarray) -> np.ndarray:
    """Return ranks (…) rounded to 40 bits: decisions whose transmission energies alone differ, by next to nothing, tie.

    Where the rounding happens to part two of them, the whole energies decide, and say the same.
    """
    mantissa, exponent = np.frexp(rank)
    return np.asarray(np.ldexp(np.rint(mantissa / TIE) * TIE, exponent))


def rank_by_secrecy(instance: Instance, outcome: Outcome) -> np.ndarray:
    """Return energies in J, and for infeasible decisions (…) first of all agents missing and links without secrecy."""
    scenario = instance.scenario
    senders = scenario.required_agents - outcome.violations["selected"]
    mute = senders - np.sum(outcome.uplink_secrecy > 0, axis=-1) + ~(outcome.downlink_secrecy > 0)
    late = np.clip(outcome.violations["latency_s"] / scenario.latency_limit_s, 0.0, 10.0)
    short = np.maximum(outcome.violations["selected"], 0) + np.maximum(outcome.violations["accuracy"], 0.0)
    return _feasible_first(outcome, 1 + mute + 0.05 * late + 100 * short)


def relative_violations(instance: Instance, outcome: Outcome) -> dict[str, np.ndarray]:
    """Return by which share of its bound each constraint is violated, (…), 0 where it is met; absolute at a bound 0."""
    bounds = constraint_bounds(instance.scenario)
    return {name: np.maximum(outcome.violations[name], 0.0) / (bound or 1.0) for name, bound in bounds.items()}


def bottleneck(instance: Instance, decision: Decision) -> np.ndarray:
    """Return the selected agent that holds the others up most, (N,) bool: the worst one in the longest phase."""
    outcome = evaluate(instance, decision)
    jamming = np.where(decision.selection, 0.0, decision.power_w)
    noise = jamming @ instance.gain_agents + instance.scenario.noise_power_w
    phases = {
        outcome.downlink_time_s: instance.bs_gain / noise,  # the best that a beam can do for each agent
        outcome.inference_time_s: -instance.inference_time_s,
        outcome.uplink_time_s: outcome.uplink_secrecy,
    }
    speed = np.where(decision.selection, phases[max(phases)], np.inf)
    return np.asarray(np.arange(len(speed)) == np.argmin(speed))


def _feasible_first(outcome: Outcome, level: np.ndarray) -> np.ndarray:
    return np.where(outcome.feasible, outcome.energy_j, INFEASIBLE * level)
