"""Beam and powers for a given selection: the second and third sub-problem, as ASC and RandAS share them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from secagent_env import Decision, Outcome, evaluate
from secagent_env.support import checks
from secagent_env.support.errors import check_name
from solvers.asc.starts import MARGINS, jammer_patterns, protecting_jammers, sender_levels
from solvers.beam.beamforming import SDR, Beam, best_beam, leakage_beam
from solvers.certificate.linear_test import secret_senders
from solvers.interface.base import SolverRun
from solvers.interface.ranking import rank_by_secrecy, relative_violations
from solvers.power.powers import cheapest_powers, least_powers


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """Options of beam and powers.

    Parameters
    ----------
    jamming
        False keeps every unselected agent silent.
    max_iterations
        How often the sub-problems are solved in turn, at most.
    tolerance
        They stop when a round saves less than this share of the energy, and less than 1 % of the transmission's.
    draws
        Gaussian draws of the randomisation after the semidefinite relaxation.
    polished
        How many of the drawn beams are polished by successive convex approximation.
    sdp_dimensions
        In more dimensions than these the semidefinite program gives way to polished closed-form beams.
    beam_tolerance
        The polish of a beam stops when a step gains less, bit/s/Hz.
    sdr
        How the relaxation is solved: ``"whitened"``, by one semidefinite program, or ``"linearised"``, as in the paper.
    power_iterations, power_tolerance
        Steps of the power control, and the share of the transmission energy below which a step ends it.
    jammer_starts
        How many patterns of jammers are started from when the silent start is not good enough.
    """

    jamming: bool = True
    max_iterations: int = 10
    tolerance: float = 1e-4
    draws: int = 60
    polished: int = 1
    sdp_dimensions: int = 64
    sdr: str = "whitened"
    beam_tolerance: float = 1e-2
    power_iterations: int = 30
    power_tolerance: float = 1e-3
    jammer_starts: int = 4

    def __post_init__(self) -> None:
        for field in fields(self):  # each option is of the kind of its default
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                checks.flag(field.name, value)
            elif isinstance(field.default, int):
                checks.integer(field.name, value, 1)
            elif isinstance(field.default, float):
                checks.number(field.name, value, above=0)
        check_name("sdr", self.sdr, SDR)


class Links:
    """The second and third sub-problem in a solver's run, which scores every decision met and keeps the best."""

    def __init__(self, run: SolverRun, options: LinkOptions) -> None:
        self.run = run
        self.options = options
        self._beams: dict[bytes, Beam] = {}

    def first_beam(self, selection: np.ndarray) -> np.ndarray:
        """Return a closed-form beam (L,) for a selection (N,) bool without jammers."""
        return leakage_beam(self.run.instance, selection)

    def start(self, selection: np.ndarray) -> Decision:
        """Return a start for a selection (N,) bool: feasible if one is found, and without jammers if possible."""
        silent = np.zeros(selection.size)
        decision = self.levels(selection, self.first_beam(selection), silent)
        if not evaluate(self.run.instance, decision).feasible:
            decision = self.jammed(selection, silent)
        if self.options.jamming and not evaluate(self.run.instance, decision).feasible:
            patterns = [np.where(selection, 0.0, q) for q in jammer_patterns(self.run.instance)]
            patterns += [q for margin in MARGINS for q in protecting_jammers(self.run.instance, selection, margin)]
            mute = [int(np.sum(selection & ~secret_senders(self.run.instance, q))) for q in patterns]
            promising = [q for q, count in zip(patterns, mute, strict=True) if count == min(mute)]
            decision = min([decision, *(self.jammed(selection, q) for q in promising)], key=self.rank)
        return decision

    def jammed(self, selection: np.ndarray, jammer_w: np.ndarray) -> Decision:
        """Return a start for a selection beside jammers (N,), W: the best beam, and the best level of the senders."""
        self.run.check_time()
        beam = self._best_beam(selection, jammer_w, None)
        return self.levels(selection, beam.beamformer, jammer_w)

    def levels(self, selection: np.ndarray, beamformer: np.ndarray, jammer_w: np.ndarray) -> Decision:
        """Return the decision with the best common level of the senders."""
        decisions = sender_levels(self.run.instance, selection, beamformer, jammer_w)
        return decisions[int(np.argmin(rank_by_secrecy(self.run.instance, self.run.consider(decisions))))]

    def rank(self, decision: Decision) -> float:
        """Return the number by which to compare decisions, smaller is better."""
        return float(rank_by_secrecy(self.run.instance, evaluate(self.run.instance, decision)))

    def alternate(self, decision: Decision, rounds: int | None = None) -> Decision:
        """Solve the two sub-problems in turn until the energy stops falling, or for so many rounds."""
        for iteration in range(1, (rounds or self.options.max_iterations) + 1):
            before = evaluate(self.run.instance, decision)
            decision = self.powers(self.beam(decision, iteration), iteration)
            if saves_little(before, evaluate(self.run.instance, decision), self.options.tolerance):
                break
        return decision

    def beam(self, decision: Decision, iteration: int) -> Decision:
        """Return the decision with the best beam found for its selection and powers (42)."""
        self.run.check_time()
        beam = self._best_beam(decision.selection, decision.power_w, decision.beamformer)
        improved = decision.replace(beamformer=beam.beamformer)
        if self.rank(improved) <= self.rank(decision):
            decision = improved
        self.record(decision, iteration, "beam", method=beam.method, downlink_bound=beam.bound)
        return decision

    def powers(self, decision: Decision, iteration: int) -> Decision:
        """Return the decision with optimised powers (50)."""
        self.run.check_time()
        instance, options = self.run.instance, self.options
        if not np.isfinite(evaluate(instance, decision).uplink_time_s):
            jammer_w = np.where(decision.selection, 0.0, decision.power_w)
            decision = self.levels(decision.selection, decision.beamformer, jammer_w)
        search = cheapest_powers(
            instance,
            decision,
            lowest_w=least_powers(self.run, decision),
            tolerance=options.power_tolerance,
            max_iterations=options.power_iterations,
            check_time=self.run.check_time,
        )
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

    def _best_beam(self, selection: np.ndarray, power_w: np.ndarray, start: np.ndarray | None) -> Beam:
        jamming = np.where(selection, 0.0, power_w)
        key = selection.tobytes() + jamming.tobytes()
        if key not in self._beams:
            options = self.options
            self._beams[key] = best_beam(
                self.run.instance,
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
        return self._beams[key]


def saves_little(before: Outcome, after: Outcome, tolerance: float) -> bool:
    """Return whether a round saved at most ``tolerance`` of the energy and 1 % of the transmission energy."""
    if not before.feasible:
        return False
    saved = float(before.energy_j - after.energy_j)
    saved_air = float(before.transmission_energy_j - after.transmission_energy_j)
    return saved <= tolerance * float(before.energy_j) and saved_air <= 0.01 * float(before.transmission_energy_j)
