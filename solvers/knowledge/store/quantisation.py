"""Vectors at a precision: packed into fewer bits, and unpacked with a loss."""

from __future__ import annotations

import numpy as np

from secagent_env.support.errors import unknown_name

_BITS = {"float32": 32, "float16": 16, "int8": 8, "binary": 1}
PRECISIONS = tuple(_BITS)
"""``int8``: 127 steps to the largest number of a vector; ``binary``: the signs alone; both unpack to length 1."""


def check_precision(precision: str | None) -> None:
    """Raise ValueError for an unknown precision."""
    if precision is not None and precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)


def bytes_per_vector(precision: str, dimension: int) -> int:
    """Return the bytes of a packed vector."""
    check_precision(precision)
    return (_BITS[precision] * dimension + 7) // 8


def pack(vectors: np.ndarray, precision: str) -> bytes:
    """Return unit vectors (P, d) packed at a precision: P times :func:`bytes_per_vector`."""
    check_precision(precision)
    if precision == "binary":
        return np.packbits(vectors >= 0, axis=1).tobytes()
    if precision == "int8":
        largest = np.abs(vectors).max(axis=1, initial=0.0, keepdims=True)
        return np.rint(vectors / np.where(largest > 0, largest, 1.0) * 127).astype(np.int8).tobytes()
    return vectors.astype({"float32": "<f4", "float16": "<f2"}[precision]).tobytes()


def unpack(data: bytes, count: int, dimension: int, precision: str) -> np.ndarray:
    """Return the vectors (count, dimension) float32 in bytes of :func:`pack`; packed again they give the same bytes.

    ValueError is raised if the number of bytes is wrong, or a number is not finite.
    """
    size = bytes_per_vector(precision, dimension)
    if len(data) != count * size:
        raise ValueError(f"{count} vectors at {precision} take {count * size} bytes, got {len(data)}")
    if precision == "binary":
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(count, size), axis=1, count=dimension)
        return unit(bits.astype(np.float32) * 2 - 1)
    if precision == "int8":
        return unit(np.frombuffer(data, np.int8).reshape(count, dimension))
    stored = np.frombuffer(data, {"float32": "<f4", "float16": "<f2"}[precision])
    if not np.isfinite(stored).all():
        raise ValueError("the vectors are not finite")
    return stored.astype(np.float32).reshape(count, dimension)


def round_trip(vectors: np.ndarray, precision: str | None) -> np.ndarray:
    """Return vectors (P, d) packed and unpacked at a precision; unchanged for None."""
    vectors = np.asarray(vectors, np.float32)
    if precision is None or not vectors.size:
        return vectors
    count, dimension = vectors.shape
    return unpack(pack(vectors, precision), count, dimension, precision)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (P, d) scaled to length one, but for zero vectors."""
    vectors = np.asarray(vectors, np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)
