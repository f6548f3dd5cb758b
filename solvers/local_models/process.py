"""A server in a process of its own: started, waited for, and ended with whoever started it."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from secagent_env.support.secrets import excerpt
from solvers.llm.chat import Closing
from solvers.local_models.gguf import check_gguf
from solvers.local_models.servers import ONE_AT_A_TIME, Load, ServerProgram

logger = logging.getLogger("secagent.local_models")

HOST = "127.0.0.1"
TELL_EVERY_S = 10.0
ASK_EVERY_S = 0.2
FIRST_REPLY_S = 120.0
"""The longest wait for the first reply, s, which is one token long."""
END_S = 10.0
"""The longest wait for a server to end by itself, s; then it is killed."""
OVERRULING = ("HOST", "PORT", "CONFIG_FILE")
"""Variables of the environment that would overrule the options of llama_cpp.server."""


class LocalServer(Closing):
    """A server of one model on the loopback address; enter it to start it, and to wait until it has answered.

    Its process ends when the context ends, also by an interrupt.

    Parameters
    ----------
    program
        The server.
    path
        The GGUF file.
    model
        The name under which the model is asked.
    port
        0 for any that is free.
    load
        What it does at a time.
    start_s
        The longest wait for the server to load the model, s.
    extra
        More options for the server's command line.

    Raises
    ------
    ValueError
        If the file is no GGUF file, or an option does not fit the server.
    OSError
        If the port is taken, or the server ends or does not answer; the sentence holds the server's last line.
    """

    def __init__(
        self,
        program: ServerProgram,
        path: Path,
        model: str,
        *,
        port: int = 0,
        load: Load = ONE_AT_A_TIME,
        start_s: float = 600.0,
        extra: Sequence[str] = (),
    ) -> None:
        check_gguf(path)
        self.program, self.model, self._start_s = program, model, start_s
        port = _free_port(port)
        self.base_url = f"http://{HOST}:{port}/v1"
        self._line = program.line(path, model, port, load, extra)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if name not in OVERRULING}
        logger.debug("starting %s", " ".join(self._line))
        try:
            # A session of its own: Ctrl-C reaches this process alone, which then ends the server.
            self._process = subprocess.Popen(
                self._line,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
            self._await_model()
            self._await_reply()
        except BaseException:
            self.close()
            raise
        return self

    def wait(self) -> None:
        """Wait for the server's end, which is an error: OSError says what it said last."""
        assert self._process is not None
        self._process.wait()
        raise self._ended()

    def close(self) -> None:
        """End the server; closing twice does no harm."""
        process, self._process = self._process, None
        try:
            if process is not None:
                process.terminate()
                process.wait(END_S)
        except subprocess.TimeoutExpired:
            logger.warning("%s does not end by itself, and is killed", self.program.name)
        finally:
            if process is not None:
                process.kill()  # after a second Ctrl-C too; of one that has ended nothing is left to kill
                process.wait()
            self._log.close()

    def _await_model(self) -> None:
        began = told = time.monotonic()
        while not self._answers("/models"):
            now = time.monotonic()
            if self._process is None or self._process.poll() is not None:
                raise self._ended()
            if now - began > self._start_s:
                raise OSError(f"{self.program.name} has not loaded the model in {self._start_s:g} s{self._last_line()}")
            if now - told >= TELL_EVERY_S:
                told = now
                logger.info("%s loads the model: %.0f s so far", self.program.name, now - began)
            time.sleep(ASK_EVERY_S)

    def _await_reply(self) -> None:
        """Ask for one token: on some processors a server built for another one ends only now."""
        question = {"model": self.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
        if not self._answers("/chat/completions", question, FIRST_REPLY_S):
            try:
                assert self._process is not None
                self._process.wait(1.0)
            except subprocess.TimeoutExpired:
                raise OSError(f"{self.program.name} gives no reply{self._last_line()}") from None
            raise self._ended()

    def _answers(self, place: str, body: Any = None, timeout_s: float = 5.0) -> bool:
        """Whether a request is answered with status 200."""
        request = urllib.request.Request(
            self.base_url + place,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=timeout_s) as response:
                response.read()
                return bool(response.status == 200)
        except (OSError, ValueError):  # nobody listens yet, or the model is being loaded
            return False

    def _ended(self) -> OSError:
        assert self._process is not None
        status = self._process.returncode
        how = f"with status {status}" if status >= 0 else f"by {_signal_name(-status)}"
        hint = ""
        if -status in (signal.SIGILL, signal.SIGSEGV, signal.SIGBUS):
            hint = ": it may be built for another processor (docs/local-models.md says how to build it for this one)"
        return OSError(f"{self.program.name} ended {how}{hint}{self._last_line()}")

    def _last_line(self) -> str:
        """Return what the server said last, for the end of a sentence."""
        size = os.fstat(self._log.fileno()).st_size
        text = os.pread(self._log.fileno(), 4096, max(0, size - 4096)).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"; it said last: {excerpt(lines[-1], 160, ())}" if lines else ""


def _free_port(port: int) -> int:
    """Return a port that is free now; OSError if the wanted one is not."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise OSError(f"cannot listen on {HOST}, port {port} ({error.strerror}); choose another one") from None
        return int(probe.getsockname()[1])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
