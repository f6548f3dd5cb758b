"""What the environments of one episode at a time share: formats, actions as decisions, and rendering."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import gymnasium
import numpy as np

from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.support.errors import unknown_name


class InstanceEnv(gymnasium.Env[Any, Any]):
    """An environment whose observations tell of an Instance, and whose actions are Decisions in it."""

    metadata = {"render_modes": ["rgb_array", "human", "ansi"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, rules: Any, observation_format: str, render_mode: str | None) -> None:
        self.scenario = rules.scenario
        self.observation_format = observation_format
        self.action_space = rules.action_format.space
        self.observation_space = rules.observation_space
        self._action_format = rules.action_format
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise unknown_name("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self._window: Any = None

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
        return self._action_format.decode(action, self._present)

    def encode(self, decision: Decision) -> Any:
        """Return the action that stands for, or comes nearest to, a decision."""
        return self._action_format.encode(decision, self._present)

    def _decided(self, action: Any) -> Decision:
        """Return the decision of an action, of which there must be one."""
        decision = self.decode(action)
        if decision.batch_shape:
            raise ValueError(f"action must be a single one, got the batch dimensions {decision.batch_shape}")
        return decision

    @abstractmethod
    def _text(self) -> str:
        """Return what ``ansi`` shows."""

    @abstractmethod
    def _picture(self) -> np.ndarray:
        """Return what ``rgb_array`` and ``human`` show, (height, width, 3) uint8."""

    def render(self) -> Any:
        """Return the picture (``rgb_array``) or the text (``ansi``), or show a window (``human``)."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() needs a render_mode: gymnasium.make(…, render_mode='rgb_array')")
            return None
        if self.render_mode == "ansi":
            return self._text()
        picture = self._picture()
        if self.render_mode == "rgb_array":
            return picture
        if self._window is None:
            from secagent_env import rendering

            self._window = rendering.Window(fps=self.metadata["render_fps"])
        self._window.show(picture)
        return None

    def _show(self) -> None:
        """Show the window, where there is one to be shown."""
        if self.render_mode == "human":
            self.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None
