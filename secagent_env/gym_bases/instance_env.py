"""What the environments of an Instance share: actions as decisions, and the scalar ones formats and rendering."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import gymnasium

from secagent_env.gym_bases.rendered import Rendered, check_render_mode
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance


class DecisionActions:
    """An environment, scalar or vector, whose actions stand for Decisions in the instance ``_instance``."""

    _rules: Any
    _instance: Instance | None
    """Of the running episodes; None before the first reset."""

    def decode(self, action: Any) -> Decision:
        """Return the decision that an action stands for, or those of actions (num_envs, …)."""
        decision: Decision = self._rules.actions.decode(action, self._instance)
        return decision

    def encode(self, decision: Decision) -> Any:
        """Return the action that stands for, or comes nearest to, a decision, or those of decisions (num_envs,)."""
        return self._rules.actions.encode(decision, self._instance)


class InstanceEnv(DecisionActions, Rendered, gymnasium.Env[Any, Any]):
    """An environment whose observations show an Instance, and whose actions are Decisions in it."""

    def __init__(self, rules: Any, render_mode: str | None) -> None:
        self.scenario = rules.scenario
        self.observation_format = rules.observation_format
        self.action_space = rules.actions.space
        self.observation_space = rules.observation_space
        self.render_mode = check_render_mode(render_mode)

    @property
    @abstractmethod
    def instance(self) -> Instance:
        """The instance of the running episode."""

    def _single(self, action: Any) -> Decision:
        """Return the decision of a single action; ValueError where it is a batch of them."""
        decision = self.decode(action)
        if decision.batch_shape:
            raise ValueError(f"action must be a single one, got the batch dimensions {decision.batch_shape}")
        return decision
