"""Algorithm 1, corrected: the selection at a given beam and powers (21).

A penalty method ties the binary selection α to an auxiliary one, α̂, which carries the coupling through rates and
latency. In turn,

* α minimises separable costs at the rates of α̂ under (13) and (15): by Lagrangian relaxation
  (:mod:`solvers.asc.relaxation`), and greedily made feasible (:mod:`solvers.asc.greedy`);
* α̂ solves the convex program (41) near that α, and is rounded (:mod:`solvers.asc.auxiliary`).

Energies are divided by their mean, so that ρ and the multipliers have no unit. What is returned is the best feasible
iterate by :func:`secagent_env.evaluate`; where none is, which another beam and other powers may mend, the last one. The
corrections of the printed algorithm are listed in ``docs/model.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from secagent_env import Decision, Outcome
from solvers.asc.auxiliary import relaxed_selection
from solvers.asc.costs import Costs, SelectionProblem, separable_costs
from solvers.asc.greedy import reconstruct
from solvers.asc.relaxation import Relaxation
from solvers.asc.sub_problems import or_off


@dataclass(frozen=True, kw_only=True)
class Algorithm1Options:
    """Options of Algorithm 1; each part of it can be switched off.

    Parameters
    ----------
    admm_iterations
        Of α and α̂ in turn; with 0 the selection stays as it is.
    relaxation_iterations
        Of the relaxation (28); with 0 all is left to the greedy method.
    rho
        Penalty coefficient ρ of (25), in units of the mean energy of an agent.
    repair
        Whether the last α of the relaxation is made feasible greedily; otherwise only its feasible iterates count.
    auxiliary
        Whether (41) is solved; otherwise α̂ = α.
    """

    admm_iterations: int = or_off(6)
    relaxation_iterations: int = or_off(40)
    rho: float = 0.01
    repair: bool = True
    auxiliary: bool = True


def penalty_method(
    problem: SelectionProblem,
    auxiliary: np.ndarray,
    iterations: int,
    choose: Callable[[Costs, np.ndarray], np.ndarray | None],
    decide: Callable[[Costs, np.ndarray, np.ndarray], np.ndarray],
) -> None:
    """Improve α and α̂ in turn, from α̂ (N,) bool, until an α̂ comes up again, or there is no α.

    ``choose`` returns α at the costs beside α̂, and ``decide`` the next α̂ from the costs, α and α̂.
    """
    seen = {auxiliary.tobytes()}
    for _ in range(iterations):
        costs = separable_costs(problem, auxiliary)
        selection = choose(costs, auxiliary)
        if selection is None:
            return
        auxiliary = decide(costs, selection, auxiliary)
        if auxiliary.tobytes() in seen:
            return
        seen.add(auxiliary.tobytes())


class Algorithm1:
    """Algorithm 1 at the beam and powers of a problem; ``trace`` holds a record per iteration.

    A record has the exact ``energy_j`` of α at that beam and these powers, infinite where it is infeasible, its
    ``execution_energy_j``, the ``penalty_j``, ρ ‖α − α̂‖², and how many agents of α̂ ``changed``.
    """

    def __init__(
        self,
        problem: SelectionProblem,
        options: Algorithm1Options,
        score: Callable[[Decision], Outcome],
        check_time: Callable[[], None] = lambda: None,
    ) -> None:
        self.problem = problem
        self.options = options
        self.trace: list[dict[str, Any]] = []
        self._score = score
        self.check_time = check_time

    def select(self, auxiliary: np.ndarray) -> np.ndarray | None:
        """Return a selection (N,) bool, from α̂⁰ (N,) bool; None if no α was found."""
        self._iterates: list[np.ndarray] = []
        penalty_method(self.problem, auxiliary, self.options.admm_iterations, self.choose, self.decide)
        return self.returned(self._iterates) if self._iterates else None

    def returned(self, iterates: list[np.ndarray]) -> np.ndarray:
        """Return the best feasible one of the iterates, or the last one."""
        energies = [record["energy_j"] for record in self.trace]
        return iterates[int(np.argmin(energies))] if np.isfinite(energies).any() else iterates[-1]

    def choose(self, costs: Costs, auxiliary: np.ndarray) -> np.ndarray | None:
        """Return α: the cheapest feasible iterate of the relaxation, the last one made feasible counted among them."""
        candidates = self.candidates(costs, self.relaxed(costs, auxiliary))
        if not candidates:
            return None
        selection = min(candidates, key=costs.total)
        outcome = self._score(self.problem.decision(selection))
        self._iterates.append(selection)
        energy = float(outcome.energy_j) if outcome.feasible else np.inf
        self.trace.append({"energy_j": energy, "execution_energy_j": float(outcome.execution_energy_j)})
        return selection

    def decide(self, costs: Costs, selection: np.ndarray, auxiliary: np.ndarray) -> np.ndarray:
        """Return α̂ (N,) bool, the rounded solution of (41) near α."""
        decided = self.solve_auxiliary(costs, selection, auxiliary) if self.options.auxiliary else selection
        penalty = self.options.rho * costs.unit_j * int(np.sum(decided != selection))
        self.trace[-1] |= {"penalty_j": penalty, "changed": int(np.sum(decided != auxiliary))}
        return decided

    def relaxed(self, costs: Costs, auxiliary: np.ndarray) -> list[np.ndarray]:
        """Return the iterates of the relaxation (28) beside α̂."""
        return list(Relaxation(costs, auxiliary, self.options.rho).iterates(self.options.relaxation_iterations))

    def candidates(self, costs: Costs, iterates: list[np.ndarray]) -> list[np.ndarray]:
        """Return the iterates that meet (13) and (15), and the last one, made to meet them."""
        candidates = [selection for selection in iterates if costs.meets(selection)]
        if self.options.repair:
            repaired = reconstruct(costs, iterates[-1] if iterates else np.zeros_like(costs.allowed))
            candidates += [] if repaired is None else [repaired]
        return candidates

    def solve_auxiliary(self, costs: Costs, selection: np.ndarray, auxiliary: np.ndarray) -> np.ndarray:
        """Return the rounded solution of (41)."""
        return relaxed_selection(self.problem, selection, auxiliary, costs, self.options.rho, self.check_time)
