"""Agents whose targets change during a game, and what they tell each other then: information, decisions or intents.

All follow one rule, distributed power control times a prediction, p_i ← p_i γ_i / SINR_i · (the interference of the
next round / that of this one). What an agent is told makes its prediction, or lets it plan. Until the change every
agent that talks tells its power and rate, from which each estimates the network (:mod:`solvers.planning.network`): the
knowledge that they have in common. From the change on they tell, by level:

- ``information``: power and rate, as measured, which arrive a round late. What another aims at is read from its last
  step, γ = SINR · p' / p, and its next steps are predicted.
- ``decision``: the power that is taken. The next one is predicted to move as the last did.
- ``intent``: whose target changed tells the new one once, in two digits. Whoever learns of it plans the powers of all
  by its estimate, and takes its own part: all in the same round, the one after it was told.
- ``none``: nothing, not even before. The interference is predicted to stay, which is DPC.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from secagent_env.power_control import Game, sinr
from secagent_env.power_control.match import agent_names
from secagent_env.support.checks import flag, integer, number
from secagent_env.support.errors import check_name
from solvers.planning.network import estimate
from solvers.power_control.optimum import optimum
from solvers.power_control.players import agent_index

LEVELS = ("none", "information", "decision", "intent")
LEAST_RATE, MOST_RATE = 2.0**-10, 2.0**5
"""Of a told target, bit/s/Hz: 256 steps between them on a logarithmic scale, 4 % apart."""
MOST_STEP = 2.0
"""The largest factor by which another's power is predicted to move in a round."""
GOES_ON = 0.3
"""The exponent of a told step in the next one; with 1 all overshoot together, and powers swing more and more."""
_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?(?:e[-+]\d{1,3})?)"
_INFORMATION = re.compile(rf"power {_NUMBER} rate {_NUMBER}")
_DECISION = re.compile(rf"next {_NUMBER}")
_INTENT = re.compile(r"[0-9a-f]{2}")
_LN2 = math.log(2.0)


def intent_text(target_rate: float) -> str:
    """Return a target, bit/s/Hz, as two hexadecimal digits, the nearest of 256 steps."""
    step = math.log(target_rate / LEAST_RATE) / math.log(MOST_RATE / LEAST_RATE)
    return f"{round(255 * min(max(step, 0.0), 1.0)):02x}"


def intent_in(text: str) -> float | None:
    """Return the target that a text tells, bit/s/Hz; None of a text that is no intent."""
    if not _INTENT.fullmatch(text):
        return None
    return LEAST_RATE * (MOST_RATE / LEAST_RATE) ** (int(text, 16) / 255)


@dataclass(eq=False, kw_only=True)
class IntentPlayer:
    """Plays for all pairs, each by what this pair sees and was told; the environment's ``targets_seen`` is ``"own"``.

    Parameters
    ----------
    level
        One of :data:`LEVELS`.
    change_round
        After how many rounds reports end and the level begins.
    lie
        The factor by which told targets are false; 1: agents are honest.
    tells
        Whether intents are told. False: whose target changed plans by it, and the others do not know.
    max_power_w
        P_max, W.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    level: str
    change_round: int
    lie: float = 1.0
    tells: bool = True
    max_power_w: float = 10.0

    def __post_init__(self) -> None:
        check_name("level", self.level, LEVELS)
        integer("change_round", self.change_round, 1)
        number("lie", self.lie, above=0)
        flag("tells", self.tells)
        number("max_power_w", self.max_power_w, above=0)
        self._minds: dict[str, _Mind] = {}

    def reset(self, seed: int) -> None:
        """Forget everything; nothing is random."""
        self._minds = {}

    def act(self, agent: str, observation: Mapping[str, Any]) -> Any:
        """Return the power of an agent, W, and what it tells the others."""
        names = agent_names(len(observation["targets"]))
        mind = self._minds.setdefault(agent, _Mind(self, agent_index(agent), names))
        power, text = mind.act(observation)
        if not text:
            return power
        return {"power": power, "messages": {name: text for name in names if name != agent}}


class _Mind:
    """What one agent knows, and does."""

    def __init__(self, player: IntentPlayer, index: int, names: Sequence[str]) -> None:
        self._player, self._index, self._names = player, index, names
        self._power: list[np.ndarray] = []
        self._rate: list[np.ndarray] = []
        self._targets: np.ndarray | None = None
        self._target = math.nan
        self._told = False

    def act(self, seen: Mapping[str, Any]) -> tuple[float, str]:
        """Return the power, W, and the text for all others, empty for none."""
        level, limit = self._player.level, self._player.max_power_w
        power, rate, target = self._see(seen)
        heard = self._read(seen.get("messages", {}))
        changed, self._target = target != self._target, target
        present = math.expm1(rate * _LN2)
        step = power * math.expm1(target * _LN2) / present if present > 0 else power
        if level == "none":
            return step, ""
        if int(seen["round"]) < self._player.change_round:
            return step, f"power {power:.4g} rate {rate:.4g}"
        if level == "intent":
            return self._by_intents(step, changed, heard)
        chosen = min(step * self._growth(), limit)
        return chosen, f"power {power:.4g} rate {rate:.4g}" if level == "information" else f"next {chosen:.4g}"

    def _see(self, seen: Mapping[str, Any]) -> tuple[float, float, float]:
        """Enter a round, and return the own power, W, rate and target, bit/s/Hz."""
        i, targets = self._index, np.array(seen["targets"], float)
        power, rate = float(seen["power"][0]), float(seen["rate"][0])
        if self._targets is None:
            self._targets, self._target = targets, float(targets[i])
        self._targets[i] = targets[i]
        for rows, value in ((self._power, power), (self._rate, rate)):
            rows.append(np.where(np.arange(len(targets)) == i, value, np.nan))
        return power, rate, float(targets[i])

    def _read(self, mail: Mapping[str, str]) -> bool:
        """Enter what the others told, and return whether it was an intent; other texts are passed over."""
        assert self._targets is not None
        heard = False
        for sender, text in mail.items():
            j = self._names.index(sender)
            if (told := _INFORMATION.fullmatch(text)) and len(self._power) > 1:
                self._power[-2][j], self._rate[-2][j] = float(told[1]), float(told[2])
            elif told := _DECISION.fullmatch(text):
                self._power[-1][j] = float(told[1])
            elif (target := intent_in(text)) is not None:
                self._targets[j] = target
                heard = True
        return heard

    def _by_intents(self, step: float, changed: bool, heard: bool) -> tuple[float, str]:
        """Plan on news. Whose own target changed tells it and plans a round later, when the others hear of it."""
        told, self._told = self._told, changed
        chosen = float(optimum(self._network()).power_w[self._index]) if heard or told else step
        return chosen, intent_text(self._target * self._player.lie) if changed and self._player.tells else ""

    def _network(self) -> Game:
        """Return the estimate of the network, with the targets that the agent knows."""
        assert self._targets is not None
        return estimate(np.stack(self._power), np.stack(self._rate), self._targets, self._player.max_power_w).game

    def _growth(self) -> float:
        """Return noise and interference at the own receiver in the next round, as predicted, over those of this one."""
        game = self._network()
        powers = self._decided() if self._player.level == "decision" else self._informed(game)
        if powers is None:
            return 1.0
        gains = game.cross_gain[:, self._index]
        now, then = (game.noise_w + gains @ np.clip(p, 0.0, self._player.max_power_w) for p in powers)
        return float(then / now)

    def _decided(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the powers of this round, as told, and of the next, which move as they did; None if not known."""
        before, now = self._power[-2], self._power[-1]
        if not (np.isfinite(before) & np.isfinite(now) & (before > 0)).all():
            return None
        return now, now * np.clip(now / before, 1 / MOST_STEP, MOST_STEP) ** GOES_ON

    def _informed(self, game: Game) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the powers of this round and of the next, from those told of the two before; None if not known."""
        if len(self._power) < 3:
            return None
        (first, second), (rate, later) = self._power[-3:-1], self._rate[-3:-1]
        known = np.isfinite(first) & np.isfinite(second) & np.isfinite(rate) & np.isfinite(later)
        if not (known & (first > 0) & (rate > 0) & (later > 0)).all():
            return None
        aims = np.expm1(rate * _LN2) * second / first
        now = second * np.clip(aims / np.expm1(later * _LN2), 1 / MOST_STEP, MOST_STEP)
        now[self._index] = self._power[-1][self._index]
        now = np.clip(now, 0.0, self._player.max_power_w)
        lacks = aims / np.maximum(sinr(game, now), 1e-12)
        return now, now * np.clip(lacks, 1 / MOST_STEP, MOST_STEP)
