"""Checks of what users give: each returns the value as a plain Python number, or raises ValueError, one clear sentence.

True and False are no numbers.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np


def integer(name: str, value: object, low: int | None = 0, high: int | None = None) -> int:
    """Return a whole number from ``low`` to ``high``, both included; None leaves a side open."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        whole = int(value)
        if (low is None or whole >= low) and (high is None or whole <= high):
            return whole
    raise ValueError(f"{name} must be an integer{_between(low, high)}, got {value!r:.200}")


def number(
    name: str,
    value: object,
    low: float | None = None,
    high: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return a finite number from ``low`` to ``high``, both included, or strictly ``above`` and ``below`` others."""
    real = _finite(value)
    if (
        real is not None
        and (low is None or real >= low)
        and (high is None or real <= high)
        and (above is None or real > above)
        and (below is None or real < below)
    ):
        return real
    raise ValueError(f"{name} must be a finite number{_between(low, high, above, below)}, got {value!r:.200}")


def interval(name: str, value: Any, **bounds: float | None) -> tuple[float, float]:
    """Return two numbers (low, high) with low ≤ high, each within the bounds, which are those of :func:`number`."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{name} must be a (low, high) range, got {value!r:.200}")
    low, high = (number(f"{name}[{i}]", bound, **bounds) for i, bound in enumerate(value))
    if low > high:
        raise ValueError(f"{name} must be a (low, high) range with low ≤ high, got {value!r:.200}")
    return low, high


def flag(name: str, value: object) -> bool:
    """Return True or False."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {value!r:.200}")


def choice(name: str, value: Any, valid: Any) -> Any:
    """Return one of the ``valid`` values."""
    if isinstance(value, str) and value in valid:
        return value
    raise ValueError(f"{name} must be one of {', '.join(map(str, valid))}, got {value!r:.200}")


def _finite(value: object) -> float | None:
    """Return a real number as a float; None if it is no number, or not finite."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return None
    try:
        real = float(value)
    except OverflowError:
        return None
    return real if math.isfinite(real) else None


def _between(low: float | None, high: float | None, above: float | None = None, below: float | None = None) -> str:
    """Return a range in words, such as " ≥ 1", " > 0 and < 1" and " from 0 to 2"."""
    if low is not None and high is not None:
        return f" from {low} to {high}"
    signs = ((">", above), ("≥", low), ("<", below), ("≤", high))
    parts = [f"{sign} {bound:g}" for sign, bound in signs if bound is not None]
    return f" {' and '.join(parts)}" if parts else ""
