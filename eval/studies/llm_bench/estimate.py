"""How long the solves of a model will take, before they begin: from its speed, or from one first call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eval.studies.llm_bench.ladder import PROTOCOLS, Protocol, Task, law_options, network
from eval.studies.llm_bench.recording import SOLVER_SEED, Book
from solvers.interface.base import SolverRun
from solvers.law import perturbing_standin
from solvers.law.solver import LAW, SUB_PROBLEMS, Workflow
from solvers.llm.caps import Usage
from solvers.llm.session import Session

WRITING = 10
"""A token that is written takes about as long as so many that are read."""

NUMBERS = 2.0
"""The tokens of prompts full of numbers for one that is estimated from their characters, where none was counted."""


def estimate(
    book: Book,
    tasks: Sequence[Task],
    endpoint: Mapping[str, Any],
    tokens_per_second: float | None,
    slots: int,
    *,
    ask: bool,
) -> str:
    """Return in a sentence how long the tasks without replies take; with ``ask``, one call measures the speed.

    Its reply is recorded, and not asked for again. ``tokens_per_second`` are those that the model reads for one solve;
    several ``slots`` give a range, from a server that serves each of them at that speed to one that shares it out.
    """
    missing = [task for task in tasks if not book.begun(task)]
    if not missing:
        return f"{book.asked.model}: all {len(tasks)} solves have begun or are there"
    protocol = PROTOCOLS[book.asked.protocol]
    factor, rate = NUMBERS, tokens_per_second
    if rate is None and ask:
        chat = {**book.asked.sampling, **endpoint, "transcript": book.replies(missing[0])}
        usage = first_call(missing[0], protocol, chat)
        if usage.completion_tokens and not usage.estimated:
            factor = usage.prompt_tokens / max(1, first_call(missing[0], protocol, {}).prompt_tokens)
            rate = (usage.prompt_tokens + WRITING * usage.completion_tokens) / max(usage.seconds, 1e-3)
    kinds = Counter((task.step, task.view, task.form) for task in missing)
    example = {(task.step, task.view, task.form): task for task in missing}
    reading = writing = 0.0
    for kind, number in kinds.items():
        usage_of = (
            LAW(**law_options(example[kind], protocol))
            .solve(network(example[kind].step, example[kind].seed), SOLVER_SEED)
            .usage
        )
        reading += number * factor * usage_of["prompt_tokens"]
        writing += number * factor * usage_of["completion_tokens"]
    told = (
        f"{book.asked.model}: {len(missing)} solves, at most {len(missing) * protocol.calls} calls, "
        f"about {reading:.2g} tokens to read and {writing:.2g} to write"
    )
    if rate is None:
        return f"{told}; --tokens-per-second tells for how long"
    hours = (reading + WRITING * writing) / rate / 3600
    if slots > 1:
        return f"{told}: {hours / slots:.2g} to {hours:.2g} h at {rate:.3g} tokens/s read, as {slots} solves share them"
    return f"{told}: about {hours:.2g} h at {rate:.3g} tokens/s read"


def first_call(task: Task, protocol: Protocol, chat: Mapping[str, Any]) -> Usage:
    """Ask the first question of a task, and return what that took."""
    law = LAW(**{**law_options(task, protocol), "iterations": 1, **chat})
    run = SolverRun(network(task.step, task.seed), SOLVER_SEED)
    with Session(law, perturbing_standin.reply) as session:
        workflow = Workflow(law, run, session)
        workflow.solve(SUB_PROBLEMS[0], workflow.start(), 1)
        return session.usage
