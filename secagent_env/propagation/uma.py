"""``uma``: the urban macro cell of 3GPP TR 38.901."""

from __future__ import annotations

import numpy as np

from secagent_env.propagation.path_loss import PathLoss
from secagent_env.propagation.urban import breakpoint_m, urban_los_probability


class UrbanMacro(PathLoss):
    """UMa of 3GPP TR 38.901, for devices up to 13 m high: Tables 7.4.1-1, 7.4.2-1 and 7.5-6.

    Links between devices take the same formulas with both ends at the devices' height, and no breakpoint.
    """

    name = "uma"
    default_heights_m = (25.0, 1.5)
    range_m = (10.0, 5000.0)
    carrier_range_hz = (0.5e9, 100e9)
    device_heights_m = (1.5, 13.0)
    shadowing_db = (4.0, 6.0)
    correlation_m = (37.0, 50.0)
    rician_k_db = (9.0, 3.5)

    def los_probability(self, distance_m: np.ndarray) -> np.ndarray:
        """Return 1 up to 18 m, then 18/d + exp(−d/63) (1 − 18/d)."""
        return urban_los_probability(distance_m, 63.0)

    def losses_db(self, distance_m: np.ndarray, from_bs: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses of Table 7.4.1-1."""
        lg_d, lg_f = np.log10(self.slant_m(distance_m, from_bs)), np.log10(self.carrier_ghz)
        los = 22 * lg_d + (28 + 20 * lg_f)
        if from_bs:
            far, rise = breakpoint_m(self), self.bs_height_m - self.device_height_m
            beyond = 40 * lg_d + (28 + 20 * lg_f - 9 * np.log10(far**2 + rise**2))
            los = np.where(distance_m <= far, los, beyond)
        nlos = 39.08 * lg_d + (13.54 + 20 * lg_f - 0.6 * (self.device_height_m - 1.5))
        return los, np.maximum(los, nlos)
