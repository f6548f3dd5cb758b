"""Knowledge on the wire: what is really sent, whole or as the difference to what the receiver has.

A message is a header, texts and all that belongs to them as deflated JSON, and vectors at their precision if the sender
sends them. Messages are data, never code, and are checked before anything is made of them.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from solvers.knowledge.base import KnowledgeBase
from solvers.knowledge.encoder import Encoder
from solvers.knowledge.passages import Passage
from solvers.knowledge.quantisation import PRECISIONS, pack, round_trip, unpack

MAGIC = b"SAKB"
VERSION = 1
WHOLE, DIFFERENCE = 0, 1
MAX_TEXT_BYTES = 1 << 30
"""Messages that unfold to more are refused."""
MAX_DIMENSION = 1 << 16
_HEADER = struct.Struct("<4sBBBIQQ")
"""Magic, version, kind, precision (0: none), dimension, bytes of the deflated JSON and of the vectors."""
_CHECK = 8


def to_bytes(base: KnowledgeBase) -> bytes:
    """Return a base as a message."""
    return _message(WHOLE, base, {"passages": _records(base.passages)}, base.vectors)


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
    kind, precision, dimension, content, packed = _read(data)
    if kind != WHOLE:
        raise ValueError("this message is a difference to a knowledge base: use apply, with the base it is for")
    passages = _passages(content.get("passages"))
    return _base(passages, packed, precision, dimension, encoder)


def difference(old: KnowledgeBase, new: KnowledgeBase) -> bytes:
    """Return the message that makes ``new`` of ``old``: passages added or changed, and the keys of those removed.

    Raises
    ------
    ValueError
        If the precisions differ: then everything has to be sent.
    """
    if old.precision != new.precision:
        raise ValueError(f"vectors of {old.precision} cannot be updated by {new.precision}: send the whole base")
    before = {passage.key: passage for passage in old.passages}
    vector_of = {passage.key: vector for passage, vector in zip(old.passages, old.vectors, strict=True)}
    fresh = [
        index
        for index, passage in enumerate(new.passages)
        if before.get(passage.key) != passage
        or (new.precision is not None and not np.array_equal(vector_of[passage.key], new.vectors[index]))
    ]
    kept = {passage.key for passage in new.passages}
    content = {
        "of": digest(old),
        "gives": digest(new),
        "removed": [key for key in before if key not in kept],
        "passages": _records(new.passages[index] for index in fresh),
    }
    return _message(DIFFERENCE, new, content, new.vectors[fresh])


def apply(old: KnowledgeBase, update: bytes, encoder: Encoder | None = None) -> KnowledgeBase:
    """Return the base that a difference makes of ``old``; what is kept stays in its place, what is new comes last.

    Raises
    ------
    ValueError
        For a bad message, as in :func:`from_bytes`, or one that is for another base.
    """
    kind, precision, dimension, content, packed = _read(update)
    if kind != DIFFERENCE:
        raise ValueError("this message is a whole knowledge base, not a difference: use from_bytes")
    if content.get("of") != digest(old):
        raise ValueError("this difference is for another knowledge base; ask for the whole one")
    removed = content.get("removed")
    if not isinstance(removed, list) or not all(isinstance(key, str) for key in removed):
        raise ValueError("the message is damaged: its list of removed passages is none")
    fresh = _passages(content.get("passages"))
    if precision != old.precision or dimension != old.vectors.shape[1]:
        raise ValueError("the message is damaged: its vectors are not like those of the knowledge base")
    added = _base(fresh, packed, precision, dimension, encoder)
    gone = {*removed, *(passage.key for passage in fresh)}
    stays = [index for index, passage in enumerate(old.passages) if passage.key not in gone]
    new = KnowledgeBase(
        (*(old.passages[index] for index in stays), *fresh),
        np.concatenate([old.vectors[stays], added.vectors]),
        precision,
    )
    if content.get("gives") != digest(new):
        raise ValueError("the message is damaged: what it makes of the knowledge base is not what was meant")
    return new


def digest(base: KnowledgeBase) -> str:
    """Return a hash of the passages of a base, whatever their order, and of how its vectors travel."""
    hashes = sorted(hashlib.sha256(json.dumps(record).encode()).digest() for record in _records(base.passages))
    return hashlib.sha256(f"{base.precision}".encode() + b"".join(hashes)).hexdigest()[:16]


def _records(passages: Iterable[Passage]) -> list[list[str]]:
    return [[passage.key, passage.text, passage.category, passage.group] for passage in passages]


def _passages(records: Any) -> tuple[Passage, ...]:
    if not isinstance(records, list) or not all(
        isinstance(record, list) and len(record) == 4 and all(isinstance(part, str) for part in record)
        for record in records
    ):
        raise ValueError("the message is damaged: its passages are none")
    return tuple(Passage(*record) for record in records)


def _message(kind: int, base: KnowledgeBase, content: dict[str, Any], vectors: np.ndarray) -> bytes:
    text = zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9)
    packed = b"" if base.precision is None else pack(vectors, base.precision)
    code = 0 if base.precision is None else 1 + PRECISIONS.index(base.precision)
    body = _HEADER.pack(MAGIC, VERSION, kind, code, base.vectors.shape[1], len(text), len(packed)) + text + packed
    return body + hashlib.sha256(body).digest()[:_CHECK]


def _read(data: bytes) -> tuple[int, str | None, int, dict[str, Any], bytes]:
    """Return kind, precision, dimension, content and packed vectors of a message."""
    if len(data) < _HEADER.size + _CHECK or not data.startswith(MAGIC):
        raise ValueError("this is no message with knowledge: it begins differently, or is cut")
    _, version, kind, code, dimension, text_size, vector_size = _HEADER.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"the message is of version {version}; this secagent reads version {VERSION}")
    if len(data) != _HEADER.size + text_size + vector_size + _CHECK:
        raise ValueError("the message is cut: it is shorter or longer than it says")
    if hashlib.sha256(data[:-_CHECK]).digest()[:_CHECK] != data[-_CHECK:]:
        raise ValueError("the message is damaged: its checksum is wrong")
    if kind not in (WHOLE, DIFFERENCE) or code > len(PRECISIONS) or dimension > MAX_DIMENSION:
        raise ValueError("the message is damaged: its header makes no sense")
    unfold = zlib.decompressobj()
    try:
        text = unfold.decompress(data[_HEADER.size : _HEADER.size + text_size], MAX_TEXT_BYTES)
        if unfold.unconsumed_tail:
            raise ValueError(f"the message unfolds to more than {MAX_TEXT_BYTES} bytes, and is not read")
        content = json.loads(text)
    except (zlib.error, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError("the message is damaged: its texts cannot be read") from None
    if not isinstance(content, dict):
        raise ValueError("the message is damaged: its texts cannot be read")
    vectors = data[_HEADER.size + text_size : -_CHECK]
    return kind, None if code == 0 else PRECISIONS[code - 1], dimension, content, vectors


def _base(
    passages: Sequence[Passage], packed: bytes, precision: str | None, dimension: int, encoder: Encoder | None
) -> KnowledgeBase:
    if precision is None:
        if not passages:
            return KnowledgeBase((), np.empty((0, dimension), np.float32))
        if encoder is None:
            raise ValueError("the message holds texts alone: give the encoder that the receiver has")
        return KnowledgeBase(tuple(passages), round_trip(encoder.encode([p.text for p in passages]), None))
    return KnowledgeBase(tuple(passages), unpack(packed, len(passages), dimension, precision), precision)
