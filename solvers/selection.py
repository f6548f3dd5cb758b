"""Who computes: the integer program min Σ α_n c_n under (13), (15), t_n ≤ τ; random feasible selections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from secagent_env import Instance
from secagent_env.physics import LN2, secrecy_rate, transfer_time
from solvers.milp import milp

if TYPE_CHECKING:
    from solvers.secrecy_program import SecrecyRows

TOLERANCE = 1e-9
"""What ``evaluate`` grants in mean accuracy and, relatively, in latency; the bound must hold for it too."""

OBJECTIVE_TOLERANCE = 2e-6
"""HiGHS leaves out what improves its objective by less than 1e-6, and still calls it optimal."""


@dataclass(frozen=True)
class Choice:
    """A selection and its cost, a proved minimum; infinite, and no selection, where none is feasible."""

    cost: float
    selection: np.ndarray | None
    message: str = ""


def eligible_agents(instance: Instance, time_limit_s: float | None = None) -> np.ndarray:
    """Return which agents can finish their computing in time, (N,) bool."""
    limit = instance.scenario.latency_limit_s * (1 + TOLERANCE) if time_limit_s is None else time_limit_s
    return instance.inference_time_s <= limit


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
    """What the times of (17) cannot fall below, whatever the beam and the powers.

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
    """Return who has a finite cost and could finish in time if nobody else computed, (N,) bool."""
    return np.isfinite(cost) & (floors.alone <= instance.scenario.latency_limit_s * (1 + TOLERANCE))


def cheapest_selection(instance: Instance, cost: np.ndarray, eligible: np.ndarray | None = None) -> Choice:
    """Return the cheapest selection that meets (13), (15) and the time floors of (17), proved optimal.

    Where the cheapest N_min agents are accurate and fast enough they are the optimum, since costs are not
    negative; otherwise HiGHS solves the integer program.

    Parameters
    ----------
    cost
        (N,), J, not negative; agents of infinite cost are not used.
    eligible
        (N,) bool, who may be selected; default: everybody.
    """
    scenario = instance.scenario
    floors = TimeFloors.of(instance)
    limit = scenario.latency_limit_s * (1 + TOLERANCE)
    usable = usable_agents(instance, cost, floors)
    eligible = usable if eligible is None else usable & eligible
    if message := why_infeasible(instance, eligible):
        return Choice(math.inf, None, message)
    agents = np.flatnonzero(eligible)
    surplus = instance.accuracy - scenario.min_accuracy
    required = scenario.required_agents

    def chosen(members: np.ndarray) -> np.ndarray:
        selection = np.zeros(scenario.num_agents, bool)
        selection[members] = True
        return selection

    def accurate(selection: np.ndarray) -> bool:
        return bool(surplus[selection].mean() >= -TOLERANCE)

    selection = chosen(agents[np.argsort(cost[agents], kind="stable")[:required]])
    if accurate(selection) and floors.latency(selection) <= limit:
        return Choice(float(cost[selection].sum()), selection)
    bound = 0.0
    # Each program relaxes the next; the first minimum is already a bound, and most often the answer. HiGHS accepts
    # a small shortfall in the accuracy: re-check, and ask for a margin where it used it.
    for timed in (False, True):
        for margin in (-TOLERANCE, 0.0, TOLERANCE):
            program = integer_program(cost, surplus - margin, required, agents, floors if timed else None, limit)
            if program is None:
                message = "latency_s: no selection of enough, and accurate enough, agents can be that fast"
                return Choice(math.inf, None, message)
            members, minimum = program
            assert members is not None  # there was no time limit
            bound = max(bound, minimum) if margin < 0 else bound
            selection = chosen(members)
            if selection.sum() >= required and accurate(selection):
                break
        else:
            raise RuntimeError("the integer program's solution misses the accuracy it was asked for")
        if floors.latency(selection) <= limit * (1 + 1e-6):
            break
    return Choice(min(bound, float(cost[selection].sum())), selection)


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
    """Return who is selected among ``agents`` (A,), and a lower bound on the cost; None if nobody can be.

    Variables: α (A,); with ``floors`` the three times of (17) in units of the limit; with ``secrecy`` its shares. Of
    each of the ``cuts`` (N,) bool somebody is left out. Out of ``seconds``, who is selected may not be optimal, or
    None; the bound holds.
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
    result = milp(
        np.concatenate([cost[agents] / scale, np.zeros(times + shares)]),
        integrality=np.repeat([1, 0], [size, times + shares]),
        bounds=optimize.Bounds(0, np.repeat([1.0, np.inf], [size + times, shares])),
        constraints=optimize.LinearConstraint(matrix, lower, np.inf),
        options={"mip_rel_gap": 0.0} | ({} if seconds is None else {"time_limit": seconds}),
    )
    if result.status == 2:  # infeasible
        return None
    if result.x is None and result.status != 1:  # 1: out of time
        raise RuntimeError(f"the integer program was not solved: {result.message}")
    dual = result.mip_dual_bound
    bound = (float(dual) - OBJECTIVE_TOLERANCE) * scale if dual is not None and np.isfinite(dual) else 0.0
    return None if result.x is None else agents[result.x[:size] > 0.5], max(bound, 0.0)


def random_selection(instance: Instance, rng: np.random.Generator, tries: int = 10_000) -> np.ndarray | None:
    """Return a random feasible selection of exactly N_min agents, (N,) bool, or None if there is none.

    Uniform among those with t_n ≤ τ and mean accuracy ≥ Acc_min by rejection; where ``tries`` draws do not
    find one, a random walk by swaps from the most accurate selection (nearly uniform).
    """
    scenario = instance.scenario
    eligible = eligible_agents(instance)
    if why_infeasible(instance, eligible):
        return None
    agents = np.flatnonzero(eligible)
    surplus = instance.accuracy[agents] - scenario.min_accuracy + TOLERANCE
    required = scenario.required_agents
    chosen = None
    for _ in range(math.ceil(tries / 100)):
        draws = rng.random((100, len(agents))).argpartition(required - 1, axis=1)[:, :required]
        accepted = np.flatnonzero(surplus[draws].sum(axis=1) >= 0)
        if accepted.size:
            chosen = draws[accepted[0]]
            break
    if chosen is None:
        chosen = _swap_walk(surplus, required, rng)
    selection = np.zeros(scenario.num_agents, bool)
    selection[agents[chosen]] = True
    return selection


def _swap_walk(surplus: np.ndarray, required: int, rng: np.random.Generator) -> np.ndarray:
    order = np.argsort(-surplus, kind="stable")
    inside, outside = order[:required].copy(), order[required:].copy()
    if not outside.size:
        return inside
    total = surplus[inside].sum()
    for _ in range(50 * len(surplus)):
        i, j = rng.integers(len(inside)), rng.integers(len(outside))
        change = surplus[outside[j]] - surplus[inside[i]]
        if total + change >= 0:
            total += change
            inside[i], outside[j] = outside[j], inside[i]
    return inside
