"""``umi``: the urban micro cell, street canyon, of 3GPP TR 38.901."""

from __future__ import annotations

import numpy as np

from secagent_env.propagation.path_loss import PathLoss
from secagent_env.propagation.urban import breakpoint_m, urban_los_probability


class UrbanMicro(PathLoss):
    """UMi street canyon of 3GPP TR 38.901: Tables 7.4.1-1 (path loss), 7.4.2-1 (line of sight), 7.5-6 (the rest).

    Links between devices take the same formulas with both ends at the devices' height, and no breakpoint.
    """

    name = "umi"
    default_heights_m = (10.0, 1.5)
    range_m = (10.0, 5000.0)
    carrier_range_hz = (0.5e9, 100e9)
    device_heights_m = (1.5, 22.5)
    shadowing_db = (4.0, 7.82)
    correlation_m = (10.0, 13.0)
    rician_k_db = (9.0, 5.0)

    def los_probability(self, distance_m: np.ndarray) -> np.ndarray:
        """Return 1 up to 18 m, then 18/d + exp(−d/36) (1 − 18/d)."""
        return urban_los_probability(distance_m, 36.0)

    def losses_db(self, distance_m: np.ndarray, from_bs: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses of Table 7.4.1-1."""
        lg_d, lg_f = np.log10(self.slant_m(distance_m, from_bs)), np.log10(self.carrier_ghz)
        los = 21 * lg_d + (32.4 + 20 * lg_f)
        if from_bs:
            far, rise = breakpoint_m(self), self.bs_height_m - self.device_height_m
            beyond = 40 * lg_d + (32.4 + 20 * lg_f - 9.5 * np.log10(far**2 + rise**2))
            los = np.where(distance_m <= far, los, beyond)
        nlos = 35.3 * lg_d + (22.4 + 21.3 * lg_f - 0.3 * (self.device_height_m - 1.5))
        return los, np.maximum(los, nlos)
