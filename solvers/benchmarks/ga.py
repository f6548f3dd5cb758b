"""GA: a genetic algorithm for the selection, with beam and powers as in ASC (section V).

An individual is a selection. Its fitness is the energy of computing and the least energy that sending can cost; (15)
and the time floors of (17) are constraints under pymoo's feasibility rule: a feasible individual beats an infeasible
one, and of two infeasible ones the one that violates less. (13) is repaired with random agents. The population evolves
among the agents that can send in secret without jammers, and once more, where jamming is allowed and there are others,
among all that could with the help of jammers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from secagent_env import Instance, evaluate
from secagent_env.support.extras import require
from solvers.asc_plus.links import LinkOptions, Links
from solvers.certificate.bounds import uplink_energy_floor
from solvers.certificate.linear_test import secret_at_best, secret_senders
from solvers.certificate.requirements import TOLERANCE, TimeFloors, why_infeasible
from solvers.interface.base import Solver, SolverRun
from solvers.power.powers import polish

PARTS = (
    "algorithms.soo.nonconvex.ga",
    "operators.crossover.ux",
    "operators.mutation.bitflip",
    "operators.sampling.rnd",
)
"""Modules of pymoo, besides those of its base classes."""


@dataclass(frozen=True, kw_only=True)
class GA(LinkOptions, Solver):
    """Genetic algorithm for the selection; the options of beam and powers are those of ASC.

    Parameters
    ----------
    population, generations
        Individuals, and how many generations of as many offspring there are, the first population included.
    finalists
        How many of the best individuals get a beam and powers at most: in turn, until a decision is feasible.
    """

    population: int = 60
    generations: int = 60
    finalists: int = 5

    name = "ga"

    def __post_init__(self) -> None:
        super().__post_init__()
        require("pymoo", "solvers")

    def _solve(self, run: SolverRun) -> None:
        instance = run.instance
        eligible = run.eligible_agents()
        links = Links(run, self)
        tried = 0
        for candidates in self._candidates(instance, eligible):
            for selection in self._evolve(run, candidates):
                if instance.execution_energy_j[selection].sum() >= run.energy_j:
                    break
                tried += 1
                if evaluate(instance, links.alternate(links.start(selection))).feasible:
                    break
        polish(run)
        if not run.feasible:
            run.message = (
                f"no beam and powers were found that make one of the {tried} best selections secret and fast enough"
                if tried
                else "no selection among agents that can send in secret was found that is accurate and fast enough"
            )

    def _candidates(self, instance: Instance, eligible: np.ndarray) -> Iterator[np.ndarray]:
        """Yield sets of agents (N,) bool to select among, in which (13) and (15) can be met."""
        alone = eligible & secret_senders(instance)
        helped = eligible & secret_at_best(instance)
        for candidates in [alone, helped] if self.jamming and (helped & ~alone).any() else [alone]:
            if not why_infeasible(instance, candidates):
                yield candidates

    def _evolve(self, run: SolverRun, candidates: np.ndarray) -> np.ndarray:
        """Return the best selections (·, N) bool of the last population, best first; none if none is feasible."""
        agents = np.flatnonzero(candidates)
        genetic, crossover, mutation, sampling = (require(f"pymoo.{name}", "solvers") for name in PARTS)
        algorithm = genetic.GA(
            pop_size=self.population,
            sampling=sampling.BinaryRandomSampling(),
            crossover=crossover.UniformCrossover(),
            mutation=mutation.BitflipMutation(),
            repair=_repair(run, agents),
        )
        seed = int(run.rng.integers(2**31))
        algorithm.setup(_problem(run, agents), termination=("n_gen", self.generations), seed=seed)
        while algorithm.has_next():
            run.check_time()
            algorithm.next()
            energy, violation = (algorithm.pop.get(name)[:, 0] for name in ("F", "CV"))
            fittest = float(np.min(energy, where=violation <= 0, initial=np.inf))
            run.record(sub_problem="selection", iteration=algorithm.n_iter - 1, fittest_j=fittest)
        order = np.argsort(energy, kind="stable")
        order = order[violation[order] <= 0][: self.finalists]
        selections = np.zeros((len(order), len(candidates)), bool)
        selections[:, agents] = algorithm.pop.get("X")[order]
        return selections


def _problem(run: SolverRun, agents: np.ndarray) -> Any:
    """Return pymoo's problem: which of the agents (A,), given as indices, to select."""
    instance = run.instance
    limit = instance.scenario.latency_limit_s * (1 + TOLERANCE)
    cost = (instance.execution_energy_j + uplink_energy_floor(instance))[agents]
    surplus = (instance.accuracy - instance.scenario.min_accuracy + TOLERANCE)[agents]
    floors = TimeFloors.of(instance)

    class Selection(require("pymoo.core.problem", "solvers").Problem):  # type: ignore[misc]
        def _evaluate(self, x: np.ndarray, out: dict[str, np.ndarray], *args: Any, **kwargs: Any) -> None:
            latency = np.array([floors.latency(agents[individual]) for individual in x])
            out["F"] = x @ cost
            out["G"] = np.stack([-(x @ surplus) / x.sum(axis=1), latency / limit - 1], axis=1)
            run.evaluations += len(x)

    return Selection(n_var=len(agents), n_obj=1, n_ieq_constr=2, xl=0, xu=1, vtype=bool)


def _repair(run: SolverRun, agents: np.ndarray) -> Any:
    """Return pymoo's repair: random agents are added until (13) holds."""
    required = run.instance.scenario.required_agents

    class Enough(require("pymoo.core.repair", "solvers").Repair):  # type: ignore[misc]
        def _do(self, problem: Any, x: np.ndarray, **kwargs: Any) -> np.ndarray:
            order = np.argsort(run.rng.random(x.shape) - x, axis=1)  # those selected come first
            ranks = np.argsort(order, axis=1)
            return np.asarray(x.astype(bool) | (ranks < required))

    return Enough()
