"""FixedBF: the same power on every antenna; selection and powers as in ASC (section V).

Such a beam ignores where the eavesdroppers are. Where they hear it better than a selected agent does, only jammers can
help, so that this scheme needs them far more often than ASC does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from solvers.asc.sub_problems import closed_form
from solvers.asc_plus.links import Links
from solvers.asc_plus.reached import equal_beam
from solvers.asc_plus.solver import ASCPlus
from solvers.beam.beamforming import Beam
from solvers.interface.base import SolverRun


class FixedBeamLinks(Links):
    """The powers at the equal beam."""

    def first_beam(self, selection: np.ndarray) -> np.ndarray:
        """Return the equal beam (L,)."""
        return equal_beam(self.run.instance)

    def _best_beam(self, selection: np.ndarray, power_w: np.ndarray, start: np.ndarray | None) -> Beam:
        instance = self.run.instance
        return closed_form(instance, selection, power_w, equal_beam(instance), "fixed")


@dataclass(frozen=True, kw_only=True)
class FixedBF(ASCPlus):
    """ASC with the beam w = √(p_BS / L) · 1; its options are ASC's, of which those of the beam have no effect."""

    name = "fixedbf"
    links = FixedBeamLinks

    def _solve(self, run: SolverRun) -> None:
        if run.start is not None:  # a start counts with the beam of this scheme
            run.start = run.start.replace(beamformer=equal_beam(run.instance))
            run.decision = run.outcome = None
            run.consider(run.start)
        super()._solve(run)
        if run.outcome is not None and not run.outcome.feasible:
            run.message = (
                "the beam cannot be adapted, and no jammers and powers were found beside which every agent of an "
                "accurate enough selection has secrecy on both links and is fast enough"
                if self.jamming
                else "the beam cannot be adapted and nobody jams: too few agents hear it better than the eavesdroppers"
            )

    def _given_beam(self, instance: Instance) -> np.ndarray:
        return equal_beam(instance)
