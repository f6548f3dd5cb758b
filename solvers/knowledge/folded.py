"""Structures on the wire: compressed JSON, checked; data, never code."""

from __future__ import annotations

import bz2
import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import Any

from solvers.knowledge.passages import Passage

VERSION = 1
MAX_BYTES = 1 << 28
"""Messages that unfold to more are refused."""
_CHECK = 8
_DEFLATE, _BLOCK_SORT = 0, 1
"""Codecs: little is smaller by the first, much by the second; the sender tries both."""
_FIELDS = ("keys", "texts", "categories", "groups")


def fold(magic: bytes, told: dict[str, Any]) -> bytes:
    """Return a message: four letters that say of what, the version, the codec, compressed JSON, and a checksum."""
    plain = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    codec, folded = min(enumerate((zlib.compress(plain, 9), bz2.compress(plain))), key=lambda pair: len(pair[1]))
    body = magic + bytes([VERSION, codec]) + folded
    return body + hashlib.sha256(body).digest()[:_CHECK]


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
    if hashlib.sha256(data[:-_CHECK]).digest()[:_CHECK] != data[-_CHECK:]:
        raise ValueError("the message is damaged or cut: its checksum is wrong")
    codec = data[len(magic) + 1]
    reader = zlib.decompressobj() if codec == _DEFLATE else bz2.BZ2Decompressor()
    try:
        plain = reader.decompress(data[len(magic) + 2 : -_CHECK], MAX_BYTES)
        told = json.loads(plain) if reader.eof and codec in (_DEFLATE, _BLOCK_SORT) else None
    except (zlib.error, OSError, ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ValueError("the message is damaged, or too large to be read")
    return told


def columns(passages: Sequence[Passage]) -> dict[str, list[str | None]]:
    """Return passages by field, as they are folded; None stands for a group with the key of its passage, as most have.

    Passages cost as much here as with vectors, so that sizes can be compared.
    """
    rows = [
        (passage.key, passage.text, passage.category, None if passage.group == passage.key else passage.group)
        for passage in passages
    ]
    return {name: [row[place] for row in rows] for place, name in enumerate(_FIELDS)}


def passages_of(told: dict[str, Any]) -> tuple[Passage, ...]:
    """Return the passages of a message."""
    keys, sent = strings(told, "keys"), told.get("groups")
    if not isinstance(sent, list) or len(sent) != len(keys):
        raise ValueError("the message is damaged: its passages have gaps")
    groups = [key if group is None else group for key, group in zip(keys, sent, strict=True)]
    parts = [strings({**told, "groups": groups}, name) for name in _FIELDS]
    if len({len(part) for part in parts}) > 1:
        raise ValueError("the message is damaged: its passages have gaps")
    return tuple(Passage(*row) for row in zip(*parts, strict=True))


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
