"""The stand-in for a model that reasons: it names the option that shares most words with the texts in its prompt."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import numpy as np

from solvers.llm.chat import Message
from solvers.llm.standin import prompt_rng
from solvers.reasoning.prompts import FORMS, TASK, DirectReply, PlannedReply, ScoresReply, ThoughtsReply, ToolReply

_COMMON_WORDS = "a an the of to in is are it and or that which what for by with on as be at from"
_COMMON = frozenset(_COMMON_WORDS.split())


def can_answer(messages: Sequence[Message]) -> bool:
    """Return whether messages are a prompt of an agent that reasons."""
    return len(messages) >= 3 and messages[1].content.startswith(TASK)


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the answer to a prompt of an agent that reasons, else raise ValueError; the same for the same seed."""
    if not can_answer(messages):
        raise ValueError("this is not a prompt of an agent that reasons")
    kind = next(kind for kind, form in FORMS.items() if messages[-1].content.endswith(f"Form: {form}"))
    task = json.loads(messages[1].content.removeprefix(TASK))
    letter, shared = _best(task, prompt_rng(messages[1].content, seed))
    answer = {"reason": "no model: most words in common", "option": letter, "confidence": round(shared, 2)}
    answers = {
        DirectReply: answer,
        PlannedReply: {"plan": ["compare words"], **answer},
        ToolReply: {"tool": "answer", **answer},
        ThoughtsReply: {"thoughts": [f"Option {name} may be right." for name in task["options"]]},
    }
    if kind in answers:
        return json.dumps(answers[kind])
    assert kind is ScoresReply
    lines = re.search(r"Lines of thought: (\[.*\])\n", messages[-1].content)
    count = len(json.loads(lines[1])) if lines else 1
    return json.dumps({"scores": [5.0] * count})


def _best(task: dict[str, object], rng: np.random.Generator) -> tuple[str, float]:
    """Return the letter of the option with the largest share of its words in the texts; ties by chance."""
    texts = task.get("texts") or []
    given = _words(" ".join([*(str(text) for text in texts), str(task.get("passage", ""))]))  # type: ignore[attr-defined]
    options: dict[str, str] = task["options"]  # type: ignore[assignment]
    shares = {}
    for letter, option in options.items():
        words = _words(option)
        shares[letter] = len(words & given) / len(words) if words else 0.0
    best = max(shares.values())
    return str(rng.choice([letter for letter, share in shares.items() if share == best])), best


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - _COMMON
