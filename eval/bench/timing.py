"""Processor times: how they are measured, and how they are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from eval.stats.formatting import with_unit
from eval.stats.statistics import Interval

Figure = dict[str, Any]
"""Plain numbers, by name."""

Result = TypeVar("Result")


def in_turns(
    tasks: Mapping[str, Callable[[], object]],
    repeats: int,
    share: float,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, np.ndarray]:
    """Return seconds per call, (repeats,), of tasks measured in turns, for about ``share`` seconds each.

    Processor seconds of all threads, or those of another ``clock``.
    """
    calls = {}
    for name, task in tasks.items():
        task()  # whatever happens only once
        began = clock()
        task()
        calls[name] = max(1, round(share / max(clock() - began, 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            began = clock()
            for _ in range(calls[name]):
                task()
            seconds[name].append((clock() - began) / calls[name])
    return {name: np.array(values) for name, values in seconds.items()}


def processor_seconds(call: Callable[[], Result]) -> tuple[Result, float]:
    """Return a result and the processor time it took, of all threads, s."""
    began = time.process_time()
    result = call()
    return result, time.process_time() - began


def spread(values: np.ndarray) -> Figure:
    """Return the median and the quartiles."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high), "repeats": int(values.size)}


def seconds_of(figure: Figure) -> str:
    """Return the median and the quartiles of a :func:`spread` of seconds."""
    return with_unit(Interval(figure["median"], figure["low"], figure["high"], figure["repeats"]), "s", digits=3)


def ratio_of(figure: Figure, times: str = "") -> str:
    """Return the median and the quartiles of a :func:`spread` of ratios: ``15.2 [14.9, 15.6]``."""
    return f"{figure['median']:.1f}{times} [{figure['low']:.1f}, {figure['high']:.1f}]"


def limit_in_words(seconds: float) -> str:
    """Return a time with its unit."""
    return with_unit(Interval(seconds, np.nan, np.nan, 1), "s", digits=3)


def verdict(met: bool) -> str:
    """Return whether a requirement or goal is met."""
    return "met" if met else "NOT met"
