"""The reward: −energy / reference − penalties. Batched and always finite."""

from __future__ import annotations

import math

from secagent_env._batched import Array, namespace
from secagent_env.decision import Decision
from secagent_env.instance import Instance
from secagent_env.outcome import Outcome, constraint_bounds
from secagent_env.physics import transfer_time, transmission_energies
from secagent_env.scenario import Scenario


def mean_execution_energy_j(scenario: Scenario) -> float:
    """Return the expectation of p_n^exe t_n, (19) with (16), over the scenario's ranges, J."""
    low, high = scenario.compute_rate
    mean_inverse_rate = 1 / low if low == high else math.log(high / low) / (high - low)
    first, last = scenario.tool_tokens
    count = last - first + 1
    mean_tokens = (first + last) / 2
    mean_square = mean_tokens**2 + (count**2 - 1) / 12
    output = scenario.output_tokens
    dims = scenario.model_dims
    mean_dim = sum(scenario.model_dim) / 2 if dims is None else sum(dims) / len(dims)
    operations = mean_dim * (scenario.activation_ops + 1 + mean_tokens + output + mean_square + output**2)
    return sum(scenario.compute_power_w) / 2 * operations * mean_inverse_rate


def reference_energy_j(scenario: Scenario) -> float:
    """Return the energy that has the reward −1 by default: N_min agents picked at random, expected, J."""
    return scenario.required_agents * mean_execution_energy_j(scenario)


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
    is larger than the execution energy of any selection: whoever violates a constraint cannot gain by it.

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
    scenario = instance.scenario
    limit = scenario.latency_limit_s
    downlink_time, uplink_time = (
        xp.where(t < limit, t, limit) for t in (outcome.downlink_time_s, outcome.uplink_time_s)
    )
    energy = outcome.execution_energy_j + xp.sum(transmission_by_deadline(instance, decision, outcome), axis=-1)
    everyone = xp.sum(instance.execution_energy_j, axis=-1) / reference_j
    excess = {
        **outcome.violations,
        "latency_s": downlink_time + outcome.inference_time_s + uplink_time - limit,
    }
    penalty = xp.zeros_like(energy)
    for name, bound in constraint_bounds(scenario).items():
        relative = excess[name] / bound if bound > 0 else xp.zeros_like(energy)
        penalty = penalty + xp.where(outcome.violated[name], fixed * everyone + weights[name] * relative, 0.0)
    return -energy / reference_j - penalty, penalty
