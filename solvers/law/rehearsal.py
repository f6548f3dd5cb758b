"""A rehearsal of LAW: the prompts for a model, and an estimate of the cost, before anything is sent."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from secagent_env import Decision, Instance
from solvers.law.prompts import facts_in
from solvers.law.proposals import PROPOSALS, kind_of
from solvers.law.schemas import limits
from solvers.law.solver import LAW
from solvers.llm.chat import Message, estimated_tokens
from solvers.llm.structured import schema_of

OF_THE_MODEL = ("model", "base_url", "api_key", "transcript", "replay", "max_cost", "prices")


@dataclass(frozen=True)
class Rehearsal:
    """The requests of a solve, estimated by a solve with the stand-in in the model's place.

    Attributes
    ----------
    prompts
        The first prompt of each sub-problem. The first of these is exact; the parameters and examples of the others
        depend on the model's answers.
    calls, most_calls
        The number of requests in the rehearsal, and the most in a solve; a solve without progress ends earlier.
    prompt_tokens, most_prompt_tokens
        The estimated tokens of the prompts; and for the most calls, at two characters a token and with the schema of
        the answer, which some servers count.
    reply_tokens, most_reply_tokens
        The tokens of the stand-in's replies, and the most tokens of a model's replies.
    message
        The end of the rehearsal, in one sentence.
    """

    prompts: Mapping[str, tuple[Message, ...]]
    calls: int
    most_calls: int
    prompt_tokens: int
    most_prompt_tokens: int
    reply_tokens: int
    most_reply_tokens: int
    message: str

    def cost(self, prices: Mapping[str, float]) -> tuple[float, float]:
        """Return the estimated and the highest cost, in the currency of the prices.

        Parameters
        ----------
        prices
            The prices of a million tokens, by ``"input"`` and ``"output"``.
        """
        about = self.prompt_tokens * prices["input"] + self.reply_tokens * prices["output"]
        most = self.most_prompt_tokens * prices["input"] + self.most_reply_tokens * prices["output"]
        return about / 1e6, most / 1e6


def rehearse(law: LAW, instance: Instance, seed: int = 0, start: Decision | None = None) -> Rehearsal:
    """Return the requests that ``law.solve(instance, seed, start)`` would send to a model; nothing is sent.

    The caps on calls and tokens hold in the rehearsal, the cap on the cost does not.
    """
    defaults: dict[str, Any] = {
        each.name: each.default for each in dataclasses.fields(law) if each.name in OF_THE_MODEL
    }
    solution = dataclasses.replace(law, **defaults).solve(instance, seed, start)
    prompts: dict[str, tuple[Message, ...]] = {}
    schemas = 0
    for record in solution.history:
        sub_problem, replies = record["sub_problem"], record["replies"]
        prompts.setdefault(sub_problem, tuple(Message(role, text) for role, text in record["prompt"]))
        facts = facts_in(record["prompt"][-1][1])
        schemas += len(replies) * estimated_tokens([str(schema_of(kind_of(facts), limits(facts)))])
    calls, prompt_tokens = solution.usage["calls"], solution.usage["prompt_tokens"]
    most = law.rounds * len(PROPOSALS) * law.iterations * law.proposals if calls else 0
    most = most if law.max_calls is None else min(most, law.max_calls)
    return Rehearsal(
        prompts=prompts,
        calls=calls,
        most_calls=most,
        prompt_tokens=prompt_tokens,
        most_prompt_tokens=math.ceil(2 * (prompt_tokens + schemas) * most / max(calls, 1)),
        reply_tokens=solution.usage["completion_tokens"],
        most_reply_tokens=most * law.reply_tokens,
        message=solution.message,
    )
