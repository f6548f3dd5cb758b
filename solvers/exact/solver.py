"""Exact: the integer program of the selection, a beam and powers that attain its bound, and the proof.

The objective (20) is at least the integer program's minimum, each agent counted with its execution energy and
the least energy its uplink can cost (:mod:`solvers.certificate.bounds`). Where the beam can null the eavesdroppers and
the agents are heard better by the base station than by them, nearly silent agents attain it: with low powers
the eavesdroppers hear only noise, jammers may stay silent, and the transmission costs nanojoules against the
kilojoules of the execution. The decision found is then optimal, and the gap says so.

Where that fails (the latency binds, an eavesdropper sits among the agents, too few antennas), the bound stays
valid. With few antennas the selections are then taken in the order of their bounds, and for each one jammers and a beam
are sought together (:mod:`solvers.certificate.joint_program`). A set of agents that is proved not to be servable
together raises the bound, since no feasible decision selects all of it. The search ends where the next bound is no
better than the best decision. Otherwise, and where that finds nothing, ASC searches.
"""

from __future__ import annotations

import math

import numpy as np

from secagent_env import evaluate
from secagent_env.allocation.actions import LOWEST_POWER_W
from solvers.asc.links import Links
from solvers.asc.solver import ASC
from solvers.asc.starts import sender_powers
from solvers.beam.beamforming import leakage_beam, null_beam
from solvers.certificate.bounds import ROUNDING, LowerBound, lower_bound, uplink_energy_floor
from solvers.certificate.joint_program import protect, unservable
from solvers.certificate.linear_test import secret_at_best
from solvers.certificate.secrecy_program import cheapest_secret_selection
from solvers.interface.base import Infeasible, Solver, SolverRun, at_powers
from solvers.power.powers import polish

SENDER_SNR = np.logspace(-5, 4, 73)
"""Candidate receive SNRs of the senders at the base station, relative to the noise alone."""
MOST_ANTENNAS = 8
"""With more antennas jammers and beam are not sought together: the beam alone mostly protects."""
GOOD_ENOUGH = 1e-4
"""Selections that could save less than this share of the energy are not tried."""
UNSERVABLE = "latency_s: no beam and no jammers serve enough agents, and accurate enough ones, in secret and in time"


class Exact(Solver):
    """The integer program with a certified gap.

    Parameters
    ----------
    jamming
        False keeps every unselected agent silent.
    candidates
        How many selections are tried where jammers and few antennas make the problem joint.
    """

    name = "exact"

    def __init__(self, jamming: bool = True, candidates: int = 60) -> None:
        self.jamming = jamming
        self.candidates = candidates
        self.search = ASC(jamming=jamming)

    def _solve(self, run: SolverRun) -> None:
        run.bound = bound = lower_bound(run.instance)
        if bound.selection is None:
            raise Infeasible(bound.message)
        for lowest in (LOWEST_POWER_W, 0.0):  # an agent next to the base station may be too loud at -70 dBm
            if self._serve(run, bound.selection, lowest):
                return polish(run)
        if self.jamming and self._enumerate(run):
            return polish(run)
        self.search._solve(run)

    def _enumerate(self, run: SolverRun) -> bool:
        """Try selections in the order of their bounds, with jammers; return whether the best decision is feasible."""
        instance, scenario = run.instance, run.instance.scenario
        if scenario.num_antennas > MOST_ANTENNAS:
            return False
        links = Links(run, self.search)
        cost = instance.execution_energy_j + uplink_energy_floor(instance)
        eligible = secret_at_best(instance)
        cuts: list[np.ndarray] = []
        proved = True  # that no feasible decision is cut off
        for _ in range(self.candidates):
            run.check_time()
            choice = cheapest_secret_selection(instance, cost, eligible, cuts)
            if proved and run.bound is not None and choice.cost > run.bound.energy_j:
                if math.isinf(choice.cost):
                    raise Infeasible(UNSERVABLE)
                run.bound = LowerBound(choice.cost * (1 - ROUNDING), choice.selection)
            if choice.selection is None or choice.cost > run.energy_j * (1 - GOOD_ENOUGH):
                break
            protections = protect(instance, choice.selection)
            served = [protection for protection in protections if protection.margin > 0]
            for protection in served[:2]:
                decision = links.jammed(choice.selection, protection.jammer_w)
                if evaluate(instance, decision).feasible:
                    links.alternate(decision, rounds=2)
            run.record(sub_problem="joint program", bound_j=choice.cost, feasible=bool(served), cuts=len(cuts))
            cuts.append(choice.selection if served else self._core(run, choice.selection))
            proved = proved and not served and unservable(instance, cuts[-1], check_time=run.check_time)
        return run.feasible

    def _core(self, run: SolverRun, selection: np.ndarray) -> np.ndarray:
        """Return a part of a selection that cannot be served, (N,) bool, found by leaving out one agent at a time."""
        for agent in np.flatnonzero(selection):
            run.check_time()
            rest = selection.copy()
            rest[agent] = False
            if rest.any() and not any(protection.margin > 0 for protection in protect(run.instance, rest)):
                selection = rest
        return selection

    def _serve(self, run: SolverRun, selection: np.ndarray, lowest_w: float) -> bool:
        """Try a selection with silent jammers over a grid of powers; return whether one is feasible."""
        instance = run.instance
        powers = np.where(selection, sender_powers(instance, SENDER_SNR, lowest_w), 0.0)
        beams = (null_beam(instance, selection), leakage_beam(instance, selection))
        for beam in (beam for beam in beams if beam is not None):
            outcome = run.consider(at_powers(selection, beam, powers))
            run.record(sub_problem="integer program", feasible=bool(outcome.feasible.any()))
            if outcome.feasible.any():
                return True
        return False
