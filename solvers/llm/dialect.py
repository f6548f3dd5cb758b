"""The form in which a server takes requests: it differs between servers and models, and is learnt from refusals."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solvers.llm.chat import Message, Request, estimated_tokens, with_schema
from solvers.llm.refusal import TEMPORARY, Refusal
from solvers.llm.structured import keywords_in, without

STRUCTURES = ("json_schema", "json_object with schema", "json_object", "prompt alone")
"""Ways to request structured output, the strictest first."""

WITH_SCHEMA = STRUCTURES[:2]
"""Those in which the server gets the schema; in the others the prompt shows it."""

LIMITS = ("max_tokens", "max_completion_tokens", "")
"""The names of the limit on the reply; the last one sends none."""

LEAST_TOKENS = 64
"""The fewest reply tokens that are worth asking for, where the context has no room for more."""

FEWER_TOKENS = "fewer reply tokens"


@dataclass(frozen=True)
class Dialect:
    """The form in which a server takes requests.

    Attributes
    ----------
    structure
        How structured output is requested: an index of ``STRUCTURES``.
    dropped
        The keywords of schemas that are left out.
    limit
        The name of the limit on the reply: an index of ``LIMITS``.
    temperature, seed
        Whether the server takes them.
    roles
        Whether it takes a system message, and messages of one role in a row; else they are joined to one.
    room
        The most tokens of a prompt and its reply together, by our own estimate of the prompt's; None if no limit is
        known.
    """

    structure: int = 0
    dropped: frozenset[str] = frozenset()
    limit: int = 0
    temperature: bool = True
    seed: bool = True
    roles: bool = True
    room: int | None = None

    def parameters(self, model: str, request: Request) -> dict[str, Any]:
        """Return a request as the parameters of a chat completion."""
        structure, schema = self._structure(request), without(request.schema, self.dropped)
        messages = [dataclasses.asdict(message) for message in self._messages(request)]
        parameters: dict[str, Any] = {"model": model, "messages": messages}
        if LIMITS[self.limit]:
            parameters[LIMITS[self.limit]] = self.reply_tokens(request)
        if self.temperature:
            parameters["temperature"] = request.temperature
        if self.seed:
            parameters["seed"] = request.seed
        if structure == "json_schema":
            named = {"name": request.name, "schema": schema, "strict": True}
            parameters["response_format"] = {"type": "json_schema", "json_schema": named}
        elif structure == "json_object with schema":
            parameters["response_format"] = {"type": "json_object", "schema": schema}
        elif structure == "json_object":
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def _messages(self, request: Request) -> Sequence[Message]:
        messages = request.messages
        if messages and request.schema and self._structure(request) not in WITH_SCHEMA:
            messages = with_schema(messages, request.schema)  # OpenAI requires the word JSON for json_object
        return messages if self.roles else folded(messages)

    def _structure(self, request: Request) -> str:
        return STRUCTURES[self.structure] if request.schema else STRUCTURES[-1]

    def reply_tokens(self, request: Request) -> int:
        """Return the most tokens of the reply to a request: those that it asks for, or for which there is room."""
        if self.room is None:
            return request.max_tokens
        return min(request.max_tokens, max(LEAST_TOKENS, self.room - _prompt_tokens(request)))

    def shorter(self, request: Request) -> Dialect | None:
        """Return the dialect that asks for half as long a reply; None if it would be too short."""
        tokens = self.reply_tokens(request)
        if tokens <= LEAST_TOKENS or not LIMITS[self.limit]:
            return None
        return dataclasses.replace(self, room=_prompt_tokens(request) + max(LEAST_TOKENS, tokens // 2))

    def after(self, refusal: Refusal, request: Request) -> Dialect | None:
        """Return the dialect to try after a refusal, or None if none is left, or it is not about the form."""
        if refusal.status in TEMPORARY:
            return None
        if self.roles and refusal.about_roles:
            return dataclasses.replace(self, roles=False)
        if refusal.about_structure and (plainer := self._plainer(refusal, request)):
            return plainer
        if LIMITS[self.limit] and refusal.about(LIMITS[self.limit]):
            return dataclasses.replace(self, limit=self.limit + 1)
        for name in ("temperature", "seed"):
            if getattr(self, name) and refusal.about(name):
                return dataclasses.replace(self, **{name: False})  # type: ignore[arg-type]
        if not refusal.about_parameters:
            return None
        if self.structure < len(STRUCTURES) - 1:
            return self._next()
        if refusal.status != 404:
            return None
        # A router has no server that takes all parameters.
        if self.seed:
            return dataclasses.replace(self, seed=False)
        return dataclasses.replace(self, temperature=False) if self.temperature else None

    def _plainer(self, refusal: Refusal, request: Request) -> Dialect | None:
        """Return the dialect without a keyword of the schema that is refused, or else with the next structure."""
        if STRUCTURES[self.structure] in WITH_SCHEMA:
            left = keywords_in(request.schema) - self.dropped
            if named := sorted(filter(refusal.names, left), key=refusal.text.find):
                return dataclasses.replace(self, dropped=self.dropped | {named[0]})
            if left and refusal.about_schema:
                return dataclasses.replace(self, dropped=self.dropped | left)
        if self.structure == len(STRUCTURES) - 1:
            return None
        return self._next()

    def _next(self) -> Dialect:
        """Return the dialect with the next structure, in which every keyword may be taken."""
        return dataclasses.replace(self, structure=self.structure + 1, dropped=frozenset())

    def adapted(self, request: Request) -> str:
        """Return what is other than asked for in a request, in a few words; empty if nothing is."""
        lost = sorted(self.dropped & keywords_in(request.schema)) if STRUCTURES[self.structure] in WITH_SCHEMA else []
        told = {
            STRUCTURES[self.structure]: self.structure > 0 and bool(request.schema),
            f"a schema without {', '.join(lost)}": bool(lost),
            "no temperature": not self.temperature,
            "no seed": not self.seed,
            "no limit on the reply": not LIMITS[self.limit],
            FEWER_TOKENS: self.reply_tokens(request) < request.max_tokens,
            "no system message": not self.roles,
        }
        return "; ".join(words for words, true in told.items() if true)


class Known:
    """The dialects of all endpoints that this process has asked, by address and model; safe for several threads."""

    def __init__(self) -> None:
        self._dialects: dict[tuple[str, str], Dialect] = {}
        self._lock = threading.Lock()

    def of(self, url: str, model: str) -> Dialect:
        """Return the dialect of an endpoint, at first that of OpenAI."""
        with self._lock:
            return self._dialects.get((url, model), Dialect())

    def learn(self, url: str, model: str, dialect: Dialect) -> None:
        """Remember the dialect of an endpoint."""
        with self._lock:
            self._dialects[url, model] = dialect

    def forget(self) -> None:
        """Forget all endpoints."""
        with self._lock:
            self._dialects.clear()


KNOWN = Known()


def folded(messages: Sequence[Message]) -> list[Message]:
    """Return messages without a system role, and never two of one role in a row: their texts are joined."""
    joined: list[Message] = []
    for message in messages:
        role = "user" if message.role == "system" else message.role
        if joined and joined[-1].role == role:
            joined[-1] = Message(role, f"{joined[-1].content}\n\n{message.content}")
        else:
            joined.append(Message(role, message.content))
    return joined


def _prompt_tokens(request: Request) -> int:
    return estimated_tokens([message.content for message in request.messages])
