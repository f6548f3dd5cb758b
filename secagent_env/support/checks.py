"""Checks of what users give: each returns the value as a plain Python number, or raises one clear sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def integer(name: str, value: object, low: int | None = 0, high: int | None = None) -> int:
    """Return a whole number from ``low`` to ``high``, both included; None leaves a side open.

    Raises
    ------
    ValueError
        If it is another number, or none; true and false are none.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if whole and (low is None or value >= low) and (high is None or value <= high):  # type: ignore[operator]
        return int(value)  # type: ignore[call-overload, no-any-return]
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
    """Return a finite number from ``low`` to ``high``, both included, or strictly ``above`` and ``below`` others.

    Raises
    ------
    ValueError
        If it is another number, or none; true and false are none.
    """
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if real and math.isfinite(value):  # type: ignore[arg-type]
        found = float(value)  # type: ignore[arg-type]
        if (
            (low is None or found >= low)
            and (high is None or found <= high)
            and (above is None or found > above)
            and (below is None or found < below)
        ):
            return found
    raise ValueError(f"{name} must be a finite number{_between(low, high, above, below)}, got {value!r:.200}")


def flag(name: str, value: object) -> bool:
    """Return a truth value.

    Raises
    ------
    ValueError
        If it is anything but True and False.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {value!r:.200}")


def choice(name: str, value: Any, valid: Any) -> Any:
    """Return one of the ``valid`` values.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if isinstance(value, str) and value in valid:
        return value
    raise ValueError(f"{name} must be one of {', '.join(map(str, valid))}, got {value!r:.200}")


def _between(low: float | None, high: float | None, above: float | None = None, below: float | None = None) -> str:
    """Return a range in words, such as " ≥ 1", " > 0 and < 1" and " from 0 to 2"."""
    if low is not None and high is not None:
        return f" from {low} to {high}"
    signs = ((">", above), ("≥", low), ("<", below), ("≤", high))
    parts = [f"{sign} {bound:g}" for sign, bound in signs if bound is not None]
    return f" {' and '.join(parts)}" if parts else ""
