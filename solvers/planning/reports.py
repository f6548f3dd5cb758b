"""Reports: what agents tell each other of their powers and rates, in words, so that each can estimate the network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?(?:e[-+]\d{1,3})?)"
_REPORT = re.compile(rf"My power was {_NUMBER} W and my rate {_NUMBER} bit/s/Hz; now I take {_NUMBER} W\.")


def report(power_w: float, rate: float, next_w: float) -> str:
    """Return what an agent writes to all others: this round's power, W, and rate, bit/s/Hz, and the next power."""
    return f"My power was {power_w:.4g} W and my rate {rate:.4g} bit/s/Hz; now I take {next_w:.4g} W."


def numbers_in(text: str) -> tuple[float, float, float] | None:
    """Return power, rate and next power of a report; None of a text that is none."""
    match = _REPORT.fullmatch(text)
    values = tuple(map(float, match.groups())) if match else ()
    return (values[0], values[1], values[2]) if values and all(map(math.isfinite, values)) else None


class Ledger:
    """What one agent knows of the powers and rates of all, round by round.

    Attributes
    ----------
    unread
        The number of messages to it that were no reports.
    """

    def __init__(self, agent: int, agents: Sequence[str]) -> None:
        self.unread = 0
        self._agent, self._agents = agent, tuple(agents)
        self._power: list[np.ndarray] = []
        self._rate: list[np.ndarray] = []

    def note(self, power_w: float, rate: float, messages: Mapping[str, str]) -> None:
        """Enter a round: the agent's own power, W, and rate, bit/s/Hz, and what the others wrote in the one before."""
        power, before, now = (np.full(len(self._agents), np.nan) for _ in range(3))
        for sender, text in messages.items():
            if not text:
                continue
            values = numbers_in(text)
            if values is None or sender not in self._agents:
                self.unread += 1
                continue
            place = self._agents.index(sender)
            power[place], before[place], now[place] = values
        if self._power:
            others = np.arange(len(self._agents)) != self._agent
            self._power[-1] = np.where(others & np.isfinite(power), power, self._power[-1])
            self._rate[-1] = np.where(others & np.isfinite(before), before, self._rate[-1])
        now[self._agent] = power_w
        self._power.append(now)
        self._rate.append(np.where(np.arange(len(now)) == self._agent, rate, np.nan))

    @property
    def power_w(self) -> np.ndarray:
        """(T, N), W; NaN where nothing was reported."""
        return np.stack(self._power)

    @property
    def rate(self) -> np.ndarray:
        """(T, N), bit/s/Hz; NaN where nothing was reported."""
        return np.stack(self._rate)

    @property
    def informed(self) -> bool:
        """Whether a report has arrived."""
        return bool(np.isfinite(np.delete(self.rate, self._agent, axis=1)).any())
