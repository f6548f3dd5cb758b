"""DE: beam and powers jointly by differential evolution, at ASC's selection (section V).

The search space: powers in decibels, silence included, and the complex weights of a full-power beam in an orthonormal
basis of the span of the selected agents' and the eavesdroppers' channels. The cost is the logarithm of the transmission
energy; infeasible decisions come after all feasible ones, by their violations.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from secagent_env import Decision, Instance
from secagent_env.allocation.guided import LOWEST_POWER_W
from secagent_env.allocation.shaping import secrecy_shortfall
from solvers.asc_plus.solver import ASCPlus
from solvers.beam.sdr import Downlink
from solvers.interface.base import OutOfTime, SolverRun
from solvers.power.powers import polish

INFEASIBLE_COST = 100.0
"""Where the costs of infeasible decisions begin: above the logarithm of any transmission energy in joules."""
SNR_RANGE = (float(np.log(1e-5)), float(np.log(1e2)))
"""Logarithms of the least and the largest receive SNR of a sender that are searched."""


@dataclass(frozen=True, kw_only=True)
class DE(ASCPlus):
    """Differential evolution for beam and powers; the selection is ASC's, whose options hold.

    Parameters
    ----------
    population
        Individuals per dimension, of which there are N and two per dimension of the span.
    generations
        At most; it stops earlier when the population has converged.
    """

    population: int = 4
    generations: int = 400

    name = "de"

    def _solve(self, run: SolverRun) -> None:
        instance = run.instance
        selection = self._selection_of_asc(run)
        if selection is None:
            return
        space = _Space(instance, selection, self.jamming)

        def cost(x: np.ndarray) -> np.ndarray:
            run.check_time()
            decision = space.decision(np.atleast_2d(x.T))
            outcome = run.consider(decision)
            with np.errstate(divide="ignore"):
                energy = np.log(np.maximum(outcome.transmission_energy_j, 1e-300))
            return np.where(outcome.feasible, energy, INFEASIBLE_COST + secrecy_shortfall(instance, decision, outcome))

        def record(intermediate_result: optimize.OptimizeResult) -> None:
            run.record(sub_problem="beam and powers", iteration=intermediate_result.nit)

        members = max(self.population * len(space.bounds), 5)
        optimize.differential_evolution(
            cost,
            space.bounds,
            strategy="currenttobest1bin",
            maxiter=self.generations,
            tol=0.0,
            atol=1e-3,
            polish=False,
            init=space.population(members, run.rng),
            updating="deferred",
            vectorized=True,
            callback=record,
            seed=run.rng,
        )
        polish(run)
        if not run.feasible:
            run.message = "differential evolution found no feasible beam and powers for the selection of ASC"

    def _selection_of_asc(self, run: SolverRun) -> np.ndarray | None:
        """Return the selection that ASC makes, the time it took included; None if it finds none."""
        asc = SolverRun(run.given, run.seed, run.start, run.max_seconds, run.express)
        with contextlib.suppress(OutOfTime):
            super()._solve(asc)
        run.evaluations += asc.evaluations
        run.bound = asc.bound
        if asc.decision is None or not asc.feasible:
            run.message = "ASC, whose selection this scheme takes, found no feasible decision"
            return None
        return asc.decision.selection


class _Space:
    """The search space in x: powers on a scale of decibels, (A,), then real and imaginary weights of the beam.

    A sender's scale is that of its receive SNR at the base station, so that equal numbers are equally loud there, over
    SNR_RANGE and at most at p_max. A jammer's is that of its power; the lower half of it, below 0, is silence.
    """

    def __init__(self, instance: Instance, selection: np.ndarray, jamming: bool) -> None:
        scenario = instance.scenario
        self.selection = selection
        self.max_power_w = scenario.max_power_w
        self.lowest_w = min(LOWEST_POWER_W, scenario.max_power_w)
        self.basis = Downlink.of(instance, selection, np.zeros(selection.size)).basis  # of length √p_BS
        self.active = np.flatnonzero(selection | jamming)
        self.senders = selection[self.active]
        self.reference_w = np.where(
            selection, scenario.noise_power_w / np.maximum(instance.bs_gain, 1e-300), self.lowest_w
        )[self.active]
        loudest = max(float(np.log(self.max_power_w / self.lowest_w)), 1.0)
        self.bounds = [SNR_RANGE if sender else (-loudest, loudest) for sender in self.senders]
        self.bounds += [(-1.0, 1.0)] * (2 * self.basis.shape[1])

    def population(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return initial points (count, ·), uniform but that half of them have senders of one level and no jammers."""
        low, high = np.array(self.bounds).T
        x = rng.uniform(low, high, (count, len(low)))
        size = len(self.active)
        level = rng.uniform(*SNR_RANGE, (count, 1)) + rng.normal(0.0, 0.5, (count, size))
        even = np.where(self.senders, level, -np.abs(x[:, :size]))
        x[: count // 2, :size] = even[: count // 2]
        return np.asarray(np.clip(x, low, high))

    def decision(self, x: np.ndarray) -> Decision:
        """Return the decisions of points (P, ·)."""
        size = len(self.active)
        level, weights = x[:, :size], x[:, size:]
        real, imaginary = np.split(weights, 2, axis=1)
        v = real + 1j * imaginary
        v /= np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300)
        power = np.zeros((len(x), self.selection.size))
        watts = np.minimum(self.reference_w * np.exp(level), self.max_power_w)
        power[:, self.active] = np.where(self.senders | (level > 0), watts, 0.0)
        return Decision(
            selection=np.broadcast_to(self.selection, power.shape),
            beamformer=v @ self.basis.T,
            power_w=power,
        )
