"""An HTTP client that limits the size and the duration of responses, and that can be cut off while it waits.

A slow trickle of bytes trips no read time-out, be it of a body, of headers or of one ``103 Early Hints`` after the
other; the name of a host may take long to look up; and a body may be larger than the memory.
"""

from __future__ import annotations

import random
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from secagent_env.support.extras import require

MAX_BODY_BYTES = 4_000_000

TOO_LARGE = "too large"

ENDING = "secagent_ending"
"""The extension of a response with the reason why its body was cut; absent where it was not cut."""

FRAMING = {b"content-encoding", b"content-length", b"transfer-encoding"}

T = TypeVar("T")


class Stopped(Exception):
    """A wait was given up because of what happened elsewhere: an interrupt, or the end of the time for a solve."""


def bounded_client(timeout_s: float, *, context: Any, proxies: bool) -> Any:
    """Return a client for ``openai.OpenAI(http_client=…)``, which reads every body before it returns the response.

    It follows no redirects, and is for one request at a time. ``timeout_s`` bounds each operation on the socket, s;
    ``context`` is the ssl.SSLContext; ``proxies``: whether to use those of the environment.

    Its attribute ``sent`` is the number of requests that it has begun to send; ``cut()`` ends what is under way.
    """
    base: Any = require("openai", extra="llm").DefaultHttpxClient

    class BoundedClient(base):
        sent = 0

        def __init__(self) -> None:
            super().__init__(timeout=timeout_s, verify=context, trust_env=proxies, follow_redirects=False)
            self._guard = threading.Lock()
            self._socket: socket.socket | None = None
            self.over = False

        def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            request.extensions["trace"] = self._trace
            response = super().send(request, stream=True, **options)
            try:
                content, ending = _read(response)
            finally:
                response.close()
            return type(response)(
                response.status_code,
                headers=[(name, value) for name, value in response.headers.raw if name.lower() not in FRAMING],
                content=content,
                extensions={ENDING: ending} if ending else {},
                request=response.request,
            )

        def cut(self) -> None:
            with self._guard:
                self.over = True
                self._shut()

        def _shut(self) -> None:
            if self._socket is not None:
                with suppress(OSError):  # it is closed already; a TLS socket's own method would tear it apart
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

        def _trace(self, event: str, info: dict[str, Any]) -> None:
            """Follow httpcore: which socket is in use, and whether a request, other than one to a proxy, goes out."""
            stream: Any = info.get("return_value")
            with self._guard:
                if hasattr(stream, "get_extra_info"):
                    self._socket = stream.get_extra_info("socket")
                if self.over:
                    self._shut()
                if event.endswith("send_request_headers.started"):
                    if self.over:
                        raise Stopped
                    self.sent += info["request"].method != b"CONNECT"

    return BoundedClient()


def trusted_certificates() -> Any:
    """Return the ssl.SSLContext that the HTTP library makes by itself, with ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``."""
    client = require("openai", extra="llm").DefaultHttpxClient.__mro__[1]  # of httpx2, or httpx with an earlier openai
    return sys.modules[client.__module__.partition(".")[0]].create_ssl_context()


def no_certificates() -> Any:
    """Return an ssl.SSLContext that trusts nobody, for connections without TLS; it reads no file."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def within(seconds: float, client: Any, call: Callable[[], T], stopped: Future[None]) -> T:
    """Return what a call returns, or raise what it raises.

    The call runs in a thread of its own, which is left behind, with the ``client`` that it uses cut off, as soon as the
    wait ends: after ``seconds`` with TimeoutError, once ``stopped`` is done with Stopped, or by an interrupt.
    """
    if stopped.done():
        raise Stopped
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:
            result.set_exception(error)

    try:
        threading.Thread(target=run, name="secagent-request", daemon=True).start()
        either: list[Future[Any]] = [result, stopped]
        wait(either, seconds, FIRST_COMPLETED)
    finally:
        done = result.done()
        if not done:
            client.cut()
            result.add_done_callback(lambda _: client.close())
    if not done:
        raise Stopped if stopped.done() else TimeoutError
    return result.result()


def backoff_s(retries: int) -> float:
    """Return the wait before the next repetition, s: half a second, then twice as long each time, up to 8 s."""
    return float(min(0.5 * 2**retries, 8.0) * random.uniform(0.75, 1.0))


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return the wait that a server asks for, s; 0 where it asks for none, or for nonsense."""
    value = headers.get("retry-after", "")
    try:
        if milliseconds := headers.get("retry-after-ms"):
            seconds = float(milliseconds) / 1000
        elif value and not value[0].isdigit():
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        else:
            seconds = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return seconds if seconds >= 0 else 0.0  # NaN too


def _read(response: Any) -> tuple[bytes, str]:
    """Return a decoded body, or the part that was read and the reason for the cut."""
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            return bytes(content[:MAX_BODY_BYTES]), TOO_LARGE
    return bytes(content), ""
