"""Numbers and tables for people: intervals with units, percentages and counts; tables in Markdown."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from eval.stats.statistics import Interval
from secagent_env.support.extras import require
from secagent_env.support.units import si_prefix

NONE = "–"


def with_unit(interval: Interval, unit: str, digits: int = 4) -> str:
    """Return an interval with an SI prefix that fits its mean: ``11.57 kJ [11.43, 11.71]``; never in ks."""
    if math.isnan(interval.mean):
        return NONE
    rounded, factor, prefix = si_prefix(interval.mean, unit, digits)
    scaled = rounded / factor
    decimals = max(0, digits - 1 - math.floor(math.log10(scaled))) if 1 <= scaled < math.inf else digits - 1
    return _join(interval, lambda value: f"{value / factor:.{decimals}f}", f" {prefix}{unit}")


def percent(interval: Interval) -> str:
    """Return an interval of fractions in percent: ``103 % [97, 110]``."""
    return _join(interval, lambda value: f"{100 * value:.{3 if abs(value) >= 1e-5 else 1}g}", " %")


def fixed(interval: Interval, form: str = ".4f") -> str:
    """Return an interval in a format of numbers: ``0.0500 [0.0412, 0.0573]``."""
    return _join(interval, lambda value: f"{value:{form}}", "")


def points(interval: Interval) -> str:
    """Return a difference of shares in percentage points: ``+1.2 [+0.3, +2.1] points``."""
    mean, low, high = (100 * value for value in (interval.mean, interval.low, interval.high))
    if math.isnan(mean):
        return NONE
    bounds = "" if np.isnan(low) or low == high else f" [{low:+.1f}, {high:+.1f}]"
    return f"{mean:+.1f}{bounds} points"


def tabulated(lines: Any, headers: Sequence[str] | str = "keys") -> str:
    """Return a table in Markdown: of lines of text and headers, or of columns by their names."""
    return str(require("tabulate", extra="eval").tabulate(lines, headers, tablefmt="github", disable_numparse=True))


def count(interval: Interval) -> str:
    """Return an interval of counts: ``61.5 [58.2, 65.1]``."""
    return _join(interval, lambda value: f"{value:.0f}" if value >= 1000 else f"{value:.3g}", "")


def faults_in_words(texts: Iterable[str]) -> str:
    """Return the sum of counts of faults that rows hold as JSON: ``2 timeout, 1 unusable answer``; empty for none."""
    faults = sum((Counter(json.loads(text)) for text in texts), Counter[str]())
    return ", ".join(f"{number} {fault}" for fault, number in sorted(faults.items()))


def _join(interval: Interval, text: Callable[[float], str], unit: str) -> str:
    if math.isnan(interval.mean):
        return NONE
    if math.isnan(interval.low) or interval.low == interval.high:
        return f"{text(interval.mean)}{unit}"
    return f"{text(interval.mean)}{unit} [{text(interval.low)}, {text(interval.high)}]"
