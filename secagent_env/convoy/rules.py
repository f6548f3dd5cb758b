"""The numbers of a crossing: how hard it is, the radio, the senses, and what the reward weighs."""

from __future__ import annotations

from dataclasses import dataclass

from secagent_env.convoy.geometry import LANE_M, MAX_VEHICLES, WIDTH_M
from secagent_env.support.checks import flag, integer, number
from secagent_env.support.errors import check_name

ORGANISATIONS = ("converged", "independent")
STEP_S = 0.2
END_M = 30.0
"""Where a vehicle has crossed, m behind the middle: far enough for a slow one to lose time."""
CLOCK_S = 20.0
"""A crossing that has not ended by then is stopped."""
REACTION_S = 4.0
"""The earliest arrival in the middle, at the speed of the start."""


@dataclass(frozen=True, kw_only=True)
class CrossingRules:
    """The rules of an episode.

    Parameters
    ----------
    num_vehicles
        V, 2 to 4: one on each of the first arms.
    spread_s
        At their first speeds, the vehicles would reach the middle within so many seconds of each other: less is denser.
    setback_m
        How far the buildings stand from the middle of the roads: less blocks more of the view.
    organisation
        ``"converged"``: one agent of a vehicle drives and sends, and a message tells of now. ``"independent"``: its
        radio agent sends what its driving agent handed over a step before.
    roadside
        Whether there is a roadside unit in the middle, which hears, and may send orders.
    full_information
        Whether everybody knows the places, speeds and accelerations of all at once, without radio: an upper control.
    speed_m_s
        The first speeds are uniform within, m/s.
    slots
        Of a step, for those who send.
    bandwidth_hz, slot_s, noise_w, max_power_w, wall_loss_db
        Of the channel; the loss is of buildings between sender and receiver.
    sensor_range_m, sensor_noise_m, sensor_noise_m_s
        How far the sensors see where no building is between, and the standard deviations of what they tell.
    nan_rate, cut_rate
        How often a sensor tells NaN instead of a vehicle, and a message loses its second half: both count as nothing.
    collision_cost, motion_cost_per_j, radio_cost_per_j
        What the reward takes off, in seconds: of a collision, of a joule of the engine, of a joule of the radio.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    num_vehicles: int = 4
    spread_s: float = 2.0
    setback_m: float = 5.0
    organisation: str = "converged"
    roadside: bool = False
    full_information: bool = False
    speed_m_s: tuple[float, float] = (8.0, 14.0)
    slots: int = 4
    bandwidth_hz: float = 1e5
    slot_s: float = 2.5e-4
    noise_w: float = 4e-15
    max_power_w: float = 0.1
    wall_loss_db: float = 35.0
    sensor_range_m: float = 60.0
    sensor_noise_m: float = 0.3
    sensor_noise_m_s: float = 0.2
    nan_rate: float = 0.0
    cut_rate: float = 0.0
    collision_cost: float = 100.0
    motion_cost_per_j: float = 2e-5
    radio_cost_per_j: float = 400.0

    def __post_init__(self) -> None:
        integer("num_vehicles", self.num_vehicles, 2, MAX_VEHICLES)
        integer("slots", self.slots, 1)
        number("spread_s", self.spread_s, 0.0, 2.0)
        number("setback_m", self.setback_m, LANE_M + WIDTH_M / 2)
        check_name("organisation", self.organisation, ORGANISATIONS)
        for name in ("roadside", "full_information"):
            flag(name, getattr(self, name))
        low, high = self.speed_m_s
        number("the lowest first speed", low, above=0)
        number("the highest first speed", high, low, 15.0)
        for name in ("bandwidth_hz", "slot_s", "noise_w", "max_power_w"):
            number(name, getattr(self, name), above=0)
        for name in ("wall_loss_db", "sensor_range_m", "sensor_noise_m", "sensor_noise_m_s"):
            number(name, getattr(self, name), 0)
        for name in ("nan_rate", "cut_rate"):
            number(name, getattr(self, name), 0, 1)
        for name in ("collision_cost", "motion_cost_per_j", "radio_cost_per_j"):
            number(name, getattr(self, name), 0)

    @property
    def nodes(self) -> int:
        """R: who has a radio, the vehicles, and at last the roadside unit."""
        return self.num_vehicles + self.roadside
