"""The search over boxes of one selection: a proved bound that rises, and decisions found on the way."""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from secagent_env import Decision, Instance
from solvers.certificate.bounds import ROUNDING
from solvers.jamming.box import Box
from solvers.jamming.design import Designer
from solvers.jamming.problem import SetProblem
from solvers.jamming.relaxation import Relaxed, relax

NO_LEAKAGE = 0.05
"""Boxes in b end where the eavesdroppers' SINR costs the receivers this share of what they need."""
FINEST = 1e-4
"""Boxes of a smaller relative width are not cut up."""


class SetBoxes:
    """Branch and bound over the downlink time and the eavesdroppers' SINR, at one selection.

    :attr:`lower_j` is a lower bound, J, on the energy (20) of every feasible decision that selects exactly the
    selection **and costs less than the cut-off**; infinite once it is proved that there is none. :attr:`done` says that
    no step would raise it.

    Parameters
    ----------
    instance, selection
        A single instance, and (N,) bool.
    cutoff_j
        Only cheaper decisions are of interest, J; it may be infinite, and may fall later.
    limit_j
        No bound is sought beyond it, J, before it is raised: where no decision is known, boxes are bounded more tightly
        below a limit than below all that jammers could spend.
    """

    def __init__(
        self, instance: Instance, selection: np.ndarray, *, cutoff_j: float, limit_j: float = math.inf
    ) -> None:
        self.instance = instance
        self.selection = selection
        self.problem = problem = SetProblem.of(instance, selection)
        most = len(problem.jammers) * problem.most_w * max(problem.total_s, 0.0)
        # Nobody can spend more than this by jamming: an infinite cut-off is no different.
        self._dearest_j = problem.base_j + 2 * most + 1e-9 * max(problem.base_j, 1.0)
        self.cutoff_j = min(cutoff_j, self._dearest_j)
        self.limit_j = limit_j
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Box]] = []
        self.steps = 0
        for box in _cover(problem):
            self._push(0.0, box)

    @functools.cached_property
    def _designer(self) -> Designer:
        return Designer(self.instance, self.selection, self.problem)

    @property
    def lower_j(self) -> float:
        """The proved bound, J."""
        if not self._heap or self.problem.base_j + self._heap[0][0] >= self.cutoff_j:
            return math.inf
        return (self.problem.base_j + self._heap[0][0]) * (1 - ROUNDING)

    @property
    def done(self) -> bool:
        """Whether no step would raise the bound."""
        return math.isinf(self.lower_j) or max(self._heap[0][2].widths(self.problem)) < FINEST

    def step(self, cutoff_j: float, check_time: Callable[[], None] = lambda: None) -> list[Decision]:
        """Relax the box of the least bound, and cut it up; return decisions that are worth scoring.

        Only decisions below the cut-off, J, are looked for from now on. ``check_time`` is called between Newton steps
        and may raise: the bound then stays as it was.
        """
        self.cutoff_j = min(self.cutoff_j, cutoff_j)
        relaxed = None if self.done else self.relax(check_time)
        return [] if relaxed is None else self._designer.decisions(relaxed, self.cutoff_j, check_time)

    def relax(self, check_time: Callable[[], None] = lambda: None) -> Relaxed | None:
        """Relax the box of the least bound, and cut it up; return the solution, or None where the box is ruled out.

        There must be a box, see :attr:`done`.
        """
        before, _, box = self._heap[0]
        self.steps += 1
        budget = most = self.cutoff_j - self.problem.base_j
        if self.limit_j - self.problem.base_j > before:
            budget = min(most, self.limit_j - self.problem.base_j)
        relaxed = relax(self.problem, box, budget, before, check_time)
        heapq.heappop(self._heap)
        if relaxed.bound_j >= budget:
            if budget < most and math.isfinite(relaxed.bound_j):
                self._push(budget, box)
            return None
        for part in box.parts(self.problem, relaxed.lag):
            self._push(relaxed.bound_j, part)
        return relaxed

    def _push(self, bound_j: float, box: Box) -> None:
        heapq.heappush(self._heap, (bound_j, next(self._order), box))


def _cover(problem: SetProblem) -> list[Box]:
    """Return boxes that hold the downlink time and the eavesdroppers' SINR of every feasible decision."""
    latest, longest = problem.total_s - problem.uplink_s, problem.total_s - problem.downlink_s
    if not 0 < problem.downlink_s <= latest:
        return []
    excess = problem.excess(latest)
    snr = float(np.min(np.sum(np.abs(problem.users) ** 2, axis=1)))
    loudest = (snr - excess) / (1 + excess) * (1 + 1e-9) + 1e-300
    least = NO_LEAKAGE * excess / (1 + excess)
    box = Box((problem.downlink_s, latest), (problem.uplink_s, longest), (0.0, min(least, loudest)), inverse=False)
    return [box] if loudest <= least else [box, replace(box, range=(1 / loudest, 1 / least), inverse=True)]
