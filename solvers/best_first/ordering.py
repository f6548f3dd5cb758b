"""Selections of N_min agents in the order of a cost, the cheapest first."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

import numpy as np

STEPS = 60
"""Of the bisection for the price of accuracy."""


def accuracy_price(energy: np.ndarray, surplus: np.ndarray, count: int) -> float:
    """Return the price λ ≥ 0 at which the cheapest selection says most about those that meet (15).

    A selection S of ``count`` agents that meets (15) has Σ surplus ≥ 0, so that its energy is at least
    Σ (energy − λ surplus), for every λ. The least such sum is concave in λ; at its maximum its slope changes sign.

    Parameters
    ----------
    energy, surplus
        (N,), of each agent: what computing costs, and its accuracy less Acc_min.
    count
        How many agents are selected.
    """

    def slack(price: float) -> float:
        cheapest = np.argpartition(energy - price * surplus, count - 1)[:count]
        return float(surplus[cheapest].sum())

    if slack(0.0) >= 0:
        return 0.0
    low, high = 0.0, float(energy.max()) / max(float(surplus.max()), 1e-12)
    for _ in range(STEPS):
        if slack(high) >= 0:
            break
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if slack(middle) >= 0 else (middle, high)
    return high


def in_order(cost: np.ndarray, count: int) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the selections of ``count`` of N agents by their total cost, the least first: the total, and the agents.

    Each but the first follows from another by exchanging one agent for the next dearer one. The total is that of
    ``cost`` (N,), the agents are their indices, (count,).
    """
    order = np.argsort(cost, kind="stable")
    ranked, last = cost[order].tolist(), len(cost)
    first = tuple(range(count))
    heap, known = [(sum(ranked[:count]), first)], {first}
    while heap:
        total, places = heapq.heappop(heap)
        yield total, order[list(places)]
        for k, (place, following) in enumerate(itertools.pairwise((*places, last))):
            if place + 1 < following:
                moved = (*places[:k], place + 1, *places[k + 1 :])
                if moved not in known:
                    known.add(moved)
                    heapq.heappush(heap, (total - ranked[place] + ranked[place + 1], moved))
