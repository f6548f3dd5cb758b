"""Passages: the pieces of text that knowledge is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A piece of text that is retrieved, sent and replaced as one.

    Parameters
    ----------
    key
        The key in updates of knowledge; unique within a base.
    text
        The text, in any language.
    category
        The topic, for ratios by category.
    group
        The group of questions that the passage comes from, and must not help to answer; empty where there is none.
    """

    key: str
    text: str
    category: str = ""
    group: str = ""

    @property
    def size_bytes(self) -> int:
        """The bytes of the text in UTF-8."""
        return len(self.text.encode())
