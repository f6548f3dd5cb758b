"""Transcripts: requests to a model and its replies, a JSON object per line, to resume and replay runs.

A line is appended when its reply arrives, in one write and under a lock, so that several processes may share a file. It
carries a digest of its content. A reply is found by the hash of the model, the messages and the parameters of its
request.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import stat
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from secagent_env.support.digests import sealed, verified
from secagent_env.support.reading import parse_json
from solvers.llm.chat import MAX_REPLY_CHARACTERS, Chat, Closing, NotRecorded, Permit, Reply, Request

FORMAT = "secagent transcript"
VERSION = 1
MAX_LINE_BYTES = 1 << 23
"""Longer lines are neither read nor written (8 MB); a reply has at most a tenth of that."""

_BEGINNING = f'{{"format": "{FORMAT}", "version": {VERSION}, '.encode()

REPLY_FIELDS = {field.name: field.default for field in dataclasses.fields(Reply) if field.name != "recorded"}


class Transcript(Closing):
    """The last reply for each key of a transcript, its model and the number of its call, and the file.

    It is a context manager. Without ``prompts`` what is added to it holds the keys of requests and not their text. A
    ``writable`` file is opened for appending, and created where there is none. The beginning of a line at the end,
    which a process that died has left, is left out, and removed when the next line is written. A file in which anything
    else is no line of a transcript, or a line is damaged, stays as it is.

    Raises
    ------
    ValueError
        If it is no transcript, or damaged.
    OSError
        If it cannot be opened, or is no regular file.
    """

    def __init__(self, path: str | Path, *, writable: bool = False, prompts: bool = True) -> None:
        self.path = Path(path)
        self.replies: dict[str, Reply] = {}
        self.models: set[str] = set()
        self.calls: dict[str, tuple[str, int]] = {}
        self._prompts = prompts
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT if writable else os.O_RDONLY
        self._lock = threading.Lock()
        self._descriptor = os.open(self.path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)  # no wait for a pipe's end
        try:
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                raise OSError(f"{self.path} is no regular file: a transcript is read, and added to at its end")
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

    def append(self, model: str, request: Request, reply: Reply, call: int = 0) -> None:
        """Add a request, the number of its call, and its reply; the line outlives a process that is killed then."""
        self.add(request.key(model), model, reply, call, request if self._prompts else None)

    def add(self, key: str, model: str, reply: Reply, call: int = 0, request: Request | None = None) -> None:
        """Add a reply by the key of its request, which may be left out itself."""
        line = {
            "format": FORMAT,
            "version": VERSION,
            "key": key,
            "model": model,
            "call": call,
            "request": None if request is None else request.to_dict(),
            "reply": {name: getattr(reply, name) for name in REPLY_FIELDS},
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        content = json.dumps(sealed(line), allow_nan=False).encode() + b"\n"
        if len(content) > MAX_LINE_BYTES:
            raise ValueError(f"a request is too large to be recorded in {self.path}: its line has {len(content)} bytes")
        with self._lock:
            self._write(content)
            self._take(key, model, call, reply)

    def _take(self, key: str, model: str, call: int, reply: Reply) -> None:
        self.replies[key] = reply
        self.models.add(model)
        self.calls[key] = (model, call)

    def _write(self, content: bytes) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            # Under the lock nobody else writes: an incomplete last line comes from a process that died.
            size = os.fstat(self._descriptor).st_size
            if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
                rest = os.pread(self._descriptor, MAX_LINE_BYTES, max(0, size - MAX_LINE_BYTES)).rpartition(b"\n")[2]
                if _is_beginning(rest, size - len(rest)):
                    size -= len(rest)
                    os.ftruncate(self._descriptor, size)
                elif self._parsed(rest) is None:
                    raise ValueError("its end is no line of a transcript, and nothing is added")
                else:
                    content = b"\n" + content
            self._append(content, size)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _append(self, content: bytes, size: int) -> None:
        """Add whole lines to the file of this size, or nothing."""
        try:
            if os.write(self._descriptor, content) == len(content):
                return
            reason = "only a part of a line could be written: is the disk full?"
        except OSError as error:
            reason = os.strerror(error.errno or 0)
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, size)
        raise OSError(f"{self.path}: {reason}")

    def _read(self) -> None:
        with open(self._descriptor, "rb", closefd=False) as file:
            number = start = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                try:
                    parsed = self._parsed(line)
                except ValueError as error:
                    raise ValueError(f"{self.path}, line {number}: {error}") from None
                if parsed is not None:
                    self._take(*parsed)
                elif not _is_beginning(line, start):
                    raise ValueError(
                        f"{self.path}, line {number}, is not a line of a transcript of version {VERSION}; "
                        "remove the line, or name another file"
                    )
                start += len(line)

    def _parsed(self, line: bytes) -> tuple[str, str, int, Reply] | None:
        """Return key, model, call and reply of a line, or None if it is none; raise ValueError if it is damaged."""
        try:
            fields = parse_json(line.decode())
            if (fields["format"], fields["version"]) != (FORMAT, VERSION):
                return None
        except (ValueError, KeyError, TypeError):
            return None
        entries = verified(fields, self.path)
        try:
            return _content(entries)
        except (KeyError, TypeError):
            return None


def _is_beginning(line: bytes, start: int) -> bool:
    """Whether bytes at the end of a file, from ``start``, are the beginning of a line that was not written to its end.

    Of a file's first line enough must be there to tell it from anything else.
    """
    if line.endswith(b"\n") or len(line) >= MAX_LINE_BYTES or _holds_object(line):
        return False
    return line.startswith(_BEGINNING) or (start > 0 and _BEGINNING.startswith(line))


def _holds_object(line: bytes) -> bool:
    """Whether a line begins with a whole JSON object: one that is cut does not."""
    try:
        json.JSONDecoder().raw_decode(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return False
    return True


def _content(fields: dict[str, Any]) -> tuple[str, str, int, Reply]:
    """Return key, model, call and reply of a line; raise KeyError or TypeError if it has another form."""
    key, model, call, content = fields["key"], fields["model"], fields.get("call", 0), fields["reply"]
    if not isinstance(key, str) or not isinstance(model, str) or not isinstance(call, int):
        raise TypeError
    return key, model, call, reply_of({"requests": 1, "adapted": "", **content})  # of versions without these


def reply_of(content: Mapping[str, Any]) -> Reply:
    """Return the reply with these fields; raise KeyError or TypeError if one is missing or of another type."""
    values = {name: _typed(content[name], default) for name, default in REPLY_FIELDS.items()}
    values["text"] = values["text"][:MAX_REPLY_CHARACTERS]
    return Reply(**values)


def _typed(value: Any, like: Any) -> Any:
    """Return a value; raise TypeError unless it has the type of another one."""
    if isinstance(like, float) and type(value) is int:
        return float(value)
    if type(value) is not type(like):
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
        self._transcript.append(self.model, request, reply, permit.number if permit else 0)
        return reply


class Replay:
    """Answers from a transcript alone, with recorded faults too; nothing is sent.

    Without the name of the model, the transcript must hold the replies of one model alone, or ValueError is raised.
    """

    def __init__(self, transcript: Transcript, model: str | None = None) -> None:
        self.model = only_model(transcript) if model is None else model
        self._transcript = transcript

    def complete(self, request: Request, permit: Permit | None = None) -> Reply:
        """Return the recorded reply; raise NotRecorded where there is none."""
        reply = self._transcript.replies.get(request.key(self.model))
        if reply is None:
            raise NotRecorded(
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
