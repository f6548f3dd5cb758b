"""Controls: rules in a model's place that use one thing alone, to tell a model's merit from that of what it is given.

They get a model's prompts and answer in its format, as the stand-in (:mod:`solvers.law.perturbing_standin`) does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from solvers.law.neighbours import anywhere
from solvers.law.perturbing_standin import answer, read
from solvers.law.prompts import agents_in
from solvers.law.proposals import SelectionProposal
from solvers.llm.chat import Message
from solvers.llm.standin import Rules


def first_rows(messages: Sequence[Message], seed: int) -> str:
    """Select the agents of the first rows of the table, as many as are needed; repeat the best example elsewhere."""
    facts, _, _ = read(messages, seed)
    if facts["sub_problem"] != "selection":
        return repeat(messages, seed)
    listed = agents_in(messages[-1].content)[: facts["select_at_least"]]
    return answer(SelectionProposal(selected=sorted(listed)), "no model: the first rows of the table")


def random(messages: Sequence[Message], seed: int) -> str:
    """Propose something random, whatever the examples."""
    facts, _, rng = read(messages, seed)
    return answer(anywhere(facts, rng), "no model: a random proposal")


def repeat(messages: Sequence[Message], seed: int) -> str:
    """Repeat the best example: what gets better is found by the expert search alone. Without one, anything."""
    facts, examples, rng = read(messages, seed)
    return answer(examples[0] if examples else anywhere(facts, rng), "no model: the best example, repeated")


CONTROLS: Mapping[str, Rules] = {"first-rows": first_rows, "random": random, "repeat": repeat}
"""The rules by the value of LAW's option ``control``."""
