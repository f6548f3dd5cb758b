"""Exact: the integer program of the selection, a beam and powers that attain its bound, and the proof.

The objective (20) is at least the integer program's minimum, each agent counted with its execution energy and
the least energy its uplink can cost (:mod:`solvers.bounds`). Where the beam can null the eavesdroppers and
the agents are heard better by the base station than by them, nearly silent agents attain it: with low powers
the eavesdroppers hear only noise, jammers may stay silent, and the transmission costs nanojoules against the
kilojoules of the execution. The decision found is then optimal, and the gap says so.

Where that fails (the latency binds, an eavesdropper sits among the agents, too few antennas), the bound stays
valid, and ASC searches for the best decision under it.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Decision
from secagent_env.actions import LOWEST_POWER_W
from solvers.asc import ASC
from solvers.base import Infeasible, Run, Solver
from solvers.beamforming import leakage_beam, null_beam
from solvers.bounds import lower_bound
from solvers.starts import sender_powers

SENDER_SNR = np.logspace(-6, 4, 81)
"""Candidate receive SNRs of the senders at the base station, relative to the noise alone."""


class Exact(Solver):
    """The integer program with a certified gap.

    Parameters
    ----------
    jamming
        False keeps every unselected agent silent.
    """

    name = "exact"

    def __init__(self, jamming: bool = True) -> None:
        self.jamming = jamming
        self.search = ASC(jamming=jamming)

    def _solve(self, run: Run) -> None:
        run.bound = bound = lower_bound(run.instance)
        if bound.selection is None:
            raise Infeasible(bound.message)
        for lowest in (LOWEST_POWER_W, 0.0):  # an agent next to the base station may be too loud at -70 dBm
            if self._serve(run, bound.selection, lowest):
                return
        self.search._solve(run)

    def _serve(self, run: Run, selection: np.ndarray, lowest_w: float) -> bool:
        """Try a selection with silent jammers over a grid of powers; return whether one is feasible."""
        instance = run.instance
        powers = np.where(selection, sender_powers(instance, SENDER_SNR, lowest_w), 0.0)
        for beam in (null_beam(instance, selection), leakage_beam(instance, selection)):
            if beam is None:
                continue
            outcome = run.consider(
                Decision(
                    selection=np.broadcast_to(selection, powers.shape),
                    beamformer=np.broadcast_to(beam, (len(powers), beam.size)),
                    power_w=powers,
                )
            )
            run.record(sub_problem="integer program", feasible=bool(outcome.feasible.any()))
            if outcome.feasible.any():
                return True
        return False
