"""What is asked of a language model and what comes back, whoever answers: a server, a transcript or a stand-in."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

STANDIN_MODEL = "no-LLM"
"""Name of the stand-ins, which follow rules; in this process, and served over HTTP."""

MAX_REPLY_CHARACTERS = 100_000
"""Longer texts are cut here, before anybody reads or records them."""


class EndpointError(OSError):
    """The endpoint cannot be used at all: a wrong key, an unknown model, nobody there. One sentence, without key."""


class CapReached(Exception):
    """Asking once more could exceed a cap that the user has set; the sentence names it."""


@dataclass(frozen=True)
class Message:
    """One message: the role (``"system"``, ``"user"`` or ``"assistant"``) and the text."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """One question to a model.

    Attributes
    ----------
    messages
        The conversation so far.
    name, schema
        Of the structured answer that is wanted: a short name, and its JSON schema.
    seed
        Of the model's random choices, for servers that take one; it tells equal questions apart.
    temperature
        Of the sampling.
    max_tokens
        At most so many tokens of an answer.
    """

    messages: tuple[Message, ...]
    name: str
    schema: dict[str, Any]
    seed: int = 0
    temperature: float = 0.7
    max_tokens: int = 2000

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain data."""
        messages = [{"role": message.role, "content": message.content} for message in self.messages]
        parameters = {"seed": self.seed, "temperature": self.temperature, "max_tokens": self.max_tokens}
        return {"messages": messages, "name": self.name, "schema": self.schema, **parameters}

    def key(self, model: str) -> str:
        """Return the hash of the model, the messages and the parameters by which a transcript finds the reply."""
        content = json.dumps({"model": model, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes
    ----------
    text
        The answer, data of an unknown and untrusted writer; empty where there is a fault.
    fault
        Why there is no answer, in a word or two to be counted (``"refusal"``, ``"timeout"``, …); empty for an answer.
    detail
        The same in a sentence for people.
    prompt_tokens, completion_tokens
        As the server counted them, or estimated where ``estimated`` says so.
    seconds
        From the question to the end of the answer, retries included.
    fingerprint
        What the server says of its version: ``system_fingerprint``, and the model that it says it is.
    recorded
        The reply comes from a transcript: nobody was asked.
    """

    text: str
    fault: str = ""
    detail: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    seconds: float = 0.0
    fingerprint: str = ""
    recorded: bool = False


class Closing(ABC):
    """What holds connections or files until it is closed, at the latest where its ``with`` block ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of them; closing twice does no harm."""


class Chat(Protocol):
    """Answers requests; safe to be called from several threads."""

    model: str

    def complete(self, request: Request) -> Reply:
        """Return the reply; raise EndpointError where no request could be answered."""


def estimated_tokens(texts: Sequence[str]) -> int:
    """Return about how many tokens texts have: four characters each, and three tokens around every text."""
    return sum(len(text) // 4 + 4 for text in texts)
