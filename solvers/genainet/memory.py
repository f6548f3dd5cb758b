"""Memory: the last rounds of this game (short-term), and what is known and was learned (long-term).

In the paper's words, common knowledge is what everybody in the field knows, evolving knowledge is what an agent has
drawn from its own experience.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

KNOWLEDGE = (
    "More power raises a pair's own rate and lowers the rates of all others, who hear it as interference.",
    "If all pairs raise their powers together, hardly anybody's rate rises: interference rises as much.",
    "Where not all targets can be reached at once, somebody has to hold back for the others to reach theirs.",
)
"""Common knowledge that every agent begins with."""

REMEMBERED = "Remembered: "
KNOWN = "Known: "
LESSONS = 8
"""So many lessons are kept; a new one pushes out the oldest."""
CHARACTERS = 240
"""Of an explanation, a lesson or a message, as memory keeps it."""


@dataclass(frozen=True)
class Experience:
    """What an agent did in a round: the paper's record of Figs 5 and 6.

    Attributes
    ----------
    round
        The number of the round, from 1.
    rate
        Its rate before the action, bit/s/Hz: the observation.
    power_w
        The power it set, W: the action. Both are None for a commander.
    explanation
        Why, in its own words.
    sent
        What it wrote, by recipient.
    """

    round: int
    rate: float | None
    power_w: float | None
    explanation: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """Return it as a line of a prompt."""
        sent = {recipient: text[:CHARACTERS] for recipient, text in self.sent.items()}
        kept = {
            "round": self.round,
            **({} if self.power_w is None else {"rate": self.rate, "power_w": self.power_w}),
            **({"sent": sent} if sent else {}),
            "explanation": self.explanation[:CHARACTERS],
        }
        return REMEMBERED + json.dumps(kept)


class Memory:
    """One agent's memory.

    Parameters
    ----------
    rounds
        How many rounds the short-term memory holds; 0: none, and no lessons either.
    knowledge
        The common knowledge that long-term memory begins with.
    """

    def __init__(self, rounds: int, knowledge: Sequence[str] = KNOWLEDGE) -> None:
        self._recent: deque[Experience] = deque(maxlen=rounds)
        self._lessons: deque[str] = deque(maxlen=LESSONS if rounds else 0)
        self._knowledge = tuple(knowledge)

    @property
    def recent(self) -> tuple[Experience, ...]:
        """The last rounds, the earliest first."""
        return tuple(self._recent)

    @property
    def lessons(self) -> tuple[str, ...]:
        """What the agent has learned, the earliest first."""
        return tuple(self._lessons)

    def store(self, experience: Experience, lesson: str = "") -> None:
        """Remember a round, and what was learned in it; a lesson known already is not stored again."""
        self._recent.append(experience)
        lesson = lesson.strip()[:CHARACTERS]
        if lesson and lesson not in self._lessons:
            self._lessons.append(lesson)

    def lines(self) -> list[str]:
        """Return what the agent remembers as the lines of a prompt: knowledge, lessons, rounds."""
        known = [KNOWN + json.dumps(text) for text in (*self._knowledge, *self._lessons)]
        return [*known, *(experience.line() for experience in self._recent)]
