"""The standard streams of the command: they take every character, and may be closed or full."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LOOKALIKES = {
    **{"–": "-", "−": "-", "—": "-", "…": "...", "×": "x", "·": ".", "±": "+-", "≤": "<=", "≥": ">=", "≈": "~"},
    **{"µ": "u", "μ": "u", "→": "->", "°": "deg", "²": "^2", "’": "'", "“": '"', "”": '"'},
}
"""For characters of tables and messages that an encoding lacks; others are written as ``\\u…``."""


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    shown = (LOOKALIKES.get(character) or _escaped(character) for character in lacking)
    return "".join(shown), error.end


def _escaped(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error("secagent", _replaced)


@contextmanager
def every_stream() -> Iterator[None]:
    """Let the standard streams take whatever is printed: every character, and nothing where they are closed."""
    _open_low_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream or os.fdopen(_nowhere(), "w", encoding="utf-8") for stream in before)
    strict = [
        (stream, stream.errors)
        for stream in (sys.stdout, sys.stderr)
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape")
    ]
    for stream, _ in strict:
        stream.reconfigure(errors="secagent")
    try:
        yield
    finally:
        say("", end="")
        for stream, errors in strict:
            with suppress(OSError, ValueError):
                stream.reconfigure(errors=errors)
        sys.stdout, sys.stderr = before


def _open_low_descriptors() -> None:
    """Open 0, 1 and 2 where they are closed: else a file would get one, and what libraries print would go into it."""
    while (descriptor := _nowhere()) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def unwritten() -> OSError | None:
    """Write what stdout still holds; if it takes no more, drop that, and return the error unless its reader left."""
    try:
        sys.stdout.flush()
    except OSError as error:
        drop(1)
        return None if isinstance(error, BrokenPipeError) else OSError(f"cannot write to stdout: {error.strerror}")
    return None


def say(text: str, end: str = "\n") -> None:
    """Print a line on stderr, and what that still holds, if it takes it; else drop it."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        drop(2)


def drop(descriptor: int) -> None:
    """Drop what is written to a descriptor from now on."""
    os.dup2(_nowhere(), descriptor)


def _nowhere() -> int:
    return os.open(os.devnull, os.O_RDWR)
