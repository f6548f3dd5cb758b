"""Perception: an agent's view of a game; its prompt shows nothing else of the present."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solvers.power_control.players import agent_index

COMMANDER = "commander"
"""The name under which a commander writes to its executors."""


@dataclass(frozen=True)
class Percept:
    """One agent's view of the present.

    Attributes
    ----------
    agent
        The agent's name.
    round, rounds
        The number of rounds that have been played, and of all rounds.
    max_power_w
        P_max, W.
    power_w, rate
        The agent's own power, W, and rate, bit/s/Hz, or with a bandwidth kbit/s.
    targets
        The target rates of all pairs by name, in the same unit.
    received
        The messages of the last round to it, by sender.
    bandwidth_khz
        The bandwidth of each pair, in which rates are told; None: they are told per Hz.
    """

    agent: str
    round: int
    rounds: int
    max_power_w: float
    power_w: float
    rate: float
    targets: Mapping[str, float]
    received: Mapping[str, str]
    bandwidth_khz: float | None = None


def perceive(
    agent: str,
    observation: Mapping[str, Any],
    *,
    rounds: int,
    max_power_w: float,
    orders: str = "",
    bandwidth_khz: float | None = None,
) -> Percept:
    """Return the percept of an observation of :meth:`secagent_env.power_control.Match.observe`, and of new orders."""
    received = {**observation.get("messages", {}), COMMANDER: orders}
    wide = 1.0 if bandwidth_khz is None else bandwidth_khz
    targets = {f"pair_{i}": short(wide * target) for i, target in enumerate(observation["targets"])}
    agent_index(agent)
    return Percept(
        agent=agent,
        round=int(observation["round"]),
        rounds=rounds,
        max_power_w=max_power_w,
        power_w=short(observation["power"][0]),
        rate=short(wide * observation["rate"][0]),
        targets=targets,
        received={sender: text for sender, text in received.items() if text},
        bandwidth_khz=bandwidth_khz,
    )


def short(value: float) -> float:
    """Return a number rounded to five significant digits, as in prompts."""
    return float(f"{value:.5g}")
