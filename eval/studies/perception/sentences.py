"""The sentences in which observations are looked up: written by hand, and from the templates of the training."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from secagent_env.radio_scenes.conditions import SETS, in_words, indicators
from secagent_env.radio_scenes.descriptions import descriptions
from secagent_env.support.reading import read_toml

HANDWRITTEN = Path(__file__).with_name("handwritten.toml")
EACH = 3
"""Sentences from the templates for each set."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Sentences, and the sets of conditions that they say, as places in ``SETS``, (S,)."""

    texts: tuple[str, ...]
    sets: np.ndarray


@functools.cache
def handwritten() -> Gallery:
    """Return the sentences that were written by hand; ValueError if a set has none, or an unknown one has some."""
    document = read_toml(HANDWRITTEN)
    if set(document) != {in_words(one) for one in SETS}:
        raise ValueError(f"{HANDWRITTEN.name} must hold sentences for every set of conditions, and for no others")
    texts = [document[in_words(one)]["sentences"] for one in SETS]
    return _gallery(texts)


@functools.cache
def templated(seed: int = 1) -> Gallery:
    """Return sentences from the templates, of a seed that is not the training's, :data:`EACH` for each set."""
    rng = np.random.default_rng([seed, 7])
    return _gallery([descriptions(one, EACH, rng) for one in SETS])


GALLERIES = {"templates": templated, "by hand": handwritten}


def right_at(ranked: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """Return whether one of the first k sets (B, ≥ k), as places in ``SETS``, equals the truth (B,)."""
    return np.any(ranked[:, :k] == truth[:, None], axis=1)


def covering(first: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return whether the sets (B,) hold all conditions of the truth (B,), as places in ``SETS``."""
    has = indicators(SETS)
    return np.all(has[first] | ~has[truth], axis=1)


def _gallery(texts: list[list[str]]) -> Gallery:
    sets = np.repeat(np.arange(len(SETS)), [len(some) for some in texts])
    return Gallery(tuple(text for some in texts for text in some), sets)
