"""Scenes as sensors see them: what encoders are trained on, and what they are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from secagent_env.radio_scenes.conditions import SETS, Conditions
from secagent_env.radio_scenes.countermeasures import rates
from secagent_env.radio_scenes.scenes import sample_scenes
from solvers.perception.features import LOWER, features

SENSORS = {"whole band": None, "lower half": LOWER, "upper half": ~LOWER}
"""The subcarriers that each of three sensors sees, by name; None: all."""
_STRIDE = 100_000
"""Between the first scenes of two channel models."""


@dataclass(frozen=True, eq=False)
class Material:
    """B scenes.

    Attributes
    ----------
    features
        As each of the three sensors sees them, (3, B, SIZE).
    sets
        Their conditions, as places in ``SETS``, (B,).
    rates
        What each counter-measure gives, (B, 4), bit/s/Hz.
    """

    features: np.ndarray
    sets: np.ndarray
    rates: np.ndarray

    @classmethod
    def drawn(cls, sets: Sequence[Conditions], each: int, channels: Sequence[str], seed: int) -> Self:
        """Draw so many scenes of each set in each channel model, set by set, one channel model after the other."""
        wanted = [one for one in sets for _ in range(each)]
        views: list[list[np.ndarray]] = []
        found: list[np.ndarray] = []
        for place, channel in enumerate(channels):
            scenes = sample_scenes(wanted, channel, seed, place * _STRIDE)
            views.append([features(scenes.received, seen) for seen in SENSORS.values()])
            found.append(rates(scenes))
        places = np.repeat([SETS.index(one) for one in sets], each)
        return cls(np.concatenate(views, axis=1), np.tile(places, len(channels)), np.concatenate(found))
