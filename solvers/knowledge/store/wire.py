"""Knowledge on the wire: what is really sent, whole or as the difference to what the receiver has.

A message is a header, texts and all that belongs to them as compressed JSON, and vectors at their precision if the
sender sends them. Messages are data, never code, and are checked before anything is made of them.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any, NamedTuple

import numpy as np

from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.folded import checked, columns, expanded, passages_of, signed, squeezed
from solvers.knowledge.store.quantisation import PRECISIONS, pack, unpack

MAGIC = b"SAKB"
VERSION = 1
WHOLE, DIFFERENCE = 0, 1
MAX_DIMENSION = 1 << 16
_HEADER = struct.Struct("<4sBBBBIQQ")
"""Magic, version, kind, codec, precision (0: none), dimension, bytes of the compressed JSON and of the vectors."""
_CHECK = 8


class _Content(NamedTuple):
    """What is in a message."""

    kind: int
    precision: str | None
    dimension: int
    told: dict[str, Any]
    packed: bytes


def to_bytes(base: KnowledgeBase) -> bytes:
    """Return a base as a message."""
    return _message(WHOLE, base, columns(base.passages), base.vectors)


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
        **columns(new.passages[index] for index in fresh),
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
    for index, (key, *rest) in enumerate(zip(*columns(base.passages).values(), strict=True)):
        said = json.dumps([key, *rest]).encode() + packed[index * size : (index + 1) * size]
        hashes[key] = hashlib.sha256(said).digest()
    return hashes


def _message(kind: int, base: KnowledgeBase, told: dict[str, Any], vectors: np.ndarray) -> bytes:
    codec, text = squeezed(told)
    packed = b"" if base.precision is None else pack(vectors, base.precision)
    code = 0 if base.precision is None else 1 + PRECISIONS.index(base.precision)
    sizes = (base.vectors.shape[1], len(text), len(packed))
    return signed(_HEADER.pack(MAGIC, VERSION, kind, codec, code, *sizes) + text + packed)


def _read(data: bytes) -> _Content:
    if len(data) < _HEADER.size + _CHECK or not data.startswith(MAGIC):
        raise ValueError("this is no message with knowledge: it begins differently, or is cut")
    _, version, kind, codec, code, dimension, text_size, vector_size = _HEADER.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"the message is of version {version}; this secagent reads version {VERSION}")
    if len(data) != _HEADER.size + text_size + vector_size + _CHECK:
        raise ValueError("the message is cut: it is shorter or longer than it says")
    body = checked(data)
    if kind not in (WHOLE, DIFFERENCE) or code > len(PRECISIONS) or dimension > MAX_DIMENSION:
        raise ValueError("the message is damaged: its header makes no sense")
    texts_end = _HEADER.size + text_size
    told = expanded(codec, body[_HEADER.size : texts_end])
    return _Content(kind, None if code == 0 else PRECISIONS[code - 1], dimension, told, body[texts_end:])


def _base(content: _Content, encoder: Encoder | None) -> KnowledgeBase:
    passages = passages_of(content.told)
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
