"""The rules of ``secagent/PowerControl-v0``, the same for one environment and for many.

Dimension letters: B running games, N pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from secagent_env.gym_bases.arguments import fitting
from secagent_env.gym_bases.running import Episodes
from secagent_env.gym_bases.spaces import BOUND, action_array
from secagent_env.power_control.changes import IntentChange, NewTargets, checked_targets, with_targets
from secagent_env.power_control.game import MAX_POWER_W, Game, rates
from secagent_env.power_control.generator import check_max_power, draw_games
from secagent_env.power_control.match import ROUNDS
from secagent_env.power_control.metrics import Function, Metric, metric_of, rate_gap, total_power
from secagent_env.support.checks import flag, integer


@dataclass(frozen=True, eq=False, kw_only=True)
class RunningGames(Episodes):
    """Games (B) being played: the present powers, W, and rates, bit/s/Hz, (B, N), and the rounds played, (B,).

    ``new_target_rate`` (B, N), bit/s/Hz, are the targets after the change; None where there is no change.
    """

    game: Game
    power_w: np.ndarray
    rate: np.ndarray
    round: np.ndarray
    new_target_rate: np.ndarray | None = None

    @property
    def steps(self) -> np.ndarray:
        """The rounds played, (B,)."""
        return self.round


@dataclass(frozen=True, eq=False, kw_only=True)
class PowerControlRules:
    """The arguments of the environments of the game, and what follows from them; of B games at once.

    Parameters
    ----------
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
    intent_change
        How targets change during the game, an :class:`~secagent_env.power_control.changes.IntentChange` or a dict of
        its arguments: after ``round`` rounds, ``pairs`` pairs get a new target, the old one times a factor in
        ``scale``, ``feasible`` or not. None: they stay.

    Attributes
    ----------
    reward
        The metric.
    """

    num_pairs: int = 4
    rounds: int = ROUNDS
    metric: str | Metric | Function = "rate_gap"
    feasible: bool | None = None
    max_power_w: float = MAX_POWER_W
    intent_change: IntentChange | Mapping[str, Any] | None = None

    reward: Metric = field(init=False)

    def __post_init__(self) -> None:
        checked = {
            "num_pairs": integer("num_pairs", self.num_pairs, 1),
            "rounds": integer("rounds", self.rounds, 1),
            "reward": metric_of(self.metric),
            "feasible": None if self.feasible is None else flag("feasible", self.feasible),
            "max_power_w": check_max_power(self.max_power_w),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "intent_change", IntentChange.of(self.intent_change, self.num_pairs, self.rounds))

    @property
    def action_space(self) -> Box:
        """Powers from silence, −1, to P_max, 1."""
        return Box(-1.0, 1.0, (self.num_pairs,), np.float32)

    @property
    def observation_space(self) -> Box:
        """Flat arrays (N² + 3N + 1,), see :meth:`observe`."""
        n = self.num_pairs
        high = np.concatenate([np.ones(n), np.full(2 * n + n * n, BOUND), np.ones(1)]).astype(np.float32)
        return Box(np.zeros_like(high), high, dtype=np.float32)

    def draw(self, generators: Sequence[np.random.Generator]) -> Game:
        """Return random games, one from each generator."""
        return draw_games(self.num_pairs, generators, feasible=self.feasible, max_power_w=self.max_power_w)

    def fitting(self, game: Any, *batches: tuple[int, ...]) -> Game:
        """Return the option ``game`` of a reset as NumPy arrays; its batch shape must be one of ``batches``."""
        return fitting("game", game, Game, batches, num_pairs=self.num_pairs, max_power_w=self.max_power_w)

    def drawn(
        self, generators: Sequence[np.random.Generator], game: Game | None = None, new_target_rate: Any = None
    ) -> tuple[Game, np.ndarray | None]:
        """Return games (B), and their targets (B, N) after the change, None without one; what is given stays.

        Raises
        ------
        ValueError
            If new targets are given that are none, or without a change in the arguments.
        """
        change = self.intent_change
        if not isinstance(change, IntentChange):
            if new_target_rate is not None:
                raise ValueError("options['new_target_rate'] needs an environment with intent_change")
            return (self.draw(generators) if game is None else game), None
        if new_target_rate is not None:
            games = self.draw(generators) if game is None else game
            given = checked_targets("options['new_target_rate']", new_target_rate, self.num_pairs)
            return games, np.tile(given, (len(games), 1))
        if game is None:
            return change.drawn(generators, self.draw)
        return game, change.of_games(game, generators)

    def new_targets(self, new_target_rate: np.ndarray | None) -> NewTargets | None:
        """Return the targets (N,) after the change with its round; None of None."""
        if new_target_rate is None or not isinstance(self.intent_change, IntentChange):
            return None
        return NewTargets(round=self.intent_change.round, target_rate=new_target_rate)

    def begin(
        self, generators: Sequence[np.random.Generator], game: Game | None = None, new_target_rate: Any = None
    ) -> RunningGames:
        """Return new games, one from each generator, or a given batch (B); new targets (N,) may be given too."""
        game, new = self.drawn(generators, game, new_target_rate)
        power = game.initial_power_w
        played = np.zeros(len(power), np.int64)
        return RunningGames(game=game, power_w=power, rate=rates(game, power), round=played, new_target_rate=new)

    def step(self, plays: RunningGames, power_w: np.ndarray) -> tuple[RunningGames, np.ndarray, dict[str, np.ndarray]]:
        """Return the games after a round, the rewards (B,), and the info (B), by the targets that held in it."""
        game, rate = plays.game, rates(plays.game, power_w)
        info = {
            "power_w": power_w,
            "rate": rate,
            "total_power_w": total_power(game, power_w, rate),
            "rate_gap": rate_gap(game, power_w, rate),
        }
        reward = np.asarray(self.reward(game, power_w, rate), np.float64)
        played, new = plays.round + 1, plays.new_target_rate
        if new is not None and isinstance(self.intent_change, IntentChange):
            due = played == self.intent_change.round
            game = with_targets(game, np.where(due[:, None], new, game.target_rate))
        return RunningGames(game=game, power_w=power_w, rate=rate, round=played, new_target_rate=new), reward, info

    def over(self, plays: RunningGames) -> np.ndarray:
        """Return which games have ended, (B,) bool."""
        return plays.round >= self.rounds

    def observe(self, plays: RunningGames) -> np.ndarray:
        """Return the observations: new float32 arrays (B, N² + 3N + 1)."""
        game, size = plays.game, len(plays.round)
        parts = (
            plays.power_w / self.max_power_w,
            plays.rate,
            game.target_rate,
            np.log2(1 + game.gain).reshape(size, -1),
            (plays.round / self.rounds)[:, None],
        )
        return np.minimum(np.concatenate(parts, axis=-1), BOUND).astype(np.float32)

    def decode(self, action: Any) -> np.ndarray:
        """Return the powers (…, N), W, that an action (…, N) of finite numbers stands for: −1 is silence, 1 P_max."""
        array = action_array("action", action, self.num_pairs)
        if np.isinf(array).any():
            raise ValueError(f"action must be finite, got {int(np.isinf(array).sum())} infinite numbers")
        return (np.clip(array, -1.0, 1.0) + 1) / 2 * self.max_power_w

    def encode(self, power_w: Any) -> np.ndarray:
        """Return the action (…, N), float32, that comes nearest to powers (…, N), W."""
        return np.clip(2 * np.asarray(power_w, np.float64) / self.max_power_w - 1, -1.0, 1.0).astype(np.float32)
