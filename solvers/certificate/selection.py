"""Selections: the cheapest one, min Σ α_n c_n under (13), (15) and the time floors of (17), and random ones."""

from __future__ import annotations

import math

import numpy as np

from secagent_env import Instance
from solvers.certificate.ordered import OrderedSelections
from solvers.certificate.requirements import (
    TOLERANCE,
    TOO_SLOW,
    CheapestSelection,
    TimeFloors,
    selection_of,
    usable_agents,
    why_infeasible,
)


def eligible_agents(instance: Instance) -> np.ndarray:
    """Return which agents can finish their computing in time, (N,) bool."""
    return instance.inference_time_s <= instance.scenario.latency_limit_s * (1 + TOLERANCE)


def cheapest_selection(instance: Instance, cost: np.ndarray, eligible: np.ndarray | None = None) -> CheapestSelection:
    """Return the cheapest selection that meets (13), (15) and the floors of the times in (17), proved optimal.

    The costs (N,), J, are not negative; agents of infinite cost are not used, nor others than those that are
    ``eligible``, (N,) bool; by default all are. The search is that of :mod:`solvers.certificate.ordered`.
    """
    usable = usable_agents(instance, cost, TimeFloors.of(instance))
    eligible = usable if eligible is None else usable & eligible
    if message := why_infeasible(instance, eligible):
        return CheapestSelection(math.inf, None, message)
    found = OrderedSelections(instance, cost, eligible).next()
    if found is None:
        return CheapestSelection(math.inf, None, TOO_SLOW)
    return CheapestSelection(*found)


def random_selection(instance: Instance, rng: np.random.Generator, tries: int = 10_000) -> np.ndarray | None:
    """Return a random feasible selection of exactly N_min agents, (N,) bool, or None if there is none.

    Uniform among those with t_n ≤ τ and mean accuracy ≥ Acc_min by rejection; where ``tries`` draws do not
    find one, a random walk by swaps from the most accurate selection (nearly uniform).
    """
    scenario = instance.scenario
    eligible = eligible_agents(instance)
    if why_infeasible(instance, eligible):
        return None
    agents = np.flatnonzero(eligible)
    surplus = instance.accuracy[agents] - scenario.min_accuracy + TOLERANCE
    required = scenario.required_agents
    chosen = None
    for _ in range(math.ceil(tries / 100)):
        draws = rng.random((100, len(agents))).argpartition(required - 1, axis=1)[:, :required]
        accepted = np.flatnonzero(surplus[draws].sum(axis=1) >= 0)
        if accepted.size:
            chosen = draws[accepted[0]]
            break
    if chosen is None:
        chosen = _swap_walk(surplus, required, rng)
    return selection_of(agents[chosen], scenario.num_agents)


def _swap_walk(surplus: np.ndarray, required: int, rng: np.random.Generator) -> np.ndarray:
    order = np.argsort(-surplus, kind="stable")
    inside, outside = order[:required].copy(), order[required:].copy()
    if not outside.size:
        return inside
    total = surplus[inside].sum()
    for _ in range(50 * len(surplus)):
        i, j = rng.integers(len(inside)), rng.integers(len(outside))
        change = surplus[outside[j]] - surplus[inside[i]]
        if total + change >= 0:
            total += change
            inside[i], outside[j] = outside[j], inside[i]
    return inside
