"""``paper``: free space at 32.4 dB, the path loss of *Secure and Energy-Efficient Wireless Agentic AI Networks*."""

from __future__ import annotations

import math

import numpy as np

from secagent_env.propagation.path_loss import PathLoss


class Paper(PathLoss):
    """32.4 + 20 log10(f/GHz) + 20 log10(d/m) dB, always in line of sight, without shadowing.

    The paper states the mean *amplitude*, m = 10^(−PL/20), of a Rayleigh fading: E|h|² is 4m²/π, and stays that under
    every other fading. Distances are horizontal whatever the heights, which turn arrays alone.
    """

    name = "paper"
    draws = False

    @property
    def gain_at_1m(self) -> float:
        """E|h|² at 1 m."""
        return 4 / math.pi * float(10 ** (-self._loss_at_1m_db / 10))

    @property
    def _loss_at_1m_db(self) -> float:
        return 32.4 + 20 * math.log10(self.carrier_ghz)

    def los_probability(self, distance_m: np.ndarray) -> np.ndarray:
        """Return 1."""
        return np.ones_like(distance_m)

    def losses_db(self, distance_m: np.ndarray, from_bs: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of the mean amplitude, twice."""
        loss = self._loss_at_1m_db + 20 * np.log10(distance_m)
        return loss, loss

    def mean_gain(self, squared_m: np.ndarray, from_bs: bool) -> np.ndarray:
        """Return 4m²/π."""
        return self.gain_at_1m / np.maximum(squared_m, 1.0)
