"""Perception: what an agent sees of a game, as numbers and words for its prompt, and nothing else.

Everything is one line of JSON behind a word that says what it is. What others wrote is inside JSON strings, so that
no message can begin a line of its own and pass for an observation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solvers.power_control.players import agent_index

TARGETS = "Targets: "
OBSERVATION = "Observation: "
RECEIVED = "Received: "
REPORTS = "Reports: "
COMMANDER = "commander"
"""The name under which a commander writes to its executors."""

SHOWN_CHARACTERS = 500
"""Of a message; the game delivers no longer ones unless its limit is raised."""


@dataclass(frozen=True)
class Percept:
    """What one agent knows of the present.

    Attributes
    ----------
    agent
        Its name.
    round, rounds
        How many rounds have been played, and how many there are.
    max_power_w
        P_max, W.
    power_w, rate
        Its own power, W, and rate, bit/s/Hz.
    targets
        The target rates of all pairs by name, bit/s/Hz.
    received
        What others wrote to it in the last round, by sender.
    """

    agent: str
    round: int
    rounds: int
    max_power_w: float
    power_w: float
    rate: float
    targets: Mapping[str, float]
    received: Mapping[str, str]

    @property
    def target(self) -> float:
        """Its own target rate, bit/s/Hz."""
        return self.targets[self.agent]

    def lines(self, *, talk: bool) -> list[str]:
        """Return the percept as the lines of a prompt; what was received only where agents talk."""
        seen = {
            "agent": self.agent,
            "round": self.round,
            "rounds": self.rounds,
            "max_power_w": self.max_power_w,
            "power_w": self.power_w,
            "rate": self.rate,
            "target": self.target,
        }
        received = {sender: text[:SHOWN_CHARACTERS] for sender, text in self.received.items()}
        return [OBSERVATION + json.dumps(seen), *([RECEIVED + json.dumps(received)] if talk else [])]


def perceive(
    agent: str,
    observation: Mapping[str, Any],
    *,
    rounds: int,
    max_power_w: float,
    orders: str = "",
) -> Percept:
    """Return the percept of an observation of :meth:`secagent_env.power_control.Match.observe`.

    Parameters
    ----------
    agent
        Whose observation it is.
    observation
        With its own ``power`` and ``rate``, all ``targets``, the ``round``, and where agents talk ``messages``.
    rounds, max_power_w
        What all agents know of the game.
    orders
        What a commander has just written; empty if nothing, or if there is none.
    """
    received = {sender: text for sender, text in observation.get("messages", {}).items() if text}
    targets = {f"pair_{i}": short(target) for i, target in enumerate(observation["targets"])}
    agent_index(agent)
    return Percept(
        agent=agent,
        round=int(observation["round"]),
        rounds=rounds,
        max_power_w=max_power_w,
        power_w=short(observation["power"][0]),
        rate=short(observation["rate"][0]),
        targets=targets,
        received={**received, **({COMMANDER: orders} if orders else {})},
    )


def short(value: float) -> float:
    """Return a number with the digits that a prompt shows, five significant ones."""
    return float(f"{value:.5g}")


def line_in(text: str, beginning: str) -> Any:
    """Return what stands behind ``beginning`` in a prompt: the JSON of the one line that starts so.

    Raises
    ------
    ValueError
        If no line starts so.
    """
    for line in text.splitlines():
        if line.startswith(beginning):
            return json.loads(line.removeprefix(beginning))
    raise ValueError(f"this is not a prompt of GenAINet: no line begins with {beginning.strip()!r}")
