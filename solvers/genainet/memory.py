"""Memory: the last rounds of a game (short-term); common knowledge and the agent's own lessons (long-term).

The paper calls the lessons evolving knowledge: an agent draws them from its own experience.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LESSONS = 8
"""The most lessons that are kept; a new one replaces the oldest."""
CHARACTERS = 240
"""The most characters of an explanation, a lesson or a message in a prompt."""


@dataclass(frozen=True)
class Experience:
    """An agent's record of a round, as in Figs 5 and 6.

    Attributes
    ----------
    round
        The number of the round, from 1.
    rate
        The agent's rate before the action, bit/s/Hz: the observation.
    power_w
        The agent's new power, W: the action. Both are None for a commander.
    explanation
        The agent's reason, in its own words.
    sent
        The agent's messages, by recipient.
    """

    round: int
    rate: float | None
    power_w: float | None
    explanation: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)


class Memory:
    """One agent's memory.

    Parameters
    ----------
    rounds
        The number of rounds that the short-term memory holds; 0 keeps no rounds and no lessons.
    knowledge
        The common knowledge in long-term memory.

    Attributes
    ----------
    recent, lessons
        The last rounds, and the agent's lessons, the earliest first.
    """

    def __init__(self, rounds: int, knowledge: Sequence[str]) -> None:
        self.recent: deque[Experience] = deque(maxlen=rounds)
        self.lessons: deque[str] = deque(maxlen=LESSONS if rounds else 0)
        self.knowledge = tuple(knowledge)

    def store(self, experience: Experience, lesson: str = "") -> None:
        """Store a round and its lesson, unless the lesson is stored already."""
        self.recent.append(experience)
        lesson = lesson.strip()[:CHARACTERS]
        if lesson and lesson not in self.lessons:
            self.lessons.append(lesson)
