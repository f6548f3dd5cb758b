"""What the two urban cells of 3GPP TR 38.901 share: the line of sight and the breakpoint."""

from __future__ import annotations

import numpy as np

from secagent_env.propagation.path_loss import SPEED_OF_LIGHT, PathLoss


def urban_los_probability(distance_m: np.ndarray, decay_m: float) -> np.ndarray:
    """Return 1 up to 18 m, then 18/d + exp(−d/decay) (1 − 18/d): Table 7.4.2-1, for devices up to 13 m high."""
    near = np.minimum(18 / distance_m, 1.0)
    return near + np.exp(-distance_m / decay_m) * (1 - near)


def breakpoint_m(model: PathLoss) -> float:
    """Return d'_BP = 4 (h_BS − 1)(h_UT − 1) f/c, the horizontal distance beyond which the loss grows with d⁴."""
    return 4 * (model.bs_height_m - 1) * (model.device_height_m - 1) * model.carrier_ghz * 1e9 / SPEED_OF_LIGHT
