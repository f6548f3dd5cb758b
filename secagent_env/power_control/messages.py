"""Messages between agents: text that is delivered a round later, or dropped and counted; never read by the game."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gymnasium.spaces import Text

MAX_MESSAGE_LENGTH = 500
REASONS = ("unknown", "self", "too_long")
"""Why messages are dropped: no such recipient, to oneself, longer than allowed."""


class MessageSpace(Text):
    """Any text up to a length; the empty one is no message. Samples are of letters and digits."""

    def __init__(self, max_length: int, seed: Any = None) -> None:
        super().__init__(max_length, min_length=0, seed=seed)

    def contains(self, x: Any) -> bool:
        """Return whether ``x`` is text and not too long."""
        return isinstance(x, str) and len(x) <= self.max_length


@dataclass(frozen=True)
class Message:
    """A message that was delivered.

    Attributes
    ----------
    sender, recipient
        Names of agents.
    text
        Its content, unchanged.
    """

    sender: str
    recipient: str
    text: str


@dataclass(frozen=True)
class Delivery:
    """The messages of one round: those delivered, by sender and then by recipient in the order of the agents.

    ``dropped`` counts by sender how many of its messages were dropped, by reason (:data:`REASONS`).
    """

    messages: tuple[Message, ...]
    dropped: Mapping[str, Mapping[str, int]]

    def inbox(self, recipient: str, agents: Collection[str]) -> dict[str, str]:
        """Return what every other agent wrote to ``recipient``, empty where it wrote nothing."""
        inbox = {agent: "" for agent in agents if agent != recipient}
        inbox.update({message.sender: message.text for message in self.messages if message.recipient == recipient})
        return inbox


def no_messages(agents: Collection[str]) -> Delivery:
    """Return the delivery of a round without messages."""
    return Delivery((), {agent: dict.fromkeys(REASONS, 0) for agent in agents})


def deliver(agents: Sequence[str], outboxes: Mapping[str, Mapping[str, str]], max_length: int) -> Delivery:
    """Deliver messages, ``outboxes[sender][recipient]``, or drop them; none is shortened, lest its meaning change."""
    messages, dropped = [], {agent: dict.fromkeys(REASONS, 0) for agent in agents}
    for sender in agents:
        outbox, counts = outboxes.get(sender, {}), dropped[sender]
        written = {recipient: text for recipient, text in outbox.items() if text}
        counts["unknown"] = sum(recipient not in agents for recipient in written)
        counts["self"] = int(sender in written)
        for recipient in agents:
            text = written.get(recipient, "")
            if recipient == sender or not text:
                continue
            if len(text) > max_length:
                counts["too_long"] += 1
            else:
                messages.append(Message(sender, recipient, text))
    return Delivery(tuple(messages), dropped)


def outbox_of(sender: str, messages: Any) -> dict[str, str]:
    """Return an agent's messages by recipient; ValueError if they are no mapping from names to text."""
    if not isinstance(messages, Mapping):
        raise ValueError(
            f"the messages of {sender} must be a dict of texts by recipient, got {type(messages).__name__}"
        )
    for recipient, text in messages.items():
        if not isinstance(recipient, str) or not isinstance(text, str):
            kinds = f"{type(recipient).__name__}: {type(text).__name__}"
            raise ValueError(f"the messages of {sender} must be texts by the recipient's name, got {kinds}")
    return dict(messages)
