"""What the observations of all environments have in common: the range of their entries."""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Box

BOUND = 10.0
"""Entries are clipped to this, so that spaces are finite."""


def bounded_box(*shape: int) -> Box:
    """Return the space of float32 arrays of this shape with entries within ±:data:`BOUND`."""
    return Box(-BOUND, BOUND, shape, np.float32)
