"""The credit of a lesson: how the games went in which it was used, and the test that tells that it misleads.

After each use with the advantage a (the game's reward over the agent's usual, in standard deviations) a bet against the
lesson is settled: W ← W (1 − λ clip(a / c, −1, 1)), from W = 1. If the lesson does no harm, that is if the mean of the
clipped advantage is at least 0, W is a supermartingale, and by Ville's inequality it ever reaches 1/α with a
probability of at most α, however often one looks. Then the lesson is forgotten (testing by betting, Waudby-Smith and
Ramdas, 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STAKE = 0.8
"""λ."""
CLIP = 2.0
"""c, in standard deviations."""
LEVEL = 0.05
"""α: the probability that a lesson that does no harm is ever forgotten."""


@dataclass(frozen=True)
class Credit:
    """How often a lesson was used, the sum of its advantages, in standard deviations, and the wealth W of the bet."""

    uses: int = 0
    total: float = 0.0
    wealth: float = 1.0

    def after(self, advantage: float) -> Credit:
        """Return the credit after a use; an advantage that is not finite counts as the worst."""
        worst = not np.isfinite(advantage)
        share = -1.0 if worst else float(np.clip(advantage / CLIP, -1.0, 1.0))
        total = self.total + (-CLIP if worst else float(advantage))
        return Credit(self.uses + 1, total, self.wealth * (1 - STAKE * share))

    def misleads(self, level: float = LEVEL) -> bool:
        """Return whether the lesson is to be forgotten."""
        return self.wealth >= 1 / level


@dataclass
class Usual:
    """What an agent usually earns: the running mean and standard deviation of values (Welford)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def advantage(self, value: float) -> float:
        """Return by how many standard deviations a value exceeds the mean of those before; 0 until three are known."""
        deviation = (self.squares / (self.count - 1)) ** 0.5 if self.count > 2 else 0.0
        return (value - self.mean) / deviation if deviation > 0 else 0.0

    def add(self, value: float) -> None:
        """Take a value in; one that is not finite is left out."""
        if not np.isfinite(value):
            return
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self.squares += step * (value - self.mean)
