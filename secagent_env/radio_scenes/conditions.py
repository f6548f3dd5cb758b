"""The conditions that a scene can have, and the sets of them: those of the training, and those kept out of it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import numpy as np

from secagent_env.support.errors import check_name

CONDITIONS = ("interference", "blockage", "moving neighbour", "jamming", "doppler")
"""A neighbour at rest that sends in a part of the band; a line of sight that is lost; such a neighbour at speed; noise
that is sent over the whole band; and a user at speed. None of them: the scene is clear."""
Conditions = frozenset[str]
MOST = 3
"""Conditions in a scene."""

SETS: tuple[Conditions, ...] = tuple(
    frozenset(names) for size in range(MOST + 1) for names in itertools.combinations(CONDITIONS, size)
)
"""All 26 sets, the empty one first, then by size, and in the order of :data:`CONDITIONS`."""
_SEEN_PAIRS = (
    ("interference", "blockage"),
    ("interference", "moving neighbour"),
    ("interference", "jamming"),
    ("blockage", "doppler"),
    ("moving neighbour", "doppler"),
    ("jamming", "doppler"),
)
SEEN_SETS: tuple[Conditions, ...] = tuple(
    one for one in SETS if len(one) < 2 or one in tuple(map(frozenset, _SEEN_PAIRS))
)
"""Those of the training: none, one, and six of the ten pairs; each condition is in two or three of these."""
UNSEEN_SETS: tuple[Conditions, ...] = tuple(one for one in SETS if one not in SEEN_SETS)
"""Four pairs and all ten sets of three."""


def condition_set(names: Collection[str]) -> Conditions:
    """Return names of conditions as a set; ValueError for an unknown name, or more than three."""
    if isinstance(names, str):
        raise ValueError(f"conditions must be a collection of names, got the text {names!r:.80}")
    conditions = frozenset(check_name("condition", name, CONDITIONS) for name in names)
    if len(conditions) > MOST:
        raise ValueError(f"a scene has at most {MOST} conditions, got {', '.join(map(repr, sorted(conditions)))}")
    return conditions


def in_words(conditions: Collection[str]) -> str:
    """Return a set as a label: its names in the order of :data:`CONDITIONS`, or ``"clear"``."""
    return " + ".join(name for name in CONDITIONS if name in conditions) or "clear"


def indicators(sets: Sequence[Collection[str]]) -> np.ndarray:
    """Return which conditions are in each of B sets, (B, 5) bool."""
    return np.array([[name in one for name in CONDITIONS] for one in sets], bool).reshape(len(sets), len(CONDITIONS))
