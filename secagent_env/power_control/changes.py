"""Intents that change: in the middle of a game some pairs get new target rates, drawn from the seed or given.

Dimension letters: B games, N pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from secagent_env.power_control.feasibility import is_feasible
from secagent_env.power_control.game import Game
from secagent_env.power_control.generator import MOST_TRIES, TARGET_SCALE
from secagent_env.support.checks import flag, integer, interval
from secagent_env.support.errors import check_name

TARGETS_SEEN = ("all", "own")
"""Whose present targets an agent's observation holds."""

Draw = Callable[[Sequence[np.random.Generator]], Game]
"""Draws a batch of games, one from each generator."""


@dataclass(frozen=True, kw_only=True)
class NewTargets:
    """The targets that hold after some rounds.

    Parameters
    ----------
    round
        How many rounds are played with the old ones.
    target_rate
        (N,): the new targets of all pairs, bit/s/Hz, > 0; those that do not change are as before.

    Raises
    ------
    ValueError
        If ``round`` is not a whole number ≥ 1, or the targets are not finite numbers > 0.
    """

    round: int
    target_rate: np.ndarray

    def __post_init__(self) -> None:
        integer("round", self.round, 1)
        object.__setattr__(self, "target_rate", checked_targets("target_rate", self.target_rate))


@dataclass(frozen=True, kw_only=True)
class IntentChange:
    """How targets change during a game: the new target of a pair is a factor times its old one.

    Parameters
    ----------
    round
        How many rounds are played before.
    pairs
        How many pairs, drawn at random, get a new target.
    scale
        The range of the factor, uniform; above (1, 1) demands rise, below it they fall.
    feasible
        True: all new targets can be reached within P_max; False: they cannot; None: either.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    round: int
    pairs: int = 1
    scale: tuple[float, float] = TARGET_SCALE
    feasible: bool | None = None

    def __post_init__(self) -> None:
        integer("intent_change round", self.round, 1)
        integer("intent_change pairs", self.pairs, 1)
        object.__setattr__(self, "scale", interval("intent_change scale", self.scale, above=0))
        if self.feasible is not None:
            flag("intent_change feasible", self.feasible)

    @classmethod
    def of(cls, given: Any, num_pairs: int, rounds: int) -> IntentChange | None:
        """Return one of a mapping of its arguments, or as it is, or None; ValueError where it does not fit the game."""
        if given is None:
            return None
        change = given
        if isinstance(given, Mapping):
            for name in given:
                check_name("intent_change argument", name, [field.name for field in fields(cls)])
            if "round" not in given:
                raise ValueError("intent_change must say after which round targets change, such as {'round': 5}")
            change = cls(**given)
        if not isinstance(change, IntentChange):
            raise ValueError(f"intent_change must be an IntentChange or a dict of its arguments, got {given!r:.200}")
        if change.round >= rounds:
            raise ValueError(
                f"intent_change round must be less than the {rounds} rounds of the game, got {change.round}"
            )
        integer("intent_change pairs", change.pairs, 1, num_pairs)
        return change

    def drawn(self, generators: Sequence[np.random.Generator], draw: Draw) -> tuple[Game, np.ndarray]:
        """Return games (B), each drawn anew until its new targets fit, and these, (B, N), bit/s/Hz.

        Game i and its new targets depend on generator i alone.
        """
        games = draw(generators)
        return self._until_fitting(games, generators, draw)

    def of_games(self, games: Game, generators: Sequence[np.random.Generator]) -> np.ndarray:
        """Return new targets (B, N), bit/s/Hz, of given games (B), drawn until they fit.

        Raises
        ------
        ValueError
            If none fit in 10 000 tries.
        """
        return self._until_fitting(games, generators, None)[1]

    def _until_fitting(
        self, games: Game, generators: Sequence[np.random.Generator], draw: Draw | None
    ) -> tuple[Game, np.ndarray]:
        rows, fresh = np.arange(len(generators)), games
        new = np.empty_like(games.target_rate)
        for _ in range(MOST_TRIES):
            new[rows] = self._once(fresh, [generators[int(i)] for i in rows])
            if self.feasible is not None:
                rows = rows[is_feasible(with_targets(fresh, new[rows])) != self.feasible]
                if rows.size:
                    fresh = games[rows] if draw is None else draw([generators[int(i)] for i in rows])
                    if draw is not None:
                        games = _replaced(games, rows, fresh)
                    continue
            return games, new
        asked = "can all be reached" if self.feasible else "cannot all be reached"
        raise ValueError(f"no new targets that {asked} in {MOST_TRIES} tries; try another intent_change scale or game")

    def _once(self, games: Game, generators: Sequence[np.random.Generator]) -> np.ndarray:
        new = games.target_rate.copy()
        for row, generator in zip(new, generators, strict=True):
            chosen = generator.permutation(len(row))[: self.pairs]
            row[chosen] *= generator.uniform(*self.scale, size=self.pairs)
        return new


def checked_targets(name: str, given: Any, num_pairs: int | None = None) -> np.ndarray:
    """Return target rates as an array (N,) of its own; ValueError where they are none."""
    try:
        array = np.array(given, np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be target rates in bit/s/Hz, a number for each pair, got {given!r:.200}"
        ) from None
    wanted = "N" if num_pairs is None else str(num_pairs)
    if array.ndim != 1 or not array.size or num_pairs not in (None, array.size):
        raise ValueError(f"{name} must have shape ({wanted},), a target rate for each pair, got {array.shape}")
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise ValueError(f"{name} must be finite target rates > 0, got {array.tolist()}")
    return array


def with_targets(game: Game, target_rate: np.ndarray) -> Game:
    """Return a game, or a batch, with other targets (…, N), bit/s/Hz, that are known to be valid."""
    return Game._trusted(**{**game._fields(), "target_rate": target_rate})


def _replaced(games: Game, rows: np.ndarray, fresh: Game) -> Game:
    arrays = {name: getattr(games, name).copy() for name in Game._arrays}
    for name, array in arrays.items():
        array[rows] = getattr(fresh, name)
    return Game._trusted(**{**games._fields(), **arrays})
