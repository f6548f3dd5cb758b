"""The solutions that a report computes itself: decisions on a few instances, and the convergence of ASC and LAW.

Results folders hold numbers, but no decisions; solving from the same seeds gives the same decisions, in seconds.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass

from eval.compare.lineup import make
from eval.compare.looks import looks
from eval.compare.rows import NO_LLM
from eval.compare.solving import solve_instance
from eval.compare.solving_agents import load_same_agent
from eval.report.data.comparisons import Compared
from eval.report.data.received import Received
from eval.report.data.trust import refusal
from secagent_env import Instance
from solvers import Solution

logger = logging.getLogger("secagent.report")

CONVERGING = ("asc", "law")
PATIENCE = 10.0
"""Schemes with a longer mean time, s, are not recomputed."""
SAFETY = 6
"""How many times that a solve may take: a folder's times may be those of a faster machine, or wrong."""


@dataclass(frozen=True)
class Solved:
    """The solution of a scheme on an instance of a comparison."""

    scheme: str
    index: int
    instance: Instance
    solution: Solution


def decisions(compared: Compared, received: Received, *, instances: int = 3, schemes: int = 3) -> list[Solved]:
    """Return the decisions of a few schemes of a comparison on its first instances, scheme by scheme.

    Schemes that cannot be made here, ask a language model, take long, or name paths in a folder that is not trusted,
    are passed over.
    """
    times = compared.frame.groupby("solver")["seconds"].mean()
    solved: list[Solved] = []
    taken = 0
    for scheme in _in_order_of_interest(compared):
        if taken == schemes:
            break
        if not times[scheme] <= PATIENCE:
            continue
        solver = compared.solvers[scheme]
        refused = None if received.trusted else refusal(solver, compared.scenario)
        if refused:
            received.leave_out(f"the networks of {scheme:.80} are not drawn: {refused}")
            continue
        try:
            solved += _solve(compared, scheme, sorted(set(compared.frame["instance"]))[:instances])
            taken += 1
        except Exception as error:  # of a solver with whatever options
            logger.info("%s is not drawn: %s", scheme, error)
            logger.debug("the error in full", exc_info=True)
    return solved


def _in_order_of_interest(compared: Compared) -> list[str]:
    """Return the schemes, first ASC, LAW and random selection, which differ most in their pictures."""
    labels = list(looks(compared.solvers))
    named = {compared.solvers[label]["solver"]: label for label in reversed(labels)}
    first = [named[name] for name in ("asc", "law", "randas") if name in named]
    return [*first, *(label for label in labels if label not in first)]


def _solve(compared: Compared, scheme: str, indices: Iterable[int]) -> list[Solved]:
    cell = compared.solvers[scheme]
    name, options = cell["solver"], cell["solver_options"]
    solver = load_same_agent(name, options, cell["policy"]) if "policy" in cell else make(name, **options)
    if not getattr(solver, "in_process", True) and getattr(solver, "replay", None) is None:
        raise ValueError("it asks a language model, which may cost money")
    seed, limit, error = compared.seed, _limit(compared), compared.csi_error
    return [
        Solved(scheme, index, *solve_instance(solver, compared.scenario, seed, index, limit, error))
        for index in indices
    ]


def _limit(compared: Compared) -> float:
    """Return the time after which a solve is stopped, s: that of the comparison, or more than any scheme takes."""
    return min(compared.max_seconds or math.inf, SAFETY * PATIENCE)


def convergence(compared: Compared, received: Received, index: int = 0) -> dict[str, Solution]:
    """Return the solutions of ASC and LAW, without a model, on an instance of a comparison, with known channels."""
    solutions = {}
    for name in CONVERGING:
        solver = {"solver": name, "solver_options": {}}
        refused = None if received.trusted else refusal(solver, compared.scenario)
        if refused:
            received.leave_out(f"the convergence of {name} is not drawn: {refused}")
            continue
        try:
            _, solution = solve_instance(make(name), compared.scenario, compared.seed, index, _limit(compared))
        except Exception as error:  # of a solver on whatever network
            logger.info("%s is not drawn: %s", name, error)
            logger.debug("the error in full", exc_info=True)
            continue
        if solution.history:
            solutions[f"{name} {NO_LLM}" if NO_LLM in solution.solver else name] = solution
    return solutions
