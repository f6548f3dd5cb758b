"""Results of the experiment on knowledge and energy."""

from __future__ import annotations

from dataclasses import dataclass

from eval.stats.statistics import Interval


@dataclass(frozen=True)
class Entry:
    """What came out at a setting.

    Attributes
    ----------
    network, curve, ratio, required
        Of which setting.
    scheme
        Who solved.
    feasible, instances
        On how many of how many networks.
    energy_j, downlink_time_s, voted_accuracy, gap
        Means over the networks that the scheme solved here; the gap is that to the certified bound.
    relative
        The ratio of the mean energy to that with all of the knowledge, over the networks solved with both; None where
        these are fewer than nine in ten.
    """

    network: str
    curve: str
    ratio: float
    required: float
    scheme: str
    feasible: int
    instances: int
    energy_j: Interval
    downlink_time_s: Interval
    voted_accuracy: Interval
    gap: Interval
    relative: Interval | None
