"""The received power |x|² of x ~ CN(a, v): 2 |x|² / v is noncentral χ² with 2 degrees of freedom and 2 |a|² / v.

Everywhere power = |a|² and spread = v, (…) ≥ 0, of any unit. Without spread the power is certain.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

STEEP = 1e4
"""Where |a|² is so many times v, the quantile is that of a normal distribution."""
STEEPEST = 1e8
"""And here the probabilities are."""
FARTHEST = 38.0
"""So many standard deviations from the mean a tail is 0, and scipy's distribution overflows."""


def power_quantile(power: np.ndarray, spread: np.ndarray, tail: np.ndarray | float) -> np.ndarray:
    """Return what |x|² exceeds with probability ``tail``, (…)."""
    power, spread = np.broadcast_arrays(np.asarray(power, float), np.asarray(spread, float))
    safe = np.where(spread > 0, spread, 1.0)
    ratio = np.where(spread > 0, power / safe, 0.0)
    steep = ratio > STEEP
    quantile = stats.ncx2.isf(tail, 2, np.where(steep, 0.0, 2 * ratio)) * spread / 2
    normal = np.maximum(np.sqrt(power) + stats.norm.isf(tail) * np.sqrt(spread / 2), 0.0) ** 2
    return np.asarray(np.where(spread > 0, np.where(steep, normal, quantile), power))


@np.errstate(over="ignore")  # infinite is as good
def power_tails(level: np.ndarray, power: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities that |x|² is at most a level (…), and that it is above; both to full precision."""
    level, power, spread = np.broadcast_arrays(*(np.asarray(each, float) for each in (level, power, spread)))
    most, safe = np.maximum(level, 0.0), np.where(spread > 0, spread, 1.0)
    below, above = np.array(-np.expm1(-most / safe)), np.array(np.exp(-most / safe))  # without a mean
    if (power > 0).any():
        from_mean = (np.sqrt(most) - np.sqrt(power)) / np.sqrt(safe / 2)
        # |x| is no farther from |a| than x is from a, which is so far with probability exp(−from_mean² / 2).
        normal = (power > STEEPEST * safe) | (np.abs(from_mean) > FARTHEST)
        below[normal], above[normal] = stats.norm.cdf(from_mean[normal]), stats.norm.sf(from_mean[normal])
        low, high = ((power > 0) & ~normal & side for side in (level < power + spread, level >= power + spread))
        below[low] = stats.ncx2.cdf(2 * (most / safe)[low], 2, 2 * (power / safe)[low])
        above[high] = stats.ncx2.sf(2 * (most / safe)[high], 2, 2 * (power / safe)[high])
        below[high], above[low] = 1 - above[high], 1 - below[low]
    certain = spread == 0
    below, above = np.where(certain, level >= power, below), np.where(certain, level < power, above)
    return np.where(level < 0, 0.0, below), np.where(level < 0, 1.0, above)
