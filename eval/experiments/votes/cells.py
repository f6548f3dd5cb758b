"""Cells in which the selected agents of a network answer questions, simulated, and vote."""

from __future__ import annotations

import numpy as np

from eval.experiments.question_source import load
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, returns
from secagent_env.model.workload import accuracy_at_difficulty
from secagent_env.questions import Question, QuestionSet
from solvers.reasoning.simulated import SimulatedReasoner
from solvers.reasoning.team import Supervisor
from solvers.reasoning.votes import log_odds_weights, vote

FUNCTION = "eval.experiments.votes.cells:ask"


def pool(name: str, source: str, path: str | None) -> QuestionSet:
    """Return the questions that stand for a data set; of the sample, those with as many options as there."""
    loaded = load(source, path)
    if source != "sample":
        return loaded
    fitting = [question for question in loaded if (len(question.options) == 2) == (name == "boolq")]
    return QuestionSet(source, tuple(fitting or loaded))


@returns(columns(**dict.fromkeys(("asked", "right", "right_weighted", "tied", "agents_right"), count)))
def ask(cell: Cell) -> Row:
    """Return the row of a cell: how many of its questions were answered right, by the vote and by the agents."""
    options = cell.options
    accuracy = accuracy_at_difficulty(np.array(options["accuracy"]), options["difficulty"])
    factor_seed = int(_sequence(cell, 3).generate_state(1)[0])
    reasoners = [SimulatedReasoner(float(p), options["correlation"], factor_seed) for p in accuracy]
    supervisor = Supervisor(reasoners)
    selection = np.isin(np.arange(len(reasoners)), options["selected"])
    right, weighted, agents, tied = 0, 0, 0.0, 0
    questions_asked = questions_of(cell)
    for question, seed in questions_asked:
        num_options = len(question.options)
        verdict = supervisor.ask(question, selection, seed=seed)
        chosen = {agent: answer.option for agent, answer in verdict.answers.items()}
        weights = log_odds_weights(np.maximum(accuracy[list(chosen)], 1 / num_options), num_options)
        again = vote(list(chosen.values()), num_options, weights, np.random.default_rng(seed))
        right += verdict.option == question.answer
        weighted += again.option == question.answer
        agents += float(np.mean([option == question.answer for option in chosen.values()]))
        tied += len(verdict.tally.tied) > 1
    counts = {"asked": len(questions_asked), "right": right, "right_weighted": weighted, "tied": tied}
    return {**counts, "agents_right": agents / len(questions_asked)}


def questions_of(cell: Cell) -> list[tuple[Question, int]]:
    """Return the questions of a cell, the same for every scheme in a network, each with a seed."""
    options = cell.options
    available = pool(cell.value, options["source"], options["path"])
    drawn = np.random.default_rng(_sequence(cell, 2)).permutation(len(available))[: options["count"]].tolist()
    seeds = _sequence(cell, 4).generate_state(len(drawn)).tolist()
    return [(available[number], seed) for number, seed in zip(drawn, seeds, strict=True)]


def _sequence(cell: Cell, use: int) -> np.random.SeedSequence:
    return np.random.SeedSequence((cell.seed, cell.index), spawn_key=(use,))
