"""What vehicles and the roadside unit know: all that a rule may decide by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env.convoy.crossing import Crossings
from secagent_env.convoy.messages import LEVELS
from secagent_env.convoy.motion import BRAKE_M_S2, MAX_SPEED_M_S
from secagent_env.convoy.rules import CLOCK_S


@dataclass(frozen=True, eq=False)
class View:
    """What is known now; B crossings, V vehicles. Entry [b, i, k] is what vehicle i knows of vehicle k.

    Attributes
    ----------
    time_s
        (B,): since the start.
    place, speed, crossed
        (B, V): of each vehicle itself.
    other_place, other_speed, other_acceleration, age
        (B, V, V): its tracks of the others, and the seconds since they were measured; infinite where there is none.
    claim, claim_age
        (B, V, V): 1 where it heard the other go first, 0 where to yield, −1 where it heard nothing; and since, s.
    order, order_go, order_age
        (B, V): the roadside unit's last order to it, NaN and −1 for none; and since, s.
    received, sent
        (B, V): how many messages it understood in the last step, and the level that it sent.
    """

    time_s: np.ndarray
    place: np.ndarray
    speed: np.ndarray
    crossed: np.ndarray
    other_place: np.ndarray
    other_speed: np.ndarray
    other_acceleration: np.ndarray
    age: np.ndarray
    claim: np.ndarray
    claim_age: np.ndarray
    order: np.ndarray
    order_go: np.ndarray
    order_age: np.ndarray
    received: np.ndarray
    sent: np.ndarray


def view_of(crossings: Crossings) -> View:
    """Return what the vehicles know."""
    known, v = crossings.knowledge, crossings.rules.num_vehicles
    return View(
        crossings.time_s,
        crossings.place,
        crossings.speed,
        crossings.crossed,
        known.place[:, :v],
        known.speed[:, :v],
        known.acceleration[:, :v],
        known.age[:, :v],
        known.claim[:, :v],
        known.claim_age[:, :v],
        known.order,
        known.order_go,
        known.order_age,
        crossings.received[:, :v],
        crossings.sent[:, :v],
    )


def roadside_view(crossings: Crossings, fresh_s: float = 1.0) -> tuple[View, np.ndarray]:
    """Return what the roadside unit knows, as if every vehicle knew the same, and whom it knows, (B, V) bool.

    A track older than ``fresh_s`` counts as unknown. The unit is the last node.

    Raises
    ------
    ValueError
        If the crossing has none.
    """
    if not crossings.rules.roadside:
        raise ValueError("the crossing has no roadside unit: set roadside=True")
    known, v = crossings.knowledge, crossings.rules.num_vehicles
    place, speed, acceleration, age = (x[:, -1] for x in (known.place, known.speed, known.acceleration, known.age))
    there = age <= fresh_s

    def for_all(row: np.ndarray) -> np.ndarray:
        return np.repeat(row[:, None], v, axis=1)

    nothing = np.full((*place.shape, v), -1)
    none = np.full(place.shape, np.nan)
    view = View(
        crossings.time_s,
        place,
        speed,
        ~there,
        for_all(place),
        for_all(speed),
        for_all(acceleration),
        for_all(np.where(there, age, np.inf)),
        nothing,
        np.full(nothing.shape, np.inf),
        none,
        nothing[:, 0],
        np.full(place.shape, np.inf),
        np.zeros(place.shape, int),
        np.zeros(place.shape, int),
    )
    return view, there


PLACE_SCALE_M, AGE_SCALE_S = 84.0, 2.0
OWN, EACH = 4, 8
"""Numbers of an observation about the vehicle itself, and about each other one."""


def observation_size(vehicles: int) -> int:
    """Return how many numbers :func:`observations` has for each vehicle."""
    return OWN + (vehicles - 1) * EACH + 3


def observations(view: View) -> np.ndarray:
    """Return what each vehicle knows as numbers in [−1, 1], (B, V, D) float32.

    Own place / 84 m, own speed / 15 m/s, share of the clock, whether it has crossed; then of each other vehicle, the
    next arm to the right first: whether there is a track, place, speed, acceleration / 6 m/s², age / 2 s, whether a
    claim was heard in the last 2 s, the claim (1 go, −1 yield), its age / 2 s; then whether there is a fresh order,
    its acceleration / 6 m/s², and whether it may go (1, −1; 0 for no word).
    """
    vehicles = view.place.shape[1]
    share = np.broadcast_to(view.time_s[:, None] / CLOCK_S, view.place.shape)
    parts = [view.place / PLACE_SCALE_M, view.speed / MAX_SPEED_M_S, share, view.crossed]
    for step in range(1, vehicles):
        other = (np.arange(vehicles) + step) % vehicles
        there, heard = (
            np.isfinite(_pick(x, other)) & (_pick(x, other) <= AGE_SCALE_S) for x in (view.age, view.claim_age)
        )
        track = (
            _pick(view.other_place, other) / PLACE_SCALE_M,
            _pick(view.other_speed, other) / MAX_SPEED_M_S,
            _pick(view.other_acceleration, other) / BRAKE_M_S2,
            _pick(view.age, other) / AGE_SCALE_S,
        )
        said = (2.0 * _pick(view.claim, other) - 1.0, _pick(view.claim_age, other) / AGE_SCALE_S)
        parts += [there, *(np.where(there, x, 0.0) for x in track), heard, *(np.where(heard, x, 0.0) for x in said)]
    fresh = view.order_age <= AGE_SCALE_S
    go = np.where(view.order_go < 0, 0.0, 2.0 * view.order_go - 1.0)
    parts += [fresh, np.where(fresh & np.isfinite(view.order), view.order, 0.0) / BRAKE_M_S2, np.where(fresh, go, 0.0)]
    return np.clip(np.stack(parts, axis=-1), -1.0, 1.0).astype(np.float32)


RADIO_SIZE = 3


def radio_observations(view: View, most: int) -> np.ndarray:
    """Return what the radio agent of each vehicle knows where it is independent, (B, V, 3) float32 in [0, 1].

    The messages understood in the last step over ``most``, the level that it sent last over 3, the share of the clock:
    nothing of places, speeds and claims.
    """
    share = np.broadcast_to(view.time_s[:, None] / CLOCK_S, view.place.shape)
    parts = [view.received / most, view.sent / (len(LEVELS) - 1), share]
    return np.clip(np.stack(parts, axis=-1), 0.0, 1.0).astype(np.float32)


def _pick(matrix: np.ndarray, other: np.ndarray) -> np.ndarray:
    return matrix[:, np.arange(len(other)), other]
