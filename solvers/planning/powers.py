"""Powers as thoughts: proposers without a language model, and rewards of simulated rounds.

A thought is a power in W that the agent would take in the next round and keep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secagent_env.power_control import Game, rates
from secagent_env.power_control.metrics import POWER_WEIGHT, metric_of
from solvers.planning.network import Estimate

METRIC = metric_of("rate_gap_and_power")
"""The intent of the network, which rewards measure: − mean rate gap − 0.1 × the share of all power."""
AHEAD = 3
"""Rounds of a simulated roll-out."""
LEAST_SHARE = 1e-4
"""Of P_max: the least power of a thought."""
SPREAD = math.log(2.0)
"""A random thought changes the power by a factor between 1/2 and 2."""
_LN2 = math.log(2.0)


@dataclass(frozen=True, eq=False)
class View:
    """What an agent knows when it plans its power.

    Attributes
    ----------
    agent
        The index of its pair.
    power_w, rate
        (T,): its own powers, W, and rates, bit/s/Hz, of all rounds so far, the present one last.
    target_rate
        (N,): the targets of all pairs, bit/s/Hz.
    round, rounds
        The number of rounds that have been played, and of all rounds.
    max_power_w
        P_max, W.
    network
        Its estimate of the network; None where the others report nothing.
    lessons
        What it remembers of earlier games, in words.
    """

    agent: int
    power_w: np.ndarray
    rate: np.ndarray
    target_rate: np.ndarray
    round: int
    rounds: int
    max_power_w: float
    network: Estimate | None = None
    lessons: tuple[str, ...] = ()

    @property
    def target(self) -> float:
        """The agent's own target, bit/s/Hz."""
        return float(self.target_rate[self.agent])

    @property
    def wanted_w(self) -> float:
        """The power that would reach the agent's own target at the present interference, W; it may be beyond P_max."""
        present, wanted = np.expm1(np.array([self.rate[-1], self.target]) * _LN2)
        return float(self.power_w[-1] * wanted / present) if present > 0 else self.max_power_w

    def within(self, power_w: float) -> float:
        """Return a power within what a thought can be, W."""
        return min(max(power_w, LEAST_SHARE * self.max_power_w), self.max_power_w)


class RandomPowers:
    """A control: it changes the last power by a random factor, and merges at a random place between two."""

    name = "random"

    def propose(self, state: View, last: float | None, rng: np.random.Generator) -> float:
        """Return the last power, or the present one, times a factor between 1/2 and 2."""
        return state.within(_from(state, last) * math.exp(rng.uniform(-SPREAD, SPREAD)))

    def merge(self, state: View, first: float, second: float, rng: np.random.Generator) -> float:
        """Return a power between two."""
        return first + (second - first) * rng.random()

    def score(self, state: View, content: float, rng: np.random.Generator) -> float:
        """Return a random number: it has no opinion."""
        return rng.random()


class RulePowers:
    """Rules: go a part of the way to the power that reaches the own target, or hold back by a part."""

    name = "rules"

    def propose(self, state: View, last: float | None, rng: np.random.Generator) -> float:
        """Return the last power moved by up to all of the way to the own target's, or lowered by up to a half."""
        power, part = _from(state, last), rng.random()
        if rng.random() < 0.5:
            return state.within(power * (1 - part / 2))
        return state.within(power * (state.wanted_w / power) ** part)

    def merge(self, state: View, first: float, second: float, rng: np.random.Generator) -> float:
        """Return the geometric mean of two powers."""
        return math.sqrt(first * second)

    def score(self, state: View, content: float, rng: np.random.Generator) -> float:
        """Return how near a power is to that of the own target: the agent's own opinion, which is selfish."""
        return -abs(math.log(content / state.within(state.wanted_w)))


def own_reward(state: View, contents: Sequence[float]) -> np.ndarray:
    """Return the agent's own part of the intent, − |target − rate| − 0.1 p / P_max, from its own observations alone."""
    share = np.asarray(contents, float) / state.max_power_w
    return -np.abs(state.target - expected_rate(state, contents)) - POWER_WEIGHT * share


def expected_rate(state: View, contents: Sequence[float]) -> np.ndarray:
    """Return the own rate, bit/s/Hz, that an agent expects of powers, W; NaN where it never had a power and a rate.

    Its interference grew with its own power by an exponent that its past rounds tell, as the others answered it.
    """
    present = np.expm1(state.rate * _LN2)
    fine = (present > 0) & (state.power_w > 0)
    needed = state.power_w[fine] / present[fine]  # p / SINR, in proportion to noise and interference
    if not len(needed):
        return np.full(len(contents), np.nan)
    moved, answered = np.diff(np.log(state.power_w[fine])), np.diff(np.log(needed))
    exponent = float(np.clip(moved @ answered / (moved @ moved + 1.0), 0.0, 1.0))
    power = np.asarray(contents, float)
    then = needed[-1] * (power / state.power_w[fine][-1]) ** exponent
    return np.asarray(np.log1p(power / then) / _LN2)


def rollout_reward(state: View, contents: Sequence[float]) -> np.ndarray:
    """Return the mean of the network's intent over simulated rounds, by the agent's estimate of the network.

    Where the others report nothing it is :func:`own_reward`.
    """
    if state.network is None:
        return own_reward(state, contents)
    return simulated(state.network, state.agent, contents)


def simulated(network: Estimate, agent: int, contents: Sequence[float]) -> np.ndarray:
    """Return the mean of the network's intent over rounds that a model simulates, for each of an agent's powers."""
    power = network.after(agent, np.asarray(contents, float), AHEAD)
    reward = intent(network.game, power)
    return np.asarray(reward.mean(axis=0))


def intent(game: Game, power_w: np.ndarray) -> np.ndarray:
    """Return the network's intent (…) at powers (…, N), W, in one game."""
    return np.asarray(METRIC.function(game, power_w, rates(game, power_w)))


def _from(state: View, last: float | None) -> float:
    return state.within(float(state.power_w[-1]) if last is None else last)
