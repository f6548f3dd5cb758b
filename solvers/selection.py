"""Who computes: the integer program min Σ α_n c_n under (13), (15), t_n ≤ τ; random feasible selections."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from secagent_env import Instance

TOLERANCE = 1e-9
"""What ``evaluate`` grants in mean accuracy and, relatively, in latency; the bound must hold for it too."""


@dataclass(frozen=True)
class Choice:
    """A selection and its cost, a proved minimum; infinite, and no selection, where none is feasible."""

    cost: float
    selection: np.ndarray | None
    message: str = ""


def eligible_agents(instance: Instance, time_limit_s: float | None = None) -> np.ndarray:
    """Return which agents can finish their computing in time, (N,) bool."""
    limit = instance.scenario.latency_limit_s * (1 + TOLERANCE) if time_limit_s is None else time_limit_s
    return instance.inference_time_s <= limit


def why_infeasible(instance: Instance, eligible: np.ndarray) -> str:
    """Return why no selection of eligible agents meets (13) and (15); an empty string where one does."""
    scenario = instance.scenario
    required = scenario.required_agents
    if (count := int(eligible.sum())) < required:
        return f"latency_s: only {count} agents can be used within the latency limit, {required} are needed"
    # The best mean accuracy of at least N_min agents is that of the N_min most accurate ones.
    best = float(np.mean(np.sort(instance.accuracy[eligible])[-required:]))
    if best < scenario.min_accuracy - TOLERANCE:
        return (
            f"accuracy: the {required} most accurate agents reach a mean of {best:.4f}, "
            f"{scenario.min_accuracy:g} is needed"
        )
    return ""


def cheapest_selection(instance: Instance, cost: np.ndarray, eligible: np.ndarray | None = None) -> Choice:
    """Return the cheapest selection that meets (13) and (15), proved optimal.

    Where the cheapest N_min agents are accurate enough they are the optimum, since costs are not negative;
    otherwise HiGHS solves the integer program.

    Parameters
    ----------
    cost
        (N,), J, not negative; agents of infinite cost are not used.
    eligible
        (N,) bool, who may be selected; default: whoever computes within the latency limit.
    """
    scenario = instance.scenario
    eligible = (eligible_agents(instance) if eligible is None else eligible) & np.isfinite(cost)
    if message := why_infeasible(instance, eligible):
        return Choice(math.inf, None, message)
    agents = np.flatnonzero(eligible)
    cost = cost[agents]
    surplus = instance.accuracy[agents] - scenario.min_accuracy
    required = scenario.required_agents
    chosen = np.zeros(len(agents), bool)
    chosen[np.argsort(cost, kind="stable")[:required]] = True
    proved = float(cost[chosen].sum())
    if surplus[chosen].mean() < -TOLERANCE:
        chosen, proved = _integer_program(cost, surplus, required)
    selection = np.zeros(scenario.num_agents, bool)
    selection[agents[chosen]] = True
    return Choice(proved, selection)


def _integer_program(cost: np.ndarray, surplus: np.ndarray, required: int) -> tuple[np.ndarray, float]:
    """Return the optimal selection among the eligible agents and the proved minimum of its cost."""
    scale = cost.mean() or 1.0
    bound = None
    # HiGHS accepts a small shortfall: re-check, and ask for a margin where it used it.
    for margin in (-TOLERANCE, 0.0, TOLERANCE):
        result = optimize.milp(
            cost / scale,
            integrality=np.ones(len(cost)),
            bounds=optimize.Bounds(0, 1),
            constraints=optimize.LinearConstraint(
                np.stack([np.ones(len(cost)), 1e4 * (surplus - margin)]), [required, 0.0], [len(cost), np.inf]
            ),
            options={"mip_rel_gap": 0.0},
        )
        if result.x is None:
            raise RuntimeError(f"the integer program was not solved: {result.message}")
        if bound is None:
            bound = float(result.mip_dual_bound) * scale
        chosen = result.x > 0.5
        if chosen.sum() >= required and surplus[chosen].mean() >= -TOLERANCE:
            return chosen, min(bound, float(cost[chosen].sum()))
    raise RuntimeError("the integer program's solution misses the accuracy it was asked for")


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
    selection = np.zeros(scenario.num_agents, bool)
    selection[agents[chosen]] = True
    return selection


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
