"""Motion and its energy, batched.

A vehicle of mass m at speed v with acceleration a needs the force F = m a + c_r m g + ½ ρ C_d A v²; its engine spends
max(F, 0) v per second, and brakes give nothing back.
"""

from __future__ import annotations

import numpy as np

MASS_KG = 1500.0
ROLLING = 0.01
GRAVITY_M_S2 = 9.81
DRAG_KG_M = 0.5 * 1.2 * 0.3 * 2.2
"""½ ρ C_d A: air of 1.2 kg/m³, C_d = 0.3, A = 2.2 m²."""
MAX_SPEED_M_S = 15.0
BRAKE_M_S2, THROTTLE_M_S2 = 6.0, 3.0
"""The strongest deceleration and acceleration."""


def move(s: np.ndarray, v: np.ndarray, a: np.ndarray, time_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return place, m, speed, m/s, and spent energy, J, after some time with a constant acceleration.

    A speed that reaches 0 or the limit stays there. The energy is that of the mean speed, with the acceleration that
    was really had.
    """
    after = np.clip(v + a * time_s, 0.0, MAX_SPEED_M_S)
    with np.errstate(divide="ignore", invalid="ignore"):
        until = np.where(a == 0, time_s, np.minimum((after - v) / a, time_s))  # when the speed stops changing
    mean = ((v + after) / 2 * until + after * (time_s - until)) / time_s
    force = MASS_KG * ((after - v) / time_s + ROLLING * GRAVITY_M_S2) + DRAG_KG_M * mean**2
    return s + mean * time_s, after, np.maximum(force, 0.0) * mean * time_s
