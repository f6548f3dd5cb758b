"""Concepts: the topics of a text, found by rules and not by a model.

- A clause is cut at stop words, relation verbs and punctuation; the words between two cuts are a phrase, such as
  "physical-layer security". A phrase longer than three words keeps the last three, which hold its head in English.
- The single words of a phrase are concepts too, so that "beamforming" is found in "transmit beamforming".
- "hybrid automatic repeat request (HARQ)" introduces an abbreviation; both forms are one concept from then on.
- Letter case and a plural *s* make no difference.

The stop words are English. In other languages function words pass for concepts, and a text without spaces between words
gives one concept for each clause.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from solvers.knowledge.store.message import columns, strings
from solvers.knowledge.store.passages import Passage

MAX_WORDS = 3
MAX_LENGTH = 60
"""The most characters of a concept."""
MAX_MENTIONS = 64
"""The most mentions that are read of a text."""
RELATIONS = {
    "is a": "is are was were be means",
    "uses": "use uses used using employ employs exploits requires require needs need",
    "consists of": "consists consist comprises comprise includes include including contains contain has have",
    "enables": "enables enable allows allow provides provide supports support lets improves improve increases",
    "limits": "limits limit reduces reduce prevents prevent decreases lowers avoids minimizes mitigates",
    "defines": "defines define defined specifies specified describes described",
    "affects": "affects affect depends depend determines determine causes cause leads",
}
"""The relations between two concepts, and the verbs that express each."""
BY_NAMES = "names"
"""The field ``reader`` of a message whose structure is read by the names that it holds."""
BESIDE = "beside"
"""The relation of neighbouring concepts of a sentence without such a verb between them."""

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
    """A phrase in a text: its concepts, the longest first, and the relation to the phrase before it, if any."""

    concepts: tuple[str, ...]
    relation: str | None


@dataclass(frozen=True)
class Concepts:
    """A reader of texts: the rules of this module, and the abbreviations that the texts introduced.

    Parameters
    ----------
    abbreviations
        Long forms by abbreviation, in lower case.
    """

    abbreviations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Concepts:
        """Return a reader that knows the abbreviations introduced in texts; the first of several long forms holds."""
        abbreviations: dict[str, str] = {}
        for text in texts:
            for match in _INTRODUCED.finditer(text):
                long = _long_form(text[: match.start()], match[1])
                if long:
                    abbreviations.setdefault(match[1].lower(), long)
        return cls(abbreviations)

    def knowing(self, names: Sequence[str]) -> Concepts:
        """Return the reader of a structure whose concepts have these names; the rules need none."""
        return self

    def to_fields(self) -> dict[str, Any]:
        """Return the reader as fields of a message: the abbreviations."""
        return {"short": list(self.abbreviations), "long": list(self.abbreviations.values())}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Concepts:
        """Return the reader in the fields of a message; raise ValueError if they are damaged."""
        short, long = strings(fields, "short"), strings(fields, "long")
        if len(short) != len(long):
            raise ValueError("the message is damaged: its abbreviations have gaps")
        kind = KnownNames if fields.get("reader") == BY_NAMES else Concepts
        return kind(dict(zip(short, long, strict=True)))

    def of(self, text: str) -> tuple[str, ...]:
        """Return the concepts of a text, each once, in order."""
        return tuple(dict.fromkeys(concept for mention in self.mentions(text) for concept in mention.concepts))

    def mentions(self, text: str) -> list[Mention]:
        """Return the phrases of a text, each with the relation that leads to it from the one before."""
        mentions: list[Mention] = []
        phrase: list[str] = []
        relation: str | None = None
        for token in [*self._abbreviated(_TOKEN.findall(text.lower())), "."]:
            if token[0].isalnum() and token not in _STOPS:
                phrase.append(token)
                continue
            if phrase:
                mentions.append(Mention(self._concepts(phrase), relation))
                phrase, relation = [], BESIDE
                if len(mentions) == MAX_MENTIONS:
                    break
            if token in ".!?;:。！？":
                relation = None
            elif relation is not None:
                relation = _VERBS.get(token, relation)
        return [mention for mention in mentions if mention.concepts]

    def _abbreviated(self, tokens: list[str]) -> Iterator[str]:
        """Yield tokens, with abbreviations in place of their long forms."""
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
        """Abbreviations and long forms by the first word of the long form, the longest first."""
        by_first: dict[str, list[tuple[str, list[str]]]] = {}
        for short, long in sorted(self.abbreviations.items(), key=lambda pair: -len(pair[1])):
            words = long.split(" ")
            by_first.setdefault(words[0], []).append((short, words))
        return by_first

    @staticmethod
    def _concepts(phrase: list[str]) -> tuple[str, ...]:
        names = [" ".join(phrase[-MAX_WORDS:]), *phrase] if len(phrase) > 1 else phrase
        return tuple(dict.fromkeys(normal(name) for name in names if _is_concept(name)))


@dataclass(frozen=True)
class KnownNames(Concepts):
    """A reader that finds the names of a structure's own concepts in a text, all and nothing else.

    It is the reader where something other than the rules found the concepts, such as a language model.

    Parameters
    ----------
    names
        As :func:`canonical` writes them; a structure gives its own.
    """

    names: frozenset[str] = frozenset()

    def knowing(self, names: Sequence[str]) -> KnownNames:
        """Return the reader that finds these names."""
        return replace(self, names=frozenset(names))

    def to_fields(self) -> dict[str, Any]:
        """Return the reader as fields of a message, without the names, which are those of the concepts there."""
        return {**super().to_fields(), "reader": BY_NAMES}

    def of(self, text: str) -> tuple[str, ...]:
        """Return the names in a text, each once, in order; of names that begin at the same word the longest first."""
        words = _words(text)
        phrases = (
            normal(" ".join(words[first : first + count]))
            for first in range(len(words))
            for count in range(min(self._most, len(words) - first), 0, -1)
        )
        return tuple(dict.fromkeys(phrase for phrase in phrases if phrase in self.names))

    @cached_property
    def _most(self) -> int:
        """The most words of a name."""
        return max((name.count(" ") + 1 for name in self.names), default=0)


def canonical(name: str) -> str:
    """Return the form of a name in which :class:`KnownNames` finds it; empty if it has no letter or digit."""
    return normal(" ".join(_words(name)))


def normal(name: str) -> str:
    """Return the form of a concept by which it is compared: lower case, single spaces, no plural *s*, not too long."""
    name = " ".join(name.lower().split())[:MAX_LENGTH].strip()
    plural = len(name) > 3 and name.endswith("s") and not name.endswith(("ss", "us", "is"))
    return name[:-1] if plural else name


def _is_concept(name: str) -> bool:
    return len(name) > 1 and not name.replace(".", "").isdigit()


def _long_form(before: str, short: str) -> str:
    """Return the fewest last words that begin with the abbreviation's first letter and hold all letters in order.

    Letters are matched from the end (Schwartz and Hearst, 2003).
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
    """Return whether a text begins with the first letter and holds all letters in order."""
    place = len(text)
    for letter in reversed(letters[1:]):
        place = text.rfind(letter, 0, place)
        if place <= 0:
            return False
    return text[0] == letters[0]


def _words(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text.lower()) if token[0].isalnum()]


class Content(NamedTuple):
    """What a structure holds of a passage: names of concepts, and relations between two of them, in a fixed order."""

    concepts: tuple[str, ...]
    relations: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class ByConcepts:
    """Passages that are found by their concepts.

    Parameters
    ----------
    passages
        P of them.
    concepts
        The names of the C concepts.
    reader
        The reader of texts, with the abbreviations that the passages introduced; it learns the names of the concepts.
    """

    noun: ClassVar[str]
    magic: ClassVar[bytes]

    passages: tuple[Passage, ...]
    concepts: tuple[str, ...]
    reader: Concepts

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", self.reader.knowing(self.concepts))

    def __len__(self) -> int:
        return len(self.passages)

    def known(self, text: str) -> list[int]:
        """Return the indices of the concepts of a text that are among those of the passages."""
        return [self._places[name] for name in self.reader.of(text) if name in self._places]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.concepts)}

    @property
    @abstractmethod
    def own(self) -> tuple[tuple[int, ...], ...]:
        """For each passage the indices of the concepts by which it is found."""

    @classmethod
    @abstractmethod
    def build(cls, passages: Iterable[Passage]) -> Self:
        """Read passages."""

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the structure in a message; raise ValueError if it is foreign, cut, damaged or of another version."""

    @classmethod
    @abstractmethod
    def of_contents(cls, passages: Iterable[Passage], reader: Concepts, contents: Sequence[Content]) -> Self:
        """Return the structure that holds this of each passage."""

    @cached_property
    def contents(self) -> list[Content]:
        """What the structure holds of each passage."""
        return [Content(tuple(sorted(self.concepts[place] for place in own))) for own in self.own]

    @cached_property
    def size_bits(self) -> int:
        """The bits of the message of ``to_bytes``, with the passages."""
        return 8 * len(self.to_bytes())

    @abstractmethod
    def search_texts(self, texts: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the k passages that suit each text best.

        Parameters
        ----------
        texts
            Q questions.
        k
            How many.

        Returns
        -------
        indices, scores
            (Q, k), the best first; -1 and -inf where fewer suit. Ties: the lower index first.
        """

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Return a message, with the passages."""

    def _fields(self, **own: Any) -> dict[str, Any]:
        """Return the fields of a message: what all such messages have in common, and a class's own."""
        return {**columns(self.passages), "concepts": list(self.concepts), **own, **self.reader.to_fields()}
