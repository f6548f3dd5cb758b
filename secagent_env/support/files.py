"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of ``path`` when the block ends without an error.

    A reader never sees half of it; an interruption or a full disk leaves the old file, and nothing beside it.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(folder: str | Path) -> None:
    """Raise OSError now if files cannot be written to a folder."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(folder)) from None


def write_text(path: str | Path, content: str) -> None:
    """Write a text file, in UTF-8, whole or not at all."""
    with whole_file(path) as file:
        file.write(content.encode())
