"""RandAS: a random feasible selection, with beam and powers as in ASC (section V)."""

from __future__ import annotations

from dataclasses import dataclass

from solvers.asc.links import LinkOptions, Links
from solvers.certificate.integer_program import why_infeasible
from solvers.certificate.selection import eligible_agents, random_selection
from solvers.interface.base import Infeasible, Solver, SolverRun


@dataclass(frozen=True, kw_only=True)
class RandAS(LinkOptions, Solver):
    """A random selection of exactly N_min agents that meets (15) in time, uniform; then beam and powers as in ASC."""

    name = "randas"

    def _solve(self, run: SolverRun) -> None:
        selection = random_selection(run.instance, run.rng)
        if selection is None:
            raise Infeasible(why_infeasible(run.instance, eligible_agents(run.instance)))
        links = Links(run, self)
        links.alternate(links.start(selection))
        if run.outcome is not None and not run.outcome.feasible:
            run.message = "no beam and powers were found that make the random selection secret and fast enough"
