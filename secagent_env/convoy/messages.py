"""Messages: what each level of collaboration puts on the air, to the bit.

Every message begins with 5 bits, its level (2) and its sender (3); the roadside unit is sender 7. Then

============  ==============================================================  ======================================
level         a vehicle sends                                                 the roadside unit sends
============  ==============================================================  ======================================
information   what it knows: how many (3), and of each vehicle arm (2),       the same
              place (8), speed (6), age (3)
decision      its place (8), its speed (6), its planned acceleration (5)      how many (3), of each arm (2) and the
                                                                              ordered acceleration (5)
intent        whether it goes first or yields (1)                             how many (3), of each arm (2), go (1)
============  ==============================================================  ======================================

Places are told in steps of 0.5 m from −96 m, speeds of 0.25 m/s, accelerations of 0.3 m/s² from −6, ages of 0.2 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVELS = ("nothing", "information", "decision", "intent")
NOTHING, INFORMATION, DECISION, INTENT = range(4)
HEADER, COUNT, ARM, GO = 5, 3, 2, 1
ROADSIDE = 7
"""The roadside unit as a sender."""


@dataclass(frozen=True)
class Field:
    """A number in ``bits`` bits: ``low`` + code · ``step``."""

    bits: int
    low: float
    step: float

    def code(self, value: np.ndarray | float) -> np.ndarray:
        """Return the codes of numbers: the nearest, within what the bits can say."""
        codes = np.rint((np.asarray(value) - self.low) / self.step)
        return np.clip(codes, 0, 2**self.bits - 1).astype(int)

    def value(self, code: np.ndarray | int) -> np.ndarray:
        """Return the numbers that codes stand for."""
        return np.asarray(self.low + np.asarray(code) * self.step)

    def rounded(self, value: np.ndarray | float) -> np.ndarray:
        """Return numbers as the receiver reads them."""
        return self.value(self.code(value))


PLACE, SPEED = Field(8, -96.0, 0.5), Field(6, 0.0, 0.25)
ACCELERATION, AGE = Field(5, -6.0, 0.3), Field(3, 0.0, 0.2)
ENTRY = ARM + PLACE.bits + SPEED.bits + AGE.bits


def bits_of(level: np.ndarray, known: np.ndarray, roadside: np.ndarray | bool = False) -> np.ndarray:
    """Return the bits of messages (…) of a level that tell of ``known`` vehicles; nothing has none."""
    level, known = np.asarray(level), np.asarray(known)
    vehicle = [
        0 * known,
        COUNT + known * ENTRY,
        0 * known + PLACE.bits + SPEED.bits + ACCELERATION.bits,
        0 * known + GO,
    ]
    unit = [0 * known, COUNT + known * ENTRY, COUNT + known * (ARM + ACCELERATION.bits), COUNT + known * (ARM + GO)]
    body = np.where(roadside, np.choose(level, unit), np.choose(level, vehicle))
    return np.where(level == NOTHING, 0, HEADER + body)


@dataclass(frozen=True)
class Message:
    """A message as it is read.

    Attributes
    ----------
    level
        ``"information"``, ``"decision"`` or ``"intent"``.
    sender
        The arm of a vehicle, or :data:`ROADSIDE`.
    entries
        A tuple of numbers for each vehicle it is about: (arm, place, speed, age), (arm, place, speed, acceleration) or
        (arm, go) of a vehicle; (arm, acceleration) or (arm, go) of the roadside unit.
    """

    level: str
    sender: int
    entries: tuple[tuple[float, ...], ...]


def encode(message: Message) -> str:
    """Return a message as a text of 0 and 1.

    Raises
    ------
    ValueError
        If the level is unknown.
    """
    if message.level not in LEVELS[1:]:
        raise ValueError(f"the level of a message must be one of {', '.join(LEVELS[1:])}, got {message.level!r:.40}")
    level, alone = LEVELS.index(message.level), message.sender != ROADSIDE
    text = f"{level:02b}{message.sender:03b}"
    if not (alone and level != INFORMATION):
        text += f"{len(message.entries):03b}"
    for entry in message.entries:
        for value, field in zip(entry, _fields(level, alone), strict=True):
            text += "" if field is None else f"{int(field.code(value)):0{field.bits}b}"
    return text


def decode(text: str) -> Message:
    """Return the message that a text of 0 and 1 stands for.

    Raises
    ------
    ValueError
        If the text is cut off, too long, or no message: one sentence says why.
    """
    if set(text) - {"0", "1"}:
        raise ValueError("a message consists of 0 and 1 only")
    reader = _Reader(text)
    level, sender = reader.take(2), reader.take(3)
    if level == NOTHING:
        raise ValueError("the message has no level that is known; it may come from another version")
    alone = sender != ROADSIDE
    count = 1 if alone and level != INFORMATION else reader.take(COUNT)
    entries = []
    for _ in range(count):
        parts = [
            sender if field is None else float(field.value(reader.take(field.bits))) for field in _fields(level, alone)
        ]
        entries.append(tuple(parts))
    if reader.left:
        raise ValueError(f"the message goes on for {reader.left} bits after its end")
    return Message(LEVELS[level], sender, tuple(entries))


_ARM, _GO = Field(ARM, 0.0, 1.0), Field(GO, 0.0, 1.0)


def _fields(level: int, alone: bool) -> Sequence[Field | None]:
    """Return the fields of an entry; None stands for the sender's own arm, which its header has told."""
    own = None if alone else _ARM
    if level == INFORMATION:
        return (_ARM, PLACE, SPEED, AGE)
    if level == INTENT:
        return (own, _GO)
    return (own, PLACE, SPEED, ACCELERATION) if alone else (own, ACCELERATION)


class _Reader:
    """Reads numbers from a text of 0 and 1."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    @property
    def left(self) -> int:
        return len(self._text) - self._at

    def take(self, bits: int) -> int:
        if self.left < bits:
            raise ValueError(f"the message is cut off after {len(self._text)} bits")
        self._at += bits
        return int(self._text[self._at - bits : self._at], 2)
