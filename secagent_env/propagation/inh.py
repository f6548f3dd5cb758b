"""``inh`` and ``inh-open``: the indoor hotspot of 3GPP TR 38.901, a mixed and an open office."""

from __future__ import annotations

import numpy as np

from secagent_env.propagation.path_loss import PathLoss


class IndoorOffice(PathLoss):
    """InH, mixed office, of 3GPP TR 38.901: Tables 7.4.1-1, 7.4.2-1 and 7.5-6.

    Links between devices take the same formulas with both ends at the devices' height.
    """

    name = "inh"
    default_heights_m = (3.0, 1.0)
    range_m = (1.0, 150.0)
    carrier_range_hz = (0.5e9, 100e9)
    shadowing_db = (3.0, 8.03)
    correlation_m = (10.0, 6.0)
    rician_k_db = (7.0, 4.0)

    def los_probability(self, distance_m: np.ndarray) -> np.ndarray:
        """Return 1 to 1.2 m, exp(−(d − 1.2)/4.7) to 6.5 m, then 0.32 exp(−(d − 6.5)/32.6)."""
        near = np.exp(-np.maximum(distance_m - 1.2, 0.0) / 4.7)
        return np.where(distance_m < 6.5, near, 0.32 * np.exp(-(distance_m - 6.5) / 32.6))

    def losses_db(self, distance_m: np.ndarray, from_bs: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses of Table 7.4.1-1."""
        lg_d, lg_f = np.log10(self.slant_m(distance_m, from_bs)), np.log10(self.carrier_ghz)
        los = 17.3 * lg_d + (32.4 + 20 * lg_f)
        nlos = 38.3 * lg_d + (17.3 + 24.9 * lg_f)
        return los, np.maximum(los, nlos)


class OpenOffice(IndoorOffice):
    """InH, open office: a line of sight is likelier, everything else is as in the mixed one."""

    name = "inh-open"

    def los_probability(self, distance_m: np.ndarray) -> np.ndarray:
        """Return 1 to 5 m, exp(−(d − 5)/70.8) to 49 m, then 0.54 exp(−(d − 49)/211.7)."""
        near = np.exp(-np.maximum(distance_m - 5.0, 0.0) / 70.8)
        return np.where(distance_m <= 49.0, near, 0.54 * np.exp(-(distance_m - 49.0) / 211.7))
