"""The digest of a policy's file, among the metadata of its ONNX model: over all other bytes of the file."""

from __future__ import annotations

import re

from secagent_env.support.digests import check_digest, digest

BLANK = "0" * 64
"""Stands in the place of the digest while it is computed."""
_ENTRY = re.compile(rb"\x0a\x06digest\x12\x40([0-9a-f]{64})")
"""An entry of ONNX's metadata, as protobuf writes it."""


def sealed_policy(content: bytes) -> bytes:
    """Return a model's bytes with the digest in the place of the :data:`BLANK` one that its metadata hold."""
    return _with(content, digest(content))


def check_policy(content: bytes, path: object) -> None:
    """Compare a policy's bytes with the digest in them; ValueError if they differ, a word in the log if there is none.

    That is done before the model is read.
    """
    entries = _ENTRY.findall(content)
    found = entries[0].decode() if len(entries) == 1 else None
    check_digest(found, _with(content, BLANK) if found else None, path)


def _with(content: bytes, text: str) -> bytes:
    return _ENTRY.sub(lambda entry: entry[0][:-64] + text.encode(), content)
