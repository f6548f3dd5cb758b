"""Exact: selections in the order of a lower bound, a beam and powers that attain it, and the proof.

The objective (20) is at least the cost of the cheapest selection, each agent counted with its execution energy and
the least energy its uplink can cost (:mod:`solvers.certificate.bounds`). Where the beam can null the eavesdroppers and
the agents are heard better by the base station than by them, nearly silent agents attain it: with low powers
the eavesdroppers hear only noise, jammers may stay silent, and the transmission costs nanojoules against the
kilojoules of the execution. The decision found is then optimal, and the gap says so.

Where that fails (the latency binds, an eavesdropper sits among the agents, too few antennas), selections are taken in
the order of their bounds, and each is worked on until it is served or its bound is above the best decision
(:mod:`solvers.exact.search`). Where jammers are needed and that takes long, ``asc-plus`` searches too: briefly
while nothing feasible is known, thoroughly later.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from secagent_env.allocation.guided import LOWEST_POWER_W
from secagent_env.support import checks
from solvers.asc.starts import sender_powers
from solvers.asc_plus.solver import ASCPlus
from solvers.beam.beamforming import leakage_beam, null_beam
from solvers.certificate.bounds import lower_bound
from solvers.exact.search import SetSearch
from solvers.interface.base import Infeasible, Solver, SolverRun, at_powers
from solvers.power.powers import polish

SENDER_SNR = np.logspace(-5, 4, 73)
"""Candidate receive SNRs of the senders at the base station, relative to the noise alone."""
MOST_STEPS = 1000
"""Semidefinite programs at most, where no time limit is given."""


class Exact(Solver):
    """The best decision with a certified gap.

    Parameters
    ----------
    jamming
        False keeps every unselected agent silent.
    target_gap
        The search ends at this gap between the best decision and the bound, relative to the decision.
    max_steps
        The search ends after so many semidefinite programs too. Twenty tests of sets count as one program; programs
        for cores do not count. None: MOST_STEPS without a time limit, no bound on the steps with one.
    """

    name = "exact"

    def __init__(self, jamming: bool = True, target_gap: float = 1e-3, max_steps: int | None = None) -> None:
        self.jamming = checks.flag("jamming", jamming)
        self.target_gap = checks.number("target_gap", target_gap, low=0)
        self.max_steps = None if max_steps is None else checks.integer("max_steps", max_steps, low=1)
        self.asc = ASCPlus(jamming=jamming)
        self.quick = dataclasses.replace(self.asc, jammer_starts=2, exchanges=1)

    def _solve(self, run: SolverRun) -> None:
        run.bound = bound = lower_bound(run.instance)
        if bound.selection is None:
            raise Infeasible(bound.message)
        for lowest in (LOWEST_POWER_W, 0.0):  # below what the flat action can say only if need be
            if self._serve(run, bound.selection, lowest):
                return polish(run)
        search = SetSearch(
            run,
            gap=self.target_gap,
            steps=self.max_steps or (MOST_STEPS if run.max_seconds is None else math.inf),
            starts=[functools.partial(asc._solve, run) for asc in (self.quick, self.asc)],
            jamming=self.jamming,
        )
        search.solve()
        polish(run)

    def _serve(self, run: SolverRun, selection: np.ndarray, lowest_w: float) -> bool:
        """Try a selection with silent jammers over a grid of powers; return whether one is feasible."""
        instance = run.instance
        powers = np.where(selection, sender_powers(instance, SENDER_SNR, lowest_w), 0.0)
        beams = (null_beam(instance, selection), leakage_beam(instance, selection))
        for beam in (beam for beam in beams if beam is not None):
            outcome = run.consider(at_powers(selection, beam, powers))
            run.record(sub_problem="cheapest selection", feasible=bool(outcome.feasible.any()))
            if outcome.feasible.any():
                return True
        return False
