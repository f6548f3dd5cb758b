"""The accuracy of a majority vote: the probability that it is right, without simulation.

Agents are those of :mod:`solvers.reasoning.simulated`: with a correlation ρ, agent n is right iff
√ρ Z + √(1 − ρ) ε_n < Φ⁻¹(p_n), where the normal Z belongs to the question and ε_n to the agent; a wrong agent chooses
the question's distractor with probability ρ, and otherwise any wrong option.

Given Z the agents are independent, so that the number R of right agents has a Poisson-binomial distribution. All wrong
agents choose alike, so that the vote is right with a probability that depends on R alone.

Dimension letters: Q values of Z, N agents, m options.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import stats

from secagent_env.support.checks import integer, number
from solvers.reasoning.votes import checked_accuracies

_LIMIT = 8.5
"""Z is integrated from −8.5 to 8.5; values beyond have a probability of 2e-17."""
_MOST_NODES = 20_001


def expected_accuracy(accuracies: Sequence[float] | np.ndarray, num_options: int, correlation: float = 0.0) -> float:
    """Return how often a majority vote is right, ties drawn.

    Parameters
    ----------
    accuracies
        p_n of the agents that vote, each from 0 to 1.
    num_options
        m, at least 2.
    correlation
        ρ from 0 (independent) to 1 (a less accurate agent is right on a part of the same questions), both exact;
        between them an integral over Z by the trapezoid rule, exact up to rounding for ρ ≤ 0.9999.

    Raises
    ------
    ValueError
        If an argument is out of range, or nobody votes.
    """
    p = checked_accuracies(accuracies)
    number("correlation", correlation, 0, 1)
    if not p.size:
        raise ValueError("accuracies must hold at least one agent's: nobody votes")
    integer("num_options", num_options, 2)
    given, weight = right_given_factor(p, correlation)
    share = np.array([_share(r, p.size - r, num_options, correlation) for r in range(p.size + 1)])
    return float(np.clip(weight @ (poisson_binomial(given) @ share), 0.0, 1.0))


def right_given_factor(p: np.ndarray, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the agents' accuracies (Q, N) given values of Z, and the weights (Q,) of these values."""
    if correlation == 0:
        return p[None], np.ones(1)
    if correlation == 1:  # steps at the accuracies themselves
        edges = np.concatenate([[0.0], np.sort(p), [1.0]])
        return (p >= edges[1:, None]).astype(float), np.diff(edges)
    # A quarter of the range of Z in which an agent turns from right to wrong: exact up to rounding.
    step = min(0.1, math.sqrt((1 - correlation) / correlation) / 4)
    count = min(2 * math.ceil(_LIMIT / step) + 1, _MOST_NODES)
    z = np.linspace(-_LIMIT, _LIMIT, count)
    weight = stats.norm.pdf(z)
    threshold = stats.norm.ppf(p)
    given = stats.norm.cdf((threshold - math.sqrt(correlation) * z[:, None]) / math.sqrt(1 - correlation))
    return given, weight / weight.sum()


def poisson_binomial(p: np.ndarray) -> np.ndarray:
    """Return the distribution (…, N + 1) of the number of successes in independent trials of probabilities (…, N)."""
    chance = np.zeros((*p.shape[:-1], p.shape[-1] + 1))
    chance[..., 0] = 1.0
    for n in range(p.shape[-1]):
        hit = p[..., n, None]
        chance[..., 1 : n + 2] = chance[..., 1 : n + 2] * (1 - hit) + chance[..., : n + 1] * hit
        chance[..., 0] *= 1 - hit[..., 0]
    return chance


@lru_cache(maxsize=4096)
def _share(right: int, wrong: int, num_options: int, correlation: float) -> float:
    """Return the probability that the right option wins with ``right`` votes against ``wrong`` others."""
    if right == 0:
        return 0.0 if wrong else 1 / num_options
    # Of the wrong votes, j go to the distractor and the rest evenly to m − 2 other options.
    others = num_options - 2
    to_distractor = correlation + (1 - correlation) / (num_options - 1)
    total = 0.0
    for j in range(min(wrong, right) + 1):
        chance = math.comb(wrong, j) * to_distractor**j * (1 - to_distractor) ** (wrong - j)
        if chance == 0:
            continue
        rest = wrong - j
        for tied in range(others + 1):
            ways = math.comb(others, tied) * _ways(rest, others, tied, right)
            if ways:
                total += chance * ways / max(others, 1) ** rest / (1 + tied + (j == right))
    return total


@lru_cache(maxsize=65536)
def _ways(votes: int, options: int, tied: int, level: int) -> int:
    """Return the number of ways to vote that give the first ``tied`` options ``level`` votes and the others fewer."""
    if options == 0:
        return int(votes == 0)
    if tied:
        return math.comb(votes, level) * _ways(votes - level, options - 1, tied - 1, level) if votes >= level else 0
    return sum(
        math.comb(votes, count) * _ways(votes - count, options - 1, 0, level)
        for count in range(min(votes, level - 1) + 1)
    )
