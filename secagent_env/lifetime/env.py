"""``secagent/Lifetime-v0``: tasks arrive one after the other until the agents' batteries serve no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from secagent_env import rendering
from secagent_env.gym_bases.arguments import reset_options, takes_arguments_of
from secagent_env.gym_bases.instance_env import InstanceEnv
from secagent_env.gym_bases.own_instances import with_instances
from secagent_env.gym_bases.running import first_info
from secagent_env.gym_bases.seeded_vector import rows_of
from secagent_env.lifetime.episodes import LifetimeEpisodes
from secagent_env.lifetime.rules import LifetimeRules
from secagent_env.model.instance import Instance
from secagent_env.model.scenario import Scenario
from secagent_env.support.units import quantity

MAX_EPISODE_STEPS = 1000
"""Where Gymnasium truncates; batteries of the default range end an episode long before."""


@takes_arguments_of(LifetimeRules)
class LifetimeEnv(InstanceEnv):
    """Serve as many tasks as possible before the agents' batteries run out.

    ## Description
    Agents have batteries and stay what and where they are for an episode. Each step one reasoning task arrives,
    with fresh fading on all links and fresh tool-call lengths; a decision as in ``secagent/Allocation-v0`` serves it
    and drains the batteries. A policy that always selects the cheapest agents drains them until too few are left.

    ## Action space
    As in :class:`~secagent_env.allocation.env.AllocationEnv`: ``action_format`` is ``"flat"``, ``"dict"`` or
    ``"guided"``.

    ## Observation space
    That of ``secagent/Allocation-v0`` for :attr:`instance`, and the part ``batteries`` (N, 2): log2(1 + battery left
    / execution energy now) / 4, and battery left / highest initial battery. ``observation_format`` is ``"flat"``,
    ``"dict"`` or ``"compact"``; the flat ones have ``batteries`` at the end.

    ## Reward
    1 for a task that is served, 0 for one that is not. A task is served iff the decision is feasible and no agent
    needs more than its battery holds.

    ## Energy
    A selected agent spends its execution energy, and everybody its transmission energy; a transmission is given up
    after τ, and a battery gives no more than it holds. What an unserved task cost is lost.

    ## Start and end
    ``reset`` draws network, first task and batteries, or takes the latter from ``options={"battery_j": (N,) J}``. The
    episode terminates before a task for which no selection that meets (13) and (15) is left among the agents who can
    compute it in time and whose battery covers their execution energy, and after ``max_failures`` unserved tasks.
    Its first task is always played. Gymnasium truncates after 1000 steps, which the default batteries never reach.

    All random numbers of episode i after a seed come from child i of the environment's generator, in an order that no
    action changes: a seed gives the same networks, batteries and tasks to every policy.

    ## Info
    ``step`` returns ``served``, ``tasks_served`` (so far), ``energy_j`` (drawn from the batteries), ``latency_s``,
    ``mean_accuracy``, ``feasible`` (the model's constraints), the dict ``violations`` (those of
    :class:`secagent_env.Outcome`, and ``battery_j``: what the worst battery lacked) and ``battery_j`` (N,), what is
    left; under ``csi_error`` the dict ``truth``, the ``channel_eve`` and ``gain_eve`` of the task.

    ## Arguments
    scenario
        A Scenario, a preset's name, or a dict of fields; where ``instances`` are given, theirs.
    render_mode
        ``"rgb_array"``, ``"human"`` or ``"ansi"``.
    action_format, observation_format, instances, order, csi_error, artificial_noise, battery_j, max_failures
        As in :class:`~secagent_env.lifetime.rules.LifetimeRules`.

    ## Version history
    * v0: first version.

    Many at once, batched: :class:`secagent_env.lifetime.vector.LifetimeVectorEnv`, the ``vector_entry_point`` of
    the id.
    """

    def __init__(
        self,
        scenario: Scenario | str | Mapping[str, Any] | None = None,
        *,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        self._rules = LifetimeRules(**with_instances(scenario, arguments))
        super().__init__(self._rules, render_mode)
        self._episode: LifetimeEpisodes | None = None  # a batch of one: what many environments do, one does
        self._over = False
        self._turn = 0  # how many episodes began since it was seeded
        self._shown: tuple[Any, ...] | None = None

    @property
    def _running(self) -> LifetimeEpisodes:
        if self._episode is None:
            raise gymnasium.error.ResetNeeded("there is no episode yet: call reset() first")
        return self._episode

    @property
    def instance(self) -> Instance:
        """The present task; an agent whose battery lacks the execution energy has an inference time beyond τ.

        Under ``csi_error`` its estimate, with what is then known as its prior.
        """
        return self._rules.known(self._running.instance[0])

    @property
    def truth(self) -> Instance:
        """The present task as it is: what decides whether it is served."""
        return self._running.truth[0]

    @property
    def battery_j(self) -> np.ndarray:
        """What the batteries hold now, (N,), J."""
        return self._running.battery_j[0].copy()

    @property
    def initial_battery_j(self) -> np.ndarray:
        """What the batteries held at the start of the episode, (N,), J."""
        return self._running.initial_j[0].copy()

    @property
    def least_energy_j(self) -> np.ndarray:
        """The least each agent can spend on computing a task, (N,), J."""
        return self._running.least_energy_j[0]

    @property
    def _instance(self) -> Instance | None:  # type: ignore[override]
        return None if self._episode is None else self._episode.instance[0]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, with the batteries ``options["battery_j"]`` if they are given."""
        super().reset(seed=seed)
        given = reset_options(options, "battery_j")["battery_j"]
        self._generators = self.np_random.spawn(1)
        self._turn = 0 if seed is not None else self._turn
        self._episode = self._rules.begin(self._generators, given, [self.np_random_seed or 0], [self._turn])
        self._turn += 1
        self._over = False
        self._shown = (self.instance,)
        self._show()
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Serve the present task, or fail to, and go on to the next one."""
        before = self._running
        if self._over:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset() first")
        decision = self._single(action)._map(lambda array: array[None])
        self._episode, _, info = self._rules.step(before, decision, self._generators)
        self._over = bool(self._rules.over(self._episode)[0])
        reward, lack = float(info["served"][0]), float(info["violations"]["battery_j"][0])
        # The task as it is, and not as what a flat battery makes of it: its times are those of the agents.
        lacking = f"a battery lacks {quantity(lack, 'J')}" if lack > 0 else ""
        self._shown = (before.task[0], decision[0], None, reward, lacking)
        self._show()
        return self._observation(), reward, self._over, False, first_info(info)

    def _text(self) -> str:
        return rendering.ansi(*self._showing) + "\n\n" + self._batteries.ansi()

    def _picture(self) -> np.ndarray:
        return np.concatenate([rendering.rgb_array(*self._showing), self._batteries.rgb_array()])

    @property
    def _showing(self) -> tuple[Any, ...]:
        if self._shown is None:
            raise gymnasium.error.ResetNeeded("there is nothing to show yet: call reset() first")
        return self._shown

    @property
    def _batteries(self) -> rendering.Batteries:
        return rendering.Batteries(self.battery_j, self.initial_battery_j, int(self._running.served[0]))

    def _observation(self) -> Any:
        return next(iter(rows_of(self._rules.observe(self._running))))
