"""Texts on the wire: compressed JSON with a checksum, checked before anything is made of it; data, never code."""

from __future__ import annotations

import bz2
import hashlib
import json
import zlib
from collections.abc import Iterable
from typing import Any

from solvers.knowledge.store.passages import Passage

VERSION = 1
MAX_TEXT_BYTES = 1 << 28
"""Messages that unfold to more are refused."""
_CHECK = 8
_DEFLATE, _BLOCK_SORT = 0, 1
"""Codecs: few texts are smaller by the first, many by the second."""
_TRIED = 1 << 16
"""Below so many bytes the sender tries both codecs."""
_FIELDS = ("keys", "texts", "categories", "groups")
_KEY = "="
"""Stands for a group with the key of its passage, as most have; before others that begin so it is written once more."""


def fold(magic: bytes, told: dict[str, Any]) -> bytes:
    """Return a message: four letters that say of what, the version, the codec, compressed JSON, and a checksum."""
    codec, text = squeezed(told)
    return signed(magic + bytes([VERSION, codec]) + text)


def unfold(magic: bytes, data: bytes) -> dict[str, Any]:
    """Return what is in a message.

    Raises
    ------
    ValueError
        If it is foreign, of another version, cut, damaged or too large.
    """
    if len(data) <= len(magic) + 2 + _CHECK or not data.startswith(magic):
        raise ValueError("this is no message of the kind that was expected: it begins differently, or is cut")
    if data[len(magic)] != VERSION:
        raise ValueError(f"the message is of version {data[len(magic)]}; this secagent reads version {VERSION}")
    body = checked(data)
    return expanded(body[len(magic) + 1], body[len(magic) + 2 :])


def signed(body: bytes) -> bytes:
    """Return a message with its checksum."""
    return body + hashlib.sha256(body).digest()[:_CHECK]


def checked(data: bytes) -> bytes:
    """Return a message without its checksum, or raise ValueError if that is wrong."""
    body, check = data[:-_CHECK], data[-_CHECK:]
    if hashlib.sha256(body).digest()[:_CHECK] != check:
        raise ValueError("the message is damaged or cut: its checksum is wrong")
    return body


def squeezed(told: dict[str, Any]) -> tuple[int, bytes]:
    """Return a codec, and data as JSON that is compressed by it."""
    plain = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    found = {_BLOCK_SORT: bz2.compress(plain)}
    if len(plain) < _TRIED:
        found[_DEFLATE] = zlib.compress(plain, 9)
    codec = min(found, key=lambda name: len(found[name]))
    return codec, found[codec]


def expanded(codec: int, text: bytes) -> dict[str, Any]:
    """Return the data that :func:`squeezed` compressed.

    Raises
    ------
    ValueError
        If it is damaged, or unfolds to more than ``MAX_TEXT_BYTES``.
    """
    if codec not in (_DEFLATE, _BLOCK_SORT):
        raise ValueError("the message is damaged: its header makes no sense")
    reader = zlib.decompressobj() if codec == _DEFLATE else bz2.BZ2Decompressor()
    try:
        plain = reader.decompress(text, MAX_TEXT_BYTES + 1)
    except (zlib.error, OSError):
        raise ValueError("the message is damaged: its texts cannot be read") from None
    if len(plain) > MAX_TEXT_BYTES:
        raise ValueError(f"the message unfolds to more than {MAX_TEXT_BYTES} bytes, and is not read")
    if not reader.eof or reader.unused_data:
        raise ValueError("the message is damaged: its texts end too early or too late")
    try:
        told = json.loads(plain)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ValueError("the message is damaged: its texts cannot be read")
    return told


def columns(passages: Iterable[Passage]) -> dict[str, list[str]]:
    """Return passages by field, as they are sent: like next to like is shorter when compressed."""
    rows = [(passage.key, passage.text, passage.category, _sent(passage)) for passage in passages]
    return {name: [row[place] for row in rows] for place, name in enumerate(_FIELDS)}


def passages_of(told: dict[str, Any]) -> tuple[Passage, ...]:
    """Return the passages of a message.

    Raises
    ------
    ValueError
        If there are none, or their fields do not fit together.
    """
    parts = [strings(told, name) for name in _FIELDS]
    if len({len(part) for part in parts}) > 1:
        raise ValueError("the message is damaged: its passages have gaps")
    return tuple(
        Passage(key, text, category, key if group == _KEY else group.removeprefix(_KEY))
        for key, text, category, group in zip(*parts, strict=True)
    )


def _sent(passage: Passage) -> str:
    """Return the group of a passage as it is sent."""
    if passage.group == passage.key:
        return _KEY
    return f"{_KEY}{passage.group}" if passage.group.startswith(_KEY) else passage.group


def strings(told: dict[str, Any], name: str) -> list[str]:
    """Return a list of strings of a message."""
    found = told.get(name)
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise ValueError(f"the message is damaged: its {name} are no list of texts")
    return found


def numbers(told: dict[str, Any], name: str, below: int) -> list[list[int]]:
    """Return lists of integers from 0 to below ``below`` of a message."""
    found = told.get(name)
    if not isinstance(found, list) or not all(
        isinstance(row, list) and all(type(value) is int and 0 <= value < below for value in row) for row in found
    ):
        raise ValueError(f"the message is damaged: its {name} are no lists of numbers below {below}")
    return found
