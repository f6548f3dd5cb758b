"""Rewards that take the place of the environment's, to see what that is worth to a planner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from solvers.planning.thoughts import C, Evaluate, Proposer, S


def random_rewards(rng: np.random.Generator) -> Evaluate[S, C]:
    """Return rewards that say nothing: uniform numbers."""

    def evaluate(state: S, contents: Sequence[C]) -> np.ndarray:
        return rng.random(len(contents))

    return evaluate


def self_evaluation(proposer: Proposer[S, C], rng: np.random.Generator) -> Evaluate[S, C]:
    """Return the proposer's own opinion of its thoughts."""

    def evaluate(state: S, contents: Sequence[C]) -> list[float]:
        return [proposer.score(state, content, rng) for content in contents]

    return evaluate
