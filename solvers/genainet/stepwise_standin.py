"""GenAINet's stand-in for a model: rules that read a prompt as a model would, and know nothing else.

An agent moves its power in moderate steps, p ← p (γ / SINR)^0.4 and upwards by a fifth at most, where DPC goes all the
way. An agent that falls short of its target asks another one, in words, to lower its power by a tenth: one with a lower
target, since a tenth less power costs a low rate less than it may give to a high one. The other agent accepts, unless
its target is the higher one, its rate is below half of its target, or the request is too large. A commander gives the
same orders to agents whose reported rates allow it.

The stand-in tests the protocol, and measures the gain of these rules from talking; a language model may do better or
worse.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from solvers.genainet.perception import COMMANDER
from solvers.genainet.prompts import KNOWN, OBSERVATION, RECEIVED, REPORTS, TARGETS, line_in
from solvers.llm.chat import Message

EXPONENT = 0.4
MOST_UP, MOST_DOWN = 1.2, 0.5
"""The largest factors of a step, upwards and downwards."""

TOLERANCE = 0.05
"""An agent that lacks less than this share of its target sends no proposal."""

PROPOSED_PERCENT = 10
MOST_PERCENT = 20
"""A proposal to lower the power by more is refused."""

LEAST_SHARE = 0.5
"""An agent with less than this share of its target does not hold back."""

PROPOSAL = re.compile(r"lower your power by (\d{1,3}) %")


def can_answer(messages: Sequence[Message]) -> bool:
    """Return whether a prompt is one of GenAINet."""
    lines = messages[-1].content.splitlines() if messages else []
    return any(line.startswith((OBSERVATION, REPORTS)) for line in lines)


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the answer to a prompt of GenAINet, else raise ValueError; nothing is random, the seed has no effect."""
    prompt = messages[-1].content if messages else ""
    targets = line_in("\n".join(message.content for message in messages), TARGETS)
    if any(line.startswith(REPORTS) for line in prompt.splitlines()):
        return json.dumps(_command(line_in(prompt, REPORTS)))
    seen = line_in(prompt, OBSERVATION)
    if not any(line.startswith(RECEIVED) for line in prompt.splitlines()):
        return json.dumps(_step(seen, prompt))
    return json.dumps(_cooperate(seen, targets, line_in(prompt, RECEIVED), messages, prompt))


def _step(seen: Mapping[str, Any], prompt: str, holding_back: bool = False) -> dict[str, Any]:
    """Return the decision of an agent that is alone, or has agreed to hold back."""
    share = seen["rate"] / seen["target"]
    wide = seen.get("bandwidth_khz", 1.0)
    factor = _factor(seen["rate"] / wide, seen["target"] / wide)
    if holding_back:
        factor = min(factor, 1 - PROPOSED_PERCENT / 100)
    power = min(seen["power_w"] * factor, seen["max_power_w"])
    way = "lower" if factor < 1 else "raise"
    why = f"My rate is {share:.0%} of my target, so I {way} my power, in a moderate step."
    if holding_back:
        why = f"My rate is {share:.0%} of my target; I hold back as agreed."
    lesson = ""
    if seen["power_w"] >= seen["max_power_w"] and share < 1 - TOLERANCE:
        lesson = "At full power I still fall short of my target: alone I cannot reach it."
    return {
        "plan": ["compare my rate with my target", "move my power a part of the way"],
        "explanation": why,
        "power_w": power,
        "lesson": "" if f"{KNOWN}{json.dumps(lesson)}" in prompt else lesson,
    }


def _factor(rate: float, target: float) -> float:
    """Return the factor of a step of the power: (γ / SINR)^0.4, within the limits of a moderate step; rates per Hz."""
    present, wanted = math.expm1(rate * math.log(2)), math.expm1(target * math.log(2))
    if present <= 0:
        return MOST_UP
    return min(max((wanted / present) ** EXPONENT, MOST_DOWN), MOST_UP)


def _cooperate(
    seen: Mapping[str, Any],
    targets: Mapping[str, float],
    received: Mapping[str, str],
    messages: Sequence[Message],
    prompt: str,
) -> dict[str, Any]:
    """Return the decision of an agent that talks: answers, a power, and possibly a proposal."""
    replies = []
    for sender, text in received.items():
        if proposal := PROPOSAL.search(text):
            refusal = _refusal(seen, targets, sender, int(proposal[1]))
            reason = refusal or "my target is lower than yours, so it costs me less than it may give you."
            if sender == COMMANDER and not refusal:
                reason = f"I hold back by {proposal[1]} %."
            replies.append({"to": sender, "accept": not refusal, "reason": reason})
    decision = _step(seen, prompt, any(answer["accept"] for answer in replies))
    return {**decision, "answers": replies, "proposals": _proposals(seen, targets, messages)}


def _refusal(seen: Mapping[str, Any], targets: Mapping[str, float], sender: str, percent: int) -> str:
    """Return the reason to refuse a proposal; empty if it is accepted."""
    if percent > MOST_PERCENT:
        return f"{percent} % at once is more than a moderate step."
    if seen["rate"] < LEAST_SHARE * seen["target"]:
        return f"I have only {seen['rate'] / seen['target']:.0%} of my own target."
    if sender != COMMANDER and targets.get(sender, 0.0) <= seen["target"]:
        return "my target is higher than yours: it would cost me more than it gives you."
    return ""


def _proposals(
    seen: Mapping[str, Any], targets: Mapping[str, float], messages: Sequence[Message]
) -> list[dict[str, str]]:
    """Return the proposal of an agent that falls short, to another agent in each round; none in the last round."""
    share = seen["rate"] / seen["target"]
    led = "commander splits" in messages[0].content
    if led or not 1 <= seen["round"] < seen["rounds"] - 1 or share >= 1 - TOLERANCE:
        return []
    unit = "kbit/s" if "bandwidth_khz" in seen else "bit/s/Hz"
    text = (
        f"I reach {share:.0%} of my target of {seen['target']:.3g} {unit}. Please lower your power "
        f"by {PROPOSED_PERCENT} % in the next round; as your target is lower than mine, it costs you less than it "
        "gives me."
    )
    recipient = partner(seen["agent"], targets, seen["round"])
    return [] if recipient is None else [{"to": recipient, "text": text}]


def partner(agent: str, targets: Mapping[str, float], round: int) -> str | None:
    """Return the recipient of an agent's proposal in a round: agents with lower targets in turn, or None."""
    lower = sorted((name for name in targets if targets[name] < targets[agent]), key=lambda name: -targets[name])
    return lower[round % len(lower)] if lower else None


def _command(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a commander's orders: for each pair that falls short, another pair with a lower target holds back."""
    reports = {report["agent"]: report for report in facts["reports"]}
    able = {
        name: report["target"] for name, report in reports.items() if report["rate"] >= LEAST_SHARE * report["target"]
    }
    orders: dict[str, str] = {}
    for name, report in reports.items():
        if facts["round"] < 1 or report["rate"] >= (1 - TOLERANCE) * report["target"]:
            continue
        executor = partner(name, {**able, name: report["target"]}, facts["round"])
        if executor is not None:
            orders.setdefault(executor, f"Please lower your power by {PROPOSED_PERCENT} % in this round, for {name}.")
    short = len([r for r in reports.values() if r["rate"] < (1 - TOLERANCE) * r["target"]])
    return {
        "plan": ["find who falls short", "let those with lower targets hold back"],
        "explanation": f"{short} of {len(reports)} fall short of their targets.",
        "orders": [{"to": name, "text": text} for name, text in orders.items()],
    }
