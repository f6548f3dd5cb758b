"""A simulated reasoner: it knows the answer, and errs as often as a given accuracy, such as (14), implies.

It takes the place of a language model. Agents err together: a latent factor of the question, common to all of them,
makes it easy or hard for everybody, and most wrong agents choose the same option, the question's distractor.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from secagent_env.model.workload import accuracy_at_difficulty
from secagent_env.questions.question import Question
from secagent_env.support.checks import number
from solvers.knowledge.link import difficulty_at
from solvers.reasoning.answer import Answer
from solvers.reasoning.vote_theory import expected_accuracy


@dataclass(frozen=True)
class SimulatedReasoner:
    """An agent that is right with a given probability.

    With a correlation ρ it is right iff √ρ Z + √(1 − ρ) ε < Φ⁻¹(max(accuracy, 1/m)), where the normal Z belongs to the
    question and ε is drawn for each answer. No agent is worse than a guess among the m options. A wrong answer is the
    question's distractor with probability ρ, and any wrong option otherwise.

    Parameters
    ----------
    accuracy
        From 0 to 1.
    correlation
        ρ from 0 (independent of other agents) to 1 (one factor decides for all).
    seed
        Draws the questions' factors and distractors; agents of the same seed err together.

    Raises
    ------
    ValueError
        If the accuracy or the correlation is out of range.
    """

    accuracy: float
    correlation: float = 0.0
    seed: int = 0
    name = "simulated (14)"

    def __post_init__(self) -> None:
        number("accuracy", self.accuracy, 0, 1)
        number("correlation", self.correlation, 0, 1)

    def answer(self, question: Question, texts: Sequence[str], rng: np.random.Generator) -> Answer:
        """Return the right option or a wrong one; the texts are not read.

        ``confidence`` is the accuracy.
        """
        options = len(question.options)
        accuracy = max(self.accuracy, 1 / options)
        factor, distractor = common_factor(self.seed, question.key, options)
        own, herd = rng.standard_normal(), rng.random()
        latent = math.sqrt(self.correlation) * factor + math.sqrt(1 - self.correlation) * own
        if latent < ndtri(accuracy):
            return Answer(question.answer, confidence=accuracy)
        wrong = distractor if herd < self.correlation else int(rng.integers(options - 1))
        return Answer((question.answer + 1 + wrong) % options, confidence=accuracy)


@lru_cache(maxsize=65536)
def common_factor(seed: int, key: str, num_options: int) -> tuple[float, int]:
    """Return the factor Z of a question and its distractor among the m − 1 wrong options; all agents share them."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:16], "little"))
    return float(rng.standard_normal()), int(rng.integers(num_options - 1))


def voted_accuracy(
    accuracies: Iterable[np.ndarray], num_options: Mapping[int, float], correlation: float = 0.0
) -> float:
    """Return how often the majority of simulated agents is right, the mean over selections of agents and questions.

    ``accuracies`` are those of the agents selected in each network, ``num_options`` the number (or share) of questions
    with 2, 3, … options.
    """
    total = sum(num_options.values())

    def of_selection(selected: np.ndarray) -> float:
        shares = (
            count * expected_accuracy(np.maximum(selected, 1 / options), options, correlation)
            for options, count in num_options.items()
        )
        return sum(shares) / total

    return float(np.mean([of_selection(selected) for selected in accuracies]))


def mean_accuracy(accuracies: Iterable[np.ndarray], num_options: Mapping[int, float]) -> float:
    """Return how often a single simulated agent is right on average; see :func:`voted_accuracy` for the arguments."""
    total = sum(num_options.values())
    shares = [
        [count * np.mean(np.maximum(selected, 1 / options)) for options, count in num_options.items()]
        for selected in accuracies
    ]
    return float(np.mean(np.sum(shares, axis=1)) / total)


def fitted_difficulty(
    accuracies: Sequence[np.ndarray],
    num_options: Mapping[int, float],
    wanted: float,
    correlation: float = 0.0,
    *,
    voted: bool = True,
) -> float:
    """Return the difficulty δ of (14) at which simulated agents have a wanted accuracy.

    Parameters
    ----------
    accuracies
        The accuracies of the agents selected in each network, at the difficulty 1.
    num_options
        The number of questions with 2, 3, … options.
    wanted
        The accuracy of the vote, or the mean accuracy of the agents.
    correlation
        ρ.
    voted
        Whether ``wanted`` is the accuracy of the vote, or the mean of the agents.

    Raises
    ------
    ValueError
        If no difficulty gives the accuracy: a guess is right on one of m questions.
    """

    def accuracy_of(difficulty: float) -> float:
        there = [accuracy_at_difficulty(selected, difficulty) for selected in accuracies]
        return voted_accuracy(there, num_options, correlation) if voted else mean_accuracy(there, num_options)

    return difficulty_at(wanted, accuracy_of, 1e-6)
