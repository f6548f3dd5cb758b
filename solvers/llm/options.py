"""The options of all solvers that ask a language model: the model, the sampling, the caps and the transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from secagent_env.support.checks import flag, integer, number
from secagent_env.support.errors import check_name
from secagent_env.support.secrets import filled_in
from solvers.llm.chat import STANDIN_MODEL, Journal, Message, Request, Source, with_schema
from solvers.llm.environment import URL_VARIABLE, check_environment, endpoint_url
from solvers.llm.structured import Limits, schema_of
from solvers.llm.transcript import Transcript, only_model

if TYPE_CHECKING:
    from pydantic import BaseModel

PRICES = ("input", "output")


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """Options of a solver that asks a language model. The caps hold for one solve.

    Parameters
    ----------
    model
        The model to ask. Without one, rules stand in for it, in this process: nothing is sent, whatever keys the
        environment holds.
    base_url
        The endpoint, as in ``"http://127.0.0.1:8000/v1"``; None: that of ``OPENAI_BASE_URL``, or else OpenAI's. Where
        it needs a password or key, ``"http://me:$LLM_PASSWORD@…"`` names the environment variable that holds it.
    api_key
        The key; None: that of ``OPENAI_API_KEY``. It is never shown or recorded.
    temperature
        The sampling temperature, from 0 to 2.
    reply_tokens
        The most tokens of one reply.
    structured
        Whether the server is asked for structured output; with False only the prompt shows the JSON schema.
    timeout_s
        The longest time from sending a request to the end of its reply, s; for each repetition anew, and the longest
        wait before one. The server's ``Retry-After`` is kept; one that is longer ends the repetitions.
    retries
        How often a request is sent again after an error of the server or the connection.
    concurrency
        The most requests under way at a time.
    max_calls, max_tokens, max_cost
        Caps on the requests that are sent, repetitions and those in another form included, on the tokens of prompts and
        replies together, and on the cost in the currency of the prices; None: no cap. A request that could exceed a cap
        is not sent. Tokens are those that the server counts, or an estimate where that is larger: of each prompt that
        is sent, and of the reply. Recorded replies count in full.
    prices
        The prices of a million tokens, as in ``{"input": 0.4, "output": 1.6}``.
    transcript
        A file to which every request and reply is appended. A request with a recorded answer is not sent again. Or
        another :class:`~solvers.llm.chat.Journal`, such as :class:`solvers.recordings.RepliesOnly`.
    replay
        A transcript from which all replies are taken: nothing is sent. Or another
        :class:`~solvers.llm.chat.Source`, such as :class:`solvers.recordings.RecordedCell`.
    """

    model: str | None = None
    base_url: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    temperature: float = 0.7
    reply_tokens: int = 2000
    structured: bool = True
    timeout_s: float = 60.0
    retries: int = 2
    concurrency: int = 4
    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    prices: Mapping[str, float] | None = None
    transcript: str | Path | Journal | None = None
    replay: str | Path | Source | None = None

    @property
    def in_process(self) -> bool:
        """Whether the stand-in answers in this process."""
        return self.replay is None and self.base_url is None and self.model in (None, STANDIN_MODEL)

    @property
    def endpoint(self) -> str | None:
        """The ``base_url`` with the values of environment variables; ValueError if one is not set."""
        return None if self.base_url is None else filled_in(self.base_url)

    @property
    def chat_name(self) -> str:
        """The name of the model, or ``"no LLM"``; of a replay without a model, that of the transcript."""
        model = self.model
        replay = self.replay if model is None else None
        if isinstance(replay, (str, Path)):
            with Transcript(replay) as transcript:
                model = only_model(transcript)
        elif replay is not None:
            model = replay.only_model()
        return "no LLM" if model in (None, STANDIN_MODEL) else str(model)

    def request(
        self,
        messages: tuple[Message, ...],
        name: str,
        kind: type[BaseModel],
        seed: int,
        limits: Limits | None = None,
    ) -> Request:
        """Return the request for a structured answer of a kind, by its name, in the limits of the case at hand."""
        schema = schema_of(kind, limits)
        if not self.structured:
            messages, schema = with_schema(messages, schema), {}
        return Request(messages, name, schema, seed, self.temperature, self.reply_tokens)

    def check_chat_options(self) -> None:
        """Raise ValueError for a bad option or options that do not fit together."""
        for name in ("model", "base_url", "api_key"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
                shown = f", got {value!r}" if name == "model" else ""  # the others may hold a secret
                raise ValueError(f"{name} must be a non-empty string of printable ASCII characters or None{shown}")
        if self.model is None and self.replay is None:
            for name in ("base_url", "api_key"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} needs model=: name the model to ask, or leave both out for the stand-in")
        if self.base_url is not None:
            check_url("base_url", self.base_url)
        if not self.in_process and self.replay is None:
            url = endpoint_url(self.base_url)
            if url:
                check_url(URL_VARIABLE, url)
            check_environment(url)
        number("temperature", self.temperature, 0, 2)
        flag("structured", self.structured)
        number("timeout_s", self.timeout_s, above=0)
        for name, least in {"reply_tokens": 1, "retries": 0, "concurrency": 1}.items():
            integer(name, getattr(self, name), least)
        for name in ("max_calls", "max_tokens"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), 1)
        self._check_prices()
        for name, method in {"transcript": "kept", "replay": "chat"}.items():
            path = getattr(self, name)
            if path is not None and not (str(path) if isinstance(path, (str, Path)) else hasattr(path, method)):
                raise ValueError(f"{name} must be the path of a file or None, got {path!r}")
        if self.transcript is not None and self.replay is not None:
            raise ValueError("transcript and replay exclude each other: record a run, or replay a recorded one")

    def _check_prices(self) -> None:
        if self.max_cost is not None:
            number("max_cost", self.max_cost, above=0)
            if self.prices is None:
                raise ValueError('max_cost needs prices={"input": …, "output": …}: what a million tokens costs')
        if self.prices is None:
            return
        if not isinstance(self.prices, Mapping):
            raise ValueError(f'prices must be a mapping {{"input": …, "output": …}} or None, got {self.prices!r}')
        for name in self.prices:
            check_name("price", name, PRICES)
        for name in PRICES:
            number(f"the price of a million tokens of {name}", self.prices.get(name), 0)


def check_url(name: str, url: str) -> None:
    """Raise ValueError unless a URL can be that of an endpoint; ``name`` is the name of its option or variable."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:
        good = False
    if not good:
        # The URL is not shown: it may hold a password.
        raise ValueError(f"{name} must be an address such as 'http://127.0.0.1:8000/v1'")
