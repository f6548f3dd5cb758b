"""Cells of Table 1 with language models as students: the knowledge is that of the offline reader, an endpoint answers.

Questions, knowledge and passages are those of :mod:`eval.experiments.knowledge_transfer.cells`, in the conditions of
the paper's table and with the questions' own explanations; a model is asked each question four times.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eval.experiments.groups import groups_of
from eval.experiments.knowledge_transfer.cells import (
    ALL,
    CHOSEN,
    PROMISED,
    WITH_ANSWERS,
    WITHOUT,
    piece_of,
    right_of,
    row_of,
)
from eval.experiments.question_source import TELEQNA
from eval.sweep.answers import with_answers
from eval.sweep.cells import Cell, Row
from eval.sweep.promises import columns, count, counts, returns, text
from secagent_env.questions import Question
from secagent_env.support.threads import several
from solvers.reasoning.answer import Answer
from solvers.reasoning.endpoint import Agents, EndpointReasoner, complaint_of

FUNCTION = "eval.experiments.knowledge_transfer.cells_endpoints:answer"
CONDITIONS = (WITHOUT, CHOSEN, ALL, WITH_ANSWERS)
_ASKED = columns(faults=counts, calls=count, used=count, complaint=text)


@returns(PROMISED | _ASKED)
def answer(cell: Cell) -> list[Row]:
    """Return the rows of a cell as :func:`eval.experiments.knowledge_transfer.cells.answer`, with faults and usage.

    ``used`` is the number of answers with an option, ``complaint`` the first complaint about one without.

    Raises EndpointError if the endpoint cannot be used.
    """
    block, numbers, asked = piece_of(cell)
    [group] = groups_of([cell.options["student"]])
    if cell.options["source"] != TELEQNA:  # its text gets into no file, and a model's reasons may quote a question
        group = replace(group, **with_answers(cell, {}))
    rows = []
    for condition in CONDITIONS:
        with Agents([group]) as agents:
            answers = answers_of(agents.reasoners[0], asked, block.texts(asked, condition), cell.seed)
            [usage] = agents.usage
        row = row_of(block, condition, cell.options["block"], numbers, right_of(answers, asked))
        faults = Counter(answer.fault for answer in answers if answer.fault)
        used = sum(answer.option is not None for answer in answers)
        complaint = next((complaint_of(answer) for answer in answers if answer.option is None), "")
        told = {"faults": dict(sorted(faults.items())), "used": used, "complaint": complaint, "calls": usage.calls}
        rows.append(row | told)
    return rows


def answers_of(
    student: EndpointReasoner, asked: Sequence[Question], texts: Sequence[Sequence[str]], seed: int
) -> list[Answer]:
    """Return a student's answers, several at a time; each question has its own random numbers."""

    def one(question: Question, passages: Sequence[str]) -> Answer:
        return student.answer(question, passages, np.random.default_rng([seed, zlib.crc32(question.key.encode())]))

    return several(student.group.concurrency, one, asked, texts)
