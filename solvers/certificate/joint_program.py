r"""Jammers and beam at once: whether a selection can be served, as a convex program.

Whether jamming helps depends on the beam, and which beam is good on who jams; solved in turn, both stay where they are.
Together they are convex once one number is fixed. Let t = max_e (1 + SINR_e) be what the eavesdroppers are granted
and γ the ratio that the downlink needs, log2 γ = (s + D) / (B t^dl). With W = w w^H relaxed to W ⪰ 0 the
secrecy rate is at least log2 γ if

    h_k^H W h_k ≥ (γ t − 1) (Σ_m a_mk p_m + σ²)    for every selected agent k,
    g_e^H W g_e ≤ (t − 1) (Σ_m |h_m,e|² p_m + σ²)    for every eavesdropper e,

over the unselected agents m: linear in W and p together. So is the test of the uplink beside nearly silent senders,
Σ_m (|h_m,e|² − r_ne g_m) p_m + (1 − r_ne) σ² ≥ 0 with r_ne = |h_n,e|² / g_n. The program maximises by how much the
worst agent exceeds its row, for a few t; a barrier method takes milliseconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from secagent_env import Instance
from secagent_env.allocation.actions import LOWEST_POWER_W
from solvers.certificate.integer_program import TOLERANCE
from solvers.certificate.linear_test import linear_test
from solvers.numerics.barrier import minimise
from solvers.numerics.hermitian import hermitian_basis, log_det_barrier, pivots

GRANTED = (2.0, 5.0, 30.0, 300.0, 3000.0)
"""Values of t that are tried."""
SCHEDULES = ((1e7, 30.0), (1e7, 8.0), (1e4, 30.0), (1e6, 15.0), (1e5, 50.0))
"""First gap and reduction of the barrier method, tried in turn until one gives a proof."""
GAPS = (1e-2, 0.3, 10.0, 300.0)
"""Duality gaps at which multipliers are read off; the barrier method may have stopped before the smallest."""
MARGIN = 0.01
"""By how much the senders pass the test of the uplink."""


@dataclass(frozen=True)
class Protection:
    """Jamming powers (N,), W, for a selection, and the margin of the worst agent: secret if positive."""

    jammer_w: np.ndarray
    margin: float


def protect(instance: Instance, selection: np.ndarray, granted: tuple[float, ...] = GRANTED) -> list[Protection]:
    """Return jammers beside which a selection (N,) bool may be served, best first; empty if the uplink cannot be.

    One program is solved for each of the values ``granted`` of t.
    """
    program = _Program(instance, selection, MARGIN)
    y = program.uplink_start()
    if y is None:
        return []
    protections = []
    for t in granted:
        program.grant(t)
        z = minimise(program, program.start(y), gap=1e-4, first_gap=1.0)
        power = np.zeros(len(selection))
        power[~selection] = z[program.matrices : -1] * program.unit
        power[power < LOWEST_POWER_W] = 0.0
        protections.append(Protection(np.minimum(power, instance.scenario.max_power_w), float(z[-1])))
    return sorted(protections, key=lambda protection: -protection.margin)


def unservable(
    instance: Instance, core: np.ndarray, max_programs: int = 100, check_time: Callable[[], None] | None = None
) -> bool:
    """Return whether it is proved that no decision selects all of ``core`` (N,) bool; False leaves it open.

    **What is relaxed.** Of a feasible decision that selects S ⊇ core, take the powers p_m of the unselected agents, the
    largest 1 + SINR of the eavesdroppers for t, and w w^H for W. By the argument of
    :mod:`solvers.certificate.secrecy_program` the test of the uplink also holds without the powers of the selected. So
    the rows of the program hold for the agents of the core, with p_m = 0 for the others of S. The time for the downlink
    is at most τ less the core's time of computing. For all t in [t₁, t₂] the rows with t₁ for the agents and t₂ for the
    eavesdroppers are a relaxation. **What is computed.** The interval of all possible t is cut up until for each piece
    the multipliers of the barrier method prove a negative margin (weak duality, evaluated with safety 1e-3): no
    solver's accuracy is relied upon.

    The proof gives up after ``max_programs`` pieces. ``check_time`` is called between programs and may raise.
    """
    program = _Program(instance, core, 0.0, together=False)
    y = program.uplink_start()
    if y is None:
        return False
    # Beyond this t the weakest agent of the core cannot hear enough.
    most = max((1 + float(program.snr[: program.users].min())) / program.gamma, 1.0) - 1
    edges = np.append(0.0, np.geomspace(1e-3, max(most, 2e-3), 9))
    pieces = list(itertools.pairwise(edges))
    for _ in range(max_programs):
        if not pieces:
            return True
        if check_time is not None:
            check_time()
        low, high = pieces.pop()
        program.grant(1 + low, 1 + high)
        if program.negative(y):
            continue
        middle = 0.1 * high if low == 0.0 else np.sqrt(low * high)
        program.grant(1 + middle)
        if high < 1e-7 or (low > 0.0 and high < 1.002 * low) or not program.negative(y):
            return False  # no finer pieces would help
        pieces += [(low, middle), (middle, high)]
    return False


class _Program:
    """The program in z = (W in d² real coordinates, y, v): y the jammers' powers in units, v the margin."""

    def __init__(self, instance: Instance, selection: np.ndarray, margin: float, together: bool = True) -> None:
        scenario = instance.scenario
        noise, jammers = scenario.noise_power_w, ~selection
        gain, heard = np.maximum(instance.bs_gain, 1e-300), instance.gain_eve
        channels = np.concatenate([instance.channel_bs[selection], instance.channel_eve])
        scale = np.maximum(np.linalg.norm(channels, axis=1), 1e-300)
        unit_rows = channels / scale[:, None]
        span, values, _ = np.linalg.svd(unit_rows.T, full_matrices=False)
        seen = unit_rows @ span[:, values > 1e-9 * values[0]].conj()
        d = self.dimension = seen.shape[1]
        self.matrices = d * d
        self.basis = hermitian_basis(d)
        quadratic = np.einsum("kd,ide,ke->ki", seen.conj(), self.basis, seen).real
        snr = scenario.bs_power_w / noise * scale**2
        k = self.users = int(selection.sum())
        self.quadratic, self.snr = quadratic, snr
        # A unit of jamming is a thousand times the noise at the eavesdropper who hears it best.
        self.unit = 1e3 * noise / np.maximum(heard[jammers].max(axis=1), 1e-30)
        self.at_user = (instance.gain_agents[jammers][:, selection] * self.unit[:, None] / noise).T
        self.at_eve = (heard[jammers] * self.unit[:, None] / noise).T
        total = heard[selection].sum(axis=1, keepdims=True) if scenario.colluding and together else heard[selection]
        ratio = np.broadcast_to(total / gain[selection, None], (k, heard.shape[1])) * (1 + margin)
        at_bs = gain[jammers] * self.unit / noise
        slope, level = linear_test(1.0, ratio, at_bs, self.at_eve.T)
        slope, level = slope.reshape(-1, len(at_bs)), level.ravel()
        size = np.maximum(np.abs(slope).max(axis=1, initial=0.0), np.abs(level))
        self.uplink, self.uplink_level = slope / size[:, None], level / size
        self.most = np.maximum(scenario.max_power_w / self.unit, 1e-6)
        selected_time = float(instance.inference_time_s[selection].max())
        limit = scenario.latency_limit_s * (1 + TOLERANCE)
        spare = max(limit - selected_time, 1e-3 * scenario.latency_limit_s)
        self.gamma = 2.0 ** min(scenario.downlink_bits / (scenario.bandwidth_hz * spare), 60.0)
        self.goal = 1.0
        """The unit of the objective −v."""
        self.least_need = 0.0
        self.matrix = np.zeros((0, 0))
        self.level = np.zeros(0)

    def uplink_start(self) -> np.ndarray | None:
        """Return powers that pass the test of the uplink strictly, or None."""
        jammers = len(self.most)
        most = np.minimum(self.most, 1.0)
        if (self.uplink_level > 0).all():
            return 1e-3 * np.minimum(most, self.uplink_level.min() / max(jammers, 1))
        result = optimize.linprog(
            np.append(np.zeros(jammers), -1.0),
            A_ub=np.hstack([-self.uplink, np.ones((len(self.uplink), 1))]),
            b_ub=self.uplink_level,
            bounds=[*((1e-6 * high, 0.9 * high) for high in most), (None, 1.0)],
        )
        return result.x[:-1] if result.x is not None and result.x[-1] > 1e-9 else None

    def grant(self, t: float, at_most: float | None = None) -> None:
        """Set t, the largest 1 + SINR of the eavesdroppers, or the least and the largest value that it may have."""
        k, m = self.users, len(self.most)
        need = (self.gamma * t - 1) / self.snr[:k]
        self.least_need = float(need.min())
        offer = self.snr[k:] / ((at_most or t) - 1)
        users = np.hstack([self.quadratic[:k], -need[:, None] * self.at_user, -np.ones((k, 1))])
        eves = np.hstack([-offer[:, None] * self.quadratic[k:], self.at_eve, np.zeros((len(offer), 1))])
        uplink = np.hstack([np.zeros((len(self.uplink), self.matrices)), self.uplink, np.zeros((len(self.uplink), 1))])
        trace = np.einsum("idd->i", self.basis).real
        budget = np.concatenate([-trace, np.zeros(m + 1)])[None]
        eye = np.hstack([np.zeros((m, self.matrices)), np.eye(m), np.zeros((m, 1))])
        self.matrix = np.concatenate([users, eves, uplink, budget, eye, -eye / self.most[:, None]])
        self.level = np.concatenate([-need, np.ones(len(offer)), self.uplink_level, [1.0], np.zeros(m), np.ones(m)])

    def start(self, y: np.ndarray) -> np.ndarray:
        """Return a strictly feasible z with the jammers y."""
        z = np.concatenate([np.zeros(self.matrices), y, [0.0]])
        identity = np.einsum("idd->i", self.basis).real  # I in the basis, which is orthonormal
        z[: self.matrices] = identity
        eves = slice(self.users, len(self.snr))
        taken = -(self.matrix[eves, : self.matrices] @ identity)
        room = self.level[eves] + self.at_eve @ y
        z[: self.matrices] *= 0.5 * min(float(np.min(room / np.maximum(taken, 1e-300))), 1 / self.dimension)
        z[-1] = float((self.matrix[: self.users] @ z + self.level[: self.users]).min()) - 1.0
        return z

    def negative(self, y: np.ndarray) -> bool:
        """Return whether the margin is proved to be negative, from a start with the jammers y."""
        self.goal = self.least_need
        for first_gap, reduction in SCHEDULES:  # the multipliers are good where the last Newton steps were
            start = self.start(y)
            z = minimise(self, start, gap=1e-2, first_gap=first_gap, reduction=reduction, max_steps=400)
            if self.dual(z) < -1e-3 * self.least_need:
                return True
            if z[-1] > 0:
                return False
        return False

    def dual(self, z: np.ndarray) -> float:
        """Return an upper bound on the margin v, from the multipliers that the barrier has at z.

        For weights u ≥ 0 of the rows (those of the users sum to 1) the margin is at most the maximum of their
        weighted sum over tr W ≤ 1, W ⪰ 0 and 0 ≤ y ≤ most, which is λ_max of what multiplies W, where positive, plus
        the positive coefficients of y, each times its limit, plus a constant.
        """
        rows = len(self.snr) + len(self.uplink)
        slack = self.matrix @ z + self.level
        bound = np.inf
        for gap in GAPS:
            # After a Newton step in z the multipliers (1 − ds/s) / s meet the conditions on y to the last digit.
            gradient, hessian = self.newton(z, (len(slack) + self.dimension) / gap)
            scale = 1 / np.sqrt(np.diagonal(hessian))
            step = -scale * np.linalg.lstsq(hessian * scale * scale[:, None], scale * gradient, rcond=1e-15)[0]
            for u in ((1 - self.matrix @ step / slack) / slack, 1 / slack):
                u = np.maximum(u[:rows], 0.0)
                u /= max(u[: self.users].sum(), 1e-300)
                combined = u @ self.matrix[:rows]
                values = np.linalg.eigvalsh(np.tensordot(combined[: self.matrices], self.basis, 1))
                powers = float(np.maximum(combined[self.matrices : -1], 0.0) @ self.most)
                bound = min(bound, max(float(values[-1]), 0.0) + powers + float(u @ self.level[:rows]))
        return bound

    def _covariance(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.tensordot(z[: self.matrices], self.basis, 1))

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        value, positive = -float(z[-1]) / self.goal, pivots(self._covariance(z))
        return value, np.full(1, -1.0) if positive is None else np.append(self.matrix @ z + self.level, positive)

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        scaled = self.matrix / (self.matrix @ z + self.level)[:, None]
        gradient = -scaled.sum(axis=0)
        gradient[-1] -= sharpness / self.goal
        hessian = scaled.T @ scaled
        slope, bend = log_det_barrier(self._covariance(z), self.basis)
        gradient[: self.matrices] += slope
        hessian[: self.matrices, : self.matrices] += bend
        return gradient, hessian
