"""Running episodes of ``secagent/Lifetime-v0``: their state.

Dimension letters: B running episodes, N agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from secagent_env.gym_bases.running import Episodes
from secagent_env.model.instance import Instance
from secagent_env.sampling.generator import Deployment
from secagent_env.sampling.motion import Motion

_TOLERANCE = 1e-9
"""The tolerance of ``evaluate`` in mean accuracy and, relatively, in latency."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LifetimeEpisodes(Episodes):
    """Running episodes.

    Attributes
    ----------
    deployment
        Places, links and agents (B).
    task
        The present task of each as it was drawn (B).
    initial_j, battery_j
        What the batteries held at the start and what is left, (B, N), J.
    served, unserved
        How many tasks were served so far and how many were not, (B,).
    least_energy_j
        The least each agent can spend on computing a task, (B, N), J: that with the shortest tool call, or, where
        inference times are the user's own, what it spends on the present one.
    moment
        Which of the user's own instances each is at, (B,); 0 where there are none.
    motion
        How the network moves (B); None where it rests.
    seen
        The present task of each with estimates of the eavesdroppers' channels (B); None where it is the truth.
    errors
        The generators of the estimates' errors, objects (B,); None where there are none.
    """

    deployment: Deployment
    task: Instance
    initial_j: np.ndarray
    battery_j: np.ndarray
    served: np.ndarray
    unserved: np.ndarray
    least_energy_j: np.ndarray
    moment: np.ndarray
    motion: Motion | None = None
    seen: Instance | None = None
    errors: np.ndarray | None = None

    @cached_property
    def instance(self) -> Instance:
        """The present task as it is seen and the batteries allow it (B).

        An agent whose battery does not cover its execution energy never finishes: its inference time is at least 2τ.
        """
        return self.truth if self.seen is None else self._allowed(self.seen)

    @cached_property
    def truth(self) -> Instance:
        """The present task as it is and the batteries allow it (B)."""
        return self._allowed(self.task)

    def _allowed(self, task: Instance) -> Instance:
        never = np.maximum(self.task.inference_time_s, 2 * self.task.scenario.latency_limit_s)
        lasts = self.battery_j >= self.task.execution_energy_j
        time = np.where(lasts, self.task.inference_time_s, never)
        return Instance._trusted(**{**task._fields(), "inference_time_s": time})

    @property
    def steps(self) -> np.ndarray:
        """How many tasks there were, (B,)."""
        return self.served + self.unserved

    @property
    def hopeless(self) -> np.ndarray:
        """Where no selection meets (13) and (15) with agents who can compute the present task in time, (B,) bool.

        The best mean accuracy of at least N_min agents is that of the N_min most accurate ones.
        """
        scenario = self.task.scenario
        able = self.instance.inference_time_s <= scenario.latency_limit_s * (1 + _TOLERANCE)
        required = scenario.required_agents
        best = np.sort(np.where(able, self.instance.accuracy, -np.inf), axis=-1)[:, -required:]
        return np.sum(best, axis=-1) / required < scenario.min_accuracy - _TOLERANCE
