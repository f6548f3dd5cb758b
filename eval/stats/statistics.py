"""Means and shares with their confidence intervals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 9999


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval, of ``size`` values.

    The bounds are NaN for fewer than two values, of which no spread can be estimated; so is the mean of none.
    """

    mean: float
    low: float
    high: float
    size: int


def spread(name: str, interval: Interval | None) -> dict[str, float]:
    """Return an interval as columns ``name``, ``name_low`` and ``name_high``; NaN of none."""
    mean, low, high = (math.nan,) * 3 if interval is None else (interval.mean, interval.low, interval.high)
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def interval_in(row: Mapping[str, Any], name: str) -> Interval:
    """Return the interval that :func:`spread` made columns of a row of; its size is not in them, and 0."""
    mean, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return Interval(mean, low, high, 0)


def bootstrap_mean(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE, seed: int = 0) -> Interval:
    """Return the mean with its bias-corrected and accelerated (BCa) bootstrap interval, from a seed.

    Where BCa is not defined (nearly all values equal) the percentile interval stands in; values that are all
    equal have an interval of no width.

    Raises
    ------
    ValueError
        If a value is not finite, or ``confidence`` is not between 0 and 1.
    """
    data = np.asarray(values, float).ravel()
    if not np.isfinite(data).all():
        raise ValueError("a mean needs finite values, got NaN or infinite ones")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}")
    if data.size < 2:
        return Interval(float(data[0]) if data.size else math.nan, math.nan, math.nan, data.size)
    mean = float(data.mean())
    if np.ptp(data) == 0:
        return Interval(mean, mean, mean, data.size)
    return Interval(mean, *bootstrap_bounds((data,), np.mean, confidence, seed), data.size)


def bootstrap_bounds(
    samples: Sequence[np.ndarray], statistic: Callable[..., Any], confidence: float = CONFIDENCE, seed: int = 0
) -> tuple[float, float]:
    """Return the BCa bootstrap interval of a statistic of samples (n,) whose entries belong together, from a seed.

    Where BCa is not defined the percentile interval stands in. ``statistic`` takes an axis.
    """
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # degenerate data is seen by its NaN
            bounds = stats.bootstrap(
                samples,
                statistic,
                paired=len(samples) > 1,
                vectorized=True,
                axis=-1,
                confidence_level=confidence,
                n_resamples=RESAMPLES,
                method=method,
                random_state=np.random.default_rng(seed),  # scipy calls it rng since 1.15 and knows both names
            ).confidence_interval
        if np.isfinite(bounds).all():
            break
    return float(bounds.low), float(bounds.high)


def crossed_mean(values: np.ndarray, confidence: float = CONFIDENCE, seed: int = 0) -> Interval:
    """Return the mean of values (K, Q) with the percentile interval of a bootstrap over both rows and columns.

    Such are the results of K networks that are all asked the same Q questions: rows and columns are drawn anew, each
    with replacement (the pigeonhole bootstrap of Owen, 2007). The size is that of the shorter side.

    Raises ValueError if a value is not finite, or the values are no matrix.
    """
    data = np.asarray(values, float)
    if data.ndim != 2 or not data.size or not np.isfinite(data).all():
        raise ValueError(f"a crossed mean needs a matrix of finite values, got one of shape {data.shape}")
    mean, size = float(data.mean()), min(data.shape)
    if np.ptp(data) == 0:
        return Interval(mean, mean, mean, size)
    rng = np.random.default_rng(seed)
    rows, columns = (rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n for n in data.shape)
    means = np.einsum("bq,bq->b", rows @ data, columns)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean, float(low), float(high), size)


def excess(logarithm: Interval) -> Interval:
    """Return by which fraction a geometric mean exceeds 1, from the mean of the logarithms of the ratios."""
    mean, low, high = (math.expm1(bound) for bound in (logarithm.mean, logarithm.low, logarithm.high))
    return Interval(mean, low, high, logarithm.size)


def share(successes: int, size: int, confidence: float = CONFIDENCE) -> Interval:
    """Return a share with Wilson's interval, which has a width for none and for all of them too; NaN of nothing."""
    if not size:
        return Interval(math.nan, math.nan, math.nan, 0)
    bounds = stats.binomtest(successes, size).proportion_ci(confidence, method="wilson")
    return Interval(successes / size, float(bounds.low), float(bounds.high), size)
