"""LAW's stand-in for a model: it perturbs the best examples in a prompt, and knows nothing else.

It gets the same prompts as a model and answers in the same format. Its results show the merit of LAW's workflow alone;
better results of a model, at equal evaluations, show the model's merit.
"""

from __future__ import annotations

from collections.abc import Sequence

from solvers.law.neighbours import anywhere, neighbour
from solvers.law.prompts import examples_in, facts_in
from solvers.law.proposals import PROPOSALS, Proposal
from solvers.llm.chat import Message
from solvers.llm.standin import prompt_rng

BEST_SHARE = 0.7
"""The probability that the best example is perturbed, rather than an expert example."""


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the answer to a prompt of LAW, else raise ValueError; the same for the same prompt and seed."""
    prompt = messages[-1].content if messages else ""
    facts = facts_in(prompt)
    rng = prompt_rng(prompt, seed)
    kind = PROPOSALS[facts["sub_problem"]]
    examples = examples_in(prompt)
    if not examples:
        return _answer(anywhere(facts["sub_problem"], facts, rng), "no example was shown: a random proposal")
    best = rng.random() < BEST_SHARE or len(examples) == 1
    index = 0 if best else int(rng.integers(1, len(examples)))
    proposal = neighbour(kind.model_validate_json(examples[index]), facts, rng)
    return _answer(proposal, f"no model: {'the best example' if index == 0 else f'expert example {index}'}, perturbed")


def _answer(proposal: Proposal, reason: str) -> str:
    return proposal.model_copy(update={"reason": reason}).model_dump_json()
