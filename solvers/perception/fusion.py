"""Fusion: one vector of what several sensors saw, each a part of the band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from secagent_env.support.checks import number
from solvers.knowledge.store.quantisation import unit


def mean_vector(vectors: np.ndarray) -> np.ndarray:
    """Return the unit vectors along the means over S sensors of vectors (S, B, d), (B, d): nothing is learnt."""
    return unit(np.mean(_stacked(vectors), axis=0))


@dataclass(frozen=True, eq=False)
class LinearFusion:
    """A linear map from the sensors' vectors, side by side, to one vector: ``weights`` (S d + 1, d)."""

    weights: np.ndarray

    @classmethod
    def fitted(cls, vectors: np.ndarray, target: np.ndarray, penalty: float = 1.0) -> Self:
        """Return the map by ridge regression from vectors (S, B, d) to those of a sensor that sees all, (B, d)."""
        number("penalty", penalty, above=0)
        inputs = _side_by_side(vectors)
        if len(target) != len(inputs):
            raise ValueError(f"{len(inputs)} observations of the sensors need as many targets, got {len(target)}")
        gram = inputs.T @ inputs + penalty * np.eye(inputs.shape[1])
        return cls(np.linalg.solve(gram, inputs.T @ np.asarray(target, float)))

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Return unit vectors (B, d) of vectors (S, B, d); ValueError for another number of sensors or another d."""
        inputs = _side_by_side(vectors)
        if inputs.shape[1] != len(self.weights):
            raise ValueError(f"this fusion takes {len(self.weights) - 1} numbers in all, got {inputs.shape[1] - 1}")
        return unit(inputs @ self.weights)


def _stacked(vectors: np.ndarray) -> np.ndarray:
    array = np.asarray(vectors, float)
    if array.ndim != 3 or not len(array) or not np.isfinite(array).all():
        raise ValueError(f"fusion takes finite vectors (sensors, observations, numbers), got shape {array.shape}")
    return array


def _side_by_side(vectors: np.ndarray) -> np.ndarray:
    array = _stacked(vectors)
    flat = np.swapaxes(array, 0, 1).reshape(array.shape[1], -1)
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
