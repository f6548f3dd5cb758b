"""A simulated reasoner: it knows the answer, and errs as often as an accuracy such as (14) says.

It stands where no language model answers. Agents err together: a latent factor of the question, common to all of them,
makes it easy or hard for everybody, and its distractor is what most of those who are wrong say.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from secagent_env.model.workload import accuracy_at_difficulty
from secagent_env.questions.question import Question
from solvers.reasoning.answer import Answer
from solvers.reasoning.vote_theory import check_correlation, expected_accuracy

_EASIEST, _HARDEST = 1e-3, 1e6


@dataclass(frozen=True)
class SimulatedReasoner:
    """An agent that is right with a given probability, named as simulated.

    With a correlation ρ it is right iff √ρ Z + √(1 − ρ) ε < Φ⁻¹(max(accuracy, 1/m)), where the normal Z belongs to the
    question and ε is drawn for each answer; m is the number of options, since nobody has to be worse than guessing. A
    wrong answer is the question's distractor with probability ρ, and any wrong option otherwise.

    Parameters
    ----------
    accuracy
        From 0 to 1.
    correlation
        ρ from 0 (independent of other agents) to 1 (one factor decides for all).
    seed
        Of the questions' factors and distractors; agents of the same seed err together.

    Raises
    ------
    ValueError
        If accuracy or correlation are out of range.
    """

    accuracy: float
    correlation: float = 0.0
    seed: int = 0
    name = "simulated (14)"

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 1:
            raise ValueError(f"accuracy must be a number from 0 to 1, got {self.accuracy!r}")
        check_correlation(self.correlation)

    def answer(self, question: Question, texts: Sequence[str], rng: np.random.Generator) -> Answer:
        """Return the right option or a wrong one; the texts are not read.

        ``confidence`` is the accuracy, which is what such an agent can know of itself.
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
    """Return what all agents share of a question: Z, and which of the m − 1 wrong options is the distractor."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:16], "little"))
    return float(rng.standard_normal()), int(rng.integers(num_options - 1))


def voted_accuracy(
    accuracies: Iterable[np.ndarray], num_options: Mapping[int, float], correlation: float = 0.0
) -> float:
    """Return how often the majority of such agents is right, in the mean over selections of agents and over questions.

    Parameters
    ----------
    accuracies
        Of the agents selected in each network.
    num_options
        How many questions (or what share of them) have 2, 3, … options.
    correlation
        ρ.
    """
    total = sum(num_options.values())
    return float(
        np.mean(
            [
                sum(
                    count * expected_accuracy(np.maximum(selected, 1 / options), options, correlation)
                    for options, count in num_options.items()
                )
                / total
                for selected in accuracies
            ]
        )
    )


def mean_accuracy(accuracies: Iterable[np.ndarray], num_options: Mapping[int, float]) -> float:
    """Return how often one of such agents is right, in the mean; the arguments are those of :func:`voted_accuracy`."""
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
    """Return the difficulty δ of (14) at which agents have a wanted accuracy.

    Parameters
    ----------
    accuracies
        Of the agents selected in each network, at the difficulty 1.
    num_options
        How many questions have 2, 3, … options.
    wanted
        The accuracy of the vote, or that of the agents in the mean.
    correlation
        ρ.
    voted
        Whether the vote is meant, or the mean of the agents.

    Raises
    ------
    ValueError
        If no difficulty gives it: who guesses is right on one of m questions.
    """

    def excess(log_difficulty: float) -> float:
        there = [accuracy_at_difficulty(selected, math.exp(log_difficulty)) for selected in accuracies]
        found = voted_accuracy(there, num_options, correlation) if voted else mean_accuracy(there, num_options)
        return found - wanted

    bounds = math.log(_EASIEST), math.log(_HARDEST)
    if excess(bounds[0]) < 0 or excess(bounds[1]) > 0:
        low, high = (wanted + excess(bound) for bound in reversed(bounds))
        raise ValueError(f"no difficulty gives an accuracy of {wanted:g}: it lies between {low:.3g} and {high:.3g}")
    return math.exp(brentq(excess, *bounds, xtol=1e-6))
