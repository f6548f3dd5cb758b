"""The stand-ins for a language model, in one: the rules that fit a prompt answer it."""

from __future__ import annotations

from collections.abc import Sequence

from solvers.llm.chat import Message


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the answer to a prompt of LAW or of GenAINet; the same for the same prompt and seed.

    Raises
    ------
    ValueError
        If the messages are a prompt of neither.
    """
    from solvers.genainet import standin as genainet
    from solvers.law import standin as law

    return genainet.reply(messages, seed) if genainet.answers(messages) else law.reply(messages, seed)
