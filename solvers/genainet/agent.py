"""An agent of one transmitter, or a commander: perception and memory → prompt → a model's reply → action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from solvers.genainet import prompts
from solvers.genainet.action import Action, CommanderReply, SilentReply, TalkingReply, action_of, joined
from solvers.genainet.memory import Experience, Memory
from solvers.genainet.perception import COMMANDER, Percept, short
from solvers.llm.chat import Message, Reply
from solvers.llm.structured import parse_reply


class Executor:
    """The agent of one pair.

    Parameters
    ----------
    name
        The pair's name.
    memory
        The agent's memory.
    intent
        The purpose of the network, in words.
    talk
        Whether the agent may write to others.
    led
        Whether a commander leads it.
    plan
        Whether its prompt asks for a plan.
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
        """Return the action in the model's reply, and remember it.

        Raises
        ------
        Malformed
            If the reply cannot be used; nothing is remembered.
        """
        action = action_of(parse_reply(reply, self.kind), percept.max_power_w)
        if self._led:  # executors write to nobody but their commander
            answers = {to: answer for to, answer in action.answers.items() if to == COMMANDER}
            action = replace(action, proposals={}, answers=answers)
        power_w = short(action.power_w)
        experience = Experience(percept.round + 1, percept.rate, power_w, action.explanation, action.messages)
        self.memory.store(experience, action.lesson)
        return action


@dataclass(frozen=True)
class Orders:
    """A commander's orders by executor, and its reasoning."""

    texts: Mapping[str, str]
    plan: tuple[str, ...] = ()
    explanation: str = ""


class Commander:
    """The agent that splits the intent among executors; it knows their reports, and sets no power."""

    def __init__(self, memory: Memory, *, intent: str) -> None:
        self.memory = memory
        self._intent = intent

    def prompt(
        self,
        percepts: Sequence[Percept],
        reported: Mapping[str, tuple[float, float]],
        answers: Mapping[str, str],
    ) -> tuple[Message, ...]:
        """Return the prompt for the commander's model.

        Parameters
        ----------
        percepts
            The executors' percepts, for the round and the targets, which all agents know.
        reported
            The executors' reports: power, W, and rate, bit/s/Hz, by executor.
        answers
            The answers to the last orders, by executor.
        """
        first = percepts[0]
        reports = [self._report(name, *numbers, first.targets[name], answers) for name, numbers in reported.items()]
        return prompts.commander_messages(
            reports,
            self.memory,
            round=first.round,
            rounds=first.rounds,
            targets=first.targets,
            max_power_w=first.max_power_w,
            intent=self._intent,
        )

    @staticmethod
    def _report(name: str, power_w: float, rate: float, target: float, answers: Mapping[str, str]) -> dict[str, Any]:
        report = {"agent": name, "power_w": short(power_w), "rate": short(rate), "target": target}
        return {**report, "answer": answers[name][: prompts.SHOWN_CHARACTERS]} if answers.get(name) else report

    def decide(self, round: int, reply: Reply) -> Orders:
        """Return the orders in the model's reply, and remember them; raise Malformed if it cannot be used."""
        decision = parse_reply(reply, CommanderReply)
        texts = joined((note.to, note.text) for note in decision.orders)
        orders = Orders(texts, tuple(decision.plan), decision.explanation)
        self.memory.store(Experience(round + 1, None, None, orders.explanation, orders.texts))
        return orders
