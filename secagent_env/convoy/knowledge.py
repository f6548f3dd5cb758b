"""What every node knows of every vehicle: tracks from its sensors and from messages, claims, and orders.

Arrays are (B, R, V): of B crossings, what node r knows of vehicle k. Between two reports a track goes on by itself: for
a second with the acceleration that was told, then with a constant speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env.convoy.motion import MAX_SPEED_M_S

HOLD_S = 1.0
"""How long a told acceleration is taken to last."""


@dataclass(eq=False)
class Knowledge:
    """The state of what is known.

    Attributes
    ----------
    place, speed, acceleration, age
        (B, R, V): the track, in m, m/s, m/s², and the seconds since it was measured; infinite where there is none.
    claim, claim_age
        (B, R, V): 1 where the vehicle was last heard to go first, 0 where to yield, −1 for nothing heard; and since.
    order, order_go, order_age
        (B, V): the acceleration that the roadside unit ordered last, NaN for none; whether it may go, −1 for none; and
        the seconds since.
    """

    place: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    age: np.ndarray
    claim: np.ndarray
    claim_age: np.ndarray
    order: np.ndarray
    order_go: np.ndarray
    order_age: np.ndarray

    @classmethod
    def nothing(cls, batch: int, nodes: int, vehicles: int) -> Knowledge:
        """Return the knowledge of nodes that have seen and heard nothing."""
        shape = (batch, nodes, vehicles)
        place, speed, acceleration = (np.zeros(shape) for _ in range(3))
        heard = (np.full(shape, -1), np.full(shape, np.inf))
        orders = np.full(shape[::2], np.nan), np.full(shape[::2], -1), np.full(shape[::2], np.inf)
        return cls(place, speed, acceleration, np.full(shape, np.inf), *heard, *orders)

    def tell(
        self, where: np.ndarray, place: np.ndarray, speed: np.ndarray, acceleration: np.ndarray, age: float | np.ndarray
    ) -> None:
        """Replace tracks ``where`` (B, R, V) the news is fresher than what is known; arrays broadcast to that."""
        newer = where & (age < self.age)
        for mine, told in (
            (self.place, place),
            (self.speed, speed),
            (self.acceleration, acceleration),
            (self.age, age),
        ):
            np.copyto(mine, told, where=newer)

    def go_on(self, time_s: float) -> None:
        """Let time pass: tracks move, everything gets older."""
        a = np.where(self.age < HOLD_S, self.acceleration, 0.0)
        after = np.clip(self.speed + a * time_s, 0.0, MAX_SPEED_M_S)
        self.place += (self.speed + after) / 2 * time_s
        self.speed = after
        for age in (self.age, self.claim_age, self.order_age):
            age += time_s
