"""A team plays a game: each pair its own controller (distributed), or led by a commander (hierarchical).

In every round all agents' models are asked at once, several at a time; then all powers are set. An agent whose model
gives no usable answer stays at its last power and says nothing. If the endpoint fails for good, so do all agents, and
the game ends as any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from secagent_env.power_control import Game, Match, Record
from secagent_env.power_control.match import ROUNDS
from secagent_env.power_control.messages import MAX_MESSAGE_LENGTH
from secagent_env.power_control.metrics import metric_of
from secagent_env.support.errors import unknown_name
from solvers.genainet import stepwise_standin
from solvers.genainet.action import CommanderReply, Step
from solvers.genainet.agent import Commander, Executor
from solvers.genainet.memory import KNOWLEDGE, Memory
from solvers.genainet.perception import COMMANDER, Percept, perceive
from solvers.genainet.planning import request
from solvers.llm.chat import CapReached, EndpointError, Message, Reply, Request
from solvers.llm.options import ChatOptions
from solvers.llm.session import Session
from solvers.llm.structured import Malformed

ORGANISATIONS = ("distributed", "hierarchical")


@dataclass(frozen=True, eq=False, kw_only=True)
class Turn:
    """What one agent was asked and did in one round.

    Attributes
    ----------
    round, agent
        The number of the round, from 1, and who.
    prompt
        What its model was asked; empty once the endpoint has failed for good.
    reply
        The text that came back, of an unknown writer.
    trouble
        Why it could not be used, in a sentence; empty if it was.
    step
        What the agent did; None for a commander.
    orders
        What a commander ordered, by executor.
    """

    round: int
    agent: str
    prompt: tuple[Message, ...] = ()
    reply: str = ""
    trouble: str = ""
    step: Step | None = None
    orders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Play:
    """A game that a team has played.

    Attributes
    ----------
    team
        Its name.
    record
        Powers, rates, and the messages between pairs.
    turns
        Who was asked what and did what.
    commands
        How many messages went between commander and executors, reports included.
    lost
        How many messages were dropped, or kept back in the ablation, by reason.
    usage
        What was asked of the model, as :class:`solvers.llm.Usage` has it, and how many answers were ``unusable``.
    message
        What ended the conversation early, in one sentence; empty if nothing did.
    """

    team: str
    record: Record
    turns: tuple[Turn, ...]
    commands: int
    lost: Mapping[str, int]
    usage: Mapping[str, Any]
    message: str = ""

    @property
    def messages_per_transmitter(self) -> float:
        """How many messages were delivered, for each transmitter."""
        return (sum(self.record.messages_sent.values()) + self.commands) / self.record.game.num_pairs

    @property
    def proposals_per_transmitter(self) -> float:
        """How many proposals or orders were written, for each transmitter."""
        written = sum(len(turn.orders) + (len(turn.step.proposals) if turn.step else 0) for turn in self.turns)
        return written / self.record.game.num_pairs


@dataclass(frozen=True, kw_only=True)
class GenAINet(ChatOptions):
    """Language models that control the powers of a network, one for each pair; without a model, rules stand in.

    Which model is asked, and what it may cost, is said by the options of :class:`~solvers.llm.options.ChatOptions`; the
    caps hold for one game.

    Parameters
    ----------
    talk
        Whether agents send proposals to each other: *GenAINet*; False: *GenAI alone*.
    organisation
        ``"distributed"``: each agent is its own controller; ``"hierarchical"``: a commander writes to executors.
    delivery
        False: agents write, but nothing arrives; what the messages are worth.
    memory
        How many rounds an agent remembers; 0: nothing but common knowledge.
    planning
        False asks for no plan.
    metric
        The name of what the network is for (:mod:`secagent_env.power_control.metrics`), told to the agents in words.
        The stand-in's rules are for rates and powers, whatever it is.
    knowledge
        The common knowledge that agents begin with.
    max_message_length
        Longer messages are dropped, in characters.

    Raises
    ------
    ValueError
        For a bad option.
    """

    talk: bool = True
    organisation: str = "distributed"
    delivery: bool = True
    memory: int = 5
    planning: bool = True
    metric: str = "rate_gap_and_power"
    knowledge: Sequence[str] = KNOWLEDGE
    max_message_length: int = MAX_MESSAGE_LENGTH

    def __post_init__(self) -> None:
        self.check_chat_options()
        for name in ("talk", "delivery", "planning"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if self.organisation not in ORGANISATIONS:
            raise unknown_name("organisation", self.organisation, ORGANISATIONS)
        if self.organisation == "hierarchical" and not self.talk:
            raise ValueError("a commander needs executors that talk: leave talk=False out, or the organisation")
        if not isinstance(self.memory, (int, np.integer)) or isinstance(self.memory, bool) or self.memory < 0:
            raise ValueError(f"memory must be an integer ≥ 0, got {self.memory!r}")
        if isinstance(self.knowledge, str) or not all(isinstance(text, str) for text in self.knowledge):
            raise ValueError("knowledge must be a sequence of sentences")
        metric_of(self.metric)

    @property
    def led(self) -> bool:
        """Whether a commander leads."""
        return self.organisation == "hierarchical"

    @property
    def name(self) -> str:
        """Such as ``GenAINet (no LLM)`` for the stand-in, else with the model's name."""
        if not self.talk:
            return f"GenAI alone ({self.chat_name})"
        led = ", commander" if self.led else ""
        return f"GenAINet{led}{'' if self.delivery else ' without messages'} ({self.chat_name})"

    def play(self, game: Game, rounds: int = ROUNDS, seed: int = 0) -> Play:
        """Let the agents play a single game.

        Parameters
        ----------
        game
            The game.
        rounds
            How many times the powers are set.
        seed
            Of the model's random choices.

        Raises
        ------
        EndpointError
            If the endpoint could not be used from the beginning. Later, agents stay at their last powers.
        ValueError
            If the game is a batch, or ``rounds`` is not a whole number ≥ 1.
        """
        match = Match(game, rounds=rounds, talk=self.talk, max_message_length=self.max_message_length)
        with Session(self, stepwise_standin.reply) as session:
            course = _Course(self, match, session, seed)
            while not match.over:
                course.round()
            usage = {**session.usage.to_dict(), "unusable": course.unusable}
        dropped = [counts for delivery in match.record.deliveries for counts in delivery.dropped.values()]
        for reason in dropped[0]:
            course.lose(reason, sum(counts[reason] for counts in dropped))
        return Play(
            team=self.name,
            record=match.record,
            turns=tuple(course.turns),
            commands=course.commands,
            lost=course.lost,
            usage=usage,
            message=course.message,
        )


class _Course:
    """One game under way."""

    def __init__(self, team: GenAINet, match: Match, session: Session, seed: int) -> None:
        self.team, self.match, self.session = team, match, session
        self._rng = np.random.default_rng(seed)
        intent = metric_of(team.metric).description

        def memory() -> Memory:
            return Memory(team.memory, team.knowledge)

        self._agents = [
            Executor(name, memory(), intent=intent, talk=team.talk, led=team.led, plan=team.planning)
            for name in match.agents
        ]
        self._commander = Commander(memory(), intent=intent) if team.led else None
        self._said: dict[str, str] = {}
        self.turns: list[Turn] = []
        self.unusable = self.commands = 0
        self.lost: dict[str, int] = {}
        self.message = ""

    def lose(self, reason: str, count: int = 1) -> None:
        """Count messages that reached nobody."""
        self.lost[reason] = self.lost.get(reason, 0) + count

    def round(self) -> None:
        """Play a round."""
        powers = dict(zip(self.match.agents, self.match.power_w.tolist(), strict=True))
        orders = self._orders(self._percepts({})) if self._commander else {}
        percepts = self._percepts(orders)
        prompts = [agent.prompt(percept) for agent, percept in zip(self._agents, percepts, strict=True)]
        kinds = [agent.kind for agent in self._agents]
        replies = self._ask([request(*each, self._seed(), self.team) for each in zip(prompts, kinds, strict=True)])
        actions: dict[str, Any] = {}
        self._said = {}
        for agent, percept, prompt, reply in zip(self._agents, percepts, prompts, replies, strict=True):
            turn = self._turn(agent, percept, prompt, reply)
            self.turns.append(turn)
            step = turn.step or Step(powers[agent.name])
            actions[agent.name] = {"power": step.power_w, **self._sent(agent.name, step)}
        self.match.advance(actions)

    def _percepts(self, orders: Mapping[str, str]) -> list[Percept]:
        match = self.match
        return [
            perceive(
                name,
                match.observe(name),
                rounds=match.rounds,
                max_power_w=match.game.max_power_w,
                orders=orders.get(name, ""),
            )
            for name in match.agents
        ]

    def _turn(self, agent: Executor, percept: Percept, prompt: tuple[Message, ...], reply: Reply | None) -> Turn:
        turn = Turn(round=percept.round + 1, agent=agent.name)
        if reply is None:
            return replace(turn, trouble=self.message)
        turn = replace(turn, prompt=prompt, reply=reply.text)
        try:
            return replace(turn, step=agent.decide(percept, reply))
        except Malformed as error:
            self.unusable += not reply.fault
            return replace(turn, trouble=str(error))

    def _sent(self, name: str, step: Step) -> dict[str, dict[str, str]]:
        """Return the messages of an action, for those who are pairs; the commander's come by another way."""
        messages = step.messages
        if not self.team.talk:
            return {}
        if not self.team.delivery:
            self.lose("kept back", len(messages))
            return {"messages": {}}
        if self._commander and COMMANDER in messages:
            self._said[name] = messages.pop(COMMANDER)
            self.commands += 1
        return {"messages": messages}

    def _orders(self, percepts: Sequence[Percept]) -> dict[str, str]:
        """Return what the commander orders, by executor."""
        assert self._commander is not None
        if not self.team.delivery:
            return {}
        reported = {percept.agent: (percept.power_w, percept.rate) for percept in percepts}
        prompt = self._commander.prompt(percepts, reported, self._said)
        [reply] = self._ask([request(prompt, CommanderReply, self._seed(), self.team)])
        turn = Turn(round=percepts[0].round + 1, agent=COMMANDER)
        if reply is None:
            self.turns.append(replace(turn, trouble=self.message))
            return {}
        self.commands += len(reported)
        turn = replace(turn, prompt=prompt, reply=reply.text)
        try:
            found = self._commander.decide(percepts[0].round, reply)
        except Malformed as error:
            self.unusable += not reply.fault
            self.turns.append(replace(turn, trouble=str(error)))
            return {}
        self.turns.append(replace(turn, orders=found.texts))
        orders = {}
        for name, text in found.texts.items():
            if name not in reported:
                self.lose("unknown")
            elif len(text) > self.team.max_message_length:
                self.lose("too_long")
            elif text:
                orders[name] = text
        self.commands += len(orders)
        return orders

    def _ask(self, requests: list[Request]) -> Sequence[Reply | None]:
        """Return the replies, or None for each once the endpoint or a cap has ended the conversation."""
        if not self.message:
            try:
                return self.session.ask(requests)
            except (CapReached, EndpointError) as ending:
                if isinstance(ending, EndpointError) and not self.turns:
                    raise
                self.message = f"no more answers from round {self.match.round + 1} on: {ending}"
        return [None] * len(requests)

    def _seed(self) -> int:
        return int(self._rng.integers(2**31))
