"""The game as a PettingZoo ``ParallelEnv``: one agent per pair, with messages or without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils import seeding
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from secagent_env.gym_bases.agent_spaces import AgentSpaces
from secagent_env.gym_bases.arguments import takes_arguments_of
from secagent_env.gym_bases.rendered import Rendered, check_render_mode
from secagent_env.power_control import pictures
from secagent_env.power_control.changes import TARGETS_SEEN
from secagent_env.power_control.game import Game
from secagent_env.power_control.match import (
    MAX_RATE,
    ROUNDS,
    Action,
    Match,
    Record,
    agent_names,
    numeric_observation,
)
from secagent_env.power_control.messages import MAX_MESSAGE_LENGTH, MessageSpace
from secagent_env.power_control.rules import PowerControlRules
from secagent_env.support.checks import integer
from secagent_env.support.errors import check_name


@takes_arguments_of(PowerControlRules)
class PowerControlParallelEnv(Rendered, AgentSpaces, ParallelEnv[str, Any, Any]):
    """Transmitter–receiver pairs share a spectrum; each sets its own power, to reach its target rate.

    ## Description
    The power control of the second paper's case study B. N pairs, Rayleigh channels that stay for an episode, a target
    rate for each pair, 10 rounds. In every round all agents, ``pair_0`` to ``pair_{N−1}``, set their powers at once.
    A louder sender is heard better, and disturbs all others.

    ## Action space
    ``talk=True``: a Dict of ``power``, Box(0, P_max, (1,)), W, and ``messages``, a Dict of a text for every other
    agent, where the empty one is no message. A power alone, and a dict without messages or with some of them, are
    understood too. ``talk=False``: the Box alone. A power beyond its bounds is clipped.

    ## Observation space
    An agent sees its own power and rate, the targets of all pairs, the round, and what was written to it.
    ``talk=True``:

    ============  ============  =====================================================================
    part          space         meaning
    ============  ============  =====================================================================
    ``power``     Box (1,)      its own power, W
    ``rate``      Box (1,)      its own rate, bit/s/Hz
    ``targets``   Box (N,)      the targets of all pairs in their order, bit/s/Hz
    ``round``     Discrete      how many rounds have been played
    ``messages``  Dict of text  by sender: what it wrote in the last round, empty if nothing
    ============  ============  =====================================================================

    ``talk=False``: one flat Box (N + 3,) float32: power / P_max; rate; rounds played / rounds; the own target; the
    targets of the others in their order.

    ## Reward
    The same for every agent: the ``metric`` of the network after the round, higher is better.

    ## Start and end
    ``reset`` draws a game, or takes the one in ``options={"game": game}``. The episode terminates after all rounds.

    ## Intents that change
    With ``intent_change`` some pairs get new targets after some rounds, drawn from the seed, or given as
    ``options={"new_target_rate": (N,)}``. A pair sees its own new target in its next observation. Those of the others
    it sees with ``targets_seen="all"``; with ``"own"`` its observation holds them as at the beginning of the game, and
    who is to know them has to be told. A round's reward counts by the targets that held in it.

    ## Messages
    A message of one round is in the recipient's observation of the next. It is text and nothing else: the environment
    reads no message, whatever it says. One to oneself, to nobody there, or longer than ``max_message_length`` is
    dropped.

    ## Info
    ``rate_gap``: target − rate of the agent, bit/s/Hz. With ``talk=True`` also ``dropped``: how many of its messages
    were dropped, ``{"unknown": …, "self": …, "too_long": …}``.

    ## Arguments
    num_pairs, rounds, metric, feasible, max_power_w, intent_change
        As in :class:`~secagent_env.power_control.rules.PowerControlRules`; the metric is given a single game.
    talk
        Whether agents may send messages.
    targets_seen
        Whose present targets an agent sees, ``"all"`` or ``"own"``.
    max_message_length
        In characters.
    render_mode
        ``"rgb_array"``, ``"human"`` or ``"ansi"``.

    ## Version history
    * v0: first version.

    For one central controller of all powers: ``secagent/PowerControl-v0``,
    :class:`secagent_env.power_control.env.PowerControlEnv`.
    """

    metadata = {**Rendered.metadata, "name": "power_control_v0", "is_parallelizable": True}  # noqa: RUF012

    def __init__(
        self,
        num_pairs: int = 4,
        rounds: int = ROUNDS,
        talk: bool = True,
        *,
        targets_seen: str = "all",
        max_message_length: int = MAX_MESSAGE_LENGTH,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        self._rules = rules = PowerControlRules(num_pairs=num_pairs, rounds=rounds, **arguments)
        self.num_pairs, self.rounds = rules.num_pairs, rules.rounds
        self.metric, self.max_power_w = rules.reward, rules.max_power_w
        self.talk = bool(talk)
        self.targets_seen = check_name("targets_seen", targets_seen, TARGETS_SEEN)
        self.max_message_length = integer("max_message_length", max_message_length, 1)
        self.render_mode = check_render_mode(render_mode)
        self.possible_agents = agent_names(self.num_pairs)
        self.agents: list[str] = []
        self.observation_spaces = {agent: self._observations_of(agent) for agent in self.possible_agents}
        self.action_spaces = {agent: self._actions_of(agent) for agent in self.possible_agents}
        self._random: np.random.Generator | None = None
        self._match: Match | None = None

    @property
    def match(self) -> Match:
        """The running match."""
        if self._match is None:
            raise gymnasium.error.ResetNeeded("there is no game yet: call reset() first")
        return self._match

    @property
    def game(self) -> Game:
        """The game being played, which no agent knows."""
        return self.match.game

    @property
    def record(self) -> Record:
        """The course of the episode so far."""
        return self.match.record

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode, on ``options["game"]``, and with ``options["new_target_rate"]``, where they are given.

        Other options are ignored, as PettingZoo does.
        """
        if seed is not None or self._random is None:
            self._random, _ = seeding.np_random(seed)
        chosen = options or {}
        given = chosen.get("game")
        games = None if given is None else Game.stack([self._rules.fitting(given, ())])
        games, new = self._rules.drawn([self._random], games, chosen.get("new_target_rate"))
        self._match = Match(
            games[0],
            rounds=self.rounds,
            talk=self.talk,
            max_message_length=self.max_message_length,
            new_targets=self._rules.new_targets(None if new is None else new[0]),
            targets_seen=self.targets_seen,
        )
        self.agents = list(self.possible_agents)
        self._show()
        return self._observations(), self._infos()

    def step(
        self, actions: Mapping[str, Action]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play a round.

        Raises
        ------
        ValueError
            If actions are not one per agent, or one of them is no action; the episode stays as it was.
        """
        match = self.match
        game = match.game
        match.advance(actions)
        value = float(self.metric(game, match.power_w, match.rate))
        agents = self.agents
        results = (
            self._observations(),
            dict.fromkeys(agents, value),
            dict.fromkeys(agents, match.over),
            dict.fromkeys(agents, False),
            self._infos(),
        )
        if match.over:
            self.agents = []
        self._show()
        return results

    def state(self) -> np.ndarray:
        """Return powers / P_max, rates and targets of all pairs and the share of rounds played, (3N + 1,) float32."""
        match = self.match
        parts = (match.power_w / self.max_power_w, match.rate, match.game.target_rate, [match.round / self.rounds])
        return np.concatenate(parts).astype(np.float32)

    def _text(self) -> str:
        return pictures.ansi(self.record)

    def _picture(self) -> np.ndarray:
        return pictures.rgb_array(self.record)

    def _observations_of(self, agent: str) -> gymnasium.Space[Any]:
        n = self.num_pairs
        if not self.talk:
            high = np.full(n + 3, MAX_RATE, np.float32)
            high[[0, 2]] = 1.0
            return Box(np.zeros(n + 3, np.float32), high, dtype=np.float32)
        return Dict(
            power=Box(0.0, self.max_power_w, (1,), np.float64),
            rate=Box(0.0, MAX_RATE, (1,), np.float64),
            targets=Box(0.0, MAX_RATE, (n,), np.float64),
            round=Discrete(self.rounds + 1),
            messages=self._texts_of(agent),
        )

    def _actions_of(self, agent: str) -> gymnasium.Space[Any]:
        if not self.talk:
            return Box(0.0, self.max_power_w, (1,), np.float32)
        return Dict(power=Box(0.0, self.max_power_w, (1,), np.float64), messages=self._texts_of(agent))

    def _texts_of(self, agent: str) -> Dict:
        others = [other for other in self.possible_agents if other != agent]
        return Dict({other: MessageSpace(self.max_message_length) for other in others})

    def _observations(self) -> dict[str, Any]:
        return {agent: self._observation(agent) for agent in self.agents}

    def _observation(self, agent: str) -> Any:
        seen = self.match.observe(agent)
        if self.talk:
            rate, targets = (np.minimum(seen[name], MAX_RATE) for name in ("rate", "targets"))
            return {**seen, "rate": rate, "targets": targets}
        share, rate = (float(seen[name][0]) for name in ("power", "rate"))
        i, played = self.possible_agents.index(agent), seen["round"] / self.rounds
        return numeric_observation(i, share / self.max_power_w, rate, played, seen["targets"])

    def _infos(self) -> dict[str, dict[str, Any]]:
        match = self.match
        gaps = match.game.target_rate - match.rate
        infos: dict[str, dict[str, Any]] = {}
        for agent, gap in zip(self.agents, gaps, strict=True):
            infos[agent] = {"rate_gap": float(gap)}
            if self.talk:
                infos[agent]["dropped"] = dict(match.delivery.dropped[agent])
        return infos
