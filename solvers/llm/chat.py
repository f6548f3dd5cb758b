"""Requests to a language model and replies, from a server, a transcript or a stand-in alike; untrusted text."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol, Self

STANDIN_MODEL = "no-LLM"
"""The model name of the stand-ins, in this process and over HTTP."""

MAX_REPLY_CHARACTERS = 100_000
"""Longer texts are cut before they are read or recorded."""


STOPPED = "stopped"
"""The fault of a reply that was not waited for: the run was interrupted, or its time was over."""


class EndpointError(OSError):
    """The endpoint cannot be used at all: a wrong key, an unknown model, no server. One sentence, without the key."""


class NotRecorded(OSError):
    """A replay holds no reply to a request: the run is another than the recorded one. It ends the run."""


class CapReached(Exception):
    """Another request could exceed a cap; the sentence names the cap."""


@dataclass(frozen=True)
class Message:
    """One message: the role (``"system"``, ``"user"`` or ``"assistant"``) and the text."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """One request to a model.

    Attributes
    ----------
    messages
        The conversation so far.
    name, schema
        The name and the JSON schema of the structured answer; an empty schema asks for text alone.
    seed
        The seed of the model's random choices, for servers that take one; it tells equal prompts apart.
    temperature
        The sampling temperature.
    max_tokens
        The most tokens of an answer.
    """

    messages: tuple[Message, ...]
    name: str
    schema: dict[str, Any]
    seed: int = 0
    temperature: float = 0.7
    max_tokens: int = 2000

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain data."""
        return dataclasses.asdict(self)

    def key(self, model: str) -> str:
        """Return the key of the reply in a transcript: a hash of the model, the messages and the parameters."""
        content = json.dumps({"model": model, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Reply:
    """A model's reply to a request.

    Attributes
    ----------
    text
        The answer, which is data and not trusted; empty where there is a fault.
    fault
        The reason why there is no answer, in a word or two to be counted (``"refusal"``, ``"timeout"``, …); empty for
        an answer.
    detail
        The reason in a sentence.
    prompt_tokens, completion_tokens
        The server's counts of tokens, or estimates if ``estimated`` is true; of all requests together.
    seconds
        The time from the request to the end of the reply, including retries, s.
    fingerprint
        The server's model and version (``system_fingerprint``).
    recorded
        Whether the reply comes from a transcript.
    requests
        The requests that were sent for it: the first, repetitions, and those in another form after a refusal.
    adapted
        What was other than asked for in the request that it answers, since the server takes no such requests, as in
        ``"json_object; no seed"``; empty if nothing was.
    """

    text: str = ""
    fault: str = ""
    detail: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    seconds: float = 0.0
    fingerprint: str = ""
    recorded: bool = False
    requests: int = 1
    adapted: str = ""


def with_schema(messages: tuple[Message, ...], schema: dict[str, Any]) -> tuple[Message, ...]:
    """Return messages of which the last one asks for JSON that follows a schema."""
    *before, last = messages
    asked = f"{last.content}\n\nAnswer with one JSON object that follows this JSON schema: {json.dumps(schema)}"
    return (*before, Message(last.role, asked))


class Closing:
    """A context manager that holds connections or files until it is closed."""

    _resources: ExitStack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and files; closing twice does no harm."""
        self._resources.close()


class Permit:
    """What allows one call to send requests. This one always allows more; that of a session keeps to its caps.

    Attributes
    ----------
    number
        The number of the call in its session, from 0, in the order in which requests are handed to the session.
    requests
        The requests that the call has sent, which whoever sends them counts.
    stopped
        Done as soon as nobody waits for the reply any more.
    """

    def __init__(self, stopped: Future[None] | None = None) -> None:
        self.number = self.requests = 0
        self.stopped: Future[None] = stopped or Future()

    def another(self, used: Reply) -> str:
        """Return an empty text if another request may be sent after those of ``used``, else a sentence why not."""
        return ""


class Chat(Protocol):
    """Answers requests; safe to be called from several threads."""

    model: str

    def complete(self, request: Request, permit: Permit | None = None) -> Reply:
        """Return the reply; raise EndpointError where no request could be answered."""


class Source(Protocol):
    """What replies are taken from, in the place of a model: plain data, so that it travels to other processes."""

    def only_model(self) -> str:
        """Return the model whose replies it holds; raise ValueError unless there is exactly one."""

    def chat(self, model: str | None) -> Chat:
        """Return what answers with the replies of a model, or of the only one; raise OSError, ValueError for none."""


class Journal(Protocol):
    """Where replies are kept as they arrive, and taken from if they are there; plain data, as a :class:`Source` is."""

    def kept(self, chat: Chat, resources: ExitStack) -> Chat:
        """Return a chat that asks another one for what is not there; ``resources`` hold its file."""


def estimated_tokens(texts: Sequence[str]) -> int:
    """Return an estimate of the tokens in texts: one for four characters, and three around each text."""
    return sum(len(text) // 4 + 4 for text in texts)
