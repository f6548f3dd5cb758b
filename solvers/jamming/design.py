r"""Beams and jammers for one selection: successive convex approximation from a relaxation's solution.

At a downlink time T, with γ = exp(exponent / T), a beam x = √u v and powers p serve the selection if

    |h_kᴴx|² / I_k(p) ≥ γ + (γ − 1) u,      |g_eᴴx|² ≤ I_e(p),      ‖x‖² ≤ u,      uplink p + level ≥ 0

(:mod:`solvers.jamming.relaxation`). The quotient on the left is convex in (x, I), so that its tangent at the point
before is a lower bound; with it all is convex in (x, p, u), and each step's solution is feasible. The jammers' power
is minimised, plus a penalty on a slack that all rows share, so that a step may start anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from secagent_env import Decision, Instance, evaluate
from solvers.jamming.local import locally_best
from solvers.jamming.problem import SetProblem
from solvers.jamming.relaxation import Relaxed
from solvers.numerics.barrier import minimise

MARGIN = 1e-4
"""Relative reserve in every row."""
PENALTY = 1e4
"""Price of the slack."""
UPLINKS = 40
"""Uplink times that are compared."""
CLOSE = np.array([0.01, 0.3, 0.1])
"""Designs whose times and eavesdroppers' SINR differ by less, as logarithms, count as one."""
MORE = np.logspace(-6, 3, 120)
"""By how much θ may exceed the largest ratio of gains."""
LEAST_SPARE = 0.7
"""The share of what the base station hears that is left to jammers and noise."""
FURTHEST = 4.0
"""By what factor u may grow in a step."""
PROMISING = 0.02
"""A local optimum is sought where it may be cheaper than the cut-off: where a design is dearer by at most this."""
DRAWS = 200
"""Beams that are drawn from a relaxed solution, to start from the best one."""
HOPELESS = 0.7
"""A design is given up where a step leaves more than this share of the slack before."""
SILENT = 1e-6
"""Shares of the jammers' power below which one is silenced."""


class Designer:
    """Turns relaxed solutions into decisions, not twice for nearly the same one."""

    def __init__(self, instance: Instance, selection: np.ndarray, problem: SetProblem) -> None:
        self.instance = instance
        self.selection = selection
        self.problem = problem
        self._tried: list[np.ndarray] = []
        uplinks = np.geomspace(problem.uplink_s, max(problem.total_s, 2 * problem.uplink_s), UPLINKS)[:-1]
        senders = (_Senders.of(problem, float(time_s), instance.scenario.colluding) for time_s in uplinks)
        self._senders = [sent for sent in senders if sent is not None]

    def decisions(self, relaxed: Relaxed, cutoff_j: float, check_time: Callable[[], None]) -> list[Decision]:
        """Return decisions near the relaxed solution; none where a close one has been tried."""
        decisions = []
        for longest in (relaxed.time_s, *([] if self._tried else [math.inf])):  # once with all the time there is
            times = self._times(longest)
            if times is None:
                continue
            time_s, senders = times
            place = np.log([time_s, senders.time_s, relaxed.sinr + 1e-3])
            if any((np.abs(place - other) < CLOSE).all() for other in self._tried):
                continue
            self._tried.append(place)
            design = _improve(self.problem, relaxed, time_s, senders, check_time)
            if design is None:
                continue
            decisions += self._complete(*design, senders, cutoff_j, check_time)
            faster = self._fastest(design[1])
            if faster.time_s < senders.time_s:  # what the downlink needs lets them: it gets the time
                near = replace(relaxed, covariance=np.outer(design[0], design[0].conj()), power_w=design[1])
                time_s = (self.problem.total_s - faster.time_s) * (1 - 1e-6)
                again = _improve(self.problem, near, time_s, faster, check_time)
                if again is not None:
                    decisions += self._complete(*again, faster, cutoff_j, check_time)
        return decisions

    def _times(self, longest_s: float) -> tuple[float, _Senders] | None:
        """Return a downlink time of at most ``longest_s``, and senders that leave time for it; None if none do.

        They are chosen as if the jammers' powers were proportional to what the receivers need, and to ρ.
        """
        problem = self.problem
        best = None
        for senders in self._senders:
            time_s = min(longest_s, (problem.total_s - senders.time_s) * (1 - 1e-6))
            if time_s > problem.downlink_s:
                cost = senders.dearness + math.log(problem.excess(time_s)) + math.log(time_s + senders.time_s)
                if best is None or cost < best[0]:
                    best = cost, time_s, senders
        return None if best is None else best[1:]

    def _fastest(self, power_w: np.ndarray) -> _Senders:
        """Return the fastest senders whom jammers of powers (M,), W, protect, or the slowest ones."""
        for senders in self._senders:
            rows, level = self.problem.uplink_rows(np.eye(len(senders.least)), senders.least)
            if (rows @ power_w + level >= 0).all():
                return senders
        return self._senders[-1]

    def _complete(
        self,
        beam: np.ndarray,
        power_w: np.ndarray,
        senders: _Senders,
        cutoff_j: float,
        check_time: Callable[[], None],
    ) -> list[Decision]:
        """Return the decision with senders, and the local optimum near it."""
        instance = self.instance
        power = np.zeros(len(self.selection))
        power[self.problem.jammers] = power_w
        heard = (1 + float(self.problem.at_bs @ power_w)) * instance.scenario.noise_power_w
        own = instance.bs_gain[self.selection]
        power[self.selection] = senders.share * heard / (1 - senders.share.sum()) / own
        beamformer = math.sqrt(instance.scenario.bs_power_w) * beam
        decision = Decision(selection=self.selection, beamformer=beamformer, power_w=power)
        outcome = evaluate(instance, decision)
        if not outcome.feasible or outcome.energy_j > cutoff_j * (1 + PROMISING):
            return [decision]
        return [decision, locally_best(instance, decision, check_time)]


@dataclass(frozen=True)
class _Senders:
    """What the selected send within ``time_s``: their shares z (K,), and the ratios ρ (E,) that jammers must ensure.

    ``dearness`` is by how much, as a logarithm, ρ exceeds the largest ratio of gains.
    """

    time_s: float
    share: np.ndarray
    least: np.ndarray
    dearness: float

    @classmethod
    def of(cls, problem: SetProblem, time_s: float, colluding: bool) -> _Senders | None:
        """Return the senders whose ρ is least, if θ_e exceeds max r_ne by the same ratio 1 + x for every e.

        The shares are then z_n = max_e a_ne, and (1 − Σ z) ρ_e + Σ z_n r_ne = θ_e
        (:meth:`~solvers.jamming.problem.SetProblem.least_ratio`). Of colluding eavesdroppers the r_ne / θ_e add up.
        None if the shares are more than all.
        """
        rate = math.expm1(min(problem.uplink_exponent_s / time_s, 600.0))
        theta = (1 + MORE[:, None]) * np.maximum(problem.ratios.max(axis=0), 1e-12)  # (X, E)
        part = problem.ratios / theta[:, None]
        room = rate + 1 - (part.sum(axis=2) if colluding else part.max(axis=2))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(room > 0, rate / room, np.inf)  # (X, K)
            spare = 1 - share.sum(axis=1)
            least = (theta - share @ problem.ratios) / spare[:, None]
        dear = np.where(
            spare >= LEAST_SPARE, np.log(np.maximum(least / theta * (1 + MORE[:, None]), 1e-300)).max(axis=1), np.inf
        )
        best = int(np.nanargmin(dear))
        return cls(time_s, share[best], least[best], float(dear[best])) if np.isfinite(dear[best]) else None


def _improve(
    problem: SetProblem,
    relaxed: Relaxed,
    time_s: float,
    senders: _Senders,
    check_time: Callable[[], None],
    steps: int = 8,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a beam v (L,) of length at most 1 and powers (M,), W, for a downlink time, s, and senders.

    None where no step ends without slack.
    """
    rows = problem.uplink_rows(np.eye(len(senders.least)), senders.least)
    power = np.maximum(relaxed.power_w, 1e-9 * max(float(relaxed.power_w.max(initial=0.0)), 1e-12))
    beam, heard = _best_draw(problem, relaxed.covariance, power)
    u = 1 / max(heard, 1e-6)
    x = beam * math.sqrt(u * 0.999)
    best, spent, before = None, math.inf, math.inf
    for _ in range(steps):
        program = _Tangents(problem, rows, time_s, x, power, u)
        z = minimise(program, program.start(), gap=1e-5, first_gap=1.0, check_time=check_time)
        x, power, u, slack = program.parts(z)
        if slack > max(MARGIN, HOPELESS * before):
            return best
        before = slack
        total = float(power.sum())
        if slack < 0.5 * MARGIN:
            gain, spent = spent - total, total
            best = x / math.sqrt(u), np.where(power > SILENT * total, power, 0.0)
            if gain < 1e-4 * total:
                break
    return best


def _best_draw(problem: SetProblem, covariance: np.ndarray, power_w: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the unit vector (L,), among W's principal one and draws of CN(0, W), that is best for the secrecy rate.

    With the eavesdroppers' largest SINR, beside jammers of powers (M,), W.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    noise = np.random.default_rng(0).standard_normal((2, DRAWS, len(values)))
    beams = np.concatenate([vectors[:, -1:].T, (noise[0] + 1j * noise[1]) @ root.T])
    beams /= np.linalg.norm(beams, axis=1, keepdims=True)
    reached = np.abs(beams @ problem.users.conj().T) ** 2 / (1 + problem.at_user @ power_w)
    heard = np.abs(beams @ problem.eves.conj().T) ** 2 / (1 + problem.at_eve @ power_w)
    leaked = heard.max(axis=1)
    best = int(np.argmax((1 + reached.min(axis=1)) / (1 + leaked)))
    return beams[best], float(leaked[best])


class _Tangents:
    """One step, in z = (Re x, Im x, q, u, s): powers in units of the sum before, u relative, s the slack.

    See :class:`~solvers.numerics.barrier.ConvexProgram`.
    """

    def __init__(
        self,
        problem: SetProblem,
        rows: tuple[np.ndarray, np.ndarray],
        time_s: float,
        x: np.ndarray,
        power: np.ndarray,
        u: float,
    ) -> None:
        uplink, passed = rows
        self.unit, self.u = float(power.sum()) or 1e-9, u
        self.dimension = d = len(x)
        self.jammers = m = len(power)
        excess = problem.excess(time_s)
        root = math.sqrt(u)
        x = x / root
        users, eves = problem.users.conj() * root, problem.eves.conj() * root
        size = 2 * d + m + 2
        received = users @ x
        interference = 1 + problem.at_user @ power
        # |hᴴx|²/I ≥ 2 Re(conj(hᴴx₀) hᴴx)/I₀ − |hᴴx₀|² I/I₀², over what is needed.
        need = (1 + MARGIN) * (1 + excess + excess * u)
        slope = 2 * received.conj()[:, None] * users / (interference * need)[:, None]
        fall = np.abs(received) ** 2 / interference**2 / need
        k, e = len(users), len(eves)
        linear = np.zeros((k + len(passed), size))
        linear[:k, :d], linear[:k, d : 2 * d] = slope.real, -slope.imag
        linear[:k, 2 * d : 2 * d + m] = -fall[:, None] * problem.at_user * self.unit
        linear[:k, -2] = -(1 + MARGIN) * excess * u / need
        level = np.concatenate([-fall - (1 + MARGIN) * (1 + excess) / need, passed - MARGIN])
        uplink = uplink * self.unit
        linear[k:, 2 * d : 2 * d + m] = uplink
        scale = np.maximum(np.abs(uplink).max(axis=1, initial=0.0), np.abs(passed))
        linear[k:] /= scale[:, None]
        level[k:] /= scale
        # (1 + b·p)(1 − margin) − |gᴴx|² ≥ 0, over what is there now.
        room = 1 + problem.at_eve @ power
        heard = np.stack([np.hstack([eves.real, -eves.imag]), np.hstack([eves.imag, eves.real])], axis=1)
        heard = heard / np.sqrt(room)[:, None, None]
        self.quadratic = np.zeros((e + 1, 2 * d, 2 * d))
        self.quadratic[:e] = heard.transpose(0, 2, 1) @ heard
        self.quadratic[e] = np.eye(2 * d)
        curved = np.zeros((e + 1, size))
        curved[:e, 2 * d : 2 * d + m] = (1 - MARGIN) * problem.at_eve * self.unit / room[:, None]
        curved[e, -2] = 1.0
        self.linear = np.concatenate([curved, linear])
        self.linear[:, -1] = 1.0
        self.level = np.concatenate([(1 - MARGIN) / room, [0.0], level])
        self.most = np.full(m, problem.most_w / self.unit)
        self.cost = np.zeros(size)
        self.cost[2 * d : 2 * d + m] = 1.0
        self.cost[-1] = PENALTY
        self.point = np.concatenate([x.real, x.imag, power / self.unit, [1.0, 0.0]])

    def start(self) -> np.ndarray:
        """Return a strictly feasible z near the point before."""
        z = self.point.copy()
        powers = slice(2 * self.dimension, -2)
        z[powers] = np.clip(z[powers], 1e-6, None) * 1.001
        z[powers] = np.minimum(z[powers], 0.999 * self.most)
        z[-1] = max(0.0, -float(self._rows(z).min())) * 1.01 + 1e-4
        return z

    def parts(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Return x (L,), the powers (M,) in W, u, and the slack."""
        d = self.dimension
        x = (z[:d] + 1j * z[d : 2 * d]) * math.sqrt(self.u)
        return x, z[2 * d : -2] * self.unit, float(z[-2]) * self.u, float(z[-1])

    def _rows(self, z: np.ndarray) -> np.ndarray:
        rows = self.linear @ z + self.level
        x = z[: 2 * self.dimension]
        rows[: len(self.quadratic)] -= (self.quadratic @ x) @ x
        return np.asarray(rows)

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        powers = z[2 * self.dimension : -2]
        return float(self.cost @ z), np.concatenate(
            [self._rows(z), powers, self.most - powers, z[-2:], [FURTHEST - z[-2]]]
        )

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        d2, curved = 2 * self.dimension, len(self.quadratic)
        rows = self._rows(z)
        jacobian = self.linear.copy()
        jacobian[:curved, :d2] -= 2 * (self.quadratic @ z[:d2])
        scaled = jacobian / rows[:, None]
        gradient = sharpness * self.cost - scaled.sum(axis=0)
        hessian = scaled.T @ scaled
        hessian[:d2, :d2] += 2 * np.tensordot(1 / rows[:curved], self.quadratic, 1)
        above, below = 1 / z[d2:], 1 / (self.most - z[d2:-2])
        gradient[d2:] -= above
        gradient[d2:-2] += below
        edge = 1 / (FURTHEST - z[-2])
        gradient[-2] += edge
        diagonal = np.zeros(len(z))
        diagonal[-2] = edge**2
        diagonal[d2:] += above**2
        diagonal[d2:-2] += below**2
        hessian[np.diag_indices(len(z))] += diagonal
        return gradient, hessian
