"""Digests: what the project writes carries one over its whole content, so that no damage goes unnoticed.

They tell damage, not forgery: whoever changes a file on purpose can compute its digest too.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

DIGEST = "digest"
"""The name of the entry that holds the digest."""

_logger = logging.getLogger("secagent.files")
_unverified: set[str] = set()


def digest(content: Any) -> str:
    """Return the SHA-256, in hexadecimal, of bytes, an array, JSON's data, or a mapping or sequence of such parts.

    It depends on the values, the types, the shapes and the names, not on the order of a mapping's entries.
    """
    state = hashlib.sha256()
    _update(state, content)
    return state.hexdigest()


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of JSON's data with the digest of all its entries."""
    return {**document, DIGEST: digest(json.loads(json.dumps(document)))}


def verified(document: Mapping[str, Any], path: object) -> dict[str, Any]:
    """Return the entries of a document that :func:`sealed` returned, without the digest.

    A document without a digest is called unverified in the log, once for each ``path``.

    Raises
    ------
    ValueError
        If the content and the digest differ.
    """
    entries = {name: value for name, value in document.items() if name != DIGEST}
    check_digest(document.get(DIGEST), entries, path)
    return entries


def check_digest(found: Any, content: Any, path: object) -> None:
    """Compare the digest that a file holds, or None, with its content; the rest is as in :func:`verified`."""
    if found is None:
        if (place := os.path.abspath(str(path))) not in _unverified:
            _unverified.add(place)
            _logger.warning("%s holds no digest: it is read unverified", path)
    elif found != digest(content):
        raise ValueError(
            "it is damaged: its content is not what its digest says (if it was changed on purpose, remove the digest)"
        )


def _update(state: Any, content: Any) -> None:
    if isinstance(content, Mapping):
        state.update(b"{%d:" % len(content))
        for name in sorted(content):
            _update(state, name)
            _update(state, content[name])
    elif isinstance(content, (list, tuple)):
        state.update(b"[%d:" % len(content))
        for item in content:
            _update(state, item)
    elif isinstance(content, np.ndarray):
        array = np.ascontiguousarray(content, content.dtype.newbyteorder("<"))
        state.update(f"a{array.dtype.str}{content.shape}:".encode())
        state.update(array.tobytes())
    elif isinstance(content, bytes):
        state.update(b"b%d:" % len(content) + content)
    else:
        text = json.dumps(content).encode()
        state.update(b"j%d:" % len(text) + text)
