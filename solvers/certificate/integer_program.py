"""The integer program of the selection: min Σ α_n c_n under (13), (15), floors of the times in (17), and secrecy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from secagent_env.model.physics import LN2, secrecy_rate, transfer_time
from solvers.numerics.milp import binary_program

TOLERANCE = 1e-9
"""Tolerance of ``evaluate``, absolute in mean accuracy and relative in latency; the bound has to grant it too."""

OBJECTIVE_TOLERANCE = 2e-6
"""HiGHS calls a point optimal that others improve on by less than 1e-6; twice that is taken off its bound."""


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
    per_sender
        (o ln2)/B, s: K simultaneous senders cannot all have an SINR above 1/(K − 1), so the slowest needs K − 1
        times this.
    """

    downlink: np.ndarray
    inference: np.ndarray
    uplink: np.ndarray
    per_sender: float

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
            scenario.uplink_bits * LN2 / scenario.bandwidth_hz,
        )

    @property
    def alone(self) -> np.ndarray:
        """The least latency of each agent if nobody else computes, (N,), s."""
        return self.downlink + self.inference + self.uplink

    def latency(self, selection: np.ndarray) -> float:
        """Return the floor of a selection's latency, s."""
        uplink = max(float(self.uplink[selection].max()), self.per_sender * (int(selection.sum()) - 1))
        return float(self.downlink[selection].max() + self.inference[selection].max()) + uplink


def usable_agents(instance: Instance, cost: np.ndarray, floors: TimeFloors) -> np.ndarray:
    """Return the agents of finite cost that could finish in time if nobody else computed, (N,) bool."""
    return np.isfinite(cost) & (floors.alone <= instance.scenario.latency_limit_s * (1 + TOLERANCE))


def integer_program(
    cost: np.ndarray,
    surplus: np.ndarray,
    required: int,
    agents: np.ndarray,
    floors: TimeFloors | None,
    limit: float,
    *,
    secrecy: SecrecyRows | None = None,
    cuts: Sequence[np.ndarray] = (),
    seconds: float | None = None,
) -> tuple[np.ndarray | None, float] | None:
    """Return the cheapest of ``agents`` (A,), as indices, and a lower bound on their cost; None if infeasible.

    Variables: α (A,); with ``floors`` the three times of (17) in units of the limit; with ``secrecy`` its shares. No
    selection may contain all agents of one of the ``cuts`` (N,) bool. Out of ``seconds`` the selection may be
    suboptimal, or None; the bound holds.
    """
    size, times = len(agents), 0 if floors is None else 3
    scale = 1e-4 * float(cost[agents].mean()) or 1.0
    blocks = [np.ones((1, size)), 1e4 * surplus[None, agents]]
    lower = [float(required), 0.0]
    columns = [np.zeros((2, times))]
    if floors is not None:
        for i, needed in enumerate((floors.downlink, floors.inference, floors.uplink)):
            blocks.append(np.diag(-needed[agents] / limit))  # T ≥ α_n · needed_n
            columns.append(np.tile(np.eye(3)[i], (size, 1)))
            lower += [0.0] * size
        per_sender = floors.per_sender / limit
        blocks += [np.full((1, size), -per_sender), np.zeros((1, size))]
        columns.append(np.array([[0.0, 0.0, 1.0], [-1.0, -1.0, -1.0]]))
        lower += [-per_sender, -1.0]
    for members in cuts:
        blocks.append(-members[None, agents].astype(float))
        columns.append(np.zeros((1, times)))
        lower.append(1.0 - int(members.sum()))
    matrix = np.hstack([np.concatenate(blocks), np.concatenate(columns)])
    shares = 0
    if secrecy is not None:
        shares = secrecy.on_shares.shape[1]
        rows = np.hstack([secrecy.on_agents, np.zeros((len(secrecy.lower), times)), secrecy.on_shares])
        matrix = np.concatenate([np.hstack([matrix, np.zeros((len(matrix), shares))]), rows])
        lower += list(secrecy.lower)
    result = binary_program(
        np.concatenate([cost[agents] / scale, np.zeros(times + shares)]),
        size,
        matrix,
        lower,
        high=np.repeat([1.0, np.inf], [size + times, shares]),
        seconds=seconds,
    )
    if result.status == 2:  # infeasible
        return None
    if result.x is None and result.status != 1:  # 1: out of time
        raise RuntimeError(f"the integer program was not solved: {result.message}")
    dual = result.mip_dual_bound
    bound = (float(dual) - OBJECTIVE_TOLERANCE) * scale if dual is not None and np.isfinite(dual) else 0.0
    return None if result.x is None else agents[result.x[:size] > 0.5], max(bound, 0.0)


LEAST = 1e-8
"""HiGHS drops coefficients below 1e-9; smaller ones that help secrecy are raised to this value."""

MOST = 1e8
"""Rows of a larger ratio are left out, since numerical noise would dominate them."""


@dataclass(frozen=True)
class SecrecyRows:
    """Rows a α + b x ≥ c of the program: α (A,) of the agents that may be selected, and x = (θ, y, z_0) ≥ 0.

    Attributes
    ----------
    on_agents, on_shares
        a (R, A) and b (R, E + N + 1). The shares are counted as y_m = z_m (1 + max_e r_me), which makes every
        coefficient at most 1 in size.
    lower
        c (R,).
    """

    on_agents: np.ndarray
    on_shares: np.ndarray
    lower: np.ndarray

    @classmethod
    def of(cls, instance: Instance, agents: np.ndarray) -> SecrecyRows:
        """Return the rows for the agents of indices ``agents`` (A,); everybody may jam."""
        gain, heard = instance.bs_gain, instance.gain_eve
        n, eves = heard.shape
        unit = np.maximum(gain + heard.max(axis=1), 1e-300)
        per_share = np.maximum(heard / unit[:, None], LEAST)  # r_me / (1 + max_e r_me), (N, E)
        ratio = heard[agents] / gain[agents, None]  # (A, E)
        everyone = np.eye(eves)
        # θ ≤ Σ_m z_m r_m + z_0, and Σ z ≤ 1; both are relaxed from equalities at no loss, since r ≥ 0.
        shares = [
            np.hstack([-everyone, per_share.T, np.ones((eves, 1))]),
            np.concatenate([np.zeros(eves), -gain / unit, [-1.0]])[None],
        ]
        member, eve = np.nonzero(ratio < MOST)
        scale = np.maximum(ratio[member, eve], 1.0)
        rows = np.zeros((len(member), len(agents)))
        rows[np.arange(len(member)), member] = -ratio[member, eve] / scale * (1 - TOLERANCE)
        selected = [np.zeros((eves + 1, len(agents))), rows]
        shares.append(np.hstack([everyone[eve] / scale[:, None], np.zeros((len(member), n + 1))]))
        # z_n + α_n ≤ 1.
        size = len(agents)
        selected.append(-np.eye(size))
        silent = np.zeros((size, eves + n + 1))
        silent[np.arange(size), eves + agents] = -gain[agents] / unit[agents]
        shares.append(silent)
        on_shares = np.concatenate(shares)
        lower = np.zeros(len(on_shares))
        lower[eves] = -1.0
        lower[len(lower) - size :] = -1.0
        return cls(np.concatenate(selected), on_shares, lower)
