"""Boxes of downlink and uplink times, eavesdroppers' SINRs and phases, and how they are cut up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from solvers.jamming.problem import SetProblem

NARROW = 0.02
"""Phases are cut up in boxes along whose sides needs and times vary by less, as logarithms,"""
WORTH = 2.0
"""where an agent lags behind by so many times as much,"""
LEAST_LAG = 3e-3
"""and by at least this."""
FINEST_ARC = 1e-3
"""Half an arc, rad, that is not cut up."""


@dataclass(frozen=True)
class Arc:
    """The phases of what agent ``user`` (an index of the set's) receives: within ``half`` of ``centre``, rad."""

    user: int
    centre: float
    half: float


@dataclass(frozen=True)
class Lag:
    """By how much, as a logarithm, agent ``user`` receives less than it needs from one beam in phase with another's."""

    size: float
    reference: int
    user: int


@dataclass(frozen=True)
class Box:
    """T ∈ ``time_s`` and U ∈ ``uplink_s``, s, and u ∈ ``range`` where ``inverse``, else b ∈ ``range``."""

    time_s: tuple[float, float]
    uplink_s: tuple[float, float]
    range: tuple[float, float]
    inverse: bool
    arcs: tuple[Arc, ...] = ()

    def parts(self, problem: SetProblem, lag: Lag | None = None) -> list[Box]:
        """Cut up the side along which needs and times vary most, in relation, or phases where these cost more.

        What leaves no time is left out.
        """
        widths = self.widths(problem)
        if lag is not None and max(widths) < NARROW and lag.size > max(WORTH * max(widths), LEAST_LAG):
            return self._turned(lag)
        side = widths.index(max(widths))
        (t1, t2), (u1, u2), (r1, r2) = self.time_s, self.uplink_s, self.range
        if side == 0:
            middle = 0.5 * (t1 + t2)
            halves = [replace(self, time_s=(t1, middle)), replace(self, time_s=(middle, t2))]
        elif side == 1:
            middle = math.sqrt(u1 * u2)
            halves = [replace(self, uplink_s=(u1, middle)), replace(self, uplink_s=(middle, u2))]
        elif not self.inverse:  # r1 is 0: what is far from it is better put in u
            middle = 0.1 * r2
            halves = [replace(self, range=(0.0, middle)), replace(self, range=(1 / r2, 1 / middle), inverse=True)]
        else:
            middle = math.sqrt(r1 * r2)
            halves = [replace(self, range=(r1, middle)), replace(self, range=(middle, r2))]
        return [trimmed for half in halves if (trimmed := half._trimmed(problem)) is not None]

    def _turned(self, lag: Lag) -> list[Box]:
        """Split the phases of an agent, relative to another one's."""
        others = [arc for arc in self.arcs if arc.user != lag.user] or [Arc(lag.reference, 0.0, 0.0)]
        before = next((arc for arc in self.arcs if arc.user == lag.user), None)
        if before is None:
            centres, half = math.pi / 4 * np.arange(1, 8, 2), math.pi / 4
        else:
            half = before.half / 2
            centres = before.centre + half * np.array([-1.0, 1.0])
        return [replace(self, arcs=(*others, Arc(lag.user, float(centre), half))) for centre in centres]

    def _trimmed(self, problem: SetProblem) -> Box | None:
        """Return the box without the times that leave too little for the other phase; None if nothing is left."""
        (t1, t2), (u1, u2) = self.time_s, self.uplink_s
        t2, u2 = min(t2, problem.total_s - u1), min(u2, problem.total_s - t1)
        return replace(self, time_s=(t1, t2), uplink_s=(u1, u2)) if u1 <= u2 else None  # then t1 ≤ t2 as well

    def widths(self, problem: SetProblem) -> tuple[float, float, float]:
        """Return by how much, as logarithms, needs and times vary along T, U, and u or b."""
        (t1, t2), (u1, u2), (r1, r2) = self.time_s, self.uplink_s, self.range
        low = self.need(problem, t2, r1)
        by_time, by_value = math.log(self.need(problem, t1, r1) / low), math.log(self.need(problem, t2, r2) / low)
        if problem.curbed:  # the uplink takes the time that the downlink leaves: a longer one costs nothing
            loud = float((problem.at_user * problem.curb_w(u2)).max(initial=0.0))
            by_value *= min(loud, 1.0) + by_value / 16
            return by_time + self._uplink_width(problem, max(problem.total_s - t2, u1)), 0.0, by_value
        by_uplink = self._uplink_width(problem, u1) + math.log((t1 + u2) / (t1 + u1))
        return by_time + math.log((t2 + u1) / (t1 + u1)), by_uplink, by_value

    def _uplink_width(self, problem: SetProblem, least_s: float) -> float:
        """Return by how much, as a logarithm, the uplink's needs vary from a time to the longest one."""
        needs, least = problem.uplink_needs(least_s)[1], problem.uplink_needs(self.uplink_s[1])[1]
        ratio = np.divide(needs, least, out=np.ones_like(least), where=least > 0)  # an eavesdropper may hear nobody
        return float(np.log(ratio).max())

    def need(self, problem: SetProblem, time_s: float, value: float) -> float:
        """Return γ + (γ − 1) u, or γ − 1 + γ b."""
        excess = problem.excess(time_s)
        return 1 + excess + excess * value if self.inverse else excess + (1 + excess) * value
