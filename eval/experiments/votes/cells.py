"""Who answers and how it is voted, as cells of two sweeps: schemes select agents, then the agents answer.

The selection knows (14) alone, and (14) knows no data set. So one difficulty δ per data set is fitted between the two
sweeps: the one at which the vote of ASC's agents is right as often as the paper prints. Nobody else's is fitted.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.compare.lineup import make, module_of
from eval.compare.rows import result_of
from eval.compare.solving import instance_at, solver_seed
from eval.sweep.cells import Cell, Row
from eval.sweep.engine import Sweep, completed, run_sweep
from secagent_env import Scenario, questions
from secagent_env.model.workload import accuracy_at_difficulty
from secagent_env.questions import Question, QuestionSet
from solvers.reasoning.simulated import SimulatedReasoner, fitted_difficulty
from solvers.reasoning.team import Supervisor
from solvers.reasoning.vote_theory import check_correlation
from solvers.reasoning.votes import log_odds_weights, vote

EXPERIMENT, PRESET = "table5", "qwen"
SELECT, ASK = "eval.experiments.votes.cells:select", "eval.experiments.votes.cells:ask"
ANY = "randas (any ten)"
SCHEMES: dict[str, tuple[str, dict[str, Any]]] = {
    "asc": ("asc", {}),
    "law": ("law", {}),
    "ga": ("ga", {}),
    "randas": ("randas", {}),
    "exact": ("exact", {}),
    ANY: ("randas", {"min_accuracy": 0.0}),
}
"""Who selects, and in which scenario: the preset with these fields replaced."""
FITTED = "asc"
PRINTED: dict[str, dict[str, float]] = {
    "arc-easy": {"asc": 0.85, "law": 0.76, "ga": 0.66, "randas": 0.56},
    "arc-challenge": {"asc": 0.75, "law": 0.65, "ga": 0.56, "randas": 0.41},
    "boolq": {"asc": 0.83, "law": 0.82, "ga": 0.80, "randas": 0.75},
}
"""Table V."""
TITLES = {"arc-easy": "ARC-E", "arc-challenge": "ARC-C", "boolq": "BoolQ"}
CORRELATION = 0.5
"""ρ of the agents' errors: assumed."""


@dataclass(frozen=True)
class Asked:
    """The questions of a data set.

    Attributes
    ----------
    name
        What the paper asks.
    source
        What is asked here: the same, or ``sample`` where that is not on this machine.
    path
        Where it was found; None for the sample, or where the environment says it.
    num_options
        How many questions have 2, 3, … options.
    digest
        Of keys, numbers of options and answers.
    """

    name: str
    source: str
    path: str | None
    num_options: dict[int, int]
    digest: str

    @classmethod
    def of(cls, name: str, data: Path | str | None = None) -> Asked:
        """Return what stands for a data set: itself, from a folder or from where the environment says, or the sample.

        Raises
        ------
        ValueError
            If the data set is there and cannot be read.
        """
        path = None if data is None else os.fspath(data)
        source = name
        try:
            found = pool(name, source, path)
        except FileNotFoundError:
            source, path = "sample", None
            found = pool(name, source, path)
        told = [(question.key, len(question.options), question.answer) for question in found]
        digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
        return cls(name, source, path, dict(sorted(Counter(options for _, options, _ in told).items())), digest)


@functools.lru_cache(maxsize=8)
def pool(name: str, source: str, path: str | None) -> QuestionSet:
    """Return the questions that are asked for a data set; of the sample, those with as many options as there."""
    found = questions.load(source, path)
    if source != "sample":
        return found
    fitting = [question for question in found if (len(question.options) == 2) == (name == "boolq")]
    return QuestionSet(source, tuple(fitting or found))


def scenario_of(scheme: str) -> Scenario:
    """Return the scenario in which a scheme selects."""
    return Scenario.preset(PRESET, **SCHEMES[scheme][1])


def selecting(instances: int, seed: int) -> list[Cell]:
    """Return the cells in which every scheme selects agents in every network.

    Raises
    ------
    ValueError
        If there is no network.
    """
    if instances < 1:
        raise ValueError(f"the number of networks must be an integer ≥ 1, got {instances}")
    return [
        Cell(SELECT, EXPERIMENT, scheme, None, seed, index, {"scenario": scenario_of(scheme).to_dict()}, modules)
        for index in range(instances)
        for scheme, modules in ((scheme, (module_of(name),)) for scheme, (name, *_) in SCHEMES.items())
    ]


def select(cell: Cell) -> Row:
    """Return the row of a cell: the solution, who is selected, and how accurate everybody is by (14)."""
    instance = instance_at(Scenario(**cell.options["scenario"]), cell.seed, cell.index)
    solver = make(SCHEMES[cell.scheme][0])
    solution = solver.solve(instance, seed=solver_seed(cell.seed, cell.index))
    return {
        **result_of(solution),
        "selected": np.flatnonzero(solution.decision.selection).tolist(),
        "accuracy": np.asarray(instance.accuracy).tolist(),
    }


def asking(
    selections: Any, asked: Sequence[Asked], difficulty: Mapping[str, float], count: int, correlation: float
) -> list[Cell]:
    """Return the cells in which the agents that were selected answer.

    Parameters
    ----------
    selections
        The rows of :func:`selecting` (a pandas DataFrame).
    asked
        What the questions are taken from.
    difficulty
        δ by the name of the data set.
    count
        How many questions each network is asked, the same for every scheme.
    correlation
        ρ of the agents' errors.
    """
    found = []
    for row in selections.itertuples():
        team = {"selected": json.loads(row.selected), "accuracy": json.loads(row.accuracy)}
        for each in asked:
            told = {"source": each.source, "path": each.path, "digest": each.digest, "count": count}
            options = {**team, **told, "difficulty": difficulty[each.name], "correlation": correlation}
            found.append(Cell(ASK, EXPERIMENT, row.scheme, each.name, row.seed, row.index, options))
    return found


def ask(cell: Cell) -> Row:
    """Return the row of a cell: how many of its questions were answered right, by the vote and by the agents."""
    told = cell.options
    accuracy = accuracy_at_difficulty(np.array(told["accuracy"]), told["difficulty"])
    factor_seed = int(_sequence(cell, 3).generate_state(1)[0])
    reasoners = [SimulatedReasoner(float(p), told["correlation"], factor_seed) for p in accuracy]
    supervisor = Supervisor(reasoners)
    selection = np.isin(np.arange(len(reasoners)), told["selected"])
    right, weighted, agents, tied = 0, 0, 0.0, 0
    asked = questions_of(cell)
    for question, seed in asked:
        options = len(question.options)
        verdict = supervisor.ask(question, selection, seed=seed)
        said = {agent: answer.option for agent, answer in verdict.answers.items()}
        weights = log_odds_weights(np.maximum(accuracy[list(said)], 1 / options), options)
        again = vote(list(said.values()), options, weights, np.random.default_rng(seed))
        right += verdict.option == question.answer
        weighted += again.option == question.answer
        agents += float(np.mean([option == question.answer for option in said.values()]))
        tied += len(verdict.tally.tied) > 1
    counts = {"asked": len(asked), "right": right, "right_weighted": weighted, "tied": tied}
    return {**counts, "agents_right": agents / len(asked)}


def questions_of(cell: Cell) -> list[tuple[Question, int]]:
    """Return the questions that a cell asks, the same for every scheme in a network, and a seed for each."""
    told = cell.options
    found = pool(cell.value, told["source"], told["path"])
    picked = np.random.default_rng(_sequence(cell, 2)).permutation(len(found))[: told["count"]].tolist()
    return [
        (found[i], seed)
        for i, seed in zip(picked, _sequence(cell, 4).generate_state(len(picked)).tolist(), strict=True)
    ]


def _sequence(cell: Cell, use: int) -> np.random.SeedSequence:
    return np.random.SeedSequence((cell.seed, cell.index), spawn_key=(use,))


@dataclass(frozen=True)
class Votes:
    """What came out.

    Attributes
    ----------
    selections, answers
        The rows of both sweeps (pandas DataFrames); answers of the networks that count alone.
    asked
        The data sets.
    difficulty
        δ by the name of the data set.
    correlation
        ρ.
    networks
        Which networks count: those in which every scheme found a feasible decision.
    instances
        Of how many.
    """

    selections: Any
    answers: Any
    asked: tuple[Asked, ...]
    difficulty: dict[str, float]
    correlation: float
    networks: tuple[int, ...]
    instances: int

    def accuracies(self, scheme: str) -> list[np.ndarray]:
        """Return how accurate the agents are that a scheme selects in each network, by (14) as it is."""
        return selected_accuracies(self.selections, scheme, self.networks)

    def everybody(self) -> list[np.ndarray]:
        """Return how accurate all agents of each network are, by (14) as it is."""
        rows = self.selections[self.selections["scheme"] == FITTED].set_index("index").loc[list(self.networks)]
        return [np.array(json.loads(text)) for text in rows["accuracy"]]


def selected_accuracies(selections: Any, scheme: str, networks: Sequence[int]) -> list[np.ndarray]:
    """Return how accurate the agents are that a scheme selects in some networks, by (14) as it is."""
    rows = selections[selections["scheme"] == scheme].set_index("index").loc[list(networks)]
    return [
        np.array(json.loads(everybody))[json.loads(chosen)]
        for everybody, chosen in zip(rows["accuracy"], rows["selected"], strict=True)
    ]


def fit(asked: Sequence[Asked], accuracies: Sequence[np.ndarray], correlation: float) -> dict[str, float]:
    """Return the difficulty of each data set, at which the vote of these agents is right as often as the paper's ASC.

    Raises
    ------
    ValueError
        If there is none.
    """
    return {
        each.name: round(fitted_difficulty(accuracies, each.num_options, PRINTED[each.name][FITTED], correlation), 5)
        for each in asked
    }


def run(
    instances: int,
    seed: int,
    out: Path,
    *,
    count: int = 100,
    correlation: float = CORRELATION,
    data: Path | str | None = None,
    **how: Any,
) -> Votes:
    """Select, fit, and ask; what is computed is kept in the folder ``out``.

    Parameters
    ----------
    instances, seed
        How many networks, and from which seed.
    out
        The folder; made if need be.
    count
        How many questions of each data set a network is asked; fewer where the data set has fewer.
    correlation
        ρ of the agents' errors.
    data
        The folder of the data sets; None: the one that the environment names.
    how
        See :func:`eval.sweep.engine.run_sweep`.

    Raises
    ------
    ValueError
        For a bad argument, if cells failed, or if no network was solved by all.
    """
    check_correlation(correlation)
    if count < 1:
        raise ValueError(f"the number of questions must be an integer ≥ 1, got {count}")
    asked = tuple(Asked.of(name, data) for name in PRINTED)
    selections = completed(run_sweep(Sweep(selecting(instances, seed)), out, **how))
    feasible = selections.pivot(index="index", columns="scheme", values="feasible").astype(bool).all(axis=1)
    networks = tuple(int(index) for index in feasible.index[feasible])
    if not networks:
        raise ValueError(f"in none of the {instances} networks did every scheme find a feasible decision; take more")
    difficulty = fit(asked, selected_accuracies(selections, FITTED, networks), correlation)
    able = selections[selections["index"].isin(networks)]
    answers = completed(run_sweep(Sweep(asking(able, asked, difficulty, count, correlation)), out, **how))
    return Votes(selections, answers, asked, difficulty, correlation, networks, instances)
