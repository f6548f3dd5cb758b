"""Beam and powers for a given selection, with starts that jam: for schemes that select in other ways, too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, Instance, evaluate
from solvers.asc.sub_problems import SubProblemOptions, SubProblems, or_off, saves_little
from solvers.asc_plus.starts import MARGINS, jammer_patterns, protecting_jammers, sender_levels
from solvers.beam.beamforming import Beam, leakage_beam
from solvers.beam.noise import with_noise
from solvers.certificate.linear_test import secret_senders
from solvers.interface.base import SolverRun
from solvers.interface.ranking import rank_by_secrecy
from solvers.power.powers import PowerSearch, cheapest_powers


@dataclass(frozen=True, kw_only=True)
class LinkOptions(SubProblemOptions):
    """Options of beam and powers beside those of :class:`~solvers.asc.sub_problems.SubProblemOptions`.

    Parameters
    ----------
    jammer_starts
        How many patterns of jammers are started from when the silent start is not good enough.
    artificial_noise
        Whether the base station may send artificial noise beside the beam (:mod:`solvers.beam.noise`).
    """

    polished: int = or_off(1)
    jammer_starts: int = 4
    artificial_noise: bool = False


class Links(SubProblems):
    """The second and third sub-problem, and starts for them: silent ones, and beside jammers that protect.

    ``noise`` is whether beams come with artificial noise; None: where the options allow it.
    """

    def __init__(self, run: SolverRun, options: LinkOptions, noise: bool | None = None) -> None:
        super().__init__(run, options)
        self._noise = options.artificial_noise if noise is None else noise

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
        return self.levels(selection, beam.beamformer, jammer_w, beam.noise_covariance)

    def levels(
        self,
        selection: np.ndarray,
        beamformer: np.ndarray,
        jammer_w: np.ndarray,
        noise_covariance: np.ndarray | None = None,
    ) -> Decision:
        """Return the decision with the best common level of the senders."""
        decisions = sender_levels(self.run.instance, selection, beamformer, jammer_w, noise_covariance)
        return decisions[int(np.argmin(rank_by_secrecy(self.run.instance, self.run.consider(decisions))))]

    def alternate(self, decision: Decision, rounds: int | None = None) -> Decision:
        """Solve the two sub-problems in turn until the energy stops falling, or for so many rounds."""
        for iteration in range(1, (rounds or self.options.max_iterations) + 1):
            before = evaluate(self.run.instance, decision)
            decision = self.powers(self.beam(decision, iteration), iteration)
            if saves_little(before, evaluate(self.run.instance, decision), self.options.tolerance):
                break
        return decision

    def powers(self, decision: Decision, iteration: int) -> Decision:
        """Return the decision with optimised powers (50), from the best common level where a sender is overheard."""
        if not np.isfinite(evaluate(self.run.instance, decision).uplink_time_s):
            jammer_w = np.where(decision.selection, 0.0, decision.power_w)
            decision = self.levels(decision.selection, decision.beamformer, jammer_w, decision.noise_covariance)
        return super().powers(decision, iteration)

    def _search_beam(
        self, instance: Instance, selection: np.ndarray, jamming: np.ndarray, start: np.ndarray | None
    ) -> Beam:
        beam = super()._search_beam(instance, selection, jamming, start)
        if not self._noise:
            return beam
        options = self.options
        draws, starts = options.draws, max(options.polished, 1)
        return with_noise(
            instance, selection, jamming, beam, self.run.rng, draws=draws, starts=starts, check_time=self.run.check_time
        )

    def _search_powers(self, decision: Decision) -> PowerSearch:
        return cheapest_powers(self.run.instance, decision, **self._power_options(decision))
