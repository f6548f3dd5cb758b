"""The levels of collaboration: messages between agents about a question, and their bits (GenAINet, III-C).

At the *information* level the retrieved passages are sent, at the *decision* level an option with its confidence and a
short reason. At the *intent* level the request is concepts, as their numbers in a vocabulary that both sides know, or a
coarse vector; the reply points to passages that both sides have.

A message is one byte for version and kind, then its fields: numbers in seven bits a byte, lowest first, with the eighth
bit set on all but the last byte; texts in UTF-8 after their length in bytes. All but the first byte is deflated where
that is shorter, and a bit of the first byte says so. Messages are data, never code; a bad one raises ``ValueError``.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from secagent_env.support.errors import check_name
from solvers.knowledge.store.passages import Passage

Level = Literal["information", "decision", "intent"]
LEVELS: tuple[Level, ...] = ("information", "decision", "intent")

MAX_BYTES = 1 << 25
"""Messages that are longer, deflated or inflated, are refused."""
_VERSION, _DEFLATED = 0x10, 0x08
_MAX_NUMBER = 2**32
_SURE = 254
"""The steps of a confidence, which is sent as a byte; one more value stands for None."""


@dataclass(frozen=True)
class Inquiry:
    """A question without its answer, for a message.

    Parameters
    ----------
    text, options, passage
        Parts of the question; options and passage may be left out where only passages are wanted.
    group
        The group of the question; knowledge of this group must not help to answer it.
    """

    text: str
    options: tuple[str, ...] = ()
    passage: str = ""
    group: str = ""


@dataclass(frozen=True)
class Inquiries:
    """Questions in a message: one to a partner, or the feedback of a student."""

    questions: tuple[Inquiry, ...]


@dataclass(frozen=True)
class Information:
    """Retrieved passages."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Opinion:
    """A decision: the index of an option or None, the confidence from 0 to 1 or None, and a short reason.

    A confidence is sent in steps of 1/254.
    """

    option: int | None
    confidence: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Intent:
    """The subject of a question: numbers of concepts in ascending order, or a vector of integers from −127 to 127."""

    concepts: tuple[int, ...] = ()
    vector: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pointers:
    """Indices of passages in a base that both sides have, in reply to an intent."""

    indices: tuple[int, ...]


AgentMessage: TypeAlias = Inquiries | Information | Opinion | Intent | Pointers
_KINDS: tuple[type[AgentMessage], ...] = (Inquiries, Information, Opinion, Intent, Pointers)


def check_level(level: str) -> None:
    """Raise ValueError if there is no such level of collaboration."""
    check_name("level", level, LEVELS)


def encode(message: AgentMessage) -> bytes:
    """Return a message as bytes.

    Raises
    ------
    ValueError
        If an option is beyond 254, a confidence outside [0, 1], a vector beyond ±127, or concepts are out of order; or
        if there are more than ``MAX_BYTES``.
    """
    body = bytes(_body(message))
    if len(body) > MAX_BYTES:
        raise ValueError(f"a message has at most {MAX_BYTES} bytes, got {len(body)}")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(body) + packer.flush()
    kind = _VERSION | _KINDS.index(type(message))
    return bytes([kind | _DEFLATED]) + packed if len(packed) < len(body) else bytes([kind]) + body


def decode(data: bytes) -> AgentMessage:
    """Return the message in bytes of :func:`encode`; raise ValueError for other, cut or too many bytes."""
    if not data or len(data) > MAX_BYTES + 1:
        raise ValueError(f"a message has 1 to {MAX_BYTES} bytes, got {len(data)}")
    if data[0] & 0xF0 != _VERSION:
        raise ValueError(f"a message of another version ({data[0] >> 4}); this one reads version {_VERSION >> 4}")
    kind = data[0] & 0x07
    if kind >= len(_KINDS):
        raise ValueError(f"a message of an unknown kind ({kind})")
    reader = _Reader(_inflated(data[1:]) if data[0] & _DEFLATED else data[1:])
    message = _READ[kind](reader)
    if reader.left:
        raise ValueError(f"a message with {reader.left} bytes too many")
    return message


def coarse(vector: np.ndarray) -> tuple[int, ...]:
    """Return the direction of a vector (d,) in integers from −127 to 127."""
    largest = float(np.abs(vector).max(initial=0.0))
    return tuple(np.rint(vector * (127 / largest)).astype(int).tolist()) if largest > 0 else (0,) * vector.size


# --- Writing ---------------------------------------------------------------------------------------------------


def _body(message: AgentMessage) -> bytes:
    match message:
        case Inquiries(questions):
            return _many(questions, lambda q: _text(q.text) + _many(q.options, _text) + _text(q.passage, q.group))
        case Information(passages):
            return _many(passages, lambda p: _text(p.key, p.text, p.category, p.group))
        case Opinion(option, confidence, reason):
            if option is not None and not 0 <= option < 255:
                raise ValueError(f"an option to be sent is a number from 0 to 254, got {option}")
            if confidence is not None and not 0 <= confidence <= 1:
                raise ValueError(f"a confidence is a number from 0 to 1, got {confidence}")
            sure = 0 if confidence is None else 1 + round(confidence * _SURE)
            return bytes([0 if option is None else option + 1, sure]) + _text(reason)
        case Intent(concepts, vector):
            if any(later <= earlier for earlier, later in itertools.pairwise(concepts)):
                raise ValueError("concepts must be in ascending order, none of them twice")
            if any(not -127 <= value <= 127 for value in vector):
                raise ValueError("a vector to be sent has integers from -127 to 127")
            steps = np.diff(concepts, prepend=0).tolist() if concepts else []
            return _many(steps, _number) + _many([value % 256 for value in vector], lambda value: bytes([value]))
        case Pointers(indices):
            return _many(indices, _number)


_Item = TypeVar("_Item")


def _many(items: Sequence[_Item], write: Callable[[_Item], bytes]) -> bytes:
    return _number(len(items)) + b"".join(map(write, items))


def _text(*texts: str) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(_number(len(each)) + each for each in encoded)


def _number(value: int) -> bytes:
    if not 0 <= value < _MAX_NUMBER:
        raise ValueError(f"a number to be sent is from 0 to 2^32 - 1, got {value}")
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


# --- Reading ---------------------------------------------------------------------------------------------------


def _inflated(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(-15)
    try:
        body = unpacker.decompress(packed, MAX_BYTES + 1)
    except zlib.error as error:
        raise ValueError("a message that cannot be inflated: it is damaged or no message") from error
    if not unpacker.eof or unpacker.unused_data or len(body) > MAX_BYTES:
        raise ValueError(f"a message that is cut off, goes on after its end or has more than {MAX_BYTES} bytes")
    return body


class _Reader:
    """Reads fields one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError("a message that is cut off")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if value >= _MAX_NUMBER or shift > 28:
                raise ValueError("a message with a number of more than 32 bits")
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> str:
        try:
            return self.take(self.number()).decode()
        except UnicodeDecodeError as error:
            raise ValueError("a message with a text that is not UTF-8") from error

    def many(self, read: Callable[[], _Item]) -> tuple[_Item, ...]:
        return tuple(read() for _ in range(self.number()))


def _read_intent(reader: _Reader) -> Intent:
    steps = reader.many(reader.number)
    vector = np.frombuffer(reader.take(reader.number()), np.int8).tolist()
    if 0 in steps[1:] or -128 in vector:
        raise ValueError("a message with concepts out of order, or a vector beyond ±127")
    return Intent(tuple(itertools.accumulate(steps)), tuple(vector))


def _read_opinion(reader: _Reader) -> Opinion:
    option, sure = reader.byte(), reader.byte()
    return Opinion(option - 1 if option else None, (sure - 1) / _SURE if sure else None, reader.text())


def _read_inquiry(reader: _Reader) -> Inquiry:
    return Inquiry(reader.text(), reader.many(reader.text), reader.text(), reader.text())


_READ: tuple[Callable[[_Reader], AgentMessage], ...] = (
    lambda reader: Inquiries(reader.many(lambda: _read_inquiry(reader))),
    lambda reader: Information(reader.many(lambda: Passage(*(reader.text() for _ in range(4))))),
    _read_opinion,
    _read_intent,
    lambda reader: Pointers(reader.many(reader.number)),
)
"""In the order of the kinds."""
