"""Selections in the order of their cost: an enumeration by best-first search, and a lower bound on what is left.

Agents are sorted by c_n − λ s_n, their cost less the price λ ≥ 0 of accuracy, with s_n = Acc_n − Acc_min, its
tolerance included. A selection that meets (15) has Σ s_n ≥ 0 and costs at least the sum of these. The price is the one
that lifts the bound of the first node most, by Lagrangian duality; every price is valid. A node holds the agents
chosen among the first i and stands for all selections that add at least one of the others. Its cheapest completion
takes the next agents in the order until there are N_min, and every one whose reduced cost is negative: a difference
of prefix sums. So a node costs microseconds, and no bound depends on a solver. Where agents have few accuracies among
them, as groups of the same model have, sums of s_n jump: of t agents Σ s_n ≥ 0 means Σ s_n ≥ δ_t, the least sum that
some numbers of agents of each accuracy give, and the bound of selections of t agents rises by λ δ_t.

Branches are cut where no completion meets (15), where the floors of the times of (17) exceed the limit, and where a
set of agents is chosen that is known not to be servable together.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from solvers.certificate.requirements import TOLERANCE, TimeFloors, selection_of, usable_agents

DOUBLINGS, HALVINGS = 60, 40
"""Steps in which the price of accuracy is enclosed and refined."""
MOST_NUMBERS = 100_000
"""So many numbers of agents of each accuracy are tried for the least surplus."""
WORTH = 1e-9
"""The share by which a price has to raise the bound."""


@dataclass(order=True)
class _Node:
    """Selected agents among the first ``next`` in the order; with ``complete`` nobody is added to them."""

    bound: float
    number: int
    complete: bool
    members: int  # a bit for each agent's place in the order
    next: int
    count: int
    cost: float
    reduced: float
    surplus: float
    times: tuple[float, float, float]


class OrderedSelections:
    """Selections that meet (13), (15) and the floors of (17), cheapest first.

    Parameters
    ----------
    instance
        A single instance.
    cost
        (N,), not negative, J; agents of infinite cost are not used.
    eligible
        (N,) bool, the agents that may be selected.
    """

    def __init__(self, instance: Instance, cost: np.ndarray, eligible: np.ndarray) -> None:
        scenario = instance.scenario
        self._floors = floors = TimeFloors.of(instance)
        self._required = scenario.required_agents
        self._num_agents = scenario.num_agents
        self._limit = scenario.latency_limit_s * (1 + TOLERANCE)
        agents = np.flatnonzero(usable_agents(instance, cost, floors) & eligible)
        surplus = instance.accuracy[agents] - scenario.min_accuracy + TOLERANCE
        self._heap: list[_Node] = []
        self._number = itertools.count(step=-1)  # of equal bounds the latest first
        self._cores: dict[int, list[int]] = {}
        self._cores_for_now: dict[int, list[int]] = {}
        self._parked: list[_Node] = []
        self._place: dict[int, int] = {}
        if len(agents) < self._required:
            return
        least = _least_surplus(surplus)
        if not np.isfinite(least[self._required :]).any():
            return  # nobody is accurate enough
        aimed = float(least[self._required]) if np.isfinite(least[self._required]) else 0.0
        price = _price(cost[agents], surplus, self._required, aimed)
        reduced = cost[agents] - price * surplus
        order = np.lexsort((-surplus, reduced))  # of equal costs the more accurate first
        self.agents = agents[order]
        self._place = {int(agent): place for place, agent in enumerate(self.agents)}
        self._cost = cost[self.agents].tolist()
        self._surplus = surplus[order].tolist()
        self._reduced = reduced[order].tolist()
        self._times = np.stack([floors.downlink, floors.inference, floors.uplink], axis=1)[self.agents].tolist()
        self._prefix = np.concatenate([[0.0], np.cumsum(reduced[order])]).tolist()
        raised = np.full(len(least), np.inf)  # and not NaN where the price is 0
        raised[np.isfinite(least)] = price * least[np.isfinite(least)]
        self._completed = _completed(np.array(self._prefix), raised, self._required)
        self._spare = np.append(np.cumsum(np.maximum(surplus[order], 0.0)[::-1])[::-1], 0.0).tolist()
        self._push(_Node(0.0, 0, False, 0, 0, 0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0)))

    @property
    def least_j(self) -> float:
        """A lower bound on the cost of every selection that has not been yielded, J; infinite at the end."""
        return self._heap[0].bound if self._heap else math.inf

    def forbid(self, core: np.ndarray, for_now: bool = False) -> None:
        """Leave out every selection that contains ``core`` (N,) bool: from now on, or until :meth:`release`."""
        places = [self._place.get(int(agent), -1) for agent in np.flatnonzero(core)]
        if min(places) >= 0:  # else no selection contains it anyway
            cores = self._cores_for_now if for_now else self._cores
            cores.setdefault(max(places), []).append(sum(1 << place for place in places))

    def release(self) -> None:
        """Take back what was forbidden for now."""
        self._cores_for_now.clear()
        for node in self._parked:
            heapq.heappush(self._heap, node)
        self._parked.clear()

    def next(self) -> tuple[float, np.ndarray] | None:
        """Return the cheapest selection (N,) bool that is left, and its cost; None at the end."""
        while self._heap:
            found = self.advance()
            if found is not None:
                return found
        return None

    def advance(self) -> tuple[float, np.ndarray] | None:
        """Expand the node of the least bound; return its cost and selection (N,) bool if it is one, else None."""
        node = heapq.heappop(self._heap)
        if node.complete:
            if self._left_out(node, range(node.next)):
                return None
            places = [place for place in range(node.next) if node.members >> place & 1]
            return node.cost, selection_of(self.agents[places], self._num_agents)
        i = node.next
        self._push(_Node(**{**vars(node), "next": i + 1}))
        joined = _Node(
            0.0,
            0,
            False,
            node.members | 1 << i,
            i + 1,
            node.count + 1,
            node.cost + self._cost[i],
            node.reduced + self._reduced[i],
            node.surplus + self._surplus[i],
            tuple(map(max, node.times, self._times[i])),
        )
        if self._latency(joined) <= self._limit:
            if joined.count >= self._required and joined.surplus >= 0:
                complete = {"complete": True, "bound": joined.cost, "number": next(self._number)}
                self._keep(_Node(**{**vars(joined), **complete}), (i,))
            self._push(joined, (i,))
        return None

    def _keep(self, node: _Node, last: tuple[int, ...]) -> None:
        if not self._left_out(node, last):
            heapq.heappush(self._heap, node)

    def _push(self, node: _Node, last: tuple[int, ...] = ()) -> None:
        """Add a node to which at least one agent is still joined, unless it has no completion."""
        missing = max(self._required - node.count, 1)
        if node.next + missing > len(self._cost) or node.surplus + self._spare[node.next] < 0:
            return
        completed = self._completed[node.count + missing - self._required][node.next - node.count]
        node.bound = node.reduced - self._prefix[node.next] + completed
        node.number = next(self._number)
        self._keep(node, last)

    def _latency(self, node: _Node) -> float:
        """Return a lower bound on the latency of a node's completions, s: at least N_min agents send at once."""
        downlink, inference, uplink = node.times
        return downlink + inference + max(uplink, self._floors.together(max(node.count, self._required)))

    def _left_out(self, node: _Node, last: range | tuple[int, ...]) -> bool:
        """Return whether a node holds a core that ends at one of the ``last`` places; for now, it is parked."""
        forbidden, parked = (
            any(core & node.members == core for place in last for core in cores.get(place, ()))
            for cores in (self._cores, self._cores_for_now)
        )
        if parked and not forbidden:
            self._parked.append(node)
        return forbidden or parked


def _least_surplus(surplus: np.ndarray) -> np.ndarray:
    """Return δ_t of t = 0, 1, … agents: the least Σ s_n ≥ 0 of so many, infinite where there is none.

    Where there are too many accuracies to try all numbers of agents of each, it is 0.
    """
    values, counts = np.unique(surplus, return_counts=True)
    if math.prod((counts + 1).tolist()) > MOST_NUMBERS:
        return np.zeros(len(surplus) + 1)
    numbers = np.indices(tuple(counts + 1)).reshape(len(counts), -1)
    sums = values @ numbers
    rounding = 1e-12 * float(np.abs(surplus).sum())  # of sums in another order
    possible = sums >= -rounding
    least = np.full(len(surplus) + 1, np.inf)
    np.minimum.at(least, numbers.sum(axis=0)[possible], np.maximum(sums[possible] - rounding, 0.0))
    return least


def _completed(prefix: np.ndarray, raised: np.ndarray, required: int) -> list[list[float]]:
    """Return the least sum, over numbers of agents t, of the first reduced costs in the order and λ δ_t.

    The first index says by how many more than ``required`` t is at least, the second how many agents are passed over:
    ``prefix`` (K + 1) holds the sums of the first 0, 1, … reduced costs, of which the sum is that of t and these;
    ``raised`` is λ δ_t of t = 0, …, K agents.
    """
    size = len(prefix)
    table = np.full((size - required, size), np.inf)
    for least in range(size - 1, required - 1, -1):
        passed = size - least  # so many may be passed over, at most
        table[least - required, :passed] = prefix[least:] + raised[least]
        if least + 1 < size:
            table[least - required] = np.minimum(table[least - required], table[least - required + 1])
    return [row.tolist() for row in table]


def _price(cost: np.ndarray, surplus: np.ndarray, required: int, least: float) -> float:
    """Return the price of accuracy that maximises the bound Σ min(…) + λ δ of the cheapest ``required`` agents.

    The bound is concave in the price, and rises while the agents that it counts lack accuracy. A price that does not
    raise it is 0: with one, selections of equal cost would have different bounds, and the search would open them all.
    """

    def counted(price: float) -> tuple[float, float]:
        """Return the bound, and by how much the surplus of the agents that it counts is beyond δ = ``least``."""
        reduced = cost - price * surplus
        first = reduced < 0
        first[np.argsort(reduced, kind="stable")[:required]] = True
        return float(reduced[first].sum()) + price * least, float(surplus[first].sum()) - least

    without, lacking = counted(0.0)
    if lacking >= 0:
        return 0.0
    low, high = 0.0, float(cost.max()) / max(float(np.abs(surplus).max()), 1e-12)
    for _ in range(DOUBLINGS):
        if counted(high)[1] >= 0:
            break
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if counted(middle)[1] < 0 else (low, middle)
    return high if counted(high)[0] > without * (1 + WORTH) else 0.0
