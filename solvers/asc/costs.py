"""What each agent costs when it is selected, at a given beam, powers and α̂: E_sel − E_jam of (27), corrected."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from secagent_env import Decision, Instance
from secagent_env.model.physics import combine_eavesdroppers, downlink_sinr, secrecy_rate, transfer_time, uplink_sinr
from solvers.certificate.requirements import TOLERANCE
from solvers.interface.base import repeated

TRACE_W = 1e-200
"""A power that makes no difference to others, W."""


@dataclass(frozen=True)
class SelectionProblem:
    """The selection problem (21): beam and powers are given.

    Attributes
    ----------
    instance
        A single instance.
    beamformer
        w, (L,) complex, √W.
    sender_w, jammer_w
        (N,) W: each agent's power if it is selected, and if it is not. With a single one a silent jammer could never
        be selected.
    noise_covariance
        V, (L, L) complex, W, of artificial noise; None without.
    """

    instance: Instance
    beamformer: np.ndarray
    sender_w: np.ndarray
    jammer_w: np.ndarray
    noise_covariance: np.ndarray | None = None

    def decision(self, selection: np.ndarray) -> Decision:
        """Return the decision that goes with a selection (…, N)."""
        shape = (*selection.shape[:-1], self.beamformer.size)
        return Decision(
            selection=selection,
            beamformer=np.broadcast_to(self.beamformer, shape),
            power_w=np.where(selection, self.sender_w, self.jammer_w),
            noise_covariance=repeated(self.noise_covariance, *selection.shape[:-1]),
        )


@dataclass(frozen=True)
class Costs:
    """The cost that each agent adds when it is selected.

    Attributes
    ----------
    change
        E_sel − E_jam, (N,), in units of ``unit_j``, the mean of E_sel.
    accuracy
        Acc_n, (N,).
    min_accuracy
        Acc_min.
    allowed
        The agents that can be selected at all, (N,) bool.
    required
        N_min.
    unit_j
        J.
    uplink_time_s
        t_n^ul of each agent as a sender, (N,), s, infinite without secrecy.
    """

    change: np.ndarray
    accuracy: np.ndarray
    min_accuracy: float
    allowed: np.ndarray
    required: int
    unit_j: float
    uplink_time_s: np.ndarray

    @functools.cached_property
    def surplus(self) -> np.ndarray:
        """Acc_n − Acc_min, (N,)."""
        return np.asarray(self.accuracy - self.min_accuracy)

    def total(self, selection: np.ndarray) -> float:
        """Return the cost of a selection (N,) bool."""
        return float(self.change[selection].sum())

    def meets(self, selection: np.ndarray) -> bool:
        """Whether (13) and (15) hold for a selection (N,) bool."""
        return int(selection.sum()) >= self.required and self.shortfall(selection) <= 0

    def shortfall(self, selection: np.ndarray) -> float:
        """Return by how much Σ α_n (Acc_n − Acc_min) falls short, beyond the tolerance; ≤ 0 if (15) holds."""
        return -float(self.surplus[selection].sum()) - TOLERANCE * int(selection.sum())


def separable_costs(problem: SelectionProblem, auxiliary: np.ndarray) -> Costs:
    """Return how much more each agent costs as a sender than as a jammer, at the rates and times of α̂ (N,) bool.

    A sender spends E_n^exe + p_n t_n^ul, where t_n^ul is its time beside the others of α̂, and a jammer
    p_n (t_dl + max t^ul), where both times are those of α̂. An agent is allowed if it computes and sends in time.
    """
    instance = problem.instance
    scenario = instance.scenario
    uplink = _uplink_times(problem, auxiliary)
    downlink = downlink_times(problem, auxiliary)
    limit = scenario.latency_limit_s
    # No feasible decision takes longer than the limit, so that an infinite time here costs no more than that.
    waiting = min(np.max(downlink, where=auxiliary, initial=0.0) + np.max(uplink, where=auxiliary, initial=0.0), limit)
    sending = instance.execution_energy_j + problem.sender_w * np.minimum(uplink, limit)
    unit = float(sending.mean()) or 1.0
    return Costs(
        change=(sending - problem.jammer_w * waiting) / unit,
        accuracy=instance.accuracy,
        min_accuracy=scenario.min_accuracy,
        allowed=instance.inference_time_s + uplink <= limit,
        required=scenario.required_agents,
        unit_j=unit,
        uplink_time_s=uplink,
    )


def downlink_times(problem: SelectionProblem, auxiliary: np.ndarray) -> np.ndarray:
    """Return the time (N,), s, that the downlink would take if agent n were the weakest receiver beside α̂ (N,) bool."""
    instance = problem.instance
    scenario = instance.scenario
    sinr, sinr_eve = downlink_sinr(instance, problem.decision(auxiliary))
    secrecy = secrecy_rate(sinr, combine_eavesdroppers(sinr_eve, scenario.colluding))
    return np.asarray(transfer_time(scenario.downlink_bits, scenario.bandwidth_hz, secrecy))


def _uplink_times(problem: SelectionProblem, auxiliary: np.ndarray) -> np.ndarray:
    """Return t_n^ul (N,), s, of each agent as a sender beside α̂ (N,) bool."""
    instance = problem.instance
    scenario = instance.scenario
    # An agent's SINRs are proportional to its own power, which is that of a sender here whether α̂ selects it or not.
    decision = problem.decision(auxiliary)
    power = np.maximum(decision.power_w, TRACE_W)
    sinr, sinr_eve = uplink_sinr(instance, decision.replace(power_w=power))
    louder = problem.sender_w / power
    secrecy = secrecy_rate(sinr * louder, combine_eavesdroppers(sinr_eve, scenario.colluding) * louder)
    return np.asarray(transfer_time(scenario.uplink_bits, scenario.bandwidth_hz, secrecy))
