"""GGUF files: their header says whether the weights can be in the rest of the file.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

MAGIC = b"GGUF"
VERSIONS = (2, 3)

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The values of metadata: the number of their type, and struct's letter."""
TEXT, ARRAY = 8, 9

BLOCKS = {
    **{0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 30: (1, 2)},
}
"""Weights of a block and its bytes, by the number of the type; of other types only the beginning is checked."""

MOST = 1 << 24
"""More entries of metadata or tensors than this are no model's."""


class _Reader:
    """Reads little-endian values from the beginning of a file, one after the other."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content, self.place = content, 0

    def value(self, letter: str) -> Any:
        [value] = struct.unpack_from(f"<{letter}", self._content, self.place)
        self.place += struct.calcsize(letter)
        return value

    def text(self) -> bytes:
        length = self.value("Q")
        self.skip(length)
        return self._content[self.place - length : self.place]

    def skip(self, length: int) -> None:
        self.place += length
        if self.place > len(self._content):
            raise struct.error("the end of the file")

    def metadata(self, kind: int) -> Any:
        """Read a value; of a list nothing is kept."""
        if kind in SCALARS:
            return self.value(SCALARS[kind])
        if kind == TEXT:
            return self.text()
        if kind != ARRAY:
            raise ValueError(f"a value of the unknown type {kind}")
        inner, number = self.value("I"), self.value("Q")
        if inner in SCALARS:
            self.skip(number * struct.calcsize(SCALARS[inner]))
        else:
            for _ in range(number):
                self.metadata(inner)
        return None


def check_gguf(path: Path) -> None:
    """Raise ValueError, in one sentence, unless a file is a whole GGUF file; OSError if it cannot be read."""
    with open(path, "rb") as file:
        if file.read(4) != MAGIC:
            raise ValueError(f"{path} is no GGUF file: it does not begin with GGUF")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            reader = _Reader(content)
            reader.place = len(MAGIC)
            try:
                end = _end(reader)
            except (struct.error, MemoryError, OverflowError, RecursionError):
                raise ValueError(f"{path} is cut short: its header does not end; fetch it anew") from None
            except ValueError as error:
                raise ValueError(f"{path} is no GGUF file that can be read: {error}") from None
            if end > len(content):
                raise ValueError(
                    f"{path} is cut short: it has {len(content)} bytes, its weights need {end}; fetch it anew"
                )


def _end(reader: _Reader) -> int:
    """Return where the weights end, in bytes from the beginning of the file."""
    version = reader.value("I")
    if version not in VERSIONS:
        raise ValueError(f"its version is {version}, and this reads {VERSIONS[0]} and {VERSIONS[1]}")
    tensors, entries = reader.value("Q"), reader.value("Q")
    if not (0 < tensors <= MOST and entries <= MOST):
        raise ValueError(f"its header tells of {tensors} tensors and {entries} entries")
    alignment = 32
    for _ in range(entries):
        name = reader.text()
        value = reader.metadata(reader.value("I"))
        if name == b"general.alignment":
            alignment = value
    if not isinstance(alignment, int) or alignment <= 0:
        raise ValueError(f"its alignment is {alignment}")
    last = 0
    for _ in range(tensors):
        reader.text()
        weights = 1
        for _ in range(reader.value("I")):
            weights *= reader.value("Q")
        in_block, size = BLOCKS.get(reader.value("I"), (1, 0))
        last = max(last, reader.value("Q") + weights // in_block * size)
    return -(-reader.place // alignment) * alignment + last
