"""An endpoint that misbehaves on demand: a real HTTP server on the loopback interface that follows a script."""

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

Step = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    server: "FaultyServer"

    def do_POST(self):
        self.body = body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        with self.server.lock:
            step = self.server.script[min(len(self.server.bodies), len(self.server.script) - 1)]
            self.server.bodies.append(body)
            self.server.keys.append(self.headers.get("Authorization", ""))
            self.server.now += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.now)
        try:
            step(self)
        except ConnectionError:
            pass  # the client has had enough
        finally:
            with self.server.lock:
                self.server.now -= 1

    do_GET = do_POST  # what some redirects turn a request into

    def log_message(self, format, *args):
        pass

    def begin(self, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


class FaultyServer(ThreadingTCPServer):
    """Answers the n-th request by the n-th step of a script; the last step holds for all after it.

    ``bodies`` and ``keys`` hold what was asked, ``most_at_once`` how many requests were under way at a time.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *script: Step):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.bodies: list[dict] = []
        self.keys: list[str] = []
        self.lock = threading.Lock()
        self.now = self.most_at_once = 0
        self.over = threading.Event()
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        pass


def completion(text=None, *, finish="stop", usage=(10, 5), **message) -> dict:
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "faulty-1",
        "system_fingerprint": "fp_7",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
    }
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return body


def sends(body: object, status: int = 200, **headers: str) -> Step:
    """Send a body: bytes as they are, all else as JSON."""

    def step(handler: Handler) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.begin(status, len(content), **headers)
        handler.wfile.write(content)

    return step


def says(text: str | None, delay: float = 0.0, **options) -> Step:
    """Answer with a text."""

    def step(handler: Handler) -> None:
        time.sleep(delay)
        sends(completion(text, **options))(handler)

    return step


def fails(status: int, message: str = "no", param: str | None = None, code: str | None = None, **headers) -> Step:
    """Answer with an error in OpenAI's form."""
    return sends({"error": {"message": message, "type": "error", "param": param, "code": code}}, status, **headers)


def echoes_key(status: int) -> Step:
    """Quote the key in the error, the headers and the text, as careless servers do."""

    def step(handler: Handler) -> None:
        key = handler.headers["Authorization"].removeprefix("Bearer ")
        fails(status, f"Incorrect API key provided: {key}. \x1b[31m Bearer {key}\r\n", X_Key=key)(handler)

    return step


def hangs(handler: Handler) -> None:
    handler.server.over.wait(20)


def drips(status: int = 200) -> Step:
    """Send a byte now and then, for ever: no single read takes long."""

    def step(handler: Handler) -> None:
        handler.begin(status)
        while not handler.server.over.wait(0.02):
            handler.wfile.write(b" ")

    return step


def drips_headers(handler: Handler) -> None:
    """Send a header byte by byte, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.over.wait(0.02):
        handler.wfile.write(b"x")


def hints(handler: Handler) -> None:
    """Send one 103 Early Hints after the other, for ever."""
    while not handler.server.over.wait(0.02):
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


def redirects(status: int, location: str = "") -> Step:
    """Redirect, by default to the same address."""

    def step(handler: Handler) -> None:
        handler.begin(status, 0, Location=location or handler.path)

    return step


def breaks_off(handler: Handler) -> None:
    handler.begin(200, 10_000)
    handler.wfile.write(b'{"choices": [')


def hangs_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def huge(handler: Handler) -> None:
    """Send 20 MB, or as much as the client takes."""
    handler.begin(200)
    for _ in range(20):
        handler.wfile.write(b"x" * 1_000_000)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
