"""Best-first search over selections: each set's bound is raised, cheapest first, until the best decision meets it.

Selections come in the order of a cost that no decision of theirs undercuts (:mod:`solvers.certificate.ordered`). A set
that has come up is open. Work on it proves that it cannot be served, raises its bound, or finds decisions. The bound of
the whole problem is the least among the open sets, those that are settled, and all that have not come up yet.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from secagent_env import Decision, evaluate
from solvers.beam.beamforming import best_beam
from solvers.beam.sdr import Downlink, relax
from solvers.certificate.bounds import ROUNDING, UNSERVABLE, LowerBound, uplink_energy_floor
from solvers.certificate.linear_test import secret_at_best, secret_senders
from solvers.certificate.ordered import OrderedSelections
from solvers.certificate.screen import multicast_rate, relaxed_multicast_rate, too_slow, unservable_core
from solvers.certificate.uplink import uplink_powers
from solvers.interface.base import Infeasible, SolverRun
from solvers.jamming.cores import dear_core
from solvers.jamming.local import locally_best
from solvers.jamming.search import SetBoxes

logger = logging.getLogger("secagent.solvers")

SILENCE_S = 2.0
"""How long a search goes on before it says again how far it is, s."""
GROWTH = 2.0
"""While nothing feasible is known, what costs more than this many times what is proved is left for later."""
PATIENCE: tuple[dict[bool, float], ...] = ({False: 10, True: math.inf}, {False: 200, True: 300})
"""Boxes that are relaxed before each of the other searches is asked, by whether something feasible is known."""
TEST = 0.05
"""The share of a step that a test of a set counts, beside a semidefinite program."""
AHEAD = 4
"""Sets, not of the least bound, that are tried without jammers for each box: one of them may be served at once."""
FINE = 1e-6
"""Decisions that save less than this share of the energy are not looked for; boxes of jammers that cost something end
at the gap asked for."""
CLOSE = 0.5
"""The multicast's relaxation is solved where this share of its rate by one eigenvalue would be too slow."""
COARSE = 1e-2
"""Relative duality gap of the beam's relaxation where no more is asked than whether jammers are needed."""
CORE_STEPS = 2
"""A set that so many boxes rule out gives a core: agents whom as many boxes rule out together."""
RECORDED = 1e-5
"""Relative change of the bound or of the best energy that the history records."""


@dataclass(order=True)
class _OpenSet:
    """A selection with a lower bound on the energy of its decisions, J, and the work that raises it.

    It is left as it is where the bound is within the relative ``gap`` of the best energy.
    """

    lower_j: float
    number: int
    selection: np.ndarray = field(compare=False)
    gap: float = field(compare=False)
    work: Iterator[float] = field(compare=False, default_factory=lambda: iter(()))
    in_boxes: bool = field(compare=False, default=False)


class SetSearch:
    """The search in a solver's run, which ends when the bound is within the relative ``gap`` of the best energy.

    Parameters
    ----------
    run
        Of the solver.
    gap
        Relative.
    steps
        Semidefinite programs over boxes, at most; a test of a set counts as the share TEST of one.
    starts
        A quick and a thorough search, each called once where beam and jammers have to be sought together for long, to
        find a good decision.
    jamming
        Without jamming the search ends when no *silent* decision can be better; the bound of the run stays that of all.
    """

    def __init__(
        self, run: SolverRun, *, gap: float, steps: float, starts: Sequence[Callable[[], None]], jamming: bool
    ) -> None:
        self.run, self.gap, self.steps, self.jamming = run, gap, steps, jamming
        self._starts = list(zip(starts, PATIENCE, strict=True))
        instance = run.instance
        self._cost = cost = instance.execution_energy_j + uplink_energy_floor(instance)
        eligible = secret_at_best(instance) if jamming else secret_senders(instance)
        self._ordered = OrderedSelections(instance, cost, eligible)
        self._secret = secret_senders(instance)
        self._silent = OrderedSelections(instance, cost, eligible & self._secret)
        self._seen: set[bytes] = set()
        self._open: list[_OpenSet] = []
        self._number = itertools.count()
        self._settled_j = math.inf
        self._recorded = (0.0, math.inf)
        self._said_s = 0.0
        self.sets = 0
        self._boxes = 0
        self._cut_off = False
        self._refined: Decision | None = None
        scenario = instance.scenario
        finite = cost[np.isfinite(cost)]
        # No decision costs more: everybody computes, and sends and jams at full power all the time.
        self._dearest_j = float(finite.sum()) + 2 * len(cost) * scenario.max_power_w * scenario.latency_limit_s
        self._limit_j = math.inf
        if jamming:
            self._limit_j = max(GROWTH * self._ordered.least_j, 1e-6 * self._dearest_j)

    @property
    def bound_j(self) -> float:
        """A lower bound on the energy of every feasible decision, J."""
        reached = self._worth_j if self._cut_off else self.run.energy_j
        return min(self._next_j, self._settled_j, reached, self._limit_j)

    @property
    def _worth_j(self) -> float:
        """What a decision would have to undercut to be of interest, J."""
        return self.run.energy_j / (1 + min(FINE, self.gap)) * (1 + 2 * ROUNDING)

    @property
    def _cutoff_j(self) -> float:
        """What a decision would have to undercut to be looked for now, J."""
        return min(self._worth_j, self._limit_j)

    @property
    def _unfinished(self) -> _OpenSet | None:
        """The open set of the least bound that is neither within its gap of the best energy nor beyond the limit."""
        energy = self.run.energy_j * (1 + 2 * ROUNDING)
        worth = (each for each in self._open if each.lower_j < min(energy / (1 + each.gap), self._limit_j))
        return min(worth, default=None)

    @property
    def _next_j(self) -> float:
        """The least bound of what is still to be worked on, J."""
        return min(self._ordered.least_j, self._open[0].lower_j if self._open else math.inf)

    def solve(self) -> None:
        """Search until the gap is met; raise Infeasible where it is proved that no set can be served."""
        self._search()
        if not self.run.feasible and math.isfinite(self.bound_j):
            self._ask(math.inf)
            self._search()
        if math.isinf(self.bound_j) and self.jamming:
            raise Infeasible(UNSERVABLE)

    def _search(self) -> None:
        while self.steps > 0:
            self.run.check_time()
            least = self._ordered.least_j
            boxes = self._unfinished
            if boxes is not None and boxes.lower_j < least:
                self._continue(boxes)
                for _ in range(AHEAD):
                    self._advance(self._silent)
            elif least < self._cutoff_j:
                self._advance(self._ordered)
            elif self._limit_j < self._worth_j:
                self._raise_limit()
            else:
                break
            self._refine()
            self._tell()

    def _raise_limit(self) -> None:
        """Go on beyond the limit: to the best decision, if there is one."""
        self._limit_j *= GROWTH
        if self.run.feasible or self._limit_j > self._dearest_j:
            self._limit_j = math.inf
        self._ordered.release()
        self._silent.release()

    def _advance(self, ordered: OrderedSelections) -> None:
        """Go a step on in an order of selections below the cut-off, and try the one that comes up, if it is new."""
        if ordered.least_j < self._cutoff_j and (found := ordered.advance()) is not None:
            cost, selection = found
            if (key := selection.tobytes()) not in self._seen:
                self._seen.add(key)
                self._try(cost, selection)

    def _refine(self) -> None:
        """Move beam and powers of a new best decision to the local optimum, where they count."""
        run = self.run
        decision, outcome = run.decision, run.outcome
        if decision is not None and outcome is not None and outcome.feasible and decision is not self._refined:
            if outcome.transmission_energy_j > FINE * outcome.energy_j:
                run.consider(locally_best(run.instance, decision, run.check_time))
            self._refined = run.decision

    def _forbid(self, core: np.ndarray, for_now: bool = False) -> None:
        """Leave out every selection that contains ``core`` (N,) bool, for now until the limit is raised."""
        self._ordered.forbid(core, for_now)
        self._silent.forbid(core, for_now)

    def _try(self, cost: float, selection: np.ndarray) -> None:
        """Open a set, and work on it until it is settled, or only boxes are left to do."""
        self.sets += 1
        open_set = _OpenSet(cost, next(self._number), selection, self.gap)
        open_set.work = self._work(open_set)
        heapq.heappush(self._open, open_set)
        while not open_set.in_boxes and self._continue(open_set):
            self.run.check_time()

    def _ask(self, boxes: float) -> None:
        """Let the other searches find a decision that are not asked before so many boxes, once."""
        for start, patience in list(self._starts):
            if boxes >= patience[self.run.feasible]:
                self._starts.remove((start, patience))
                start()

    def _continue(self, open_set: _OpenSet) -> bool:
        """Do one piece of work on an open set; return whether it stays open. It is settled where no work is left.

        It counts as open until the work is done, which may end out of time.
        """
        self.steps -= 1 if open_set.in_boxes else TEST
        lower = next(open_set.work, None)
        self._open.remove(open_set)
        heapq.heapify(self._open)
        if lower is None:
            self._settled_j = min(self._settled_j, open_set.lower_j)
        elif math.isfinite(lower):
            open_set.lower_j = max(open_set.lower_j, lower)
            heapq.heappush(self._open, open_set)
            return True
        return False

    def _work(self, open_set: _OpenSet) -> Iterator[float]:
        """Yield lower bounds on a set's energy, J, cheap ones first; infinite where it cannot be served."""
        cost, selection = open_set.lower_j, open_set.selection
        instance = self.run.instance
        core = unservable_core(instance, selection)
        if core is not None:
            self._forbid(core)
            yield math.inf
        yield cost
        if too_slow(instance, selection, CLOSE * multicast_rate(instance, selection)):
            if too_slow(instance, selection, relaxed_multicast_rate(instance, selection)):
                self._forbid(selection)
                yield math.inf
            yield cost
        if self._secret[selection].all():
            energy, rate = self._serve_silently(selection)
            if cost >= energy / (1 + self.gap):
                return  # only the format of the decisions, if any, is in the way
            if not self.jamming:
                if too_slow(instance, selection, rate):
                    yield math.inf
                return
        open_set.in_boxes = True
        yield cost
        self._cut_off = True  # boxes say nothing of decisions above it
        boxes = SetBoxes(instance, selection, cutoff_j=self._worth_j)
        begun = 0
        if boxes.problem.curbed:  # it can be served at its cost, or not at all
            open_set.gap = min(FINE, self.gap)
        while not boxes.done:
            limit = self._limit_j * (1 + 4 * ROUNDING)
            if limit != boxes.limit_j:
                boxes.limit_j, begun = limit, boxes.steps
            for decision in boxes.step(self._worth_j, self.run.check_time):
                self.run.consider(decision)
            if boxes.lower_j >= self._cutoff_j and boxes.steps - begun <= CORE_STEPS:
                self._forbid(self._dear_core(selection), for_now=self._limit_j < self._worth_j)
            yield max(cost, boxes.lower_j)
            self._boxes += 1
            self._ask(self._boxes)
        yield max(cost, boxes.lower_j)

    def _dear_core(self, selection: np.ndarray) -> np.ndarray:
        """Return agents (N,) bool of a set ruled out whom no set still to come holds below the cut-off."""
        budget = self._cutoff_j - self._ordered.least_j * (1 - ROUNDING)
        if not budget > 0:
            return selection  # none is still to come
        return dear_core(self.run.instance, selection, self._cost, budget, CORE_STEPS, self.run.check_time)

    def _serve_silently(self, selection: np.ndarray) -> tuple[float, float]:
        """Consider the best beam without jammers, and the least powers in the time that it leaves.

        Returns the decision's energy, J, infinite where it is not feasible, before it is expressed in the run's format;
        and a bound on the rate of the downlink without jammers, bit/s/Hz.
        """
        instance, scenario = self.run.instance, self.run.instance.scenario
        silent = np.zeros(len(selection))
        rate = relax(Downlink.of(instance, selection, silent), COARSE, self.run.check_time).bound
        if too_slow(instance, selection, rate):
            return math.inf, rate
        beam = best_beam(instance, selection, silent, self.run.rng, check_time=self.run.check_time)
        if beam.secrecy <= 0:
            return math.inf, beam.bound
        downlink = scenario.downlink_bits / (scenario.bandwidth_hz * beam.secrecy)
        left = scenario.latency_limit_s - float(instance.inference_time_s[selection].max()) - downlink
        power = uplink_powers(instance, selection, left * (1 - 1e-9))
        if power is None:
            return math.inf, beam.bound
        decision = Decision(selection=selection, beamformer=beam.beamformer, power_w=power)
        self.run.consider(decision)
        outcome = evaluate(instance, decision)
        return float(outcome.energy_j) if outcome.feasible else math.inf, beam.bound

    def _tell(self) -> None:
        """Put the bound where the solution takes it from, and into the history where it or the best energy changed."""
        bound, best = self.bound_j * (1 - ROUNDING), self.run.energy_j
        if self.jamming and (self.run.bound is None or bound > self.run.bound.energy_j):
            selection = self._open[0].selection if self._open else None
            self.run.bound = LowerBound(bound, selection)
        before, before_best = self._recorded
        if bound > before * (1 + RECORDED) or best < before_best * (1 - RECORDED):
            self._recorded = (bound, best)
            self.run.record(sub_problem="sets", bound_j=bound, sets=self.sets, open=len(self._open))
        if self.run.seconds > self._said_s + SILENCE_S:
            self._said_s = self.run.seconds
            message = "exact: %.3g s, %d sets of agents, bound %.6g J, best %.6g J"
            logger.info(message, self.run.seconds, self.sets, bound, best)
