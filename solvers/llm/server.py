"""A small server that speaks OpenAI's chat completions and answers by rules, with the standard library alone.

It tests the protocol on a machine without a model: point ``base_url`` at it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Self

from solvers.llm.chat import STANDIN_MODEL, Closing, Message, estimated_tokens
from solvers.llm.standin import FINGERPRINT, Rules

logger = logging.getLogger("secagent.llm.server")

MAX_REQUEST_BYTES = 4_000_000
SOCKET_TIMEOUT_S = 30.0


class Refused(Exception):
    """A request is answered with an error: the status, the sentence, and OpenAI's code."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class StandinServer(Closing):
    """The server, bound to its address: enter it to answer from a thread, or call its ``serve_forever``.

    Parameters
    ----------
    rules
        The stand-in's rules, called from several threads.
    port
        The port to listen on; 0 picks a free one.
    host
        The address to listen on; ``"0.0.0.0"`` or ``"::"`` stands for all of this machine's.

    Attributes
    ----------
    base_url
        The base URL for clients, on this machine where the server listens on all addresses.
    public
        Whether others can ask: everybody who reaches the address, unless it is a loopback address.

    Raises
    ------
    ValueError
        If the host is empty.
    OSError
        If the address is taken, or is not this machine's.
    """

    def __init__(self, rules: Rules, port: int = 0, host: str = "127.0.0.1") -> None:
        if not host.strip():
            raise ValueError(
                "the host must not be empty: give 127.0.0.1 for this machine alone, or 0.0.0.0 to listen everywhere, "
                "which lets everybody ask who reaches this machine"
            )
        try:
            self._server = _Server(rules, host, port)
        except (OSError, OverflowError, UnicodeError) as error:
            raise OSError(f"cannot listen on {host}, port {port} ({error}); choose another one") from None
        bound = ipaddress.ip_address(str(self._server.server_address[0]))
        self.public = not bound.is_loopback
        if bound.is_unspecified:
            host = "::1" if bound.version == 6 else "127.0.0.1"
        port = self._server.server_address[1]
        self.base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def serve_forever(self) -> None:
        """Answer in this thread until it is interrupted."""
        try:
            self._server.serve_forever()
        finally:
            self.close()

    def close(self) -> None:
        """Stop answering; closing twice does no harm."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    """Connections that wait while the machine is busy; of more than the default of 5 some are dropped."""

    def __init__(self, rules: Rules, host: str, port: int) -> None:
        self.rules = rules
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a connection from %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = SOCKET_TIMEOUT_S
    server_version = "secagent"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        self._answer(self._models)

    def do_POST(self) -> None:
        self._answer(self._complete)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send the standard library's refusals in the form of all other errors."""
        self._send_json(int(code), _error(int(code), message or "the request is not HTTP that this server speaks"))

    def _answer(self, respond: Callable[[], None]) -> None:
        try:
            respond()
        except Refused as error:
            self._send_json(error.status, _error(error.status, str(error), error.code))
        except TimeoutError:
            self._send_json(408, _error(408, "the request did not come to its end in time"))
        except ConnectionError:
            raise
        except Exception:
            logger.exception("the stand-in failed")
            self._send_json(500, _error(500, "the stand-in failed; the server's log says more"))

    def _models(self) -> None:
        if self.path.rstrip("/") != "/v1/models":
            raise Refused(404, "there is nothing here; ask GET /v1/models or POST /v1/chat/completions")
        model = {"id": STANDIN_MODEL, "object": "model", "created": 0, "owned_by": "secagent"}
        self._send_json(200, {"object": "list", "data": [model]})

    def _complete(self) -> None:
        content = self._body()
        if self.path.rstrip("/") != "/v1/chat/completions":
            raise Refused(404, "there is nothing here; ask GET /v1/models or POST /v1/chat/completions")
        messages, seed, stream = _read_request(content)
        text = self.server.rules(messages, seed)
        (self._send_stream if stream else self._send_json)(200, _completion(messages, seed, text))

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(411, "the request must say its Content-Length")
        if len(length) > 12 or int(length) > MAX_REQUEST_BYTES:
            # A client reads no answer while it sends: a body that is a little too large is read before it is refused.
            remaining = min(int(length[:12]), 10 * MAX_REQUEST_BYTES)
            while remaining > 0 and (chunk := self.rfile.read(min(remaining, MAX_REQUEST_BYTES))):
                remaining -= len(chunk)
            raise Refused(413, f"the request is larger than {MAX_REQUEST_BYTES} bytes")
        return self.rfile.read(int(length))

    def _send_json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send_stream(self, status: int, body: dict[str, Any]) -> None:
        choice = body["choices"][0]
        delta = {"index": 0, "delta": choice["message"], "finish_reason": choice["finish_reason"]}
        chunk = {**body, "object": "chat.completion.chunk", "choices": [delta]}
        self._send(status, "text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _error(status: int, message: str, code: str | None = None) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _read_request(content: bytes) -> tuple[list[Message], int, bool]:
    """Return the messages, the seed and whether to stream; raise Refused if the request is bad."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Refused(400, "the request is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "the request must be a JSON object")
    if body.get("model") != STANDIN_MODEL:
        raise Refused(404, f"this server has one model, {STANDIN_MODEL!r}", "model_not_found")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages must be a list of at least one message")
    seed = body.get("seed")
    if seed is not None and type(seed) is not int:
        raise Refused(400, "seed must be an integer")
    if body.get("n") not in (None, 1):
        raise Refused(400, "n must be 1: this server gives one answer to a request")
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise Refused(400, "stream must be true or false")
    return [_message(item) for item in messages], seed or 0, bool(stream)


def _message(item: Any) -> Message:
    role, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (None, None)
    if isinstance(content, list):
        texts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        content = "".join(texts) if len(texts) == len(content) else None
    if not isinstance(role, str) or not isinstance(content, str):
        raise Refused(400, "each message must have a role and a content, which is text")
    return Message(role, content)


def _completion(messages: Sequence[Message], seed: int, text: str) -> dict[str, Any]:
    digest = hashlib.sha256(repr((messages, seed, text)).encode()).hexdigest()
    prompt, completion = estimated_tokens([message.content for message in messages]), estimated_tokens([text])
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": STANDIN_MODEL,
        "system_fingerprint": FINGERPRINT,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    }
