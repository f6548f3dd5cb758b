"""Outcome: the energies, times, secrecy and violations of a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from secagent_env.model.batched import Array, Batched
from secagent_env.model.scenario import Scenario


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome(Batched):
    """Energies, times, secrecy and violations of a decision, or of a batch of them.

    Every field has the batch shape, a scalar for a single decision; ``uplink_secrecy`` is (…, N).

    Attributes
    ----------
    energy_j, execution_energy_j, transmission_energy_j
        The objective (20) and its two parts (19) and (18), of all agents, J.
    latency_s, downlink_time_s, inference_time_s, uplink_time_s
        The left side of (17) and its three terms (maxima over the selected agents), s.
    downlink_secrecy, uplink_secrecy
        c_dl of (6) and c_n^ul of (11), bit/s/Hz; zero for agents that are not selected.
    mean_accuracy
        Left side of (15); zero if nobody is selected.
    violations
        Left minus right side of each constraint, > 0 violated, in physical units: ``beam_power_w`` (1),
        ``selected`` (13), ``accuracy`` (15), ``latency_s`` (17), ``agent_power_w`` (20c; the worst agent's,
        a negative power counts).
    violated
        For each constraint whether it is violated by more than the tolerance for rounding errors.
    feasible
        Whether none is.
    """

    energy_j: Array
    execution_energy_j: Array
    transmission_energy_j: Array
    latency_s: Array
    downlink_time_s: Array
    inference_time_s: Array
    uplink_time_s: Array
    downlink_secrecy: Array
    uplink_secrecy: Array
    mean_accuracy: Array
    violations: dict[str, Array]
    violated: dict[str, Array]
    feasible: Array

    _measured: ClassVar[tuple[str, int]] = ("energy_j", 0)

    @classmethod
    def _of(cls, xp: Any, *, scenario: Scenario, violations: dict[str, Array], **fields: Any) -> Outcome:
        """Return an outcome of these fields, with ``violated`` and ``feasible`` added."""
        energy = fields["energy_j"]
        tolerance = constraint_tolerances(scenario, 1e-5 if energy.dtype == xp.float32 else 1e-9)
        for name, violation in violations.items():
            if violation.shape != energy.shape:  # it does not depend on the instance, or not on the decision
                violations[name] = xp.broadcast_to(violation, energy.shape)
        violated = {name: violation > tolerance[name] for name, violation in violations.items()}
        beyond = list(violated.values())
        infeasible = beyond[0] | beyond[1] | beyond[2] | beyond[3] | beyond[4]
        fields.update(violations=violations, violated=violated, feasible=~infeasible)
        return cls._trusted(**fields)


def constraint_bounds(scenario: Scenario) -> dict[str, float]:
    """Return the right side of each constraint, to which a violation is relative."""
    return {
        "beam_power_w": scenario.bs_power_w,
        "selected": float(scenario.required_agents),
        "accuracy": scenario.min_accuracy,
        "latency_s": scenario.latency_limit_s,
        "agent_power_w": scenario.max_power_w,
    }


def constraint_tolerances(scenario: Scenario, rounding: float = 1e-9) -> dict[str, float]:
    """Return by how much each constraint may be exceeded and still holds, in physical units.

    ``rounding`` is relative to the right sides, and greater where outcomes are float32.
    """
    bounds = constraint_bounds(scenario)
    return {
        "beam_power_w": rounding * max(bounds["beam_power_w"], scenario.max_power_w),
        "selected": 0.0,
        "accuracy": rounding,
        "latency_s": rounding * bounds["latency_s"],
        "agent_power_w": rounding * bounds["agent_power_w"],
    }
