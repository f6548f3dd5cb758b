"""How decisions and selections are ranked."""

from __future__ import annotations

import numpy as np

from secagent_env import Decision, Instance, Outcome, evaluate
from secagent_env.model.outcome import constraint_bounds


def merit(instance: Instance, outcome: Outcome) -> np.ndarray:
    """Return a number by which to compare decisions, smaller is better: energies first, then violations.

    Feasible ones have their energy in J; every infeasible one is larger than every feasible one, by the sum
    of its relative violations (each counted as 10 at most).
    """
    relative = np.zeros(outcome.energy_j.shape)
    for name, bound in constraint_bounds(instance.scenario).items():
        excess = np.maximum(outcome.violations[name], 0.0) / (bound if bound > 0 else 1.0)
        relative = relative + np.where(outcome.violated[name], np.minimum(excess, 10.0), 0.0)
    return np.where(outcome.feasible, outcome.energy_j, 1e100 * (1.0 + relative))


def hardest(instance: Instance, decision: Decision) -> np.ndarray:
    """Return the selected agent whose absence promises most, (N,) bool: the worst one in the longest of the phases."""
    outcome = evaluate(instance, decision)
    jamming = np.where(decision.selection, 0.0, decision.power_w)
    noise = jamming @ instance.gain_agents + instance.scenario.noise_power_w
    phases = {
        outcome.downlink_time_s: instance.bs_gain / noise,  # the best that a beam can do for each agent
        outcome.inference_time_s: -instance.inference_time_s,
        outcome.uplink_time_s: outcome.uplink_secrecy,
    }
    merit = np.where(decision.selection, phases[max(phases)], np.inf)
    return np.asarray(np.arange(len(merit)) == np.argmin(merit))


INFEASIBLE = 1e100
"""Where the ranks of infeasible selections begin."""


def rank(instance: Instance, outcome: Outcome) -> np.ndarray:
    """Return by what to compare decisions, smaller is better: energies in J, and from INFEASIBLE on how far off one is.

    The first things that count are agents missing, and links without any secrecy.
    """
    scenario = instance.scenario
    senders = scenario.required_agents - outcome.violations["selected"]
    mute = senders - np.sum(outcome.uplink_secrecy > 0, axis=-1) + ~(outcome.downlink_secrecy > 0)
    late = np.clip(outcome.violations["latency_s"] / scenario.latency_limit_s, 0.0, 10.0)
    short = np.maximum(outcome.violations["selected"], 0) + np.maximum(outcome.violations["accuracy"], 0.0)
    return np.where(outcome.feasible, outcome.energy_j, INFEASIBLE * (1 + mute + 0.05 * late + 100 * short))
