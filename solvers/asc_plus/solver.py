"""ASC-plus: Algorithm 2 with what helps in practice: good starts, jammed ones too, and exchanges of agents.

Algorithm 2 improves a start, and its result depends on the start. The first one has no jammers. Where that ends
infeasible, or agents were left out that only jammers could protect, it starts again from jammers that protect the
uplink of cheap agents (:mod:`solvers.asc_plus.starts`), and then exchanges agents of the best decision, each time with
new jammers, beam and powers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import ClassVar

import numpy as np

from secagent_env import Decision, Instance, evaluate
from solvers.asc.costs import SelectionProblem
from solvers.asc.starts import execution_costs, sender_powers
from solvers.asc.sub_problems import saves_little
from solvers.asc_plus.exchanges import exchanges
from solvers.asc_plus.links import LinkOptions, Links
from solvers.asc_plus.reached import REACHED_MARGINS, equal_beam, reached_selection
from solvers.asc_plus.selection import select
from solvers.asc_plus.starts import (
    MARGINS,
    START_SNR,
    cheap_selection,
    jammer_patterns,
    jammers_of,
    protected_selection,
    protecting_jammers,
)
from solvers.certificate.bounds import lower_bound
from solvers.certificate.linear_test import secret_senders
from solvers.interface.base import OPTIMAL_GAP, Solver, SolverRun
from solvers.power.powers import polish

GOOD_GAP = 1e-3
"""Further starts are tried only where the energy is further above the lower bound than this, relatively."""
EXCHANGE_MARGIN = 0.3
"""By how much the senders pass the linear test of the uplink where one agent is exchanged."""
JAMMER_FACTORS = (1.0, 30.0)
"""Jammers that suffice for the uplink, and stronger ones, for the downlink."""


@dataclass(frozen=True, kw_only=True)
class ASCPlusOptions(LinkOptions):
    """Options of ASC-plus, beside those of :class:`~solvers.asc_plus.links.LinkOptions`.

    Parameters
    ----------
    admm_iterations, relaxation_iterations
        Of Algorithm 1 and of the Lagrangian relaxation (28) inside it.
    rho
        Penalty coefficient ρ of (25), in units of the mean energy of an agent.
    neighbours
        How many exchanges of agents are scored exactly in a selection step while jammers transmit.
    exchanges
        How many exchanges of agents are worked out with new jammers, beam and powers, where jammers are needed.
    """

    admm_iterations: int = 6
    relaxation_iterations: int = 40
    rho: float = 0.05
    neighbours: int = 300
    exchanges: int = 40


@dataclass(frozen=True, kw_only=True)
class ASCPlus(ASCPlusOptions, Solver):
    """ASC with good starts and exchanges; its options are those of :class:`ASCPlusOptions`."""

    name = "asc-plus"
    links: ClassVar[type[Links]] = Links
    """The second and third sub-problem."""

    def _solve(self, run: SolverRun) -> None:
        self._search(self.links(run, self, noise=False), run.start)
        if self.artificial_noise and not self._proved(run):  # never worse than without
            self._search(self.links(run, self), run.decision)

    def _proved(self, run: SolverRun) -> bool:
        """Return whether a feasible decision meets the lower bound of the energy."""
        run.bound = run.bound or lower_bound(run.instance)
        return run.feasible and run.energy_j <= (1 + OPTIMAL_GAP) * run.bound.energy_j

    def _search(self, links: Links, start: Decision | None) -> None:
        """Search from a start, then without jammers, then beside jammers that may be needed."""
        run, instance = links.run, links.run.instance
        eligible = run.eligible_agents()
        if start is not None:
            self.coordinate(links, start)
        silent = np.zeros(instance.scenario.num_agents)
        secret = eligible & secret_senders(instance, silent)
        for allowed in (secret, eligible):  # if no selection of agents is secret without jammers, try all
            selection = cheap_selection(instance, allowed)
            if selection is not None:
                self.coordinate(links, links.levels(selection, links.first_beam(selection), silent))
                break
        if self.jamming and self._may_need_jammers(run, secret, eligible):
            for decision in self._jammed_starts(links, eligible):
                self.coordinate(links, decision)
            self.exchange(links, eligible)
        polish(run)

    def coordinate(self, links: Links, decision: Decision) -> Decision:
        """Algorithm 2 from a start: selection, beam and powers in turn, until the energy stops falling."""
        instance = links.run.instance
        for iteration in range(1, self.max_iterations + 1):
            before = evaluate(instance, decision)
            decision = self.selection(links, decision, iteration)
            decision = links.beam(decision, iteration)
            decision = links.powers(decision, iteration)
            if saves_little(before, evaluate(instance, decision), self.tolerance):
                break
        return decision

    def selection(self, links: Links, decision: Decision, iteration: int) -> Decision:
        """Return the decision with the best selection found at its beam and powers (21), by Algorithm 1."""
        run = links.run
        run.check_time()
        problem = self._selection_problem(run, decision)
        selection = select(
            problem,
            decision.selection,
            run.consider,
            max_iterations=self.admm_iterations,
            inner_iterations=self.relaxation_iterations,
            rho=self.rho,
            neighbours=self.neighbours,
            check_time=run.check_time,
        )
        if selection is not None:
            decision = problem.decision(selection)
        links.record(decision, iteration, "selection", method="none feasible" if selection is None else "admm")
        return decision

    def exchange(self, links: Links, eligible: np.ndarray) -> None:
        """Exchange agents of the best decision while that pays, each time with new jammers, beam and powers.

        Algorithm 2 cannot leave a selection whose beam and jammers fit it alone; this can.
        """
        run, instance = links.run, links.run.instance
        seen: set[bytes] = set()
        while run.decision is not None and run.feasible:
            incumbent, energy = run.decision, run.energy_j
            costs = execution_costs(instance, eligible)
            for selection in exchanges(costs, incumbent.selection, 2 * self.exchanges):
                if len(seen) >= self.exchanges or instance.execution_energy_j[selection].sum() >= energy:
                    break
                if selection.tobytes() in seen or (selection & ~eligible).any():
                    continue
                seen.add(selection.tobytes())
                jammers = [np.where(selection | incumbent.selection, 0.0, incumbent.power_w)]
                jammers += protecting_jammers(instance, selection, EXCHANGE_MARGIN)
                for jammer_w in jammers:
                    if (selection & ~secret_senders(instance, jammer_w)).any():
                        continue
                    decision = links.jammed(selection, jammer_w)
                    if np.isfinite(evaluate(instance, decision).latency_s):
                        links.alternate(decision, rounds=2)
                if run.energy_j < energy * (1 - self.tolerance):
                    break
            if not run.energy_j < energy * (1 - self.tolerance):
                return

    def _selection_problem(self, run: SolverRun, decision: Decision) -> SelectionProblem:
        """Return the selection problem at the beam and powers of a decision."""
        # An unselected agent would send at the median level of the senders, and a sender would not jam.
        senders = decision.selection & (decision.power_w > 0)
        heard = run.instance.bs_gain[senders] * decision.power_w[senders] / run.instance.scenario.noise_power_w
        level = max(float(np.median(heard)), START_SNR) if senders.any() else START_SNR
        return SelectionProblem(
            run.instance,
            decision.beamformer,
            sender_w=np.where(senders, decision.power_w, sender_powers(run.instance, level)),
            jammer_w=np.where(decision.selection, 0.0, decision.power_w),
            noise_covariance=decision.noise_covariance,
        )

    def _may_need_jammers(self, run: SolverRun, secret: np.ndarray, eligible: np.ndarray) -> bool:
        """Return whether more starts may help: nothing feasible yet, or agents left out that jammers could protect."""
        if not run.feasible:
            return True
        assert run.outcome is not None
        run.bound = run.bound or lower_bound(run.instance)
        far = run.energy_j > (1 + GOOD_GAP) * run.bound.energy_j
        # At a given beam, agents that it reaches in secret only beside jammers were left out as well.
        left_out = (eligible & ~secret).any() or self._given_beam(run.instance) is not None
        return bool(far and (left_out or run.outcome.downlink_time_s > 0.1 * run.outcome.latency_s))

    def _given_beam(self, instance: Instance) -> np.ndarray | None:
        """Return the beam (L,), √W, where there is no choice: with one antenna; else None."""
        return equal_beam(instance) if instance.scenario.num_antennas == 1 else None

    def _jammed_starts(self, links: Links, eligible: np.ndarray) -> list[Decision]:
        """Return the most promising starts with jammers: agents that can send in secret, and the best beam for them.

        Half of them are the best ones as they stand. The other half need the least energy for computing among those
        whose links may still become fast enough.
        """
        instance, most = links.run.instance, links.run.energy_j
        starts = [
            links.jammed(selection, jammer_w)
            for selection, jammer_w in self._jammed_selections(links, eligible)
            if instance.execution_energy_j[selection].sum() < most
        ]
        outcomes = {id(start): evaluate(instance, start) for start in starts}
        best = sorted(starts, key=links.rank)
        cheap = [start for start in best if np.isfinite(outcomes[id(start)].latency_s)]
        cheap.sort(key=lambda start: float(outcomes[id(start)].execution_energy_j))
        chosen: dict[bytes, Decision] = {}
        for start in chain.from_iterable(zip_longest(best, cheap)):
            if start is not None:
                chosen.setdefault(start.selection.tobytes(), start)
        return list(chosen.values())[: self.jammer_starts]

    def _jammed_selections(self, links: Links, eligible: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield selections (N,) bool that can send in secret beside jammers, with the jammers' powers (N,), W."""
        instance = links.run.instance
        beam = self._given_beam(instance)
        if beam is not None:
            for margin in REACHED_MARGINS:
                links.run.check_time()
                reached = reached_selection(instance, beam, eligible, margin)
                if reached is not None:
                    yield reached
        for margin in MARGINS:
            links.run.check_time()
            protected = protected_selection(instance, eligible, margin)
            if protected is not None:
                selection, power = protected
                for factor in JAMMER_FACTORS:
                    yield selection, jammers_of(instance, selection, power, factor)
        for jammer_w in jammer_patterns(instance):
            allowed = eligible & secret_senders(instance, jammer_w) & (jammer_w == 0)
            pattern = cheap_selection(instance, allowed)
            if pattern is not None:
                yield pattern, jammer_w
