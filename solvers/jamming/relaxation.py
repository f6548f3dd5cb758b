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

**Where nobody's jamming helps the uplink** a row −Σ_m w_m p_m + level ≥ 0 with w > 0 allows powers that may cost a
millionth of the budget (:attr:`~solvers.jamming.problem.SetProblem.curbed`). They are then counted in x = w p / level,
which is at most 1 in sum as well, and all that matters is whether a decision lies in the box. The program is then
to minimise the share t ≥ 0 of the receivers' needs that has to be forgone: a minimum above 0 proves that none does.

**Phases.** W may have a rank above 1. With w = √u v, or v in the form b, [W w; wᴴ 1] ⪰ 0, and where the phase of h_kᴴ w
is known to be within Δ ≤ π/2 of φ,

    Re(e^(−iφ) h_kᴴ w) ≥ cos Δ |h_kᴴ w| ≥ cos Δ √n_k,       n_k = γ + (γ − 1) u  or  γ − 1 + γ b,

of which the right side is at least its chord over the range of u or b. The phase of one receiver may be taken as 0.
All that the boxes' arcs leave out is covered by other boxes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.jamming.box import FINEST_ARC, Box, Lag
from solvers.jamming.dual import Dual, SmallSDP
from solvers.jamming.problem import SetProblem
from solvers.numerics.barrier import minimise

CAP = 4.0
"""Shares of the budget that no bound is sought beyond."""
ENOUGH = 1 + 1e-6
"""Shares of the budget at which a bound is high enough."""
GAPS = (1.0, 0.1, 1e-2, 1e-3)
"""Duality gaps, as shares of the budget, or of the needs, at which the barrier method is stopped to see whether the box
can be left."""
SHORT = 1e-7
"""The share of the needs that has to be forgone at least for a box to count as empty."""
NUDGE = 1e-12
"""By which coefficients are relaxed, so that no rounding of exp() counts."""


@dataclass(frozen=True)
class Relaxed:
    """The relaxation's solution: a proved bound on the jammers' energy, J, and a point near its optimum.

    The bound is infinite where no decision lies in the box, whatever it costs. ``covariance`` is W / u (in the form u)
    or W: (L, L) of trace at most 1, about; ``power_w`` (M,), the downlink time ``time_s`` and ``sinr`` b belong to it;
    ``lag`` says what a single beam falls short of.
    """

    bound_j: float
    covariance: np.ndarray
    power_w: np.ndarray
    time_s: float
    sinr: float
    lag: Lag


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
    program = _Program.of(problem, box, budget_j, before_j)
    dual = Dual(program.sdp, CAP)
    enough = SHORT if problem.curbed else 1.0
    y, best = dual.start(), -math.inf
    for gap in GAPS:
        y = minimise(dual, y, gap=gap, first_gap=gap, max_steps=60, enough=-ENOUGH * enough, check_time=check_time)
        best = max(best, program.sdp.bound(y))
        if best >= enough:
            break
    bound_j = before_j if problem.curbed else max(min(best, 1.0) * budget_j, before_j)
    lifted, x = dual.primal(y)
    covariance, beam = program.seen.plain(lifted)
    jammers = len(problem.jammers)
    # The factor of the central path: the slack of the cap tells nothing, the variables u and T lie in [0, 1].
    factor = gap / (len(y) + len(x) + len(lifted) + 1)
    (t1, t2), (r1, r2) = box.time_s, box.range
    value = r1 + (r2 - r1) * min(factor * float(x[jammers]), 1.0)
    trace = max(value, 1e-300) if box.inverse else 1.0
    return Relaxed(
        bound_j=math.inf if problem.curbed and best >= enough else bound_j,
        covariance=factor / trace * covariance,
        power_w=np.minimum(program.unit_w * factor * x[:jammers], problem.most_w),
        time_s=t1 + (t2 - t1) * min(factor * float(x[jammers + 1]), 1.0),
        sinr=1 / trace if box.inverse else value,
        lag=_lag(problem.users, box, covariance, beam),
    )


def _lag(users: np.ndarray, box: Box, covariance: np.ndarray, beam: np.ndarray | None) -> Lag:
    """Return who lags most behind what all receive of a covariance (L, L): of a beam (L,), or of the best one."""
    gram = users.conj() @ covariance @ users.T  # (K, K), h_kᴴ W h_n
    received = np.diagonal(gram).real
    # The best one gives agent n all of its power: W h_n / √(h_nᴴ W h_n).
    given = np.abs(gram) ** 2 / received if beam is None else np.abs(users.conj() @ beam)[:, None] ** 2
    lags = np.log(received.min() / np.maximum(given, 1e-300))
    lags[[arc.user for arc in box.arcs if arc.half < FINEST_ARC]] = 0.0
    reference = int(np.argmin(np.maximum(lags, 0.0).sum(axis=0)))
    user = int(lags[:, reference].argmax())
    return Lag(float(lags[user, reference]), reference, user)


@dataclass(frozen=True)
class _Program:
    """The program in W and x: the jammers' shares, u or b and T as shares of their ranges, and t where it counts.

    A jammer's share is ``unit_w`` (M,), W.
    """

    sdp: SmallSDP
    unit_w: np.ndarray
    seen: _Seen

    @classmethod
    def of(cls, problem: SetProblem, box: Box, budget_j: float, before_j: float) -> _Program:
        """Return the program over a box."""
        (t1, t2), (u1, u2), (r1, r2) = box.time_s, box.uplink_s, box.range
        jammers = len(problem.jammers)
        curb = problem.curb_w(u2) if problem.curbed else None
        unit = np.full(jammers, budget_j / (t1 + u1)) if curb is None else curb
        excess = problem.excess(t2) * (1 - NUDGE)  # γ₁ − 1
        bend = (1 + excess) * problem.exponent_s / t2**2 * (t2 - t1) * (1 - NUDGE)  # |γ'(T₂)| (T₂ − T₁)
        per_value = excess if box.inverse else 1 + excess
        need = (1 + excess if box.inverse else excess) + per_value * r1
        span, trace = r2 - r1, r2 if box.inverse else 1.0
        width = jammers + 2
        value, time = jammers, jammers + 1
        at_user, at_eve = unit * problem.at_user, unit * problem.at_eve

        receive = np.zeros((len(at_user), width))
        receive[:, :jammers] = -need * at_user
        receive[:, value] = -per_value * span
        receive[:, time] = (1 + r1) * bend
        receive_right = np.full(len(at_user), need + (1 + r1) * bend)

        overhear = np.zeros((len(at_eve), width))
        overhear[:, :jammers] = (1.0 if box.inverse else r2) * at_eve
        overhear[:, value] = 0.0 if box.inverse else span
        overhear_right = np.full(len(at_eve), -1.0 if box.inverse else -r1)

        walls = np.zeros((1 + bool(box.arcs), width))
        walls[0, value] = span if box.inverse else 0.0
        walls_right = np.array([-r1 if box.inverse else -1.0, -trace][: len(walls)])

        closeness = np.array([max(math.cos(arc.half), 0.0) * (1 - NUDGE) for arc in box.arcs])
        chord = math.sqrt(need * (need + per_value * span)) - need
        phases = np.zeros((len(box.arcs), width))
        phases[:, value] = -closeness * chord
        phases_right = closeness * need

        rows, level = problem.uplink_rows(*problem.uplink_needs(u2))
        uplink = np.hstack([unit * rows, np.zeros((len(rows), 2))])
        loud = np.flatnonzero(problem.most_w / unit < 1.0)
        limits = np.zeros((len(loud), width))
        limits[np.arange(len(loud)), loud] = -1.0
        tops = np.eye(width)[[value, time]]
        if curb is not None:
            tops = np.concatenate([tops, np.arange(width)[None] < jammers])

        cost = np.ones(width)
        cost[value] = 0.0
        cost[time] = before_j / (t2 + u2) * (t2 - t1) / budget_j
        matrix = np.concatenate([receive, overhear, walls, phases, uplink, limits, -tops])
        right = np.concatenate(
            [
                receive_right,
                overhear_right,
                walls_right,
                phases_right,
                -level,
                -problem.most_w / unit[loud],
                -np.ones(len(tops)),
            ]
        )
        if curb is not None:
            forgone = np.zeros((len(matrix), 1))
            forgone[: len(receive), 0] = 1.0
            forgone[len(receive) + len(overhear) + len(walls) :][: len(phases), 0] = 1.0
            matrix = np.hstack([matrix, forgone * right[:, None]])
            cost = np.append(np.zeros(width), 1.0)
        seen = _Seen.of(problem, box, need, trace)
        return cls(
            sdp=SmallSDP(
                vectors=seen.vectors,
                gather=seen.gather,
                matrix=matrix,
                right=right,
                cost=cost,
                most=np.ones(len(cost)),
                shared=jammers,
                walls=slice(len(receive) + len(overhear), len(receive) + len(overhear) + len(walls)),
                tops=len(tops),
                trace=trace * (1 + bool(box.arcs)),
            ),
            unit_w=unit,
            seen=seen,
        )


@dataclass(frozen=True)
class _Seen:
    """What the rows see of W, and of w where the box has arcs: then it is W's last column."""

    vectors: np.ndarray
    gather: np.ndarray
    lifted: bool

    @classmethod
    def of(cls, problem: SetProblem, box: Box, need: float, trace: float) -> _Seen:
        """Return it for the rows of receivers, eavesdroppers, walls and phases."""
        heard = np.concatenate([problem.users, problem.eves])
        (count, dimension), arcs = heard.shape, len(box.arcs)
        plain = np.concatenate([heard, np.eye(dimension)])
        gather = np.zeros((count + 1, len(plain)))
        gather[np.arange(count), np.arange(count)] = np.repeat([1.0, -1.0], [len(problem.users), len(problem.eves)])
        gather[count, count:] = -1.0
        if not arcs:
            return cls(plain, gather, lifted=False)
        # |a + b|² − |a − b|² = 4 Re(āb), with the last coordinate √trace and its factor √(need / trace).
        turned = np.array([np.exp(1j * arc.centre) * heard[arc.user] for arc in box.arcs])
        last = np.full((arcs, 1), math.sqrt(need / trace))
        vectors = np.concatenate(
            [
                np.pad(plain, ((0, 0), (0, 1))),
                np.eye(dimension + 1)[-1:],
                np.hstack([turned, last]),
                np.hstack([turned, -last]),
            ]
        )
        rows = np.zeros((count + 2 + arcs, len(vectors)))
        rows[: count + 1, : len(plain)] = gather
        rows[count + 1, len(plain)] = -1.0
        rows[count + 2 :, len(plain) + 1 :] = 0.25 * np.hstack([np.eye(arcs), -np.eye(arcs)])
        return cls(vectors, rows, lifted=True)

    def plain(self, lifted: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return W (L, L) and w (L,) in its scale, or None, from the program's matrix."""
        if not self.lifted:
            return lifted, None
        return lifted[:-1, :-1], lifted[:-1, -1] / math.sqrt(max(float(lifted[-1, -1].real), 1e-300))
