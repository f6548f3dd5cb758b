"""Curves of accuracy against compression, and the energies of networks that knowledge is sent in along them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.stats.paired import paired_ratio
from eval.stats.statistics import Interval, bootstrap_mean

CERTIFIED, SCHEMES = "exact", ("exact", "asc-plus")
ENOUGH = 0.9
"""A mean is shown where at least this share of the networks can meet the accuracy."""


@dataclass(frozen=True)
class Curve:
    """The mean accuracy of agents, ``name``, against compression.

    A point is ``(ratio, accuracy)``, with the share of all of the knowledge that is sent, from 0 to 1. ``bits`` is the
    size of all of it, bit; None where that is not known.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    bits: float | None = None

    def __post_init__(self) -> None:
        ratios = [ratio for ratio, _ in self.points]
        if ratios != sorted(set(ratios)) or ratios[:1] != [0.0] or ratios[-1:] != [1.0]:
            raise ValueError(f"a curve goes from the ratio 0 to 1 in ascending order, got {ratios}")

    def levels(self, count: int) -> list[float]:
        """Return accuracies to require, of full percents, from that without knowledge to that with all of it.

        One level is in the middle.
        """
        (_, none), (_, full) = self.points[0], self.points[-1]
        if count == 1:
            return [round((none + full) / 2, 2)]
        return sorted({round(float(level), 2) for level in np.linspace(none, full, count)})


@dataclass(frozen=True)
class FrontierPoint:
    """The result of a scheme in a network at one ratio and one required accuracy.

    Energy, downlink time, voted accuracy and the gap to the certified bound are means over the networks that the scheme
    solved here. ``relative`` is the ratio of the mean energy to that with all of the knowledge, over the networks
    solved with both; None where these are fewer than nine in ten.
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

    @property
    def met(self) -> bool:
        """Whether nine in ten networks can meet the accuracy."""
        return self.feasible >= ENOUGH * self.instances

    def row(self) -> dict[str, Any]:
        """Return the point with intervals as columns of their own."""
        row: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Interval):
                row |= {f"{name}_{end}": getattr(value, end) for end in ("mean", "low", "high")}
            elif value is not None:
                row[name] = value
        return row


def frontier(frame: Any) -> list[FrontierPoint]:
    """Return the results from the rows of all cells (a pandas DataFrame)."""
    keys = ["network", "curve", "required", "scheme"]
    points = []
    for (network, curve, required, scheme), rows in frame.groupby(keys, sort=False):
        by_ratio = {ratio: own.set_index("index") for ratio, own in rows.groupby("ratio")}
        full = by_ratio[1.0]
        for ratio, own in by_ratio.items():
            solved = own["feasible"].astype(bool)
            both = solved & full["feasible"].astype(bool).reindex(own.index)
            enough = both.sum() >= ENOUGH * len(own)
            energies = (table.loc[both[both].index, "energy_j"].to_numpy(float) for table in (own, full))
            energy, downlink, voted, gap = (
                bootstrap_mean(own.loc[solved, name].to_numpy(float))
                for name in ("energy_j", "downlink_time_s", "voted_accuracy", "gap")
            )
            relative = paired_ratio(*energies) if enough else None
            setting = (network, curve, ratio, required, scheme, int(solved.sum()), len(own))
            points.append(FrontierPoint(*setting, energy, downlink, voted, gap, relative))
    return points


def best(points: Iterable[FrontierPoint]) -> FrontierPoint | None:
    """Return the point with the least energy among those that nine in ten networks can meet; None if there is none."""
    return min((point for point in points if point.met), key=lambda p: (p.energy_j.mean, p.ratio), default=None)


def grouped(points: Iterable[FrontierPoint], *names: str) -> Mapping[tuple[Any, ...], Sequence[FrontierPoint]]:
    """Return points by some of their attributes."""
    groups: dict[tuple[Any, ...], list[FrontierPoint]] = {}
    for point in points:
        groups.setdefault(tuple(getattr(point, name) for name in names), []).append(point)
    return groups
