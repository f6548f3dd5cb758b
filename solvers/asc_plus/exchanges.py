"""A repair that exchanges agents too, and exchanges while they pay, at separable costs."""

from __future__ import annotations

import itertools

import numpy as np

from solvers.asc.costs import Costs
from solvers.asc.greedy import most_accurate
from solvers.certificate.requirements import TOLERANCE

PAIRS_AT_MOST = 200_000
"""Double exchanges are tried only if there are at most so many."""


def repair(costs: Costs, selection: np.ndarray, *, improve: bool = True) -> np.ndarray | None:
    """Return a selection that meets (13) and (15) among the allowed agents, close to a given one; None if none does.

    Agents are added until there are N_min, then added or exchanged, the cheapest accuracy first, until (15) holds.
    Then, with ``improve``, agents are dropped, added and exchanged, singly and two at a time, while that lowers the
    cost.
    """
    selection = selection & costs.allowed
    missing = costs.required - int(selection.sum())
    if missing > 0:
        free = np.flatnonzero(costs.allowed & ~selection)
        if free.size < missing:
            return None
        selection[free[np.argsort(costs.change[free], kind="stable")[:missing]]] = True
    while costs.shortfall(selection) > 0:
        inside, outside = np.flatnonzero(selection), np.flatnonzero(costs.allowed & ~selection)
        # Row 0 adds an agent, the others put it in the place of one that is selected.
        price = np.concatenate([[0.0], costs.change[inside]])
        merit = np.concatenate([[0.0], costs.surplus[inside]])
        gain = costs.surplus[outside] - merit[:, None]
        extra = costs.change[outside] - price[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(gain > 1e-15, np.where(extra > 0, extra / gain, extra), np.inf)
        if not np.isfinite(rate).any():
            accurate = most_accurate(costs)
            if accurate is None:
                return None
            selection = accurate
            break
        row, column = np.unravel_index(np.argmin(rate), rate.shape)
        selection[outside[column]] = True
        if row:
            selection[inside[row - 1]] = False
    return _improve(costs, selection) if improve else selection


def _improve(costs: Costs, selection: np.ndarray) -> np.ndarray:
    """Return the selection after the best drops, additions and (double) exchanges, until none lowers the cost."""
    while True:
        drop, add, saving = _best_move(costs, selection, double=False)
        if saving <= 1e-12:
            drop, add, saving = _best_move(costs, selection, double=True)
        if saving <= 1e-12:
            return selection
        selection = selection.copy()
        selection[drop] = False
        selection[add] = True


def _best_move(costs: Costs, selection: np.ndarray, *, double: bool) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the feasible move that saves most: agents to drop, agents to add, and the saving."""
    inside, outside = np.flatnonzero(selection), np.flatnonzero(costs.allowed & ~selection)
    drops, adds = _groups(inside, double), _groups(outside, double)
    none = np.empty(0, int)
    if double and len(drops[2]) * len(adds[2]) > PAIRS_AT_MOST:
        return none, none, 0.0
    spare = -costs.shortfall(selection)
    best: tuple[np.ndarray, np.ndarray, float] = (none, none, 0.0)
    for (down, drop), (up, add) in itertools.product(enumerate(drops), enumerate(adds)):
        if double and max(down, up) < 2:
            continue
        if len(inside) - down + up < costs.required or not len(drop) or not len(add):
            continue
        saved, spent = costs.change[drop].sum(axis=1), costs.change[add].sum(axis=1)
        lost, won = costs.surplus[drop].sum(axis=1), costs.surplus[add].sum(axis=1)
        allowed = spare + TOLERANCE * (up - down)  # the rounding granted in (15) grows with the number of agents
        row, column = int(np.argmax(saved)), int(np.argmin(spent))
        if not saved[row] - spent[column] > best[2]:
            continue
        if lost[row] - won[column] > allowed:  # the dearest for the cheapest is not accurate enough: look at all pairs
            saving = np.where(lost[:, None] - won > allowed, -np.inf, saved[:, None] - spent)
            row, column = divmod(int(np.argmax(saving)), len(spent))
            if not saving[row, column] > best[2]:
                continue
        best = (drop[row], add[column], float(saved[row] - spent[column]))
    return best


def _groups(agents: np.ndarray, double: bool) -> list[np.ndarray]:
    """Return the index arrays of no agent (1, 0), of each one (n, 1), and of each pair (n(n−1)/2, 2)."""
    groups = [np.empty((1, 0), int), agents[:, None]]
    if double:
        first, second = np.triu_indices(len(agents), 1)
        groups.append(np.stack([agents[first], agents[second]], axis=1))
    return groups


def exchanges(costs: Costs, selection: np.ndarray, count: int) -> np.ndarray:
    """Return the ``count`` cheapest selections (·, N) that one drop, addition or exchange leads to and (15) allows."""
    inside, outside = np.flatnonzero(selection), np.flatnonzero(~selection)
    rows = []
    for drop, add in itertools.product(_groups(inside, False), _groups(outside, False)):
        pairs = np.repeat(selection[None], len(drop) * len(add), axis=0)
        index = np.arange(len(pairs))[:, None]
        pairs[index, np.repeat(drop, len(add), axis=0)] = False
        pairs[index, np.tile(add, (len(drop), 1))] = True
        rows.append(pairs)
    moved = np.concatenate(rows)
    size = moved.sum(axis=1)
    good = (size >= costs.required) & (moved @ costs.surplus >= -TOLERANCE * size)
    moved = moved[good]
    return np.asarray(moved[np.argsort(moved @ costs.change, kind="stable")[:count]])
