"""Thoughts and paths of thoughts: what a proposer writes, what it earned, and which thoughts it grew from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

S = TypeVar("S")
"""A state: all that an agent knows when it plans."""
S_contra = TypeVar("S_contra", contravariant=True)
C = TypeVar("C")
"""The content of a thought: a candidate for the answer, such as a power in W or a choice of passages."""


class MalformedThought(ValueError):
    """A proposer wrote no thought that can be used; the message is one sentence."""


class Proposer(Protocol[S_contra, C]):
    """Writes thoughts. One call gives one thought."""

    @property
    def name(self) -> str:
        """The name in tables; a stand-in's name says that it is one."""

    def propose(self, state: S_contra, last: C | None, rng: np.random.Generator) -> C:
        """Return the thought that follows the ``last`` one, or begins a path; raise MalformedThought for none."""

    def merge(self, state: S_contra, first: C, second: C, rng: np.random.Generator) -> C:
        """Return one thought made of two; raise MalformedThought for none."""

    def score(self, state: S_contra, content: C, rng: np.random.Generator) -> float:
        """Return the proposer's own opinion of a thought, higher is better: the reward in an ablation."""


Evaluate = Callable[[S, Sequence[C]], Sequence[float] | np.ndarray]
"""A reward: of each of some contents, in a state; NaN where there is none."""


@dataclass(frozen=True)
class Thought(Generic[C]):
    """A thought.

    Attributes
    ----------
    content
        The candidate that it stands for.
    reward
        Its reward; −∞ where it had none that is a number.
    parents
        The indices of the thoughts that it grew from: none, one, or two where it merges two.
    """

    content: C
    reward: float
    parents: tuple[int, ...] = ()


@dataclass(frozen=True)
class Path(Generic[C]):
    """The thoughts of a plan, in the order in which they were written.

    Attributes
    ----------
    thoughts
        All thoughts that could be used.
    lost
        Why others could not be used, a sentence for each; they count as calls.
    """

    thoughts: tuple[Thought[C], ...]
    lost: tuple[str, ...] = ()

    @property
    def calls(self) -> int:
        """The number of thoughts, with those that could not be used, the root and the starts."""
        return len(self.thoughts) + len(self.lost)

    @property
    def best(self) -> int | None:
        """The index of the thought with the highest reward, the later of equal ones; None without thoughts."""
        return max(range(len(self.thoughts)), key=lambda i: (self.thoughts[i].reward, i), default=None)

    @property
    def content(self) -> C | None:
        """The content of the best thought; None without thoughts."""
        return None if self.best is None else self.thoughts[self.best].content

    @property
    def steps(self) -> tuple[Thought[C], ...]:
        """The best thought and all that it grew from, in the order in which they were written."""
        if self.best is None:
            return ()
        return tuple(self.thoughts[i] for i in sorted(self.ancestors(self.best) | {self.best}))

    def ancestors(self, index: int) -> set[int]:
        """Return the indices of all thoughts that a thought grew from."""
        found: set[int] = set()
        waiting = list(self.thoughts[index].parents)
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting += self.thoughts[parent].parents
        return found


def reward_of(value: float) -> float:
    """Return a reward as a number that can be compared: −∞ for NaN and for what is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return -math.inf
    return -math.inf if math.isnan(number) else number
