"""Robust: designs that hold with probability 1 − δ over what is not known of the eavesdroppers, with a certificate.

The links to the eavesdroppers are random: what an instance knows of them is a mean and a covariance
(:func:`secagent_env.sampling.estimation.eve_prior`). A decision fails on a draw of them where any constraint is
violated: (4), (11) and (17) hang on them. Sought is a decision that fails with probability δ at most, and of these one
whose energy, exceeded with probability δ, is least.

Every link is put at a quantile of what is known (:mod:`solvers.robust.pessimism`), and ``asc-plus`` solves this
network. The quantile is then moved, by bisection, to where the decision just holds on draws: a bound for each link
says little of all together. The certificate comes last, from draws that no design has seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secagent_env import Decision, Instance, evaluate
from secagent_env.sampling.estimation import eve_prior, known_from
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from solvers.asc_plus.solver import ASCPlus
from solvers.interface.base import OPTIMAL_GAP, OutOfTime, Solver, SolverRun
from solvers.robust.belief import Belief
from solvers.robust.certificate import certify
from solvers.robust.pessimism import METHODS, Pessimist
from solvers.robust.trial import Trial

TAILS = (1e-8, 0.5)
"""The range of the probability with which each link may be worse."""
RESERVE = 0.8
"""The share of δ that a design may fail on the draws which it is chosen by."""
SHORTEST = 1e-3
"""The downlink counts as taking this share of the time limit at least."""
ROUNDS = 3
"""How often a design is made anew near the one before, at one quantile."""


@dataclass(frozen=True, kw_only=True)
class Robust(Solver):
    """Decisions with a certified outage.

    Parameters
    ----------
    error_variance
        ε of the estimates in the place of the eavesdroppers' channels, in [0, 1). None: what an instance holds as its
        prior is all that is known (:func:`secagent_env.sampling.estimation.posterior_eavesdroppers`).
    outage
        δ, the probability with which a decision may fail.
    confidence
        Of the certificate.
    method
        The bound on each link: ``"scenario"`` (its quantile), ``"worst-case"`` (over a ball) or ``"bernstein"``.
    tightened
        False takes a method's bound as it is, its δ split equally over the links, and does not move the quantile.
    designs
        Quantiles that are tried at most.
    draws
        Of the links, by which designs are compared.
    jamming
        False keeps every unselected agent silent.
    """

    name = "robust"
    error_variance: float | None = None
    outage: float = 0.05
    confidence: float = 0.999
    method: str = "scenario"
    tightened: bool = True
    designs: int = 10
    draws: int = 4000
    jamming: bool = True

    def __post_init__(self) -> None:
        for name in ("outage", "confidence"):
            checks.number(name, getattr(self, name), above=0, below=1)
        if self.error_variance is not None:
            checks.number("error_variance", self.error_variance, low=0, below=1)
        check_name("method", self.method, METHODS)
        checks.flag("tightened", self.tightened)
        checks.flag("jamming", self.jamming)
        checks.integer("designs", self.designs, low=1)
        checks.integer("draws", self.draws, low=1)

    def _solve(self, run: SolverRun) -> None:
        run.eligible_agents()
        known = run.instance if self.error_variance is None else known_from(run.instance, self.error_variance)
        belief = Belief(known, eve_prior(known))
        found: list[Design] = []
        late: OutOfTime | None = None
        try:
            found.extend(self._designs(run, belief))  # those before the time is over count
        except OutOfTime as error:
            late = error
        if found:
            self._choose(run, belief, found)
        if late is not None:
            raise late

    def _choose(self, run: SolverRun, belief: Belief, found: Sequence[Design]) -> None:
        """Choose the cheapest design whose certificate holds, or else the one that failed least."""
        passing = [design for design in found if design.trial.outage <= RESERVE * self.outage]
        passing.sort(key=lambda design: (design.trial.quantile_j(self.outage), design.trial.outage))
        for attempt, design in enumerate(passing, start=1):
            likely = design.trial.outage
            certificate = certify(design.decision, belief, likely, self.outage, self.confidence, attempt, run.rng)
            if certificate.bound <= self.outage:
                run.choose(design.decision, certificate)
                return
        best = min(found, key=lambda design: design.trial.outage)
        run.choose(best.decision, None)
        run.failure = (
            f"no design with an outage of at most {self.outage:g} was found: the least was {best.trial.outage:.3g}"
        )

    def _designs(self, run: SolverRun, belief: Belief) -> Iterator[Design]:
        """Yield the design that takes every link for its mean, and then those at several quantiles."""
        parts = list(belief.draws(self.draws, run.rng))
        inner = ASCPlus(jamming=self.jamming)
        solved = inner.solve(belief.expected(), run.seed, run.start, run.seconds_left)
        if solved.outcome.feasible:
            yield Design.of(solved.decision, parts)
        if belief.certain:
            return
        near = solved.decision
        low, high = TAILS
        tail = self.outage / self._links(run.instance)
        for step in range(1, (self.designs if self.tightened else 1) + 1):
            decision, cheapest = self._design(run, Pessimist(belief, METHODS[self.method], tail), near, inner)
            holds = True
            if decision is not None:
                near = decision
                design = Design.of(decision, parts)
                yield design
                holds = design.trial.outage <= RESERVE * self.outage
                run.record(
                    iteration=step, tail=tail, outage=design.trial.outage, energy_j=design.trial.quantile_j(self.outage)
                )
                if holds and cheapest:
                    return
            low, high = (tail, high) if holds else (low, tail)  # where none is found, less is asked for
            tail = math.sqrt(low * high)

    def _design(
        self, run: SolverRun, pessimist: Pessimist, near: Decision, inner: ASCPlus
    ) -> tuple[Decision | None, bool]:
        """Return a decision that a pessimist finds feasible, and whether no feasible one is cheaper; None if none."""
        decision = None
        for _ in range(ROUNDS):  # what the pessimist sees depends on the decision
            run.check_time()
            spare = self._spare_s(run.instance, near)
            solved = inner.solve(pessimist.instance(near, spare), run.seed, near, run.seconds_left)
            if not solved.outcome.feasible:
                return decision, False
            same = decision is not None and (solved.decision.selection == near.selection).all()
            decision = near = solved.decision
            if same:
                break
        return decision, solved.gap <= OPTIMAL_GAP

    def _links(self, instance: Instance) -> int:
        """Return how many links of the eavesdroppers a decision counts on: to the senders and the base station."""
        return (instance.scenario.required_agents + 1) * instance.scenario.num_eavesdroppers

    def _spare_s(self, instance: Instance, decision: Decision) -> float:
        """Return the time for the downlink beside the inference of the selected agents, s."""
        limit = instance.scenario.latency_limit_s
        return max(limit - float(evaluate(instance, decision).inference_time_s), SHORTEST * limit)


@dataclass(frozen=True)
class Design:
    """A decision, and how it did on the draws."""

    decision: Decision
    trial: Trial

    @classmethod
    def of(cls, decision: Decision, parts: Sequence[Instance]) -> Design:
        """Return a decision with its trial."""
        return cls(decision, Trial.of(decision, parts))
