"""Concepts: what a text is about, found by rules and not by a model.

- A clause is cut at stop words, relation verbs and punctuation; what is left between two cuts is a phrase, such as
  "physical-layer security". Of a phrase longer than three words the last three stay, where its head is in English.
- The single words of a phrase are concepts too, so that "beamforming" is found in "transmit beamforming".
- "hybrid automatic repeat request (HARQ)" introduces an abbreviation; from then on both are one concept.
- Letter case and a plural *s* make no difference.

The stop words are English. Other languages are read by the same rules: their function words pass for concepts, and a
text without spaces between words gives one concept a clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

MAX_WORDS = 3
MAX_LENGTH = 60
"""Characters of a concept."""
MAX_MENTIONS = 64
"""Of a text; what comes later is not read."""
RELATIONS = {
    "is a": "is are was were be means",
    "uses": "use uses used using employ employs exploits requires require needs need",
    "consists of": "consists consist comprises comprise includes include including contains contain has have",
    "enables": "enables enable allows allow provides provide supports support lets improves improve increases",
    "limits": "limits limit reduces reduce prevents prevent decreases lowers avoids minimizes mitigates",
    "defines": "defines define defined specifies specified describes described",
    "affects": "affects affect depends depend determines determine causes cause leads",
}
"""The relations between two concepts, and the verbs between them that tell each."""
BESIDE = "beside"
"""The relation of concepts that follow each other in a sentence without such a verb."""

_VERBS = {verb: relation for relation, verbs in RELATIONS.items() for verb in verbs.split()}
_STOP_WORDS = """
a an the this that these those am been being do does did done of to in on at by for from with without as into onto
upon about over under and or nor which who whom whose what when where why how it its they their them he she his her
we our us you your i can could may might will would shall should must there here so such then than also very more
most each both either neither while if because since although though through between among within during not no only
other another some any all many much one two three first second same different new given based related called known
e.g i.e etc via per out up down off again further once just own too et al following correct statement true false
according refers refer term stands main purpose primary used typically generally often ensure ensures help helps
make makes made take takes taken get gets give gives becomes become several various specific certain well due
"""
_STOPS = frozenset(_STOP_WORDS.split()) | frozenset(_VERBS)
_TOKEN = re.compile(r"[^\W_]+(?:[-'’/.+][^\W_]+)*\+*|[^\w\s]|_")
_SENTENCE = re.compile(r"[.!?;:]\s")
_INTRODUCED = re.compile(r"\(\s*([A-Z][A-Za-z0-9-]{1,9})\s*\)")


class Mention(NamedTuple):
    """A phrase where it stands: its concepts, the longest first, and the relation to the phrase before it, if any."""

    concepts: tuple[str, ...]
    relation: str | None


@dataclass(frozen=True)
class Concepts:
    """How texts are read: the rules of this module and the abbreviations that the texts introduced.

    Parameters
    ----------
    abbreviations
        Long forms by abbreviation, in lower case.
    """

    abbreviations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Concepts:
        """Return a reader that knows the abbreviations introduced in texts; of two long forms the first holds."""
        found: dict[str, str] = {}
        for text in texts:
            for match in _INTRODUCED.finditer(text):
                long = _long_form(text[: match.start()], match[1])
                if long:
                    found.setdefault(match[1].lower(), long)
        return cls(found)

    def of(self, text: str) -> tuple[str, ...]:
        """Return the concepts of a text, each once, in the order in which they come."""
        return tuple(dict.fromkeys(concept for mention in self.mentions(text) for concept in mention.concepts))

    def mentions(self, text: str) -> list[Mention]:
        """Return the phrases of a text, each with the relation that leads to it from the one before."""
        found: list[Mention] = []
        phrase: list[str] = []
        relation: str | None = None
        for token in [*self._abbreviated(_TOKEN.findall(text.lower())), "."]:
            if token[0].isalnum() and token not in _STOPS:
                phrase.append(token)
                continue
            if phrase:
                found.append(Mention(self._concepts(phrase), relation))
                phrase, relation = [], BESIDE
                if len(found) == MAX_MENTIONS:
                    break
            if token in ".!?;:。！？":
                relation = None
            elif relation is not None:
                relation = _VERBS.get(token, relation)
        return [mention for mention in found if mention.concepts]

    def _abbreviated(self, tokens: list[str]) -> Iterator[str]:
        """Give tokens, with abbreviations in the place of their long forms."""
        place = 0
        while place < len(tokens):
            for short, long in self._by_first.get(tokens[place], ()):
                if tokens[place : place + len(long)] == long:
                    yield short
                    place += len(long)
                    break
            else:
                yield tokens[place]
                place += 1

    @cached_property
    def _by_first(self) -> dict[str, list[tuple[str, list[str]]]]:
        """The abbreviations by the first words of their long forms, the longest first."""
        found: dict[str, list[tuple[str, list[str]]]] = {}
        for short, long in sorted(self.abbreviations.items(), key=lambda pair: -len(pair[1])):
            words = long.split(" ")
            found.setdefault(words[0], []).append((short, words))
        return found

    @staticmethod
    def _concepts(phrase: list[str]) -> tuple[str, ...]:
        names = [" ".join(phrase[-MAX_WORDS:]), *phrase] if len(phrase) > 1 else phrase
        return tuple(dict.fromkeys(normal(name) for name in names if _telling(name)))


def normal(name: str) -> str:
    """Return a concept as it is compared: lower case, single spaces, no plural *s*, not too long."""
    name = " ".join(name.lower().split())[:MAX_LENGTH].strip()
    plural = len(name) > 3 and name.endswith("s") and not name.endswith(("ss", "us", "is"))
    return name[:-1] if plural else name


def _telling(name: str) -> bool:
    return len(name) > 1 and not name.replace(".", "").isdigit()


def _long_form(before: str, short: str) -> str:
    """Return the fewest last words that hold the abbreviation's letters in order, its first at their beginning.

    (Schwartz and Hearst, 2003: letters are looked for from the end.)
    """
    letters = [letter for letter in short.lower() if letter.isalnum()]
    most = min(len(letters) + 5, 2 * len(letters))
    words = _words(_SENTENCE.split(before)[-1])[-most:]
    for start in range(len(words) - 1, -1, -1):
        own = words[start:]
        if own[0] != short.lower() and own[0][0] == letters[0] and _holds(" ".join(own), letters):
            return " ".join(own)
    return ""


def _holds(text: str, letters: list[str]) -> bool:
    """Tell whether letters come in a text in their order, beginning with its first."""
    place = len(text)
    for letter in reversed(letters[1:]):
        place = text.rfind(letter, 0, place)
        if place <= 0:
            return False
    return text[0] == letters[0]


def _words(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text.lower()) if token[0].isalnum()]
