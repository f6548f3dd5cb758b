"""Data sets, selections and votes of Table V, and the difficulty of each data set, fitted to one printed number.

The selection knows (14) alone, and (14) knows no data set. So one difficulty δ per data set is fitted: the one at which
the vote of ASC's agents is right as often as the paper prints. No other scheme is fitted.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.experiments.question_source import digest_of, set_or_sample
from eval.experiments.votes.cells import pool
from eval.experiments.votes.printed import TABLE_V
from solvers.reasoning.simulated import fitted_difficulty

FITTED = "asc"
"""The scheme to whose printed numbers the difficulties are fitted."""
TITLES = {"arc-easy": "ARC-E", "arc-challenge": "ARC-C", "boolq": "BoolQ"}


@dataclass(frozen=True)
class DataSet:
    """The questions that stand for a data set of the paper.

    ``source`` is the set that is asked here: the same, or ``sample`` where that is not on this machine; ``path`` is the
    folder of the data sets, None for the sample and for the folder that the environment names. ``num_options`` are the
    numbers of questions with 2, 3, … options, and ``digest`` is that of keys, numbers of options and answers.
    """

    name: str
    source: str
    path: str | None
    num_options: dict[int, int]
    digest: str

    @property
    def title(self) -> str:
        """The name of the data set in tables."""
        return TITLES[self.name]

    @classmethod
    def of(cls, name: str, data: Path | str | None = None) -> DataSet:
        """Return the data set itself, from a folder or from the one that the environment names, or the sample.

        Raises ValueError if the data set is there and cannot be read.
        """
        source, path, questions = set_or_sample(functools.partial(pool, name), name, data)
        num_options = Counter(len(question.options) for question in questions)
        digest = digest_of([(question.key, len(question.options), question.answer) for question in questions])
        return cls(name, source, path, dict(sorted(num_options.items())), digest)


@dataclass(frozen=True)
class VoteResults:
    """Selections and answers: the rows of both kinds of cells (pandas DataFrames), and δ by the name of the data set.

    The ``networks`` that count are those, by index, in which every scheme found a feasible decision; there are answers
    of these alone. ``correlation`` is ρ, and ``instances`` the number of networks in all.
    """

    selections: Any
    answers: Any
    data_sets: tuple[DataSet, ...]
    difficulty: dict[str, float]
    correlation: float
    networks: tuple[int, ...]
    instances: int

    def answers_of(self, scheme: str, data_set: DataSet) -> Any:
        """Return the answers to a data set of the agents that a scheme selects (a pandas DataFrame)."""
        return self.answers[(self.answers["scheme"] == scheme) & (self.answers["value"] == data_set.name)]

    def accuracies(self, scheme: str) -> list[np.ndarray]:
        """Return the accuracies of the agents that a scheme selects in each network, by (14) as it is."""
        return selected_accuracies(self.selections, scheme, self.networks)

    def all_accuracies(self) -> list[np.ndarray]:
        """Return the accuracies of all agents of each network, by (14) as it is."""
        rows = self.selections[self.selections["scheme"] == FITTED].set_index("index").loc[list(self.networks)]
        return [np.array(json.loads(text)) for text in rows["accuracy"]]


def selected_accuracies(selections: Any, scheme: str, networks: Sequence[int]) -> list[np.ndarray]:
    """Return the accuracies of the agents that a scheme selects in some networks, by (14) as it is."""
    rows = selections[selections["scheme"] == scheme].set_index("index").loc[list(networks)]
    return [
        np.array(json.loads(accuracy))[json.loads(selected)]
        for accuracy, selected in zip(rows["accuracy"], rows["selected"], strict=True)
    ]


def fit(data_sets: Sequence[DataSet], accuracies: Sequence[np.ndarray], correlation: float) -> dict[str, float]:
    """Return the difficulty of each data set, at which the vote of these agents is right as often as the paper's ASC.

    Raises ValueError if there is none.
    """
    return {
        each.name: round(fitted_difficulty(accuracies, each.num_options, TABLE_V[each.name][FITTED], correlation), 5)
        for each in data_sets
    }
