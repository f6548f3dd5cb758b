"""``secagent/Allocation-v0``: one reasoning task per episode, decided in one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from secagent_env import rendering
from secagent_env.allocation.estimates import Estimates
from secagent_env.allocation.rules import AllocationRules, info_of
from secagent_env.gym_bases.arguments import reset_options, takes_arguments_of
from secagent_env.gym_bases.instance_env import InstanceEnv
from secagent_env.gym_bases.own_instances import with_instances
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.model.scenario import Scenario
from secagent_env.sampling.generator import sample_instance


@takes_arguments_of(AllocationRules)
class AllocationEnv(InstanceEnv):
    """Who computes, how the base station shapes its beam, and how much power everybody sends.

    ## Description
    A base station hosts a supervisor agent. For each task it selects some of N mobile agents to reason about
    it; the others may jam the eavesdroppers. An episode is one task on one random network, drawn from the
    scenario, and lasts one step. The physics is :func:`secagent_env.evaluate`.

    ## Action space
    ``action_format="flat"`` (default): one ``Box(-1, 1, (2N + 2L,))``, see
    :class:`secagent_env.allocation.actions.FlatFormat`. ``"dict"``: selection, beamformer and powers in physical units,
    see :class:`secagent_env.allocation.actions.DictFormat`. Actions beyond the bounds are clipped; NaN and wrong shapes
    raise ValueError. ``decode(action)`` and ``encode(decision)`` translate.

    ## Observation space
    ``observation_format="flat"`` (default): one float32 ``Box``; ``"dict"``: its named parts. Every entry,
    its unit and its scale: :mod:`secagent_env.allocation.observations`.

    ## Reward
    ``−energy / reference_energy_j − penalty``, see :func:`secagent_env.allocation.reward.reward`. With the defaults no
    decision that violates a constraint earns more than the optimum of its instance.

    ## Start and end
    ``reset`` draws an instance from the environment's generator, from the scenario or among ``instances``, or takes
    ``options={"instance": instance}`` with the N, L and E of the scenario. Every episode terminates after one
    step. With ``episodes_per_instance=k``, a plain ``reset()`` after an episode keeps the instance until k episodes
    ended on it; a seed, an instance, or a reset of an episode that has not ended starts afresh.

    ## Channels that are known with errors
    With ``csi_error=ε`` the channels to the eavesdroppers that observations and :attr:`instance` hold are estimates,
    and actions are scored on the :attr:`truth`. A seed gives the same networks with any ε, and the first of them the
    errors of ``estimate_eavesdroppers(truth, ε, seed)``. An instance that is kept keeps its estimate.

    ## Info
    ``step`` returns ``energy_j``, ``execution_energy_j``, ``transmission_energy_j`` (infinite where a message
    can never be sent securely), ``latency_s``, ``mean_accuracy``, ``feasible``, ``penalty`` and the dict
    ``violations`` (physical units, > 0 violated; keys as in :class:`secagent_env.Outcome`). Under ``csi_error`` the
    last step on an instance tells in the dict ``truth`` its ``channel_eve`` and ``gain_eve``.

    ## Arguments
    scenario
        A Scenario, a preset's name, or a dict of fields; where ``instances`` are given, theirs.
    render_mode
        ``"rgb_array"``, ``"human"`` or ``"ansi"``.
    action_format, observation_format, instances, order, csi_error, artificial_noise
        As in :class:`~secagent_env.allocation.rules.FormatRules`.
    reference_energy_j, penalty_fixed, penalty_weight, episodes_per_instance, shaping, rng
        As in :class:`~secagent_env.allocation.rules.AllocationRules`.

    ## Version history
    * v0: first version.

    Many at once, batched: :class:`secagent_env.allocation.vector.AllocationVectorEnv`, the
    ``vector_entry_point`` of the id.
    """

    def __init__(
        self,
        scenario: Scenario | str | Mapping[str, Any] | None = None,
        *,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        self._rules = AllocationRules(**with_instances(scenario, arguments))
        super().__init__(self._rules, render_mode)
        self._estimates = Estimates(self._rules.csi_error)
        self._truth: Instance | None = None
        self._instance: Instance | None = None  # as it is seen
        self._known: Instance | None = None  # the same with all that is known by it, once that is asked for
        self._episodes = 0  # that ended on this instance
        self._turn = 0  # how many instances it has played since it was seeded, where that counts
        self._decision: Decision | None = None
        self._outcome: Outcome | None = None
        self._reward: float | None = None

    @property
    def reference_energy_j(self) -> float:
        """The energy whose reward is −1, J."""
        return self._rules.reference_j

    @property
    def instance(self) -> Instance:
        """The instance of the running episode; under ``csi_error`` its estimate, with what is then known as its prior.

        It is as :func:`~secagent_env.sampling.estimation.known_from` defines it.
        """
        if self._known is None:
            self._known = self._rules.known(_running(self._instance))
        return self._known

    @property
    def truth(self) -> Instance:
        """The instance of the running episode as it is: what decisions are scored on."""
        return _running(self._truth)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode on a random instance, on ``options["instance"]``, or once more on the last one."""
        super().reset(seed=seed)
        if seed is not None:
            self._turn = 0
        given = reset_options(options, "instance")["instance"]
        if given is not None:
            self._begin(self._rules.fitting(given, ()))
        elif not self._continues(seed):
            self._begin(self._drawn())
        self._decision = self._outcome = self._reward = None
        self._show()
        return self._observation(), {}

    def _begin(self, truth: Instance) -> None:
        """Begin the first episode on an instance."""
        self._truth, self._known, self._episodes = truth, None, 0
        self._instance = self._estimates.of(truth, [self.np_random])

    def _drawn(self) -> Instance:
        """Return the next instance, from the scenario or of the user's own."""
        own, bulk = self._rules.instances, self._rules.bulk
        if own is None and bulk is None:
            return sample_instance(self.scenario, self.np_random)
        seed, turn = self.np_random_seed or 0, self._turn
        self._turn += 1
        if bulk is not None:
            return bulk.one(seed, turn)
        return own.take(own.indices([self.np_random], [seed], [turn]))[0]

    def _continues(self, seed: int | None) -> bool:
        """Whether the next episode is on the same instance: the last one has ended, and more are due."""
        return seed is None and self._outcome is not None and self._episodes < self._rules.episodes_per_instance

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Decide the task: the episode terminates."""
        truth = self.truth
        if self._outcome is not None:
            raise gymnasium.error.ResetNeeded("the episode ended with its one step: call reset() first")
        decision = self._single(action)
        outcome, reward, penalty = self._rules.score(truth, decision)
        self._decision, self._outcome, self._reward = decision, outcome, float(reward)
        self._episodes += 1
        self._show()
        energy = -(reward + penalty) * self._rules.reference_j
        info = _plain(info_of(truth.scenario, outcome, energy, penalty))
        if self._episodes >= self._rules.episodes_per_instance:  # before, episodes on it are still to come
            info |= self._rules.told(truth)
        return self._observation(), float(reward), True, False, info

    def _observation(self) -> Any:
        return self._rules.observe(_running(self._instance))

    def _text(self) -> str:
        return rendering.ansi(*self._showing)

    def _picture(self) -> np.ndarray:
        return rendering.rgb_array(*self._showing)

    @property
    def _showing(self) -> tuple[Instance, Decision | None, Outcome | None, float | None]:
        """What pictures show: before the step what is seen, and afterwards the truth."""
        seen = self.instance if self._outcome is None else self.truth
        return seen, self._decision, self._outcome, self._reward


def _running(instance: Instance | None) -> Instance:
    """Return the instance of the running episode, if there is one."""
    if instance is None:
        raise gymnasium.error.ResetNeeded("there is no instance yet: call reset() first")
    return instance


def _plain(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return an info of scalars as Python's own numbers."""
    return {name: _plain(value) if isinstance(value, Mapping) else value.item() for name, value in info.items()}
