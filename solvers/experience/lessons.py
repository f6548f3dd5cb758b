"""Lessons: a situation, what was done in it and what it earned, in words and numbers, and the vectors of situations."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from secagent_env.support.reading import parse_json
from solvers.planning.powers import View

FEATURES = ("pairs", "share", "rank", "power")
WIDTHS = (0.7, 0.5, 0.25, 0.25)
"""How far two situations are apart that are hardly alike, by feature; shares of the target and pairs as logarithms."""
LEAST_SHARE, MOST_SHARE = 1e-3, 1e3
_TEXT = re.compile(
    r"Situation: (\{[^{}]{1,200}\})\. I kept (\d{1,6}(?:\.\d{1,6})?) of my first (\w{1,20}); "
    r"it earned (-?\d{1,6}(?:\.\d{1,6})?) (?:more|less) than usual\."
)
_DIMENSION = 128
POWER, OTHER = "power", "speed"
"""What lessons of this task are about, and those of another task, a placebo."""


@dataclass(frozen=True)
class Situation:
    """An agent's place at the beginning of a game.

    Attributes
    ----------
    pairs
        N.
    share
        Its rate over its target.
    rank
        The share of the other pairs whose targets are lower than its own.
    power
        Its power over P_max.
    """

    pairs: int
    share: float
    rank: float
    power: float

    @classmethod
    def of(cls, view: View) -> Situation:
        """Return the situation that an agent sees."""
        others = np.delete(view.target_rate, view.agent)
        rank = float(np.mean(others < view.target)) if len(others) else 0.0
        share = min(max(float(view.rate[0]) / view.target, LEAST_SHARE), MOST_SHARE)
        return cls(len(view.target_rate), round(share, 3), round(rank, 2), round(view.power_w[0] / view.max_power_w, 3))

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps({name: getattr(self, name) for name in FEATURES})

    @property
    def place(self) -> np.ndarray:
        """The features in units of their widths, (4,)."""
        share = math.log(min(max(self.share, LEAST_SHARE), MOST_SHARE))
        return np.array([math.log(self.pairs), share, self.rank, self.power]) / WIDTHS


@dataclass(frozen=True)
class Lesson:
    """A lesson: its ``key`` in a base, its ``text``, and the ``situation`` and the ``factor`` that the text tells.

    The factor is that of the power in the second half of the game to the first power; of a lesson from another task it
    is about something else (``about``), which an agent without language cannot know.
    """

    key: str
    text: str
    situation: Situation
    factor: float
    about: str = POWER

    @classmethod
    def written(cls, key: str, situation: Situation, factor: float, advantage: float, about: str = POWER) -> Lesson:
        """Return the lesson of a game that earned an advantage, bit/s/Hz, over what is usual."""
        way = "more" if advantage >= 0 else "less"
        text = (
            f"Situation: {situation.text}. I kept {factor:.3f} of my first {about}; "
            f"it earned {abs(advantage):.4f} {way} than usual."
        )
        return cls.read(key, text)

    @classmethod
    def read(cls, key: str, text: str) -> Lesson:
        """Return the lesson in a text; raise ValueError if it is none."""
        match = _TEXT.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            situation = Situation(**_checked(parse_json(match[1])))
        except (TypeError, ValueError):
            raise ValueError(f"this is no lesson: {text!r:.100}") from None
        return cls(key, text, situation, float(match[2]), match[3])

    def power_w(self, initial_w: float) -> float:
        """Return the power that the lesson advises, W, to an agent that begins with another."""
        return self.factor * initial_w


class SituationEncoder:
    """Vectors of lessons by their situations: random Fourier features of a Gaussian kernel (Rahimi and Recht, 2007).

    The inner product of two is about exp(−d² / 2), with d the distance in units of the features' widths. It compares
    numbers, which a sentence encoder does not; any :class:`~solvers.knowledge.store.encoder.Encoder` can stand in.
    """

    name = "situations"
    dimension = _DIMENSION

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vector of the situation in each of T texts, (T, 128) float32; zeros for a text without one."""
        rows = [_vector(text) for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.dimension), np.float32)


@functools.lru_cache(maxsize=4096)
def _vector(text: str) -> np.ndarray:
    found = re.match(r"(?:Situation: )?(\{[^{}]{1,200}\})", text)
    try:
        place = Situation(**_checked(parse_json(found[1]))).place if found else None
    except (TypeError, ValueError):
        place = None
    if place is None:
        return np.zeros(_DIMENSION, np.float32)
    angles = _frequencies() @ place
    waves = np.concatenate([np.cos(angles), np.sin(angles)]) / math.sqrt(_DIMENSION / 2)
    return waves.astype(np.float32)


@functools.cache
def _frequencies() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((_DIMENSION // 2, len(FEATURES)))


def _checked(values: Any) -> dict[str, Any]:
    """Return the features of a situation; raise ValueError if they are none."""
    if not isinstance(values, dict) or set(values) != set(FEATURES):
        raise ValueError
    if not all(type(value) in (int, float) and math.isfinite(value) and value >= 0 for value in values.values()):
        raise ValueError
    if type(values["pairs"]) is not int or values["pairs"] < 1:
        raise ValueError
    return values
