"""FixedTP: all agents, selected or not, send at a fixed share of p_max (section V).

At given powers c_n^ul does not depend on the selection, and is positive only for the agents that pass the linear test
of ``docs/model.md``. The selection step of ASC selects among those; the beam is ASC's. Where that ends infeasible, it
is repeated without the agent that holds the others up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, Instance, evaluate
from secagent_env.support import checks
from solvers.asc.costs import SelectionProblem
from solvers.asc_plus.links import Links
from solvers.asc_plus.solver import ASCPlus
from solvers.asc_plus.starts import cheap_selection
from solvers.interface.base import SolverRun, silent_decision
from solvers.interface.ranking import bottleneck


class FixedPowerLinks(Links):
    """The beam at the fixed powers."""

    def levels(
        self,
        selection: np.ndarray,
        beamformer: np.ndarray,
        jammer_w: np.ndarray,
        noise_covariance: np.ndarray | None = None,
    ) -> Decision:
        """Return the decision in which everybody sends with ``jammer_w`` (N,), W."""
        decision = Decision(
            selection=selection, beamformer=beamformer, power_w=jammer_w, noise_covariance=noise_covariance
        )
        self.run.consider(decision)
        return decision

    def powers(self, decision: Decision, iteration: int) -> Decision:
        """Return the decision as it is."""
        return decision


@dataclass(frozen=True, kw_only=True)
class FixedTP(ASCPlus):
    """Selection and beam at fixed powers; ASC's options hold, of which those of powers and jammers have no effect.

    Parameters
    ----------
    share
        The share of p_max that every agent sends at, in (0, 1].
    """

    share: float = 0.6

    name = "fixedtp"
    links = FixedPowerLinks

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("share", self.share, high=1, above=0)
        if not self.jamming:
            raise ValueError("jamming must be True for fixedtp: its unselected agents send at the fixed power, too")

    def _solve(self, run: SolverRun) -> None:
        instance = run.instance
        eligible = run.eligible_agents()
        links = self.links(run, self)
        if run.start is not None:  # a start counts with the powers of this scheme
            run.start = run.start.replace(power_w=self.powers(instance))
            run.decision = run.outcome = None
            run.consider(run.start)
            self.coordinate(links, run.start)
        passing = eligible & self.passing(instance)
        allowed = passing.copy()
        while (selection := cheap_selection(instance, allowed)) is not None:
            decision = links.jammed(selection, self.powers(instance))
            decision = self.coordinate(links, decision)
            if evaluate(instance, decision).feasible:
                return
            allowed &= ~bottleneck(instance, decision)  # without it the others may be in time
        if not run.feasible:
            run.message = (
                f"at {self.share:.0%} of p_max {int(passing.sum())} of {len(passing)} agents can send in secret"
                f"{' and compute in time' if (passing != self.passing(instance)).any() else ''}; "
                f"no {instance.scenario.required_agents} of them are accurate enough, and reached in secret and in time"
            )

    def powers(self, instance: Instance) -> np.ndarray:
        """Return everybody's power, (N,), W."""
        return np.full(instance.scenario.num_agents, self.share * instance.scenario.max_power_w)

    def passing(self, instance: Instance) -> np.ndarray:
        """Return the agents with uplink secrecy at these powers, (N,) bool."""
        everybody = silent_decision(instance, np.ones(instance.scenario.num_agents, bool))
        return np.asarray(evaluate(instance, everybody.replace(power_w=self.powers(instance))).uplink_secrecy > 0)

    def _selection_problem(self, run: SolverRun, decision: Decision) -> SelectionProblem:
        return SelectionProblem(
            run.instance, decision.beamformer, decision.power_w, decision.power_w, decision.noise_covariance
        )
