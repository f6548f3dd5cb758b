"""The auxiliary selection α̂ of Algorithm 1: the convex program (41), corrected, and its rounding.

    min  Σ_n (1 − α_n) p_n (t_dl + T_ul) + ρ ‖α̂ − α‖²      over α̂ ∈ [0, 1]^N, t_dl, T_inf, T_ul
    s.t. t_dl + T_inf + T_ul ≤ τ,   T_inf ≥ α̂_n t_n,   T_ul ≥ α̂_n t_n^ul,
         (s + D)/(B t_dl) + r_eve(α̂) ≤ r_n(α̂) + (1 − α̂_n) Ω    for all n.

r_eve is convex in α̂; r_n is too, and stands on the other side: it is replaced by its tangent, a lower bound (39).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from secagent_env import evaluate
from secagent_env.model.physics import LN2
from solvers.asc.costs import Costs, SelectionProblem
from solvers.numerics.barrier import minimise

NEVER = 2.0
"""Cap on times, in units of τ: an agent that needs twice the limit keeps α̂_n below one half anyway."""
PRECISION = 0.02
"""To how much of the penalty of one agent (41) is solved."""


def relaxed_selection(
    problem: SelectionProblem,
    selection: np.ndarray,
    around: np.ndarray,
    costs: Costs,
    rho: float,
    check_time: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Return the rounded α̂ (N,) bool that solves (41) near α, which is ``selection``, at the penalty coefficient ρ.

    ``around`` is α̂ of the iteration before, where the rates are linearised, (N,) bool. Of the costs the unit of energy
    and the uplink times count. ``check_time`` is called between Newton steps and may raise.
    """
    if not problem.jammer_w.any():
        latency = evaluate(problem.instance, problem.decision(selection)).latency_s
        if latency <= problem.instance.scenario.latency_limit_s:
            return selection  # neither energies nor rates depend on α̂ then, and nothing keeps it from α
    return rounded(AuxiliaryProgram(problem, selection, around, costs, rho), check_time)


def rounded(program: AuxiliaryProgram, check_time: Callable[[], None] = lambda: None) -> np.ndarray:
    """Return the solution α̂ of (41), rounded, (N,) bool."""
    z = minimise(program, program.start(), gap=PRECISION * program.penalty, check_time=check_time)
    return np.asarray(z[: program.agents] >= 0.5)


class AuxiliaryProgram:
    """(41) in z = (α̂, t_dl, T_inf, T_ul); times in units of τ, rates in nats.

    M rows of eavesdroppers: one each, or one for all if they collude.
    """

    def __init__(
        self, problem: SelectionProblem, selection: np.ndarray, around: np.ndarray, costs: Costs, rho: float
    ) -> None:
        instance, beamformer, jammer_w = problem.instance, problem.beamformer, problem.jammer_w
        scenario = instance.scenario
        limit, noise = scenario.latency_limit_s, scenario.noise_power_w
        self.penalty = rho
        self.alpha = selection.astype(float)
        self.agents = len(self.alpha)
        self.times = np.minimum(np.stack([instance.inference_time_s, costs.uplink_time_s]) / limit, NEVER)
        self.bits = scenario.downlink_bits * LN2 / (scenario.bandwidth_hz * limit)
        self.limit = limit
        self.weigh(float(jammer_w[~selection].sum()), costs)

        # Everything received is divided by the noise; column m of `heard` is what agent m adds while it jams.
        signal = np.abs(instance.channel_bs.conj() @ beamformer) ** 2 / noise
        heard = instance.gain_agents.T * (jammer_w / noise)
        interference = 1 + heard @ (1.0 - around)
        slope = (signal / (interference * (interference + signal)))[:, None] * heard
        self.slope = slope
        self.rate = np.log1p(signal / interference) - slope @ around
        self.signal_eve = np.abs(instance.channel_eve.conj() @ beamformer) ** 2 / noise
        self.heard_eve = instance.gain_eve.T * (jammer_w / noise)
        self.colluding = scenario.colluding
        self.relax()

    def weigh(self, jamming_w: float, costs: Costs) -> None:
        """Set the weights of times and penalty, for jammers that have ``jamming_w`` together."""
        jamming = jamming_w * self.limit / costs.unit_j
        scale = 1 / max(1.0, jamming, self.penalty * self.agents)
        self.jamming, self.rho = jamming * scale, self.penalty * scale

    def relax(self) -> None:
        """Set Ω, large enough for the start to be strictly feasible."""
        n, z = self.agents, self.start()
        worst = 2 * self.bits + np.log1p(self.signal_eve.sum()) - np.min(self.rate + self.slope @ z[:n])
        self.omega = 2 * max(float(worst), 0.0) + 1

    def start(self) -> np.ndarray:
        """Return a strictly feasible z, every α̂_n near 0."""
        return np.concatenate([np.full(self.agents, 0.05), [0.5, 0.15, 0.15]])

    def _leak(self, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return r_eve (M,) and the interference plus noise at the eavesdroppers (E,)."""
        interference = 1 + self.heard_eve @ (1 - alpha)
        sinr = self.signal_eve / interference
        return np.log1p(sinr.sum(keepdims=True) if self.colluding else sinr), interference

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Return objective and slacks, see :class:`~solvers.numerics.barrier.ConvexProgram`."""
        alpha, (downlink, *longest) = z[: self.agents], z[self.agents :]
        f = self.jamming * (downlink + longest[1]) + self.rho * float(np.sum((alpha - self.alpha) ** 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            leak, _ = self._leak(alpha)
            reach = self.rate + self.slope @ alpha + (1 - alpha) * self.omega
            secrecy = reach[:, None] - leak - self.bits / downlink if downlink > 0 else np.full((1, 1), -1.0)
        waits = np.array(longest)[:, None] - self.times * alpha
        ends = [1 - downlink - longest[0] - longest[1], downlink]
        slack = np.concatenate([secrecy.ravel(), waits.ravel(), alpha, 1 - alpha, ends])
        return f, np.nan_to_num(slack, nan=-1.0)

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of the barrier function, see :class:`~solvers.numerics.barrier.ConvexProgram`."""
        n, size = self.agents, self.agents + 3
        alpha, downlink = z[:n], z[n]
        _, slack = self.values(z)
        leak, interference = self._leak(alpha)
        groups = len(leak)
        inverse = 1 / slack
        row = inverse[: n * groups].reshape(n, groups)

        gradient = np.zeros(size)
        gradient[:n] = 2 * sharpness * self.rho * (alpha - self.alpha)
        gradient[[n, n + 2]] = sharpness * self.jamming
        hessian = np.zeros((size, size))
        diagonal = np.zeros(size)
        diagonal[:n] = 2 * sharpness * self.rho

        # Secrecy rows: reach_n(α̂) − leak_m(α̂) − bits/t_dl.
        sinr = self.signal_eve / interference
        if self.colluding:
            total = 1 + sinr.sum()
            rise = ((sinr / interference / total) @ self.heard_eve)[None]
            curved = (self.heard_eve.T * (2 * sinr / interference**2 / total)) @ self.heard_eve - rise.T @ rise
            hessian[:n, :n] += row.sum() * curved
        else:
            rise = (sinr / (interference * (1 + sinr)))[:, None] * self.heard_eve
            bend = sinr * (2 + sinr) / (interference * (1 + sinr)) ** 2
            hessian[:n, :n] += (self.heard_eve.T * (row.sum(axis=0) * bend)) @ self.heard_eve
        rows = np.zeros((n, groups, size))
        rows[:, :, :n] = (self.slope - self.omega * np.eye(n))[:, None, :] - rise
        rows[:, :, n] = self.bits / downlink**2
        jacobian = rows.reshape(-1, size)
        flat = row.ravel()
        gradient -= flat @ jacobian
        hessian += (jacobian.T * flat**2) @ jacobian
        diagonal[n] += flat.sum() * 2 * self.bits / downlink**3

        # Waits: T − t_n α̂_n, for inference and uplink.
        waits = inverse[n * groups : n * groups + 2 * n].reshape(2, n)
        gradient[:n] += np.sum(waits * self.times, axis=0)
        gradient[n + 1 :] -= waits.sum(axis=1)
        diagonal[:n] += np.sum((waits * self.times) ** 2, axis=0)
        diagonal[n + 1 :] += np.sum(waits**2, axis=1)
        mixed = -(waits**2) * self.times
        hessian[:n, n + 1 :] += mixed.T
        hessian[n + 1 :, :n] += mixed

        # The box and the latency.
        low, high = 1 / alpha, 1 / (1 - alpha)
        gradient[:n] += high - low
        diagonal[:n] += low**2 + high**2
        room = inverse[-2]
        gradient[n:] += room
        hessian[n:, n:] += room**2
        gradient[n] -= 1 / downlink
        diagonal[n] += 1 / downlink**2
        hessian[np.diag_indices(size)] += diagonal
        return gradient, hessian
