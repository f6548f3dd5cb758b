"""Statistics of schemes on the same instances: paired ratios, effect sizes, and means and profiles over seeds.

Values are lost joules or the like: smaller is better. Intervals are bootstrap intervals (BCa where it is defined).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from eval.stats.statistics import CONFIDENCE, Interval, bootstrap_bounds, bootstrap_mean

RESAMPLES = 2000
"""Of seeds and instances together."""
TRIM = 0.25
"""Share cut off at each end by the interquartile mean."""
TIE = 1e-9
"""Relative difference up to which two values count as equal."""


def paired_ratio(values: np.ndarray, reference: np.ndarray) -> Interval:
    """Return mean(values) / mean(reference) with its interval; instances are resampled, the same for both.

    Parameters
    ----------
    values, reference
        (K,), on the same instances; finite, the reference > 0.

    Raises
    ------
    ValueError
        If a value is not finite, the sizes differ, or the reference's mean is not positive.
    """
    first, second = _pair(values, reference)
    if first.size and not second.mean() > 0:
        raise ValueError("a ratio needs a reference with a mean > 0")
    if tied(first, second).all():
        ones = (1.0, 1.0) if first.size > 1 else (np.nan, np.nan)
        return Interval(1.0 if first.size else np.nan, *ones, first.size)
    ratio = float(first.mean() / second.mean())
    if first.size < 2:
        return Interval(ratio, np.nan, np.nan, first.size)
    return Interval(ratio, *bootstrap_bounds((first, second), _ratio), first.size)


def paired_difference(values: np.ndarray, reference: np.ndarray) -> Interval:
    """Return mean(values − reference) with its interval; the arguments are those of :func:`paired_ratio`."""
    first, second = _pair(values, reference)
    return bootstrap_mean(first - second)


def probability_larger(values: np.ndarray, reference: np.ndarray) -> Interval:
    """Return on which share of the instances ``values`` are larger, with its interval; a tie counts half.

    It is the probability of improvement of the reference. The arguments are those of :func:`paired_ratio`.
    """
    first, second = _pair(values, reference)
    return bootstrap_mean(np.where(tied(first, second), 0.5, first > second))


def cliffs_delta(values: np.ndarray, reference: np.ndarray) -> float:
    """Return Cliff's δ: how much more often a value exceeds one of the reference than the reverse, of all pairs.

    1 if all are larger, −1 if all are smaller; NaN of nothing. Pairing plays no part in it.
    """
    first, second = np.asarray(values, float).ravel(), np.asarray(reference, float).ravel()
    if not first.size or not second.size:
        return float("nan")
    first, second = np.split(_levels(np.concatenate([first, second])), [first.size])
    return float(2 * stats.mannwhitneyu(first, second).statistic / (first.size * second.size) - 1)


def _levels(values: np.ndarray) -> np.ndarray:
    """Return the ranks of values, from 0, of which those that are equal but for rounding are one."""
    order = np.argsort(values)
    ascending = values[order]
    levels = np.empty(values.size)
    levels[order] = np.concatenate([[0], np.cumsum(~tied(ascending[1:], ascending[:-1]))])
    return np.where(np.isnan(values), np.nan, levels)


def tied(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return where two arrays are equal but for rounding."""
    return np.isclose(first, second, rtol=TIE, atol=0)


def interquartile_mean(values: np.ndarray, axis: int = 0) -> Any:
    """Return the mean of the middle half along an axis: less swayed by one seed than a mean, less coarse than a median.

    Of up to three values it is their mean.
    """
    return stats.trim_mean(values, TRIM, axis=axis)


def over_seeds(values: np.ndarray, seed: int = 0) -> Interval:
    """Return the interquartile mean over seeds of the means over instances, with its bootstrap interval.

    Both are resampled: seeds, and instances, the same ones for all seeds.

    Parameters
    ----------
    values
        (seeds, instances); NaN where there is none.
    """
    values = np.asarray(values, float)
    if not np.isfinite(values).any():
        return Interval(np.nan, np.nan, np.nan, 0)
    rng = np.random.default_rng(seed)
    count, size = values.shape
    # A resample of the instances is how often each one counts.
    weights = rng.multinomial(size, np.full(size, 1 / size), RESAMPLES).T
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means = (np.where(known, values, 0.0) @ weights) / (known @ weights)  # (seeds, resamples)
    drawn = np.take_along_axis(means, rng.integers(count, size=(count, RESAMPLES)), axis=0)
    drawn = drawn[:, np.isfinite(drawn).all(axis=0)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(interquartile_mean(drawn), (tail, 1 - tail)) if drawn.size else (np.nan, np.nan)
    per_seed = np.array([row[np.isfinite(row)].mean() for row in values if np.isfinite(row).any()])
    return Interval(float(interquartile_mean(per_seed)), float(low), float(high), count)


def performance_profile(gaps: np.ndarray, limits: Sequence[float] | np.ndarray, seed: int = 0) -> list[Interval]:
    """Return, for each limit, the share of all seeds and instances whose gap is at most that, with its interval.

    Seeds and instances are resampled as in :func:`over_seeds`.

    Parameters
    ----------
    gaps
        (seeds, instances); NaN or infinite where nothing feasible was found, which is above every limit.
    limits
        What counts as good enough.
    """
    gaps = np.asarray(gaps, float)
    below = [np.where(np.isfinite(gaps), gaps, np.inf) <= limit for limit in np.asarray(limits, float)]
    if len(gaps) == 1:
        return [bootstrap_mean(share[0]) for share in below]
    return [_share_over_seeds(share, seed) for share in below]


def _share_over_seeds(values: np.ndarray, seed: int) -> Interval:
    """Return the mean of (seeds, instances) with its interval."""
    rng = np.random.default_rng(seed)
    count, size = values.shape
    instances = rng.multinomial(size, np.full(size, 1 / size), RESAMPLES).T
    seeds = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).T
    shares = np.einsum("sr,sk,kr->r", seeds, values.astype(float), instances, optimize=True) / (count * size)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(shares, (tail, 1 - tail))
    return Interval(float(values.mean()), float(low), float(high), count)


def _ratio(values: np.ndarray, reference: np.ndarray, axis: int = -1) -> Any:
    return values.mean(axis=axis) / reference.mean(axis=axis)


def _pair(values: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(values, float).ravel(), np.asarray(reference, float).ravel()
    if first.size != second.size:
        raise ValueError(f"paired values are on the same instances, got {first.size} and {second.size}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("paired statistics need finite values, got NaN or infinite ones")
    return first, second
