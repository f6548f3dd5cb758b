"""A rehearsal of LAW: what would be sent to a model, and about what it would cost, before anything is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from secagent_env import Decision, Instance
from solvers.law.solver import LAW
from solvers.llm.chat import Message, estimated_tokens

NOT_SENT = ("model", "base_url", "api_key", "transcript", "replay", "max_calls", "max_tokens", "max_cost", "prices")


@dataclass(frozen=True)
class Rehearsal:
    """What a solve would ask, from one with the stand-in in the model's place.

    Attributes
    ----------
    prompts
        The first prompt of each sub-problem. That of the first one is exactly what will be sent; the others depend on
        what the model answers, in their parameters and examples.
    calls
        How many requests there will be, at most.
    prompt_tokens, reply_tokens
        About how many tokens they have; replies as long as the stand-in's.
    most_reply_tokens
        How many tokens the replies can have at most.
    """

    prompts: Mapping[str, tuple[Message, ...]]
    calls: int
    prompt_tokens: int
    reply_tokens: int
    most_reply_tokens: int

    def cost(self, prices: Mapping[str, float]) -> tuple[float, float]:
        """Return about what it costs, and what it can cost at most, in the currency of the prices.

        Parameters
        ----------
        prices
            Of a million tokens, by ``"input"`` and ``"output"``.
        """
        asked = self.prompt_tokens * prices["input"]
        told, most = (tokens * prices["output"] for tokens in (self.reply_tokens, self.most_reply_tokens))
        return (asked + told) / 1e6, (asked + most) / 1e6


def rehearse(law: LAW, instance: Instance, seed: int = 0, start: Decision | None = None) -> Rehearsal:
    """Return what ``law.solve(instance, seed, start)`` would ask a model; nothing is sent."""
    defaults: dict[str, Any] = {
        field.name: field.default for field in dataclasses.fields(law) if field.name in NOT_SENT
    }
    solution = dataclasses.replace(law, **defaults).solve(instance, seed, start)
    prompts: dict[str, tuple[Message, ...]] = {}
    asked = told = calls = 0
    for record in solution.history:
        messages = tuple(Message(role, text) for role, text in record["prompt"])
        prompts.setdefault(record["sub_problem"], messages)
        replies = [text for text, _, _ in record["replies"]]
        calls += len(replies)
        asked += len(replies) * estimated_tokens([message.content for message in messages])
        told += estimated_tokens(replies)
    return Rehearsal(prompts, calls, asked, told, calls * law.reply_tokens)
