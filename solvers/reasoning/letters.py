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

_LIST = re.compile(r"\W*[a-z][\"'`*)\]]*\s*[,;]", re.I | re.A)


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

    It is what follows the last "answer:"; else a letter alone in the last line, or the only option that lines name;
    else the only letter in bold or in brackets.
    """
    letters = LETTERS[: len(options)]
    said = [letter for match in _SAID.finditer(prose) if (letter := (match[1] or match[2]).upper()) in letters]
    if said:
        return letters.index(said[-1])
    if OBJECT.search(prose):  # a broken answer, not prose
        return None
    lines = [line[:LONGEST_LINE] for line in prose.splitlines() if line.strip()][-MOST_LINES:]
    named = [_line(line, options) for line in lines]
    if named and named[-1] is not None and len(lines[-1].strip(_AROUND)) == 1:
        return named[-1]
    only = set(named) - {None} or {letters.find(letter) for letter in _marked(prose)}
    return only.pop() if len(only) == 1 and only != {-1} else None


def _line(line: str, options: Sequence[str]) -> int | None:
    """Return the option that a line of prose names by itself; several letters, as in "A, B or C", name none."""
    return None if _LIST.match(line) or len(_marked(line)) > 1 else option_of(line, options)


def _marked(text: str) -> set[str]:
    """Return the letters in bold or in brackets."""
    return {next(filter(None, match.groups())).upper() for match in _MARKED.finditer(text)}


def _words(text: str) -> str:
    return " ".join(text.lower().split())
