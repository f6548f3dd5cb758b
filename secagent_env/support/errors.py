"""Errors for people: an unknown name is answered with the valid ones, the nearest first."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any


def unknown_name(kind: str, name: object, valid: Iterable[str]) -> ValueError:
    """Return the error for an unknown ``kind`` of thing called ``name``, to be raised by the caller."""
    names = sorted(valid)
    near = difflib.get_close_matches(str(name)[:80], names, n=len(names) or 1, cutoff=0.5)
    ordered = near + [other for other in names if other not in near]
    hint = f"did you mean {near[0]!r}? " if near else ""
    return ValueError(f"unknown {kind} {name!r:.80}; {hint}valid are: {', '.join(ordered) or 'none'}")


def check_name(kind: str, name: Any, valid: Collection[str]) -> str:
    """Return the name of a ``kind`` of thing, or raise ValueError where it is none of the valid ones."""
    if not isinstance(name, str) or name not in valid:
        raise unknown_name(kind, name, valid)
    return name
