"""The accuracy of a majority vote of agents that draw their answers from known distributions, without simulation.

Dimension letters: Q questions, N agents, m options.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np


def expected_vote(distributions: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return how often the majority is right on each question (Q,), ties drawn; agents draw independently.

    Parameters
    ----------
    distributions
        (Q, N, m), of every agent's answer to every question; each sums to 1.
    answers
        (Q,), the index of the right option.

    Raises
    ------
    ValueError
        If the shapes do not fit, nobody votes, or a distribution is none.
    """
    p, right = np.asarray(distributions, float), np.asarray(answers)
    if p.ndim != 3 or p.shape[1] < 1 or p.shape[2] < 2 or right.shape != p.shape[:1]:
        raise ValueError(f"distributions must be (Q, N, m) and answers (Q,), got {p.shape} and {right.shape}")
    if not (np.all(p >= 0) and np.allclose(p.sum(axis=-1), 1.0, rtol=0, atol=1e-9)):
        raise ValueError("each distribution must be probabilities that sum to 1")
    num_agents, num_options = p.shape[1:]
    # The votes for all options but the last; its votes are the rest.
    states = (num_agents + 1,) * (num_options - 1)
    chance = np.zeros((len(p), math.prod(states)))
    chance[:, 0] = 1.0
    chance = chance.reshape(len(p), *states)
    for agent in range(num_agents):
        of_option = p[:, agent].reshape(len(p), num_options, *[1] * (num_options - 1))
        voted = chance * of_option[:, -1]
        for option in range(num_options - 1):
            axis = option + 1
            later, earlier = [slice(None)] * chance.ndim, [slice(None)] * chance.ndim
            later[axis], earlier[axis] = slice(1, None), slice(None, -1)
            voted[tuple(later)] += chance[tuple(earlier)] * of_option[:, option]
        chance = voted
    wins = _wins(num_agents, num_options)
    return np.asarray(np.einsum("qs,qs->q", chance.reshape(len(p), -1), wins[right]))


def _wins(num_agents: int, num_options: int) -> np.ndarray:
    """Return the probability that each option wins, (m, (N + 1)^(m − 1)), by the votes for all but the last."""
    wins = np.zeros((num_options, (num_agents + 1) ** (num_options - 1)))
    for state, votes in enumerate(product(range(num_agents + 1), repeat=num_options - 1)):
        if sum(votes) <= num_agents:
            counts = np.array([*votes, num_agents - sum(votes)])
            most = counts == counts.max()
            wins[:, state] = most / most.sum()
    return wins
