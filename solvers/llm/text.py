"""Untrusted text, made fit for messages, prompts and files."""

from __future__ import annotations

import re
from collections.abc import Iterable

SECRET = re.compile(r"\b(sk|pk|key)-[\w.*-]{4,}|\bBearer\s+[\w.~+/=*-]{4,}", re.ASCII | re.IGNORECASE)
"""A text that looks like a key, or like a key that a server has partly masked."""

SHORTEST_SECRET = 8
"""Shorter secrets, such as the placeholder "none", are words that any text may hold."""


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text with the secrets struck out."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[key]")
    return text


def excerpt(text: str, length: int = 200, secrets: Iterable[str] = ()) -> str:
    """Return the beginning of a text in one line, without control characters and without texts that look like keys."""
    # Secrets are struck out first: a secret that is cut in half would not be recognised.
    text = SECRET.sub("[key]", without_secrets(text[: 100 * length], secrets))
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
