"""``secagent/PowerControl-v0``: a central controller sets the powers of all transmitter–receiver pairs."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from secagent_env.gym_bases.arguments import reset_options, takes_arguments_of
from secagent_env.gym_bases.rendered import Rendered, check_render_mode
from secagent_env.gym_bases.running import first_info
from secagent_env.power_control import pictures
from secagent_env.power_control.game import Game
from secagent_env.power_control.match import ROUNDS, Record
from secagent_env.power_control.messages import no_messages
from secagent_env.power_control.rules import PowerControlRules, RunningGames


@takes_arguments_of(PowerControlRules)
class PowerControlEnv(Rendered, gymnasium.Env[np.ndarray, np.ndarray]):
    """Bring pairs that share a spectrum to their target rates, by setting all powers at once.

    ## Description
    The game of :class:`~secagent_env.power_control.parallel.PowerControlParallelEnv`, seen by one controller that knows
    all channels: N pairs, Rayleigh channels that stay for an episode, a target rate for each pair, 10 rounds.

    ## Action space
    ``Box(-1, 1, (N,), float32)``: the powers, −1 is silence and 1 is P_max; beyond the bounds it is clipped.

    ## Observation space
    A flat ``Box (N² + 3N + 1,) float32``, entries clipped to 10:

    =====================  =========  ===============================================================
    slice                  shape      meaning
    =====================  =========  ===============================================================
    ``[:N]``               (N,)       power / P_max
    ``[N:2N]``             (N,)       rate, bit/s/Hz
    ``[2N:3N]``            (N,)       target, bit/s/Hz
    ``[3N:3N+N²]``         (N, N)     log2(1 + gain), from transmitter (row) to receiver (column)
    ``[-1]``               ()         rounds played / rounds
    =====================  =========  ===============================================================

    ## Reward
    The ``metric`` of the network after the round, higher is better.

    ## Start and end
    ``reset`` draws a game, or takes the one in ``options={"game": game}``. The episode terminates after all rounds.
    With ``intent_change`` the targets change after some rounds: the observation holds the new ones from then on, and
    ``options={"new_target_rate": (N,)}`` gives them.

    ## Info
    ``step`` returns ``power_w`` and ``rate`` (N,), ``total_power_w``, and ``rate_gap``, the mean |target − rate|.

    ## Arguments
    num_pairs, rounds, metric, feasible, max_power_w, intent_change
        As in :class:`~secagent_env.power_control.rules.PowerControlRules`.
    render_mode
        ``"rgb_array"``, ``"human"`` or ``"ansi"``.

    ## Version history
    * v0: first version.

    Many at once, batched: :class:`secagent_env.power_control.vector.PowerControlVectorEnv`, the
    ``vector_entry_point`` of the id.
    """

    def __init__(
        self,
        num_pairs: int = 4,
        rounds: int = ROUNDS,
        *,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        self._rules = PowerControlRules(num_pairs=num_pairs, rounds=rounds, **arguments)
        self.action_space = self._rules.action_space
        self.observation_space = self._rules.observation_space
        self.render_mode = check_render_mode(render_mode)
        self._course: list[RunningGames] = []  # batches of one: what many environments do, one does

    @property
    def _running(self) -> RunningGames:
        if not self._course:
            raise gymnasium.error.ResetNeeded("there is no game yet: call reset() first")
        return self._course[-1]

    @property
    def game(self) -> Game:
        """The game being played."""
        return self._running.game[0]

    @property
    def record(self) -> Record:
        """The course of the episode so far."""
        game, rounds = self.game, self._rules.rounds
        power, rate = (np.concatenate([getattr(p, name) for p in self._course]) for name in ("power_w", "rate"))
        deliveries = (no_messages([]),) * (len(self._course) - 1)
        held = np.concatenate([p.game.target_rate for p in [self._course[0], *self._course[:-1]]])
        return Record(game=game, power_w=power, rate=rate, target_rate=held, deliveries=deliveries, rounds=rounds)

    def decode(self, action: Any) -> np.ndarray:
        """Return the powers (N,), W, that an action stands for."""
        return self._rules.decode(action)

    def encode(self, power_w: Any) -> np.ndarray:
        """Return the action that comes nearest to powers (N,), W."""
        return self._rules.encode(power_w)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode, on ``options["game"]``, and with ``options["new_target_rate"]``, where they are given."""
        super().reset(seed=seed)
        chosen = reset_options(options, "game", "new_target_rate")
        given = chosen["game"]
        if given is not None:
            given = Game.stack([self._rules.fitting(given, ())])
        self._course = [self._rules.begin([self.np_random], given, chosen["new_target_rate"])]
        self._show()
        return self._rules.observe(self._running)[0], {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Set the powers of a round."""
        running = self._running
        if self._rules.over(running)[0]:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset() first")
        power = self.decode(action)
        if power.ndim != 1:
            raise ValueError(f"action must be a single one of shape ({self._rules.num_pairs},), got {power.shape}")
        plays, reward, info = self._rules.step(running, power[None])
        self._course.append(plays)
        self._show()
        over = bool(self._rules.over(plays)[0])
        return self._rules.observe(plays)[0], float(reward[0]), over, False, first_info(info)

    def _text(self) -> str:
        return pictures.ansi(self.record)

    def _picture(self) -> np.ndarray:
        return pictures.rgb_array(self.record)
