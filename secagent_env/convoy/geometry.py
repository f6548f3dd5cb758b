"""The crossing: two roads with a lane each way, four corners with buildings, and who sees whom.

Vehicle ``k`` comes on arm ``k`` and drives straight on, with heading ``k`` · 90°: eastward, northward, westward,
southward. Its place is its coordinate ``s`` along its lane, m, negative before the middle of the crossing.
"""

from __future__ import annotations

import numpy as np

LANE_M = 1.75
"""From the middle of the road to the middle of a lane."""
LENGTH_M, WIDTH_M = 4.5, 1.8
"""Of a vehicle."""
REACH_M = (LENGTH_M + WIDTH_M) / 2
"""Two vehicles on crossing lanes overlap where both are nearer than this to the point in which their lanes cross."""
MAX_VEHICLES = 4


def directions(vehicles: int) -> np.ndarray:
    """Return the headings of the lanes, (V, 2)."""
    return np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])[:vehicles]


def places(s: np.ndarray) -> np.ndarray:
    """Return the points (…, V, 2), m, of vehicles that are at ``s`` (…, V) on their lanes: right of the middle."""
    heading = directions(s.shape[-1])
    right = np.stack([heading[:, 1], -heading[:, 0]], axis=-1)
    return s[..., None] * heading + LANE_M * right


def conflicts(vehicles: int) -> np.ndarray:
    """Return which lanes cross, (V, V) bool."""
    arms = np.arange(vehicles)
    return (arms[:, None] - arms) % 2 == 1


def crossing_points(vehicles: int) -> np.ndarray:
    """Return the coordinate ``s`` on lane i at which lane j crosses it, (V, V), m; 0 where they do not cross."""
    heading = directions(vehicles)
    right = np.stack([heading[:, 1], -heading[:, 0]], axis=-1)
    return np.asarray(LANE_M * (heading @ right.T), float)


def overlapping(s: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Return which vehicles touch another one, (…, V) bool, of those at ``s`` (…, V) that are ``present``."""
    vehicles = s.shape[-1]
    inside = np.abs(s[..., :, None] - crossing_points(vehicles)) < REACH_M
    both = inside & np.swapaxes(inside, -1, -2) & conflicts(vehicles)
    return (both & present[..., :, None] & present[..., None, :]).any(-1)


def in_sight(s: np.ndarray, setback_m: float) -> np.ndarray:
    """Return between which vehicles no building stands, (…, V, V) bool, of those at ``s`` (…, V) on their lanes.

    The buildings fill the four quarters beside the roads, beyond ``setback_m`` of the middle of both. Vehicles on the
    same road, or one of which is no farther than that from the middle, see each other. Else the line between the two
    passes the corner, at (b, b) where both coordinates are taken positive: it is free where the line crosses x = b
    below y = b.
    """
    points = places(s)
    vehicles, b = s.shape[-1], setback_m
    clear = np.ones((*s.shape, vehicles), bool)
    for i in range(0, vehicles, 2):  # those that drive along x
        for j in range(1, vehicles, 2):
            (x_i, y_i), (x_j, y_j) = points[..., i, :].T, points[..., j, :].T
            u, w = np.abs(x_i), np.abs(y_j)
            y_i, x_j = y_i * np.sign(y_j), x_j * np.sign(x_i)
            with np.errstate(divide="ignore", invalid="ignore"):
                height = y_i + (w - y_i) * (u - b) / (u - x_j)
            clear[..., i, j] = clear[..., j, i] = ((u <= b) | (w <= b) | (height <= b)).T
    return clear
