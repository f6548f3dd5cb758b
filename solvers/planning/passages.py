"""Passages as thoughts: a reader plans which texts it answers a question from. Labels are never seen.

A thought is a choice of some of the nearest passages, as their places in the order of their similarity. The answer is
the reader's, from the choice with the best reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from solvers.planning.planners import Planner
from solvers.planning.rewards import random_rewards, self_evaluation
from solvers.planning.thoughts import Evaluate, MalformedThought
from solvers.reasoning.answer import Answer, Reasoner

Choice = tuple[int, ...]
REWARDS = ("confidence", "agreement", "self", "random")
"""What chooses the branch: the reader's confidence; the share of the nearest passages from which, read alone, it gives
the same answer; the similarity of the passages, which is the proposer's opinion; and random numbers."""
MOST = 5
"""Passages of a choice."""
_NOBODY = np.random.default_rng(0)


@dataclass(frozen=True, eq=False)
class Reading:
    """A question with the texts nearest to it, the nearest first, and their similarities, read by one reader."""

    question: Question
    texts: tuple[str, ...]
    similarity: np.ndarray
    reader: Reasoner

    def answer(self, choice: Choice) -> Answer:
        """Return the reader's answer from a choice of the texts."""
        return self.reader.answer(self.question, [self.texts[place] for place in choice], _NOBODY)

    @cached_property
    def alone(self) -> list[int | None]:
        """The options that the reader names from each text alone."""
        return [self.answer((place,)).option for place in range(len(self.texts))]


class SimilarPassages:
    """Adds a passage to a choice, the more similar the sooner, or exchanges one where the choice is full."""

    name = "similar passages"

    def propose(self, state: Reading, last: Choice | None, rng: np.random.Generator) -> Choice:
        """Return the last choice with another passage; raise MalformedThought where there is none."""
        chosen = list(last or ())
        left = [place for place in range(len(state.texts)) if place not in chosen]
        if not left:
            raise MalformedThought("there is no passage left to read")
        weight = np.exp(10.0 * (state.similarity[left] - state.similarity[left].max()))
        added = left[int(rng.choice(len(left), p=weight / weight.sum()))]
        if len(chosen) >= MOST:
            chosen.pop(int(rng.integers(len(chosen))))
        return tuple(sorted([*chosen, added]))

    def merge(self, state: Reading, first: Choice, second: Choice, rng: np.random.Generator) -> Choice:
        """Return the union of two choices, of which the most similar are kept."""
        return tuple(sorted({*first, *second})[:MOST])

    def score(self, state: Reading, content: Choice, rng: np.random.Generator) -> float:
        """Return the mean similarity of a choice to the question."""
        return float(state.similarity[list(content)].mean())


def confidence(state: Reading, contents: Sequence[Choice]) -> list[float]:
    """Return the reader's confidence; NaN where it gives none."""
    told = [state.answer(choice).confidence for choice in contents]
    return [float("nan") if value is None else value for value in told]


def agreement(state: Reading, contents: Sequence[Choice]) -> list[float]:
    """Return the share of the texts from which, read alone, the reader names the same option."""
    options = [state.answer(choice).option for choice in contents]
    return [
        float("nan") if option is None else float(np.mean([option == other for other in state.alone]))
        for option in options
    ]


def planned_answer(
    reading: Reading, planner: Planner, reward: str | Evaluate[Reading, Choice], budget: int, seed: int, first: int = 3
) -> tuple[Answer, Choice]:
    """Return the answer from planned passages, and which.

    Parameters
    ----------
    reading
        The question and the texts nearest to it.
    planner, reward, budget
        How thoughts grow, one of :data:`REWARDS` or a function that rewards choices, and the number of thoughts.
    seed
        Of all random numbers.
    first
        The number of nearest passages with which paths begin: the choice without a plan.

    Raises
    ------
    ValueError
        If a name is unknown, a number is out of range, or there is no text.
    """
    if isinstance(reward, str):
        check_name("reward", reward, REWARDS)
    if not reading.texts:
        raise ValueError("a plan of passages needs at least one text")
    rng, proposer = np.random.default_rng(seed), SimilarPassages()
    rewards: dict[str, Evaluate[Reading, Choice]] = {
        "confidence": confidence,
        "agreement": agreement,
        "self": self_evaluation(proposer, rng),
        "random": random_rewards(rng),
    }
    root: Choice = tuple(range(min(integer("first", first, 1), len(reading.texts))))
    evaluate = rewards[reward] if isinstance(reward, str) else reward
    choice = planner.plan(reading, proposer, evaluate, budget, rng, root).content or root
    return reading.answer(choice), choice
