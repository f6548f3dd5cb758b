"""Repair: replaces an infeasible decision by a feasible one near it, if one is found in a few milliseconds.

The policy's decision is kept as far as possible. Agents are exchanged only to meet the count, the accuracy, the time
and secrecy, the cheapest exchange first, never merely to save energy. Then the senders' common level is
taken from a grid, with the policy's beam or the one that leaks least; jammers are the policy's, none, or a pattern of
good ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from secagent_env import Decision, Instance, Outcome, evaluate
from solvers.asc.starts import execution_costs
from solvers.asc_plus import exchanges
from solvers.asc_plus.starts import jammer_patterns, jammers_of, sender_levels
from solvers.beam.beamforming import leakage_beam
from solvers.certificate.linear_test import secret_at_best, secret_senders
from solvers.certificate.requirements import TimeFloors, usable_agents
from solvers.interface.ranking import bottleneck, rank_by_violation

ROUNDS = 12
"""How often, beside the same jammers, the agent that holds the others up is replaced."""
TRIALS = 24
"""How many selections beside jammers are tried in all, at most."""

Score = Callable[[Decision], Outcome]
"""Returns the outcomes of decisions in the instance: ``evaluate``, or a solver's ``run.consider``, which counts."""


def repair(instance: Instance, decision: Decision, score: Score | None = None) -> Decision:
    """Return a feasible decision near a given single one, or the least violating one that was found."""
    score = score or partial(evaluate, instance)
    best, best_rank = decision, math.inf
    for candidates in itertools.islice(_candidates(instance, decision), TRIALS):
        outcome = score(candidates)
        ranks = rank_by_violation(instance, outcome)
        index = int(np.argmin(ranks))
        if ranks[index] < best_rank:
            best, best_rank = candidates[index], float(ranks[index])
        if outcome.feasible[index]:
            return best
    better = best_rank < rank_by_violation(instance, evaluate(instance, decision))
    return best if better else decision


def repair_all(instances: Instance, decisions: Decision) -> Decision:
    """Return the decisions (…) of instances (…), the infeasible ones repaired."""
    return changed(instances, decisions, ~np.asarray(evaluate(instances, decisions).feasible), repair)


def changed(
    instances: Instance, decisions: Decision, which: np.ndarray, change: Callable[[Instance, Decision], Decision]
) -> Decision:
    """Return decisions (…), those marked in ``which`` (…) bool changed one by one."""
    if not which.any():
        return decisions
    if not decisions.batch_shape:
        return change(instances, decisions)
    arrays = {name: np.array(value) for name, value in decisions._fields().items() if value is not None}
    for index in map(tuple, np.argwhere(which)):
        one = change(instances[index], decisions[index])
        for name, array in arrays.items():
            array[index] = getattr(one, name)
    return Decision(**arrays)


def _candidates(instance: Instance, decision: Decision) -> Iterator[Decision]:
    """Yield batches of decisions, the nearest first."""
    usable = usable_agents(instance, instance.execution_energy_j, TimeFloors.of(instance)) & secret_at_best(instance)
    own = jammers_of(instance, decision.selection, decision.power_w)
    patterns = [own, *([np.zeros_like(own)] if own.any() else []), *jammer_patterns(instance)]
    for jammer_w in patterns:
        allowed = usable & secret_senders(instance, jammer_w)
        for _ in range(ROUNDS):
            costs = execution_costs(instance, allowed)
            selection = exchanges.repair(costs, np.asarray(decision.selection), improve=False)
            if selection is None:
                break
            candidates = links(instance, selection, np.where(selection, 0.0, jammer_w), decision.beamformer)
            yield candidates
            best = int(np.argmin(rank_by_violation(instance, evaluate(instance, candidates))))
            allowed = allowed & ~bottleneck(instance, candidates[best])


def links(instance: Instance, selection: np.ndarray, jammer_w: np.ndarray, beamformer: np.ndarray) -> Decision:
    """Return decisions (·) for a selection (N,) bool beside jammers (N,), W: two beams at levels of the senders."""
    beams = [beamformer, leakage_beam(instance, selection)] if selection.any() else [beamformer]
    levels = [sender_levels(instance, selection, beam, jammer_w) for beam in beams]
    parts = ("selection", "beamformer", "power_w")
    return Decision(**{name: np.concatenate([getattr(d, name) for d in levels]) for name in parts})
