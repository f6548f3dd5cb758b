"""LAW's stand-in for a model: it perturbs the best examples in a prompt, and knows nothing else.

It gets the same prompts as a model and answers in the same format. Its results show the merit of LAW's workflow alone;
better results of a model, at equal evaluations, show the model's merit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from solvers.law.neighbours import Facts, anywhere, neighbour
from solvers.law.prompts import examples_in, facts_in
from solvers.law.proposals import Proposal, kind_of
from solvers.llm.chat import Message
from solvers.llm.standin import prompt_rng

BEST_SHARE = 0.7
"""The probability that the best example is perturbed, rather than an expert example."""


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the answer to a prompt of LAW, else raise ValueError; the same for the same facts, examples and seed."""
    facts, examples, rng = read(messages, seed)
    if not examples:
        return answer(anywhere(facts, rng), "no example was shown: a random proposal")
    best = rng.random() < BEST_SHARE or len(examples) == 1
    index = 0 if best else int(rng.integers(1, len(examples)))
    proposal = neighbour(examples[index], facts, rng)
    return answer(proposal, f"no model: {'the best example' if index == 0 else f'expert example {index}'}, perturbed")


def read(messages: Sequence[Message], seed: int) -> tuple[Facts, list[Proposal], np.random.Generator]:
    """Return the facts and the examples of a prompt, the best one first, and random numbers that depend on them alone.

    So the words of a prompt, and its reminder, change nothing for rules. ValueError for what is no prompt of LAW.
    """
    prompt = messages[-1].content if messages else ""
    facts, examples = facts_in(prompt), examples_in(prompt)
    kind = kind_of(facts)
    rng = prompt_rng(json.dumps([facts, examples]), seed)
    return facts, [kind.model_validate_json(example) for example in examples], rng


def answer(proposal: Proposal, reason: str) -> str:
    """Return a proposal as a model would write it."""
    return proposal.model_copy(update={"reason": reason}).model_dump_json()
