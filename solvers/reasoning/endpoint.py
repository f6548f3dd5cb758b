"""Agents that are language models behind OpenAI-compatible endpoints, in groups that share a model.

The paper's system has three groups of agents, each with its own model (section V-C): one endpoint for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from secagent_env.questions import Question
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name
from secagent_env.support.shares import apportioned
from solvers.knowledge.store.lookup import group_of
from solvers.llm.caps import Usage
from solvers.llm.chat import Closing, Message, Reply
from solvers.llm.options import ChatOptions
from solvers.llm.session import Session
from solvers.llm.structured import Limits, M, Malformed, parse, parse_reply
from solvers.reasoning import overlap_standin, prompts
from solvers.reasoning.answer import Answer
from solvers.reasoning.letters import option_in, option_of
from solvers.reasoning.prompts import DirectReply, PlannedReply, ScoresReply, ThoughtsReply, ToolReply
from solvers.reasoning.tools import Calculator, Converter, Search, Tool

NO_OPTION, UNUSABLE = "none of the options", "unusable answer"
"""Faults of answers without an option, and of replies that are no answers."""


@dataclass(frozen=True, kw_only=True)
class Group(ChatOptions):
    """Agents with the same model.

    Parameters
    ----------
    agents
        The number of agents.
    planning
        ``"direct"``: an answer at once; ``"steps"``: a plan before it; ``"tools"``: calls of tools before it;
        ``"tree"``: a tree of thoughts, which are proposed, scored and expanded (Yao et al., 2023).
    tool_calls
        The most calls of tools for an answer.
    width, depth
        Of a tree of thoughts: the number of thoughts proposed for each of the best lines, which is also the number of
        lines kept, and the number of levels. An answer takes at most ``depth (width + 1) + 1`` calls.

    The other options are those of :class:`~solvers.llm.options.ChatOptions`: they name the model and cap its cost, for
    the whole group as long as it is open. Without a model rules stand in for it.
    """

    agents: int = 1
    planning: str = "direct"
    tool_calls: int = 3
    width: int = 2
    depth: int = 2

    def __post_init__(self) -> None:
        self.check_chat_options()
        for name in ("agents", "tool_calls", "width", "depth"):
            integer(name, getattr(self, name), 1, 1000)
        check_name("planning", self.planning, PLANNING)


class EndpointReasoner:
    """One agent, which asks its group's model; a :class:`~solvers.reasoning.answer.Reasoner`.

    Attributes
    ----------
    concurrency
        The most requests at a time to the group's endpoint; 0 where nothing is sent.
    """

    def __init__(self, group: Group, session: Session, tools: Sequence[Tool] = ()) -> None:
        self.group, self.tools = group, tuple(tools)
        self.concurrency = 0 if group.in_process or group.replay is not None else group.concurrency
        self._session = session

    @property
    def name(self) -> str:
        """``reasoner (no LLM)`` for the stand-in, else with the model's name."""
        return f"reasoner ({self.group.chat_name})"

    def answer(self, question: Question, texts: Sequence[str], rng: np.random.Generator) -> Answer:
        """Return the model's answer; an answer that cannot be read, or names no option, has a fault.

        EndpointError or CapReached is raised if the endpoint cannot be used, or a cap leaves no room for a request.
        """
        return PLANNING[self.group.planning](self, question, prompts.task(question, texts), rng)

    def ask(self, messages: tuple[Message, ...], kind: type, limits: Limits, rng: np.random.Generator) -> Reply:
        """Return the model's reply to a prompt."""
        request = self.group.request(messages, prompts.NAMES[kind], kind, int(rng.integers(2**31)), limits)
        return self._session.ask([request])[0]


def complaint_of(answer: Answer) -> str:
    """Return why an answer has no option: the sentence of the server, or the fault, and nothing that a model wrote."""
    own = answer.fault in (NO_OPTION, UNUSABLE)
    return answer.fault if own else answer.explanation or answer.fault


def _answer(reply: Reply, kind: type[DirectReply], question: Question) -> Answer:
    """Return the answer in a reply."""
    if reply.fault:
        return Answer(None, explanation=reply.detail, fault=reply.fault)
    try:
        choice = parse(reply.text, kind)
    except Malformed as error:
        option = option_in(reply.text, question.options)
        return Answer(option) if option is not None else Answer(None, explanation=str(error), fault=UNUSABLE)
    return _chosen(choice.option, choice.confidence, choice.reason, question)


def _chosen(text: str, confidence: float, reason: str, question: Question) -> Answer:
    option = option_of(text, question.options)
    return Answer(option, confidence if option is not None else None, reason, "" if option is not None else NO_OPTION)


def _one_call(
    agent: EndpointReasoner,
    question: Question,
    first: Message,
    rng: np.random.Generator,
    instruction: str,
    kind: type[DirectReply],
) -> Answer:
    prompt = prompts.prompt(first, instruction, kind)
    return _answer(agent.ask(prompt, kind, prompts.choice(question), rng), kind, question)


def _tools(agent: EndpointReasoner, question: Question, first: Message, rng: np.random.Generator) -> Answer:
    tools = [tool.excluding(group_of(question)) if isinstance(tool, Search) else tool for tool in agent.tools]
    by_name = {tool.name: tool for tool in tools}
    turns: list[Message] = []
    for left in range(agent.group.tool_calls if tools else 0, -1, -1):
        prompt = prompts.prompt(first, prompts.tools(tools, left), ToolReply, turns)
        reply = agent.ask(prompt, ToolReply, prompts.step(question, list(by_name) if left else []), rng)
        if reply.fault:
            return Answer(None, explanation=reply.detail, fault=reply.fault)
        try:
            call = parse(reply.text, ToolReply)
        except Malformed:
            return _answer(reply, DirectReply, question)
        if call.tool not in by_name or not left:
            return _chosen(call.option, call.confidence, call.reason, question)
        result = by_name[call.tool].run(call.input)
        turns += [
            Message("assistant", call.model_dump_json(include={"tool", "input"})),
            Message("user", f"Result: {result[: prompts.MAX_TEXT_CHARACTERS]}"),
        ]
    raise AssertionError("without calls left, the reply is an answer")


def _tree(agent: EndpointReasoner, question: Question, first: Message, rng: np.random.Generator) -> Answer:
    """Expand the best lines of thought level by level; a reply that cannot be read ends the search."""
    width = agent.group.width
    lines: list[list[str]] = [[]]
    for _ in range(agent.group.depth):
        try:
            grown = [
                [*line, thought]
                for line in lines
                for thought in _read(
                    agent, first, prompts.propose(width, line), ThoughtsReply, {"thoughts": {"maxItems": width}}, rng
                ).thoughts[:width]
            ]
            many = {"scores": {"minItems": len(grown), "maxItems": len(grown)}}
            scores = _read(agent, first, prompts.score(grown), ScoresReply, many, rng).scores
        except Malformed:
            break
        if len(scores) != len(grown):
            break
        order = sorted(range(len(grown)), key=lambda index: -scores[index])
        lines = [grown[index] for index in order[:width]]
    return _one_call(agent, question, first, rng, prompts.conclude(lines[0]), DirectReply)


def _read(
    agent: EndpointReasoner,
    first: Message,
    instruction: str,
    kind: type[M],
    limits: Limits,
    rng: np.random.Generator,
) -> M:
    return parse_reply(agent.ask(prompts.prompt(first, instruction, kind), kind, limits, rng), kind)


PLANNING: dict[str, Callable[[EndpointReasoner, Question, Message, np.random.Generator], Answer]] = {
    "direct": partial(_one_call, instruction=prompts.DIRECT, kind=DirectReply),
    "steps": partial(_one_call, instruction=prompts.STEPS, kind=PlannedReply),
    "tools": _tools,
    "tree": _tree,
}


class Agents(Closing):
    """The agents of several groups, in the order of the groups; a context manager that holds their connections.

    Parameters
    ----------
    groups
        The groups of all N agents.
    tools
        The tools of agents that plan with tools; by default a calculator and a converter.

    Attributes
    ----------
    reasoners
        The agents, for a :class:`~solvers.reasoning.team.Supervisor`.

    Raises
    ------
    ValueError, ImportError, EndpointError
        As :class:`~solvers.llm.session.Session`.
    """

    def __init__(self, groups: Sequence[Group], tools: Sequence[Tool] | None = None) -> None:
        offered = (Calculator(), Converter()) if tools is None else tuple(tools)
        self.groups = tuple(groups)
        with ExitStack() as resources:
            self._sessions = [resources.enter_context(Session(group, overlap_standin.reply)) for group in self.groups]
            self._resources = resources.pop_all()
        self.reasoners = tuple(
            agent
            for group, session in zip(self.groups, self._sessions, strict=True)
            for agent in [EndpointReasoner(group, session, offered)] * group.agents
        )

    @property
    def usage(self) -> list[Usage]:
        """The requests of each group so far, in numbers."""
        return [session.usage for session in self._sessions]


def grouped(groups: Sequence[Group], num_agents: int) -> list[Group]:
    """Return groups of ``num_agents`` agents in all, in the ratios of their ``agents`` (largest remainders).

    The ratios of the preset ``qwen`` are 12 : 12 : 6.
    """
    counts = apportioned(num_agents, [group.agents for group in groups])
    return [replace(group, agents=count) for group, count in zip(groups, counts, strict=True) if count]
