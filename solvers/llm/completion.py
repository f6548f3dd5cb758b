"""From the body of a chat completion to a Reply; every part of the body may be missing or wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from secagent_env.support.reading import parse_json
from secagent_env.support.secrets import excerpt, without_secrets
from solvers.llm.chat import MAX_REPLY_CHARACTERS, Reply, Request, estimated_tokens

MOST_TOKENS = 1_000_000_000
"""The most tokens that a server can credibly count in one request."""

CUT = ("length", "max_tokens", "MAX_TOKENS", "model_length")
"""What servers call it when the tokens ran out."""

REASONING = ("reasoning_content", "reasoning")
"""The fields of a message that hold a model's thoughts."""

_TAGS = "think|thinking|thought|reasoning"
_THOUGHT = re.compile(rf"<({_TAGS})>|\[THINK\]", re.IGNORECASE)
_THOUGHT_ENDS = re.compile(rf"</({_TAGS})>|\[/THINK\]", re.IGNORECASE)

_ESCAPED = re.compile(r"\\(?:u00(2[013-9a-f]|[3467][0-9a-f]|5[0-9abd-f])|(/))", re.IGNORECASE)
"""A character of ASCII, but quotes and backslashes, as JSON may write it."""


def reply_of(content: bytes, request: Request, secrets: Sequence[str]) -> Reply:
    """Return the answer in the body of a chat completion, or its fault.

    Tokens are estimated from the request where the server does not count them; secrets are struck out.
    """
    try:
        body = parse_json(content, finite=False)
        message = body["choices"][0]["message"]
        if not isinstance(message, dict):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError):
        shown = excerpt(content[:1000].decode(errors="replace"), 80, secrets)
        detail = f"the server sent no chat completion but: {shown}" if shown else "the server sent an empty body"
        return failed("bad body", detail, request, charged=True)
    said, unfinished = _without_thoughts(_said(message))
    text = _public(said[:MAX_REPLY_CHARACTERS], secrets)
    fault, detail = _fault(message, body["choices"][0], text, unfinished, secrets)
    return Reply(
        "" if fault else text,
        fault=fault,
        detail=detail,
        fingerprint=_fingerprint(body, secrets),
        **_tokens(body.get("usage"), request, _spoken(message)),
    )


def no_completion(content: bytes) -> bool:
    """Return whether a body is a whole page, or whole data of another interface: asking again gets nothing else."""
    if content.lstrip()[:1] == b"<":
        return True
    try:
        body = parse_json(content, finite=False)
    except ValueError:
        return False
    return isinstance(body, dict) and "choices" not in body


def failed(fault: str, detail: str, request: Request, *, charged: bool = False) -> Reply:
    """Return the reply for a request without an answer; ``charged``: the server may have charged for it."""
    return Reply(fault=fault, detail=detail, **(_charged(request) if charged else {}))


def _text(content: Any) -> str:
    """Return the text of a message, which may be a list of parts, or an answer that was read as JSON already."""
    if isinstance(content, dict):
        content = json.dumps(content)
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    # JSON can escape halves of surrogate pairs, which cannot be written to files.
    return content.encode(errors="replace").decode() if isinstance(content, str) else ""


def _said(message: dict[str, Any]) -> str:
    """Return the text of an answer; where there is none, the reasoning if it holds JSON: some servers put it there."""
    text = _text(message.get("content"))
    if text.strip():
        return text
    reasonings = (_text(message.get(name)) for name in REASONING)
    return next((reasoning for reasoning in reasonings if "{" in reasoning), text)


def _spoken(message: dict[str, Any]) -> str:
    """Return all that a model has written, thoughts included."""
    return "".join(_text(message.get(name)) for name in ("content", *REASONING))


def _without_thoughts(text: str) -> tuple[str, bool]:
    """Return what follows the last thought, and whether another one begins there and does not end.

    Some templates begin a thought themselves, so that only its end is in the text.
    """
    ends = [match.end() for match in _THOUGHT_ENDS.finditer(text)]
    rest = text[ends[-1] :] if ends else text
    return rest, _THOUGHT.search(rest) is not None


def _public(text: str, secrets: Sequence[str]) -> str:
    """Return a text without secrets, those too that appear as soon as the JSON in it is read."""
    plain = _ESCAPED.sub(lambda match: match[2] or chr(int(match[1], 16)), text)
    public = without_secrets(plain, secrets)
    return text if public == plain else public


def _fault(
    message: dict[str, Any], choice: dict[str, Any], text: str, unfinished: bool, secrets: Sequence[str]
) -> tuple[str, str]:
    finish, refusal = choice.get("finish_reason"), message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return "refusal", f"the model refused: {excerpt(refusal, 120, secrets)}"
    if finish == "content_filter":
        return "refusal", "the server's content filter withheld the answer"
    if message.get("tool_calls") or message.get("function_call"):
        return "tool call", "the model called a tool instead of answering"
    if finish in CUT:
        return "cut off", "the tokens ran out before the answer ended: raise reply_tokens, or the server's context"
    if finish == "error":
        return "server error", f"the server failed while it answered: {excerpt(str(choice.get('error')), 120, secrets)}"
    if unfinished:
        return "cut off", "the model was still thinking when its reply ended: raise reply_tokens"
    if not text.strip():
        return "empty", "the reply is empty" + " but for the model's thoughts" * bool(_spoken(message).strip())
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
