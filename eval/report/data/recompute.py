"""What a report computes itself, in seconds: decisions of schemes on a few instances, and how ASC and LAW converge.

Results folders hold numbers, no decisions; from the seeds the decisions are the same again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from eval.compare.lineup import make
from eval.compare.looks import looks
from eval.compare.rows import NO_LLM
from eval.compare.solving import instance_at, solver_seed
from eval.report.data.gather import Compared
from secagent_env import Instance
from secagent_env.sampling.estimation import estimate_eavesdroppers, estimate_generator
from solvers import Solution
from training.play.agents import TrainedAgent

logger = logging.getLogger("secagent.report")

CONVERGING = ("asc", "law")
PATIENCE = 10.0
"""Schemes whose mean time is longer, s, are not recomputed."""


@dataclass(frozen=True)
class Solved:
    """What a scheme decided on an instance of a comparison."""

    scheme: str
    index: int
    instance: Instance
    solution: Solution


def decisions(compared: Compared, *, instances: int = 3, schemes: int = 3) -> list[Solved]:
    """Return what the first schemes of a comparison decide on its first instances, scheme by scheme.

    Schemes that need what is not here, that ask a language model, or that take long, are passed over.
    """
    times = compared.frame.groupby("solver")["seconds"].mean()
    found: list[Solved] = []
    taken = 0
    for scheme in _telling(compared):
        if taken == schemes:
            break
        if not times[scheme] <= PATIENCE:
            continue
        try:
            found += _solve(compared, scheme, sorted(set(compared.frame["instance"]))[:instances])
            taken += 1
        except (ValueError, ImportError, OSError) as error:
            logger.info("%s is not drawn: %s", scheme, error)
    return found


def _telling(compared: Compared) -> list[str]:
    """Return the schemes, first a good one, LAW and random selection, which show most beside each other."""
    labels = list(looks(compared.solvers))
    wanted = ("asc", "law", "randas")
    named = {compared.solvers[label]["solver"]: label for label in reversed(labels)}
    first = [named[name] for name in wanted if name in named]
    return [*first, *(label for label in labels if label not in first)]


def _solve(compared: Compared, scheme: str, indices: Iterable[int]) -> list[Solved]:
    told = compared.solvers[scheme]
    solver = make(told["solver"], **told["solver_options"])
    if not getattr(solver, "in_process", True) and getattr(solver, "replay", None) is None:
        raise ValueError("it asks a language model, which may cost money")
    if isinstance(solver, TrainedAgent) and solver.digest != told.get("policy"):
        raise ValueError("its policy was changed since")
    solved = []
    for index in indices:
        truth = instance_at(compared.scenario, compared.seed, index)
        known = estimate_eavesdroppers(truth, compared.csi_error, estimate_generator(compared.seed, index))
        solution = solver.solve(known, seed=solver_seed(compared.seed, index), max_seconds=compared.max_seconds)
        solved.append(Solved(scheme, index, truth, solution))
    return solved


def convergence(compared: Compared, index: int = 0) -> dict[str, Solution]:
    """Return the solutions of ASC and LAW, without a model, on an instance of a comparison."""
    instance = instance_at(compared.scenario, compared.seed, index)
    solutions = {}
    for name in CONVERGING:
        try:
            solution = make(name).solve(
                instance, seed=solver_seed(compared.seed, index), max_seconds=compared.max_seconds
            )
        except ImportError as error:
            logger.info("%s is not drawn: %s", name, error)
            continue
        if solution.history:
            solutions[f"{name} {NO_LLM}" if NO_LLM in solution.solver else name] = solution
    return solutions
