"""Selections: the cheapest one, min Σ α_n c_n under (13), (15) and the time floors of (17), and random ones."""

from __future__ import annotations

import math

import numpy as np

from secagent_env import Instance
from solvers.certificate.integer_program import (
    TOLERANCE,
    CheapestSelection,
    TimeFloors,
    integer_program,
    selection_of,
    usable_agents,
    why_infeasible,
)


def eligible_agents(instance: Instance) -> np.ndarray:
    """Return which agents can finish their computing in time, (N,) bool."""
    return instance.inference_time_s <= instance.scenario.latency_limit_s * (1 + TOLERANCE)


def cheapest_selection(instance: Instance, cost: np.ndarray, eligible: np.ndarray | None = None) -> CheapestSelection:
    """Return the cheapest selection that meets (13), (15) and the time floors of (17), proved optimal.

    Where the cheapest N_min agents are accurate and fast enough they are the optimum, since costs (N,), J, are not
    negative; otherwise HiGHS solves the integer program. Agents of infinite cost are not used, nor others than those
    that are ``eligible``, (N,) bool; by default all are.
    """
    scenario = instance.scenario
    floors = TimeFloors.of(instance)
    limit = scenario.latency_limit_s * (1 + TOLERANCE)
    usable = usable_agents(instance, cost, floors)
    eligible = usable if eligible is None else usable & eligible
    if message := why_infeasible(instance, eligible):
        return CheapestSelection(math.inf, None, message)
    agents = np.flatnonzero(eligible)
    surplus = instance.accuracy - scenario.min_accuracy
    required = scenario.required_agents

    def accurate(selection: np.ndarray) -> bool:
        return bool(surplus[selection].mean() >= -TOLERANCE)

    selection = selection_of(agents[np.argsort(cost[agents], kind="stable")[:required]], scenario.num_agents)
    if accurate(selection) and floors.latency(selection) <= limit:
        return CheapestSelection(float(cost[selection].sum()), selection)
    bound = 0.0
    # Each program relaxes the next; the first minimum is already a bound, and most often the answer. HiGHS accepts
    # a small shortfall in the accuracy: re-check, and ask for a margin where it used it.
    for timed in (False, True):
        for margin in (-TOLERANCE, 0.0, TOLERANCE):
            program = integer_program(cost, surplus - margin, required, agents, floors if timed else None, limit)
            if program is None:
                message = "latency_s: no selection of enough, and accurate enough, agents can be that fast"
                return CheapestSelection(math.inf, None, message)
            members, minimum = program
            assert members is not None  # there was no time limit
            bound = max(bound, minimum) if margin < 0 else bound
            selection = selection_of(members, scenario.num_agents)
            if selection.sum() >= required and accurate(selection):
                break
        else:
            raise RuntimeError("the integer program's solution misses the accuracy it was asked for")
        if floors.latency(selection) <= limit * (1 + 1e-6):
            break
    return CheapestSelection(min(bound, float(cost[selection].sum())), selection)


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
