"""Numbers as a reader wants them: decibels, SI prefixes, three digits, and never a NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_PREFIXES = ("f", "p", "n", "µ", "m", "", "k", "M", "G", "T")
_NOTHING_DB = -150.0  # what a null of the beam leaves is rounding error


def decibel(ratio: Any) -> np.ndarray:
    """Return 10 log10, with −inf (never NaN) where ``ratio`` is not positive."""
    ratio = np.asarray(ratio, np.float64)
    positive = ratio > 0
    return np.where(positive, 10 * np.log10(np.where(positive, ratio, 1.0)), -np.inf)


def level(value: float, unit: str = "dB") -> str:
    """Return a level as text, such as ``61.2 dB``."""
    if -math.inf < value < _NOTHING_DB:
        return f"< −{-_NOTHING_DB:.0f} {unit}"
    return f"{_signed(value, f'{value:.1f}')} {unit}"


def si_prefix(value: float, unit: str, digits: int = 3) -> tuple[float, float, str]:
    """Return |value| rounded to significant digits, and the power of ten and the SI prefix that fit; never ks."""
    rounded = abs(float(f"{value:.{digits}g}"))  # before the prefix is chosen: 999.9 J is 1 kJ
    group = math.floor(math.log10(rounded) / 3) if 0 < rounded < math.inf else 0
    group = min(max(group, -5), 0 if unit == "s" else 4)
    return rounded, 10.0 ** (3 * group), _PREFIXES[group + 5]


def quantity(value: Any, unit: str) -> str:
    """Return three significant digits with an SI prefix, such as ``11.6 kJ``.

    Times of a second and more, ratios and counts take no prefix.
    """
    value = float(value)
    if math.isnan(value):
        return "–"
    prefixed = unit in ("W", "J") or (unit == "s" and abs(value) < 1)
    if not prefixed or value == 0 or math.isinf(value):
        text = f"{value:.0f}" if 1000 <= abs(value) < 1e5 else f"{value:.3g}"
        return f"{_signed(value, text)} {unit}".rstrip()
    rounded, factor, prefix = si_prefix(value, unit)
    return f"{_signed(value, f'{rounded / factor:.3g}')} {prefix}{unit}"


def plural(count: int, noun: str) -> str:
    """Return ``1 agent``, ``2 agents``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def spans(numbers: list[int]) -> str:
    """Return sorted numbers with their runs shortened: ``0–2, 5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)


def _signed(value: float, text: str) -> str:
    return ("−" if value < 0 else "") + ("∞" if math.isinf(value) else text.lstrip("-"))
