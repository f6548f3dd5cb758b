"""One crossing as a PettingZoo ``ParallelEnv``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary
from gymnasium.utils import seeding
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from secagent_env.convoy import pictures
from secagent_env.convoy.crossing import Actions, Crossings, Start, draw, results
from secagent_env.convoy.messages import LEVELS
from secagent_env.convoy.motion import BRAKE_M_S2, THROTTLE_M_S2
from secagent_env.convoy.rules import CrossingRules
from secagent_env.convoy.views import (
    RADIO_SIZE,
    observation_size,
    observations,
    radio_observations,
    roadside_view,
    view_of,
)
from secagent_env.gym_bases.agent_spaces import AgentSpaces
from secagent_env.gym_bases.rendered import Rendered, check_render_mode

ROADSIDE = "roadside"
_DRIVING, _SENDING, _DIRECTING = ("acceleration", "go"), ("send", "power"), ("send", "power", "orders", "orders_go")


class ConvoyParallelEnv(Rendered, AgentSpaces, ParallelEnv[str, Any, Any]):
    """Vehicles cross, and do not see each other behind the buildings at the corners until it is late.

    ## Description
    Up to four vehicles come from the arms of a crossing and drive straight on. They share a radio channel with slots,
    in which simultaneous messages disturb each other. A step takes 0.2 s: all send, then all drive.

    ## Agents
    ``organisation="converged"``: ``vehicle_0`` to ``vehicle_{V−1}``, each of which drives and sends.
    ``"independent"``: ``driver_i`` and ``radio_i`` of every vehicle, who do not share what they know. With
    ``roadside=True`` there is ``roadside`` too, which hears, and may send orders.

    ## Action space
    Dicts; what is beyond the bounds is clipped.

    ================  =====================  ============================================================
    part              space                  meaning
    ================  =====================  ============================================================
    ``acceleration``  Box (1,) in [−6, 3]    m/s²
    ``go``            Discrete(2)            what an intent says: 1 I go first, 0 I yield
    ``send``          Discrete(4)            nothing, information, decision, intent
    ``power``         Box (1,) in [0, P_max]  W
    ``orders``        Box (V,) in [−6, 3]    of the roadside unit: accelerations, sent as a decision
    ``orders_go``     MultiBinary(V)         of the roadside unit: who may go, sent as an intent
    ================  =====================  ============================================================

    A driver has the first two, a radio agent ``send`` and ``power``, a vehicle all four, the roadside unit the last
    four. A decision announces the acceleration of the same step.

    ## Observation space
    Of a vehicle and a driver :func:`secagent_env.convoy.views.observations`, of a radio agent
    :func:`secagent_env.convoy.views.radio_observations`, of the roadside unit a Box (3 V,): which vehicles it knows,
    their places / 84 m and speeds / 15 m/s.

    ## Reward
    The same for everybody, in seconds lost, ≤ 0: −(time + 2·10⁻⁵ s/J · engine), the mean over all vehicles, 0 of those
    that have crossed, − 400 s/J · radio / V, and −100 s for a collision. The weights are arguments.

    ## Start and end
    ``reset`` draws places and speeds, or takes ``options={"start": Start}`` of one crossing. The episode terminates
    when two have met or all have crossed, and is truncated after 20 s.

    ## Info
    ``seconds``, ``motion_j``, ``crossed`` and ``hit`` of a vehicle; ``bits`` and ``radio_j`` of its radio; for all
    ``nan`` and ``cut``, the readings and messages that were unusable so far.

    ## Arguments
    render_mode
        ``"rgb_array"``, ``"human"`` or ``"ansi"``.
    arguments
        As in :class:`~secagent_env.convoy.rules.CrossingRules`.

    ## Version history
    * v0: first version.
    """

    metadata = {**Rendered.metadata, "name": "convoy_v0", "is_parallelizable": True}  # noqa: RUF012

    def __init__(self, *, render_mode: str | None = None, **arguments: Any) -> None:
        self.rules = rules = CrossingRules(**arguments)
        self.render_mode = check_render_mode(render_mode)
        v = rules.num_vehicles
        parts: dict[str, gymnasium.Space[Any]] = {
            "acceleration": Box(-BRAKE_M_S2, THROTTLE_M_S2, (1,), np.float32),
            "go": Discrete(2),
            "send": Discrete(len(LEVELS)),
            "power": Box(0.0, rules.max_power_w, (1,), np.float32),
            "orders": Box(-BRAKE_M_S2, THROTTLE_M_S2, (v,), np.float32),
            "orders_go": MultiBinary(v),
        }
        own = Box(-1.0, 1.0, (observation_size(v),), np.float32)
        kinds: dict[str, tuple[Box, tuple[str, ...]]]
        if rules.organisation == "converged":
            kinds = {f"vehicle_{i}": (own, (*_DRIVING, *_SENDING)) for i in range(v)}
        else:
            radio = Box(0.0, 1.0, (RADIO_SIZE,), np.float32)
            kinds = {f"driver_{i}": (own, _DRIVING) for i in range(v)}
            kinds |= {f"radio_{i}": (radio, _SENDING) for i in range(v)}
        if rules.roadside:
            kinds[ROADSIDE] = (Box(-1.0, 1.0, (3 * v,), np.float32), _DIRECTING)
        self.possible_agents = list(kinds)
        self.agents: list[str] = []
        self.observation_spaces = {agent: space for agent, (space, _) in kinds.items()}
        self.action_spaces: dict[str, Dict] = {
            agent: Dict({n: parts[n] for n in names}) for agent, (_, names) in kinds.items()
        }
        self._random: np.random.Generator | None = None
        self._crossings: Crossings | None = None
        self._history: list[np.ndarray] = []

    @property
    def crossings(self) -> Crossings:
        """The running crossing, a batch of one, which no agent knows."""
        if self._crossings is None:
            raise gymnasium.error.ResetNeeded("there is no crossing yet: call reset() first")
        return self._crossings

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode, from ``options["start"]`` if it is given; other options are ignored."""
        if seed is not None or self._random is None:
            self._random, _ = seeding.np_random(seed)
        start: Start = (options or {}).get("start") or draw(self.rules, self._random, 1)
        if len(start.place) != 1:
            raise ValueError(f"an episode is one crossing, got {len(start.place)}")
        self._crossings = Crossings(self.rules, start, self._random)
        self.agents = list(self.possible_agents)
        self._history = [self._crossings.place[0].copy()]
        self._show()
        return self._observations(), self._infos()

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Let everybody act.

        Raises
        ------
        ValueError
            If actions are not one per agent, or one of them lacks a part or holds NaN; the episode stays as it was.
        """
        crossings, agents = self.crossings, self.agents
        if not agents:
            raise gymnasium.error.ResetNeeded("the crossing is over: call reset() first")
        reward = float(crossings.step(self._together(actions))[0])
        self._history.append(crossings.place[0].copy())
        late = bool(results(crossings)["late"][0])
        over = crossings.over and not late
        found = (
            self._observations(),
            dict.fromkeys(agents, reward),
            dict.fromkeys(agents, over),
            dict.fromkeys(agents, late),
            self._infos(),
        )
        if crossings.over:
            self.agents = []
        self._show()
        return found

    def state(self) -> np.ndarray:
        """Return the true places / 84 m and speeds / 15 m/s of all vehicles, (2V,) float32."""
        return np.concatenate([self.crossings.place[0] / 84.0, self.crossings.speed[0] / 15.0]).astype(np.float32)

    def _together(self, actions: Mapping[str, Any]) -> Actions:
        """Return the actions of all agents as those of a batch of one crossing."""
        if not isinstance(actions, Mapping) or set(actions) != set(self.agents):
            got = sorted(map(str, actions)) if isinstance(actions, Mapping) else type(actions).__name__
            raise ValueError(f"actions must be a dict with one of each of {', '.join(self.agents)}, got {got}")
        for agent in self.agents:
            self._check(agent, actions[agent])
        v, independent = self.rules.num_vehicles, self.rules.organisation == "independent"
        driving = [actions[f"driver_{i}" if independent else f"vehicle_{i}"] for i in range(v)]
        sending = [actions[f"radio_{i}" if independent else f"vehicle_{i}"] for i in range(v)]
        sending += [actions[ROADSIDE]] if self.rules.roadside else []
        orders = actions.get(ROADSIDE, {})

        def row(parts: list[Any], name: str, kind: type) -> np.ndarray:
            return np.array([[np.asarray(part[name], kind).reshape(()) for part in parts]], kind)

        return Actions(
            acceleration=row(driving, "acceleration", float),
            go=row(driving, "go", int),
            send=row(sending, "send", int),
            power_w=row(sending, "power", float),
            orders=np.asarray(orders["orders"], float)[None] if orders else None,
            orders_go=np.asarray(orders["orders_go"], int)[None] if orders else None,
        )

    def _check(self, agent: str, action: Any) -> None:
        spaces = self.action_spaces[agent].spaces
        if not isinstance(action, Mapping) or set(action) != set(spaces):
            raise ValueError(f"the action of {agent} must be a dict of {', '.join(spaces)}, got {action!r:.80}")
        for name, space in spaces.items():
            shape = space.shape or ()
            try:
                value = np.asarray(action[name], float)
            except (TypeError, ValueError):
                value = np.array(np.nan)
            if value.size != int(np.prod(shape)) or not np.isfinite(value).all():
                raise ValueError(f"{name} of {agent} must be finite and of shape {shape}, got {action[name]!r:.80}")
            if isinstance(space, Discrete) and not space.contains(int(value.reshape(()))):
                raise ValueError(f"{name} of {agent} must be a whole number from 0 to {space.n - 1}, got {value}")

    def _observations(self) -> dict[str, Any]:
        view = view_of(self.crossings)
        seen = dict(enumerate(observations(view)[0]))
        found: dict[str, Any] = {}
        if self.rules.organisation == "converged":
            found = {f"vehicle_{i}": row for i, row in seen.items()}
        else:
            radio = radio_observations(view, self.rules.nodes)[0]
            found = {f"driver_{i}": row for i, row in seen.items()}
            found |= {f"radio_{i}": row for i, row in enumerate(radio)}
        if self.rules.roadside:
            known, there = roadside_view(self.crossings)
            parts = [there, there * known.place / 84.0, there * known.speed / 15.0]
            found[ROADSIDE] = np.clip(np.concatenate(parts, axis=-1)[0], -1, 1).astype(np.float32)
        return found

    def _infos(self) -> dict[str, dict[str, Any]]:
        c, tally = self.crossings, self.crossings.tally
        faults = {"nan": int(tally.nan[0]), "cut": int(tally.cut[0])}
        infos: dict[str, dict[str, Any]] = {}
        for i in range(self.rules.nodes):
            radio = {"bits": float(tally.bits[0, i]), "radio_j": float(tally.radio_j[0, i])}
            if i == self.rules.num_vehicles:
                infos[ROADSIDE] = {**radio, **faults}
                continue
            motion = {"seconds": float(c.seconds[0, i]), "motion_j": float(c.motion_j[0, i])}
            driver = {**motion, "crossed": bool(c.crossed[0, i]), "hit": bool(c.hit[0, i])}
            if self.rules.organisation == "converged":
                infos[f"vehicle_{i}"] = {**driver, **radio, **faults}
            else:
                infos[f"driver_{i}"], infos[f"radio_{i}"] = {**driver, **faults}, {**radio, **faults}
        return infos

    def _text(self) -> str:
        return pictures.ansi(self.crossings)

    def _picture(self) -> np.ndarray:
        return pictures.rgb_array(self.crossings, history=self._history)
