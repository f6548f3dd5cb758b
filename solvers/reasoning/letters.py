"""Which option a model names: by its letter, its number or its words, with whatever models write around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from solvers.llm.structured import OBJECT

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

MOST_LINES, LONGEST_LINE = 50, 1000
"""The most lines at the end of prose that are read by themselves, and the most characters of one."""

_AROUND = "\"'`*_$()[]{}.:, \n"

# A letter names an option if it stands alone, in brackets or before a mark; the letters of "A wave" and "D/A" do not.
_LETTER = re.compile(r"([a-z])[\"'`*)\]]*\s*(?:$|[).:,;].*|\s[-–=(].*)", re.I | re.A | re.S)
_NUMBER = re.compile(r"([0-9]{1,3})", re.A)
_PREFIX = re.compile(
    r"(?:(?:the\s+)?(?:(?:correct|right|best|final|my)\s+)?(?:answer|option|choice)\b(?:\s+is\b)?[\s:=\"'`*_(\[]*){1,3}",
    re.I | re.A,
)

# In prose, a small letter may be a word: it has to be marked, or to end the sentence.
_SAID = re.compile(
    r"(?i:\b(?:answer|option|choice)\b)[*_]{0,3}(?i:\s+is\b)?\s{0,5}[:=]?[\s\"'`*_(\[$]{0,20}"
    r"(?:([A-Z])\b(?!['’/-])|([a-z])(?=[\"'`*_]{0,4}(?:[)\].,;:]|\s*$|\s*\n)))",
    re.A,
)
_MARKED = re.compile(r"\*\*\W{0,2}([A-Z])\W{0,2}\*\*|\\boxed\{\W{0,2}([A-Z])\W{0,2}\}|[(\[]([A-Z])[)\]]", re.I | re.A)


def option_of(text: str, options: Sequence[str]) -> int | None:
    """Return the option that a text names by letter, by number from 1, or in the option's words; None for no option."""
    text = text.strip().strip(_AROUND)
    words = {_words(option): index for index, option in reversed(list(enumerate(options)))}
    if (index := words.get(_words(text))) is not None:
        return index
    if (prefix := _PREFIX.match(text)) and prefix.end() < len(text):
        text = text[prefix.end() :]
        if (index := words.get(_words(text))) is not None:
            return index
    if letter := _LETTER.fullmatch(text):
        place = LETTERS.index(letter[1].upper())
    elif number := _NUMBER.fullmatch(text):
        place = int(number[1]) - 1
    else:  # as in "B A shaped signal": a letter, then the words of its option
        place = words.get(_words(text[1:]), -1)
        if LETTERS.find(text[:1].upper()) != place:
            return None
    return place if 0 <= place < len(options) else None


def option_in(prose: str, options: Sequence[str]) -> int | None:
    """Return the option that prose settles on; None for none.

    It is what follows the last "answer:", else a whole line that names an option, the last one, else the only letter in
    bold or in brackets.
    """
    letters = LETTERS[: len(options)]
    said = [letter for match in _SAID.finditer(prose) if (letter := (match[1] or match[2]).upper()) in letters]
    if said:
        return letters.index(said[-1])
    if OBJECT.search(prose):  # a broken answer, not prose
        return None
    lines = [line for line in prose.splitlines() if line.strip()]
    for line in reversed(lines[-MOST_LINES:]):
        if (index := option_of(line[:LONGEST_LINE], options)) is not None:
            return index
    marked = {next(filter(None, match.groups())).upper() for match in _MARKED.finditer(prose)}
    return letters.find(marked.pop()) if len(marked) == 1 and marked <= set(letters) else None


def _words(text: str) -> str:
    return " ".join(text.lower().split())
