"""ASC as printed: the errors of the printed algorithms, each of which can be corrected by itself.

An error is named after the equation, or after what is printed wrongly there:

=======  ===============================================================================================
name     as printed
=======  ===============================================================================================
25       what Algorithm 1 returns is its last iterate, though there is no multiplier for (22)
27       the prices reward violating (13) and (15): + μ and + λ (Acc_n − Acc_min) in (29)
28       energies, bits and a bare 1 are summed, and divided by B ĉ^dl
29       the penalty is ρ − α̂_n in place of ρ (1 − 2 α̂_n)
31       λ grows where the accuracy is met
32       α̂ is drawn to the α of the iteration before
35       the jammers' powers are missing in the objective of (41)
36       B is missing in the downlink time of (41)
39       the slope of the rate has no factor 1/ln 2
47       the beam reaches for all agents, not the selected ones alone
51       B is missing in the times of (57), and one bit stands for the result's
57       (57) is no convex program, so that no solver of such programs returns powers
power    an agent has one power, as a sender and as a jammer, so that a silent jammer cannot be selected
reset    the relaxation's counter is never reset: only the first iteration of Algorithm 1 runs it
=======  ===============================================================================================

(23) and (53) to (56) come into play inside (36) and (57) only. That (46) is linearised is no error but a detour, which
``sdr="linearised"`` takes. The corrections are listed in ``docs/model.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from secagent_env import Decision, Instance, evaluate
from secagent_env.model.physics import LN2
from secagent_env.support.errors import check_name
from solvers.asc.algorithm1 import Algorithm1
from solvers.asc.algorithm2 import ASC
from solvers.asc.auxiliary import AuxiliaryProgram, rounded
from solvers.asc.costs import Costs, SelectionProblem
from solvers.asc.relaxation import Relaxation
from solvers.asc.sub_problems import SubProblems
from solvers.beam.beamforming import Beam

ERRORS = ("25", "27", "28", "29", "31", "32", "35", "36", "39", "47", "51", "57", "power", "reset")
"""The errors, by name."""


class PrintedSubProblems(SubProblems):
    """Beam and powers as printed."""

    options: PrintedASC

    def powers(self, decision: Decision, iteration: int) -> Decision:
        """Return the decision with the powers of (57), or as it is where that has no solution."""
        scenario, secrecy = self.run.instance.scenario, evaluate(self.run.instance, decision).downlink_secrecy
        if self.options.errs("57"):
            method = "(57) is not convex"
        elif self.options.errs("51") and scenario.downlink_bits > secrecy * scenario.latency_limit_s:
            method = "(51) cannot be met"  # the powers can change c_dl by some bit/s/Hz, not by a factor of a million
        else:
            return super().powers(decision, iteration)
        self.record(decision, iteration, "powers", method=method, transmission_energies_j=[])
        return decision

    def _search_beam(
        self, instance: Instance, selection: np.ndarray, jamming: np.ndarray, start: np.ndarray | None
    ) -> Beam:
        if self.options.errs("47"):  # all receive: what the jammers add to the noise is divided out of the channels
            noise = instance.scenario.noise_power_w
            share, share_eve = (
                noise / (jamming @ heard + noise) for heard in (instance.gain_agents, instance.gain_eve)
            )
            instance = instance.replace(
                channel_bs=instance.channel_bs * np.sqrt(share)[:, None],
                channel_eve=instance.channel_eve * np.sqrt(share_eve)[:, None],
            )
            selection, jamming = np.ones_like(selection), np.zeros_like(jamming)
        return super()._search_beam(instance, selection, jamming, start)


class PrintedAlgorithm1(Algorithm1):
    """Algorithm 1 as printed."""

    options: PrintedASC

    def select(self, auxiliary: np.ndarray) -> np.ndarray | None:
        """Return a selection (N,) bool, from α⁰ = α̂⁰ (N,) bool."""
        self._before = auxiliary
        self._relaxed: list[np.ndarray] = []
        return super().select(auxiliary)

    def returned(self, iterates: list[np.ndarray]) -> np.ndarray:
        """Return the last iterate, or the best feasible one."""
        return iterates[-1] if self.options.errs("25") else super().returned(iterates)

    def relaxed(self, costs: Costs, auxiliary: np.ndarray) -> list[np.ndarray]:
        """Return the iterates of the relaxation; as printed they are those of the first iteration for ever."""
        if not (self.options.errs("reset") and self._relaxed):
            relaxation = PrintedRelaxation(self.options, self.problem, costs, auxiliary)
            self._relaxed = list(relaxation.iterates(self.options.relaxation_iterations))
        return self._relaxed

    def candidates(self, costs: Costs, iterates: list[np.ndarray]) -> list[np.ndarray]:
        """Return the last iterate, made feasible where it is not, or all that are feasible."""
        if self.options.errs("25"):
            iterates = iterates[-1:]
            if iterates and costs.meets(iterates[0]):
                return iterates
        return super().candidates(costs, iterates)

    def solve_auxiliary(self, costs: Costs, selection: np.ndarray, auxiliary: np.ndarray) -> np.ndarray:
        """Return the rounded solution of (41) as printed."""
        program = PrintedProgram(self.options, self.problem, selection, self._before, auxiliary, costs)
        self._before = selection
        return rounded(program, self.check_time)


class PrintedRelaxation(Relaxation):
    """The relaxation (28) as printed."""

    def __init__(self, options: PrintedASC, problem: SelectionProblem, costs: Costs, auxiliary: np.ndarray) -> None:
        super().__init__(costs, auxiliary, options.rho)
        self.options = options
        change, penalty = costs.change, options.rho * (1 - 2 * auxiliary.astype(float))
        if options.errs("28"):
            instance, scenario = problem.instance, problem.instance.scenario
            secrecy = float(evaluate(instance, problem.decision(auxiliary)).downlink_secrecy)
            uplink = np.minimum(costs.uplink_time_s, scenario.latency_limit_s)
            sending = instance.execution_energy_j + problem.sender_w * uplink
            change = (sending - scenario.downlink_bits - 1) / (scenario.bandwidth_hz * max(secrecy, 1e-12))
        if options.errs("29"):
            penalty = options.rho - auxiliary.astype(float)
        self.penalised = change + penalty

    def minimiser(self, price: float, accuracy_price: float) -> np.ndarray:
        """Return α (N,) bool of (29)."""
        sign = -1 if self.options.errs("27") else 1
        return super().minimiser(sign * price, sign * accuracy_price)

    def prices(self, selection: np.ndarray, price: float, accuracy_price: float, step: float) -> tuple[float, float]:
        """Return μ (30) and λ (31)."""
        risen, corrected = super().prices(selection, price, accuracy_price, step)
        if self.options.errs("31"):
            return risen, max(accuracy_price + step * float(self.surplus[selection].sum()), 0.0)
        return risen, corrected


class PrintedProgram(AuxiliaryProgram):
    """(41) as printed; ``before`` is the α (N,) bool of the iteration before."""

    def __init__(
        self,
        options: PrintedASC,
        problem: SelectionProblem,
        selection: np.ndarray,
        before: np.ndarray,
        around: np.ndarray,
        costs: Costs,
    ) -> None:
        super().__init__(problem, selection, around, costs, options.rho)
        if options.errs("35"):
            self.weigh(float(np.sum(~selection)), costs)
        if options.errs("32"):
            self.alpha = before.astype(float)
        if options.errs("39"):  # the rate stays where the tangent touches it
            self.rate += (1 - LN2) * self.slope @ around
            self.slope = self.slope * LN2
        if options.errs("36"):
            self.bits *= problem.instance.scenario.bandwidth_hz
        self.relax()


@dataclass(frozen=True, kw_only=True)
class PrintedASC(ASC):
    """ASC with the errors of the printed algorithms; its options are those of :class:`~solvers.asc.algorithm2.ASC`.

    Parameters
    ----------
    corrected
        The errors that are corrected, of :data:`ERRORS`; none by default.
    """

    corrected: Sequence[str] = ()

    name = "asc-printed"
    sub_problems = PrintedSubProblems
    algorithm1 = PrintedAlgorithm1

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.corrected, str):
            raise ValueError(f"corrected must be a list of errors, got {self.corrected!r:.80}")
        for error in self.corrected:
            check_name("error of the printed algorithms", error, ERRORS)

    def errs(self, error: str) -> bool:
        """Return whether an error is there."""
        return error not in self.corrected

    def problem_at(self, problem: SelectionProblem, decision: Decision) -> SelectionProblem:
        """Return the selection problem at the beam and powers of a decision."""
        if self.errs("power"):
            return replace(
                problem, beamformer=decision.beamformer, sender_w=decision.power_w, jammer_w=decision.power_w
            )
        return super().problem_at(problem, decision)
