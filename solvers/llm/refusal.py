"""What a server says in place of a reply: an error status, or an error in a body that claims success.

Servers word and nest their errors in many ways. Here they become one text, and what the text is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from secagent_env.support.reading import parse_json

MOST_SEARCHED = 4000
"""The most characters of a server's message that are searched: patterns take time by the square of a text's length."""

DEEPEST = 8
"""The most levels of an error that are read."""

SAYING = (
    "message",
    "msg",
    "detail",
    "details",
    "error",
    "errors",
    "error_description",
    "title",
    "reason",
    "metadata",
    "raw",
)
"""The fields that hold what a server says; others, as ``input``, may quote the request."""

_CONTEXT = re.compile(
    r"context[ _-]?(length|size|window)|maximum (model|sequence) length|max_model_len|prompt is too long|"
    r"input token count.*exceed|\btokens\b.*\bmust be <=|exceeds? (the )?(model's )?(available |maximum )?context",
    re.IGNORECASE | re.DOTALL,
)
"""What servers say of a prompt and a reply that are longer than the model's context: OpenAI, vLLM, llama.cpp, TGI, …"""

_PROMPT = re.compile(
    r"prompt is too long|input token count.*exceed|exceeds the available context|keep the first \d+ tokens",
    re.IGNORECASE | re.DOTALL,
)
"""Of these, what they say where the prompt alone is longer."""

_LIMIT = re.compile(
    r"\bmax_(completion_|new_)?tokens\b.{0,80}?(too (large|big|high)|at most|less than|<|exceed|maximum)",
    re.IGNORECASE | re.DOTALL,
)
"""What they say of more reply tokens than the model can write."""

_STRUCTURE = re.compile(r"response_format|json_schema|json_object|schema|structured|grammar|guided", re.IGNORECASE)

_SCHEMA = re.compile(
    r"grammar|(invalid|bad|unsupported) (json )?schema|schema.{0,60}(feature|keyword|invalid|compile)", re.I
)
"""What they say of a schema as such, where they do not refuse schemas altogether."""

_ROLES = re.compile(
    r"\bsystem\W{0,3}(role|message|prompt|instruction)|developer (role|message|instruction)|roles? must alternate|"
    r"roles are supported|\brole\b.{0,40}\bsystem\b",
    re.IGNORECASE,
)

_MODEL = re.compile(
    r"\bmodels?\b.{0,80}(\bnot found\b|does(n't| not) exist\b)|\b(unknown|no such|invalid) model\b|not a valid model|"
    r"no models? (is |are )?loaded|model_not_found",
    re.IGNORECASE,
)

_PARAMETERS = re.compile(
    r"parameter|argument|field|property|unexpected|unsupported|unknown|not permitted", re.IGNORECASE
)

_NAMES = re.compile(r"\b(max_tokens|max_completion_tokens|temperature|seed|response_format|messages|role)\b")

KEYS = (401, 403)
"""Statuses that refuse the key."""

TEMPORARY = (408, 409, 429)
"""Statuses below 500 that say nothing against the request itself."""

SAMPLING = {"max_tokens", "max_completion_tokens", "temperature", "seed"}

_PLACE = re.compile(r"""["']loc["']: *[(\[]([^)\]]{0,200})[)\]]""")
"""The place in a request, where FastAPI's errors are quoted as text."""


@dataclass(frozen=True)
class Refusal:
    """An error that a server has sent.

    Attributes
    ----------
    status
        The HTTP status, or that which a body with status 200 names; 200 where it names none.
    text
        What the server says: all its sentences, at most ``MOST_SEARCHED`` characters.
    parameter
        The parameters that it names apart from its text, with spaces between them; empty if none.
    code
        The code or the type of the error; empty without one.
    headers
        The headers of the response.
    """

    status: int
    text: str = ""
    parameter: str = ""
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Whether no other form of the request helps."""
        status = self.status
        return status < 200 or 300 <= status < 400 or status in KEYS or self.about_credit or self.about_model

    @property
    def about_credit(self) -> bool:
        """Whether the credit is used up."""
        return self.status == 402 or self.code == "insufficient_quota"

    @property
    def about_context(self) -> bool:
        """Whether the prompt and the reply together, or the reply alone, may be longer than the model allows."""
        if self.status in TEMPORARY:  # such as a limit on the tokens of a minute
            return False
        return self.code == "context_length_exceeded" or bool(_CONTEXT.search(self.text) or _LIMIT.search(self.text))

    @property
    def about_prompt(self) -> bool:
        """Whether the prompt alone is longer than the model allows: no shorter reply helps."""
        return _PROMPT.search(self.text) is not None

    @property
    def about_model(self) -> bool:
        """Whether there is no such model."""
        return self.status in (200, 400, 404, 422) and bool(self.code == "model_not_found" or _MODEL.search(self.text))

    @property
    def about_structure(self) -> bool:
        """Whether the form of the answer is refused."""
        named = set(self.parameter.split())
        return "response_format" in named or (not named & SAMPLING and _STRUCTURE.search(self.text) is not None)

    @property
    def about_schema(self) -> bool:
        """Whether the schema is refused, and not all schemas."""
        return _SCHEMA.search(self.text) is not None

    @property
    def about_roles(self) -> bool:
        """Whether a system message, or two messages of one role in a row, are refused."""
        return "role" in self.parameter.split() or _ROLES.search(self.text) is not None

    @property
    def about_parameters(self) -> bool:
        """Whether some parameter is refused, but the refusal may not say which."""
        if self.status == 404:  # of a router, whose servers take other parameters
            return re.search(r"requested parameters", self.text) is not None
        return self.status in (400, 422) and not self.parameter

    def about(self, parameter: str) -> bool:
        """Whether a parameter is refused, by its name."""
        if self.parameter:
            return parameter in self.parameter.split()
        # A server that fails may name anything: what a client did wrong is worded as such.
        worded = 400 <= self.status < 500 or _PARAMETERS.search(self.text) is not None
        return worded and re.search(rf"\b{parameter}\b", self.text) is not None

    def names(self, keyword: str) -> bool:
        """Whether the text holds a word."""
        return re.search(rf"(?<![\w$]){re.escape(keyword)}\b", self.text) is not None


def refusal_of(status: int, content: bytes, headers: Mapping[str, str]) -> Refusal:
    """Return the refusal in a response with an error status; every part of it may be missing or wrong."""
    body = _json(content)
    told = "\n".join(dict.fromkeys(_sentences(body)))
    text = (told or content[:MOST_SEARCHED].decode(errors="replace"))[:MOST_SEARCHED]
    places = [*_places(body), *_PLACE.findall(text)]
    parameters = _NAMES.findall(" ".join(places))
    return Refusal(status, text, " ".join(dict.fromkeys(parameters)), _code(body), headers)


def ending(refusal: Refusal, model: str, url: str, said: str, *, first: bool) -> str:
    """Return why an endpoint cannot be used at all after a refusal; empty if the next request may be answered.

    ``said`` is what may be shown of its text, or where it redirects to; ``first``: whether it has answered nothing yet.
    """
    status = refusal.status
    if status in KEYS:
        why = f"refused the key ({status}): check api_key or OPENAI_API_KEY"
    elif refusal.about_credit:
        why = f"has no credit left ({status})"
    elif 300 <= status < 400:
        return (
            f"{url} redirects to {said} ({status}), and nothing is sent there: give that address as base_url if it is "
            "the right one"
        )
    elif refusal.about_model or status in (404, 405):
        why = f"knows no model {model!r} ({status}): check model and base_url{correction(url)}"
    elif status == 200 and first:
        why = f"answers with an error{correction(url)}"
    else:
        return ""
    return f"{url} {why}; it says: {said or 'nothing'}"


def correction(url: str) -> str:
    """Return how to correct the address of an interface that may be none; empty if it looks like one."""
    if urlsplit(url).path.rstrip("/").endswith("/v1"):
        return ""
    return f"; base_url usually ends in /v1: try {url.rstrip('/')}/v1"


def error_in(content: bytes, headers: Mapping[str, str]) -> Refusal | None:
    """Return the refusal in a body that came with status 200; None if it holds no error, or an answer beside it."""
    body = _json(content)
    if not isinstance(body, dict) or body.get("choices") or not (body.get("error") or body.get("object") == "error"):
        return None
    inner = body["error"] if isinstance(body.get("error"), dict) else body
    code = inner.get("code", inner.get("status"))
    digits = code if isinstance(code, int) else int(code) if isinstance(code, str) and code in _STATUSES else 0
    return refusal_of(digits if 400 <= digits <= 599 else 200, content, headers)


_STATUSES = frozenset(map(str, range(400, 600)))


def _json(content: bytes) -> Any:
    try:
        return _opened(parse_json(content, finite=False))
    except ValueError:
        return None


def _opened(data: Any, depth: int = 0) -> Any:
    """Return the parts of an error that are read, with texts that are JSON again as their data."""
    if depth > DEEPEST:
        return None
    if isinstance(data, str) and data[:1] in ("{", "["):
        try:
            return _opened(parse_json(data, finite=False), depth + 1)
        except ValueError:
            return data
    if isinstance(data, list):
        return [_opened(item, depth + 1) for item in data[:20]]
    if isinstance(data, dict):
        return {name: _opened(value, depth + 1) for name, value in data.items()}
    return data


def _sentences(data: Any) -> Iterator[str]:
    """Yield the sentences of an error, however they are nested."""
    if isinstance(data, str) and data.strip():
        yield data[:MOST_SEARCHED]
    elif isinstance(data, list):
        for item in data:
            yield from _sentences(item)
    elif isinstance(data, dict):
        for name in SAYING:
            yield from _sentences(data.get(name))


def _places(data: Any) -> Iterator[str]:
    """Yield the places in the request that an error names."""
    if isinstance(data, list):
        for item in data:
            yield from _places(item)
    elif isinstance(data, dict):
        if isinstance(data.get("param"), str):
            yield data["param"]
        if isinstance(data.get("loc"), list):
            yield " ".join(map(str, data["loc"]))
        for name in SAYING:
            yield from _places(data.get(name))


def _code(body: Any) -> str:
    inner = body.get("error", body) if isinstance(body, dict) else None
    code = (inner.get("code") or inner.get("type")) if isinstance(inner, dict) else None
    return code if isinstance(code, str) else ""
