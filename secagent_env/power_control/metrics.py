"""Metrics of a network of pairs: one number per round, higher is better.

Any function ``(game, power_w, rate) -> (…)`` is a metric; these have names:

==================  =================================================================================
rate_gap            − mean |target − rate|, bit/s/Hz
shortfall           − mean max(target − rate, 0), bit/s/Hz
power               − total power, W: the energy, W × rounds
rate_gap_and_power  − mean |target − rate| − 0.1 × total power / (N P_max)
sum_rate            total rate, bit/s/Hz
fairness            the least rate / target among the pairs
energy_efficiency   total rate / total power, bit/J/Hz; 0 of silence
==================  =================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from secagent_env.model.batched import Array, namespace
from secagent_env.power_control.game import Game
from secagent_env.support.errors import check_name

Function = Callable[[Game, Array, Array], Array]

POWER_WEIGHT = 0.1
"""The cost of full power at all transmitters in ``rate_gap_and_power``, bit/s/Hz."""


@dataclass(frozen=True)
class Metric:
    """A metric of a network.

    Parameters
    ----------
    name
        Of the metric.
    description
        How to raise it, in words for an agent.
    function
        ``(game, power_w (…, N), rate (…, N)) -> (…)``, higher is better.
    """

    name: str
    description: str
    function: Function

    def __call__(self, game: Game, power_w: Array, rate: Array) -> Array:
        """Return the value (…) at powers (…, N), W, and the rates (…, N), bit/s/Hz, they give.

        Raises
        ------
        ValueError
            If the function's result does not have the batch shape, or is not finite.
        """
        value = self.function(game, power_w, rate)
        shape, wanted = getattr(value, "shape", ()), tuple(rate.shape[:-1])
        if tuple(shape) != wanted:
            raise ValueError(f"the metric {self.name} must return an array of shape {wanted}, got {tuple(shape)}")
        xp = namespace(rate)
        if not xp.all(xp.isfinite(value)):
            raise ValueError(f"the metric {self.name} must be finite")
        return value


def names() -> list[str]:
    """Return the names of the metrics."""
    return sorted(_METRICS)


def metric_of(metric: str | Metric | Function) -> Metric:
    """Return the metric of this name, or the one that is, or is made of, a function; ValueError for another name."""
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        name = getattr(metric, "__name__", "custom")
        return Metric(name, (metric.__doc__ or name).strip().partition("\n")[0], metric)
    return _METRICS[check_name("metric", metric, _METRICS)]


def rate_gap(game: Game, power_w: Array, rate: Array) -> Array:
    """Return the mean over the pairs of |target − rate|, (…), bit/s/Hz."""
    xp = namespace(rate)
    return xp.mean(xp.abs(game.target_rate - rate), axis=-1)


def shortfall(game: Game, power_w: Array, rate: Array) -> Array:
    """Return the mean over the pairs of max(target − rate, 0), (…), bit/s/Hz."""
    xp = namespace(rate)
    missing = game.target_rate - rate
    return xp.mean(xp.where(missing > 0, missing, xp.zeros_like(missing)), axis=-1)


def total_power(game: Game, power_w: Array, rate: Array) -> Array:
    """Return the sum of the powers, (…), W."""
    return namespace(power_w).sum(power_w, axis=-1)


def fairness(game: Game, power_w: Array, rate: Array) -> Array:
    """Return the least share of its target that a pair reaches, (…)."""
    return namespace(rate).min(rate / game.target_rate, axis=-1)


def energy_efficiency(game: Game, power_w: Array, rate: Array) -> Array:
    """Return total rate / total power, (…), bit/J/Hz."""
    xp = namespace(rate)
    total = total_power(game, power_w, rate)
    return sum_rate(game, power_w, rate) / xp.where(total > 0, total, xp.ones_like(total))


def sum_rate(game: Game, power_w: Array, rate: Array) -> Array:
    """Return the sum of the rates, (…), bit/s/Hz."""
    return namespace(rate).sum(rate, axis=-1)


def _minus(function: Function, *arguments: Any) -> Array:
    return -function(*arguments)


def _both(game: Game, power_w: Array, rate: Array) -> Array:
    used = total_power(game, power_w, rate) / (game.num_pairs * game.max_power_w)
    return -rate_gap(game, power_w, rate) - POWER_WEIGHT * used


_METRICS = {
    metric.name: metric
    for metric in (
        Metric("rate_gap", "bring every rate as close to its target as possible", partial(_minus, rate_gap)),
        Metric("shortfall", "let no rate fall short of its target", partial(_minus, shortfall)),
        Metric("power", "spend as little total power as possible", partial(_minus, total_power)),
        Metric("rate_gap_and_power", "reach the target rates with as little total power as possible", _both),
        Metric("sum_rate", "make the sum of all rates as high as possible", sum_rate),
        Metric("fairness", "make the least share of its target that any pair reaches as high as possible", fairness),
        Metric("energy_efficiency", "send as many bits per joule as possible", energy_efficiency),
    )
}
