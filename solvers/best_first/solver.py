"""Best-first search over selections: each is served by a few iterations, until no other can be cheaper."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from secagent_env.allocation.guided import SelectionFormat
from secagent_env.allocation.rules import decoder
from secagent_env.support import checks
from secagent_env.support.extras import require
from solvers.best_first.ordering import accuracy_price, in_order
from solvers.certificate.linear_test import secret_at_best
from solvers.certificate.requirements import TOLERANCE, TimeFloors, usable_agents, why_infeasible
from solvers.interface.base import Infeasible, Solver, SolverRun
from solvers.power.powers import polish

FIRST, LARGEST = 8, 64
"""Selections in the first batch, and in the largest; each is twice the one before."""
SKIPPED = 3200
"""So many selections in a row that miss (15) end the search."""


@dataclass(frozen=True, kw_only=True)
class BestFirst(Solver):
    """Selections of N_min agents in the order of their energy for computing (19), each served.

    Energy for computing is nearly all that a feasible decision spends, so that the first selection that can be served
    is nearly the best; the search goes on until the next one costs as much by computing alone. Beam, jammers and
    senders' powers of a selection are those of :func:`secagent_env.model.serving.serve`: what is not served by it is
    not proved infeasible, so there is no certificate but the lower bound that every solution has. Where the accuracy
    (15) binds, it is priced: selections come in the order of a bound on their energy.

    Parameters
    ----------
    most
        How many selections are served, at most.
    polished
        Whether the powers of the best are then minimised, which takes longer than the search where agents jam.
    compiled
        Whether selections are served in machine code, three to six times faster; extra ``fast``.

    Raises ImportError if ``compiled``, and numba is missing.
    """

    name = "best-first"
    most: int = 2000
    polished: bool = True
    compiled: bool = False

    def __post_init__(self) -> None:
        checks.integer("most", self.most, low=1)
        checks.flag("polished", self.polished)
        checks.flag("compiled", self.compiled)
        if self.compiled:
            require("numba", extra="fast")

    def _solve(self, run: SolverRun) -> None:
        instance = run.given
        floors, limit = TimeFloors.of(instance), instance.scenario.latency_limit_s * (1 + TOLERANCE)
        together = floors.together(instance.scenario.required_agents)
        in_time = floors.downlink + floors.inference + np.maximum(floors.uplink, together) <= limit
        usable = usable_agents(instance, instance.execution_energy_j, floors) & secret_at_best(instance) & in_time
        if message := why_infeasible(instance, usable):
            raise Infeasible(message)
        form = decoder("selection", instance.scenario, compiled=self.compiled)
        assert isinstance(form, SelectionFormat)
        selections, size = _selections(instance, np.flatnonzero(usable)), FIRST
        for served in itertools.count():
            run.check_time()
            left = self.most - run.evaluations
            batch = list(itertools.islice(selections, min(size, left)))
            cheaper = [chosen for bound, chosen in batch if bound < run.energy_j]
            if not cheaper:
                break
            run.consider(form.serve(instance, np.array(cheaper)))
            run.record(iteration=served + 1, sub_problem="selections", selections=len(cheaper))
            if len(cheaper) < len(batch):
                break
            size = min(2 * size, LARGEST)
        if self.polished:
            polish(run)


def _selections(instance: Instance, agents: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Yield selections (N_min,) of some agents that meet (15), each with a bound on its energy, J, the least first."""
    scenario = instance.scenario
    energy, surplus = instance.execution_energy_j[agents], instance.accuracy[agents] - scenario.min_accuracy
    price = accuracy_price(energy, surplus, scenario.required_agents)
    skipped = 0
    for bound, places in in_order(energy - price * surplus, scenario.required_agents):
        if surplus[places].mean() >= -TOLERANCE:
            skipped = 0
            yield bound, agents[places]
        elif (skipped := skipped + 1) > SKIPPED:
            return
