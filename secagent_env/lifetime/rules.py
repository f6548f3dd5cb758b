"""The rules of ``secagent/Lifetime-v0``: tasks, batteries and the end, the same for one environment and for many.

Dimension letters: B running episodes, N agents.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from secagent_env.allocation.observations import observe
from secagent_env.allocation.reward import latency_by_deadline, transmission_by_deadline
from secagent_env.allocation.rules import FormatRules
from secagent_env.gym_bases.spaces import BOUND, bounded_box
from secagent_env.lifetime.episodes import LifetimeEpisodes
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.model.physics import evaluate
from secagent_env.model.prior import PRIOR
from secagent_env.model.scenario import Scenario
from secagent_env.model.workload import mean_execution_energy_j
from secagent_env.sampling.estimation import estimated, generator_beside
from secagent_env.sampling.generator import Deployment, draw_deployments, draw_tasks
from secagent_env.sampling.motion import Mobility, advance, start
from secagent_env.support.checks import flag, integer, interval

BATTERY_TASKS = (2.0, 16.0)
"""Default range of the batteries, in tasks of an average agent of the scenario."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LifetimeRules(FormatRules):
    """The arguments of the environments of batteries, and what follows from them; of B episodes at once.

    Parameters
    ----------
    scenario, action_format, observation_format, order, csi_error
        As in :class:`~secagent_env.allocation.rules.FormatRules`.
    instances
        Instances of your own along time, a batch (T,) or (…, T), or the path of one. Their links, one after the other,
        are those of an episode's tasks; agents are drawn for the episode, but for fields that are your own.
    battery_j
        The range (low, high) of the initial batteries, J; None: from 2 to 16 times the energy that an average agent of
        the scenario spends on a task.
    max_failures
        An episode ends after so many unserved tasks.
    mobility
        ``"gauss-markov"``: agents move from task to task; None: they rest. The arguments below belong to it.
    speed_m_s, eve_speed_m_s
        Mean speed of the agents, 1 m/s by default, and of the eavesdroppers, who rest by default.
    task_interval_s
        From one task to the next, s; None: the scenario's latency limit τ.
    velocity_memory_s
        After so many seconds a velocity keeps 1/e of its correlation; 30 by default.
    motion_seen
        Whether observations hold places and velocities where devices move.

    Attributes
    ----------
    battery_range_j
        The range of the initial batteries, J.
    moving
        The mobility, None where all rest.
    """

    battery_j: tuple[float, float] | None = None
    max_failures: int = 10
    mobility: str | None = None
    speed_m_s: float | None = None
    eve_speed_m_s: float | None = None
    task_interval_s: float | None = None
    velocity_memory_s: float | None = None
    motion_seen: bool = True

    battery_range_j: tuple[float, float] = field(init=False)
    moving: Mobility | None = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if "ranked" in (self.observation_format, self.action_format):
            raise ValueError("agents keep their numbers, as their batteries do: take guided and compact, not ranked")
        names = ("speed_m_s", "eve_speed_m_s", "task_interval_s", "velocity_memory_s")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        moving = Mobility.checked(self.mobility, self.scenario, given)
        if moving is not None and self.instances is not None:
            raise ValueError(
                "mobility moves networks that are drawn, and the links of instances= change by themselves: "
                "leave one of the two out"
            )
        if not flag("motion_seen", self.motion_seen) and moving is None:
            raise ValueError("motion_seen=False needs mobility='gauss-markov', got mobility=None")
        seen = _part_shapes(self.scenario, moving if self.motion_seen else None)
        self._set(
            observation_space=_with_parts(self.observation_space, seen),
            battery_range_j=_battery_range(self.battery_j, self.scenario),
            max_failures=integer("max_failures", self.max_failures, 1),
            moving=moving,
        )

    def begin(
        self,
        generators: Sequence[np.random.Generator],
        battery_j: Any = None,
        seeds: Sequence[int] = (),
        turns: Any = (),
    ) -> LifetimeEpisodes:
        """Return new episodes, one from each generator: network, first task, batteries.

        ``battery_j``, (N,) or (B, N), takes the place of the batteries drawn. ``seeds`` and ``turns``, (B,), say where
        instances of the user's own begin in their order.
        """
        own = self.instances
        none = np.zeros(len(generators), np.int64)
        moment = none if own is None else own.starts(generators, seeds, turns)
        deployment, task = draw_deployments(self.scenario, generators)
        low, high = self.battery_range_j
        unit = np.stack([generator.random(self.scenario.num_agents) for generator in generators])
        battery = low + (high - low) * unit
        if battery_j is not None:
            battery = np.broadcast_to(_batteries(battery_j, battery.shape), battery.shape).copy()
        motion = None
        if self.moving is not None:
            motion, deployment, task = start(self.moving, deployment, task, generators)
        task = self._own(task, moment)
        errors = None if self.csi_error is None else np.array([generator_beside(g) for g in generators], object)
        return LifetimeEpisodes(
            deployment=deployment,
            task=task,
            seen=self._seen(task, errors),
            errors=errors,
            initial_j=battery,
            battery_j=battery,
            served=none,
            unserved=none,
            least_energy_j=self._least(deployment, task),
            moment=moment,
            motion=motion,
        )

    def _own(self, task: Instance, moment: np.ndarray) -> Instance:
        """Return tasks with the fields of the user's own instances (B,) in the place of those drawn."""
        if self.instances is None:
            return task
        taken = self.instances.take(moment)
        lasting = self.instances.lasting if self.csi_error is None else (*self.instances.lasting, *PRIOR)
        fields = {name: getattr(taken, name) for name in lasting}
        return Instance._trusted(**{**task._fields(), **fields})

    def _seen(self, task: Instance, errors: np.ndarray | None) -> Instance | None:
        """Return estimates of the tasks (B); None where the truth is seen."""
        if errors is None or self.csi_error is None:
            return None
        return estimated(task, self.csi_error, errors.tolist())

    def _least(self, deployment: Deployment, task: Instance) -> np.ndarray:
        if self.instances is not None and "inference_time_s" in self.instances.lasting:
            return task.execution_energy_j
        return task.compute_power_w * deployment.inference_time_s(0.0)

    def step(
        self, episodes: LifetimeEpisodes, decision: Decision, generators: Sequence[np.random.Generator]
    ) -> tuple[LifetimeEpisodes, Outcome, dict[str, Any]]:
        """Return the episodes with their next tasks, the outcome of the decisions (B), and the info (B).

        Every agent spends the energy of its computing, if it is selected, and of its transmission, which the network
        gives up after τ; no battery gives more than it holds. A task is served iff its decision is feasible and no
        battery held too little.
        """
        outcome = evaluate(episodes.truth, decision)
        execution = np.where(decision.selection, episodes.task.execution_energy_j, 0.0)
        needed = execution + transmission_by_deadline(episodes.truth, decision, outcome)
        spent = np.minimum(needed, episodes.battery_j)
        missing = np.max(needed - episodes.battery_j, axis=-1)
        served = outcome.feasible & (missing <= 0)
        moment = episodes.moment if self.instances is None else self.instances.following(episodes.moment)
        motion, deployment = episodes.motion, episodes.deployment
        if self.moving is None or motion is None:
            task = self._own(draw_tasks(deployment, generators), moment)
        else:
            motion, deployment, task = advance(self.moving, motion, deployment, generators)
        following = dataclasses.replace(
            episodes,
            deployment=deployment,
            task=task,
            seen=self._seen(task, episodes.errors),
            motion=motion,
            least_energy_j=self._least(deployment, task),
            moment=moment,
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
            "is_success": served,
            "counted_latency_s": latency_by_deadline(self.scenario, outcome),
            **self.told(episodes.task),
        }
        return following, outcome, info

    def over(self, episodes: LifetimeEpisodes) -> np.ndarray:
        """Return which episodes have ended, (B,) bool: no selection is left, or too many tasks went unserved."""
        return episodes.hopeless | (episodes.unserved >= self.max_failures)

    def observe(self, episodes: LifetimeEpisodes) -> Any:
        """Return the observations: new float32 arrays (B, …)."""
        observation = observe(episodes.instance, self.observation_format)
        tasks = np.log2(1 + episodes.battery_j / episodes.task.execution_energy_j) / 4
        parts = {"batteries": np.stack([tasks, episodes.battery_j / self.battery_range_j[1]], axis=-1)}
        if self.moving is not None and self.motion_seen and episodes.motion is not None:
            seen = self.moving.seen(self.scenario, episodes.motion)
            agents = self.scenario.num_agents
            parts |= {"motion": seen[:, :agents], "eavesdropper_motion": seen[:, agents:]}
        wanted = _part_shapes(self.scenario, self.moving if self.motion_seen else None)
        parts = {name: np.clip(parts[name], -BOUND, BOUND).astype(np.float32) for name in wanted}
        if isinstance(observation, dict):
            return observation | parts
        return np.concatenate([observation, *(part.reshape(len(part), -1) for part in parts.values())], axis=-1)


def _part_shapes(scenario: Scenario, moving: Mobility | None) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parts that follow those of ``secagent/Allocation-v0``."""
    shapes: dict[str, tuple[int, ...]] = {"batteries": (scenario.num_agents, 2)}
    if moving is not None:
        shapes["motion"] = (scenario.num_agents, 4)
        if moving.eve_speed_m_s:
            shapes["eavesdropper_motion"] = (scenario.num_eavesdroppers, 4)
    return shapes


def _with_parts(space: gymnasium.Space[Any], shapes: dict[str, tuple[int, ...]]) -> gymnasium.Space[Any]:
    """Return a space of observations of ``secagent/Allocation-v0`` with parts behind it."""
    if isinstance(space, gymnasium.spaces.Dict):
        return gymnasium.spaces.Dict({**space.spaces, **{name: bounded_box(*shape) for name, shape in shapes.items()}})
    return bounded_box(math.prod(space.shape or ()) + sum(map(math.prod, shapes.values())))


def _battery_range(battery_j: Any, scenario: Scenario) -> tuple[float, float]:
    if battery_j is None:
        low, high = (tasks * mean_execution_energy_j(scenario) for tasks in BATTERY_TASKS)
        return low, high
    low, high = interval("battery_j", battery_j, low=0)
    if high == 0:
        raise ValueError(f"battery_j must be a (low, high) range with high > 0, got {battery_j!r}")
    return low, high


def _batteries(battery_j: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(battery_j, np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.shape not in (shape, shape[-1:]) or not np.isfinite(array).all() or not (array >= 0).all():
        raise ValueError(f"options['battery_j'] must hold N = {shape[-1]} finite energies ≥ 0 in J, got {battery_j!r}")
    return array
