"""RandAS: a random feasible selection, with beam and powers as in ASC (section V)."""

from __future__ import annotations

from dataclasses import dataclass

from solvers.asc_plus.links import LinkOptions, Links
from solvers.certificate.selection import random_selection
from solvers.interface.base import Solver, SolverRun
from solvers.power.powers import polish


@dataclass(frozen=True, kw_only=True)
class RandAS(LinkOptions, Solver):
    """A random selection of exactly N_min agents that meets (15) in time, uniform; then beam and powers as in ASC."""

    name = "randas"

    def _solve(self, run: SolverRun) -> None:
        run.eligible_agents()  # or it raises Infeasible
        selection = random_selection(run.instance, run.rng)
        assert selection is not None
        links = Links(run, self)
        links.alternate(links.start(selection))
        polish(run)
        if run.outcome is not None and not run.outcome.feasible:
            run.message = "no beam and powers were found that make the random selection secret and fast enough"
