"""Stand-ins for a language model: rules that answer prompts, in this process or served over HTTP."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

import numpy as np

from solvers.llm.chat import MAX_REPLY_CHARACTERS, STANDIN_MODEL, Message, Permit, Reply, Request, estimated_tokens

Rules = Callable[[Sequence[Message], int], str]
"""Return the answer to messages and a seed; the same for the same messages and seed."""

FINGERPRINT = "secagent stand-in"


class StandIn:
    """Rules that answer in place of a model, in this process."""

    model = STANDIN_MODEL

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def complete(self, request: Request, permit: Permit | None = None) -> Reply:
        """Return the answer of the rules, with the tokens estimated."""
        began = time.perf_counter()
        text = self._rules(request.messages, request.seed)[:MAX_REPLY_CHARACTERS]
        return Reply(
            text,
            prompt_tokens=estimated_tokens([message.content for message in request.messages]),
            completion_tokens=estimated_tokens([text]),
            estimated=True,
            seconds=time.perf_counter() - began,
            fingerprint=FINGERPRINT,
        )


def prompt_rng(prompt: str, seed: int) -> np.random.Generator:
    """Return a generator of random numbers that depends on a prompt and a seed alone."""
    return np.random.default_rng([seed, *hashlib.sha256(prompt.encode()).digest()[:8]])
