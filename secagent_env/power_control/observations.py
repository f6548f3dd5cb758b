"""Observations in numbers alone of the agent of a pair, for networks that learn."""

from __future__ import annotations

from typing import Any

import numpy as np

MAX_RATE = 64.0
"""Where rates are clipped in observations, bit/s/Hz: far beyond those of any game drawn."""


def numeric_observation(pair: int, power_share: Any, rate: Any, played: Any, target_rate: np.ndarray) -> np.ndarray:
    """Return what the agent of a pair sees, (…, N + 3) float32.

    Its power / P_max, its rate, the share of the rounds that have been played, its own target, and the targets of the
    others in their order.

    Parameters
    ----------
    pair
        Which pair.
    power_share, rate, played
        (…) each.
    target_rate
        (…, N), bit/s/Hz.
    """
    targets = np.minimum(target_rate, MAX_RATE)
    own = np.broadcast_arrays(power_share, np.minimum(rate, MAX_RATE), played, targets[..., pair])
    return np.concatenate([np.stack(own, axis=-1), np.delete(targets, pair, axis=-1)], axis=-1).astype(np.float32)
