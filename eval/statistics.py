"""Statistics of a comparison: means with bootstrap intervals, over instances that can be compared."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from eval.rows import BELIEFS, LLM, REPAIRED

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


def share(successes: int, size: int, confidence: float = CONFIDENCE) -> Interval:
    """Return a share with Wilson's interval, which has a width for none and for all of them too; NaN of nothing."""
    if not size:
        return Interval(math.nan, math.nan, math.nan, 0)
    bounds = stats.binomtest(successes, size).proportion_ci(confidence, method="wilson")
    return Interval(successes / size, float(bounds.low), float(bounds.high), size)


@dataclass(frozen=True)
class Summary:
    """What one solver did in a comparison.

    Attributes
    ----------
    solver
        Its label.
    instances, feasible
        How many instances it was given, and of how many its decision is feasible.
    endings
        How many instances ended with each status, the most frequent first.
    means
        By column: the means of ``COMPARED`` over the common instances, of ``COUNTED`` over all of them.
    repaired
        On how many instances a trained agent's decision had to be repaired; None for other solvers.
    believed, outages
        Where decisions were made on estimated channels: how many the solver believed feasible, and how many of these
        are not; None elsewhere.
    asked
        By column of ``LLM``: the means over all instances of what was asked of a language model; of solvers that ask
        none, of none.
    """

    solver: str
    instances: int
    feasible: int
    endings: dict[str, int]
    means: dict[str, Interval]
    repaired: int | None = None
    believed: int | None = None
    outages: int | None = None
    asked: dict[str, Interval] = field(default_factory=dict)


COMPARED = ("energy_j", "execution_energy_j", "transmission_energy_j", "latency_s", "gap", "transmission_gap")
"""Columns that mean something for a feasible decision only."""

COUNTED = ("evaluations", "seconds")
"""Columns that every attempt has."""


def common_instances(frame: Any) -> list[int]:
    """Return the instances on which solvers can be compared: those that all of them solved feasibly.

    A solver that solved none at all is left out of "all", or there would be nothing to compare.

    Parameters
    ----------
    frame
        A pandas DataFrame with the columns ``solver``, ``instance`` and ``feasible``.
    """
    table = frame.pivot(index="instance", columns="solver", values="feasible").astype(bool)
    able = table.loc[:, table.any()]
    return [int(i) for i in able.index[able.all(axis=1)]] if able.shape[1] else []


def summarise(frame: Any) -> list[Summary]:
    """Return a summary per solver of a comparison's rows (a pandas DataFrame), in their order."""
    common = common_instances(frame)
    summaries = []
    for solver, rows in frame.groupby("solver", sort=False):
        compared = rows[rows["feasible"].astype(bool) & rows["instance"].isin(common)]
        means = {column: bootstrap_mean(compared[column]) for column in COMPARED}
        means |= {column: bootstrap_mean(rows[column].dropna()) for column in COUNTED}
        endings = rows["status"].value_counts().to_dict()
        feasible, *beliefs = (int(rows[column].sum()) for column in ("feasible", *BELIEFS) if column in rows)
        believed, outages = beliefs or (None, None)
        treated = rows[REPAIRED].dropna() if REPAIRED in rows else ()
        repaired = int(sum(treated)) if len(treated) else None
        asked = {column: bootstrap_mean(rows[column].dropna()) for column in LLM if column in rows}
        counts = (str(solver), len(rows), feasible, endings, means)
        summaries.append(Summary(*counts, repaired, believed, outages, asked))
    return summaries
