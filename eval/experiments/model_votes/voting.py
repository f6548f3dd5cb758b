"""Votes of selected groups of models on measured distributions, exact: no answer is drawn."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from eval.experiments.model_votes.measured import Measured
from solvers.reasoning.drawn_votes import expected_vote

Composition = tuple[int, ...]
"""How many agents of each group (G) vote."""


class Votes:
    """The votes on a data set, by how many agents of each group take part; each composition is counted once."""

    def __init__(self, measured: Measured) -> None:
        self.measured = measured
        self.of = functools.cache(self._of)

    def _of(self, composition: Composition) -> np.ndarray:
        """Return how often the vote is right on each question, (Q,)."""
        measured, counts = self.measured, np.array(composition)
        right = np.empty(measured.answers.size)
        for size in measured.options:
            own = measured.num_options == size
            agents = np.repeat(measured.distributions[:, own, :size], counts, axis=0)
            right[own] = expected_vote(agents.swapaxes(0, 1), measured.answers[own])
        return right

    def right(self, compositions: Sequence[Composition]) -> np.ndarray:
        """Return how often the votes of K networks are right on each question, (K, Q)."""
        return np.stack([self.of(each) for each in compositions])


def composition_of(selected: Sequence[int], sizes: Sequence[int]) -> Composition:
    """Return how many of the selected agents are in each group, from the groups' sizes."""
    group_of_agent = np.repeat(np.arange(len(sizes)), sizes)
    return tuple(np.bincount(group_of_agent[np.array(selected, int)], minlength=len(sizes)).tolist())
