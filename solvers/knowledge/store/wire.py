"""Knowledge bases as messages: a whole base, or the difference to the base that the receiver has."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.message import (
    DIFFERENCE,
    WHOLE,
    Content,
    columns,
    pack_base,
    passages_of,
    strings,
    unpack_base,
)
from solvers.knowledge.store.quantisation import pack, unpack


def to_bytes(base: KnowledgeBase) -> bytes:
    """Return a base as a message: a header, passages as compressed JSON, and vectors at its precision unless None."""
    return base.to_bytes()


def from_bytes(data: bytes, encoder: Encoder | None = None) -> KnowledgeBase:
    """Return the base in a message.

    Parameters
    ----------
    data
        The message.
    encoder
        The receiver's encoder, needed where texts alone were sent.

    Raises
    ------
    ValueError
        If the message is cut, damaged, foreign, of a newer version or a difference, or an encoder is missing.
    """
    content = unpack_base(data)
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
    fields = {
        "of": digest(old),
        "gives": digest(new),
        "removed": [key for key in before if key not in after],
        **columns(new.passages[index] for index in fresh),
    }
    return pack_base(DIFFERENCE, new.precision, fields, new.vectors[fresh])


def apply(old: KnowledgeBase, update: bytes, encoder: Encoder | None = None) -> KnowledgeBase:
    """Return the base that a difference makes of ``old``: kept passages in their order, new ones at the end.

    Raises
    ------
    ValueError
        If the message is bad, as in :func:`from_bytes`, or for another base.
    """
    content = unpack_base(update)
    if content.kind != DIFFERENCE:
        raise ValueError("this message is a whole knowledge base, not a difference: use from_bytes")
    if content.fields.get("of") != digest(old):
        raise ValueError("this difference is for another knowledge base; ask for the whole one")
    removed = set(strings(content.fields, "removed"))
    if content.precision != old.precision or content.dimension != old.vectors.shape[1]:
        raise ValueError("the message is damaged: its vectors are not like those of the knowledge base")
    fresh = _base(content, encoder)
    kept = old.select([index for index, passage in enumerate(old.passages) if passage.key not in removed])
    new = kept.merge(fresh)
    if content.fields.get("gives") != digest(new):
        raise ValueError("the message is damaged: it gives another knowledge base than the sender has")
    return new


def digest(base: KnowledgeBase) -> str:
    """Return a hash of a base as it is sent; the order of its passages does not change it."""
    parts = sorted(_hashes(base).values())
    return hashlib.sha256(f"{base.precision} {base.vectors.shape[1]}".encode() + b"".join(parts)).hexdigest()[:16]


def _hashes(base: KnowledgeBase) -> dict[str, bytes]:
    """Return a hash for each passage, with its vector if that is sent."""
    packed = b"" if base.precision is None else pack(base.vectors, base.precision)
    size = len(packed) // len(base) if len(base) else 0
    hashes = {}
    for index, (key, *rest) in enumerate(zip(*columns(base.passages).values(), strict=True)):
        row = json.dumps([key, *rest]).encode() + packed[index * size : (index + 1) * size]
        hashes[key] = hashlib.sha256(row).digest()
    return hashes


def _base(content: Content, encoder: Encoder | None) -> KnowledgeBase:
    passages = passages_of(content.fields)
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
