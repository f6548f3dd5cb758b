"""What a path-loss model is: losses with and without line of sight, how likely that is, and how they scatter.

Lengths in m, losses in dB; arrays of any shape. A model is a subclass of :class:`PathLoss` in a file of its own, known
by its name in :mod:`secagent_env.propagation.registry`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from secagent_env.support.checks import number

SPEED_OF_LIGHT = 299_792_458.0
"""c, m/s."""
DECIBEL = math.log(10) / 10
"""A decibel in nepers of power: 10^(x/10) = exp(DECIBEL x)."""


class PathLoss(ABC):
    """A path-loss model at one carrier, for links of the base station and for links between devices.

    Devices are agents and eavesdroppers, all of one height. What a subclass says is below; ``Scenario(path_loss=name)``
    takes it from there. Distances handed to it are horizontal, and lie in ``range_m``.

    Parameters
    ----------
    carrier_hz
        Carrier frequency, Hz.
    bs_height_m, device_height_m
        Heights of the base station and of the devices, m; None: those of the model.

    Raises
    ------
    ValueError
        If the model does not hold at this carrier or height.
    """

    name: ClassVar[str]
    """As in ``Scenario(path_loss=name)``."""
    default_heights_m: ClassVar[tuple[float, float]] = (0.0, 0.0)
    """Heights of the base station and of the devices where the scenario gives none."""
    range_m: ClassVar[tuple[float, float]] = (1.0, math.inf)
    """Nearer devices count as that near; a scenario whose areas lie farther apart is refused."""
    carrier_range_hz: ClassVar[tuple[float, float]] = (0.0, math.inf)
    device_heights_m: ClassVar[tuple[float, float]] = (0.0, math.inf)
    """Heights of devices at which the model holds."""
    draws: ClassVar[bool] = True
    """Whether shadowing and line of sight are drawn: without, every link has a line of sight and the mean loss."""
    shadowing_db: ClassVar[tuple[float, float]] = (0.0, 0.0)
    """Standard deviation of the shadowing, with and without line of sight."""
    correlation_m: ClassVar[tuple[float, float]] = (10.0, 10.0)
    """The distance over which shadowing and line of sight keep 1/e of their correlation, with line of sight and
    without."""
    rician_k_db: ClassVar[tuple[float, float] | None] = None
    """Mean and standard deviation of the Rician K of a line of sight; None: a scenario has to give it."""

    def __init__(self, carrier_hz: float, bs_height_m: float | None = None, device_height_m: float | None = None):
        low, high = self.carrier_range_hz
        if not low <= carrier_hz <= high:
            raise ValueError(
                f"carrier_hz must be from {low:g} to {high:g} with path_loss={self.name!r}, got {carrier_hz!r}"
            )
        bs, device = self.default_heights_m
        self.carrier_ghz = carrier_hz / 1e9
        self.bs_height_m = bs if bs_height_m is None else number("bs_height_m", bs_height_m, low=0)
        self.device_height_m = device if device_height_m is None else number("agent_height_m", device_height_m, low=0)
        low, high = self.device_heights_m
        if not low <= self.device_height_m <= high:
            raise ValueError(
                f"agent_height_m must be from {low:g} to {high:g} with path_loss={self.name!r}, got {device_height_m!r}"
            )

    @abstractmethod
    def los_probability(self, distance_m: np.ndarray) -> np.ndarray:
        """Return the probability of a line of sight at horizontal distances."""

    @abstractmethod
    def losses_db(self, distance_m: np.ndarray, from_bs: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses with and without line of sight at horizontal distances, without shadowing.

        Of links of the base station, or else of links between devices.
        """

    def check_range(self, what: str, distance_m: float, from_bs: bool) -> None:
        """Raise ValueError where the model does not hold at a horizontal distance; ``what`` has a {} for the length."""
        length, most = float(self.slant_m(np.array(distance_m), from_bs)), self.range_m[1]
        if length > most:
            raise ValueError(
                f"{what.format(f'{length:.0f} m')}, and path_loss={self.name!r} holds up to {most:g} m: "
                "choose nearer places or another path_loss"
            )

    def slant_m(self, distance_m: np.ndarray, from_bs: bool) -> np.ndarray:
        """Return the distances through the air at horizontal distances."""
        rise = self.bs_height_m - self.device_height_m if from_bs else 0.0
        return np.sqrt(distance_m**2 + rise**2) if rise else distance_m

    def gain(
        self, squared_m: np.ndarray, from_bs: bool, shade: np.ndarray, sight: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean power gains of links, and which of them have a line of sight.

        Parameters
        ----------
        squared_m
            Squared horizontal distances (…), m²; those below the range count as its low end.
        from_bs
            Whether these are links of the base station, or else between devices.
        shade, sight
            Standard normal draws of the shadowing and uniform ones in [0, 1) of the line of sight, (…).

        Returns
        -------
        gain, los
            E|h|² given shadowing and line of sight, 10^(−(PL + X)/10), and bool, (…).
        """
        distance = np.sqrt(np.maximum(squared_m, self.range_m[0] ** 2))
        los = sight < self.los_probability(distance)
        with_sight, without = self.losses_db(distance, from_bs)
        clear = los.astype(np.float64)  # products are faster than a choice
        spread = clear * (self.shadowing_db[0] - self.shadowing_db[1])
        spread += self.shadowing_db[1]
        spread *= shade
        loss = with_sight - without
        loss *= clear
        loss += without
        loss += spread
        loss *= -DECIBEL
        return np.exp(loss, out=loss), los

    def mean_gain(self, squared_m: np.ndarray, from_bs: bool) -> np.ndarray:
        """Return E|h|² at squared horizontal distances (…), m², over line of sight and shadowing."""
        distance = np.sqrt(np.maximum(squared_m, self.range_m[0] ** 2))
        likely = self.los_probability(distance)
        total = np.zeros(np.shape(distance))
        for share, loss, spread in zip(
            (likely, 1 - likely), self.losses_db(distance, from_bs), self.shadowing_db, strict=True
        ):
            total += share * np.exp(-DECIBEL * loss + (DECIBEL * spread) ** 2 / 2)
        return total
