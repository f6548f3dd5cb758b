"""The file of a recording: JSON lines in one xz stream, sealed by the digest of all of them.

The first line is the header, then comes a line for each cell, and the last one is the seal. A reply is an object that
leaves out what is as usual, after the key of its request (:meth:`solvers.llm.chat.Request.key`).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import lzma
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secagent_env.support.files import write_bytes
from secagent_env.support.reading import parse_json, read_bytes
from secagent_env.support.version import __version__
from solvers.llm.chat import Reply
from solvers.llm.transcript import REPLY_FIELDS, reply_of

FORMAT = "secagent recording"
VERSION = 1
MAX_BYTES = 20_000_000
"""Larger files are neither read nor written."""
MAX_UNPACKED_BYTES = 1 << 28
"""What unpacks to more is not read (268 MB)."""
USUAL = dataclasses.asdict(Reply())


@dataclass(frozen=True)
class RecordedReply:
    """A reply, the model that gave it, and the key of its request."""

    key: str
    model: str
    reply: Reply


@dataclass(frozen=True)
class Recording:
    """What models answered in a run.

    Attributes
    ----------
    command
        The command that records it anew.
    title
        What it is, in words.
    options
        The options of the recorded run, as plain data by name.
    cells
        The replies of each cell, in the order of their calls.
    version
        The version of secagent that wrote it.
    """

    command: str
    title: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, tuple[RecordedReply, ...]] = field(default_factory=dict)
    version: str = __version__

    @property
    def models(self) -> list[str]:
        """The names of the models, in alphabetical order."""
        return sorted({each.model for replies in self.cells.values() for each in replies})


def write_recording(path: str | Path, recording: Recording) -> None:
    """Write a recording: the same bytes for the same content; raise ValueError if it is too large, OSError."""
    header = {"format": FORMAT, "version": VERSION, "title": recording.title, "command": recording.command}
    header |= {"options": dict(recording.options), "models": recording.models, "secagent": recording.version}
    lines: list[Any] = [header]
    lines += [{"cell": name, "replies": _packed(recording.cells[name])} for name in sorted(recording.cells)]
    content = b"".join(json.dumps(line, allow_nan=False, ensure_ascii=False).encode() + b"\n" for line in lines)
    packed = lzma.compress(content + _seal(content))
    if len(packed) > MAX_BYTES or len(content) > MAX_UNPACKED_BYTES // 2:
        raise ValueError(f"{path} would have {len(packed) / 1e6:.3g} MB: record fewer cells")
    write_bytes(Path(path), packed)


def read_recording(path: str | Path) -> Recording:
    """Return the recording in a file, which is read once for as long as it does not change.

    Raises
    ------
    ValueError
        If it is no recording, of a newer version, or damaged.
    OSError
        If it cannot be read.
    """
    status = os.stat(path)
    return _read(str(path), status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)
def _read(path: str, *state: int) -> Recording:
    packed = read_bytes(path, MAX_BYTES)
    try:
        content = _unpacked(packed)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(
            f"{path} is no recording, or damaged ({error or 'it ends too early'}): fetch it again"
        ) from None
    lines = content.splitlines(keepends=True)
    damaged = f"{path} is damaged: its content is not what its digest says; fetch it again"
    try:
        header = parse_json(lines[0])
        if header["format"] != FORMAT:
            raise KeyError
    except (ValueError, KeyError, TypeError, IndexError):
        raise ValueError(f"{path} is no recording of secagent") from None
    if header.get("version") != VERSION:
        raise ValueError(
            f"{path} is a recording of the version {header.get('version')!r:.20}, and this secagent reads version "
            f"{VERSION}: take the secagent that wrote it ({header.get('secagent')!r:.40})"
        )
    if len(lines) < 2 or lines[-1] != _seal(b"".join(lines[:-1])):
        raise ValueError(damaged)
    try:
        return _recording(header, [parse_json(line) for line in lines[1:-1]])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds what no recording holds ({' '.join(str(error).split())})") from None


def _recording(header: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> Recording:
    texts = {name: header[name] for name in ("command", "title")} | {"version": header["secagent"]}
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(header["options"], dict):
        raise TypeError("a header of another form")
    cells: dict[str, tuple[RecordedReply, ...]] = {}
    for line in lines:
        if line["cell"] in cells:
            raise ValueError(f"the cell {line['cell']!r:.80} twice")
        cells[line["cell"]] = tuple(map(_unpacked_reply, line["replies"]))
    return Recording(options=header["options"], cells=cells, **texts)


def _packed(replies: Iterable[RecordedReply]) -> list[dict[str, Any]]:
    fields = [(each, {name: getattr(each.reply, name) for name in REPLY_FIELDS}) for each in replies]
    return [
        {"call": number, "key": each.key, "model": each.model}
        | {name: value for name, value in values.items() if value != USUAL[name]}
        for number, (each, values) in enumerate(fields)
    ]


def _unpacked_reply(data: Mapping[str, Any]) -> RecordedReply:
    known = {"call", "key", "model", *REPLY_FIELDS}
    if not isinstance(data["key"], str) or not isinstance(data["model"], str) or not set(data) <= known:
        raise TypeError("a reply of another form")
    return RecordedReply(data["key"], data["model"], reply_of({**USUAL, **data}))


def _unpacked(packed: bytes) -> bytes:
    """Return the content of one xz stream, and nothing after it; raise EOFError if it is cut, LZMAError otherwise."""
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    content = stream.decompress(packed, MAX_UNPACKED_BYTES)
    if not stream.eof:
        raise EOFError("it ends too early")
    if stream.unused_data:
        raise lzma.LZMAError("something follows its end")
    return content


def _seal(content: bytes) -> bytes:
    return json.dumps({"digest": hashlib.sha256(content).hexdigest()}).encode() + b"\n"
