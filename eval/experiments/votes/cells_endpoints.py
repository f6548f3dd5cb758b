"""Cells in which the selected agents of a network are language models behind OpenAI-compatible endpoints, and vote.

Selections, questions and votes are those of the simulated agents (:mod:`eval.experiments.votes.cells`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eval.experiments.groups import groups_of
from eval.experiments.votes.cells import questions_of
from eval.sweep.answers import with_answers
from eval.sweep.cells import UNFINISHED, Cell, Row
from eval.sweep.promises import columns, count, counts, document, flag, numbers, returns, text
from secagent_env.questions import Question
from solvers.llm.chat import EndpointError
from solvers.reasoning.endpoint import Agents, complaint_of, grouped
from solvers.reasoning.team import UNREACHABLE, Supervisor, Verdict

FUNCTION = "eval.experiments.votes.cells_endpoints:ask"


@returns(
    columns(
        **dict.fromkeys(("asked", "questions", "right", "calls", "tokens"), count),
        **dict.fromkeys(("answers_by_group", "used_by_group", "right_by_group"), numbers),
        faults=counts,
        complaints=document,
        unfinished=flag,
        ended=text,
    )
)
def ask(cell: Cell) -> Row:
    """Return the row of a cell: right answers of the vote and of the agents of each group, faults, calls and tokens.

    Of each group there are the numbers of its answers, of those with an option (``used``) and of those that are right,
    and by the group's number the first complaint about an answer without an option.

    Once no selected agent can be reached any more, the row is of the questions ``asked`` before, of all ``questions``,
    and ``ended`` says why. It is ``unfinished`` too where some agents could not be reached.

    Raises EndpointError if no selected agent answered at all.
    """
    options = cell.options
    groups = [
        group if group.in_process else replace(group, **with_answers(cell, {}))
        for group in grouped(groups_of(options["groups"]), options["num_agents"])
    ]
    group_of_agent = np.repeat(np.arange(len(groups)), [group.agents for group in groups])
    selection = np.isin(np.arange(options["num_agents"]), options["selected"])
    right, faults = 0, Counter[str]()
    by_group = np.zeros((len(groups), 3), int)
    complaints: dict[str, str] = {}
    questions = questions_of(cell)
    with Agents(groups) as agents:
        verdicts, ended = _verdicts(Supervisor(agents.reasoners), questions, selection)
        usage = agents.usage
    for verdict, (question, _) in zip(verdicts, questions, strict=False):
        right += verdict.option == question.answer
        faults.update(verdict.faults)
        for agent, answer in verdict.answers.items():
            group, used = group_of_agent[agent], answer.option is not None
            by_group[group] += (1, used, answer.option == question.answer)
            if not used:
                complaints.setdefault(str(group), complaint_of(answer))
    return {
        "asked": len(verdicts),
        "questions": len(questions),
        "right": right,
        "answers_by_group": by_group[:, 0].tolist(),
        "used_by_group": by_group[:, 1].tolist(),
        "right_by_group": by_group[:, 2].tolist(),
        "complaints": complaints,
        "faults": json.dumps(dict(sorted(faults.items()))),
        "calls": sum(each.calls for each in usage),
        "tokens": sum(each.prompt_tokens + each.completion_tokens for each in usage),
        UNFINISHED: bool(ended) or UNREACHABLE in faults,
        "ended": ended,
    }


def _verdicts(
    supervisor: Supervisor, questions: Sequence[tuple[Question, int]], selection: np.ndarray
) -> tuple[list[Verdict], str]:
    """Return the verdicts on questions with their seeds, and why they end before some if they do: with an answer."""
    verdicts: list[Verdict] = []
    for question, seed in questions:
        try:
            verdict = supervisor.ask(question, selection, seed)
            lost = next((answer for answer in verdict.answers.values() if answer.fault == UNREACHABLE), None)
            if verdict.answered or lost is None:
                verdicts.append(verdict)
                continue
            ending = EndpointError(lost.explanation)
        except EndpointError as error:
            ending = error
        while verdicts and not verdicts[-1].answered:
            verdicts.pop()
        if not verdicts:
            raise ending
        return verdicts, str(ending)
    return verdicts, ""
