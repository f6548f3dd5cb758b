"""Spaces of several agents, as PettingZoo asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium


class AgentSpaces:
    """An environment whose agents have the spaces in ``observation_spaces`` and ``action_spaces``, by name."""

    observation_spaces: Mapping[str, gymnasium.Space[Any]]
    action_spaces: Mapping[str, gymnasium.Space[Any]]

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return the space of an agent's observations."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return the space of an agent's actions."""
        return self.action_spaces[agent]
