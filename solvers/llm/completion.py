"""From the body of a chat completion to a Reply; every part of the body may be missing or wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from secagent_env.support.secrets import excerpt, without_secrets
from solvers.llm.chat import MAX_REPLY_CHARACTERS, Reply, Request, estimated_tokens

MOST_TOKENS = 1_000_000_000
"""The most tokens that a server can credibly count in one request."""

_ESCAPED = re.compile(r"\\(?:u00(2[013-9a-f]|[3467][0-9a-f]|5[0-9abd-f])|(/))", re.IGNORECASE)
"""A character of ASCII, but quotes and backslashes, as JSON may write it."""


def reply_of(content: bytes, request: Request, secrets: Sequence[str]) -> Reply:
    """Return the answer in the body of a chat completion, or its fault.

    Tokens are estimated from the request where the server does not count them; secrets are struck out.
    """
    try:
        body = json.loads(content)
        message = body["choices"][0]["message"]
        if not isinstance(message, dict):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        shown = excerpt(content[:1000].decode(errors="replace"), 80, secrets)
        detail = f"the server sent no chat completion but: {shown}" if shown else "the server sent an empty body"
        return failed("bad body", detail, request, charged=True)
    text = _public(_text(message.get("content"))[:MAX_REPLY_CHARACTERS], secrets)
    fault, detail = _fault(message, body["choices"][0].get("finish_reason"), text, secrets)
    return Reply(
        "" if fault else text,
        fault=fault,
        detail=detail,
        fingerprint=_fingerprint(body, secrets),
        **_tokens(body.get("usage"), request, text),
    )


def failed(fault: str, detail: str, request: Request, *, charged: bool = False) -> Reply:
    """Return the reply for a request without an answer; ``charged``: the server may have charged for it."""
    return Reply(fault=fault, detail=detail, **(_charged(request) if charged else {}))


def _text(content: Any) -> str:
    """Return the text of a message, which may be a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    # JSON can escape halves of surrogate pairs, which cannot be written to files.
    return content.encode(errors="replace").decode() if isinstance(content, str) else ""


def _public(text: str, secrets: Sequence[str]) -> str:
    """Return a text without secrets, those too that appear as soon as the JSON in it is read."""
    plain = _ESCAPED.sub(lambda match: match[2] or chr(int(match[1], 16)), text)
    public = without_secrets(plain, secrets)
    return text if public == plain else public


def _fault(message: dict[str, Any], finish: Any, text: str, secrets: Sequence[str]) -> tuple[str, str]:
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return "refusal", f"the model refused: {excerpt(refusal, 120, secrets)}"
    if finish == "content_filter":
        return "refusal", "the server's content filter withheld the answer"
    if message.get("tool_calls") or message.get("function_call"):
        return "tool call", "the model called a tool instead of answering"
    if not text.strip():
        cut = finish == "length"
        return "empty", "the tokens ran out before the answer: raise reply_tokens" if cut else "the reply is empty"
    return "", ""


def _fingerprint(body: dict[str, Any], secrets: Sequence[str]) -> str:
    values = (body.get("model"), body.get("system_fingerprint"))
    return " ".join(excerpt(value, 80, secrets) for value in values if isinstance(value, str) and value)


def _tokens(usage: Any, request: Request, text: str) -> dict[str, Any]:
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
    if counts and all(type(count) is int and 0 <= count <= MOST_TOKENS for count in counts):
        return {"prompt_tokens": counts[0], "completion_tokens": counts[1]}
    return {**_charged(request), "completion_tokens": estimated_tokens([text])}


def _charged(request: Request) -> dict[str, Any]:
    """Return the most tokens of a request that may have been answered in full."""
    prompt = estimated_tokens([*(message.content for message in request.messages), json.dumps(request.schema)])
    return {"prompt_tokens": prompt, "completion_tokens": request.max_tokens, "estimated": True}
