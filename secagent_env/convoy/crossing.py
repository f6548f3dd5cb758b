"""Many crossings at once: vehicles that drive, see, send and hear, step by step.

Letters of shapes: B crossings, V vehicles, R nodes with a radio, which are the vehicles and at last the roadside unit.
In a step all send first, and tell of the state before it; then all drive; then all look around.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from secagent_env.convoy import messages
from secagent_env.convoy.geometry import MAX_VEHICLES, in_sight, overlapping, places
from secagent_env.convoy.knowledge import Knowledge
from secagent_env.convoy.messages import DECISION, INFORMATION, INTENT, NOTHING
from secagent_env.convoy.motion import BRAKE_M_S2, THROTTLE_M_S2, move
from secagent_env.convoy.radio import heard, needed_sinr, path_gain
from secagent_env.convoy.rules import CLOCK_S, END_M, REACTION_S, STEP_S, CrossingRules

SUBSTEPS = 5
"""Between which collisions are looked for."""
TOLD_S = 1.0
"""A node tells of other vehicles only what it learnt no longer ago."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Actions:
    """What everybody does in a step.

    Attributes
    ----------
    acceleration
        (B, V), m/s²; beyond −6 and 3 it is clipped.
    send
        (B, R): the level of what is sent, an index into :data:`secagent_env.convoy.messages.LEVELS`.
    power_w
        (B, R), W; clipped to [0, P_max].
    go
        (B, V): what an intent says, 1 "I go first", 0 "I yield". It may be a lie.
    plan
        (B, V), m/s²: the acceleration that a decision announces; None: the one that is taken. It may be a lie.
    orders, orders_go
        (B, V): the accelerations, and who may go, that the roadside unit orders, in a decision and in an intent.
    """

    acceleration: np.ndarray
    send: np.ndarray
    power_w: np.ndarray
    go: np.ndarray
    plan: np.ndarray | None = None
    orders: np.ndarray | None = None
    orders_go: np.ndarray | None = None


@dataclass(eq=False)
class Tally:
    """What has happened so far, by crossing, (B, R) or (B,).

    Attributes
    ----------
    bits, sent, radio_j
        Of each node: bits and messages on the air, and the energy of sending them, J.
    received, cut, nan
        (B,): messages that were understood, by receiver; messages that were cut off; readings that were NaN.
    """

    bits: np.ndarray
    sent: np.ndarray
    radio_j: np.ndarray
    received: np.ndarray
    cut: np.ndarray
    nan: np.ndarray


@dataclass(frozen=True, eq=False)
class _Payload:
    """The contents that messages of this step can have: what nodes know (B, R, V), and what they say (B, R or V)."""

    told: np.ndarray
    place: np.ndarray
    speed: np.ndarray
    age: np.ndarray
    plan: np.ndarray
    go: np.ndarray
    orders: np.ndarray
    orders_go: np.ndarray


@dataclass(frozen=True, eq=False)
class Start:
    """Places (B, V), m, and speeds (B, V), m/s, at the beginning."""

    place: np.ndarray
    speed: np.ndarray

    def __getitem__(self, rows: Any) -> Start:
        return Start(self.place[rows], self.speed[rows])


def draw(rules: CrossingRules, rng: np.random.Generator, batch: int) -> Start:
    """Return random starts: the vehicles would reach the middle from 4 s to 4 s + ``spread_s`` on, if they drove on."""
    shape = (batch, MAX_VEHICLES)
    speed = rng.uniform(*rules.speed_m_s, shape)
    arrival = REACTION_S + rng.uniform(0.0, 1.0, shape) * rules.spread_s
    return Start((-speed * arrival)[:, : rules.num_vehicles], speed[:, : rules.num_vehicles])


@dataclass(eq=False)
class Crossings:
    """B crossings under way.

    Parameters
    ----------
    rules
        The numbers of all of them.
    start
        Where the vehicles begin.
    rng
        Of slots, fading, sensors and faults.

    Attributes
    ----------
    time_s
        (B,): since each began, s.
    place, speed, acceleration
        (B, V), m, m/s, m/s²: the truth, of which agents know what is in ``knowledge`` and their own.
    crossed, collided, active
        (B, V), (B,) and (B,) bool: who has crossed, where two have met, and which crossings go on.
    seconds, motion_j
        (B, V): how long it took so far, s, and what the engines spent, J.
    hit, clear
        (B, V): who was in a collision; (B, V, V): between whom no building stands.
    received
        (B, R): how many messages each node understood in the last step.
    """

    rules: CrossingRules
    start: Start
    rng: np.random.Generator
    time_s: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rules = self.rules
        self.place, self.speed = (np.array(x, float) for x in (self.start.place, self.start.speed))
        if self.place.shape != self.speed.shape or self.place.ndim != 2 or self.place.shape[1] != rules.num_vehicles:
            raise ValueError(
                f"places and speeds must have the shape (crossings, {rules.num_vehicles}), "
                f"got {self.place.shape} and {self.speed.shape}"
            )
        if not (np.isfinite(self.place).all() and np.isfinite(self.speed).all() and (self.speed >= 0).all()):
            raise ValueError("places and speeds at the start must be finite, and speeds at least 0 m/s")
        batch, vehicles, nodes = len(self.place), rules.num_vehicles, rules.nodes
        self.time_s = np.zeros(batch)
        self.acceleration = np.zeros((batch, vehicles))
        self.crossed = np.zeros((batch, vehicles), bool)
        self.hit = np.zeros((batch, vehicles), bool)
        self.collided, self.active = np.zeros(batch, bool), np.ones(batch, bool)
        self.seconds, self.motion_j = np.zeros((batch, vehicles)), np.zeros((batch, vehicles))
        each = [np.zeros((batch, nodes)) for _ in range(3)]
        self.tally = Tally(*each, *(np.zeros(batch) for _ in range(3)))
        self.knowledge = Knowledge.nothing(batch, nodes, vehicles)
        self.received = np.zeros((batch, nodes), int)
        self.sent = np.zeros((batch, nodes), int)
        self._handed_over: _Payload | None = None
        self._look()

    @property
    def over(self) -> bool:
        """Whether no crossing goes on."""
        return not self.active.any()

    def renew(self, which: np.ndarray, start: Start) -> None:
        """Begin new crossings from ``start`` in the places of those ``which`` (B,) bool; the others stay as they are.

        Raises
        ------
        ValueError
            If there is not a start for each, or if radio agents are independent, who have something of the old ones.
        """
        if self.rules.organisation == "independent":
            raise ValueError("crossings with independent agents cannot be renewed: begin others instead")
        if len(start.place) != which.sum():
            raise ValueError(f"{which.sum()} crossings are to begin anew, got {len(start.place)} starts")
        new = Crossings(self.rules, start, self.rng)
        for mine, fresh in ((self, new), (self.tally, new.tally), (self.knowledge, new.knowledge)):
            for name, value in vars(fresh).items():
                if isinstance(value, np.ndarray):
                    getattr(mine, name)[which] = value

    def step(self, actions: Actions) -> np.ndarray:
        """Let everybody act for one step; return the rewards (B,), in seconds lost, ≤ 0, and 0 of crossings that ended.

        Raises
        ------
        ValueError
            If an array of the actions has another shape, or holds NaN.
        ResetNeeded
            If all crossings have ended.
        """
        if self.over:
            raise gymnasium.error.ResetNeeded("all crossings have ended: start new ones")
        self._check(actions)
        driving = self.active[:, None] & ~self.crossed
        before = self.tally.radio_j.sum(-1)
        acceleration = np.clip(actions.acceleration, -BRAKE_M_S2, THROTTLE_M_S2)
        self._talk(actions, acceleration)
        spent = self._drive(acceleration, driving)
        self.knowledge.go_on(STEP_S)
        self.time_s += STEP_S
        self.seconds += np.where(driving, STEP_S, 0.0)
        crashed = self.hit.any(-1) & ~self.collided
        self.collided |= crashed
        self.crossed |= driving & (self.place >= END_M)
        self.active &= ~self.collided & ~self.crossed.all(-1) & (self.time_s < CLOCK_S - 1e-9)
        self._look()
        rules = self.rules
        lost = (np.where(driving, STEP_S, 0.0) + rules.motion_cost_per_j * spent).mean(-1)
        lost += rules.radio_cost_per_j * (self.tally.radio_j.sum(-1) - before) / rules.num_vehicles
        return np.asarray(-lost - rules.collision_cost * crashed)

    def _check(self, actions: Actions) -> None:
        batch, vehicles = self.place.shape
        nodes = self.rules.nodes
        shapes = {"acceleration": vehicles, "send": nodes, "power_w": nodes, "go": vehicles}
        shapes |= dict.fromkeys(("plan", "orders", "orders_go"), vehicles)
        for name, size in shapes.items():
            value = getattr(actions, name)
            if value is None:
                continue
            if np.shape(value) != (batch, size):
                raise ValueError(f"{name} must have the shape {(batch, size)}, got {np.shape(value)}")
            if not np.isfinite(value).all():
                raise ValueError(f"{name} must hold finite numbers only")
        if ((actions.send < NOTHING) | (actions.send > INTENT)).any():
            raise ValueError(f"send must hold levels from {NOTHING} to {INTENT}")

    def _drive(self, acceleration: np.ndarray, driving: np.ndarray) -> np.ndarray:
        """Move the vehicles, look for collisions on the way, and return the energies (B, V), J, of this step."""
        spent, going = np.zeros(self.place.shape), driving
        self.acceleration = np.where(driving, acceleration, 0.0)
        for _ in range(SUBSTEPS):
            place, speed, energy = move(self.place, self.speed, self.acceleration, STEP_S / SUBSTEPS)
            self.place, self.speed = np.where(going, place, self.place), np.where(going, speed, self.speed)
            spent += np.where(going, energy, 0.0)
            self.hit |= overlapping(self.place, going)
            going = going & ~self.hit.any(-1, keepdims=True)
        self.motion_j += spent
        return spent

    # --- Senses ---------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Let sensors tell of what they see, and the fully informed of everything."""
        known, vehicles = self.knowledge, self.rules.num_vehicles
        shape = known.place.shape
        present = (self.active[:, None] & ~self.crossed)[:, None, :]
        if self.rules.full_information:
            self.clear = in_sight(self.place, self.rules.setback_m)
            known.age[...] = np.inf
            place, speed, acceleration = (
                np.broadcast_to(x[:, None], shape) for x in (self.place, self.speed, self.acceleration)
            )
            known.tell(np.broadcast_to(present, shape), place, speed, acceleration, 0.0)
            return
        noise, fault = self.rng.standard_normal((2, *shape)), self.rng.random(shape)
        points = places(self.place)
        self.clear = in_sight(self.place, self.rules.setback_m)
        near = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1) <= self.rules.sensor_range_m
        seen = self.clear & near & ~np.eye(vehicles, dtype=bool) & (self.active[:, None] & ~self.crossed)[:, :, None]
        where = np.zeros(shape, bool)
        where[:, :vehicles] = seen & present
        place = self.place[:, None] + self.rules.sensor_noise_m * noise[0]
        speed = np.maximum(self.speed[:, None] + self.rules.sensor_noise_m_s * noise[1], 0.0)
        place = np.where(fault < self.rules.nan_rate, np.nan, place)
        usable = np.isfinite(place)  # a reading that is NaN is as none: the track goes on by itself
        self.tally.nan += (where & ~usable).sum((1, 2))
        known.tell(where & usable, place, speed, np.zeros(shape), 0.0)

    # --- Radio ----------------------------------------------------------------------------------------------------

    def _talk(self, actions: Actions, acceleration: np.ndarray) -> None:
        rules = self.rules
        vehicles, nodes, batch = rules.num_vehicles, rules.nodes, len(self.place)
        present = self.payload(actions, acceleration)
        late = rules.organisation == "independent"
        payload, self._handed_over = (self._handed_over if late else present), present
        slot = self.rng.integers(rules.slots, size=(batch, nodes))
        fading, fault = self.rng.exponential(size=(batch, nodes, nodes)), self.rng.random((batch, nodes))
        self.received, self.sent = np.zeros((batch, nodes), int), np.zeros((batch, nodes), int)
        if payload is None:
            return
        on_air = np.zeros((batch, nodes), bool)
        on_air[:, :vehicles] = self.active[:, None] & ~self.crossed
        on_air[:, vehicles:] = self.active[:, None]
        power = np.where(on_air & (actions.send != NOTHING), np.clip(actions.power_w, 0.0, rules.max_power_w), 0.0)
        roadside = np.arange(nodes) >= vehicles
        bits = np.where(power > 0, messages.bits_of(actions.send, payload.told.sum(-1), roadside), 0)
        tally = self.tally
        tally.bits += bits
        tally.sent += power > 0
        tally.radio_j += power * rules.slot_s
        self.sent = np.where(power > 0, actions.send, NOTHING)
        points = np.concatenate([places(self.place), np.zeros((batch, nodes - vehicles, 2))], axis=1)
        clear = np.ones((batch, nodes, nodes), bool)  # the roadside unit sees everybody
        clear[:, :vehicles, :vehicles] = self.clear
        distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
        needed = needed_sinr(bits, rules.bandwidth_hz, rules.slot_s)
        gain = path_gain(distance, clear, rules.wall_loss_db) * fading
        ok, _ = heard(power, slot, gain, needed, rules.noise_w)
        cut = (fault < rules.cut_rate) & (power > 0)
        tally.cut += cut.sum(-1)
        ok &= ~cut[:, None]  # half a message cannot be read: secagent_env.convoy.messages.decode refuses it
        tally.received += ok.sum((1, 2))
        self.received = ok.sum(-1)
        for sender in range(nodes):
            self._hear(payload, sender, ok[:, :, sender], actions.send[:, sender])

    def payload(self, actions: Actions, acceleration: np.ndarray) -> _Payload:
        """Return what messages of any level would say now, in the numbers that their bits can tell."""
        known, vehicles = self.knowledge, self.rules.num_vehicles
        own = np.eye(self.rules.nodes, vehicles, dtype=bool)
        place, speed = np.where(own, self.place[:, None], known.place), np.where(own, self.speed[:, None], known.speed)
        age = np.where(own, 0.0, known.age)
        plan = acceleration if actions.plan is None else actions.plan
        orders = np.zeros(self.place.shape) if actions.orders is None else actions.orders
        orders_go = np.zeros(self.place.shape) if actions.orders_go is None else actions.orders_go
        return _Payload(
            told=age <= TOLD_S,
            place=messages.PLACE.rounded(place),
            speed=messages.SPEED.rounded(speed),
            age=messages.AGE.rounded(np.minimum(age, TOLD_S)),
            plan=messages.ACCELERATION.rounded(plan),
            go=np.asarray(actions.go, int),
            orders=messages.ACCELERATION.rounded(orders),
            orders_go=np.asarray(orders_go, int),
        )

    def _hear(self, payload: _Payload, sender: int, ok: np.ndarray, level: np.ndarray) -> None:
        """Let those in ``ok`` (B, R) read what a node has sent at a level (B,)."""
        known, vehicles = self.knowledge, self.rules.num_vehicles
        of = {name: ok & (level == number)[:, None] for name, number in _KINDS.items()}
        others = ~np.eye(self.rules.nodes, vehicles, dtype=bool)
        where = of["information"][:, :, None] & payload.told[:, None, sender] & others
        place, speed, age = (x[:, None, sender] for x in (payload.place, payload.speed, payload.age))
        known.tell(where, place, speed, np.zeros(place.shape), age)
        told = payload.told[:, sender]
        if sender < vehicles:
            where = of["decision"][:, :, None] & (np.arange(vehicles) == sender)
            known.tell(where, place, speed, payload.plan[:, None], 0.0)
            claim = of["intent"]
            known.claim[:, :, sender] = np.where(claim, payload.go[:, sender, None], known.claim[:, :, sender])
            known.claim_age[:, :, sender] = np.where(claim, 0.0, known.claim_age[:, :, sender])
            return
        mine = {name: of[name][:, :vehicles] & told for name in ("decision", "intent")}
        known.order = np.where(mine["decision"], payload.orders, known.order)
        known.order_go = np.where(mine["intent"], payload.orders_go, known.order_go)
        known.order_age = np.where(mine["decision"] | mine["intent"], 0.0, known.order_age)


_KINDS = {"information": INFORMATION, "decision": DECISION, "intent": INTENT}


def results(crossings: Crossings) -> dict[str, np.ndarray]:
    """Return what crossings (B,) came to.

    ``collided`` and ``late`` (the clock ran out), bool; ``seconds``, the mean of a vehicle; ``bits`` of all nodes;
    ``motion_j`` the mean of a vehicle's engine, and ``radio_j`` the sum of all radios, J.
    """
    ended = ~crossings.collided & crossings.crossed.all(-1)
    return {
        "collided": crossings.collided.copy(),
        "late": ~crossings.collided & ~ended & ~crossings.active,
        "seconds": crossings.seconds.mean(-1),
        "bits": crossings.tally.bits.sum(-1),
        "motion_j": crossings.motion_j.mean(-1),
        "radio_j": crossings.tally.radio_j.sum(-1),
    }
