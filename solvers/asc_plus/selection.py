"""Selection at a given beam and powers, as Algorithm 1 does it and beyond: exchanges of agents, and a second start.

Every iterate of the relaxation is repaired by additions, drops and exchanges, and scored exactly. While jammers
transmit, costs are not separable: agents of the best selection are then exchanged while that lowers its exact rank, and
all is done once more from the other end, where nobody jams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from secagent_env import Decision, Outcome
from solvers.asc.algorithm1 import penalty_method
from solvers.asc.auxiliary import relaxed_selection
from solvers.asc.costs import Costs, SelectionProblem, downlink_times, separable_costs
from solvers.asc.relaxation import Relaxation
from solvers.asc_plus.exchanges import exchanges, repair
from solvers.certificate.selection import eligible_agents
from solvers.interface.ranking import INFEASIBLE, rank_by_secrecy

Score = Callable[[Decision], Outcome]


def select(
    problem: SelectionProblem,
    start: np.ndarray,
    score: Score,
    *,
    max_iterations: int = 6,
    inner_iterations: int = 40,
    rho: float = 0.05,
    neighbours: int = 300,
    check_time: Callable[[], None] = lambda: None,
) -> np.ndarray | None:
    """Return the best selection found, (N,) bool, or None if none was feasible.

    Parameters
    ----------
    problem
        Beam and powers.
    start
        (N,) bool, α̂ of the first iteration: where its rates and times are taken.
    score
        ``evaluate``, or a run's ``consider``, which counts and keeps the decisions that are tried.
    max_iterations, inner_iterations
        Of Algorithm 1 and of the relaxation (28) inside it.
    rho
        Penalty coefficient ρ of (25), in units of the mean energy of an agent.
    neighbours
        How many exchanges are scored exactly where jammers transmit, since costs are not separable then.
    check_time
        Called before whatever takes long; it may raise.
    """
    best = BestSelection(problem, score, check_time)
    best.consider(start[None])
    penalised(best, start, max_iterations, inner_iterations, rho)
    if problem.jammer_w.any():
        descend(best, neighbours)
        other = BestSelection(problem, score, check_time)  # once more from the other end, where nobody jams
        penalised(other, np.ones_like(start), max_iterations, inner_iterations, rho)
        if other.selection is not None and (other.selection != best.selection).any():
            descend(other, neighbours)
            best = min(best, other, key=lambda candidate: candidate.rank)
    return best.selection if best.rank < INFEASIBLE else None


class BestSelection:
    """The best selection scored so far, by :func:`rank_by_secrecy`: ``selection`` (None at first) and ``rank``."""

    def __init__(self, problem: SelectionProblem, score: Score, check_time: Callable[[], None] = lambda: None) -> None:
        self.problem = problem
        self.check_time = check_time
        self._score = score
        self.selection: np.ndarray | None = None
        self.rank = np.inf

    def consider(self, selections: np.ndarray) -> np.ndarray:
        """Score selections (·, N) with the problem's beam and powers, and return the best one of them, (N,)."""
        ranks = rank_by_secrecy(self.problem.instance, self._score(self.problem.decision(selections)))
        i = int(np.argmin(ranks))
        if ranks[i] < self.rank:
            self.selection, self.rank = selections[i], float(ranks[i])
        return np.asarray(selections[i])


def penalised(
    best: BestSelection, auxiliary: np.ndarray, max_iterations: int, inner_iterations: int, rho: float
) -> None:
    """Algorithm 1, from α̂ (N,) bool: every iterate of the relaxation is repaired and scored, and the best one is α."""
    problem = best.problem

    def choose(costs: Costs, auxiliary: np.ndarray) -> np.ndarray | None:
        costs = within_reach(problem, costs, auxiliary)
        relaxation = Relaxation(costs, auxiliary, rho)
        iterates = {alpha.tobytes(): alpha for alpha in relaxation.iterates(inner_iterations)}
        candidates = {}
        for iterate in iterates.values():
            best.check_time()
            repaired = repair(costs, iterate)
            if repaired is not None:
                candidates[repaired.tobytes()] = repaired
        return best.consider(np.stack(list(candidates.values()))) if candidates else None

    def decide(costs: Costs, selection: np.ndarray, auxiliary: np.ndarray) -> np.ndarray:
        if not problem.jammer_w.any():
            return selection  # each of its agents is in time, and without jammers nothing else depends on α̂
        return relaxed_selection(problem, selection, auxiliary, costs, rho, best.check_time)

    penalty_method(problem, auxiliary, max_iterations, choose, decide)


def within_reach(problem: SelectionProblem, costs: Costs, auxiliary: np.ndarray) -> Costs:
    """Return the costs with only those agents allowed that could be selected beside α̂ (N,) bool, the downlink counted.

    Algorithm 1 leaves the downlink to (41). To exclude such agents beforehand finds better selections at a beam that is
    fixed for good, as beside jammers.
    """
    downlink = downlink_times(problem, auxiliary)
    total = downlink + problem.instance.inference_time_s + costs.uplink_time_s
    return replace(costs, allowed=total <= problem.instance.scenario.latency_limit_s)


def descend(best: BestSelection, neighbours: int) -> None:
    """Exchange agents while that lowers the exact rank: while jammers transmit, costs are not separable."""
    assert best.selection is not None
    costs = separable_costs(best.problem, best.selection)
    if not costs.meets(best.selection):  # a start that fails (13) or (15)
        completed = repair(replace(costs, allowed=eligible_agents(best.problem.instance)), best.selection)
        if completed is not None:
            best.consider(completed[None])
    while True:
        best.check_time()
        before = best.rank
        candidates = exchanges(separable_costs(best.problem, best.selection), best.selection, neighbours)
        if len(candidates):
            best.consider(candidates)
        if not best.rank < before:
            return
