"""Policies that do not learn for ``secagent/Lifetime-v0``, and a bound on the tasks that any policy serves.

Each policy selects agents by a rule of its own; the beam and the powers then come from the closed forms of
``exact``, and where a selection cannot be served, ``exact`` decides the task. Their rules:

========  ============================================================================================================
myopic    the cheapest feasible selection of the present task, as ``exact`` decides it
priced    the cheapest selection where each agent costs the share of its battery that the task takes, e_n / b_n
random    uniform among the feasible selections of exactly N_min agents
========  ============================================================================================================

``priced`` spares the agents that can serve the fewest further tasks. Where accuracy does not bind it selects the N_min
agents with the most tasks left: the rule that uses up batteries evenly, by which the bound is met if all tasks are
alike (McNaughton's schedule: T tasks of N_min different agents exist iff Σ_n min(T, x_n) ≥ N_min T).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

from secagent_env import Instance
from secagent_env.allocation.guided import LOWEST_POWER_W
from secagent_env.support.errors import check_name
from solvers.asc_plus.links import Links
from solvers.certificate.linear_test import secret_at_best
from solvers.certificate.requirements import TOLERANCE, why_infeasible
from solvers.certificate.selection import cheapest_selection, eligible_agents, random_selection
from solvers.exact.solver import Exact
from solvers.interface.base import Infeasible, SolverRun
from solvers.interface.policy import SolverPolicy, as_policy

Choose = Callable[[Instance, np.random.Generator], np.ndarray | None]
"""A rule that returns the selection, (N,) bool, in an instance; None where none is feasible."""


class Chosen(Exact):
    """The selection by a rule; beam and powers from the closed forms of ``exact`` or, where they fail, as in ASC.

    Where such a selection cannot be served, ``exact`` solves the instance: a rule looks at batteries, not at links.
    """

    name = "chosen"

    def __init__(self, choose: Choose) -> None:
        super().__init__()
        self.choose = choose

    def _solve(self, run: SolverRun) -> None:
        selection = self.choose(run.instance, run.rng)
        if selection is None:
            raise Infeasible(why_infeasible(run.instance, eligible_agents(run.instance)))
        if any(self._serve(run, selection, lowest_w) for lowest_w in (LOWEST_POWER_W, 0.0)):
            return
        links = Links(run, self.asc)
        links.alternate(links.start(selection))
        if not run.feasible:
            super()._solve(run)


def names() -> list[str]:
    """Return the names of the policies."""
    return sorted(_MAKERS)


def make_policy(name: str, env: Any) -> SolverPolicy:
    """Return the policy called ``name`` for an environment ``secagent/Lifetime-v0``, with ``reset`` and ``act``."""
    return as_policy(_MAKERS[check_name("policy", name, _MAKERS)](env.unwrapped), env)


def _priced(env: Any) -> Chosen:
    def choose(instance: Instance, rng: np.random.Generator) -> np.ndarray | None:
        price = instance.execution_energy_j / np.maximum(env.battery_j, 1e-300)
        return cheapest_selection(instance, price, secret_at_best(instance)).selection

    return Chosen(choose)


_MAKERS: dict[str, Callable[[Any], Exact]] = {
    "myopic": lambda env: Exact(),
    "priced": _priced,
    "random": lambda env: Chosen(random_selection),
}


def tasks_bound(instance: Instance, battery_j: np.ndarray, least_energy_j: np.ndarray) -> int:
    """Return a number of tasks that no policy exceeds, whatever tasks arrive.

    Say a policy serves T tasks, x_n of them with agent n. Then

    - x_n ≤ T, and x_n ≤ ⌊b_n / e_n⌋ as each of its tasks takes at least e_n of its battery b_n; x_n = 0 where even
      the shortest task takes longer than τ;
    - Σ_n x_n ≥ N_min T, as each task selects at least N_min agents (13);
    - Σ_n x_n (Acc_n − Acc_min) ≥ 0: by (15) the sum over the agents of each task is not negative; the sum over the
      tasks is this one.

    Hence T is at most the largest one for which such real numbers x_n exist: a linear program, whose maximum is
    rounded down.

    Parameters
    ----------
    instance
        Any task of the episode: its scenario, powers and accuracies.
    battery_j
        b_n, (N,), J.
    least_energy_j
        e_n, the least agent n can spend on computing a task, (N,), J.
    """
    scenario = instance.scenario
    limit = scenario.latency_limit_s * (1 + TOLERANCE)
    in_time = least_energy_j <= instance.compute_power_w * limit
    counts = np.where(in_time, np.floor(battery_j / least_energy_j * (1 + TOLERANCE)), 0.0)
    surplus = instance.accuracy - scenario.min_accuracy + TOLERANCE
    n = scenario.num_agents
    # Variables x (N,), T; every row ≤ 0.
    rows = np.zeros((n + 2, n + 1))
    rows[:n, :n], rows[:n, n] = np.eye(n), -1.0
    rows[n, :n], rows[n, n] = -1.0, scenario.required_agents
    rows[n + 1, :n] = -surplus
    objective = np.zeros(n + 1)
    objective[n] = -1.0
    upper = [(0.0, float(count)) for count in counts]
    result = optimize.linprog(objective, rows, np.zeros(n + 2), bounds=[*upper, (0.0, None)], method="highs")
    if result.status != 0:
        raise RuntimeError(f"the linear program was not solved: {result.message}")
    return int(np.floor(-result.fun + 1e-6))
