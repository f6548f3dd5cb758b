"""A match: one game over its rounds, with observations, actions, messages and the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from secagent_env.power_control.changes import TARGETS_SEEN, NewTargets, checked_targets, with_targets
from secagent_env.power_control.game import Game, rates
from secagent_env.power_control.messages import MAX_MESSAGE_LENGTH, Delivery, deliver, no_messages, outbox_of
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name

ROUNDS = 10
MAX_RATE = 64.0
"""Where rates are clipped in observations, bit/s/Hz: far beyond those of any game drawn."""

Action = Any
"""A power in W, or a dict with ``power`` and, by recipient, ``messages``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Record:
    """The course of a game: R rounds so far.

    Attributes
    ----------
    game
        Which game, with its present targets.
    power_w, rate
        (R + 1, N): powers in W and rates in bit/s/Hz; row 0 is before the first round.
    target_rate
        (R + 1, N): the targets that held in each round, bit/s/Hz.
    deliveries
        The messages of each round, R of them.
    rounds
        How many rounds the whole game has.
    """

    game: Game
    power_w: np.ndarray
    rate: np.ndarray
    target_rate: np.ndarray
    deliveries: tuple[Delivery, ...]
    rounds: int

    @property
    def agents(self) -> list[str]:
        """The names of the agents."""
        return agent_names(self.game.num_pairs)

    @property
    def messages_sent(self) -> dict[str, int]:
        """How many messages of each agent were delivered."""
        sent = dict.fromkeys(self.agents, 0)
        for delivery in self.deliveries:
            for message in delivery.messages:
                sent[message.sender] += 1
        return sent


class Match:
    """A game being played by one agent per pair.

    Parameters
    ----------
    game
        A single game.
    rounds
        How many times the powers are set.
    talk
        Whether agents may send messages.
    max_message_length
        Longer messages are dropped, in characters.
    new_targets
        Targets that hold after some rounds; None: they stay.
    targets_seen
        Whose present targets an observation holds: ``"all"``, or ``"own"``, where those of the others are as at the
        beginning of the game.

    Raises
    ------
    ValueError
        If an argument is out of range, or the new targets do not fit the game and its rounds.
    """

    def __init__(
        self,
        game: Game,
        *,
        rounds: int = ROUNDS,
        talk: bool = True,
        max_message_length: int = MAX_MESSAGE_LENGTH,
        new_targets: NewTargets | None = None,
        targets_seen: str = "all",
    ) -> None:
        if game.batch_shape:
            raise ValueError(f"a match is of a single game, got a batch {game.batch_shape}; use game[i]")
        self.game = game if isinstance(game.gain, np.ndarray) else game.to(np)
        self.rounds = integer("rounds", rounds, 1)
        self.talk = talk
        self.max_message_length = integer("max_message_length", max_message_length, 1)
        self.targets_seen = check_name("targets_seen", targets_seen, TARGETS_SEEN)
        self.agents = agent_names(game.num_pairs)
        if new_targets is not None:
            integer("the round of new targets", new_targets.round, 1, self.rounds - 1)
            checked_targets("new targets", new_targets.target_rate, game.num_pairs)
        self._new_targets = new_targets
        self._targets = [self.game.target_rate]
        power = self.game.initial_power_w.copy()
        self._powers, self._rates = [power], [rates(self.game, power)]
        self._deliveries: list[Delivery] = []

    @property
    def round(self) -> int:
        """How many rounds have been played."""
        return len(self._powers) - 1

    @property
    def over(self) -> bool:
        """Whether all rounds have been played."""
        return self.round >= self.rounds

    @property
    def power_w(self) -> np.ndarray:
        """The present powers, (N,), W."""
        return self._powers[-1].copy()

    @property
    def rate(self) -> np.ndarray:
        """The present rates, (N,), bit/s/Hz."""
        return self._rates[-1].copy()

    @property
    def delivery(self) -> Delivery:
        """The messages of the last round."""
        return self._deliveries[-1] if self._deliveries else no_messages(self.agents)

    @property
    def record(self) -> Record:
        """The course of the game so far."""
        return Record(
            game=self.game,
            power_w=np.stack(self._powers),
            rate=np.stack(self._rates),
            target_rate=np.stack(self._targets),
            deliveries=tuple(self._deliveries),
            rounds=self.rounds,
        )

    def observe(self, agent: str) -> dict[str, Any]:
        """Return the observation of an agent, which knows of the others their targets and their messages to it.

        ``power`` (1,), W, and ``rate`` (1,), bit/s/Hz, its own; ``targets`` (N,), bit/s/Hz, of all pairs in their
        order, of the others as ``targets_seen`` says; ``round``, how many have been played; and where agents talk
        ``messages``, by sender.
        """
        i = self.agents.index(agent)
        targets = (self.game.target_rate if self.targets_seen == "all" else self._targets[0]).copy()
        targets[i] = self.game.target_rate[i]
        observation: dict[str, Any] = {
            "power": self._powers[-1][i : i + 1].copy(),
            "rate": self._rates[-1][i : i + 1].copy(),
            "targets": targets,
            "round": self.round,
        }
        if self.talk:
            observation["messages"] = self.delivery.inbox(agent, self.agents)
        return observation

    def advance(self, actions: Mapping[str, Action]) -> None:
        """Play a round: all agents set their powers at once, and their messages are delivered.

        A power beyond [0, P_max] is clipped. New targets hold from the next round on.

        Raises
        ------
        ValueError
            If actions are not one per agent, or one of them is no action; the match stays as it was.
        ResetNeeded
            If the match is over.
        """
        if self.over:
            raise gymnasium.error.ResetNeeded(f"all {self.rounds} rounds have been played: call reset() first")
        if not isinstance(actions, Mapping) or set(actions) != set(self.agents):
            got = f"those of {sorted(map(str, actions))}" if isinstance(actions, Mapping) else type(actions).__name__
            raise ValueError(f"actions must be a dict with one of each of {', '.join(self.agents)}, got {got}")
        parts = [_parts(agent, actions[agent], self.talk) for agent in self.agents]
        power = np.clip(np.array([power for power, _ in parts]), 0.0, self.game.max_power_w)
        outboxes = {agent: outbox for agent, (_, outbox) in zip(self.agents, parts, strict=True)}
        self._deliveries.append(deliver(self.agents, outboxes, self.max_message_length))
        self._powers.append(power)
        self._rates.append(rates(self.game, power))
        self._targets.append(self.game.target_rate)
        if self._new_targets is not None and self.round == self._new_targets.round:
            self.game = with_targets(self.game, self._new_targets.target_rate)


def agent_names(num_pairs: int) -> list[str]:
    """Return the names of the agents, ``pair_0`` and so on."""
    return [f"pair_{i}" for i in range(num_pairs)]


def numeric_observation(pair: int, power_share: Any, rate: Any, played: Any, target_rate: np.ndarray) -> np.ndarray:
    """Return what the agent of a pair sees in numbers alone, for networks that learn, (…, N + 3) float32.

    Its power / P_max (…), its rate (…), the share of the rounds that have been played (…), its own target, and the
    targets of the others in their order; ``target_rate`` (…, N), bit/s/Hz, are those of all.
    """
    targets = np.minimum(target_rate, MAX_RATE)
    own = np.broadcast_arrays(power_share, np.minimum(rate, MAX_RATE), played, targets[..., pair])
    return np.concatenate([np.stack(own, axis=-1), np.delete(targets, pair, axis=-1)], axis=-1).astype(np.float32)


def _parts(agent: str, action: Action, talk: bool) -> tuple[float, dict[str, str]]:
    """Return the power and the messages in an action."""
    if not isinstance(action, Mapping):
        return _power(agent, action), {}
    valid = ("power", "messages") if talk else ("power",)
    if "power" not in action or not set(action) <= set(valid):
        raise ValueError(f"the action of {agent} must have the keys {', '.join(valid)}, got {sorted(map(str, action))}")
    return _power(agent, action["power"]), outbox_of(agent, action.get("messages", {}))


def _power(agent: str, power: Any) -> float:
    try:
        number = np.asarray(power)
        if number.dtype.kind not in "fiu" or number.shape not in ((), (1,)):
            raise ValueError
    except (TypeError, ValueError):
        raise ValueError(f"the action of {agent} must be one power in W, got {power!r:.100}") from None
    if not np.isfinite(number).all():
        raise ValueError(f"the action of {agent} must be a finite power in W, got {power!r}")
    return float(number.reshape(()))
