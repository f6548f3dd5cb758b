"""Action: from a model's reply to a power, answers and proposals; a model can do nothing else.

The docstrings and descriptions of the replies are a part of the schema that a model is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from solvers.llm.structured import SENTENCE, Limits

Sentence = Annotated[str, Field(json_schema_extra={"maxLength": SENTENCE})]
Sentences = Annotated[str, Field(json_schema_extra={"maxLength": 2 * SENTENCE})]
STEPS = 3
"""The most steps of a plan, which the prompt names."""


class Note(BaseModel):
    """A message."""

    model_config = ConfigDict(allow_inf_nan=False)

    to: str = Field(description="the name of the agent who gets it")
    text: str


class SilentReply(BaseModel):
    """What an agent decides that cannot talk (Fig. 5)."""

    model_config = ConfigDict(allow_inf_nan=False)

    plan: list[Sentence] = Field(
        default_factory=list, description="the steps of the plan", json_schema_extra={"maxItems": STEPS}
    )
    explanation: Sentences = Field(default="", description="one or two sentences: how the plan led to the power")
    power_w: float = Field(ge=0, description="the power to transmit with, in W")
    lesson: Sentence = Field(default="", description="one sentence worth remembering, or nothing")


class TalkingReply(SilentReply):
    """What an agent decides that can talk (Fig. 6)."""

    class Answer(BaseModel):
        """Whether a proposal that was received is accepted."""

        model_config = ConfigDict(allow_inf_nan=False)

        to: str = Field(description="who made the proposal")
        accept: bool
        reason: Sentence = ""

    answers: list[Answer] = Field(default_factory=list, description="to the proposals received")
    proposals: list[Note] = Field(default_factory=list, description="new proposals to others; best none or one")


class CommanderReply(BaseModel):
    """How a commander splits the intent."""

    model_config = ConfigDict(allow_inf_nan=False)

    plan: list[Sentence] = Field(default_factory=list, description="the sub-tasks that the intent is split into")
    explanation: Sentences = ""
    orders: list[Note] = Field(default_factory=list, description="what executors are asked to do in this round")


NAMES: dict[type[BaseModel], str] = {SilentReply: "power", TalkingReply: "cooperation", CommanderReply: "orders"}
"""The names of the structured answers in a request."""


def limits(kind: type[BaseModel], others: Sequence[str], max_power_w: float, max_message_length: int) -> Limits:
    """Return the limits of a reply's schema: to whom the agent can write, how much, and how loud it can send.

    An answer and a proposal to the same agent are one message, of which the proposal may take one half. A commander's
    plan has a task for each agent: without a limit a small model may go on with its list until the tokens run out.
    """
    notes = {TalkingReply: ["proposals"], CommanderReply: ["orders"]}.get(kind, [])
    lists = [*notes, "answers"] if kind is TalkingReply else notes
    found: dict[str, dict[str, Any]] = {"power_w": {"maximum": max_power_w}}
    if kind is CommanderReply:
        found = {"plan": {"maxItems": len(others)}}
    for name in lists:
        found[name] = {"maxItems": len(others)}
        if others:
            found[f"{name}.*.to"] = {"enum": list(others)}
    return {**found, **{f"{name}.*.text": {"maxLength": max_message_length // 2} for name in notes}}


@dataclass(frozen=True)
class Action:
    """An agent's action in a round.

    Attributes
    ----------
    power_w
        The agent's power, W, at most P_max.
    answers
        By proposer, whether the proposal is accepted, and the reason.
    proposals
        The agent's proposals, by recipient.
    plan, explanation, lesson
        The agent's reasoning, for the record and its memory; no other agent sees it.
    """

    power_w: float
    answers: Mapping[str, tuple[bool, str]] = field(default_factory=dict)
    proposals: Mapping[str, str] = field(default_factory=dict)
    plan: tuple[str, ...] = ()
    explanation: str = ""
    lesson: str = ""

    @property
    def messages(self) -> dict[str, str]:
        """The agent's messages, by recipient: the answer first, then the proposal."""
        answers = {to: f"{'Accepted' if accept else 'Refused'}: {why}" for to, (accept, why) in self.answers.items()}
        return joined([*answers.items(), *self.proposals.items()])


def action_of(reply: SilentReply, max_power_w: float) -> Action:
    """Return the action in a reply; a power above P_max becomes P_max."""
    talking = reply if isinstance(reply, TalkingReply) else None
    return Action(
        power_w=min(reply.power_w, max_power_w),
        answers={answer.to: (answer.accept, answer.reason) for answer in talking.answers} if talking else {},
        proposals=joined((note.to, note.text) for note in talking.proposals) if talking else {},
        plan=tuple(reply.plan),
        explanation=reply.explanation,
        lesson=reply.lesson,
    )


def joined(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return recipients and texts as a message for each recipient; texts to the same one are joined."""
    messages: dict[str, str] = {}
    for to, text in texts:
        messages[to] = f"{messages[to]}\n{text}" if to in messages else text
    return messages
