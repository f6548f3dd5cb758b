"""Text of unknown writers, made fit for a message to people, a prompt or a file."""

from __future__ import annotations

import re
from collections.abc import Iterable

SECRET = re.compile(r"\b(sk|pk|key)-[\w.*-]{4,}|\bBearer\s+[\w.~+/=*-]{4,}", re.ASCII | re.IGNORECASE)
"""What looks like a key, or like what servers leave of one when they quote it."""

SHORTEST_SECRET = 8
"""Shorter ones, such as the placeholder "none", are words that may stand in any text."""


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text in which the secrets are struck out."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[key]")
    return text


def excerpt(text: str, length: int = 200, secrets: Iterable[str] = ()) -> str:
    """Return the beginning of a text in one line, without control characters or anything that looks like a key."""
    # Striking out comes first: half a secret, left by cutting, would not be found.
    text = SECRET.sub("[key]", without_secrets(text[: 100 * length], secrets))
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
