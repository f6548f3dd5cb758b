"""One task as a PettingZoo ``ParallelEnv``: every mobile agent bids to compute, and sets its own power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.observations import observation_shapes
from secagent_env.allocation.reward import transmission_by_deadline
from secagent_env.gym_bases.agent_spaces import AgentSpaces
from secagent_env.gym_bases.rendered import Rendered
from secagent_env.gym_bases.spaces import bounded_box
from secagent_env.model.beams import DIRECTIONS
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.physics import evaluate
from secagent_env.model.scenario import Scenario
from secagent_env.multiagent.views import own_views
from secagent_env.support.errors import check_name

BASE_STATION = "base_station"
FORMATS = {"solver": "bids", "agent": "guided"}
"""The action format that all actions together make, by who forms the beam."""


class AllocationParallelEnv(AgentSpaces, ParallelEnv[str, Any, Any]):
    """Who computes a task, and who jams, decided by the agents themselves.

    ## Description
    ``secagent/Allocation-v0`` without a supervisor that knows everything: each of the N mobile agents, ``agent_0`` to
    ``agent_{N−1}``, sees what it can measure itself. The N_min highest bids compute. An episode is one task, and lasts
    one step, in which all act at once.

    ## Action space
    Of a mobile agent ``Box(-1, 1, (2,))``: its bid, and its level. If it computes, the level is the SNR at which the
    base station receives it, −30 dB ± 10 dB; if not, it jams where the level is positive, on a dB scale from −70 dBm to
    p_max. With ``base_station="agent"`` there is one more agent, ``base_station``, with ``Box(-1, 1, (5,))``: the
    senders' common level, in the place of −30 dB, and the weights of the four beam directions
    (:class:`secagent_env.allocation.actions.GuidedFormat`). With ``"solver"`` the beam is computed
    (:class:`secagent_env.allocation.actions.BidsFormat`). Beyond the bounds actions are clipped.

    ## Observation space
    Of a mobile agent ``Box((11 + 2E,))``: the task (6), its own row of the agents' part (5 + E), and how well the base
    station reaches each eavesdropper (E), scaled as in :mod:`secagent_env.allocation.observations`. Of the base
    station: the compact observation, the task and all agents and eavesdroppers.

    ## Reward
    That of ``secagent/Allocation-v0``, the same for everybody.

    ## Info
    Of a mobile agent ``selected``, and its own cost, ``energy_j``: of computing and sending, where a transmission
    counts for τ at most. Of the base station the ``info`` of ``secagent/Allocation-v0``. Of all ``is_success``.

    ## Start and end
    ``reset`` draws an instance, or takes ``options={"instance": instance}``. Every episode terminates after one step.
    ``state()`` is the compact observation, for a central critic.

    ## Arguments
    scenario
        A Scenario, a preset's name, or a dict of fields; where ``instances`` are given, theirs.
    base_station
        Who forms the beam: ``"solver"`` or ``"agent"``.
    render_mode
        ``"rgb_array"``, ``"human"`` or ``"ansi"``.
    penalty_fixed, and all others
        As in :class:`~secagent_env.allocation.rules.AllocationRules`, but for the formats; ``penalty_fixed`` is 0.15 by
        default, as in our trainings.

    ## Version history
    * v0: first version.
    """

    metadata = {**Rendered.metadata, "name": "allocation_v0", "is_parallelizable": True}  # noqa: RUF012

    def __init__(
        self,
        scenario: Scenario | str | Mapping[str, Any] | None = None,
        base_station: str = "solver",
        *,
        render_mode: str | None = None,
        penalty_fixed: float = 0.15,
        **arguments: Any,
    ) -> None:
        form = FORMATS[check_name("base_station", base_station, FORMATS)]
        for name in ("action_format", "observation_format"):
            if name in arguments:
                raise ValueError(f"{name} is given by base_station here: leave it out")
        self._env = AllocationEnv(
            scenario,
            render_mode=render_mode,
            action_format=form,
            observation_format="compact",
            penalty_fixed=penalty_fixed,
            **arguments,
        )
        self.scenario, self.render_mode = self._env.scenario, render_mode
        names = [f"agent_{n}" for n in range(self.scenario.num_agents)]
        self._mobile = names
        self.possible_agents = [*names, *([BASE_STATION] if base_station == "agent" else [])]
        self.agents: list[str] = []
        shapes = observation_shapes(self.scenario, "compact")
        seen, acted = (
            bounded_box(6 + shapes["agents"][1] + shapes["eavesdroppers"][0]),
            Box(-1.0, 1.0, (2,), np.float32),
        )
        self.observation_spaces: dict[str, gymnasium.Space[Any]] = dict.fromkeys(names, seen)
        self.action_spaces: dict[str, gymnasium.Space[Any]] = dict.fromkeys(names, acted)
        if base_station == "agent":
            self.observation_spaces[BASE_STATION] = self._env.observation_space
            self.action_spaces[BASE_STATION] = Box(-1.0, 1.0, (1 + len(DIRECTIONS),), np.float32)
        self._seen: np.ndarray | None = None

    @property
    def instance(self) -> Instance:
        """The instance of the running episode, which no agent knows."""
        return self._env.instance

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode, on ``options["instance"]`` if it is given; other options are ignored."""
        given = (options or {}).get("instance")
        self._seen, _ = self._env.reset(seed=seed, options=None if given is None else {"instance": given})
        self.agents = list(self.possible_agents)
        return self._observations(), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Decide the task: the episode terminates.

        Raises
        ------
        ValueError
            If actions are not one per agent, or one of them has another shape or is NaN; the episode stays as it was.
        """
        action = self._together(actions)
        decision = self._env.decode(action)
        _, reward, _, _, info = self._env.step(action)
        agents, observations, infos = self.agents, self._observations(), self._infos(decision, info)
        self.agents = []
        return (
            observations,
            dict.fromkeys(agents, reward),
            dict.fromkeys(agents, True),
            dict.fromkeys(agents, False),
            infos,
        )

    def _together(self, actions: Mapping[str, Any]) -> np.ndarray:
        """Return the action of all agents together, of the environment within."""
        if not self.agents:
            raise gymnasium.error.ResetNeeded("the episode has not begun, or is over: call reset() first")
        if set(actions) != set(self.agents):
            missing, extra = sorted(set(self.agents) - set(actions)), sorted(map(str, set(actions) - set(self.agents)))
            what = f"{missing[0]} has none" if missing else f"{extra[0]!r} is no agent"
            raise ValueError(f"actions must be one for each agent, but {what}")
        parts = {}
        for name in self.agents:
            parts[name] = np.asarray(actions[name], float)
            if parts[name].shape != self.action_spaces[name].shape:
                raise ValueError(
                    f"the action of {name} must have the shape {self.action_spaces[name].shape}, "
                    f"got {parts[name].shape}"
                )
            if np.isnan(parts[name]).any():
                raise ValueError(f"the action of {name} holds NaN")
        mobile = np.stack([parts[name] for name in self._mobile])
        return np.concatenate([mobile[:, 0], mobile[:, 1], parts.get(BASE_STATION, np.empty(0))])

    def state(self) -> np.ndarray:
        """Return the compact observation of the network, float32."""
        if self._seen is None:
            raise gymnasium.error.ResetNeeded("there is no network yet: call reset() first")
        return self._seen.copy()

    def render(self) -> Any:
        """Return the picture (``rgb_array``) or the text (``ansi``), or show a window (``human``)."""
        return self._env.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._env.close()

    def _observations(self) -> dict[str, Any]:
        seen = self.state()
        found: dict[str, Any] = dict(zip(self._mobile, own_views(seen, self.scenario), strict=True))
        return {**found, BASE_STATION: seen} if BASE_STATION in self.possible_agents else found

    def _infos(self, decision: Decision, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
        truth = self._env.truth
        sending = transmission_by_deadline(truth, decision, evaluate(truth, decision))
        energy = np.where(decision.selection, truth.execution_energy_j, 0.0) + sending
        infos: dict[str, dict[str, Any]] = {
            name: {"selected": bool(chosen), "energy_j": float(cost), "is_success": info["is_success"]}
            for name, chosen, cost in zip(self._mobile, decision.selection, energy, strict=True)
        }
        return {**infos, BASE_STATION: info} if BASE_STATION in self.possible_agents else infos
