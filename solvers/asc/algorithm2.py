"""ASC: selection by ADMM, beam by SDR, powers by SCA, in turn (section IV-A, Algorithm 2), corrected, and nothing else.

What the paper leaves open is decided openly: the start (:mod:`solvers.asc.starts`) knows no costs; an agent has a power
as a sender and one as a jammer; what is returned is the best feasible iterate. Cheap starts, jammed starts, exchanges
of agents and polished beams are those of :mod:`solvers.asc_plus`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from secagent_env import Decision, evaluate
from secagent_env.support.errors import check_name
from solvers.asc.algorithm1 import Algorithm1, Algorithm1Options
from solvers.asc.costs import SelectionProblem
from solvers.asc.starts import INITIAL, sender_powers, starting_point
from solvers.asc.sub_problems import SubProblemOptions, SubProblems, saves_little
from solvers.interface.base import Solver, SolverRun


@dataclass(frozen=True, kw_only=True)
class ASCOptions(Algorithm1Options, SubProblemOptions):
    """Options of ASC: those of its three sub-problems, and of its start.

    Parameters
    ----------
    initial
        The first selection: ``"random"``, by the seed, or ``"greedy"``, by the energy of computing per accuracy.
    sender_snr
        The SNR at which the base station receives each sender at the start.
    """

    initial: str = "random"
    sender_snr: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("initial", self.initial, INITIAL)


@dataclass(frozen=True, kw_only=True)
class ASC(ASCOptions, Solver):
    """The ADMM-SDR-SCA coordinated scheme; its options are those of :class:`ASCOptions`."""

    name = "asc"
    sub_problems: ClassVar[type[SubProblems]] = SubProblems
    algorithm1: ClassVar[type[Algorithm1]] = Algorithm1

    def _solve(self, run: SolverRun) -> None:
        run.eligible_agents()  # or it raises Infeasible
        links = self.sub_problems(run, self)
        selection, problem = starting_point(
            run.instance, run.rng, initial=self.initial, sender_snr=self.sender_snr, jamming=self.jamming
        )
        decision = run.start or problem.decision(selection)
        problem = self.problem_at(problem, decision)
        run.consider(decision)
        for iteration in range(1, self.max_iterations + 1):
            before = decision
            decision = self._select(links, problem, decision, iteration)
            decision = links.beam(decision, iteration)
            decision = links.powers(decision, iteration)
            problem = self.problem_at(problem, decision)
            if self._ended(links, before, decision):
                break

    def _select(self, links: SubProblems, problem: SelectionProblem, decision: Decision, iteration: int) -> Decision:
        """Return the decision with the selection of Algorithm 1, or as it is if it makes none."""
        links.run.check_time()
        algorithm = self.algorithm1(problem, self, links.run.consider, links.run.check_time)
        selection = algorithm.select(decision.selection)
        if selection is not None:
            decision = problem.decision(selection)
        method = "none found" if selection is None else "admm"
        links.record(decision, iteration, "selection", method=method, admm=algorithm.trace)
        return decision

    def _ended(self, links: SubProblems, before: Decision, after: Decision) -> bool:
        """Return whether a round saved little, or mended nothing while infeasible."""
        instance = links.run.instance
        was, now = evaluate(instance, before), evaluate(instance, after)
        stuck = not now.feasible and links.rank(after) >= links.rank(before)
        return stuck or saves_little(was, now, self.tolerance)

    def problem_at(self, problem: SelectionProblem, decision: Decision) -> SelectionProblem:
        """Return the selection problem at the beam and powers of a decision.

        An unselected agent would send at the median SNR of the senders, a sender jam with its power of before.
        """
        instance, selected = problem.instance, decision.selection
        senders = selected & (decision.power_w > 0)
        sender_w = problem.sender_w
        if senders.any():
            heard = instance.bs_gain[senders] * decision.power_w[senders] / instance.scenario.noise_power_w
            sender_w = sender_powers(instance, float(np.median(heard)))
        return SelectionProblem(
            instance,
            decision.beamformer,
            sender_w=np.where(senders, decision.power_w, sender_w),
            jammer_w=np.where(selected, problem.jammer_w, decision.power_w),
        )
