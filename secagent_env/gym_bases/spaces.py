"""What the spaces of all environments have in common: the range of observations, and what an array of actions is."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box

BOUND = 10.0
"""Entries are clipped to this, so that spaces are finite."""


def bounded_box(*shape: int) -> Box:
    """Return the space of float32 arrays of this shape with entries within ±:data:`BOUND`."""
    return Box(-BOUND, BOUND, shape, np.float32)


def action_array(name: str, value: Any, size: int) -> np.ndarray:
    """Return ``value`` as float64 without NaN, of last dimension ``size``; infinities are clipped later."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers, got {value!r:.100}") from error
    if array.ndim == 0 or array.shape[-1] != size:
        raise ValueError(f"{name} must have shape (…, {size}), got {array.shape}")
    if np.isnan(array).any():
        raise ValueError(f"{name} must not hold NaN, got {int(np.isnan(array).sum())} of them")
    return array
