"""An agent of one transmitter, or a commander: perception and memory → prompt → a model's reply → action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from solvers.genainet import prompts
from solvers.genainet.action import Action, CommanderReply, SilentReply, TalkingReply, action_of, joined
from solvers.genainet.memory import Experience, Memory
from solvers.genainet.perception import COMMANDER, Percept, short
from solvers.llm.chat import Message, Reply
from solvers.llm.structured import parse_reply


class Executor:
    """The agent of one pair, with the purpose of the network in words.

    It may write to others (``talk``), be ``led`` by a commander, and be asked for a ``plan`` first.
    """

    def __init__(self, name: str, memory: Memory, *, intent: str, talk: bool, led: bool, plan: bool) -> None:
        self.name = name
        self.memory = memory
        self.kind: type[SilentReply] = TalkingReply if talk else SilentReply
        self._intent, self._led, self._plan = intent, led, plan

    def prompt(self, percept: Percept) -> tuple[Message, ...]:
        """Return the prompt for the agent's model."""
        return prompts.agent_messages(
            percept, self.memory, intent=self._intent, kind=self.kind, led=self._led, plan=self._plan
        )

    def decide(self, percept: Percept, reply: Reply) -> Action:
        """Return the action in the model's reply, and remember it; raise Malformed if it cannot be used."""
        action = action_of(parse_reply(reply, self.kind), percept.max_power_w)
        if self._led:  # executors write to nobody but their commander
            answers = {to: answer for to, answer in action.answers.items() if to == COMMANDER}
            action = replace(action, proposals={}, answers=answers)
        power_w = short(action.power_w)
        experience = Experience(percept.round + 1, percept.rate, power_w, action.explanation, action.messages)
        self.memory.store(experience, action.lesson)
        return action


class Commander:
    """The agent that splits the intent among executors; it knows their reports, and sets no power."""

    def __init__(self, memory: Memory, *, intent: str) -> None:
        self.memory = memory
        self._intent = intent

    def prompt(self, percepts: Sequence[Percept], answers: Mapping[str, str]) -> tuple[Message, ...]:
        """Return the prompt for the commander's model: the executors' reports, and their answers to the last orders."""
        reports = [self._report(percept, answers.get(percept.agent, "")) for percept in percepts]
        return prompts.commander_messages(percepts[0], reports, self.memory, intent=self._intent)

    @staticmethod
    def _report(percept: Percept, answer: str) -> dict[str, Any]:
        target = percept.targets[percept.agent]
        report = {"agent": percept.agent, "power_w": percept.power_w, "rate": percept.rate, "target": target}
        return {**report, "answer": answer[: prompts.SHOWN_CHARACTERS]} if answer else report

    def decide(self, round: int, reply: Reply) -> dict[str, str]:
        """Return the orders in the model's reply by executor, and remember them; raise Malformed if it is unusable."""
        decision = parse_reply(reply, CommanderReply)
        orders = joined((note.to, note.text) for note in decision.orders)
        self.memory.store(Experience(round + 1, None, None, decision.explanation, orders))
        return orders
