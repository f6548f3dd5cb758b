"""Table 1 with language models as students: the knowledge is that of the offline reader, an endpoint answers.

Questions, knowledge and what is read are those of :mod:`eval.experiments.knowledge_transfer.cells`, in the conditions
of the paper's table and with the questions' own explanations; a model is asked four times as many questions as the
table counts.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eval.experiments.knowledge_transfer.cells import Source, piece_of, row_of
from eval.experiments.knowledge_transfer.cells import cells as read_cells
from eval.experiments.knowledge_transfer.experiment import TABLE, differences, table1
from eval.experiments.knowledge_transfer.results import ALL, CHOSEN, WITH_ANSWERS, WITHOUT, transfer
from eval.experiments.votes.endpoints import fields_of, groups_of
from eval.stats.formatting import percent
from eval.sweep.cells import Cell, Row
from eval.sweep.engine import Sweep, completed, run_sweep
from secagent_env.questions import Question
from secagent_env.support.files import write_text
from solvers.reasoning.answer import Answer
from solvers.reasoning.endpoint import Agents, EndpointReasoner, Group

FUNCTION = "eval.experiments.knowledge_transfer.endpoints:answer"
CONDITIONS = (WITHOUT, CHOSEN, ALL, WITH_ANSWERS)


def cells(source: Source, groups: Sequence[Group], count: int, seed: int) -> list[Cell]:
    """Return the cells in which one agent of each group is the student."""
    return [
        replace(
            cell,
            function=FUNCTION,
            scheme=name_of(group),
            options={**cell.options, "student": fields},
            paid=not group.in_process,
        )
        for group, [fields] in ((group, fields_of([replace(group, agents=1)])) for group in groups)
        for cell in read_cells(source, count, seed)
    ]


def name_of(group: Group) -> str:
    """Return what a student is called: by its model, and how it plans."""
    return f"student ({group.chat_name}, {group.planning})"


def answer(cell: Cell) -> list[Row]:
    """Return the rows of a cell as :func:`eval.experiments.knowledge_transfer.cells.answer`, with faults and usage.

    Raises
    ------
    EndpointError
        If the endpoint cannot be used.
    """
    world, piece, some = piece_of(cell)
    [group] = groups_of([cell.options["student"]])
    rows = []
    for condition in CONDITIONS:
        with Agents([group]) as agents:
            answers = answers_of(agents.reasoners[0], some, world.texts(some, condition), cell.seed)
            [usage] = agents.usage
        right = np.array([got.option == question.answer for got, question in zip(answers, some, strict=True)])
        faults = Counter(got.fault for got in answers if got.fault)
        told = {"faults": json.dumps(dict(sorted(faults.items()))), "calls": usage.calls}
        rows.append({**row_of(world, condition, cell.options["block"], piece, right), **told})
    return rows


def answers_of(
    student: EndpointReasoner, asked: Sequence[Question], texts: Sequence[Sequence[str]], seed: int
) -> list[Answer]:
    """Return a student's answers, several at a time; each question has its own random numbers."""

    def one(pair: tuple[Question, Sequence[str]]) -> Answer:
        question, own = pair
        return student.answer(question, own, np.random.default_rng([seed, zlib.crc32(question.key.encode())]))

    with ThreadPoolExecutor(student.group.concurrency, "secagent-student") as pool:
        return list(pool.map(one, zip(asked, texts, strict=True)))


def reproduce(groups: Sequence[Group], questions: int, seed: int, out: Path, data: Any = None, **how: Any) -> str:
    """Return Table 1 of each group's student in Markdown, and add it to what Table 1's ``reproduce`` wrote before.

    The arguments are those of :func:`eval.experiments.knowledge_transfer.experiment.reproduce`.
    """
    source = Source.of(data=data)
    frame = completed(run_sweep(Sweep(cells(source, groups, questions, seed)), out, **how))
    parts = []
    for group in groups:
        own = frame[frame["scheme"] == name_of(group)]
        found = transfer(own, source, CONDITIONS)
        faults = Counter[str]()
        for text in own["faults"]:
            faults.update(json.loads(text))
        counted = ", ".join(f"{number} {name}" for name, number in sorted(faults.items())) or "none"
        parts.append(
            f"### {name_of(group)}\n\n{table1(found)}\n\n{differences(found)}\n\nWith the questions' own explanations "
            f"among the knowledge (leak): {percent(found.accuracy(WITH_ANSWERS))}. Calls: {int(own['calls'].sum())}; "
            f"faults, which count as wrong: {counted}."
        )
    text = "\n\n".join(parts) + "\n"
    write_text(out / TABLE, f"{(out / TABLE).read_text(encoding='utf-8')}\n{text}")
    return text
