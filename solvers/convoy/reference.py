"""References for two vehicles that know everything: an exact dynamic programme, and a bound for every policy.

The programme decides once a second among four accelerations; places lie a metre apart, and speeds are even, so that no
number is ever rounded: its value is what its policy earns in the environment. The bound holds for every policy, at any
accelerations and times: nobody is faster than full throttle allows, engines spend at least the kinetic energy that the
mean speed needs, and of two on crossing lanes the second enters the common zone after the first has left it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env.convoy.crossing import SUBSTEPS, Actions, Crossings, Start
from secagent_env.convoy.geometry import REACH_M, crossing_points
from secagent_env.convoy.motion import MASS_KG, MAX_SPEED_M_S, THROTTLE_M_S2, move
from secagent_env.convoy.rules import CLOCK_S, END_M, STEP_S, CrossingRules
from solvers.convoy.driving import time_until

ACCELERATIONS = (-4.0, -2.0, 0.0, 2.0)
DECISION_S = 1.0
FIRST_M, SPEEDS = -69.63, np.arange(0.0, 15.0, 2.0)
"""Places lie a metre apart, from the first on; no vehicle is ever exactly where zones and roads end."""
_STEPS, _STAGES = round(DECISION_S / STEP_S), round(CLOCK_S / DECISION_S)


@dataclass(frozen=True, eq=False)
class _Tables:
    """What one second brings a single vehicle: (n, A) by state and action, of the n = places × speeds + crossed."""

    cost: np.ndarray
    after: np.ndarray
    inside: np.ndarray  # a bit for each moment at which the vehicle is in the zone with the other


def _tables(rules: CrossingRules, arm: int) -> _Tables:
    places, point = FIRST_M + np.arange(np.ceil(END_M - FIRST_M)), crossing_points(2)[arm, 1 - arm]
    s, v, a = np.meshgrid(places, SPEEDS, np.array(ACCELERATIONS), indexing="ij")
    allowed = (v + a >= 0) & (v + a <= SPEEDS[-1])
    cost, inside, crossed = np.zeros(s.shape), np.zeros(s.shape, int), np.zeros(s.shape, bool)
    for step in range(_STEPS):
        cost += np.where(crossed, 0.0, STEP_S)
        for sub in range(SUBSTEPS):
            place, speed, energy = move(s, v, a, STEP_S / SUBSTEPS)
            s, v = np.where(crossed, s, place), np.where(crossed, v, speed)
            cost += np.where(crossed, 0.0, rules.motion_cost_per_j * energy)
            inside |= (np.abs(s - point) < REACH_M).astype(int) << (step * SUBSTEPS + sub)
        crossed |= s >= END_M
    last = places.size * SPEEDS.size
    after = np.rint(s - FIRST_M).astype(int) * SPEEDS.size + np.rint(v / 2).astype(int)
    after = np.where(crossed, last, np.clip(after, 0, last - 1))
    cost = np.where(allowed, cost, np.inf)

    def flat(table: np.ndarray, end: float) -> np.ndarray:
        rows = table.reshape(last, len(ACCELERATIONS))
        return np.concatenate([rows, np.full((1, len(ACCELERATIONS)), end, rows.dtype)])

    return _Tables(flat(cost, 0.0), flat(after, last), flat(inside, 0))


class Programme:
    """The best decisions, once a second, of two vehicles from any places and speeds of the grid.

    A collision costs what the rules say and nothing else, which favours it; where the policy does not collide, its
    cost is exactly that of the environment.
    """

    def __init__(self, rules: CrossingRules | None = None) -> None:
        self.rules = rules = rules or CrossingRules(num_vehicles=2, full_information=True)
        if rules.num_vehicles != 2:
            raise ValueError(f"the programme is for two vehicles, got {rules.num_vehicles}")
        self._own = [_tables(rules, arm) for arm in range(2)]
        size, actions = self._own[0].cost.shape
        value, self._policy = np.zeros((size, size)), np.zeros((_STAGES, size, size), np.int8)
        for stage in reversed(range(_STAGES)):
            best = np.full((size, size), np.inf)
            for i in range(actions):
                for j in range(actions):
                    first, second = self._own
                    cost = (first.cost[:, i, None] + second.cost[None, :, j]) / 2
                    cost += value[np.ix_(first.after[:, i], second.after[:, j])]
                    meet = (first.inside[:, i, None] & second.inside[None, :, j]) != 0
                    cost = np.where(meet & np.isfinite(cost), rules.collision_cost, cost)
                    better = cost < best
                    best = np.where(better, cost, best)
                    self._policy[stage][better] = i * actions + j
            value = best
        self._value = value

    def index(self, place: np.ndarray, speed: np.ndarray) -> np.ndarray:
        """Return the states of places and even speeds, of any shape; ValueError if they are not on the grid."""
        code, half = np.asarray(place) - FIRST_M, np.asarray(speed) / 2
        crossed = np.asarray(place) >= END_M
        near = (np.abs(code - np.rint(code)) < 1e-6) & (np.abs(half - np.rint(half)) < 1e-6)
        valid = near & (code >= 0) & (half >= 0) & (half < SPEEDS.size)
        if not (crossed | valid).all():
            raise ValueError(
                f"places must be whole metres from {FIRST_M} m on, and speeds even numbers from 0 to 14 m/s"
            )
        state = np.rint(code).astype(int) * SPEEDS.size + np.rint(half).astype(int)
        return np.where(crossed, self._own[0].cost.shape[0] - 1, state)

    def rewards(self, start: Start) -> np.ndarray:
        """Return the best rewards (B,) from starts on the grid."""
        first, second = self.index(start.place, start.speed).T
        return np.asarray(-self._value[first, second])

    def play(self, start: Start) -> tuple[Crossings, np.ndarray]:
        """Return the crossings that the policy has driven, in the environment, and the rewards that it earned (B,)."""
        running = Crossings(self.rules, start, np.random.default_rng(0))
        earned, shape = np.zeros(len(start.place)), start.place.shape
        silent = {
            "send": np.zeros((shape[0], self.rules.nodes), int),
            "power_w": np.zeros((shape[0], self.rules.nodes)),
        }
        acceleration = np.zeros(shape)
        for step in range(round(CLOCK_S / STEP_S)):
            if running.over:
                break
            if step % _STEPS == 0:
                there = running.active[:, None] & ~running.crossed
                states = self.index(np.where(there, running.place, END_M), np.where(there, running.speed, 0.0))
                both = self._policy[step // _STEPS][states[:, 0], states[:, 1]]
                acceleration = np.array(ACCELERATIONS)[np.stack(np.divmod(both, len(ACCELERATIONS)), axis=-1)]
            earned += running.step(Actions(acceleration=acceleration, go=np.zeros(shape, int), **silent))
        return running, earned


def on_grid(start: Start) -> Start:
    """Return the nearest starts on the programme's grid."""
    return Start(
        FIRST_M + np.maximum(np.rint(start.place - FIRST_M), 0), np.clip(2 * np.rint(start.speed / 2), 0, SPEEDS[-1])
    )


def bound(rules: CrossingRules, start: Start) -> np.ndarray:
    """Return rewards (B,) that no policy of two vehicles exceeds, from starts (B, 2) before the zone."""
    points = np.array([crossing_points(2)[0, 1], crossing_points(2)[1, 0]])
    costs = []
    for order in ((0, 1), (1, 0)):
        first, second = order
        leaves = fastest(points[first] + REACH_M - start.place[:, first], start.speed[:, first])
        # Between two looks for collisions, the second may enter while the first is still there.
        enters = leaves - STEP_S / SUBSTEPS
        waits = enters + (END_M - points[second] + REACH_M) / MAX_SPEED_M_S
        own = [least_cost(rules, start.place[:, i], start.speed[:, i], at) for i, at in ((first, 0.0), (second, waits))]
        costs.append((own[0] + own[1]) / 2)
    return np.asarray(-np.minimum(np.minimum(costs[0], costs[1]), rules.collision_cost))


def fastest(way: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Return the least time, s, in which a vehicle covers a way, m: at full throttle."""
    return time_until(way, speed, np.full(np.shape(way), THROTTLE_M_S2), (MAX_SPEED_M_S - speed) / THROTTLE_M_S2 + 1e-9)


def least_cost(rules: CrossingRules, place: np.ndarray, speed: np.ndarray, earliest: np.ndarray | float) -> np.ndarray:
    """Return a lower bound on time + engine, s, of a vehicle alone that has crossed at ``earliest`` or later.

    Over a time T it has the mean speed D / T, and once was as fast: its engine has spent at least
    ½ m ((D / T)² − v²). The sum with T is convex up to T = D / v and rises beyond: its minimum is in closed form.
    """
    way = END_M - place
    low = np.maximum(fastest(way, speed), earliest)
    weight = rules.motion_cost_per_j * MASS_KG
    with np.errstate(divide="ignore"):
        kink = np.maximum(way / speed, low)
    time = np.clip(np.cbrt(weight * way**2), low, kink)
    total = time + weight / 2 * np.maximum((way / time) ** 2 - speed**2, 0.0)
    return np.asarray(np.minimum(total, CLOCK_S))
