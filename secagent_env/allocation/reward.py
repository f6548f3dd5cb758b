"""The reward: −energy / reference − penalties. Batched and always finite."""

from __future__ import annotations

from secagent_env.model.batched import Array, namespace
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome, constraint_bounds
from secagent_env.model.physics import transfer_time, transmission_energies
from secagent_env.model.scenario import Scenario


def transmission_by_deadline(instance: Instance, decision: Decision, outcome: Outcome) -> Array:
    """Return the transmission energy of each agent, (…, N), J, each transmission counted for τ at most.

    The network gives up at the deadline, so no time costs infinite energy; no feasible decision is touched.
    """
    xp = namespace(outcome.energy_j)
    scenario = instance.scenario
    uplink_times = transfer_time(scenario.uplink_bits, scenario.bandwidth_hz, outcome.uplink_secrecy)
    limit = scenario.latency_limit_s
    until = [
        xp.where(time < limit, time, limit) for time in (uplink_times, outcome.downlink_time_s, outcome.uplink_time_s)
    ]
    power = xp.where(decision.power_w > 0, decision.power_w, 0.0)
    return transmission_energies(decision.selection, power, until[0], until[1] + until[2])


def latency_by_deadline(scenario: Scenario, outcome: Outcome) -> Array:
    """Return the left side of (17), (…), s, each transmission counted for τ at most: it is finite."""
    xp, limit = namespace(outcome.latency_s), scenario.latency_limit_s
    downlink, uplink = (xp.where(t < limit, t, limit) for t in (outcome.downlink_time_s, outcome.uplink_time_s))
    return downlink + outcome.inference_time_s + uplink


def reward(
    instance: Instance,
    decision: Decision,
    outcome: Outcome,
    *,
    reference_j: float,
    fixed: float,
    weights: dict[str, float],
) -> tuple[Array, Array]:
    """Return the reward and the penalty in it, each of the batch shape.

    ``reward = −energy / reference_j − penalty``. The energy counts each transmission for τ at most: the
    network gives up at the deadline, so no time costs infinite energy, and no feasible decision is touched.
    The penalty is, summed over the violated constraints, ``fixed · (energy of all agents computing) /
    reference_j + weight · violation / bound``, where the latency counts with the same cap. The first term
    is larger than the execution energy of any selection: no violation of a constraint can gain by it.

    Parameters
    ----------
    reference_j
        The unit of energy, J.
    fixed
        The fixed part, in units of what all agents together would spend on computing.
    weights
        For each constraint, the weight of its relative violation.
    """
    xp = namespace(outcome.energy_j)
    transmission = xp.sum(transmission_by_deadline(instance, decision, outcome), axis=-1)
    everyone = xp.sum(instance.execution_energy_j, axis=-1)
    return reward_of(
        instance.scenario, outcome, transmission, everyone, reference_j=reference_j, fixed=fixed, weights=weights
    )


def reward_of(
    scenario: Scenario,
    outcome: Outcome,
    transmission_j: Array,
    everyone_j: Array,
    *,
    reference_j: float,
    fixed: float,
    weights: dict[str, float],
) -> tuple[Array, Array]:
    """Return what :func:`reward` returns, of two sums over the agents.

    ``transmission_j`` is that of :func:`transmission_by_deadline`, and ``everyone_j`` what all agents together would
    spend on computing, of the batch shape, J.
    """
    xp = namespace(outcome.energy_j)
    energy = outcome.execution_energy_j + transmission_j
    everyone = everyone_j / reference_j
    excess = {**outcome.violations, "latency_s": latency_by_deadline(scenario, outcome) - scenario.latency_limit_s}
    penalty = xp.zeros_like(energy)
    for name, bound in constraint_bounds(scenario).items():
        relative = excess[name] / bound if bound > 0 else xp.zeros_like(energy)
        penalty = penalty + xp.where(outcome.violated[name], fixed * everyone + weights[name] * relative, 0.0)
    return -energy / reference_j - penalty, penalty
