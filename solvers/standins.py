"""The stand-ins for a language model, in one: the rules that fit a prompt answer it."""

from __future__ import annotations

from collections.abc import Sequence

from solvers.llm.chat import Message


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the answer to a prompt of LAW, of GenAINet or of an agent that reasons; the same for the same seed.

    Raises
    ------
    ValueError
        If the messages are a prompt of none of them.
    """
    from solvers.genainet import standin as genainet
    from solvers.law import standin as law
    from solvers.reasoning import standin as reasoning

    for rules in (reasoning, genainet):
        if rules.answers(messages):
            return rules.reply(messages, seed)
    return law.reply(messages, seed)
