"""An agent: perception → memory → planning → a model's reply → action, for one transmitter or for a commander."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from solvers.genainet import planning
from solvers.genainet.action import CommanderReply, SilentReply, Step, TalkingReply, joined, step_of
from solvers.genainet.memory import Experience, Memory
from solvers.genainet.perception import COMMANDER, SHOWN_CHARACTERS, Percept, short
from solvers.llm.chat import Message, Reply
from solvers.llm.structured import Malformed, parse


class Executor:
    """The agent of one pair: what it perceives, remembers, plans and does.

    Parameters
    ----------
    name
        The pair's name.
    memory
        Its own memory.
    intent
        What the network is for, in words.
    talk
        Whether it may write to others.
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
        """Return what its model is asked."""
        return planning.agent_messages(
            percept, self.memory.lines(), intent=self._intent, kind=self.kind, led=self._led, plan=self._plan
        )

    def decide(self, percept: Percept, reply: Reply) -> Step:
        """Return the step that its model's reply describes, and remember it.

        Raises
        ------
        Malformed
            If the reply is none; nothing is remembered.
        """
        if reply.fault:
            raise Malformed(reply.detail or reply.fault)
        step = step_of(reply.text, self.kind, percept.max_power_w)
        if self._led:  # executors write to nobody but their commander
            step = replace(step, proposals={}, answers={to: a for to, a in step.answers.items() if to == COMMANDER})
        done = Experience(percept.round + 1, percept.rate, short(step.power_w), step.explanation, step.messages)
        self.memory.store(done, step.lesson)
        return step


@dataclass(frozen=True)
class Orders:
    """What a commander decides: its orders by executor, and its reasoning."""

    texts: Mapping[str, str]
    plan: tuple[str, ...] = ()
    explanation: str = ""


class Commander:
    """The agent that splits the intent among executors; it knows what they report, and sets no power."""

    def __init__(self, memory: Memory, *, intent: str) -> None:
        self.memory = memory
        self._intent = intent

    def prompt(
        self, percepts: Sequence[Percept], powers_and_rates: Mapping[str, tuple[float, float]], said: Mapping[str, str]
    ) -> tuple[Message, ...]:
        """Return what its model is asked.

        Parameters
        ----------
        percepts
            Of the executors, for the round and the targets, which everybody knows.
        powers_and_rates
            By executor, W and bit/s/Hz: what those report that have a model.
        said
            By executor, what it answered to the last order.
        """
        first = percepts[0]
        reports = [
            self._report(name, *numbers, first.targets[name], said) for name, numbers in powers_and_rates.items()
        ]
        return planning.commander_messages(
            reports,
            self.memory.lines(),
            round=first.round,
            rounds=first.rounds,
            targets=first.targets,
            max_power_w=first.max_power_w,
            intent=self._intent,
        )

    @staticmethod
    def _report(name: str, power_w: float, rate: float, target: float, said: Mapping[str, str]) -> dict[str, Any]:
        report = {"agent": name, "power_w": short(power_w), "rate": short(rate), "target": target}
        return {**report, "answer": said[name][:SHOWN_CHARACTERS]} if said.get(name) else report

    def decide(self, round: int, reply: Reply) -> Orders:
        """Return the orders in its model's reply, and remember them; raise Malformed if it is none."""
        if reply.fault:
            raise Malformed(reply.detail or reply.fault)
        found = parse(reply.text, CommanderReply)
        orders = Orders(joined(found.orders), tuple(found.plan), found.explanation)
        self.memory.store(Experience(round + 1, None, None, orders.explanation, orders.texts))
        return orders
