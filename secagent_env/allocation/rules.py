"""The rules of ``secagent/Allocation-v0``: formats, reward and info, the same for one environment and for many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from secagent_env.allocation.actions import action_format as make_action_format
from secagent_env.allocation.observations import observation_space
from secagent_env.allocation.reward import reward
from secagent_env.model.batched import Array
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome, constraint_bounds
from secagent_env.model.physics import evaluate
from secagent_env.model.scenario import Scenario
from secagent_env.model.workload import reference_energy_j as default_reference_j
from secagent_env.support.errors import unknown_name


class AllocationRules:
    """What the arguments of an environment say, validated; batched over leading dimensions.

    The arguments are those of :class:`~secagent_env.allocation.env.AllocationEnv`.
    """

    def __init__(
        self,
        scenario: Scenario | str | Mapping[str, Any] | None,
        *,
        action_format: str,
        observation_format: str,
        reference_energy_j: float | None,
        penalty_fixed: float,
        penalty_weight: float | Mapping[str, float],
        episodes_per_instance: int,
    ) -> None:
        self.scenario = Scenario.coerce(scenario)
        self.action_format = make_action_format(action_format, self.scenario)
        self.observation_format = observation_format
        self.observation_space = observation_space(observation_format, self.scenario)
        reference = default_reference_j(self.scenario) if reference_energy_j is None else reference_energy_j
        self.reference_energy_j = _finite("reference_energy_j", reference, above=True)
        self.penalty_fixed = _finite("penalty_fixed", penalty_fixed)
        self.penalty_weights = _weights(self.scenario, penalty_weight)
        self.episodes_per_instance = count_of("episodes_per_instance", episodes_per_instance)

    def score(self, instance: Instance, decision: Decision) -> tuple[Outcome, Array, Array]:
        """Return the outcome, the reward and the penalty in it, each of the batch shape."""
        outcome = evaluate(instance, decision)
        value, penalty = reward(
            instance,
            decision,
            outcome,
            reference_j=self.reference_energy_j,
            fixed=self.penalty_fixed,
            weights=self.penalty_weights,
        )
        return outcome, value, penalty

    def fitting(self, instance: Any, *batches: tuple[int, ...]) -> Instance:
        """Return an instance given by the user, as NumPy arrays; its batch shape must be one of ``batches``."""
        if not isinstance(instance, Instance):
            raise ValueError(f"options['instance'] must be an Instance, got {type(instance).__name__}")
        if instance.batch_shape not in batches:
            wanted = " or ".join(f"a batch {batch}" if batch else "a single instance" for batch in batches)
            got = f"the batch {instance.batch_shape}" if instance.batch_shape else "a single one"
            raise ValueError(f"options['instance'] must be {wanted}, got {got}")
        for name in ("num_agents", "num_antennas", "num_eavesdroppers"):
            got, wanted = getattr(instance.scenario, name), getattr(self.scenario, name)
            if got != wanted:
                raise ValueError(f"options['instance'] must have {name} = {wanted} as the environment, got {got}")
        return instance if isinstance(instance.channel_bs, np.ndarray) else instance.to(np)


def info_of(outcome: Outcome, penalty: Array) -> dict[str, Any]:
    """Return what ``step`` tells of an outcome, each entry of the batch shape."""
    return {
        "energy_j": outcome.energy_j,
        "execution_energy_j": outcome.execution_energy_j,
        "transmission_energy_j": outcome.transmission_energy_j,
        "latency_s": outcome.latency_s,
        "mean_accuracy": outcome.mean_accuracy,
        "violations": dict(outcome.violations),
        "feasible": outcome.feasible,
        "penalty": penalty,
    }


def options_of(options: Mapping[str, Any] | None, *names: str) -> dict[str, Any]:
    """Return the options of a reset, every one of ``names``, None where it is not given."""
    given = options or {}
    for name in given:
        if name not in names:
            raise unknown_name("reset option", name, names)
    return {name: given.get(name) for name in names}


def count_of(name: str, value: Any) -> int:
    """Return a whole number ≥ 1, or raise ValueError."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer ≥ 1, got {value!r}")
    return int(value)


def _weights(scenario: Scenario, weight: float | Mapping[str, float]) -> dict[str, float]:
    names = constraint_bounds(scenario)
    given = weight if isinstance(weight, Mapping) else dict.fromkeys(names, weight)
    for name in given:
        if name not in names:
            raise unknown_name("constraint in penalty_weight", name, names)
    return {name: _finite(f"penalty_weight of {name}", given.get(name, 1.0)) for name in names}


def _finite(name: str, value: Any, *, above: bool = False) -> float:
    good = isinstance(value, (int, float, np.number)) and math.isfinite(value) and (value > 0 if above else value >= 0)
    if not good:
        raise ValueError(f"{name} must be a finite number {'>' if above else '≥'} 0, got {value!r}")
    return float(value)
