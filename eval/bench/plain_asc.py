"""Plain ASC: the paper's ASC written down equation by equation, with CVXPY, for checks and for speed ratios.

ASC (Algorithm 2 of *Secure and Energy-Efficient Wireless Agentic AI Networks*) alternates between a selection
by the ADMM-like penalty method of Algorithm 1, a beam by semidefinite relaxation (SDR), and powers by
successive convex approximation (SCA). Here every convex problem is built anew and handed to CVXPY whenever it
is needed, and only :func:`secagent_env.evaluate`, the solvers' common interface and the start of ``asc`` are shared
with the rest: an independent reference for the fast ``asc``, and the baseline of its speed figure.

The equation numbers are the paper's; where its equations are wrong, ``docs/model.md`` has the corrected ones,
which are used here. Units: channels are divided by the noise amplitude, so that the noise power is 1 and gain
times power is a signal-to-noise ratio; energies are divided by the mean execution energy, times by τ.
"""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import numpy as np

from secagent_env import Decision, Instance, Outcome
from secagent_env.allocation.guided import LOWEST_POWER_W
from secagent_env.support.extras import require
from solvers.asc.starts import starting_point
from solvers.interface.base import Solver, SolverRun
from solvers.interface.ranking import rank_by_violation

Array = np.ndarray
LN2 = float(np.log(2))
TOLERANCE = 1e-3
"""The SCA of the powers stops when a step saves less than this share of the transmission energy."""


class Network:
    """An instance in units in which the noise power is 1 (rates in nats), with the rates of the model."""

    def __init__(self, instance: Instance) -> None:
        self.scenario = instance.scenario
        noise = self.scenario.noise_power_w
        self.h = instance.channel_bs / np.sqrt(noise)  # (N, L)
        self.h_eve = instance.channel_eve / np.sqrt(noise)  # (E, L)
        self.gain = np.sum(np.abs(self.h) ** 2, axis=-1)  # g_n, (N,)
        self.gain_agents = instance.gain_agents / noise  # (N, N)
        self.gain_eve = instance.gain_eve / noise  # (N, E)
        self.inference = instance.inference_time_s
        self.execution = instance.compute_power_w * instance.inference_time_s  # (19)
        self.margin = instance.accuracy - self.scenario.min_accuracy  # Acc_n − Acc_min of (15)
        # Times are these over secrecy rates in nats, (7) and (12).
        self.downlink_s = self.scenario.downlink_bits / self.scenario.bandwidth_hz * LN2
        self.uplink_s = self.scenario.uplink_bits / self.scenario.bandwidth_hz * LN2

    def received(self, w: Array) -> tuple[Array, Array]:
        """Return |h_nᴴ w|² of every agent (N,) and eavesdropper (E,)."""
        return np.abs(self.h.conj() @ w) ** 2, np.abs(self.h_eve.conj() @ w) ** 2

    def downlink_secrecy(self, alpha: Array, w: Array, jam: Array) -> float:
        """Return c_dl of (3)-(6)."""
        signal, leak = self.received(w)
        noise = np.where(alpha, 0.0, jam)
        sinr = signal / (noise @ self.gain_agents + 1)
        sinr_eve = float(np.max(leak / (noise @ self.gain_eve + 1)))
        weakest = float(np.min(sinr[alpha])) if alpha.any() else 0.0
        return float(np.log1p(max(weakest - sinr_eve, 0.0) / (1 + sinr_eve)))

    def uplink_secrecy(self, send: Array, others: Array) -> Array:
        """Return c_n^ul of (9)-(11) of each agent n if it sends at ``send[n]`` among these others."""
        rest = 1 - np.eye(len(send))
        sinr = self.gain * send / (rest @ (self.gain * others) + 1)
        heard = self.gain_eve * send[:, None] / (rest @ (self.gain_eve * others[:, None]) + 1)
        sinr_eve = heard.max(axis=-1)
        return np.asarray(np.log1p(np.maximum(sinr - sinr_eve, 0.0) / (1 + sinr_eve)))


class PlainASC(Solver):
    """ASC, straightforwardly: the sub-problems of ``asc``, from its start.

    Parameters
    ----------
    outer, admm_steps, lr_steps, sca_steps
        r^max of Algorithm 2, r_ADMM^max and r_LR^max of Algorithm 1, and the most SCA steps of the powers.
    penalty
        ρ of (25), in units of the mean energy of a sender.
    samples
        Candidates of the Gaussian randomisation.
    sender_snr
        The SNR at which the base station receives each sender at the start.
    """

    name = "plain-asc"

    def __init__(
        self,
        outer: int = 10,
        admm_steps: int = 6,
        lr_steps: int = 40,
        sca_steps: int = 10,
        penalty: float = 0.01,
        samples: int = 60,
        sender_snr: float = 0.1,
    ) -> None:
        self.outer, self.admm_steps, self.lr_steps = outer, admm_steps, lr_steps
        self.sca_steps, self.penalty, self.samples = sca_steps, penalty, samples
        self.sender_snr = sender_snr
        self.cp = require("cvxpy", "solvers")

    def _solve(self, run: SolverRun) -> None:
        """Algorithm 2."""
        if run.instance.scenario.colluding:
            raise ValueError("plain-asc knows no colluding eavesdroppers, got colluding=True")
        run.eligible_agents()  # or it raises Infeasible
        net = Network(run.instance)
        alpha, start = starting_point(run.instance, run.rng, initial="random", sender_snr=self.sender_snr, jamming=True)
        # An agent's power as a sender and as a jammer are kept apart: a silent jammer may become a sender.
        w, send, jam = start.beamformer, start.sender_w, start.jammer_w
        before = run.consider(Decision(selection=alpha, beamformer=w, power_w=np.where(alpha, send, jam)))
        for r in range(self.outer):
            alpha = self._select(run, net, alpha, w, send, jam)
            run.record(sub_problem="selection", outer=r)
            run.check_time()
            w = self._beam(run, net, alpha, w, jam)
            run.record(sub_problem="beam", outer=r)
            run.check_time()
            power = self._powers(run, net, alpha, w, np.where(alpha, send, jam))
            run.record(sub_problem="powers", outer=r)
            run.check_time()
            level = float(np.median((net.gain * power)[alpha]))  # at which the others would send
            others = np.clip(level / net.gain, LOWEST_POWER_W, net.scenario.max_power_w)
            send, jam = np.where(alpha, power, others), np.where(alpha, jam, power)
            after = run.consider(Decision(selection=alpha, beamformer=w, power_w=power))
            if self._ended(run, before, after):
                return
            before = after

    def _ended(self, run: SolverRun, before: Outcome, after: Outcome) -> bool:
        """Return whether a round saved little, of the energy and of the transmission's, or mended nothing."""
        if not after.feasible:
            return bool(rank_by_violation(run.instance, after) >= rank_by_violation(run.instance, before))
        return bool(
            before.feasible
            and before.energy_j - after.energy_j <= 1e-4 * before.energy_j
            and before.transmission_energy_j - after.transmission_energy_j <= 1e-2 * before.transmission_energy_j
        )

    # --- Selection, Algorithm 1 -----------------------------------------------------------------------------

    def _select(self, run: SolverRun, net: Network, start: Array, w: Array, send: Array, jam: Array) -> Array:
        """Return the best feasible selection that Algorithm 1 meets at this beam and these powers, or the last one."""
        tau, rho, required = net.scenario.latency_limit_s, self.penalty, net.scenario.required_agents
        best, best_energy, hat, seen = start, np.inf, start, [start.tolist()]
        margin = net.margin / np.abs(net.margin).mean()
        for _ in range(self.admm_steps):
            eligible = reachable(net, send, np.where(hat, send, jam))
            c_ul = net.uplink_secrecy(send, np.where(hat, send, jam))
            c_dl = net.downlink_secrecy(hat, w, jam)
            t_ul = np.minimum(net.uplink_s / np.maximum(c_ul, 1e-300), tau)
            t_dl = min(net.downlink_s / max(c_dl, 1e-300), tau)
            wait = min(t_dl + np.max(t_ul, where=hat, initial=0.0), tau)
            unit = (net.execution + send * t_ul).mean()
            cost = (net.execution + send * t_ul - jam * wait) / unit

            mu, lam, candidates = 0.0, 0.0, []
            for r in range(1, self.lr_steps + 1):
                alpha = eligible & (cost + rho * (1 - 2 * hat) - mu - lam * margin <= 0)  # (29)
                if alpha.sum() >= required and net.margin[alpha].sum() >= 0:
                    candidates.append(alpha)
                step = 1 / (required * np.sqrt(r))
                mu = max(mu + step * (required - alpha.sum()), 0.0)  # (30)
                lam = max(lam - step * margin[alpha].sum(), 0.0)  # (31)
            repaired = repair(net, alpha, cost, eligible)
            candidates += [] if repaired is None else [repaired]
            if not candidates:
                break
            alpha = min(candidates, key=lambda selection: cost[selection].sum())

            outcome = run.consider(Decision(selection=alpha, beamformer=w, power_w=np.where(alpha, send, jam)))
            if outcome.feasible and outcome.energy_j < best_energy:
                best, best_energy = alpha, float(outcome.energy_j)
            if best_energy == np.inf:
                best = alpha
            hat = self._select_hat(net, alpha, hat, eligible, w, send, jam)
            run.check_time()
            if hat.tolist() in seen:
                break
            seen.append(hat.tolist())
        return best

    def _select_hat(
        self, net: Network, alpha: Array, last: Array, eligible: Array, w: Array, send: Array, jam: Array
    ) -> Array:
        """Return α̂, the rounded solution of (41); α itself if it has none."""
        cp, tau = self.cp, net.scenario.latency_limit_s
        signal, leak = net.received(w)
        hat = cp.Variable(len(alpha), bounds=[0, 1])  # (33)
        c = cp.Variable(nonneg=True)  # (37b), nats
        silent = cp.multiply(jam, 1 - hat)

        # (39): the tangent of −r_n at the α̂ before.
        noise = np.where(last, 0.0, jam) @ net.gain_agents + 1
        slope = (net.gain_agents * jam[:, None]).T * (signal / (noise * (noise + signal)))[:, None]
        minus_rate = -np.log1p(signal / noise) - slope @ (hat - last)
        omega = np.max(np.log1p(signal)) + np.max(np.log1p(leak))  # Ω of (34)
        t_ul = net.uplink_s / np.maximum(net.uplink_secrecy(send, np.where(alpha, send, jam)), 1e-300)
        t_dl = net.downlink_s / tau * cp.inv_pos(c)
        slowest_ul = cp.max(cp.multiply(hat, np.where(eligible, t_ul / tau, 0.0)))
        slowest = cp.max(cp.multiply(hat, np.where(eligible, net.inference / tau, 0.0)))
        constraints = [t_dl + slowest + slowest_ul <= 1, hat <= eligible.astype(float)]  # (36)
        for e, heard in enumerate(np.maximum(leak, 1e-12)):
            rate_eve = cp.logistic(np.log(heard) - cp.log(net.gain_eve[:, e] @ silent + 1))
            constraints.append(c + rate_eve + minus_rate - omega * (1 - hat) <= 0)  # (40)
        jamming_j = np.where(alpha, 0.0, jam).sum() * tau / net.execution.mean()
        objective = jamming_j * (t_dl + slowest_ul) + self.penalty * cp.sum_squares(hat - alpha)
        if not solved(cp, cp.Problem(cp.Minimize(objective), constraints)):
            return alpha
        return np.asarray(hat.value >= 0.5)

    # --- Beam, SDR ------------------------------------------------------------------------------------------

    def _beam(self, run: SolverRun, net: Network, alpha: Array, w: Array, jam: Array) -> Array:
        """Return the best of the beam before and the randomised solutions of (49), as one SDP.

        maximise t  s.t.  s + tr(H_k Z) ≥ t ∀k,  s + tr(G_e Z) ≤ 1 ∀e,  tr Z ≤ s,  Z ⪰ 0,  and W = Z/s.
        """
        cp, size = self.cp, net.scenario.num_antennas
        noise = np.where(alpha, 0.0, jam)
        scale = np.sqrt(net.scenario.bs_power_w / (noise @ net.gain_agents + 1))
        h = (net.h * scale[:, None])[alpha]
        g = net.h_eve * np.sqrt(net.scenario.bs_power_w / (noise @ net.gain_eve + 1))[:, None]
        # Whitened by what the eavesdroppers hear, Z = D Z' D, so that the solver sees numbers of one size.
        values, vectors = np.linalg.eigh(np.eye(size) + g.T @ g.conj())
        whiten = (vectors / np.sqrt(values)) @ vectors.conj().T
        h, g = h @ whiten.T, g @ whiten.T
        unit = np.max(np.sum(np.abs(h) ** 2, axis=-1))

        z = cp.Variable((size, size), hermitian=True)
        s, t = cp.Variable(nonneg=True), cp.Variable()
        constraints = [z >> 0, cp.real(cp.trace(whiten @ whiten @ z)) <= s]  # (44)
        constraints += [s / unit + cp.real(k.conj() @ z @ k) / unit >= t for k in h]  # (47)
        constraints += [s + cp.real(e.conj() @ z @ e) <= 1 for e in g]
        if not solved(cp, cp.Problem(cp.Maximize(t), constraints)):
            return w

        values, vectors = np.linalg.eigh(z.value)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        real, imaginary = run.rng.standard_normal((2, size, self.samples))
        draws = np.column_stack([root[:, -1], root @ (real + 1j * imaginary)])
        for candidate in (whiten @ draws).T:
            beam = candidate * np.sqrt(net.scenario.bs_power_w) / max(np.linalg.norm(candidate), 1e-300)
            if net.downlink_secrecy(alpha, beam, jam) > net.downlink_secrecy(alpha, w, jam):
                w = beam
        return w

    # --- Powers, SCA ----------------------------------------------------------------------------------------

    def _powers(self, run: SolverRun, net: Network, alpha: Array, w: Array, power: Array) -> Array:
        """Return the powers of (57), solved in logarithms until a step saves next to nothing."""

        def score(power: Array) -> tuple[bool, float]:
            outcome = run.consider(Decision(selection=alpha, beamformer=w, power_w=power))
            return not outcome.feasible, float(outcome.transmission_energy_j)

        last = score(power)
        for _ in range(self.sca_steps):
            run.check_time()
            step = self._power_step(net, alpha, w, power)
            if step is None or (now := score(step)) > last:
                break
            power, saved, last = step, last[1] - now[1], now
            if saved <= TOLERANCE * now[1]:
                break
        silent = np.where(~alpha & (power <= 1.01 * LOWEST_POWER_W), 0.0, power)
        return min(silent, power, key=score)

    def _power_step(self, net: Network, alpha: Array, w: Array, power: Array) -> Array | None:
        """Return the solution of (57) around ``power``; None if there is none or nothing can be sent.

        Powers are ``power·exp(x)``, times are those at ``power`` times ``exp(y)``. A rate is ±log-sum-exp of
        x; the + terms are replaced by their tangents.
        """
        cp, p = self.cp, power
        senders, jammers = np.flatnonzero(alpha), np.flatnonzero(~alpha & (p > 0))
        silent, active = np.flatnonzero(~alpha & (p == 0)), np.flatnonzero(alpha | (p > 0))
        signal, leak = net.received(w)
        c_ul, c_dl = net.uplink_secrecy(p, p), net.downlink_secrecy(alpha, w, p)
        if not (c_dl > 0 and np.all(c_ul[senders] > 0)):
            return None
        t_ul, t_dl = net.uplink_s / c_ul[senders], net.downlink_s / c_dl
        slowest, tau = t_ul.max(), net.scenario.latency_limit_s

        x, y = cp.Variable(len(p)), cp.Variable(senders.size)
        y_max, y_dl = cp.Variable(), cp.Variable()
        constraints = [
            x[active] >= np.log(LOWEST_POWER_W / p[active]),
            x[active] <= np.log(net.scenario.max_power_w / p[active]),  # (20c)
            y + np.log(t_ul / slowest) <= y_max,
            (t_dl * cp.exp(y_dl) + slowest * cp.exp(y_max) + net.inference[senders].max()) / tau <= 1,  # (51)
        ]
        if silent.size:
            constraints.append(x[silent] == 0)  # zero has no logarithm: they stay silent
        at_bs, at_eve, at_agents = net.gain * p, net.gain_eve * p[:, None], net.gain_agents * p[:, None]
        for e in range(net.scenario.num_eavesdroppers):
            for i, n in enumerate(senders):
                rest = active[active != n]  # (56)
                above = tangent(1, at_bs[active], x[active]) + tangent(1, at_eve[rest, e], x[rest])
                below = log_sum(cp, 1, at_bs[rest], x[rest]) + log_sum(cp, 1, at_eve[active, e], x[active])
                constraints.append(cp.exp(-y[i]) <= (above - below) / c_ul[n])
                at_n, at_e, x_jam = at_agents[jammers, n], at_eve[jammers, e], x[jammers]  # (55)
                above = tangent(1 + signal[n], at_n, x_jam) + tangent(1, at_e, x_jam)
                below = log_sum(cp, 1, at_n, x_jam) + log_sum(cp, 1 + leak[e], at_e, x_jam)
                constraints.append(cp.exp(-y_dl) <= (above - below) / c_dl)
        energy = (p[senders] * t_ul) @ cp.exp(x[senders] + y)  # (18)
        if jammers.size:
            energy += p[jammers] @ (t_dl * cp.exp(x[jammers] + y_dl) + slowest * cp.exp(x[jammers] + y_max))
        unit = p[senders] @ t_ul + p[jammers].sum() * (t_dl + slowest)
        if not solved(cp, cp.Problem(cp.Minimize(energy / unit), constraints)):
            return None
        return np.where(p > 0, np.clip(p * np.exp(x.value), LOWEST_POWER_W, net.scenario.max_power_w), 0.0)


def reachable(net: Network, send: Array, others: Array) -> Array:
    """Return which agents meet (17) at these powers as far as their own compute and uplink times go."""
    times = net.inference + net.uplink_s / np.maximum(net.uplink_secrecy(send, others), 1e-300)
    return np.asarray(times <= net.scenario.latency_limit_s)


def repair(net: Network, alpha: Array, cost: Array, eligible: Array) -> Array | None:
    """Return a selection that meets (13) and (15), greedily from ``alpha``; None if there is none.

    Agents are added by their cost per accuracy, and then dropped, the dearest first, if they are not needed.
    """
    alpha, enough = alpha & eligible, net.scenario.required_agents
    while alpha.sum() < enough or net.margin[alpha].sum() < 0:
        short = alpha.any() and net.margin[alpha].sum() < 0
        worth = net.margin if short else net.margin + net.scenario.min_accuracy
        free = eligible & ~alpha & (worth > 0)
        if not free.any():
            ranked = np.argsort(np.where(eligible, -net.margin, np.inf))[:enough]
            if not eligible[ranked].all() or net.margin[ranked].sum() < 0:
                return None
            alpha = np.isin(np.arange(len(alpha)), ranked)
            break
        price = np.where(cost > 0, cost / np.where(free, worth, 1.0), cost)
        alpha[np.argmin(np.where(free, price, np.inf))] = True
    for n in sorted(np.flatnonzero(alpha), key=lambda n: -cost[n]):
        rest = alpha & (np.arange(len(alpha)) != n)
        if cost[n] > 0 and rest.sum() >= enough and net.margin[rest].sum() >= 0:
            alpha = rest
    return alpha


def log_sum(cp: ModuleType, constant: float, terms: Array, x: Any) -> Any:
    """Return ln(constant + Σ terms·exp(x)), convex in x."""
    if not terms.size:
        return np.log(constant)
    return cp.log_sum_exp(cp.hstack([np.log(constant), np.log(np.maximum(terms, 1e-30)) + x]))


def tangent(constant: float, terms: Array, x: Any) -> Any:
    """Return the tangent of :func:`log_sum` at x = 0, which is nowhere above it."""
    total = constant + terms.sum()
    return np.log(total) + (terms / total) @ x if terms.size else np.log(total)


def solved(cp: ModuleType, problem: Any) -> bool:
    """Solve a problem; return whether its variables hold a solution."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Solution may be inaccurate")
        warnings.filterwarnings("ignore", "Initializing a Constant with a nested list")  # its own, at L = 1
        for scaled in (True, False):  # its own scaling of the rows at times spoils what is scaled already
            try:
                problem.solve(solver=cp.CLARABEL, equilibrate_enable=scaled)
                break
            except cp.error.SolverError:
                continue
        else:
            return False
    return problem.status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE)
