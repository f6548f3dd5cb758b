"""Refinement: a few steps of local search from a policy's decision, each a batch of decisions scored at once."""

from __future__ import annotations

import numpy as np

from secagent_env import Decision, Instance, evaluate
from solvers.base import merit
from solvers.beamforming import leakage_beam
from solvers.greedy import exchanges
from solvers.starts import execution_costs, sender_levels, sender_powers

TRIALS = 8
"""How many exchanges of agents a step tries, the cheapest first."""


def refine(instance: Instance, decision: Decision, steps: int) -> Decision:
    """Return a decision at least as good: exchanges of agents while they pay, then the senders' best common level.

    Parameters
    ----------
    instance, decision
        Single ones.
    steps
        How many exchanges are made, at most.
    """
    for _ in range(steps):
        better = _exchange(instance, decision)
        if better is None:
            break
        decision = better
    jammer_w = np.where(decision.selection, 0.0, decision.power_w)
    levels = sender_levels(instance, np.asarray(decision.selection), decision.beamformer, jammer_w)
    better = _best(instance, decision, levels)
    return decision if better is None else better


def _exchange(instance: Instance, decision: Decision) -> Decision | None:
    """Return the best decision that a drop, an addition or an exchange of agents leads to; None if none is better."""
    selection, power = np.asarray(decision.selection), decision.power_w
    costs = execution_costs(instance, np.ones_like(selection))
    trials = exchanges(costs, selection, TRIALS)
    if not len(trials):
        return None
    # New senders are received as loud as the others are in the median; who is dropped falls silent.
    received = (power * instance.bs_gain)[selection & (power > 0)]
    snr = float(np.median(received)) / instance.scenario.noise_power_w if received.size else 1.0
    powers = np.where(trials, np.where(selection, power, sender_powers(instance, snr)), np.where(selection, 0.0, power))
    beams = np.stack([leakage_beam(instance, trial) for trial in trials])
    beams = np.concatenate([np.broadcast_to(decision.beamformer, beams.shape), beams])
    candidates = Decision(selection=np.tile(trials, (2, 1)), beamformer=beams, power_w=np.tile(powers, (2, 1)))
    return _best(instance, decision, candidates)


def _best(instance: Instance, decision: Decision, candidates: Decision) -> Decision | None:
    """Return the best candidate; None if none is better than a decision."""
    merits = merit(instance, evaluate(instance, candidates))
    best = int(np.argmin(merits))
    return candidates[best] if merits[best] < merit(instance, evaluate(instance, decision)) else None
