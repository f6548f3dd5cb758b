"""All stand-ins for a language model in one, for ``secagent serve-standin``: each answers its solver's prompts."""

from __future__ import annotations

from collections.abc import Sequence

from solvers.llm.chat import Message


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the answer to a prompt of LAW, GenAINet, a crossing, an agent that reasons, or one that reads texts.

    It is the same for the same seed.

    Raises
    ------
    ValueError
        If the messages are none of these prompts.
    """
    from solvers.convoy import language
    from solvers.genainet import stepwise_standin
    from solvers.knowledge.language import extraction, summaries
    from solvers.law import perturbing_standin
    from solvers.reasoning import overlap_standin

    for standin in (overlap_standin, stepwise_standin, language, summaries, extraction):
        if standin.can_answer(messages):
            return standin.reply(messages, seed)
    return perturbing_standin.reply(messages, seed)
