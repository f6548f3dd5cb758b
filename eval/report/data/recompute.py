"""The solutions that a report computes itself: decisions on a few instances, and the convergence of ASC and LAW.

Results folders hold numbers, but no decisions; solving from the same seeds gives the same decisions, in seconds.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eval.compare.instances_file import own_instance
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


def own_instances(compared: Compared, received: Received, path: Path | str | None) -> dict[str, str] | None:
    """Return where the user's own instances of a comparison are; None where they were drawn, or are not to be had.

    The path that the folder's cells name is opened only where the folder is trusted.
    """
    file = compared.instances_file
    if file is None:
        return None
    if path is None and not received.trusted:
        received.leave_out("the networks are not drawn: they are in a file, which --instances-file names")
        return None
    own = {**file, "path": str(file["path"] if path is None else path)}
    try:
        own_instance(own, 0)
    except (OSError, ValueError) as error:
        received.leave_out(f"the networks are not drawn: {error}")
        return None
    return own


def decisions(
    compared: Compared,
    received: Received,
    own: Mapping[str, str] | None = None,
    *,
    instances: int = 3,
    schemes: int = 3,
) -> list[Solved]:
    """Return the decisions of a few schemes of a comparison on its first instances, scheme by scheme.

    Schemes that cannot be made here, ask a language model, take long, or name paths in a folder that is not trusted,
    are passed over. ``own`` says where instances are that were not drawn (:func:`own_instances`).
    """
    if compared.instances_file is not None and own is None:
        return []
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
            solved += _solve(compared, scheme, own, sorted(set(compared.frame["instance"]))[:instances])
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


def _solve(compared: Compared, scheme: str, own: Mapping[str, str] | None, indices: Iterable[int]) -> list[Solved]:
    cell = compared.solvers[scheme]
    name, options = cell["solver"], cell["solver_options"]
    solver = load_same_agent(name, options, cell["policy"]) if "policy" in cell else make(name, **options)
    if not getattr(solver, "in_process", True) and getattr(solver, "replay", None) is None:
        raise ValueError("it asks a language model, which may cost money")
    seed, limit, error = compared.seed, _limit(compared), compared.csi_error
    return [
        Solved(scheme, index, *solve_instance(solver, compared.scenario, seed, index, limit, error, own))
        for index in indices
    ]


def _limit(compared: Compared) -> float:
    """Return the time after which a solve is stopped, s: that of the comparison, or more than any scheme takes."""
    return min(compared.max_seconds or math.inf, SAFETY * PATIENCE)


def convergence(
    compared: Compared, received: Received, own: Mapping[str, str] | None = None, index: int = 0
) -> dict[str, Solution]:
    """Return the solutions of ASC and LAW, without a model, on an instance of a comparison, with known channels."""
    solutions: dict[str, Solution] = {}
    if compared.instances_file is not None and own is None:
        return solutions
    for name in CONVERGING:
        solver = {"solver": name, "solver_options": {}}
        refused = None if received.trusted else refusal(solver, compared.scenario)
        if refused:
            received.leave_out(f"the convergence of {name} is not drawn: {refused}")
            continue
        try:
            _, solution = solve_instance(
                make(name), compared.scenario, compared.seed, index, _limit(compared), instances_file=own
            )
        except Exception as error:  # of a solver on whatever network
            logger.info("%s is not drawn: %s", name, error)
            logger.debug("the error in full", exc_info=True)
            continue
        if solution.history:
            solutions[f"{name} {NO_LLM}" if NO_LLM in solution.solver else name] = solution
    return solutions
