"""The format of messages that carry knowledge: compressed JSON, vectors where they are sent, and a checksum.

Messages are data, never code, and are checked before they are used. The JSON holds the *fields* of a message: lists by
name, such as the keys and texts of its passages.
"""

from __future__ import annotations

import bz2
import contextlib
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from secagent_env.support.reading import MAX_BYTES, parse_json
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.store.quantisation import PRECISIONS, pack

VERSION = 1
MAGIC = b"SAKB"
"""The first bytes of a message with a knowledge base."""
WHOLE, DIFFERENCE = 0, 1
"""Kinds of messages with a knowledge base."""
MAX_TEXT_BYTES = MAX_BYTES
"""Messages that unfold to more are refused."""
MAX_DIMENSION = 1 << 16
_HEADER = struct.Struct("<4sBBBBIQQ")
"""Magic, version, kind, codec, precision (0: none), dimension, bytes of the compressed JSON and of the vectors."""
_CHECK = 8
"""Bytes of the checksum."""
_DEFLATE, _BLOCK_SORT = 0, 1
"""Codecs: few texts are smaller by the first, many by the second."""
_TRIED = 1 << 16
"""Below so many bytes the sender tries both codecs."""
_COLUMNS = ("keys", "texts", "categories", "groups")
_KEY = "="
"""Stands for a group that equals the key of its passage, as most do; a group that begins with it has it doubled."""


class Content(NamedTuple):
    """The content of a message with a knowledge base, or with the difference between two."""

    kind: int
    precision: str | None
    dimension: int
    fields: dict[str, Any]
    packed: bytes


def pack_base(kind: int, precision: str | None, fields: dict[str, Any], vectors: np.ndarray) -> bytes:
    """Return a message with fields, and with vectors (P, d) unless the precision is None."""
    codec, text = _compressed(fields)
    packed = b"" if precision is None else pack(vectors, precision)
    code = 0 if precision is None else 1 + PRECISIONS.index(precision)
    sizes = (vectors.shape[1], len(text), len(packed))
    return _with_checksum(_HEADER.pack(MAGIC, VERSION, kind, codec, code, *sizes) + text + packed)


def unpack_base(data: bytes) -> Content:
    """Return the content of a message of :func:`pack_base`; raise ValueError if it is foreign, damaged or too large."""
    if len(data) < _HEADER.size + _CHECK or not data.startswith(MAGIC):
        raise ValueError("this is no message with knowledge: it begins differently, or is cut")
    _, version, kind, codec, code, dimension, text_size, vector_size = _HEADER.unpack_from(data)
    _check_version(version)
    if len(data) != _HEADER.size + text_size + vector_size + _CHECK:
        raise ValueError("the message is cut: it is shorter or longer than it says")
    body = _without_checksum(data)
    if kind not in (WHOLE, DIFFERENCE) or code > len(PRECISIONS) or dimension > MAX_DIMENSION:
        raise ValueError("the message is damaged: its header makes no sense")
    texts_end = _HEADER.size + text_size
    fields = _decompressed(codec, body[_HEADER.size : texts_end])
    return Content(kind, None if code == 0 else PRECISIONS[code - 1], dimension, fields, body[texts_end:])


def pack_fields(magic: bytes, fields: dict[str, Any]) -> bytes:
    """Return a message without vectors: four letters for its kind, the version, the codec, the fields, a checksum."""
    codec, text = _compressed(fields)
    return _with_checksum(magic + bytes([VERSION, codec]) + text)


def unpack_fields(magic: bytes, data: bytes) -> dict[str, Any]:
    """Return the fields of a message of :func:`pack_fields`; raise ValueError if it is foreign, damaged, too large."""
    if len(data) <= len(magic) + 2 + _CHECK or not data.startswith(magic):
        raise ValueError("this is no message of the kind that was expected: it begins differently, or is cut")
    _check_version(data[len(magic)])
    body = _without_checksum(data)
    return _decompressed(body[len(magic) + 1], body[len(magic) + 2 :])


def columns(passages: Iterable[Passage]) -> dict[str, list[str]]:
    """Return passages as fields of a message, a list for each attribute: like beside like compresses better."""
    rows = [(passage.key, passage.text, passage.category, _packed_group(passage)) for passage in passages]
    return {name: [row[place] for row in rows] for place, name in enumerate(_COLUMNS)}


def passages_of(fields: dict[str, Any]) -> tuple[Passage, ...]:
    """Return the passages of a message; raise ValueError if their fields are missing or do not fit together."""
    parts = [strings(fields, name) for name in _COLUMNS]
    if len({len(part) for part in parts}) > 1:
        raise ValueError("the message is damaged: its passages have gaps")
    return tuple(
        Passage(key, text, category, key if group == _KEY else group.removeprefix(_KEY))
        for key, text, category, group in zip(*parts, strict=True)
    )


def strings(fields: dict[str, Any], name: str) -> list[str]:
    """Return a field that is a list of strings; raise ValueError if it is anything else."""
    values = fields.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"the message is damaged: its {name} are no list of texts")
    return values


def numbers(fields: dict[str, Any], name: str, below: int) -> list[list[int]]:
    """Return a field that is lists of integers from 0 to ``below`` − 1; raise ValueError if it is anything else."""
    rows = fields.get(name)
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and all(type(value) is int and 0 <= value < below for value in row) for row in rows
    ):
        raise ValueError(f"the message is damaged: its {name} are no lists of numbers below {below}")
    return rows


def _packed_group(passage: Passage) -> str:
    if passage.group == passage.key:
        return _KEY
    return f"{_KEY}{passage.group}" if passage.group.startswith(_KEY) else passage.group


def _check_version(version: int) -> None:
    if version != VERSION:
        raise ValueError(f"the message is of version {version}; this secagent reads version {VERSION}")


def _with_checksum(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()[:_CHECK]


def _without_checksum(data: bytes) -> bytes:
    if _with_checksum(data[:-_CHECK]) != data:
        raise ValueError("the message is damaged or cut: its checksum is wrong")
    return data[:-_CHECK]


def _compressed(fields: dict[str, Any]) -> tuple[int, bytes]:
    """Return the codec with the shortest result, and the result."""
    plain = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    by_codec = {_BLOCK_SORT: bz2.compress(plain)}
    if len(plain) < _TRIED:
        by_codec[_DEFLATE] = zlib.compress(plain, 9)
    codec = min(by_codec, key=lambda name: len(by_codec[name]))
    return codec, by_codec[codec]


def _decompressed(codec: int, text: bytes) -> dict[str, Any]:
    """Return the fields that :func:`_compressed` compressed; raise ValueError if they are damaged or too large."""
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
    with contextlib.suppress(ValueError):
        if isinstance(fields := parse_json(plain), dict):
            return fields
    raise ValueError("the message is damaged: its texts cannot be read")
