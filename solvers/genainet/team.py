"""A team that plays a game: each pair controls itself (distributed), or follows a commander (hierarchical).

In every round all agents' models are asked at once, several at a time; then all powers are set. An agent without a
usable reply stays at its last power and sends nothing. If the endpoint fails for good, all agents do so to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from pydantic import BaseModel

from secagent_env.power_control import Game, Match, Record
from secagent_env.power_control.match import ROUNDS
from secagent_env.power_control.messages import MAX_MESSAGE_LENGTH
from secagent_env.power_control.metrics import metric_of
from secagent_env.support.checks import flag, integer, number
from secagent_env.support.errors import check_name
from solvers.genainet import stepwise_standin
from solvers.genainet.action import NAMES, Action, CommanderReply, limits
from solvers.genainet.agent import Commander, Executor
from solvers.genainet.memory import Memory
from solvers.genainet.perception import COMMANDER, Percept, perceive
from solvers.genainet.prompts import KNOWLEDGE
from solvers.llm.chat import CapReached, EndpointError, Message, Reply
from solvers.llm.options import ChatOptions
from solvers.llm.session import Session
from solvers.llm.structured import Malformed

ORGANISATIONS = ("distributed", "hierarchical")


@dataclass(frozen=True, eq=False, kw_only=True)
class Turn:
    """One agent's prompt, reply and action in one round.

    Attributes
    ----------
    round, agent
        The number of the round, from 1, and the agent's name.
    prompt
        The prompt for the agent's model; empty once the endpoint has failed for good.
    reply
        The model's text, which is not trusted.
    trouble
        The reason why the reply could not be used, in a sentence; empty if it was used.
    step
        The agent's action; None for a commander, or if the reply could not be used.
    orders
        A commander's orders, by executor.
    """

    round: int
    agent: str
    prompt: tuple[Message, ...] = ()
    reply: str = ""
    trouble: str = ""
    step: Action | None = None
    orders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Play:
    """A game that a team has played.

    Attributes
    ----------
    team
        The team's name.
    record
        Powers, rates, and the messages between pairs.
    turns
        Prompts, replies and actions, by round and agent.
    commands
        The number of messages between commander and executors, including reports.
    lost
        The number of messages that were dropped, or kept back in the ablation, by reason.
    usage
        The requests in numbers, as in :class:`solvers.llm.Usage`, the number of ``unusable`` replies, and whether it is
        ``unfinished``, since the endpoint ended before the game.
    message
        The reason for an early end of the conversation, or why not one reply could be used, in a sentence; else empty.
    """

    team: str
    record: Record
    turns: tuple[Turn, ...]
    commands: int
    lost: Mapping[str, int]
    usage: Mapping[str, Any]
    message: str = ""

    @property
    def used(self) -> int:
        """The number of replies that could be used."""
        return sum(not turn.trouble for turn in self.turns)

    @property
    def messages_per_transmitter(self) -> float:
        """The number of delivered messages for each transmitter."""
        return (sum(self.record.messages_sent.values()) + self.commands) / self.record.game.num_pairs

    @property
    def proposals_per_transmitter(self) -> float:
        """The number of proposals or orders for each transmitter."""
        written = sum(len(turn.orders) + (len(turn.step.proposals) if turn.step else 0) for turn in self.turns)
        return written / self.record.game.num_pairs


@dataclass(frozen=True, kw_only=True)
class GenAINet(ChatOptions):
    """Language models that control the powers of a network, one for each pair; without a model, rules stand in.

    The options of :class:`~solvers.llm.options.ChatOptions` name the model and cap its cost, for one game.

    Parameters
    ----------
    talk
        Whether agents send proposals to each other: *GenAINet*; False: *GenAI alone*.
    organisation
        ``"distributed"``: each agent is its own controller; ``"hierarchical"``: a commander writes to executors.
    delivery
        False: agents write, but nothing arrives, an ablation.
    memory
        The number of rounds that an agent remembers; 0 leaves common knowledge alone.
    planning
        False asks for no plan.
    metric
        The name of the network's purpose (:mod:`secagent_env.power_control.metrics`), which agents read in words. The
        stand-in's rules ignore it: they are made for rates and powers.
    knowledge
        The common knowledge of all agents at the beginning.
    max_message_length
        The most characters of a message; longer ones are dropped.
    bandwidth_khz
        The bandwidth of each pair, kHz: agents then read rates in kbit/s, as in the paper's prompts. None: in bit/s/Hz.

    Raises
    ------
    ValueError
        If an option is bad.
    """

    talk: bool = True
    organisation: str = "distributed"
    delivery: bool = True
    memory: int = 5
    planning: bool = True
    metric: str = "rate_gap_and_power"
    knowledge: Sequence[str] = KNOWLEDGE
    max_message_length: int = MAX_MESSAGE_LENGTH
    bandwidth_khz: float | None = None

    def __post_init__(self) -> None:
        self.check_chat_options()
        for name in ("talk", "delivery", "planning"):
            flag(name, getattr(self, name))
        check_name("organisation", self.organisation, ORGANISATIONS)
        if self.organisation == "hierarchical" and not self.talk:
            raise ValueError("a commander needs executors that talk: leave talk=False out, or the organisation")
        integer("memory", self.memory)
        if isinstance(self.knowledge, str) or not all(isinstance(text, str) for text in self.knowledge):
            raise ValueError("knowledge must be a sequence of sentences")
        metric_of(self.metric)
        if self.bandwidth_khz is not None:
            number("bandwidth_khz", self.bandwidth_khz, above=0)

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
            The number of rounds; in each, all powers are set.
        seed
            The seed of the model's random choices.

        Raises
        ------
        EndpointError
            If the endpoint cannot be used from the beginning; if it fails later, agents stay at their last powers.
        ValueError
            If the game is a batch, or ``rounds`` is not a whole number ≥ 1.
        """
        match = Match(game, rounds=rounds, talk=self.talk, max_message_length=self.max_message_length)
        with Session(self, stepwise_standin.reply) as session:
            course = _Course(self, match, session, seed)
            while not match.over:
                course.round()
            usage = {**session.usage.to_dict(), "unusable": course.unusable, "unfinished": course.unfinished}
        dropped = [counts for delivery in match.record.deliveries for counts in delivery.dropped.values()]
        for reason in dropped[0]:
            course.lose(reason, sum(counts[reason] for counts in dropped))
        play = Play(
            team=self.name,
            record=match.record,
            turns=tuple(course.turns),
            commands=course.commands,
            lost=course.lost,
            usage=usage,
            message=course.message,
        )
        if play.used:
            return play
        return replace(play, message=f"no reply of {self.chat_name} could be used: {play.turns[0].trouble}")


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
        self._answers: dict[str, str] = {}
        self.turns: list[Turn] = []
        self.unusable = self.commands = 0
        self.lost: dict[str, int] = {}
        self.message = ""
        self.unfinished = False

    def lose(self, reason: str, count: int = 1) -> None:
        """Count messages that did not arrive."""
        self.lost[reason] = self.lost.get(reason, 0) + count

    def round(self) -> None:
        """Play a round."""
        powers = dict(zip(self.match.agents, self.match.power_w.tolist(), strict=True))
        orders = self._orders(self._percepts({})) if self._commander else {}
        percepts = self._percepts(orders)
        prompts = [agent.prompt(percept) for agent, percept in zip(self._agents, percepts, strict=True)]
        names = self.match.agents
        others = [[COMMANDER] if self._commander else [name for name in names if name != own] for own in names]
        replies = self._ask(prompts, [agent.kind for agent in self._agents], others)
        actions: dict[str, Any] = {}
        self._answers = {}
        for agent, percept, prompt, reply in zip(self._agents, percepts, prompts, replies, strict=True):
            turn = self._turn(agent.name, prompt, reply, "step", partial(agent.decide, percept))
            action = turn.step or Action(powers[agent.name])
            actions[agent.name] = {"power": action.power_w, **self._sent(agent.name, action)}
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
                bandwidth_khz=self.team.bandwidth_khz,
            )
            for name in match.agents
        ]

    def _turn(
        self, agent: str, prompt: tuple[Message, ...], reply: Reply | None, field: str, decide: Callable[[Reply], Any]
    ) -> Turn:
        """Record and return an agent's turn, with what it decides in a field; without that if no reply is usable."""
        turn = Turn(round=self.match.round + 1, agent=agent, trouble=self.message)
        if reply is not None:
            turn = replace(turn, prompt=prompt, reply=reply.text)
            try:
                turn = replace(turn, **{field: decide(reply)})
            except Malformed as error:
                self.unusable += not reply.fault
                turn = replace(turn, trouble=str(error))
        self.turns.append(turn)
        return turn

    def _sent(self, name: str, action: Action) -> dict[str, dict[str, str]]:
        """Return an action's messages to pairs; keep the message to the commander for its next prompt."""
        messages = action.messages
        if not self.team.talk:
            return {}
        if not self.team.delivery:
            self.lose("kept back", len(messages))
            return {"messages": {}}
        if self._commander and COMMANDER in messages:
            self._answers[name] = messages.pop(COMMANDER)
            self.commands += 1
        return {"messages": messages}

    def _orders(self, percepts: Sequence[Percept]) -> dict[str, str]:
        """Return the commander's orders, by executor."""
        assert self._commander is not None
        if not self.team.delivery:
            return {}
        prompt = self._commander.prompt(percepts, self._answers)
        [reply] = self._ask([prompt], [CommanderReply], [self.match.agents])
        turn = self._turn(COMMANDER, prompt, reply, "orders", partial(self._commander.decide, percepts[0].round))
        orders = {}
        for name, text in turn.orders.items():
            if name not in self.match.agents:
                self.lose("unknown")
            elif len(text) > self.team.max_message_length:
                self.lose("too_long")
            elif text:
                orders[name] = text
        reports = len(percepts) * (reply is not None)
        self.commands += reports + len(orders)
        return orders

    def _ask(
        self,
        prompts: Sequence[tuple[Message, ...]],
        kinds: Sequence[type[BaseModel]],
        others: Sequence[Sequence[str]],
    ) -> Sequence[Reply | None]:
        """Return the replies; None for each prompt once the endpoint or a cap has ended the conversation.

        ``others`` are those to whom each of the agents can write.
        """
        power_w, length = self.match.game.max_power_w, self.team.max_message_length
        requests = [
            self.team.request(
                prompt, NAMES[kind], kind, int(self._rng.integers(2**31)), limits(kind, to, power_w, length)
            )
            for prompt, kind, to in zip(prompts, kinds, others, strict=True)
        ]
        if not self.message:
            try:
                return self.session.ask(requests)
            except (CapReached, EndpointError) as ending:
                if isinstance(ending, EndpointError) and not self.turns:
                    raise
                self.unfinished = isinstance(ending, EndpointError)
                self.message = f"no more answers from round {self.match.round + 1} on: {ending}"
        return [None] * len(requests)
