"""Beam and powers for a given selection: the second and third sub-problem of Algorithm 2."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from secagent_env import Decision, Instance, Outcome, evaluate
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from solvers.beam.beamforming import SDR, Beam, best_beam, leakage_beam
from solvers.beam.sdr import Downlink
from solvers.interface.base import SolverRun
from solvers.interface.ranking import rank_by_secrecy, relative_violations
from solvers.power.powers import PowerSearch, least_powers, optimise_powers, silence_jammers

BEAMS = (*SDR, "principal")
"""Ways to find a beam: by the semidefinite relaxation, or by the principal vector without it."""


def or_off(default: int) -> Any:
    """Return the field of an option that may be 0, which switches its part off."""
    return field(default=default, metadata={"low": 0})


@dataclass(frozen=True, kw_only=True)
class SubProblemOptions:
    """Options of beam and powers.

    Parameters
    ----------
    jamming
        False keeps every unselected agent silent.
    max_iterations
        How often the sub-problems are solved in turn, at most.
    tolerance
        They stop when a round saves less than this share of the energy, and less than 1 % of the transmission's.
    sdr
        How the beam is found: by the semidefinite relaxation, solved by one program (``"whitened"``) or as in the paper
        (``"linearised"``), or without it, by the principal vector of the largest signal-to-leakage ratio
        (``"principal"``).
    draws
        Gaussian draws of the randomisation after the relaxation; with 0 the principal vector of its solution counts.
    polished
        How many of the drawn beams are polished by successive convex approximation; with 0 none is.
    sdp_dimensions
        In more dimensions than these the semidefinite program gives way to closed-form beams.
    beam_tolerance
        The polish of a beam stops when a step gains less, bit/s/Hz.
    power_iterations, power_tolerance
        Steps of the power control, 0 for none, and the share of the transmission energy below which a step ends it.
    """

    jamming: bool = True
    max_iterations: int = 10
    tolerance: float = 1e-4
    sdr: str = "whitened"
    draws: int = or_off(60)
    polished: int = or_off(0)
    sdp_dimensions: int = 64
    beam_tolerance: float = 1e-2
    power_iterations: int = or_off(30)
    power_tolerance: float = 1e-3

    def __post_init__(self) -> None:
        for each in fields(self):  # an option is of the kind of its default
            value = getattr(self, each.name)
            if isinstance(each.default, bool):
                checks.flag(each.name, value)
            elif isinstance(each.default, int):
                checks.integer(each.name, value, each.metadata.get("low", 1))
            elif isinstance(each.default, float):
                checks.number(each.name, value, above=0)
        check_name("sdr", self.sdr, BEAMS)


class SubProblems:
    """The second and third sub-problem in a solver's run, which scores every decision met and keeps the best."""

    def __init__(self, run: SolverRun, options: SubProblemOptions) -> None:
        self.run = run
        self.options = options
        self._beams: dict[bytes, Beam] = {}

    def rank(self, decision: Decision) -> float:
        """Return the number by which to compare decisions, smaller is better."""
        return float(rank_by_secrecy(self.run.instance, evaluate(self.run.instance, decision)))

    def beam(self, decision: Decision, iteration: int) -> Decision:
        """Return the decision with the best beam found for its selection and powers (42)."""
        self.run.check_time()
        beam = self._best_beam(decision.selection, decision.power_w, decision.beamformer)
        improved = decision.replace(beamformer=beam.beamformer, noise_covariance=beam.noise_covariance)
        if self.rank(improved) <= self.rank(decision):
            decision = improved
        self.record(decision, iteration, "beam", method=beam.method, downlink_bound=beam.bound)
        return decision

    def powers(self, decision: Decision, iteration: int) -> Decision:
        """Return the decision with optimised powers (50), without the jammers that do not pay."""
        self.run.check_time()
        search = self._search_powers(decision)
        if self.rank(search.decision) <= self.rank(decision):
            decision = search.decision
        self.record(decision, iteration, "powers", method=search.message, transmission_energies_j=search.energies_j)
        return decision

    def record(self, decision: Decision, iteration: int, sub_problem: str, **entries: Any) -> None:
        """Score a decision and append a record to the history."""
        outcome = self.run.consider(decision)
        self.run.record(
            iteration=iteration,
            sub_problem=sub_problem,
            energy_j=float(outcome.energy_j),
            execution_energy_j=float(outcome.execution_energy_j),
            transmission_energy_j=float(outcome.transmission_energy_j),
            violation=float(max(relative_violations(self.run.instance, outcome).values())),
            feasible=bool(outcome.feasible),
            **entries,
        )

    def _search_powers(self, decision: Decision) -> PowerSearch:
        search = optimise_powers(self.run.instance, decision, **self._power_options(decision))
        search.decision = silence_jammers(self.run.instance, search.decision)
        return search

    def _power_options(self, decision: Decision) -> dict[str, Any]:
        return {
            "lowest_w": least_powers(self.run, decision),
            "tolerance": self.options.power_tolerance,
            "max_iterations": self.options.power_iterations,
            "check_time": self.run.check_time,
        }

    def _best_beam(self, selection: np.ndarray, power_w: np.ndarray, start: np.ndarray | None) -> Beam:
        jamming = np.where(selection, 0.0, power_w)
        key = selection.tobytes() + jamming.tobytes()
        if key not in self._beams:
            self._beams[key] = self._search_beam(self.run.instance, selection, jamming, start)
        return self._beams[key]

    def _search_beam(
        self, instance: Instance, selection: np.ndarray, jamming: np.ndarray, start: np.ndarray | None
    ) -> Beam:
        options = self.options
        if options.sdr == "principal":
            return closed_form(instance, selection, jamming, leakage_beam(instance, selection), "principal")
        return best_beam(
            instance,
            selection,
            jamming,
            self.run.rng,
            start=start,
            draws=options.draws,
            starts=options.polished,
            sdp_dimensions=options.sdp_dimensions,
            sdr=options.sdr,
            tolerance=options.beam_tolerance,
            check_time=self.run.check_time,
        )


def closed_form(
    instance: Instance, selection: np.ndarray, jamming: np.ndarray, beamformer: np.ndarray, method: str
) -> Beam:
    """Return a beam (L,) that was not searched, with its secrecy at a selection (N,) beside jammers (N,), W."""
    problem = Downlink.of(instance, selection, jamming)
    secrecy = max(float(problem.margin(problem.coordinates(beamformer))), 0.0)
    return Beam(beamformer, secrecy, np.inf, method)


def saves_little(before: Outcome, after: Outcome, tolerance: float) -> bool:
    """Return whether a round saved at most ``tolerance`` of the energy and 1 % of the transmission energy."""
    if not before.feasible:
        return False
    saved = float(before.energy_j - after.energy_j)
    saved_air = float(before.transmission_energy_j - after.transmission_energy_j)
    return saved <= tolerance * float(before.energy_j) and saved_air <= 0.01 * float(before.transmission_energy_j)
