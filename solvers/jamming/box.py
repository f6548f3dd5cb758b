r"""The relaxation of one selection's problem over a box of downlink times and eavesdroppers' SINRs.

Let a feasible decision select S. Call T its downlink time, γ = exp(exponent / T) = (1 + min_k SINR_k) / (1 + b), with
b the eavesdroppers' SINR (the largest, or if they collude the sum), v the beam in units of √p_BS, and

    I_k = 1 + Σ_m a_km p_m,     I_e = 1 + Σ_m b_em p_m

interference and noise over the noise. Every k ∈ S has SINR_k ≥ γ (1 + b) − 1, and every e has SINR_e ≤ b.

**In u = 1/b**, for b > 0, W = u v vᴴ meets

    h_kᴴ W h_k ≥ (γ + (γ − 1) u) I_k,      g_eᴴ W g_e ≤ I_e,      tr W ≤ u,      W ⪰ 0.         (u)

**In b**, W = v vᴴ meets

    h_kᴴ W h_k ≥ (γ − 1 + γ b) I_k,      g_eᴴ W g_e ≤ b I_e,      tr W ≤ 1,      W ⪰ 0.           (b)

The first form is exact in the powers at the eavesdroppers, where they matter, and serves all b ≥ b₀ > 0; the second
one serves [0, b₀]. Beyond b₁ = (1 + min_k ‖h_k‖²) / γ(T_high) − 1 the weakest agent cannot hear enough.

**Energy.** A jammer pays p_j (T + U), with U the longest uplink time: with P = Σ_j p_j

    energy ≥ base + (T + U) P,     T + U ≤ τ less the time of computing.

**Uplink.** The agents of S can send in secret only if the powers of the unselected agents alone make θ'_e > r_ne for
all n ∈ S and e (proved in :mod:`solvers.certificate.cores`), where θ'_e = I_e / (1 + Σ_m g_m p_m / σ²). To
send within the time U they need θ'_e ≥ ρ_e(U) > max r_ne (:meth:`~solvers.jamming.problem.SetProblem.least_ratio`): one
linear row per eavesdropper, and others for several together. Of colluding eavesdroppers each one alone hears less, so
that its row is necessary, too.

**Relaxation over T ∈ [T₁, T₂], U ∈ [U₁, U₂] and u ∈ [u₁, u₂].** The uplink's rows hold with ρ_e(U₂). With
γ₁ = γ(T₂) ≤ γ, and γ ≥ γ₁ + |γ'(T₂)| (T₂ − T) =: γ₁ + δ, since γ is convex in T:

    (γ + (γ − 1) u) I_k  ≥  (γ₁ + (γ₁ − 1) u₁) Σ_m a_km p_m + γ₁ + (γ₁ − 1) u + (1 + u₁) δ,

for (γ − γ₁)(u − u₁) ≥ 0. In the form b likewise: (γ₁ − 1 + γ₁ b₁) Σ_m a_km p_m + γ₁ − 1 + γ₁ b + (1 + b₁) δ, and
b I_e ≤ b + b₂ Σ_m b_em p_m. The energy is at least, with (P − P₁)(T − T₁) ≥ 0,

    (T + U) P  ≥  (T₁ + U₁) P + P₁ (T − T₁),     P₁ = E₁ / (T₂ + U₂)

where E₁ is a bound on the jammers' energy known before, of a box that contains this one. All is linear in
(W, p, u, T): a semidefinite program. Its powers are counted in x = p (T₁ + U₁) / budget, with budget the energy that
the jammers may spend below the cut-off; the objective is then a share of the budget, x is at most 1 in sum wherever the
energy is below the cut-off, and a minimum above 1 proves that it is not.

**Where nobody's jamming helps the uplink** a row −Σ_m w_m p_m + level ≥ 0 with w > 0 allows powers that may be a
millionth of what the budget allows. They are then counted in x = w p / level, which is at most 1 in sum as well, and a
minimum above 1 proves that no decision lies in the box.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from solvers.jamming.dual import Dual, SmallSDP
from solvers.jamming.problem import SetProblem
from solvers.numerics.barrier import minimise

CAP = 4.0
"""Shares of the budget that no bound is sought beyond."""
ENOUGH = 1 + 1e-6
"""Shares of the budget at which a bound is high enough."""
GAPS = (1.0, 0.1, 1e-2, 1e-3)
"""Duality gaps, as shares of the budget, at which the barrier method is stopped to see whether the box can be left."""
NUDGE = 1e-12
"""By which coefficients are relaxed, so that no rounding of exp() counts."""


@dataclass(frozen=True)
class Box:
    """T ∈ ``time_s`` and U ∈ ``uplink_s``, s, and u ∈ ``range`` where ``inverse``, else b ∈ ``range``."""

    time_s: tuple[float, float]
    uplink_s: tuple[float, float]
    range: tuple[float, float]
    inverse: bool

    def halves(self, problem: SetProblem) -> list[Box]:
        """Split the side along which needs and times vary most, in relation; what leaves no time is cut off."""
        widths = self.widths(problem)
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

    def _trimmed(self, problem: SetProblem) -> Box | None:
        """Return the box without the times that leave too little for the other phase; None if nothing is left."""
        (t1, t2), (u1, u2) = self.time_s, self.uplink_s
        t2, u2 = min(t2, problem.total_s - u1), min(u2, problem.total_s - t1)
        return replace(self, time_s=(t1, t2), uplink_s=(u1, u2)) if t1 <= t2 and u1 <= u2 else None

    def widths(self, problem: SetProblem) -> tuple[float, float, float]:
        """Return by how much, as logarithms, needs and times vary along T, U, and u or b."""
        (t1, t2), (u1, u2), (r1, r2) = self.time_s, self.uplink_s, self.range
        low = self.need(problem, t2, r1)
        by_time, by_value = math.log(self.need(problem, t1, r1) / low), math.log(self.need(problem, t2, r2) / low)
        if problem.curbed:  # the uplink takes the time that the downlink leaves: a longer one costs nothing
            return by_time + self._uplink_width(problem, max(problem.total_s - t2, u1)), 0.0, by_value
        by_uplink = self._uplink_width(problem, u1) + math.log((t1 + u2) / (t1 + u1))
        return by_time + math.log((t2 + u1) / (t1 + u1)), by_uplink, by_value

    def _uplink_width(self, problem: SetProblem, least_s: float) -> float:
        """Return by how much, as a logarithm, the uplink's needs vary from a time to the longest one."""
        return float(np.log(problem.uplink_needs(least_s)[1] / problem.uplink_needs(self.uplink_s[1])[1]).max())

    def need(self, problem: SetProblem, time_s: float, value: float) -> float:
        """Return γ + (γ − 1) u, or γ − 1 + γ b."""
        excess = problem.excess(time_s)
        return 1 + excess + excess * value if self.inverse else excess + (1 + excess) * value


@dataclass(frozen=True)
class Relaxed:
    """The relaxation's solution: a proved bound on the jammers' energy, J, and a point near its optimum.

    ``covariance`` is W / u (in the form u) or W: (L, L) of trace at most 1, about; ``power_w`` (M,), the downlink
    time ``time_s`` and ``sinr`` b belong to it.
    """

    bound_j: float
    covariance: np.ndarray
    power_w: np.ndarray
    time_s: float
    sinr: float


def relax(
    problem: SetProblem,
    box: Box,
    budget_j: float,
    before_j: float = 0.0,
    check_time: Callable[[], None] = lambda: None,
) -> Relaxed:
    """Return the bound that holds over a box for all decisions whose jammers spend less than a budget, J.

    ``before_j``: a bound known already. ``check_time`` is called between Newton steps and may raise.
    """
    program, unit = _program(problem, box, budget_j, before_j)
    dual = Dual(program, CAP)
    y = dual.start()
    share = -math.inf
    for gap in GAPS:
        y = minimise(dual, y, gap=gap, first_gap=gap, max_steps=60, enough=-ENOUGH, check_time=check_time)
        share = max(share, program.bound(y))
        if share >= 1.0:
            break
    w, x = dual.primal(y)
    jammers = len(problem.jammers)
    per_share_j = min(float(unit.min(initial=math.inf)) * (box.time_s[0] + box.uplink_s[0]), budget_j)
    # The factor of the central path: the slack of the cap tells nothing, the variables u and T lie in [0, 1].
    factor = gap / (len(y) + len(x) + len(w) + 1)
    w, x = factor * w, factor * x
    (t1, t2), (r1, r2) = box.time_s, box.range
    value = r1 + (r2 - r1) * min(float(x[jammers]), 1.0)
    trace = max(value, 1e-300) if box.inverse else 1.0
    return Relaxed(
        bound_j=budget_j if share >= 1.0 else max(share * per_share_j, before_j),
        covariance=w / trace,
        power_w=np.minimum(unit * x[:jammers], problem.most_w),
        time_s=t1 + (t2 - t1) * min(float(x[jammers + 1]), 1.0),
        sinr=1 / trace if box.inverse else value,
    )


def _program(problem: SetProblem, box: Box, budget_j: float, before_j: float) -> tuple[SmallSDP, np.ndarray]:
    """Return the program in W and x = (jammers' shares, u or b and T as shares of ranges), and shares in W (M,)."""
    (t1, t2), (u1, u2), (r1, r2) = box.time_s, box.uplink_s, box.range
    users, eves, jammers = len(problem.users), len(problem.eves), len(problem.jammers)
    unit = np.full(jammers, budget_j / (t1 + u1))
    curb = problem.curb_w(u2)
    if curb is not None and (curb < unit).all():
        unit = curb
    excess = problem.excess(t2) * (1 - NUDGE)  # γ₁ − 1
    bend = (1 + excess) * problem.exponent_s / t2**2 * (t2 - t1) * (1 - NUDGE)  # |γ'(T₂)| (T₂ − T₁)
    per_value = excess if box.inverse else 1 + excess
    need = (1 + excess if box.inverse else excess) + per_value * r1
    span = r2 - r1
    width = jammers + 2
    at_user, at_eve = unit * problem.at_user, unit * problem.at_eve

    receive = np.zeros((users, width))
    receive[:, :jammers] = -need * at_user
    receive[:, jammers] = -per_value * span
    receive[:, jammers + 1] = (1 + r1) * bend
    receive_right = np.full(users, need + (1 + r1) * bend)

    overhear = np.zeros((eves, width))
    overhear[:, :jammers] = (1.0 if box.inverse else r2) * at_eve
    overhear[:, jammers] = 0.0 if box.inverse else span
    overhear_right = np.full(eves, -1.0 if box.inverse else -r1)

    budget = np.zeros((1, width))
    budget[0, jammers] = span if box.inverse else 0.0
    budget_right = np.array([-r1 if box.inverse else -1.0])

    rows, level = problem.uplink_rows(*problem.uplink_needs(u2))
    uplink = np.hstack([unit * rows, np.zeros((len(rows), 2))])
    loud = np.flatnonzero(problem.most_w / unit < 1.0)
    upper = np.zeros((len(loud) + 2, width))
    upper[np.arange(len(loud)), loud] = -1.0
    upper[-2:, jammers:] = -np.eye(2)
    upper_right = np.append(-problem.most_w / unit[loud], [-1.0, -1.0])

    cost = np.ones(width)
    cost[jammers] = 0.0
    cost[jammers + 1] = before_j / (t2 + u2) * (t2 - t1) / budget_j
    program = SmallSDP(
        vectors=np.concatenate([problem.users, problem.eves]),
        signs=np.repeat([1.0, -1.0], [users, eves]),
        matrix=np.concatenate([receive, overhear, budget, uplink, upper]),
        right=np.concatenate([receive_right, overhear_right, budget_right, -level, upper_right]),
        cost=cost,
        most=np.ones(width),
        shared=jammers,
        trace=r2 if box.inverse else 1.0,
    )
    return program, unit
