"""Players of the power control game: one interface, and the loop that lets them play and keeps the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from secagent_env.power_control import Game, Match, NewTargets, Record
from secagent_env.power_control.match import ROUNDS, Action, agent_names
from secagent_env.power_control.messages import MAX_MESSAGE_LENGTH


class Player(Protocol):
    """Decides for one agent or for several; it keeps its memory of each agent by the agent's name."""

    def reset(self, seed: int) -> None:
        """Forget everything for a new game; all randomness depends on ``seed``."""

    def act(self, agent: str, observation: Mapping[str, Any]) -> Action:
        """Return the action of an agent.

        Parameters
        ----------
        agent
            Its name, ``pair_0`` and so on.
        observation
            This agent's observation, see :meth:`secagent_env.power_control.Match.observe`: ``power`` (1,), W;
            ``rate`` (1,) and ``targets`` (N,), bit/s/Hz; ``round``; ``messages`` by sender, where agents talk.

        Returns
        -------
        Action
            A power in W, or ``{"power": …, "messages": {recipient: text}}``.
        """


class Fixed:
    """Sets the same given powers, (N,), W, in every round, such as those of the optimum."""

    def __init__(self, power_w: Any) -> None:
        self._power_w = np.asarray(power_w, float)

    def reset(self, seed: int) -> None:
        """Do nothing: the player has no memory."""

    def act(self, agent: str, observation: Mapping[str, Any]) -> float:
        """Return the power of an agent, W."""
        return float(self._power_w[agent_index(agent)])


def play(
    game: Game,
    players: Player | Mapping[str, Player],
    rounds: int = ROUNDS,
    *,
    seed: int = 0,
    talk: bool = True,
    max_message_length: int = MAX_MESSAGE_LENGTH,
    new_targets: NewTargets | None = None,
    targets_seen: str = "all",
) -> Record:
    """Let players play a game, and return powers, rates and messages of all rounds.

    Parameters
    ----------
    game
        A single game.
    players
        One player that decides for every agent, each time from this agent's observation alone, or one by agent.
    rounds
        How many times the powers are set.
    seed
        Handed to the players.
    talk, max_message_length, targets_seen
        As in the environment.
    new_targets
        The targets after some rounds; None: they stay.

    Raises
    ------
    ValueError
        If an agent has no player, or a player's action is none.
    """
    match = Match(
        game,
        rounds=rounds,
        talk=talk,
        max_message_length=max_message_length,
        new_targets=new_targets,
        targets_seen=targets_seen,
    )
    by_agent = players if isinstance(players, Mapping) else dict.fromkeys(match.agents, players)
    if set(by_agent) != set(match.agents):
        raise ValueError(f"players must be one, or one for each of {', '.join(match.agents)}, got {sorted(by_agent)}")
    for player in {id(player): player for player in by_agent.values()}.values():
        player.reset(seed)
    while not match.over:
        observations = {agent: match.observe(agent) for agent in match.agents}
        match.advance({agent: by_agent[agent].act(agent, seen) for agent, seen in observations.items()})
    return match.record


def agent_index(agent: str) -> int:
    """Return the index of an agent's pair: 3 of ``pair_3``; ValueError if it is no agent's name."""
    number = agent.removeprefix("pair_")
    if not number.isdecimal() or agent != agent_names(int(number) + 1)[-1]:
        raise ValueError(f"an agent is called pair_0, pair_1, …, got {agent!r}")
    return int(number)
