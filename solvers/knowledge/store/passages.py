"""Passages: the pieces of text that knowledge is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A piece of text that is retrieved, sent and forgotten as one.

    Parameters
    ----------
    key
        What it is found by when knowledge is updated; unique within a base.
    text
        In any language.
    category
        What it is about, for ratios by category.
    group
        The group of questions that it comes from, which it must not help to answer; empty where it comes from none.
    """

    key: str
    text: str
    category: str = ""
    group: str = ""

    @property
    def size_bytes(self) -> int:
        """What the text alone costs to send, in bytes of UTF-8."""
        return len(self.text.encode())
