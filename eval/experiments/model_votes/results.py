"""Selections and votes of Table V with real models, as numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eval.experiments.model_votes.measured import Measured
from eval.experiments.model_votes.voting import Composition, Votes, composition_of
from eval.experiments.votes.cells_selection import ANY
from eval.experiments.votes.printed import TABLE_V
from eval.experiments.votes.results import TITLES
from eval.stats.statistics import Interval, bootstrap_mean, crossed_mean
from solvers.reasoning.simulated import voted_accuracy

SCHEMES = ("asc", "law", "ga", "randas", "exact", ANY)
TEAM = 10
"""The number of agents that vote."""
CORRELATION = 0.5
"""ρ of the simulated agents beside, as in ``table5``."""
PAPER = 0.6
"""Acc_min in section V-C of the paper."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """A data set at one Acc_min: what its models answer, and who is selected (rows of cells, a pandas DataFrame)."""

    measured: Measured
    sizes: tuple[int, ...]
    min_accuracy: float
    selections: Any

    @property
    def title(self) -> str:
        """The name of the data set in tables."""
        return TITLES[self.measured.name]

    @cached_property
    def networks(self) -> list[int]:
        """The networks, by index, in which every scheme found a feasible decision."""
        feasible = self.selections.pivot(index="index", columns="scheme", values="feasible").astype(bool).all(axis=1)
        return [int(index) for index in feasible.index[feasible]]

    @cached_property
    def votes(self) -> Votes:
        """The votes of any agents."""
        return Votes(self.measured)

    def rows(self, scheme: str) -> Any:
        """Return the rows of a scheme in the networks that count, in their order."""
        own = self.selections[self.selections["scheme"] == scheme].set_index("index")
        return own.loc[self.networks]

    def compositions(self, scheme: str) -> list[Composition]:
        """Return how many agents of each group a scheme selects in each network that counts."""
        return [composition_of(json.loads(text), self.sizes) for text in self.rows(scheme)["selected"]]

    def right(self, scheme: str) -> np.ndarray:
        """Return how often the votes of a scheme's agents are right in each of K networks on each question, (K, Q)."""
        return self.votes.right(self.compositions(scheme))


def accuracy_bounds(measured: Measured, sizes: Sequence[int]) -> tuple[float, float, float]:
    """Return the least mean accuracy of ten agents, the expected one of any ten, and the highest."""
    accuracy = np.sort(np.repeat(measured.accuracy, sizes))
    return float(accuracy[:TEAM].mean()), float(accuracy.mean()), float(accuracy[-TEAM:].mean())


def binding_accuracy(measured: Measured, sizes: Sequence[int]) -> float:
    """Return an Acc_min at which (15) binds and can be met: half-way from any ten agents to the most accurate ten."""
    _, any_ten, most = accuracy_bounds(measured, sizes)
    return round((any_ten + most) / 2, 3)


def figures(chosen: Chosen) -> list[dict[str, Any]]:
    """Return the numbers of a data set, a row for each scheme and for ten agents of each model.

    ``accuracy`` is the mean Acc_n of (15), ``agent`` how often one of the agents is right on the questions that are
    voted on, ``vote`` their vote, with an interval over networks and questions; ``independent`` and ``correlated`` are
    votes of simulated agents with the same Acc_n, ``printed`` is the paper's number.
    """
    measured = chosen.measured
    lines: list[tuple[str, list[Composition], dict[str, Any]]] = []
    for scheme in SCHEMES:
        energy = bootstrap_mean(chosen.rows(scheme)["energy_j"].to_numpy(float))
        told = {"energy_j": energy, "printed": TABLE_V[measured.name].get(scheme)}
        lines.append((scheme, chosen.compositions(scheme), told))
    for group, model in enumerate(measured.models):
        alone = tuple(TEAM if each == group else 0 for each in range(len(measured.models)))
        lines.append((f"ten of {model}", [alone], {}))
    return [
        {
            "data set": measured.name,
            "acc_min": chosen.min_accuracy,
            "scheme": scheme,
            **_votes(chosen, compositions),
            **told,
        }
        for scheme, compositions, told in lines
    ]


def _votes(chosen: Chosen, compositions: Sequence[Composition]) -> dict[str, Any]:
    measured, counts = chosen.measured, np.array(compositions)
    shares = counts.mean(axis=0) / counts.sum(axis=1).mean()
    accuracies = [np.repeat(measured.accuracy, each) for each in compositions]
    return {
        "agents": counts.mean(axis=0).tolist(),
        "accuracy": float(np.mean([each.mean() for each in accuracies])),
        "agent": float((shares @ measured.drawn).mean()),
        "vote": crossed_mean(chosen.votes.right(compositions)),
        "independent": voted_accuracy(accuracies, measured.options),
        "correlated": voted_accuracy(accuracies, measured.options, CORRELATION),
    }


def order(chosen: Chosen) -> list[tuple[str, str, float, Interval]]:
    """Return the printed schemes in pairs, better first, with the printed difference and that of the votes here."""
    printed = TABLE_V[chosen.measured.name]
    schemes = sorted(printed, key=lambda scheme: -printed[scheme])
    right = {scheme: chosen.right(scheme) for scheme in schemes}
    return [
        (first, second, printed[first] - printed[second], crossed_mean(right[first] - right[second]))
        for number, first in enumerate(schemes)
        for second in schemes[number + 1 :]
    ]
