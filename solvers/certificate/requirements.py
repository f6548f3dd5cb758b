"""What every selection has to meet: (13), (15), and floors of the times in (17) that hold for any beam and powers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from secagent_env.model.physics import secrecy_rate, transfer_time

TOO_SLOW = "latency_s: no selection of enough, and accurate enough, agents can be that fast"
"""Why no selection meets the floors of the times."""
TOLERANCE = 1e-9
"""Tolerance of ``evaluate``, absolute in mean accuracy and relative in latency; the bound has to grant it too."""


@dataclass(frozen=True)
class CheapestSelection:
    """A selection and its cost, a proved minimum; infinite, and no selection, where none is feasible."""

    cost: float
    selection: np.ndarray | None
    message: str = ""


def selection_of(agents: np.ndarray, num_agents: int) -> np.ndarray:
    """Return the selection (N,) bool of agents given as indices."""
    selection = np.zeros(num_agents, bool)
    selection[agents] = True
    return selection


def why_infeasible(instance: Instance, eligible: np.ndarray) -> str:
    """Return why no selection of eligible agents meets (13) and (15); an empty string where one does."""
    scenario = instance.scenario
    required = scenario.required_agents
    if (count := int(eligible.sum())) < required:
        return f"latency_s: only {count} agents can compute and send in secret in time, {required} are needed"
    # The best mean accuracy of at least N_min agents is that of the N_min most accurate ones.
    best = float(np.mean(np.sort(instance.accuracy[eligible])[-required:]))
    if best < scenario.min_accuracy - TOLERANCE:
        return (
            f"accuracy: the {required} most accurate agents reach a mean of {best:.4f}, "
            f"{scenario.min_accuracy:g} is needed"
        )
    return ""


@dataclass(frozen=True)
class TimeFloors:
    """Lower bounds on the times of (17), for any beam and powers.

    Attributes
    ----------
    downlink, inference, uplink
        For each agent, (N,), s: at the rate of a beam for it alone, its t_n, and at the rate of sending alone at
        p_max.
    per_rate
        o/B, s bit/s/Hz: the time of an output at the rate of 1 bit/s/Hz.
    """

    downlink: np.ndarray
    inference: np.ndarray
    uplink: np.ndarray
    per_rate: float

    @classmethod
    def of(cls, instance: Instance) -> TimeFloors:
        """Return the floors of an instance."""
        scenario = instance.scenario
        snr = instance.bs_gain / scenario.noise_power_w
        nobody = np.zeros_like(snr)
        downlink_rate = secrecy_rate(scenario.bs_power_w * snr, nobody)
        uplink_rate = secrecy_rate(scenario.max_power_w * snr, nobody)
        return cls(
            transfer_time(scenario.downlink_bits, scenario.bandwidth_hz, downlink_rate),
            instance.inference_time_s,
            transfer_time(scenario.uplink_bits, scenario.bandwidth_hz, uplink_rate),
            scenario.uplink_bits / scenario.bandwidth_hz,
        )

    @property
    def alone(self) -> np.ndarray:
        """The least latency of each agent if nobody else computes, (N,), s."""
        return self.downlink + self.inference + self.uplink

    def together(self, senders: int) -> float:
        """Return the least time of the slowest of K simultaneous senders, s: not all SINRs exceed 1/(K − 1)."""
        return self.per_rate / math.log2(senders / (senders - 1)) if senders > 1 else 0.0

    def latency(self, selection: np.ndarray) -> float:
        """Return the floor of a selection's latency, s."""
        uplink = max(float(self.uplink[selection].max()), self.together(int(selection.sum())))
        return float(self.downlink[selection].max() + self.inference[selection].max()) + uplink


def usable_agents(instance: Instance, cost: np.ndarray, floors: TimeFloors) -> np.ndarray:
    """Return the agents of finite cost that could finish in time if nobody else computed, (N,) bool."""
    return np.isfinite(cost) & (floors.alone <= instance.scenario.latency_limit_s * (1 + TOLERANCE))
