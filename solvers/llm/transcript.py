"""Transcripts: requests to a model and its replies, a JSON object per line, to resume and replay runs.

A line is appended when its reply arrives, in one write and under a lock, so that several processes may share a file. A
reply is found by the hash of the model, the messages and the parameters of its request.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from solvers.llm.chat import MAX_REPLY_CHARACTERS, Chat, Closing, EndpointError, Permit, Reply, Request

FORMAT = "secagent transcript"
VERSION = 1

REPLY_FIELDS = {field.name: field.default for field in dataclasses.fields(Reply) if field.name != "recorded"}


class Transcript(Closing):
    """The last reply for each key of a transcript, the models of the replies, and its file; a context manager.

    A ``writable`` file is opened for appending, and created where there is none. An incomplete last line is left out;
    any other line that is not one of a transcript raises ValueError.
    """

    def __init__(self, path: str | Path, *, writable: bool = False) -> None:
        self.path = Path(path)
        self.replies: dict[str, Reply] = {}
        self.models: set[str] = set()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT if writable else os.O_RDONLY
        self._lock = threading.Lock()
        self._descriptor = os.open(self.path, flags | os.O_CLOEXEC, 0o666)
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def append(self, model: str, request: Request, reply: Reply) -> None:
        """Add a request and its reply; the line outlives a process that is killed afterwards."""
        key = request.key(model)
        line = {
            "format": FORMAT,
            "version": VERSION,
            "key": key,
            "model": model,
            "request": request.to_dict(),
            "reply": {name: getattr(reply, name) for name in REPLY_FIELDS},
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        content = json.dumps(line, allow_nan=False).encode() + b"\n"
        with self._lock:
            self._write(content)
            self.replies[key] = reply
            self.models.add(model)

    def _write(self, content: bytes) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            # Under the lock nobody else writes: an incomplete last line comes from a process that died.
            size = os.fstat(self._descriptor).st_size
            if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
                whole = os.pread(self._descriptor, size, 0).rfind(b"\n") + 1
                os.ftruncate(self._descriptor, whole)
            written = os.write(self._descriptor, content)
            if written < len(content):
                raise OSError(f"{self.path} took only a part of a line: is the disk full?")
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _read(self) -> None:
        with open(self._descriptor, "rb", closefd=False) as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    key, model, reply = _parsed(line)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    raise ValueError(
                        f"{self.path}, line {number}, is not a line of a transcript of version {VERSION}; "
                        "remove the line, or name another file"
                    ) from None
                self.replies[key] = reply
                self.models.add(model)


def _parsed(line: bytes) -> tuple[str, str, Reply]:
    """Return the key, the model and the reply of a line; raise one of many errors if the line is of another form."""
    fields = json.loads(line)
    key, model, content = fields["key"], fields["model"], fields["reply"]
    known = (fields["format"], fields["version"]) == (FORMAT, VERSION)
    if not known or not isinstance(key, str) or not isinstance(model, str):
        raise ValueError
    content = {"requests": 1, **content}  # of versions that did not count them
    values = {name: _typed(content[name], default) for name, default in REPLY_FIELDS.items()}
    values["text"] = values["text"][:MAX_REPLY_CHARACTERS]
    return key, model, Reply(**values)


def _typed(value: Any, like: Any) -> Any:
    """Return a value; raise TypeError unless it has the type of another one."""
    if isinstance(like, float) and type(value) is int:
        return float(value)
    if type(value) is not type(like) or value != value:
        raise TypeError
    return value


class Recorded:
    """Answers from a transcript where it can; else asks another chat, and records the reply.

    A recorded reply with a fault is no answer: the request is sent again.
    """

    def __init__(self, chat: Chat, transcript: Transcript) -> None:
        self.model = chat.model
        self._chat = chat
        self._transcript = transcript

    def complete(self, request: Request, permit: Permit | None = None) -> Reply:
        """Return the recorded answer, or a new one."""
        reply = self._transcript.replies.get(request.key(self.model))
        if reply is not None and not reply.fault:
            return dataclasses.replace(reply, recorded=True)
        reply = self._chat.complete(request, permit)
        self._transcript.append(self.model, request, reply)
        return reply


class Replay:
    """Answers from a transcript alone, with recorded faults too; nothing is sent.

    Without the name of the model, the transcript must hold the replies of one model alone, or ValueError is raised.
    """

    def __init__(self, transcript: Transcript, model: str | None = None) -> None:
        self.model = only_model(transcript) if model is None else model
        self._transcript = transcript

    def complete(self, request: Request, permit: Permit | None = None) -> Reply:
        """Return the recorded reply; raise EndpointError where there is none."""
        reply = self._transcript.replies.get(request.key(self.model))
        if reply is None:
            raise EndpointError(
                f"{self._transcript.path} holds no reply of {self.model} to this question: the solver's settings, the "
                "instance, the seed or the version differ from the recorded run's; replay with those, or record anew "
                "with transcript="
            )
        return dataclasses.replace(reply, recorded=True)


def only_model(transcript: Transcript) -> str:
    """Return the model of a transcript; raise ValueError unless there is exactly one."""
    if len(transcript.models) == 1:
        return next(iter(transcript.models))
    if not transcript.models:
        raise ValueError(f"{transcript.path} holds no replies; name a transcript that was recorded")
    models = ", ".join(sorted(transcript.models))
    raise ValueError(f"{transcript.path} holds replies of several models ({models}); name one with model=")
