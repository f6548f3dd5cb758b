r"""A local minimum of the energy over beam, powers and times together, at one selection, from a feasible decision.

Sequential quadratic programming over the beam w, the powers p, the downlink time T, the senders' times t_n and the
longest of them U, with all constraints as they are:

    min  (T + U) Σ_jammers p + Σ_senders p_n t_n    subject to
    B T (r_k − r_e) ≥ s + D,    B t_n (r_n^ul − r_n,e) ≥ o    for every k, n ∈ S and every e,
    t_n ≤ U,    T + U ≤ τ − max_S t^inference,    ‖w‖² ≤ p_BS,    0 ≤ p ≤ p_max

(of colluding eavesdroppers, the rate r_e at the sum of their SINRs). The derivatives come from complex steps. Where
beam and powers are improved in turn, each stops where it fits the other; here the two move together.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import optimize

from secagent_env import Decision, Instance, evaluate
from secagent_env.model.physics import LN2

STEPS = 200
"""Steps at most."""
TOLERANCE = 1e-10
"""Relative change of the transmission energy at which the steps end."""
MARGIN = 1e-10
"""Relative reserve in the times."""
STEP = 1e-30
"""Of the complex steps."""


def locally_best(instance: Instance, decision: Decision, check_time: Callable[[], None] = lambda: None) -> Decision:
    """Return a decision of the same selection that no small change makes cheaper; the same one where none is found.

    ``decision`` has to be feasible. ``check_time`` is called between the steps and may raise.
    """
    program = _Program(instance, decision)
    z = program.start

    def gradient(z: np.ndarray) -> np.ndarray:
        check_time()
        return _derivative(program.energy, z)

    with np.errstate(all="ignore"):
        result = optimize.minimize(
            program.energy,
            z,
            jac=gradient,
            bounds=program.bounds,
            constraints={"type": "ineq", "fun": program.rows, "jac": lambda z: _derivative(program.rows, z)},
            method="SLSQP",
            options={"maxiter": STEPS, "ftol": TOLERANCE},
        )
    found = program.decision(result.x)
    if not np.isfinite(result.x).all():
        return decision
    better, before = evaluate(instance, found), evaluate(instance, decision)
    return found if better.feasible and better.energy_j < before.energy_j else decision


def _derivative(function: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """Return the derivative of a function of z (n,), (n,) or (M, n): exact to rounding, for it is analytic."""
    return np.asarray(function(z + 1j * STEP * np.eye(len(z))).imag.T / STEP)


class _Program:
    """In z = (Re w, Im w, jammers' powers, ln of the senders' powers, T, U, t_n), relative to the start."""

    def __init__(self, instance: Instance, decision: Decision) -> None:
        self.instance, self.selection = instance, np.asarray(decision.selection)
        scenario = instance.scenario
        selection, noise = self.selection, scenario.noise_power_w
        root = math.sqrt(scenario.bs_power_w / noise)
        self.colluding = scenario.colluding
        self.users, self.eves = instance.channel_bs[selection] * root, instance.channel_eve * root
        self.at_user = instance.gain_agents[~selection][:, selection] / noise
        self.at_eve = instance.gain_eve[~selection] / noise
        self.at_bs = instance.bs_gain[~selection] / noise
        self.own, self.overheard = instance.bs_gain[selection] / noise, instance.gain_eve[selection] / noise
        self.k, self.m, self.d = len(self.users), len(self.at_bs), self.users.shape[1]

        beam = decision.beamformer / math.sqrt(scenario.bs_power_w)
        jam, send = decision.power_w[~selection], decision.power_w[selection]
        self.unit = float(jam.sum()) or scenario.max_power_w
        self.limit_s = scenario.latency_limit_s - float(instance.inference_time_s[selection].max())
        self.exponents = LN2 / scenario.bandwidth_hz * np.array([scenario.downlink_bits, scenario.uplink_bits])
        self.times, self.energy_j = np.ones(2 + self.k), 1.0
        ones = np.ones(2 + self.k)
        z = np.concatenate([beam.real, beam.imag, jam / self.unit, np.log(send), ones])
        downlink, uplink = self._rates(z)
        times = self.exponents[1] / uplink.min(axis=1)
        self.times = np.concatenate([[self.exponents[0] / downlink.min(), times.max()], times])
        self.energy_j = float(self.energy(z))
        self.start = z
        most = scenario.max_power_w
        self.bounds = optimize.Bounds(
            np.concatenate([np.full(2 * self.d, -1.0), np.zeros(self.m), np.full(self.k, -np.inf), 1e-3 * ones]),
            np.concatenate(
                [np.ones(2 * self.d), np.full(self.m, most / self.unit), np.full(self.k, math.log(most)), np.inf * ones]
            ),
        )

    def _parts(self, z: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return Re w, Im w, the jammers' and the senders' powers, W, and the times, s; z is (…, n)."""
        d, m, k = self.d, self.m, self.k
        real, imaginary, jam, send, times = np.split(z, np.cumsum([d, d, m, k]), axis=-1)
        return real, imaginary, jam * self.unit, np.exp(send), times * self.times

    def _rates(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the secrecy rates of downlink and uplink against each eavesdropper, (…, K, E), nat/s/Hz."""
        real, imaginary, jam, send, _ = self._parts(z)

        def received(channels: np.ndarray) -> np.ndarray:
            along = real @ channels.real.T + imaginary @ channels.imag.T
            across = imaginary @ channels.real.T - real @ channels.imag.T
            return np.asarray(along**2 + across**2)

        at_eve = 1 + jam @ self.at_eve
        leaked = received(self.eves) / at_eve
        reached = received(self.users) / (1 + jam @ self.at_user)
        power = send * self.own
        others = 1 + jam @ self.at_bs
        others = others[..., None] + power @ (1 - np.eye(self.k))
        heard = send[..., None] * self.overheard
        beside = at_eve[..., None, :] + np.swapaxes(np.swapaxes(heard, -1, -2) @ (1 - np.eye(self.k)), -1, -2)
        leaks = heard / beside
        if self.colluding:
            leaked, leaks = leaked.sum(axis=-1, keepdims=True), leaks.sum(axis=-1, keepdims=True)
        downlink = np.log1p(reached)[..., None] - np.log1p(leaked)[..., None, :]
        return downlink, np.log1p(power / others)[..., None] - np.log1p(leaks)

    def energy(self, z: np.ndarray) -> np.ndarray:
        """Return the transmission energy, relative to the start's, (…,)."""
        _, _, jam, send, times = self._parts(z)
        waiting = times[..., 0] + times[..., 1]
        return np.asarray(jam.sum(axis=-1) * waiting + (send * times[..., 2:]).sum(axis=-1)) / self.energy_j

    def rows(self, z: np.ndarray) -> np.ndarray:
        """Return what must not be negative, relative to what is needed, (…, M)."""
        real, imaginary, _, _, times = self._parts(z)
        downlink, uplink = self._rates(z)
        shape = z.shape[:-1]
        return np.concatenate(
            [
                (downlink * times[..., :1, None] / self.exponents[0] - 1 - MARGIN).reshape(*shape, -1),
                (uplink * times[..., 2:, None] / self.exponents[1] - 1 - MARGIN).reshape(*shape, -1),
                1 - times[..., 2:] / times[..., 1:2],
                1 - (times[..., :1] + times[..., 1:2]) / self.limit_s,
                1 - (real**2 + imaginary**2).sum(axis=-1, keepdims=True),
            ],
            axis=-1,
        )

    def decision(self, z: np.ndarray) -> Decision:
        """Return the decision that z says, with powers and beam inside their bounds."""
        real, imaginary, jam, send, _ = self._parts(z)
        most = self.instance.scenario.max_power_w
        power = np.zeros(len(self.selection))
        power[~self.selection], power[self.selection] = np.clip(jam, 0, most), np.clip(send, 0, most)
        beam = real + 1j * imaginary
        beam = beam / max(float(np.linalg.norm(beam)), 1.0) * math.sqrt(self.instance.scenario.bs_power_w)
        return Decision(selection=self.selection, beamformer=beam, power_w=power)
