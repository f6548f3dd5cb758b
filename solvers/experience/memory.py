"""An agent's memory of games: a knowledge base of lessons, with what each has earned since."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from secagent_env.support.checks import integer, number
from secagent_env.support.files import write_bytes
from secagent_env.support.reading import read_bytes
from solvers.experience.credit import LEVEL, Credit
from solvers.experience.lessons import Lesson, Situation, SituationEncoder
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import Encoder
from solvers.knowledge.store.message import columns, pack_fields, passages_of, unpack_fields
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.store.wire import difference

MAGIC = b"SAXP"
"""The first bytes of a file with a memory."""
CAPACITY = 64
"""The most lessons; the one with the least mean advantage makes room for a new one."""
SIMILAR = 0.3
"""Lessons of less similar situations are not retrieved."""


class ExperienceMemory:
    """Lessons, retrieved by the similarity of situations, with the credit of each.

    Parameters
    ----------
    encoder
        Of situations and lessons; None: :class:`~solvers.experience.lessons.SituationEncoder`.
    capacity
        The most lessons.
    level
        α of the test that forgets a lesson (:mod:`~solvers.experience.credit`); 0 never forgets, an ablation.

    Attributes
    ----------
    base
        The lessons, as passages.
    forgotten
        The keys of the lessons that the test found to mislead.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    def __init__(self, encoder: Encoder | None = None, capacity: int = CAPACITY, level: float = LEVEL) -> None:
        self.encoder: Encoder = SituationEncoder() if encoder is None else encoder
        self.capacity, self.level = integer("capacity", capacity, 1), number("level", level, 0, below=1)
        self.base = KnowledgeBase((), np.empty((0, self.encoder.dimension), np.float32))
        self.forgotten: list[str] = []
        self._credits: dict[str, Credit] = {}

    def __len__(self) -> int:
        return len(self.base)

    def __contains__(self, key: object) -> bool:
        return key in self._credits

    def credit_of(self, key: str) -> Credit:
        """Return the credit of a lesson; KeyError if there is none of this key."""
        return self._credits[key]

    def recall(self, situation: Situation, count: int) -> list[Lesson]:
        """Return the lessons of the most similar situations, at most so many, the most similar first."""
        indices, scores = self.base.search(self.encoder.encode([situation.text]), count)
        near = [int(i) for i, score in zip(indices[0], scores[0], strict=True) if i >= 0 and score >= SIMILAR]
        return [Lesson.read(self.base.passages[i].key, self.base.passages[i].text) for i in near]

    def learn(self, lesson: Lesson) -> int:
        """Keep a lesson, and return the bits of the message that tells another base of it; a known key is replaced."""
        old = self.base
        if len(self) >= self.capacity and lesson.key not in self._credits:
            self._remove([min(self._credits, key=self._mean)])
        added = KnowledgeBase.build([Passage(lesson.key, lesson.text, "lesson")], self.encoder)
        self.base = self.base.merge(added)
        self._credits[lesson.key] = Credit()
        return 8 * len(difference(old, self.base))

    def credit(self, keys: Sequence[str], advantage: float) -> list[str]:
        """Settle a game with an advantage, in standard deviations, for the lessons used; return those forgotten."""
        for key in keys:
            if key in self._credits:
                self._credits[key] = self._credits[key].after(advantage)
        misleading = [key for key in keys if key in self._credits and self._misleads(key)]
        self._remove(misleading)
        self.forgotten += misleading
        return misleading

    def to_bytes(self) -> bytes:
        """Return the memory as a message: lessons and credits, compressed, with a version and a checksum."""
        keys = [passage.key for passage in self.base.passages]
        own = [self._credits[key] for key in keys]
        credits = {name: [getattr(credit, name) for credit in own] for name in ("uses", "total", "wealth")}
        return pack_fields(MAGIC, {**columns(self.base.passages), **credits, "forgotten": self.forgotten})

    def save(self, path: Path | str) -> None:
        """Write the memory to a file."""
        write_bytes(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path | str, encoder: Encoder | None = None) -> Self:
        """Return the memory in a file.

        Raises
        ------
        ValueError
            If the file is no memory, damaged, or of another version.
        OSError
            If it cannot be read.
        """
        try:
            return cls.from_bytes(read_bytes(path), encoder)
        except ValueError as error:
            raise ValueError(f"{path} cannot be read as a memory: {error}") from None

    @classmethod
    def from_bytes(cls, data: bytes, encoder: Encoder | None = None) -> Self:
        """Return the memory in a message; raise ValueError if it is foreign, damaged, or of another version."""
        fields = unpack_fields(MAGIC, data)
        passages = passages_of(fields)
        for passage in passages:
            Lesson.read(passage.key, passage.text)
        forgotten = fields.get("forgotten")
        uses, totals, wealths = (fields.get(name, ()) for name in ("uses", "total", "wealth"))
        lists = (uses, totals, wealths)
        fine = all(isinstance(values, list) and len(values) == len(passages) for values in lists)
        if not fine or not isinstance(forgotten, list) or not all(isinstance(key, str) for key in forgotten):
            raise ValueError("the message is damaged: its credits do not fit its lessons")
        memory = cls(encoder, max(CAPACITY, len(passages)))
        memory.base = KnowledgeBase.build(passages, memory.encoder) if passages else memory.base
        for place, passage in enumerate(passages):
            used, total = integer("uses", uses[place]), number("total", totals[place])
            memory._credits[passage.key] = Credit(used, total, number("wealth", wealths[place], 0))
        memory.forgotten = list(forgotten)
        return memory

    def _mean(self, key: str) -> float:
        credit = self._credits[key]
        return credit.total / max(credit.uses, 1)

    def _misleads(self, key: str) -> bool:
        return self.level > 0 and self._credits[key].misleads(self.level)

    def _remove(self, keys: Sequence[str]) -> None:
        kept = [index for index, passage in enumerate(self.base.passages) if passage.key not in keys]
        self.base = self.base.select(kept)
        self._credits = {key: credit for key, credit in self._credits.items() if key not in keys}
