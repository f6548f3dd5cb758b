"""The stand-in for a model: it perturbs the best examples that a prompt shows it, and knows nothing else.

It gets the same prompts as a model and answers in the same format. What it reaches is what LAW's workflow reaches by
itself; what a model reaches beyond, at equal evaluations, is the model's merit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from solvers.law.neighbours import anywhere, neighbour
from solvers.law.prompts import examples_in, facts_in
from solvers.law.proposals import PROPOSALS
from solvers.llm.chat import Message

BEST_SHARE = 0.7
"""How often the best example is perturbed, rather than one of the experts'."""


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the answer to a prompt of LAW; the same for the same prompt and seed.

    Raises
    ------
    ValueError
        If the last message is not a prompt of LAW.
    """
    prompt = messages[-1].content if messages else ""
    facts = facts_in(prompt)
    rng = np.random.default_rng([seed, *hashlib.sha256(prompt.encode()).digest()[:8]])
    kind = PROPOSALS[facts["sub_problem"]]
    examples = examples_in(prompt)
    if not examples:
        return _told(anywhere(facts["sub_problem"], facts, rng), "no example was shown: a random proposal")
    best = rng.random() < BEST_SHARE or len(examples) == 1
    index = 0 if best else int(rng.integers(1, len(examples)))
    proposal = neighbour(kind.model_validate_json(examples[index]), facts, rng)
    return _told(proposal, f"no model: {'the best example' if index == 0 else f'expert example {index}'}, perturbed")


def _told(proposal: object, reason: str) -> str:
    return proposal.model_copy(update={"reason": reason}).model_dump_json()  # type: ignore[attr-defined]
