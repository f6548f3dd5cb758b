"""Powers proposed by a language model, over the client of all language models; without a model GenAINet's stand-in.

The prompt is short, and so is the reply, about 40 tokens: a reason of a few words and a power. What the last thought
would bring is shown as the observation that the agent expects from it, by its own rates.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from secagent_env.support.checks import number
from secagent_env.support.extras import require
from solvers.planning.powers import View, expected_rate
from solvers.planning.thoughts import MalformedThought

require("pydantic", extra="llm")

from pydantic import BaseModel, ConfigDict, Field  # noqa: E402

from solvers.genainet import stepwise_standin  # noqa: E402
from solvers.genainet.perception import short  # noqa: E402
from solvers.genainet.prompts import KNOWN, OBSERVATION, TARGETS, UNIT, WIDE  # noqa: E402
from solvers.llm.caps import NAMES  # noqa: E402
from solvers.llm.chat import CapReached, Closing, EndpointError, Message  # noqa: E402
from solvers.llm.options import ChatOptions  # noqa: E402
from solvers.llm.session import Session  # noqa: E402
from solvers.llm.structured import Malformed, parse_reply  # noqa: E402

THOUGHTS = "Thoughts so far: "
"""The beginning of the line with the powers that a thought is made of."""
WHY = 80
"""The most characters of the reason."""

SYSTEM = """\
You control the power of one of {count} transmitters that disturb each other; at most {power:g} W. {unit} Reach your \
target rate with little power: more of it lowers the rates of all others. Lessons are of earlier games, as shares of \
your first power. Answer with one JSON object and nothing else."""

FORM = 'Answer in this form:\n{"why": "at most ten words", "power_w": number, "confidence": number from 0 to 10}'


class PowerThought(BaseModel):
    """A power to transmit with, and why."""

    model_config = ConfigDict(allow_inf_nan=False)

    why: Annotated[str, Field(json_schema_extra={"maxLength": WHY})] = ""
    power_w: float = Field(ge=0, description="the power to transmit with, in W")
    confidence: float = Field(default=5.0, ge=0, le=10)


@dataclass(frozen=True, kw_only=True)
class PowerThoughts(ChatOptions):
    """How a model is asked for powers.

    The options of :class:`~solvers.llm.options.ChatOptions` name the model and cap its cost, for a whole season.

    Parameters
    ----------
    bandwidth_khz
        The bandwidth of each pair, kHz: the model then reads rates in kbit/s; None: in bit/s/Hz.

    Raises
    ------
    ValueError
        If an option is bad.
    """

    reply_tokens: int = 120
    bandwidth_khz: float | None = None

    def __post_init__(self) -> None:
        self.check_chat_options()
        if self.bandwidth_khz is not None:
            number("bandwidth_khz", self.bandwidth_khz, above=0)


class LanguagePowers(Closing):
    """Asks a model for each thought; a context manager that holds the connection, safe to be used from several threads.

    Attributes
    ----------
    faults
        How many replies could not be used, by kind.
    unfinished
        Whether the endpoint ended before the season.

    Raises
    ------
    ValueError, ImportError, EndpointError
        As :class:`~solvers.llm.session.Session`.
    """

    reads = True

    def __init__(self, options: PowerThoughts) -> None:
        self.options = options
        self.faults: Counter[str] = Counter()
        self.unfinished = False
        self._session = Session(options, stepwise_standin.reply)
        self._confidence: dict[tuple[int, int, float], float] = {}
        self._ended, self._answered = "", False
        self._counting = threading.Lock()

    @property
    def name(self) -> str:
        """``GenAINet's stand-in (no LLM)``, or the model's name."""
        name = self.options.chat_name
        return "GenAINet's stand-in (no LLM)" if name == "no LLM" else name

    @property
    def concurrency(self) -> int:
        """The most thoughts to ask for at a time; one with a cap, so that a season that it ends repeats."""
        capped = any(getattr(self.options, name) is not None for name in NAMES)
        return 1 if capped or self.options.in_process else self.options.concurrency

    def close(self) -> None:
        """Close the connection; closing twice does no harm."""
        self._session.close()

    def propose(self, state: View, last: float | None, rng: np.random.Generator) -> float:
        """Return the model's power, after the last thought; raise MalformedThought for a reply that is none."""
        return self._ask(state, [] if last is None else [last], rng)

    def merge(self, state: View, first: float, second: float, rng: np.random.Generator) -> float:
        """Return the power that the model makes of two."""
        return self._ask(state, [first, second], rng)

    def score(self, state: View, content: float, rng: np.random.Generator) -> float:
        """Return the model's confidence in its power, from 0 to 10; 5 where it told none."""
        return self._confidence.get((state.agent, state.round, content), 5.0)

    def prompt(self, state: View, thoughts: list[float]) -> tuple[Message, ...]:
        """Return the prompt: the lessons, the observation that is expected of the thoughts so far, and the form."""
        wide = 1.0 if self.options.bandwidth_khz is None else self.options.bandwidth_khz
        unit = UNIT if self.options.bandwidth_khz is None else WIDE.format(bandwidth=wide)
        count = len(state.target_rate)
        power = float(np.exp(np.mean(np.log(thoughts)))) if thoughts else float(state.power_w[-1])
        seen = {
            "agent": f"pair_{state.agent}",
            "round": state.round,
            "rounds": state.rounds,
            "max_power_w": state.max_power_w,
            "power_w": short(power),
            "rate": short(wide * float(expected_rate(state, [power])[0])),
            "target": short(wide * state.target),
            **({} if self.options.bandwidth_khz is None else {"bandwidth_khz": wide}),
        }
        targets = {f"pair_{i}": short(wide * float(target)) for i, target in enumerate(state.target_rate)}
        lines = [
            TARGETS + json.dumps(targets),
            *(KNOWN + json.dumps(lesson) for lesson in state.lessons),
            OBSERVATION + json.dumps(seen),
            *([THOUGHTS + json.dumps([short(thought) for thought in thoughts])] if thoughts else []),
        ]
        system = SYSTEM.format(count=count, power=state.max_power_w, unit=unit)
        return Message("system", system), Message("user", "\n".join([*lines, FORM]))

    def _ask(self, state: View, thoughts: list[float], rng: np.random.Generator) -> float:
        if self._ended:
            raise MalformedThought(self._ended)
        limits = {"power_w": {"maximum": state.max_power_w}}
        seed = int(rng.integers(2**31))
        request = self.options.request(self.prompt(state, thoughts), "power", PowerThought, seed, limits)
        try:
            [reply] = self._session.ask([request])
            self._answered = True
            thought = parse_reply(reply, PowerThought)
        except Malformed as error:
            with self._counting:
                self.faults["unusable answer"] += 1
            raise MalformedThought(str(error)) from None
        except (CapReached, EndpointError) as ending:
            if isinstance(ending, EndpointError) and not self._answered:
                raise
            self.unfinished = isinstance(ending, EndpointError)
            self._ended = f"no more answers: {ending}"
            raise MalformedThought(self._ended) from None
        power = state.within(thought.power_w)
        self._confidence[state.agent, state.round, power] = thought.confidence
        return power
