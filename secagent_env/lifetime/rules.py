"""The rules of ``secagent/Lifetime-v0``: tasks, batteries and the end, the same for one environment and for many.

Dimension letters: B running episodes, N agents.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import gymnasium
import numpy as np

from secagent_env.allocation.actions import action_format as make_action_format
from secagent_env.allocation.observations import BOUND, observation_space, observe
from secagent_env.allocation.reward import transmission_by_deadline
from secagent_env.allocation.rules import count_of
from secagent_env.model.batched import Batched
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.model.physics import evaluate
from secagent_env.model.scenario import Scenario
from secagent_env.model.workload import inference_time, mean_execution_energy_j
from secagent_env.sampling.generator import Network, draw_networks, draw_tasks

BATTERY_TASKS = (2.0, 16.0)
"""Default range of the batteries, in tasks of an average agent of the scenario."""

_GRANTED = 1e-9
"""What ``evaluate`` grants in mean accuracy and, relatively, in latency."""

_B = TypeVar("_B", bound=Batched)


@dataclass(frozen=True, eq=False, kw_only=True)
class Episodes:
    """Running episodes.

    Attributes
    ----------
    network
        What lasts (B).
    task
        The present task of each as it was drawn (B).
    initial_j, battery_j
        What the batteries held at the start and what is left, (B, N), J.
    served, unserved
        How many tasks were served so far and how many were not, (B,).
    """

    network: Network
    task: Instance
    initial_j: np.ndarray
    battery_j: np.ndarray
    served: np.ndarray
    unserved: np.ndarray

    @cached_property
    def instance(self) -> Instance:
        """The present task as the batteries allow it (B).

        Whoever's battery does not cover its execution energy never finishes: its inference time is at least 2τ.
        """
        never = np.maximum(self.task.inference_time_s, 2 * self.task.scenario.latency_limit_s)
        lasts = self.battery_j >= self.task.execution_energy_j
        arrays = {name: getattr(self.task, name) for name in Instance._arrays}
        arrays["inference_time_s"] = np.where(lasts, self.task.inference_time_s, never)
        return Instance._trusted(self.task.scenario, **arrays)

    @property
    def least_energy_j(self) -> np.ndarray:
        """The least each agent can spend on computing a task, that with the shortest tool call, (B, N), J."""
        network = self.network
        time = inference_time(network.scenario, network.model_dim, network.compute_rate, 0.0)
        return network.compute_power_w * time

    @property
    def hopeless(self) -> np.ndarray:
        """Where no selection meets (13) and (15) with agents who can compute the present task in time, (B,) bool.

        The best mean accuracy of at least N_min agents is that of the N_min most accurate ones.
        """
        scenario = self.task.scenario
        able = self.instance.inference_time_s <= scenario.latency_limit_s * (1 + _GRANTED)
        required = scenario.required_agents
        best = np.sort(np.where(able, self.instance.accuracy, -np.inf), axis=-1)[:, -required:]
        return np.sum(best, axis=-1) / required < scenario.min_accuracy - _GRANTED

    def __getitem__(self, rows: np.ndarray | slice) -> Episodes:
        """Return some of the episodes."""
        counts = {name: getattr(self, name)[rows] for name in _COUNTS}
        return Episodes(network=self.network[rows], task=self.task[rows], **counts)

    def replaced(self, mask: np.ndarray, new: Episodes) -> Episodes:
        """Return a copy in which the episodes in ``mask`` (B,) are the new ones, in their order."""

        def put(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
            array = array.copy()
            array[mask] = rows
            return array

        return Episodes(
            network=_merged(self.network, new.network, put),
            task=_merged(self.task, new.task, put),
            **{name: put(getattr(self, name), getattr(new, name)) for name in _COUNTS},
        )


_COUNTS = ("initial_j", "battery_j", "served", "unserved")


def _merged(old: _B, new: _B, put: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> _B:
    """Return a copy of a batch with ``put`` applied to each of its arrays and that of the new one, in their order."""
    rows = iter([getattr(new, name) for name in new._arrays])
    return old._map(lambda array: put(array, next(rows)))


class LifetimeRules:
    """What the arguments of an environment say, validated; everything else is of B episodes at once.

    The arguments are those of :class:`~secagent_env.lifetime.env.LifetimeEnv`.
    """

    def __init__(
        self,
        scenario: Scenario | str | Mapping[str, Any] | None,
        *,
        action_format: str,
        observation_format: str,
        battery_j: tuple[float, float] | None,
        max_failures: int,
    ) -> None:
        self.scenario = Scenario.coerce(scenario)
        self.action_format = make_action_format(action_format, self.scenario)
        self.observation_format = observation_format
        self.observation_space = lifetime_observation_space(observation_format, self.scenario)
        self.battery_j = _battery_range(battery_j, self.scenario)
        self.max_failures = count_of("max_failures", max_failures)

    def begin(self, generators: Sequence[np.random.Generator], battery_j: Any = None) -> Episodes:
        """Return new episodes, one from each generator: network, first task, batteries.

        ``battery_j``, (N,) or (B, N), takes the place of the batteries drawn.
        """
        network, task = draw_networks(self.scenario, generators)
        low, high = self.battery_j
        unit = np.stack([generator.random(self.scenario.num_agents) for generator in generators])
        battery = low + (high - low) * unit
        if battery_j is not None:
            battery = np.broadcast_to(_batteries(battery_j, battery.shape), battery.shape).copy()
        none = np.zeros(len(generators), np.int64)
        return Episodes(network=network, task=task, initial_j=battery, battery_j=battery, served=none, unserved=none)

    def step(
        self, episodes: Episodes, decision: Decision, generators: Sequence[np.random.Generator]
    ) -> tuple[Episodes, Outcome, dict[str, Any]]:
        """Return the episodes with their next tasks, the outcome of the decisions (B), and the info (B).

        Every agent spends the energy of its computing, if it is selected, and of its transmission, which the network
        gives up after τ; no battery gives more than it holds. A task is served iff its decision is feasible and no
        battery held too little.
        """
        outcome = evaluate(episodes.instance, decision)
        execution = np.where(decision.selection, episodes.task.execution_energy_j, 0.0)
        needed = execution + transmission_by_deadline(episodes.instance, decision, outcome)
        spent = np.minimum(needed, episodes.battery_j)
        missing = np.max(needed - episodes.battery_j, axis=-1)
        served = outcome.feasible & (missing <= 0)
        following = Episodes(
            network=episodes.network,
            task=draw_tasks(episodes.network, generators),
            initial_j=episodes.initial_j,
            battery_j=episodes.battery_j - spent,
            served=episodes.served + served,
            unserved=episodes.unserved + ~served,
        )
        info = {
            "served": served,
            "tasks_served": following.served,
            "energy_j": np.sum(spent, axis=-1),
            "latency_s": outcome.latency_s,
            "mean_accuracy": outcome.mean_accuracy,
            "feasible": outcome.feasible,
            "violations": {**outcome.violations, "battery_j": missing},
            "battery_j": following.battery_j,
        }
        return following, outcome, info

    def over(self, episodes: Episodes) -> np.ndarray:
        """Return which episodes have ended, (B,) bool: no selection is left, or too many tasks went unserved."""
        return episodes.hopeless | (episodes.unserved >= self.max_failures)

    def observe(self, episodes: Episodes) -> Any:
        """Return the observations: new float32 arrays (B, …)."""
        observation = observe(episodes.instance, self.observation_format)
        tasks = np.log2(1 + episodes.battery_j / episodes.task.execution_energy_j) / 4
        part = np.stack([tasks, episodes.battery_j / self.battery_j[1]], axis=-1)
        part = np.clip(part, -BOUND, BOUND).astype(np.float32)
        if isinstance(observation, dict):
            return {**observation, "batteries": part}
        return np.concatenate([observation, part.reshape(len(part), -1)], axis=-1)


def lifetime_observation_space(name: str, scenario: Scenario) -> gymnasium.Space[Any]:
    """Return the space of the observation format called ``name``: that of Allocation, and ``batteries`` behind it."""
    space: Any = observation_space(name, scenario)
    shape = (scenario.num_agents, 2)
    if isinstance(space, gymnasium.spaces.Dict):
        return gymnasium.spaces.Dict(
            {**space.spaces, "batteries": gymnasium.spaces.Box(-BOUND, BOUND, shape, np.float32)}
        )
    return gymnasium.spaces.Box(-BOUND, BOUND, (space.shape[0] + math.prod(shape),), np.float32)


def _battery_range(battery_j: Any, scenario: Scenario) -> tuple[float, float]:
    if battery_j is None:
        low, high = (tasks * mean_execution_energy_j(scenario) for tasks in BATTERY_TASKS)
        return low, high
    numbers = isinstance(battery_j, (tuple, list)) and len(battery_j) == 2
    if not numbers or not all(isinstance(x, (int, float, np.number)) and math.isfinite(x) for x in battery_j):
        raise ValueError(f"battery_j must be a (low, high) range in J, got {battery_j!r}")
    low, high = map(float, battery_j)
    if not 0 <= low <= high or high == 0:
        raise ValueError(f"battery_j must be a (low, high) range with 0 ≤ low ≤ high and high > 0, got {battery_j!r}")
    return low, high


def _batteries(battery_j: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(battery_j, np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.shape not in (shape, shape[-1:]) or not np.isfinite(array).all() or not (array >= 0).all():
        raise ValueError(f"options['battery_j'] must hold N = {shape[-1]} finite energies ≥ 0 in J, got {battery_j!r}")
    return array
