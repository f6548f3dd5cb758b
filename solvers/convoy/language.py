"""Vehicles whose drivers ask a language model once per crossing: go first, or yield.

For a second all tell what they know (level information). Then the model of every vehicle reads what that vehicle knows,
and decides its intent. The vehicles then drive by the rules of the level intent: who goes first claims the crossing at
once, who yields claims it late. A vehicle without a usable reply follows the rules.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from secagent_env.convoy.crossing import Crossings, Start
from secagent_env.convoy.geometry import conflicts
from secagent_env.convoy.rules import STEP_S, CrossingRules
from secagent_env.convoy.views import View, view_of
from secagent_env.support.errors import check_name
from solvers.convoy.driving import TRACK_S, due
from solvers.convoy.team import Team
from solvers.llm.chat import CapReached, Message, Reply
from solvers.llm.options import ChatOptions
from solvers.llm.session import Session
from solvers.llm.standin import Rules
from solvers.llm.structured import SENTENCE, Malformed, parse_reply

FACTS = "Crossing: "
"""The words before the facts in a prompt, JSON on one line."""
TALK_S = 1.0
"""How long vehicles tell what they know before they decide."""

SYSTEM = """\
You drive a vehicle towards a crossing. Buildings at its corners hide the others until the last moment, but vehicles \
have told each other by radio where they are. A collision is the worst that can happen; waiting costs seconds and \
fuel. All vehicles decide at the same time, each by what it knows: whether it goes first, or yields until those that \
go first have left. Two vehicles on crossing lanes must not both go first. Who is due earlier in the middle normally \
goes first. A vehicle that is not listed may still be there. Answer with one JSON object and nothing else."""


class Intent(BaseModel):
    """What a driver decides for this crossing."""

    model_config = ConfigDict(allow_inf_nan=False)

    explanation: str = Field(default="", description="one sentence: why", json_schema_extra={"maxLength": SENTENCE})
    decision: Literal["go", "yield"] = Field(description="go: go first; yield: let the others pass")


def prompt(view: View, vehicle: int) -> tuple[Message, ...]:
    """Return the prompt for a vehicle's model, of a batch of one crossing."""
    lanes = conflicts(view.place.shape[1])[vehicle]
    times = due(view.other_place, view.other_speed)[0, vehicle]
    others = [
        {
            "vehicle": int(k),
            "before_the_middle_m": round(float(-view.other_place[0, vehicle, k]), 1),
            "speed_m_s": round(float(view.other_speed[0, vehicle, k]), 1),
            "due_in_s": round(float(times[k]), 2),
        }
        for k in np.flatnonzero(lanes & (view.age[0, vehicle] <= TRACK_S) & np.isfinite(times))
    ]
    facts = {
        "you": {
            "vehicle": vehicle,
            "before_the_middle_m": round(float(-view.place[0, vehicle]), 1),
            "speed_m_s": round(float(view.speed[0, vehicle]), 1),
            "due_in_s": round(float(due(view.place, view.speed)[0, vehicle]), 2),
        },
        "on_crossing_lanes": others,
    }
    return Message("system", SYSTEM), Message("user", f"{FACTS}{json.dumps(facts)}\nDo you go first, or yield?")


def can_answer(messages: Sequence[Message]) -> bool:
    """Return whether a prompt is one of these."""
    return bool(messages) and messages[-1].content.startswith(FACTS)


def reply(messages: Sequence[Message], seed: int) -> str:
    """Return the stand-in's answer: it goes first where it is due first among those it knows. The seed has no effect.

    Raises
    ------
    ValueError
        If the messages are no prompt of a crossing.
    """
    if not can_answer(messages):
        raise ValueError(f"this is no prompt of a crossing: its last message does not begin with {FACTS.strip()!r}")
    facts: Mapping[str, Any] = json.loads(messages[-1].content.splitlines()[0].removeprefix(FACTS))
    own, others = facts["you"], facts["on_crossing_lanes"]
    earlier = [o for o in others if (o["due_in_s"], o["vehicle"]) < (own["due_in_s"], own["vehicle"])]
    why = f"Vehicle {earlier[0]['vehicle']} is due before me." if earlier else "I am due first of all that I know."
    return json.dumps({"explanation": why, "decision": "yield" if earlier else "go"})


def _answering(decide: Callable[[int], str]) -> Rules:
    def answer(messages: Sequence[Message], seed: int) -> str:
        return json.dumps({"explanation": "", "decision": decide(seed)})

    return answer


CONTROLS: Mapping[str, Rules] = {
    "coin": _answering(lambda seed: ("go", "yield")[np.random.default_rng(seed).integers(2)]),
    "all go": _answering(lambda seed: "go"),
    "all yield": _answering(lambda seed: "yield"),
}
"""What decides in a model's place without reading the prompt: a toss from the seed, or always the same."""


@dataclass(frozen=True, eq=False)
class Crossed:
    """A crossing of language agents: how it ended; prompts, decisions, and what was wrong with replies, by vehicle."""

    crossings: Crossings
    prompts: tuple[tuple[Message, ...], ...]
    decisions: tuple[str, ...]
    troubles: tuple[str, ...]
    usage: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LanguageTeam(ChatOptions):
    """Vehicles that ask a language model once per crossing; without a model, rules stand in.

    The options of :class:`~solvers.llm.options.ChatOptions` name the model, and cap its cost for one crossing. A
    ``control`` of :data:`CONTROLS` decides in its place.
    """

    reply_tokens: int = 200
    control: str | None = None

    def __post_init__(self) -> None:
        self.check_chat_options()
        if self.control is not None:
            check_name("control", self.control, CONTROLS)
            if not self.in_process:
                raise ValueError("a control decides in the model's place: leave out control, or the model")

    @property
    def name(self) -> str:
        """Such as ``convoy (no LLM)`` for the stand-in, else with the model's name, or the control's."""
        return f"convoy ({self.control or self.chat_name})"

    def cross(self, rules: CrossingRules, start: Start, seed: int = 0) -> Crossed:
        """Let the vehicles of one start cross.

        Raises
        ------
        EndpointError
            If the endpoint cannot be used.
        ValueError
            If the start is of several crossings.
        """
        if len(start.place) != 1:
            raise ValueError(f"language agents cross one by one, got {len(start.place)} starts; use start[i : i + 1]")
        telling, intent = Team(level="information"), Team(level="intent")
        own = intent.rules(rules)
        running = Crossings(own, start, np.random.default_rng([seed, 1]))
        before, playing = telling.begin(own, 1, seed), intent.begin(own, 1, seed)
        for _ in range(round(TALK_S / STEP_S)):
            if not running.over:
                actions = before.act(running)
                sends = np.full(actions.send.shape, 1)
                running.step(replace(actions, send=sends, power_w=np.full(sends.shape, own.max_power_w)))
        view = view_of(running)
        prompts = tuple(prompt(view, i) for i in range(view.place.shape[1]))
        with Session(self, CONTROLS[self.control] if self.control else reply) as session:
            decisions, troubles = self._decide(session, prompts, seed)
            usage = session.usage.to_dict()
        playing.first = np.array([[{"go": 1, "yield": 0}.get(decision, -1) for decision in decisions]])
        while not running.over:
            running.step(playing.act(running))
        return Crossed(running, prompts, decisions, troubles, usage)

    def _decide(
        self, session: Session, prompts: Sequence[tuple[Message, ...]], seed: int
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        first = seed * len(prompts)
        requests = [self.request(messages, "intent", Intent, first + i) for i, messages in enumerate(prompts)]
        replies: Sequence[Reply | None] = [None] * len(prompts)
        trouble = ""
        try:
            replies = session.ask(requests)
        except CapReached as ending:
            trouble = str(ending)
        decisions, troubles = [], []
        for answer in replies:
            try:
                decisions.append(parse_reply(answer, Intent).decision if answer is not None else "")
                troubles.append(trouble)
            except Malformed as error:
                decisions.append("")
                troubles.append(str(error))
        return tuple(decisions), tuple(troubles)
