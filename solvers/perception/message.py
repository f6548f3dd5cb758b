"""What is sent of an observation: its vector at a precision, or the number of the nearest sentence.

A message begins with a header that says which encoder made it, and ends with a checksum. It is data, and is checked
before it is used.
"""

from __future__ import annotations

import hashlib
import math
import struct

import numpy as np

from secagent_env.support.digests import digest
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.quantisation import PRECISIONS, bytes_per_vector, check_precision, pack, unpack
from solvers.perception.encoder import RadioEncoder

MAGIC, VERSION = b"SP", 1
_HEADER = struct.Struct("<2sBB4s")
"""Magic, version, precision (0: a sentence's number), the first bytes of the digest of what both sides need."""
_CHECK = 4
"""Bytes of the checksum."""


def pack_vector(vector: np.ndarray, encoder: RadioEncoder, precision: str = "int8") -> bytes:
    """Return the vector (d,) of an observation as a message; ValueError for another size, NaN or an unknown precision.

    Precisions are those of :mod:`solvers.knowledge.store.quantisation`.
    """
    check_precision(precision)
    array = np.asarray(vector, np.float32)
    if array.shape != (encoder.dimension,) or not np.isfinite(array).all():
        raise ValueError(f"a message holds one finite vector of {encoder.dimension} numbers, got shape {array.shape}")
    code = 1 + PRECISIONS.index(precision)
    return _sealed(_HEADER.pack(MAGIC, VERSION, code, _mark(encoder.digest)) + pack(array[None], precision))


def unpack_vector(data: bytes, encoder: RadioEncoder) -> np.ndarray:
    """Return the vector (d,) in a message of :func:`pack_vector`.

    Raises
    ------
    ValueError
        If the message is cut or damaged, of another version, or made by another encoder than the receiver's.
    """
    code, body = _opened(data, _mark(encoder.digest), "encoder")
    if not 1 <= code <= len(PRECISIONS):
        raise ValueError("the message holds no vector but the number of a sentence: read it with unpack_sentence")
    if len(body) != bytes_per_vector(PRECISIONS[code - 1], encoder.dimension):
        raise ValueError("the message is damaged: its vector has another size than its encoder's")
    return unpack(body, 1, encoder.dimension, PRECISIONS[code - 1])[0]


def pack_sentence(vector: np.ndarray, sentences: KnowledgeBase) -> bytes:
    """Return the number of the sentence nearest to a vector (d,) as a message; both sides have the sentences."""
    (index,) = sentences.search(np.asarray(vector, np.float32)[None], 1)[0]
    size = sentence_bytes(sentences)
    return _sealed(_HEADER.pack(MAGIC, VERSION, 0, _mark(_of(sentences))) + int(index[0]).to_bytes(size, "little"))


def unpack_sentence(data: bytes, sentences: KnowledgeBase) -> int:
    """Return the number of a sentence; ValueError as in :func:`unpack_vector`, or if the sentences are others."""
    code, body = _opened(data, _mark(_of(sentences)), "list of sentences")
    if code != 0 or len(body) != sentence_bytes(sentences):
        raise ValueError("the message does not hold the number of a sentence: read it with unpack_vector")
    index = int.from_bytes(body, "little")
    if index >= len(sentences):
        raise ValueError(f"the message is damaged: it names sentence {index} of {len(sentences)}")
    return index


def sentence_bytes(sentences: KnowledgeBase) -> int:
    """Return the bytes of the number of a sentence."""
    return max(1, math.ceil((len(sentences) - 1).bit_length() / 8))


OVERHEAD_BITS = 8 * (_HEADER.size + _CHECK)
"""Of header and checksum."""


def _of(sentences: KnowledgeBase) -> str:
    return digest([passage.text for passage in sentences.passages])


def _mark(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal)[:4]


def _sealed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()[:_CHECK]


def _opened(data: bytes, mark: bytes, what: str) -> tuple[int, bytes]:
    """Return the precision's code and the body of a message, once it has been checked."""
    if len(data) < _HEADER.size + _CHECK or not data.startswith(MAGIC):
        raise ValueError("this is no message with an observation: it begins differently, or is cut")
    _, version, code, of = _HEADER.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"the message is of version {version}; this secagent reads version {VERSION}")
    if _sealed(data[:-_CHECK]) != data:
        raise ValueError("the message is cut or damaged: its checksum is wrong; ask for it again")
    if of != mark:
        raise ValueError(f"the message was made with another {what} than the receiver's: both need the same one")
    return code, data[_HEADER.size : -_CHECK]
