"""Selection at a given beam and powers (21): Algorithm 1, corrected.

A penalty method ties the binary selection α to an auxiliary one, α̂, which carries the coupling through rates and
latency. In turn,

* α minimises separable costs under (13) and (15) by Lagrangian relaxation (29)-(31), and a greedy repair makes it
  feasible and then drops and exchanges agents while that pays (:mod:`solvers.asc.greedy`);
* α̂ solves the convex program (41) near that α, and is rounded (:mod:`solvers.asc.relaxed_selection`).

Every agent has two powers, one as a sender and one as a jammer: with a single one a silent jammer could never be
selected. Energies are divided by their mean, so that ρ and the multipliers have no unit. What is returned is the best
iterate by :func:`secagent_env.evaluate`, not the last one. The corrections of the printed algorithm are listed in
``docs/model.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from secagent_env import Decision, Outcome
from secagent_env.model.physics import combine_eavesdroppers, downlink_sinr, secrecy_rate, transfer_time, uplink_sinr
from solvers.asc.greedy import Costs, exchanges, repair
from solvers.asc.relaxed_selection import SelectionProblem, relaxed_selection
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
    """
    best = BestSelection(problem, score)
    best.consider(start[None])
    penalty_method(best, start, max_iterations, inner_iterations, rho)
    if problem.jammer_w.any():
        descend(best, neighbours)
        other = BestSelection(problem, score)  # once more from the other end, where nobody jams
        penalty_method(other, np.ones_like(start), max_iterations, inner_iterations, rho)
        if other.selection is not None and (other.selection != best.selection).any():
            descend(other, neighbours)
            best = min(best, other, key=lambda candidate: candidate.rank)
    return best.selection if best.rank < INFEASIBLE else None


class BestSelection:
    """The best selection scored so far, by :func:`rank_by_secrecy`: ``selection`` (None at first) and ``rank``."""

    def __init__(self, problem: SelectionProblem, score: Score) -> None:
        self.problem = problem
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


def penalty_method(
    best: BestSelection, auxiliary: np.ndarray, max_iterations: int, inner_iterations: int, rho: float
) -> None:
    """Algorithm 1, from α̂ (N,) bool: α and α̂ in turn, until an α̂ comes up again."""
    problem = best.problem
    seen = {auxiliary.tobytes()}
    for _ in range(max_iterations):
        costs = separable_costs(problem, auxiliary)
        iterates = {alpha.tobytes(): alpha for alpha in lagrangian_relaxation(costs, auxiliary, inner_iterations, rho)}
        repaired = (repair(costs, alpha) for alpha in iterates.values())
        candidates = {alpha.tobytes(): alpha for alpha in repaired if alpha is not None}
        if not candidates:
            return
        alpha = best.consider(np.stack(list(candidates.values())))
        auxiliary = relaxed_selection(problem, alpha, auxiliary, costs, rho)
        if auxiliary.tobytes() in seen:
            return
        seen.add(auxiliary.tobytes())


def descend(best: BestSelection, neighbours: int) -> None:
    """Exchange agents while that lowers the exact rank: while jammers transmit, costs are not separable."""
    assert best.selection is not None
    costs = separable_costs(best.problem, best.selection)
    if not costs.meets(best.selection):  # a start that fails (13) or (15)
        completed = repair(replace(costs, allowed=eligible_agents(best.problem.instance)), best.selection)
        if completed is not None:
            best.consider(completed[None])
    while True:
        before = best.rank
        candidates = exchanges(separable_costs(best.problem, best.selection), best.selection, neighbours)
        if len(candidates):
            best.consider(candidates)
        if not best.rank < before:
            return


def separable_costs(problem: SelectionProblem, auxiliary: np.ndarray) -> Costs:
    """Return how much more each agent costs as a sender than as a jammer, at the rates and times of α̂ (N,) bool.

    An agent is allowed if it could be selected beside those of α̂: with secrecy in both links and in time.
    """
    instance = problem.instance
    scenario = instance.scenario
    decision = problem.decision(auxiliary)
    n = scenario.num_agents

    # Uplink: row i is α̂'s decision with agent i as a sender.
    alone = problem.decision(auxiliary | np.eye(n, dtype=bool))
    sinr, sinr_eve = uplink_sinr(instance, alone)
    secrecy = secrecy_rate(sinr, combine_eavesdroppers(sinr_eve, scenario.colluding)).diagonal()
    uplink = transfer_time(scenario.uplink_bits, scenario.bandwidth_hz, secrecy)
    # Downlink: the time it would take if agent i were the weakest receiver.
    sinr, sinr_eve = downlink_sinr(instance, decision)
    secrecy = secrecy_rate(sinr, combine_eavesdroppers(sinr_eve, scenario.colluding))
    downlink = transfer_time(scenario.downlink_bits, scenario.bandwidth_hz, secrecy)

    limit = scenario.latency_limit_s
    allowed = downlink + instance.inference_time_s + uplink <= limit
    # No feasible decision takes longer than the limit, so that an infinite time here costs no more than that.
    waiting = min(np.max(downlink, where=auxiliary, initial=0.0) + np.max(uplink, where=auxiliary, initial=0.0), limit)
    sending = instance.execution_energy_j + problem.sender_w * np.minimum(uplink, limit)
    return Costs(
        change=(sending - problem.jammer_w * waiting) / sending.mean(),
        surplus=instance.accuracy - scenario.min_accuracy,
        allowed=allowed,
        required=scenario.required_agents,
        unit_j=float(sending.mean()),
        uplink_time_s=uplink,
    )


def lagrangian_relaxation(costs: Costs, auxiliary: np.ndarray, iterations: int, rho: float) -> Iterator[np.ndarray]:
    """Yield the iterates α (N,) bool of (29)-(31): minimisers at prices μ per agent and λ per accuracy."""
    scale = float(np.abs(costs.surplus).mean()) or 1.0
    surplus = costs.surplus / scale
    penalised = costs.change + rho * (1 - 2 * auxiliary.astype(float))
    price, accuracy_price = 0.0, 0.0
    for r in range(1, iterations + 1):
        selection = (penalised - price - accuracy_price * surplus <= 0) & costs.allowed
        yield selection
        step = 1 / (costs.required * np.sqrt(r))
        price = max(price + step * (costs.required - int(selection.sum())), 0.0)
        accuracy_price = max(accuracy_price - step * float(surplus[selection].sum()), 0.0)
