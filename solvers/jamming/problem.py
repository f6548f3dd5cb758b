"""One selection's problem in units of the noise: what a beam and jammers have to reach, and at what cost."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from secagent_env import Instance
from secagent_env.model.physics import LN2
from solvers.certificate.bounds import ROUNDING, uplink_energy_floor
from solvers.certificate.requirements import TOLERANCE, TimeFloors
from solvers.certificate.uplink import least_time

GRID = np.logspace(-9, 3, 300)
"""Where θ is looked at, relative to the largest ratio."""
PIECES = (20, 20)
"""Into so many the intervals that may hold the least φ(θ) are cut, one time after the other."""
LEAST_LEVEL = 1e-9
"""Of the level that an uplink row leaves to jammers nothing smaller is told apart."""
NEXT_TO_NOTHING = 1e-7
"""Jammers that cost less than this share of the energy count as free."""
MOST_PAIRED = 6
"""With more eavesdroppers than these no rows are made for two of them."""


@dataclass(frozen=True)
class SetProblem:
    """A selection S of K agents, beside M agents that may jam and E eavesdroppers.

    Attributes
    ----------
    users, eves
        h (K, L) and g (E, L) complex, amplitudes at full power of the base station over those of the noise: |hᴴv|² is
        the SNR of a beam v of length 1.
    at_user, at_eve
        (K, M) and (E, M), what a jammer of 1 W adds to the interference, in units of the noise.
    at_bs
        (M,), likewise at the base station.
    ratios
        r_ne = |h_n,e|² / g_n of the agents of S, (K, E).
    jammers, most_w
        The agents that may jam (M,), as indices, and the largest power, W.
    exponent_s
        The downlink in time T needs (1 + SINR) / (1 + SINR of the eavesdroppers) = exp(exponent_s / T).
    uplink_exponent_s
        Likewise for the uplink.
    total_s, downlink_s, uplink_s
        The time for both phases together, and what each of them takes at least, s.
    base_j
        A lower bound on the energy without the jammers': execution, and senders' energies at least, J.
    """

    users: np.ndarray
    eves: np.ndarray
    at_user: np.ndarray
    at_eve: np.ndarray
    at_bs: np.ndarray
    ratios: np.ndarray
    jammers: np.ndarray
    most_w: float
    exponent_s: float
    uplink_exponent_s: float
    total_s: float
    downlink_s: float
    uplink_s: float
    base_j: float
    _needs: dict[float, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, instance: Instance, selection: np.ndarray) -> SetProblem:
        """Return the problem of a selection (N,) bool, with somebody selected."""
        scenario = instance.scenario
        noise = scenario.noise_power_w
        power = scenario.bs_power_w * (1 + TOLERANCE)
        most = scenario.max_power_w * (1 + TOLERANCE)
        jammers = np.flatnonzero(~selection)
        users = instance.channel_bs[selection] * math.sqrt(power / noise)
        eves = instance.channel_eve * math.sqrt(power / noise)
        gain, heard = instance.bs_gain, instance.gain_eve
        own = gain[selection, None]
        floors = TimeFloors.of(instance)
        limit = scenario.latency_limit_s * (1 + TOLERANCE)
        exponent = LN2 * scenario.downlink_bits / scenario.bandwidth_hz
        snr = float(np.min(np.sum(np.abs(users) ** 2, axis=1)))
        earliest = exponent / math.log1p(snr) * (1 - TOLERANCE) if snr > 0 else math.inf
        total_s = limit - float(instance.inference_time_s[selection].max())
        soonest = max(float(floors.uplink[selection].max()), floors.together(len(users)))
        floor = instance.execution_energy_j + uplink_energy_floor(instance)
        return cls(
            users=users,
            eves=eves,
            at_user=instance.gain_agents[jammers][:, selection].T / noise,
            at_eve=heard[jammers].T / noise,
            at_bs=gain[jammers] / noise,
            ratios=np.divide(heard[selection], own, out=np.full((len(users), heard.shape[1]), np.inf), where=own > 0),
            jammers=jammers,
            most_w=most,
            exponent_s=exponent,
            uplink_exponent_s=floors.per_rate * LN2,
            total_s=total_s,
            downlink_s=earliest,
            uplink_s=least_time(instance, selection, soonest, total_s - earliest),
            base_j=float(floor[selection].sum()) * (1 - ROUNDING),
        )

    def excess(self, time_s: float) -> float:
        """Return γ − 1, by what (1 + SINR) / (1 + SINR_e) exceeds 1 when the downlink takes the time T, s."""
        return math.expm1(min(self.exponent_s / time_s, 600.0))

    def uplink_rows(self, weight: np.ndarray, least: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows (R, M) and (R,): jammers of powers p, W, make weight θ' ≥ ``least`` (R,) iff rows p + level ≥ 0.

        ``weight`` is (R, E).
        """
        scale = 1 / np.maximum(least, 1.0)  # rows of moderate size
        least = np.where(np.isinf(least), 1.0, least * scale)
        weight = weight * scale[:, None]
        return weight @ self.at_eve - least[:, None] * self.at_bs, weight.sum(axis=1) - least

    def uplink_needs(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (R, E) and numbers (R,): weight θ' is at least so much where S sends within ``time_s``.

        For each eavesdropper alone, each two (of few), and all of them.
        """
        if time_s in self._needs:  # boxes share their ends
            return self._needs[time_s]
        eves = self.ratios.shape[1]
        pairs = itertools.combinations(range(eves), 2) if eves <= MOST_PAIRED else ()
        together = [self.least_sum(list(group), time_s) for group in pairs]
        if eves > 2:
            together.append(self.least_sum(list(range(eves)), time_s))
        rows = [row for row in together if row is not None]
        weight = np.concatenate([np.eye(eves), *(row[0][None] for row in rows)])
        self._needs[time_s] = weight, np.concatenate([self.least_ratio(time_s), [row[1] for row in rows]])
        return self._needs[time_s]

    def curb_w(self, time_s: float) -> np.ndarray | None:
        """Return powers (M,), W, of which jammers send no more than 1 in sum where S sends within ``time_s``.

        They are of an uplink row that nobody's jamming helps; None without one.
        """
        rows, level = self.uplink_rows(*self.uplink_needs(time_s))
        against = (rows < 0).all(axis=1)
        curbs = np.maximum(level[against], LEAST_LEVEL)[:, None] / -rows[against]
        return min(curbs, key=lambda curb: curb.max(initial=0.0), default=None)

    @functools.cached_property
    def curbed(self) -> bool:
        """Whether the uplink allows jammers only powers of next to no cost, however long it takes."""
        curb = self.curb_w(self.total_s - self.downlink_s)
        return curb is not None and bool((curb * self.total_s <= NEXT_TO_NOTHING * self.base_j).all())

    def least_sum(self, group: list[int], time_s: float) -> tuple[np.ndarray, float] | None:
        r"""Return weights (E,) and a lower bound on Σ weight_e θ'_e over a group of eavesdroppers, or None.

        Let n(e) be the agent of S of the largest ratio r_e = r_n(e),e, and θ_e = (1 + x_e) r_e. From
        :meth:`least_ratio`, since all terms are positive,

            θ'_e / r_e ≥ 1 + x_e + Σ_n z_n (1 − r_ne / r_e),     z_n(e) ≥ a(x_e) = q (1 + x) / (q + (1 + q) x),

        with q = κ − 1. Added up over the group, agent n, which is n(e) for m_n ≥ 1 of its eavesdroppers, contributes at
        least m x + β a(x), where x is the least of these x_e and β_n = Σ (1 − r_ne / r_e) over the others. That is
        convex and least at (1 + q) x = max(√(β q / m) − q, 0).
        """
        top, worst = self.ratios[:, group].max(axis=0), self.ratios[:, group].argmax(axis=0)
        if len(set(worst.tolist())) < 2 or not (top > 1e-12).all() or not np.isfinite(top).all():
            return None
        q = math.expm1(min(self.uplink_exponent_s / time_s, 600.0))
        least = float(len(group))
        for agent in set(worst.tolist()):
            own = int(np.sum(worst == agent))
            beta = float(np.sum(1 - self.ratios[agent, group] / top))  # 0 where it is the worst one
            x = max(math.sqrt(beta * q / own) - q, 0.0) / (1 + q)
            least += own * x + beta * q * (1 + x) / (q + (1 + q) * x)
        weight = np.zeros(self.ratios.shape[1])
        weight[group] = 1 / top
        return weight, least * (1 - ROUNDING)

    def least_ratio(self, time_s: float) -> np.ndarray:
        r"""Return lower bounds (E,) on θ' beside which S can send in secret within ``time_s``.

        With κ = exp(uplink_exponent / t), agent n sends fast enough only if its share z_n of what the base station
        hears is at least a_n(θ) = (κ − 1) / (κ − r_n/θ), where θ = (1 − Σ_S z_n) θ' + Σ_S z_n r_n. As θ' > r_n, θ
        falls with every z_n, so that

            θ' ≥ φ(θ) = θ + Σ_S a_n(θ) (θ − r_n) / (1 − Σ_S a_n(θ)),     Σ_S a_n(θ) < 1,

        for some θ > max r_n, and the least value of φ counts. On an interval [θ₁, θ₂] it is at least the right side
        with θ − r_n at θ₁ and a_n at θ₂, for a_n falls with θ.
        """
        rate = math.expm1(min(self.uplink_exponent_s / time_s, 600.0))
        top = self.ratios.max(axis=0)  # (E,)
        least = [_least(ratios, rate) if math.isfinite(ratios.max()) else math.inf for ratios in self.ratios.T]
        return np.minimum(least, top + np.maximum(top, 1e-12) * GRID[-1]) * (1 - ROUNDING)


def _least(ratios: np.ndarray, rate: float) -> float:
    """Return a lower bound on the least φ(θ) of ratios (K,), with rate = κ − 1; infinite where no θ serves them."""
    top = float(ratios.max())
    edges = top + max(top, 1e-12) * np.append(0.0, GRID)
    start, end = edges[:-1], edges[1:]
    for pieces in (*PIECES, None):
        share = rate / (rate + (end[:, None] - ratios) / end[:, None])  # (Q, K)
        per_room = 1 / np.maximum(1 - share.sum(axis=1), 1e-300)
        reached = end + np.sum(share * (end[:, None] - ratios), axis=1) * per_room
        lower = start + np.sum(share * (start[:, None] - ratios), axis=1) * per_room
        if pieces is not None:
            close = lower <= reached.min()
            part = np.arange(pieces + 1) / pieces
            edges = start[close, None] + (end - start)[close, None] * part
            start, end = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    return float(lower.min())
