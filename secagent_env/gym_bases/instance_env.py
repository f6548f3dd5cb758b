"""What the scalar environments of an Instance share: formats, actions as decisions, and rendering."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import gymnasium

from secagent_env.gym_bases.rendered import FPS, RENDER_MODES, Rendered, check_render_mode
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance


class InstanceEnv(Rendered, gymnasium.Env[Any, Any]):
    """An environment whose observations show an Instance, and whose actions are Decisions in it."""

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": FPS}  # noqa: RUF012

    def __init__(self, rules: Any, render_mode: str | None) -> None:
        self.scenario = rules.scenario
        self.observation_format = rules.observation_format
        self.action_space = rules.actions.space
        self.observation_space = rules.observation_space
        self._actions = rules.actions
        self.render_mode = check_render_mode(render_mode)

    @property
    @abstractmethod
    def instance(self) -> Instance:
        """The instance of the running episode."""

    @property
    @abstractmethod
    def _present(self) -> Instance | None:
        """The same, or None before the first reset."""

    def decode(self, action: Any) -> Decision:
        """Return the decision that an action stands for."""
        decision: Decision = self._actions.decode(action, self._present)
        return decision

    def encode(self, decision: Decision) -> Any:
        """Return the action that stands for, or comes nearest to, a decision."""
        return self._actions.encode(decision, self._present)

    def _single(self, action: Any) -> Decision:
        """Return the decision of a single action; ValueError where it is a batch of them."""
        decision = self.decode(action)
        if decision.batch_shape:
            raise ValueError(f"action must be a single one, got the batch dimensions {decision.batch_shape}")
        return decision
