"""The greedy method of Algorithm 1, lines 9-12: a selection that meets (13) and (15), by additions and drops alone."""

from __future__ import annotations

import numpy as np

from solvers.asc.costs import Costs


def reconstruct(costs: Costs, selection: np.ndarray) -> np.ndarray | None:
    """Return a selection (N,) bool of allowed agents that meets (13) and (15), from a given one; None if none is found.

    While (15) fails the agent of the least energy per accuracy above Acc_min is added; while (13) alone fails, that of
    the least energy per accuracy. Where that does not suffice, the most accurate agents are taken. Then agents are
    dropped, the dearest first, as long as both constraints go on holding. No selected agent is exchanged for another.
    """
    completed = _completed(costs, selection & costs.allowed)
    return None if completed is None else _thinned(costs, completed)


def most_accurate(costs: Costs) -> np.ndarray | None:
    """Return the N_min most accurate allowed agents, (N,) bool; None where they fail (15), as all do then."""
    selection = np.zeros(len(costs.surplus), bool)
    order = np.argsort(np.where(costs.allowed, -costs.surplus, np.inf), kind="stable")
    selection[order[: costs.required]] = True
    return selection if costs.meets(selection) and not (selection & ~costs.allowed).any() else None


def _completed(costs: Costs, selection: np.ndarray) -> np.ndarray | None:
    """Return the selection with agents added until (13) and (15) hold."""
    while not costs.meets(selection):
        short = selection.any() and costs.shortfall(selection) > 0
        worth = costs.surplus if short else np.maximum(costs.accuracy, 1e-12)
        free = np.flatnonzero(costs.allowed & ~selection & (worth > 0))
        if not free.size:
            return most_accurate(costs)
        price = costs.change[free]  # an agent that saves energy comes first, whatever its accuracy
        selection = selection.copy()
        selection[free[np.argmin(np.where(price > 0, price / worth[free], price))]] = True
    return selection


def _thinned(costs: Costs, selection: np.ndarray) -> np.ndarray:
    """Return the selection without agents that cost something and are not needed."""
    for agent in np.flatnonzero(selection)[np.argsort(-costs.change[selection], kind="stable")]:
        rest = selection.copy()
        rest[agent] = False
        if costs.change[agent] > 0 and costs.meets(rest):
            selection = rest
    return selection
