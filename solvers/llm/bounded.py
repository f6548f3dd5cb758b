"""An HTTP client that limits the size and the duration of responses.

A slow trickle of bytes trips no read time-out, and a body may be larger than the memory.
"""

from __future__ import annotations

import time
from typing import Any

from secagent_env.support.extras import require

MAX_BODY_BYTES = 4_000_000

TOO_LARGE, TOO_LATE = "too large", "timeout"

ENDING = "secagent_ending"
"""The extension of a response with the reason why its body was cut; absent where it was not cut."""

FRAMING = {"content-encoding", "content-length", "transfer-encoding"}


def bounded_client(timeout_s: float, *, proxies: bool) -> Any:
    """Return a client for ``openai.OpenAI(http_client=…)``, which reads every body before it returns the response.

    It waits ``timeout_s`` for the response, and for each part of it; ``proxies`` are those of the environment.
    """
    base: Any = require("openai", extra="llm").DefaultHttpxClient

    class BoundedClient(base):
        def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            deadline = time.monotonic() + timeout_s
            response = super().send(request, stream=True, **options)
            try:
                content, ending = _read(response, deadline)
            finally:
                response.close()
            return type(response)(
                response.status_code,
                headers=[(name, value) for name, value in response.headers.multi_items() if name not in FRAMING],
                content=content,
                extensions={ENDING: ending} if ending else {},
                request=response.request,
            )

    return BoundedClient(timeout=timeout_s, trust_env=proxies)


def _read(response: Any, deadline: float) -> tuple[bytes, str]:
    """Return a decoded body, or the part that was read and the reason for the cut."""
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            return bytes(content[:MAX_BODY_BYTES]), TOO_LARGE
        if time.monotonic() > deadline:
            return bytes(content), TOO_LATE
    return bytes(content), ""
