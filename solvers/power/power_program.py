"""The convex program of one power step, in x = ln p and y = ln t, around the current powers and times.

With times as variables, the objective Σ p_n t_n is a sum of exponentials of x + y, and a time is long enough iff

    r ≥ bits/(B t) + r_eve,   that is   ln r(x) ≥ ln(bits/B · e^(−y) + r_eve(x)),

one constraint per receiver and eavesdropper. On the left, a rate is r = log(1 + e^s) with s = x_n − ln(interference):
s is concave in x (a log-sum-exp with a minus sign), and ln log(1 + e^s) is concave and increasing in s, so that the
left side is concave as it stands. On the right, r_eve = log(1 + u) is at most its tangent in u, and u is at most the
exponential of an affine function of x, because ln(interference) is convex and lies above its tangent; the
logarithm of a sum of exponentials of affine functions is convex. This replaces (53)-(57). Where the
eavesdroppers hear next to nothing it is no approximation at all.

Dimension letters: A transmitters, K of them selected, R rows (receiver and eavesdropper), J eavesdroppers in a
row: one, or all of them if they collude.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, Instance, Outcome
from secagent_env.model.physics import downlink_sinr, heard_noise, uplink_sinr

LATENCY_RESERVE = 1e-6
"""Relative reserve in the latency limit, so that a decision rounded to float32 still meets it."""


@dataclass(frozen=True)
class _Rows:
    """Constraints ln(r/r₀) ≥ ln(share e^(−η) + fixed + Σ_j part_j e^(lean_j·δ)); δ = x − x₀ and η = y − y₀.

    r = log(1 + sinr e^s), s = own·δ − ln(1 + weight·(e^δ − 1)).
    """

    sinr: np.ndarray  # (R,), at δ = 0
    own: np.ndarray  # (R, A), 1 at the sender in the uplink
    weight: np.ndarray  # (R, A), share of each transmitter in noise plus interference
    share: np.ndarray  # (R,), secrecy rate of the row's time over r₀
    fixed: np.ndarray  # (R,), constant part of the tangent of r_eve/r₀
    part: np.ndarray  # (R, J), its slopes times u
    lean: np.ndarray  # (R, J, A)
    time: np.ndarray  # (R,), which η

    @classmethod
    def of(
        cls,
        sinr: np.ndarray,
        own: np.ndarray,
        weight: np.ndarray,
        sinr_eve: np.ndarray,
        lean: np.ndarray,
        time: np.ndarray,
        colluding: bool,
    ) -> _Rows:
        """Build one row per receiver and eavesdropper, or, colluding, one per receiver.

        From the SINRs of the receivers (K,) and of the eavesdroppers (K, E); the other arrays have a row per receiver.
        """
        if not colluding:
            eaves = sinr_eve.shape[1]
            sinr, own, weight, time = (np.repeat(array, eaves, axis=0) for array in (sinr, own, weight, time))
            sinr_eve, lean = sinr_eve.reshape(-1, 1), lean.reshape(-1, 1, lean.shape[2])
        rate = np.log1p(sinr)
        total = sinr_eve.sum(axis=1)
        secrecy = np.log1p((sinr - total) / (1 + total))
        slowest = np.full(int(time.max()) + 1, np.inf)
        np.minimum.at(slowest, time, secrecy)
        slope = 1 / (rate * (1 + total))
        fixed = np.maximum(np.log1p(total) / rate - slope * total, 0.0)
        return cls(sinr, own, weight, slowest[time] / rate, fixed, slope[:, None] * sinr_eve, lean, time)

    @classmethod
    def join(cls, first: _Rows, second: _Rows) -> _Rows:
        pairs = zip(vars(first).values(), vars(second).values(), strict=True)
        return cls(*(np.concatenate(pair) for pair in pairs))


class PowerProgram:
    """Minimise the transmission energy, or in a ``hurry`` the latency, in z = (δ (A,), η (K,), η_dl, η_max).

    η_dl belongs to the downlink time, η_max to the longest uplink time. The energy is minimised within the
    latency limit, of which the slowest inference and a small reserve are taken off: :attr:`limit`. Positive powers lie
    between ``lowest_w``, (N,), W, and the budget.
    """

    def __init__(
        self, instance: Instance, decision: Decision, outcome: Outcome, lowest_w: np.ndarray, *, hurry: bool
    ) -> None:
        scenario = instance.scenario
        self._shape = decision.power_w
        self.active = np.flatnonzero(decision.power_w > 0)
        power = decision.power_w[self.active]
        selected = decision.selection[self.active]
        self.hurry = hurry
        self.limit = scenario.latency_limit_s * (1 - LATENCY_RESERVE)
        self.room = self.limit - float(outcome.inference_time_s)
        self.low = np.log(lowest_w[self.active] / power)
        self.high = np.log(scenario.max_power_w / power)
        self.count = count = len(power)
        self.senders = senders = np.flatnonzero(selected)
        self.dl = count + len(senders)
        self.size = self.dl + 2
        self.rows = _rows(instance, decision, self.active, senders)

        secrecy = outcome.uplink_secrecy[self.active[senders]]
        times = scenario.uplink_bits / (scenario.bandwidth_hz * secrecy)
        self.uplink_time = float(outcome.uplink_time_s)
        self.downlink_time = float(outcome.downlink_time_s)
        self.lag = np.log(self.uplink_time / times)
        # The objective is Σ coefficient · exp(exponent · z), relative to its value at z = 0.
        jammers = np.flatnonzero(~selected)
        unit = np.eye(self.size)
        sending = unit[senders] + unit[count : self.dl]
        jamming = [unit[jammers] + unit[self.dl], unit[jammers] + unit[self.dl + 1]]
        self.coefficient = np.concatenate(
            [power[senders] * times, power[jammers] * self.downlink_time, power[jammers] * self.uplink_time]
        )
        self.exponent = np.concatenate([sending, *jamming])
        if hurry:
            self.coefficient = np.array([self.downlink_time, self.uplink_time])
            self.exponent = unit[self.dl :]
        self.coefficient /= self.coefficient.sum()

    def powers(self, z: np.ndarray) -> np.ndarray:
        """Return the powers (N,), W, that z stands for."""
        power = np.array(self._shape, copy=True)
        power[self.active] *= np.exp(np.clip(z[: self.count], self.low, self.high))
        return power

    def interior(self) -> np.ndarray | None:
        """Return a strictly feasible z close to the current powers, or None if there is none."""
        for step in (1e-2, 1e-3, 1e-5, 1e-7):
            inset = np.minimum(step, (self.high - self.low) / 2)
            z = np.zeros(self.size)
            z[: self.count] = np.clip(0.0, self.low + inset, self.high - inset)
            reach, leak, _, _, _ = self._parts(z)
            spare = np.exp(reach) - leak
            if (spare <= 0).any():
                continue
            needed = np.full(self.size - self.count - 1, -np.inf)
            np.maximum.at(needed, self.rows.time, np.log(self.rows.share / spare))
            z[self.count : -1] = needed + step
            z[-1] = np.max(z[self.count : self.dl] - self.lag) + step
            if (self.values(z)[1] > 0).all():
                return z
        return None

    def _parts(self, z: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return per row: ln(r/r₀), r_eve's bound and its terms (R, J), shares of interference (R, A), and sinr e^s."""
        rows = self.rows
        delta = z[: self.count]
        grown = rows.weight * np.expm1(delta)
        total = 1 + grown.sum(axis=1)
        sinr = rows.sinr * np.exp(rows.own @ delta) / total
        reach = np.log(np.log1p(sinr) / np.log1p(rows.sinr))
        terms = rows.part * np.exp(rows.lean @ delta)
        return reach, rows.fixed + terms.sum(axis=1), terms, (grown + rows.weight) / total[:, None], sinr

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Return objective and slacks, see :class:`~solvers.numerics.barrier.ConvexProgram`."""
        rows = self.rows
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            reach, leak, _, _, _ = self._parts(z)
            slack = reach - np.log(rows.share * np.exp(-z[self.count + rows.time]) + leak)
            f = float(self.coefficient @ np.exp(self.exponent @ z))
            latency = 1 - (self.downlink_time * np.exp(z[self.dl]) + self.uplink_time * np.exp(z[-1])) / self.room
        delta = z[: self.count]
        linear = [z[-1] + self.lag - z[self.count : self.dl], delta - self.low, self.high - delta]
        slacks = [slack, *linear] if self.hurry else [slack, *linear, [latency]]
        return f, np.nan_to_num(np.concatenate(slacks), nan=-1.0, neginf=-1.0)

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of the barrier function, see :class:`~solvers.numerics.barrier.ConvexProgram`."""
        rows, count = self.rows, self.count
        weight = sharpness * self.coefficient * np.exp(self.exponent @ z)
        gradient = weight @ self.exponent
        hessian = (self.exponent.T * weight) @ self.exponent

        # Rows: F = ψ(s) − ln Q, with ψ' and ψ'' in s and Q's terms as weights that sum to 1.
        _, leak, terms, busy, sinr = self._parts(z)
        slope = sinr / ((1 + sinr) * np.log1p(sinr))
        bend = np.minimum(slope * (1 / (1 + sinr) - slope), 0.0)
        wait = rows.share * np.exp(-z[count + rows.time])
        total = wait + leak
        wait, terms = wait / total, terms / total[:, None]
        slack = np.log(np.log1p(sinr) / np.log1p(rows.sinr)) - np.log(total)
        toward = rows.own - busy  # ∇s
        index = np.arange(len(slack))
        grow = np.zeros((len(slack), self.size))  # ∇ ln Q
        grow[:, :count] = np.einsum("rj,rja->ra", terms, rows.lean)
        grow[index, count + rows.time] = -wait
        jacobian = -grow
        jacobian[:, :count] += slope[:, None] * toward
        inverse = 1 / slack
        gradient -= inverse @ jacobian
        hessian += (jacobian.T * inverse**2) @ jacobian - (grow.T * inverse) @ grow
        block = hessian[:count, :count]
        block -= (toward.T * (inverse * bend)) @ toward + (busy.T * (inverse * slope)) @ busy
        lean = rows.lean.reshape(-1, count)
        block += (lean.T * (inverse[:, None] * terms).ravel()) @ lean
        diagonal = np.zeros(self.size)
        diagonal[:count] = (inverse * slope) @ busy
        np.add.at(diagonal, count + rows.time, inverse * wait)

        # Box and max.
        above, below = 1 / (z[:count] - self.low), 1 / (self.high - z[:count])
        gradient[:count] += below - above
        diagonal[:count] += above**2 + below**2
        ahead = 1 / (z[-1] + self.lag - z[count : self.dl])
        gradient[count : self.dl] += ahead
        gradient[-1] -= ahead.sum()
        diagonal[count : self.dl] += ahead**2
        diagonal[-1] += np.sum(ahead**2)
        hessian[count : self.dl, -1] -= ahead**2
        hessian[-1, count : self.dl] -= ahead**2

        if not self.hurry:
            part = np.array([self.downlink_time * np.exp(z[self.dl]), self.uplink_time * np.exp(z[-1])]) / self.room
            inverse_room = 1 / (1 - part.sum())
            gradient[self.dl :] += part * inverse_room
            hessian[self.dl :, self.dl :] += np.outer(part, part) * inverse_room**2
            diagonal[self.dl :] += part * inverse_room
        hessian[np.diag_indices(self.size)] += diagonal
        return gradient, hessian


def _rows(instance: Instance, decision: Decision, active: np.ndarray, senders: np.ndarray) -> _Rows:
    """Return the rows of the uplink, and of the downlink where somebody jams."""
    noise = instance.scenario.noise_power_w
    colluding = instance.scenario.colluding
    power = decision.power_w[active]
    k, a = len(senders), len(active)

    # Uplink: everybody else interferes.
    sinr, sinr_eve = uplink_sinr(instance, decision)
    own = np.zeros((k, a))
    own[np.arange(k), senders] = 1
    others = (1 - own) * (instance.bs_gain[active] * power)
    weight = others / (others.sum(axis=1, keepdims=True) + noise)
    heard = (1 - own)[:, None, :] * (instance.gain_eve[active].T * power)  # (K, E, A)
    lean = own[:, None, :] - heard / (heard.sum(axis=2, keepdims=True) + noise)
    uplink = _Rows.of(sinr[active[senders]], own, weight, sinr_eve[active[senders]], lean, np.arange(k), colluding)

    # Downlink: the jammers interfere; without any the time stays as it is.
    jamming = np.where(decision.selection[active], 0.0, power)
    if not jamming.any():
        one, none = np.ones(1), np.zeros((1, a))
        eaves = uplink.part.shape[1]
        still = _Rows(one, none, none, one, 0 * one, np.zeros((1, eaves)), np.zeros((1, eaves, a)), np.array([k]))
        return _Rows.join(uplink, still)
    sinr, sinr_eve = downlink_sinr(instance, decision)
    chosen = active[senders]
    noise_users = _with_artificial(noise, instance.channel_bs[chosen], decision)
    noise_eves = _with_artificial(noise, instance.channel_eve, decision)
    weight = instance.gain_agents[active][:, chosen].T * jamming
    weight = weight / (weight.sum(axis=1, keepdims=True) + noise_users)
    heard = instance.gain_eve[active].T * jamming  # (E, A)
    lean = np.broadcast_to(-heard / (heard.sum(axis=1, keepdims=True) + noise_eves), (k, len(heard), a))
    sinr_eve = np.broadcast_to(sinr_eve, (k, len(heard)))
    downlink = _Rows.of(sinr[chosen], np.zeros((k, a)), weight, sinr_eve, lean, np.full(k, k), colluding)
    return _Rows.join(uplink, downlink)


def _with_artificial(noise_w: float, channels: np.ndarray, decision: Decision) -> np.ndarray | float:
    """Return the noise of receivers of channels (M, L), artificial noise included, (M, 1) or one number, W."""
    if decision.noise_covariance is None:
        return noise_w
    return np.asarray(noise_w + heard_noise(channels, decision.noise_covariance)[:, None])
