"""Knowledge on the wire: what is really sent, whole or as the difference to what the receiver has.

A message is a header, texts and all that belongs to them as compressed JSON, and vectors at their precision if the
sender sends them. Messages are data, never code, and are checked before anything is made of them.
"""

from __future__ import annotations

import bz2
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from solvers.knowledge.base import KnowledgeBase
from solvers.knowledge.encoder import Encoder
from solvers.knowledge.passages import Passage
from solvers.knowledge.quantisation import PRECISIONS, pack, unpack

MAGIC = b"SAKB"
VERSION = 1
WHOLE, DIFFERENCE = 0, 1
MAX_TEXT_BYTES = 1 << 28
"""Messages that unfold to more are refused."""
MAX_DIMENSION = 1 << 16
_HEADER = struct.Struct("<4sBBBBIQQ")
"""Magic, version, kind, codec, precision (0: none), dimension, bytes of the compressed JSON and of the vectors."""
_DEFLATE, _BLOCK_SORT = 0, 1
"""Codecs: few texts are smaller by the first, many by the second."""
_TRIED = 1 << 16
"""Below so many bytes the sender tries both codecs."""
_CHECK = 8
_FIELDS = ("keys", "texts", "categories", "groups")
_KEY = "="
"""Stands for a group with the key of its passage, as most have; before others that begin so it is written once more."""


class _Content(NamedTuple):
    """What is in a message."""

    kind: int
    precision: str | None
    dimension: int
    told: dict[str, Any]
    packed: bytes


def to_bytes(base: KnowledgeBase) -> bytes:
    """Return a base as a message."""
    return _message(WHOLE, base, _columns(base.passages), base.vectors)


def from_bytes(data: bytes, encoder: Encoder | None = None) -> KnowledgeBase:
    """Return the base in a message.

    Parameters
    ----------
    data
        The message.
    encoder
        The receiver's, needed where texts alone were sent.

    Raises
    ------
    ValueError
        If the message is cut, damaged, foreign, of a newer version or a difference, or an encoder is missing.
    """
    content = _read(data)
    if content.kind != WHOLE:
        raise ValueError("this message is a difference to a knowledge base: use apply, with the base it is for")
    return _base(content, encoder)


def difference(old: KnowledgeBase, new: KnowledgeBase) -> bytes:
    """Return the message that makes ``new`` of ``old``: passages added or changed, and the keys of those removed.

    Raises
    ------
    ValueError
        If the vectors differ in precision or dimension: then everything has to be sent.
    """
    if old.precision != new.precision or old.vectors.shape[1] != new.vectors.shape[1]:
        raise ValueError(
            f"vectors of {old.vectors.shape[1]} numbers at {old.precision} cannot be updated by "
            f"{new.vectors.shape[1]} at {new.precision}: send the whole base"
        )
    before, after = _hashes(old), _hashes(new)
    fresh = [index for index, (key, value) in enumerate(after.items()) if before.get(key) != value]
    told = {
        "of": digest(old),
        "gives": digest(new),
        "removed": [key for key in before if key not in after],
        **_columns(new.passages[index] for index in fresh),
    }
    return _message(DIFFERENCE, new, told, new.vectors[fresh])


def apply(old: KnowledgeBase, update: bytes, encoder: Encoder | None = None) -> KnowledgeBase:
    """Return the base that a difference makes of ``old``; what is kept stays in its place, what is new comes last.

    Raises
    ------
    ValueError
        For a bad message, as in :func:`from_bytes`, or one that is for another base.
    """
    content = _read(update)
    if content.kind != DIFFERENCE:
        raise ValueError("this message is a whole knowledge base, not a difference: use from_bytes")
    if content.told.get("of") != digest(old):
        raise ValueError("this difference is for another knowledge base; ask for the whole one")
    removed = content.told.get("removed")
    if not isinstance(removed, list) or not all(isinstance(key, str) for key in removed):
        raise ValueError("the message is damaged: its list of removed passages is none")
    if content.precision != old.precision or content.dimension != old.vectors.shape[1]:
        raise ValueError("the message is damaged: its vectors are not like those of the knowledge base")
    fresh = _base(content, encoder)
    gone = set(removed)
    kept = old.select([index for index, passage in enumerate(old.passages) if passage.key not in gone])
    new = kept.merge(fresh)
    if content.told.get("gives") != digest(new):
        raise ValueError("the message is damaged: what it makes of the knowledge base is not what was meant")
    return new


def digest(base: KnowledgeBase) -> str:
    """Return a hash of what is sent of a base, whatever the order of its passages."""
    parts = sorted(_hashes(base).values())
    return hashlib.sha256(f"{base.precision} {base.vectors.shape[1]}".encode() + b"".join(parts)).hexdigest()[:16]


def _hashes(base: KnowledgeBase) -> dict[str, bytes]:
    """Return a hash for each passage, with its vector if that is sent."""
    packed = b"" if base.precision is None else pack(base.vectors, base.precision)
    size = len(packed) // len(base) if len(base) else 0
    hashes = {}
    for index, (key, *rest) in enumerate(zip(*_columns(base.passages).values(), strict=True)):
        said = json.dumps([key, *rest]).encode() + packed[index * size : (index + 1) * size]
        hashes[key] = hashlib.sha256(said).digest()
    return hashes


def _columns(passages: Iterable[Passage]) -> dict[str, list[str]]:
    """Return the passages by field: like next to like is shorter when compressed."""
    rows = [(passage.key, passage.text, passage.category, _sent(passage)) for passage in passages]
    return {name: [row[place] for row in rows] for place, name in enumerate(_FIELDS)}


def _sent(passage: Passage) -> str:
    """Return the group of a passage as it is sent."""
    if passage.group == passage.key:
        return _KEY
    return f"{_KEY}{passage.group}" if passage.group.startswith(_KEY) else passage.group


def _message(kind: int, base: KnowledgeBase, told: dict[str, Any], vectors: np.ndarray) -> bytes:
    plain = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    folded = {_BLOCK_SORT: bz2.compress(plain)}
    if len(plain) < _TRIED:
        folded[_DEFLATE] = zlib.compress(plain, 9)
    codec = min(folded, key=lambda name: len(folded[name]))
    text = folded[codec]
    packed = b"" if base.precision is None else pack(vectors, base.precision)
    code = 0 if base.precision is None else 1 + PRECISIONS.index(base.precision)
    sizes = (base.vectors.shape[1], len(text), len(packed))
    body = _HEADER.pack(MAGIC, VERSION, kind, codec, code, *sizes) + text + packed
    return body + hashlib.sha256(body).digest()[:_CHECK]


def _read(data: bytes) -> _Content:
    if len(data) < _HEADER.size + _CHECK or not data.startswith(MAGIC):
        raise ValueError("this is no message with knowledge: it begins differently, or is cut")
    _, version, kind, codec, code, dimension, text_size, vector_size = _HEADER.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"the message is of version {version}; this secagent reads version {VERSION}")
    if len(data) != _HEADER.size + text_size + vector_size + _CHECK:
        raise ValueError("the message is cut: it is shorter or longer than it says")
    if hashlib.sha256(data[:-_CHECK]).digest()[:_CHECK] != data[-_CHECK:]:
        raise ValueError("the message is damaged: its checksum is wrong")
    if max(kind, codec) > 1 or code > len(PRECISIONS) or dimension > MAX_DIMENSION:
        raise ValueError("the message is damaged: its header makes no sense")
    plain = _unfold(data[_HEADER.size : _HEADER.size + text_size], codec)
    try:
        told = json.loads(plain)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ValueError("the message is damaged: its texts cannot be read")
    precision = None if code == 0 else PRECISIONS[code - 1]
    return _Content(kind, precision, dimension, told, data[_HEADER.size + text_size : -_CHECK])


def _unfold(text: bytes, codec: int) -> bytes:
    unfold = zlib.decompressobj() if codec == _DEFLATE else bz2.BZ2Decompressor()
    try:
        plain = unfold.decompress(text, MAX_TEXT_BYTES + 1)
    except (zlib.error, OSError):
        raise ValueError("the message is damaged: its texts cannot be read") from None
    if len(plain) > MAX_TEXT_BYTES:
        raise ValueError(f"the message unfolds to more than {MAX_TEXT_BYTES} bytes, and is not read")
    if not unfold.eof or unfold.unused_data:
        raise ValueError("the message is damaged: its texts end too early or too late")
    return plain


def _base(content: _Content, encoder: Encoder | None) -> KnowledgeBase:
    columns: list[Any] = [content.told.get(name) for name in _FIELDS]
    if not all(isinstance(column, list) and all(isinstance(part, str) for part in column) for column in columns):
        raise ValueError("the message is damaged: its passages are none")
    if len({len(column) for column in columns}) > 1:
        raise ValueError("the message is damaged: its passages have gaps")
    passages = tuple(
        Passage(key, text, category, key if group == _KEY else group.removeprefix(_KEY))
        for key, text, category, group in zip(*columns, strict=True)
    )
    if content.precision is not None:
        vectors = unpack(content.packed, len(passages), content.dimension, content.precision)
    elif content.packed:
        raise ValueError("the message is damaged: it has vectors of no precision")
    elif not passages:
        vectors = np.empty((0, content.dimension), np.float32)
    elif encoder is None:
        raise ValueError("the message holds texts alone: give the encoder that the receiver has")
    else:
        vectors = encoder.encode([passage.text for passage in passages])
        if vectors.shape[1] != content.dimension:
            raise ValueError(
                f"the sender's encoder makes vectors of {content.dimension} numbers, the receiver's of "
                f"{vectors.shape[1]}; both need the same one"
            )
    return KnowledgeBase(passages, vectors, content.precision)
