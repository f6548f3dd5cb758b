"""Refinement: a few steps of local search from a policy's decision, each a batch of decisions scored at once."""

from __future__ import annotations

from functools import partial

import numpy as np

from secagent_env import Decision, Instance, evaluate
from solvers.asc.starts import execution_costs, sender_powers
from solvers.asc_plus.exchanges import exchanges
from solvers.asc_plus.starts import sender_levels
from solvers.beam.beamforming import leakage_beam
from solvers.interface.ranking import rank_by_violation
from training.play.repair import Score

TRIALS = 8
"""How many exchanges of agents a step tries, the cheapest first."""


def refine(instance: Instance, decision: Decision, steps: int, score: Score | None = None) -> Decision:
    """Return a decision at least as good: exchanges of agents while they pay, then the senders' best common level.

    For a single instance; at most ``steps`` exchanges are made.
    """
    score = score or partial(evaluate, instance)
    best_rank = float(rank_by_violation(instance, evaluate(instance, decision)))

    def improved(candidates: Decision) -> bool:
        nonlocal decision, best_rank
        ranks = rank_by_violation(instance, score(candidates))
        best = int(np.argmin(ranks))
        if not ranks[best] < best_rank:
            return False
        decision, best_rank = candidates[best], float(ranks[best])
        return True

    for _ in range(steps):
        candidates = _exchanged(instance, decision)
        if not (len(candidates) and improved(candidates)):
            break
    improved(_levels(instance, decision))
    return decision


def _exchanged(instance: Instance, decision: Decision) -> Decision:
    """Return the decisions (·) that the cheapest drops, additions and exchanges of agents lead to."""
    selection, power = np.asarray(decision.selection), decision.power_w
    trials = exchanges(execution_costs(instance, np.ones_like(selection)), selection, TRIALS)
    # New senders are received at the median power of the others; dropped agents fall silent.
    received = (power * instance.bs_gain)[selection & (power > 0)]
    snr = float(np.median(received)) / instance.scenario.noise_power_w if received.size else 1.0
    powers = np.where(trials, np.where(selection, power, sender_powers(instance, snr)), np.where(selection, 0.0, power))
    beams = np.array([leakage_beam(instance, trial) for trial in trials]).reshape(len(trials), -1)
    return Decision(
        selection=np.tile(trials, (2, 1)),
        beamformer=np.concatenate([np.broadcast_to(decision.beamformer, beams.shape), beams]),
        power_w=np.tile(powers, (2, 1)),
    )


def _levels(instance: Instance, decision: Decision) -> Decision:
    """Return the decisions (·) that differ in the common level of the senders."""
    jammer_w = np.where(decision.selection, 0.0, decision.power_w)
    return sender_levels(instance, np.asarray(decision.selection), decision.beamformer, jammer_w)
