"""``secagent/PowerControl-v0``: a central controller sets the powers of all transmitter–receiver pairs."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from secagent_env.allocation.rules import options_of
from secagent_env.power_control.display import FPS, RENDER_MODES, Display
from secagent_env.power_control.game import MAX_POWER_W, Game, fitting
from secagent_env.power_control.match import ROUNDS, Record
from secagent_env.power_control.messages import nothing
from secagent_env.power_control.metrics import Function, Metric
from secagent_env.power_control.rules import ControlRules, Plays


class PowerControlEnv(gymnasium.Env[np.ndarray, np.ndarray]):
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

    ## Info
    ``step`` returns ``power_w`` and ``rate`` (N,), ``total_power_w``, and ``rate_gap``, the mean |target − rate|.

    ## Arguments
    num_pairs
        N.
    rounds
        How many times the powers are set.
    metric
        The name of one of :mod:`~secagent_env.power_control.metrics`, or a function
        ``(game, power_w (…, N), rate (…, N)) -> (…)``.
    feasible
        Which games are drawn: True, whose targets can all be reached within P_max; False, the others; None, all.
    max_power_w
        P_max, W.
    render_mode
        ``"rgb_array"``, ``"human"`` or ``"ansi"``.

    ## Version history
    * v0: first version.

    Many at once, batched: :class:`secagent_env.power_control.vector.PowerControlVectorEnv`, the
    ``vector_entry_point`` of the id.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": FPS}  # noqa: RUF012

    def __init__(
        self,
        num_pairs: int = 4,
        rounds: int = ROUNDS,
        *,
        metric: str | Metric | Function = "rate_gap",
        feasible: bool | None = None,
        max_power_w: float = MAX_POWER_W,
        render_mode: str | None = None,
    ) -> None:
        self._rules = ControlRules(
            num_pairs=num_pairs, rounds=rounds, metric=metric, feasible=feasible, max_power_w=max_power_w
        )
        self.action_space = self._rules.action_space
        self.observation_space = self._rules.observation_space
        self._display = Display(render_mode)
        self.render_mode = render_mode
        self._course: list[Plays] = []  # batches of one: what many environments do, one does

    @property
    def _running(self) -> Plays:
        if not self._course:
            raise gymnasium.error.ResetNeeded("there is no game yet: call reset() first")
        return self._course[-1]

    @property
    def game(self) -> Game:
        """The game being played."""
        return self._running.game[0]

    @property
    def record(self) -> Record:
        """What has happened in the episode so far."""
        game, rounds = self.game, self._rules.rounds
        power, rate = (np.concatenate([getattr(p, name) for p in self._course]) for name in ("power_w", "rate"))
        silence = nothing([])
        deliveries = (silence,) * (len(self._course) - 1)
        return Record(game=game, power_w=power, rate=rate, deliveries=deliveries, rounds=rounds)

    def decode(self, action: Any) -> np.ndarray:
        """Return the powers (N,), W, that an action stands for."""
        return self._rules.decode(action)

    def encode(self, power_w: Any) -> np.ndarray:
        """Return the action that comes nearest to powers (N,), W."""
        return self._rules.encode(power_w)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode, on ``options["game"]`` if it is given."""
        super().reset(seed=seed)
        given = options_of(options, "game")["game"]
        if given is not None:
            given = Game.stack([fitting(given, (), self._rules.num_pairs, self._rules.max_power_w)])
        self._course = [self._rules.begin([self.np_random], given)]
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
        first = {name: value[0].copy() if value.ndim > 1 else value[0].item() for name, value in info.items()}
        return self._rules.observe(plays)[0], float(reward[0]), bool(self._rules.over(plays)[0]), False, first

    def render(self) -> Any:
        """Return the picture (``rgb_array``) or the text (``ansi``), or show a window (``human``)."""
        return self._display.render(self.record)

    def _show(self) -> None:
        """Show the window, where there is one to be shown."""
        if self.render_mode == "human":
            self.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._display.close()
