"""The driving rule that all rule-based vehicles share: first come, first served, with gaps accepted from what is known.

A vehicle yields to every vehicle on a crossing lane that it knows and that is due in the middle before it. It yields by
the weakest braking that lets the other leave the common zone before it enters. Whom it does not know it does not mind:
what a vehicle knows is what the levels of collaboration differ in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from secagent_env.convoy.geometry import LANE_M, REACH_M, conflicts, crossing_points
from secagent_env.convoy.knowledge import HOLD_S
from secagent_env.convoy.motion import BRAKE_M_S2, MAX_SPEED_M_S, THROTTLE_M_S2
from secagent_env.convoy.views import View

WANTED_M_S = 12.0
"""The speed that a vehicle drives at alone."""
COMFORT_M_S2 = 2.0
MARGIN_M, GAP_S = 1.0, 0.3
"""What is kept free before and behind a zone, and between leaving and entering it."""
TURN_S = 0.1
"""A vehicle counts as due so much later for each arm before its own, so that of a tie the lower arm comes first."""
BOX_M = LANE_M + REACH_M
"""The nearest zone begins so far before the middle, and the farthest ends so far behind it."""
TRACK_S = 2.0
"""Older tracks count as unknown."""


def alone(speed: np.ndarray) -> np.ndarray:
    """Return the acceleration, m/s², of a vehicle that minds nobody, by its speed."""
    return np.clip(WANTED_M_S - speed, -COMFORT_M_S2, COMFORT_M_S2)


def time_until(way: np.ndarray, speed: np.ndarray, acceleration: np.ndarray, hold_s: Any = HOLD_S) -> np.ndarray:
    """Return after how many seconds vehicles have covered ``way``, m; 0 if it is behind them, infinite if they stop.

    The acceleration holds for ``hold_s`` seconds, then the speed that was reached; all arrays broadcast.
    """
    way, speed, a = np.broadcast_arrays(way, speed, acceleration)
    after = np.clip(speed + a * hold_s, 0.0, MAX_SPEED_M_S)
    with np.errstate(divide="ignore", invalid="ignore"):
        until = np.where(a == 0, hold_s, np.minimum((after - speed) / a, hold_s))
        first = (speed + after) / 2 * until + after * (hold_s - until)
        changing = (speed + after) / 2 * until
        root = np.sqrt(np.maximum(speed**2 + 2 * a * way, 0.0))
        early = 2 * way / (speed + root)
        middle = until + (way - changing) / after
        late = hold_s + (way - first) / after
    time = np.where(way <= changing, early, np.where(way <= first, middle, late))
    time = np.where((after <= 0) & (way > changing), np.inf, time)
    return np.where(way <= 0, 0.0, np.where(np.isnan(time), np.inf, time))


def due(place: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Return in how many seconds vehicles reach the nearest zone at their speed: 0 within, infinite beyond the last."""
    time = np.maximum(-BOX_M - place, 0.0) / np.maximum(speed, 0.5)
    return np.where(place > BOX_M, np.inf, time)


def first_come(view: View) -> np.ndarray:
    """Return to whom each vehicle yields, (B, V, V) bool: the known ones on crossing lanes that are due before it."""
    turn = TURN_S * np.arange(view.place.shape[1])
    mine, other = due(view.place, view.speed) + turn, due(view.other_place, view.other_speed) + turn
    return known(view) & (other < mine[:, :, None])


def known(view: View) -> np.ndarray:
    """Return on which crossing lanes each vehicle has a track of somebody who has not left, (B, V, V) bool."""
    behind = view.other_place > crossing_points(view.place.shape[1]).T + REACH_M + MARGIN_M
    return conflicts(view.place.shape[1]) & (view.age <= TRACK_S) & ~behind


def unstoppable(view: View) -> np.ndarray:
    """Return whom each vehicle sees that can no longer stop before the zone with it, (B, V, V) bool."""
    way = crossing_points(view.place.shape[1]).T - REACH_M - view.other_place
    return known(view) & (view.other_speed**2 > 2 * BRAKE_M_S2 * way)


def to_zone(view: View) -> np.ndarray:
    """Return how far each vehicle is before the zone with each other, (B, V, V), m; negative within and behind."""
    return crossing_points(view.place.shape[1]) - REACH_M - MARGIN_M - view.place[:, :, None]


def letting_pass(view: View, whom: np.ndarray) -> np.ndarray:
    """Return the highest accelerations (B, V), m/s², with which vehicles let pass those in ``whom`` (B, V, V).

    Of those of whom there is no track it is awaited that they pass at an unknown time: the vehicle stops at the zone.
    Who can no longer stop, and would be through before the other comes, hurries.
    """
    points = crossing_points(view.place.shape[1])
    other = view.other_place, view.other_speed, view.other_acceleration
    tracked = view.age <= TRACK_S
    leaves = time_until(points.T + REACH_M + MARGIN_M - other[0], *other[1:]) + GAP_S
    leaves = np.where(tracked, leaves, np.inf)
    speed, way = view.speed[:, :, None], to_zone(view)
    with np.errstate(divide="ignore", invalid="ignore"):
        stop = -(speed**2) / (2 * np.maximum(way, 1e-6))
        wait = 2 * (way - speed * leaves) / leaves**2
        wait = np.where(speed + wait * leaves < 0, stop, wait)
    brake = np.where(np.isinf(leaves), np.where(-stop > COMFORT_M_S2, stop, np.minimum(alone(speed), 0.0)), wait)
    enters = time_until(points.T - REACH_M - other[0], other[1], other[2])
    through = time_until(way + 2 * (REACH_M + MARGIN_M), speed, np.full(way.shape, THROTTLE_M_S2), 3.0)
    hopeless = (brake < -BRAKE_M_S2) & tracked & (through < enters)
    limit = np.where(hopeless, np.inf, np.maximum(brake, -BRAKE_M_S2))
    # Who has begun to use the margin stops at once, if it still can.
    limit = np.where(way <= 0, np.where(speed**2 < 2 * BRAKE_M_S2 * (way + MARGIN_M), -BRAKE_M_S2, np.inf), limit)
    limit = np.where(whom & (way > -MARGIN_M), limit, np.inf)
    hurried = (hopeless & whom & (way > 0)).any(-1)
    return np.where(hurried, THROTTLE_M_S2, np.minimum(alone(view.speed), limit.min(-1)))
