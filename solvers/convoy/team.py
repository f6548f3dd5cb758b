"""Teams of rule-based vehicles: a level of collaboration, and who decides what.

**Levels.** *information*: messages tell what the sender knows, places and speeds. *decision*: they tell the sender's
place, speed and planned acceleration. *intent*: they tell one bit, "I go first" or "I yield"; what follows from it, the
others know from the rule that all share. *nothing*: no messages.

**Organisations.** *distributed*: vehicles decide for themselves, and an intent is negotiated: who is near claims the
crossing, who hears a claim before its own yields, and of two that have claimed the one of the higher arm takes back its
claim. *hierarchical*: vehicles report what they know to the roadside unit, which decides for all: it sends the map of
all reports (information), accelerations (decision), or who may go (intent); who has heard no order stops before the
crossing. *independent*: a vehicle's radio agent knows nothing of driving; it sends in every step, less often when it
hears many, at full power, what the driving agent handed over a step before, and the driving agent knows nothing of
what was sent. *converged*: one agent does both. It sends while somebody may be in its way, an intent only while it
claims or has just taken back, at low power where it sees everybody on the crossing lanes, and enters on a claim only
once that was on the air.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from secagent_env.convoy.crossing import Actions, Crossings, Start, draw
from secagent_env.convoy.geometry import conflicts
from secagent_env.convoy.messages import INFORMATION, INTENT, LEVELS, NOTHING
from secagent_env.convoy.motion import BRAKE_M_S2
from secagent_env.convoy.rules import ORGANISATIONS, STEP_S, CrossingRules
from secagent_env.convoy.views import View, roadside_view, view_of
from secagent_env.support.checks import flag
from secagent_env.support.errors import check_name
from solvers.convoy.driving import BOX_M, alone, due, first_come, letting_pass, unstoppable

CLAIM_S = 3.0
"""A vehicle claims the crossing when it is due within so many seconds."""
LATE_S = 1.5
"""The same of a vehicle that has decided to yield."""
HEARD_S = 1.0
"""A claim, or an order, that was not repeated for so long has lapsed."""
NEAR_S = 5.0
"""A converged agent begins to send when it is due within so many seconds."""
RELEASES = 3
"""How often a converged agent says that it yields, or has left, after a claim."""
ON_AIR = 2
"""How often a converged agent sends a claim before it enters on it."""
LOW_POWER = 0.05
"""The share of the power at which a converged agent sends to those it sees."""
CREEP_M_S = 3.0
LIES = ("", "claims", "feigns")
"""``claims``: a vehicle says from the first step to the last that it goes first, and minds no claim of others.
``feigns``: it says that it yields, and goes."""


@dataclass(frozen=True, kw_only=True)
class Team:
    """How vehicles talk and drive.

    Parameters
    ----------
    level
        ``"nothing"``, ``"information"``, ``"decision"`` or ``"intent"``.
    organisation
        ``"converged"`` or ``"independent"``: of the agents within a vehicle.
    roadside
        Whether the roadside unit decides (hierarchical); else the vehicles do (distributed).
    full_information
        Whether all know everything without messages.
    cautious
        Whether a vehicle slows down to 3 m/s before the crossing, whatever it knows.
    lie
        What the last vehicle lies about its intent, one of :data:`LIES`.

    Raises
    ------
    ValueError
        If a name is unknown, or the options do not fit together.
    """

    level: str = "intent"
    organisation: str = "converged"
    roadside: bool = False
    full_information: bool = False
    cautious: bool = False
    lie: str = ""

    def __post_init__(self) -> None:
        check_name("level", self.level, LEVELS)
        check_name("organisation", self.organisation, ORGANISATIONS)
        check_name("lie", self.lie, LIES)
        for name in ("roadside", "full_information", "cautious"):
            flag(name, getattr(self, name))
        if self.lie and (self.level != "intent" or self.roadside):
            raise ValueError("a lie is about an intent among vehicles: set level='intent', and leave roadside out")
        if self.roadside and self.level == "nothing":
            raise ValueError("a roadside unit without messages decides nothing: name a level, or leave roadside out")

    def rules(self, rules: CrossingRules) -> CrossingRules:
        """Return the rules of a crossing that this team plays."""
        return replace(
            rules, organisation=self.organisation, roadside=self.roadside, full_information=self.full_information
        )

    def begin(self, rules: CrossingRules, batch: int, seed: int = 0) -> Play:
        """Return the team in ``batch`` new crossings."""
        return Play(self, rules, np.random.default_rng(seed), *_state(batch, rules.num_vehicles))


def _state(batch: int, vehicles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = (batch, vehicles)
    return np.zeros(shape, bool), np.zeros(shape, int), np.zeros(shape, int)


@dataclass(eq=False)
class Play:
    """A team at work.

    Attributes
    ----------
    claims
        (B, V): who claims the crossing now.
    aired, releases
        (B, V): how often the claim was sent, and how often it is still to be said that there is none.
    first
        (B, V): 1 who claims at once, 0 who claims late, −1 who follows the rule: a decision for a crossing.
    """

    team: Team
    rules: CrossingRules
    rng: np.random.Generator
    claims: np.ndarray
    aired: np.ndarray
    releases: np.ndarray
    first: np.ndarray | None = field(default=None)

    def act(self, crossings: Crossings) -> Actions:
        """Return what everybody does now."""
        view, team = view_of(crossings), self.team
        if team.level == "intent" and not team.roadside:
            acceleration = self._negotiate(view)
        elif team.roadside and team.level != "information":
            acceleration = self._obey(view)
        else:
            acceleration = letting_pass(view, first_come(view))
        if team.cautious:
            acceleration = np.minimum(acceleration, _creeping(view))
        actions = Actions(acceleration=acceleration, go=self.claims.astype(int), **self._radio(view))
        if team.lie:
            self._lie(actions, view)
        return self._direct(crossings, actions) if team.roadside else actions

    # --- Distributed intents --------------------------------------------------------------------------------------

    def _negotiate(self, view: View) -> np.ndarray:
        """Renew the claims, and return the accelerations."""
        vehicles = view.place.shape[1]
        heard = conflicts(vehicles) & (view.claim_age <= HEARD_S)
        goes, yields = heard & (view.claim == 1), heard & (view.claim == 0)
        lower = np.arange(vehicles)[None, :] < np.arange(vehicles)[:, None]
        time = due(view.place, view.speed)
        inside = (view.place > -BOX_M) & (view.place <= BOX_M)
        holders = goes & (lower | ~self.claims[:, :, None]) & ~inside[:, :, None]
        wants = inside | (time <= CLAIM_S)
        if self.first is not None:
            late = inside | (time <= LATE_S)
            wants = np.where(self.first == 0, late, wants | ((self.first == 1) & (view.place <= BOX_M)))
        claims = wants & ~holders.any(-1)
        self.releases = np.where(self.claims & ~claims, RELEASES, self.releases)
        self.aired = np.where(claims, self.aired, 0)
        self.claims = claims
        # What was not said is decided by what is seen, and nobody drives into one that is seen and can no longer stop.
        earlier = first_come(view)
        whom = holders | (earlier & ~goes & ~yields) | (earlier & unstoppable(view))
        acceleration = letting_pass(view, whom)
        if self.team.organisation == "converged":  # the driver knows whether its claim was on the air
            silent = claims & (self.aired < ON_AIR) & (time < 1.0)
            acceleration = np.where(silent, np.minimum(acceleration, -1.0), acceleration)
        return acceleration

    def _lie(self, actions: Actions, view: View) -> None:
        """Let the last vehicle lie, and drive as if it were alone but for what it sees."""
        liar = view.place.shape[1] - 1
        going = view.place[:, liar] <= BOX_M
        actions.go[:, liar] = going if self.team.lie == "claims" else 0
        actions.send[:, liar] = np.where(going, INTENT, actions.send[:, liar])
        actions.power_w[:, liar] = self.rules.max_power_w
        actions.acceleration[:, liar] = alone(view.speed[:, liar])

    # --- Hierarchical ---------------------------------------------------------------------------------------------

    def _obey(self, view: View) -> np.ndarray:
        """Return the accelerations of those who follow orders, and stop before the crossing without one."""
        fresh = view.order_age <= HEARD_S
        stopping = letting_pass(_unseeing(view), np.broadcast_to(conflicts(view.place.shape[1]), view.age.shape))
        if self.team.level == "intent":
            return np.where(fresh & (view.order_go == 1), alone(view.speed), stopping)
        return np.where(fresh & np.isfinite(view.order), view.order, stopping)

    def _direct(self, crossings: Crossings, actions: Actions) -> Actions:
        """Add what the roadside unit sends: everything it knows, or orders by the rule that all share."""
        view, there = roadside_view(crossings)
        whom = first_come(view)
        orders = np.where(there, letting_pass(view, whom), 0.0)
        level = np.where(there.any(-1), LEVELS.index(self.team.level), NOTHING)
        power = np.full((len(level), 1), self.rules.max_power_w)
        return replace(
            actions,
            send=np.concatenate([actions.send, level[:, None]], axis=1),
            power_w=np.concatenate([actions.power_w, power], axis=1),
            orders=orders,
            orders_go=(there & ~whom.any(-1)).astype(int),
        )

    # --- Radio ----------------------------------------------------------------------------------------------------

    def _radio(self, view: View) -> dict[str, np.ndarray]:
        """Return what vehicles send, and at which power."""
        team, shape = self.team, view.place.shape
        if team.level == "nothing" or team.full_information:
            return {"send": np.full(shape, NOTHING), "power_w": np.zeros(shape)}
        level = INFORMATION if team.roadside else LEVELS.index(team.level)
        power = np.full(shape, self.rules.max_power_w)
        if team.organisation == "independent":
            # As many as it heard, and itself, share the slots.
            sends = self.rng.random(shape) < self.rules.slots / (1.0 + view.received)
            return {"send": np.where(sends, level, NOTHING), "power_w": power}
        lanes = conflicts(shape[1])
        sees = ((view.age < STEP_S) | ~lanes).all(-1)  # somebody on every crossing lane
        sends = (due(view.place, view.speed) <= NEAR_S) & (view.place <= BOX_M)
        if level == INTENT:
            sends = self.claims | (self.releases > 0)
            self.aired = self.aired + self.claims
            self.releases = np.where(self.claims, 0, np.maximum(self.releases - 1, 0))
        power = np.where(sees & (not team.roadside), LOW_POWER, 1.0) * power
        return {"send": np.where(sends, level, NOTHING), "power_w": power}


def _unseeing(view: View) -> View:
    """Return a view without tracks."""
    return replace(view, age=np.full(view.age.shape, np.inf))


def _creeping(view: View) -> np.ndarray:
    """Return the highest acceleration (B, V) of vehicles that are to enter the crossing at 3 m/s."""
    way = np.maximum(-BOX_M - view.place, 0.1)
    brake = np.minimum((CREEP_M_S**2 - view.speed**2) / (2 * way), CREEP_M_S - view.speed)
    needed = (view.place <= -BOX_M) & ((brake < -COMFORT_BRAKE) | (way < 1.0))
    return np.where(needed, np.maximum(brake, -BRAKE_M_S2), np.inf)


COMFORT_BRAKE = 2.0
"""A cautious vehicle begins to brake where it needs more than that, m/s²."""


class Acting(Protocol):
    """Who decides for all vehicles in every step."""

    def act(self, crossings: Crossings) -> Actions:
        """Return what everybody does now."""
        ...


class AnyTeam(Protocol):
    """What :func:`play` lets cross: :class:`Team`, or anything else with its two methods."""

    def rules(self, rules: CrossingRules) -> CrossingRules:
        """Return the rules of a crossing that this team plays."""
        ...

    def begin(self, rules: CrossingRules, batch: int, seed: int = 0) -> Acting:
        """Return the team in ``batch`` new crossings."""
        ...


def play(rules: CrossingRules, team: AnyTeam, crossings: int | Start, seed: int = 0) -> Crossings:
    """Let a team cross, and return the crossings when all have ended.

    Parameters
    ----------
    rules
        The numbers; those that the team decides are taken from it.
    team
        The vehicles.
    crossings
        How many random ones, or their starts.
    seed
        Starts, the channel and the team's chances depend on it alone; every team gets the same starts.
    """
    starts, chance, own = (np.random.default_rng([seed, number]) for number in range(3))
    own_rules = team.rules(rules)
    start = crossings if isinstance(crossings, Start) else draw(own_rules, starts, crossings)
    running = Crossings(own_rules, start, chance)
    playing = team.begin(own_rules, len(running.place), int(own.integers(2**31)))
    while not running.over:
        running.step(playing.act(running))
    return running
