"""Robust: designs that hold with probability 1 − δ over what is not known of the eavesdroppers, with a certificate.

The links to the eavesdroppers are random: what an instance knows of them is a mean and a covariance
(:func:`secagent_env.sampling.beforehand.eve_prior`). A decision fails on a draw of them where any constraint is
violated: (4), (11) and (17) hang on them. Sought is a decision that fails with probability δ at most, and of these one
whose energy, exceeded with probability δ, is least.

For a risk, selections come from integer programs (:mod:`solvers.robust.selection`); every link is put at a quantile
of what is known (:mod:`solvers.robust.pessimism`), and beam and powers are those of ``asc-plus`` for this network. The
risk is then moved, by bisection, to where the decision just holds on draws: a bound for each link says little of all
together. The certificate comes last, from draws that no design has seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, Instance, evaluate
from secagent_env.sampling.estimation import ErrorVariance, known_from
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from solvers.asc_plus.links import LinkOptions, Links
from solvers.asc_plus.solver import GOOD_GAP, ASCPlus
from solvers.beam.beamforming import leakage_beam
from solvers.beam.noise import null_space_noise
from solvers.certificate.bounds import lower_bound
from solvers.interface.base import OPTIMAL_GAP, OutOfTime, Solver, SolverRun
from solvers.robust.belief import Belief
from solvers.robust.certificate import certify
from solvers.robust.pessimism import METHODS, Pessimist
from solvers.robust.selection import MARGINS, jammed_selections, overheard, safe_selection
from solvers.robust.trial import Trial

MOST_RISK = 0.5
LEAST_RISK = 1e-6
"""The range of the probability of a failure that is designed for."""
RESERVE = 0.8
"""The share of δ that a design may fail on the draws which it is chosen by."""
SHORTEST = 1e-3
"""The downlink counts as taking this share of the time limit at least."""
ROUNDS = 2
"""How often a design is made anew near the one before, at one risk."""
NOISE_SHARES = (0.0, 0.2, 0.5, 0.8)
"""Of the base station's power that are tried for artificial noise, where it may send some."""


@dataclass(frozen=True, kw_only=True)
class Robust(LinkOptions, Solver):
    """Decisions with a certified outage.

    Parameters
    ----------
    error_variance
        ε of the estimates in the place of the eavesdroppers' channels, in [0, 1), one for all links or two arrays as in
        :func:`secagent_env.sampling.estimation.known_from`. None: what an instance holds as its prior is all that is
        known (:func:`secagent_env.sampling.estimation.posterior_eavesdroppers`).
    outage
        δ, the probability with which a decision may fail.
    confidence
        Of the certificate.
    method
        The bound on each link: ``"scenario"`` (its quantile), ``"worst-case"`` (over a ball) or ``"bernstein"``.
    tightened
        False takes a method's bound as it is, its δ split equally over the links, and does not move the risk.
    designs
        Risks that are tried at most.
    samples
        Draws of the links, by which designs are compared.
    """

    name = "robust"
    error_variance: ErrorVariance | None = None
    outage: float = 0.05
    confidence: float = 0.999
    method: str = "scenario"
    tightened: bool = True
    designs: int = 8
    samples: int = 4000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("outage", "confidence"):
            checks.number(name, getattr(self, name), above=0, below=1)
        if self.error_variance is not None and not isinstance(self.error_variance, (tuple, list)):
            checks.number("error_variance", self.error_variance, low=0, below=1)
        check_name("method", self.method, METHODS)

    def _solve(self, run: SolverRun) -> None:
        eligible = run.eligible_agents()
        known = run.given if self.error_variance is None else known_from(run.given, self.error_variance)
        belief = Belief.of(known)
        found: list[Design] = []
        late: OutOfTime | None = None
        try:
            found.extend(self._designs(run, belief, eligible))  # those before the time is over count
        except OutOfTime as error:
            late = error
        if found:
            self._choose(run, belief, found)
        if late is not None:
            raise late

    def _choose(self, run: SolverRun, belief: Belief, found: Sequence[Design]) -> None:
        """Choose the cheapest design whose certificate holds, or else the one that failed least."""
        passing = [design for design in found if self._holds(design)]
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
            f"no design was certified to fail with probability {self.outage:g} at most: the least outage found was "
            f"{best.trial.outage:.3g}"
        )

    def _holds(self, design: Design) -> bool:
        return design.trial.outage <= RESERVE * self.outage

    def _designs(self, run: SolverRun, belief: Belief, eligible: np.ndarray) -> Iterator[Design]:
        """Yield the design that takes every link for its mean, and then those at several risks."""
        parts = list(belief.draws(self.samples, run.rng))
        nominal = ASCPlus(jamming=self.jamming, artificial_noise=self.artificial_noise).solve(
            belief.expected(), run.seed, run.start, run.seconds_left
        )
        design = Design.of(run, nominal.decision, parts)
        yield design
        if belief.certain or (self._holds(design) and nominal.gap <= OPTIMAL_GAP):
            return
        run.bound = lower_bound(run.instance)
        low, high = LEAST_RISK, MOST_RISK
        risk = RESERVE * self.outage if self.tightened else self.outage
        for step in range(1, (self.designs if self.tightened else 1) + 1):
            best, none = math.inf, True
            for design in self._at_risk(run, belief, risk, eligible, nominal.decision.selection, parts):
                yield design
                none = False
                if self._holds(design):
                    best = min(best, design.trial.quantile_j(self.outage))
            run.record(iteration=step, risk=risk, energy_j=best)
            if best <= (1 + OPTIMAL_GAP) * run.bound.energy_j:
                return
            low, high = (risk, high) if best < math.inf or none else (low, risk)  # where none is found, ask for less
            risk = math.sqrt(low * high)

    def _at_risk(
        self,
        run: SolverRun,
        belief: Belief,
        risk: float,
        eligible: np.ndarray,
        nominal: np.ndarray,
        parts: Sequence[Instance],
    ) -> Iterator[Design]:
        """Yield the designs at a risk, of different selections; those with jammers only where they may save energy."""
        pessimist = Pessimist(belief, METHODS[self.method], risk / self._links(run.instance))
        alone = np.zeros(len(eligible))
        seen: set[bytes] = set()
        best = math.inf
        for selection, each in self._selections(pessimist, risk, eligible, nominal, parts):
            energy = run.instance.execution_energy_j[selection].sum()
            if selection.tobytes() in seen or energy > best:
                continue
            seen.add(selection.tobytes())
            for share in NOISE_SHARES if self.artificial_noise else NOISE_SHARES[:1]:
                decision = self._design(run, pessimist, selection, alone if each is None else each, share)
                if decision is None:
                    continue
                design = Design.of(run, decision, parts)
                yield design
                if self._holds(design):
                    best = min(best, energy)
                    break
            assert run.bound is not None
            if best <= (1 + GOOD_GAP) * run.bound.energy_j:
                return

    def _selections(
        self,
        pessimist: Pessimist,
        risk: float,
        eligible: np.ndarray,
        nominal: np.ndarray,
        parts: Sequence[Instance],
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield selections (N,) bool, and the probability with which each agent may be overheard, (N,) or None."""
        instance = pessimist.belief.instance
        yield nominal, None
        for margin in MARGINS:
            if self.method == "scenario" and self.tightened:
                each = overheard(parts, margin)
            else:
                each = (pessimist.loud.max(axis=1) * (1 + margin) >= instance.bs_gain).astype(float)
            safe = safe_selection(instance, eligible, each, risk)
            if safe is not None:
                yield safe, each
        if self.jamming:
            for selection in jammed_selections(pessimist, eligible):
                yield selection, None

    def _design(
        self, run: SolverRun, pessimist: Pessimist, selection: np.ndarray, risk: np.ndarray, share: float
    ) -> Decision | None:
        """Return beam and powers for a selection (N,) that a pessimist finds feasible; None if none are found.

        A ``share`` of the base station's power is noise that the selected agents do not hear.
        """
        mean, noise = pessimist.belief.expected(), None
        if share:
            noise = null_space_noise(mean, selection, share * mean.scenario.bs_power_w)
            if noise is None:
                return None
        beam = math.sqrt(1 - share) * leakage_beam(mean, selection)
        near = Decision(selection=selection, beamformer=beam, power_w=np.zeros(len(selection)), noise_covariance=noise)
        found = None
        for _ in range(ROUNDS):  # what the pessimist sees depends on the beam and the jammers
            run.check_time()
            network = pessimist.instance(near, risk, self._spare_s(run.instance, near))
            inner = SolverRun(network, run.seed, max_seconds=run.seconds_left)
            links = Links(inner, self, noise=False)
            links.alternate(links.start(selection) if found is None else found.replace(noise_covariance=None))
            run.evaluations += inner.evaluations
            if not inner.feasible:
                break
            assert inner.decision is not None
            found = near = inner.decision.replace(noise_covariance=noise)
        return found

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
    def of(cls, run: SolverRun, decision: Decision, parts: Sequence[Instance]) -> Design:
        """Return a decision, as the run expresses it, with its trial."""
        if run.express is not None:
            decision = run.express(decision)
        return cls(decision, Trial.of(decision, parts))
