"""Quarantine of passages that harm: a sequential test of each passage's reward, with a stated rate of false alarms.

A question is answered with all the passages that were found, and once more without one of them, drawn at random. Once
the right answer is known, the passage's reward is how much better the first answer was: 1, 0 or −1. A passage that does
not harm has a reward of at least zero in the mean. Its *wealth* is the product of 1 − ``BET`` · reward, which then
grows no further in the mean, so that it ever reaches 1 / α with a probability of at most α, whatever the number of
questions (Ville's inequality; Waudby-Smith and Ramdas, 2024). A passage whose wealth reaches it is put in quarantine.
"""

from __future__ import annotations

import math
from collections import defaultdict

from secagent_env.support.checks import number

BET = 0.5
"""The share of the wealth that is bet on harm at each answer."""


class Quarantine:
    """Keeps the rewards of passages, and which of them are in quarantine.

    Parameters
    ----------
    false_alarms
        α, the most probability with which a passage that does not harm is ever put in quarantine; above 0, below 1.

    Attributes
    ----------
    keys
        The keys of the passages in quarantine, with the number of answers that each took.

    Raises
    ------
    ValueError
        If the rate is out of range.
    """

    def __init__(self, false_alarms: float = 0.05) -> None:
        self.false_alarms = number("false_alarms", false_alarms, above=0, below=1)
        self.keys: dict[str, int] = {}
        self._log_wealth: defaultdict[str, float] = defaultdict(float)
        self._answers: defaultdict[str, int] = defaultdict(int)

    def note(self, key: str, with_it: bool, without_it: bool) -> bool:
        """Note whether an answer was right with a passage and without it; return whether it is in quarantine now."""
        reward = int(with_it) - int(without_it)
        self._answers[key] += 1
        self._log_wealth[key] += math.log(1 - BET * reward)
        if key not in self.keys and self._log_wealth[key] >= -math.log(self.false_alarms):
            self.keys[key] = self._answers[key]
        return key in self.keys

    def wealth(self, key: str) -> float:
        """Return the wealth of the bet that a passage harms; 1 at the beginning."""
        return math.exp(self._log_wealth.get(key, 0.0))
