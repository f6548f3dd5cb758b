"""``secagent/Allocation-v0``: one reasoning task per episode, decided in one step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from secagent_env._errors import unknown_name
from secagent_env.actions import action_format as make_action_format
from secagent_env.decision import Decision
from secagent_env.instance import Instance
from secagent_env.observations import observation_space, observe
from secagent_env.outcome import Outcome, constraint_bounds
from secagent_env.physics import evaluate
from secagent_env.rewards import reference_energy_j as default_reference_j
from secagent_env.rewards import reward
from secagent_env.sampling import sample_instance
from secagent_env.scenario import Scenario


class AllocationEnv(gymnasium.Env[Any, Any]):
    """Who computes, how the base station shapes its beam, and how much power everybody sends.

    ## Description
    A base station hosts a supervisor agent. For each task it selects some of N mobile agents to reason about
    it; the others may jam the eavesdroppers. An episode is one task on one random network, drawn from the
    scenario, and lasts one step. The physics is :func:`secagent_env.evaluate`.

    ## Action space
    ``action_format="flat"`` (default): one ``Box(-1, 1, (2N + 2L,))``, see
    :class:`secagent_env.actions.FlatFormat`. ``"dict"``: selection, beamformer and powers in physical units,
    see :class:`secagent_env.actions.DictFormat`. Actions beyond the bounds are clipped; NaN and wrong shapes
    raise ValueError. ``decode(action)`` and ``encode(decision)`` translate.

    ## Observation space
    ``observation_format="flat"`` (default): one float32 ``Box``; ``"dict"``: its named parts. Every entry,
    its unit and its scale: :mod:`secagent_env.observations`.

    ## Reward
    ``−energy / reference_energy_j − penalty``, see :func:`secagent_env.rewards.reward`. With the defaults no
    decision that violates a constraint earns more than the optimum of its instance.

    ## Start and end
    ``reset`` draws an instance from the environment's generator, or takes ``options={"instance": instance}``
    with the N, L and E of the scenario. Every episode terminates after one step.

    ## Info
    ``step`` returns ``energy_j``, ``execution_energy_j``, ``transmission_energy_j`` (infinite where a message
    can never be sent securely), ``latency_s``, ``mean_accuracy``, ``feasible``, ``penalty`` and the dict
    ``violations`` (physical units, > 0 violated; keys as in :class:`secagent_env.Outcome`).

    ## Arguments
    scenario
        A Scenario, a preset's name, or a dict of fields.
    action_format, observation_format
        ``"flat"`` or ``"dict"``.
    reference_energy_j
        The energy whose reward is −1; default: the expected execution energy of N_min random agents.
    penalty_fixed
        Penalty of each violated constraint, in units of what all agents together would spend on computing.
    penalty_weight
        Weight of the relative violation: a number, or a dict by constraint.
    render_mode
        ``"rgb_array"``, ``"human"`` or ``"ansi"``.

    ## Version history
    * v0: first version.
    """

    metadata = {"render_modes": ["rgb_array", "human", "ansi"], "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        scenario: Scenario | str | Mapping[str, Any] | None = None,
        *,
        action_format: str = "flat",
        observation_format: str = "flat",
        reference_energy_j: float | None = None,
        penalty_fixed: float = 1.5,
        penalty_weight: float | Mapping[str, float] = 1.0,
        render_mode: str | None = None,
    ) -> None:
        self.scenario = Scenario.coerce(scenario)
        self._format = make_action_format(action_format, self.scenario)
        self.action_space = self._format.space
        self.observation_format = observation_format
        self.observation_space = observation_space(observation_format, self.scenario)
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise unknown_name("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        reference = default_reference_j(self.scenario) if reference_energy_j is None else reference_energy_j
        self.reference_energy_j = _finite("reference_energy_j", reference, above=True)
        self.penalty_fixed = _finite("penalty_fixed", penalty_fixed)
        self.penalty_weights = _weights(self.scenario, penalty_weight)
        self._instance: Instance | None = None
        self._decision: Decision | None = None
        self._outcome: Outcome | None = None
        self._window: Any = None

    @property
    def instance(self) -> Instance:
        """The instance of the running episode."""
        if self._instance is None:
            raise gymnasium.error.ResetNeeded("there is no instance yet: call reset() first")
        return self._instance

    def decode(self, action: Any) -> Decision:
        """Return the decision that an action stands for."""
        return self._format.decode(action, self._instance)

    def encode(self, decision: Decision) -> Any:
        """Return the action that stands for, or comes nearest to, a decision."""
        return self._format.encode(decision, self._instance)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode on a random instance, or on ``options["instance"]``."""
        super().reset(seed=seed)
        options = options or {}
        for name in options:
            if name != "instance":
                raise unknown_name("reset option", name, ["instance"])
        given = options.get("instance")
        self._instance = sample_instance(self.scenario, self.np_random) if given is None else self._fitting(given)
        self._decision = self._outcome = None
        if self.render_mode == "human":
            self.render()
        return observe(self._instance, self.observation_format), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Decide the task: the episode terminates."""
        instance = self.instance
        if self._outcome is not None:
            raise gymnasium.error.ResetNeeded("the episode ended with its one step: call reset() first")
        decision = self.decode(action)
        if decision.batch_shape:
            raise ValueError(f"action must be a single one, got the batch dimensions {decision.batch_shape}")
        outcome = evaluate(instance, decision)
        value, penalty = reward(
            instance,
            decision,
            outcome,
            reference_j=self.reference_energy_j,
            fixed=self.penalty_fixed,
            weights=self.penalty_weights,
        )
        self._decision, self._outcome = decision, outcome
        info = {
            "energy_j": float(outcome.energy_j),
            "execution_energy_j": float(outcome.execution_energy_j),
            "transmission_energy_j": float(outcome.transmission_energy_j),
            "latency_s": float(outcome.latency_s),
            "mean_accuracy": float(outcome.mean_accuracy),
            "violations": {name: float(violation) for name, violation in outcome.violations.items()},
            "feasible": bool(outcome.feasible),
            "penalty": float(penalty),
        }
        if self.render_mode == "human":
            self.render()
        return observe(instance, self.observation_format), float(value), True, False, info

    def render(self) -> Any:
        """Return the picture (``rgb_array``) or the text (``ansi``), or show a window (``human``)."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() needs a render_mode: gymnasium.make(…, render_mode='rgb_array')")
            return None
        from secagent_env import rendering

        state = (self.instance, self._decision, self._outcome)
        if self.render_mode == "ansi":
            return rendering.ansi(*state)
        picture = rendering.rgb_array(*state)
        if self.render_mode == "rgb_array":
            return picture
        if self._window is None:
            self._window = rendering.Window(fps=self.metadata["render_fps"])
        self._window.show(picture)
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _fitting(self, instance: Any) -> Instance:
        if not isinstance(instance, Instance):
            raise ValueError(f"options['instance'] must be an Instance, got {type(instance).__name__}")
        if instance.batch_shape:
            raise ValueError(f"options['instance'] must be a single instance, got the batch {instance.batch_shape}")
        for name in ("num_agents", "num_antennas", "num_eavesdroppers"):
            got, wanted = getattr(instance.scenario, name), getattr(self.scenario, name)
            if got != wanted:
                raise ValueError(f"options['instance'] must have {name} = {wanted} as the environment, got {got}")
        return instance if isinstance(instance.channel_bs, np.ndarray) else instance.to(np)


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
