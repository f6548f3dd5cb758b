"""The results of an exhibit beside the printed numbers: means, savings, orders, and verdicts.

All statements are on the draws that all schemes at a value solved feasibly, with 95 % bootstrap intervals.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.compare.rows import FAULTS
from eval.experiments.secure.printed import AS_WRITTEN, TRANSMISSION, Exhibit, Printed
from eval.stats.formatting import faults_in_words
from eval.stats.paired import cliffs_delta, over_seeds, paired_ratio, probability_larger
from eval.stats.statistics import Interval, bootstrap_mean

BOUND = "bound (proved)"
"""The row of the certified bound: on the energy, or on the transmission energy of the agents that `exact` selects."""
CERTIFIED, PLUS = "exact", "asc-plus"
FIRST = "asc"
"""The scheme that the others are compared with."""
TELLING = 10
"""With fewer draws agreement is not judged: intervals of so few are too narrow."""


@dataclass(frozen=True)
class SchemeResult:
    """The result of a scheme at a value, energies in J and over the common draws.

    Of trained agents the mean is over seeds too. A saving is the share by which the scheme needs less than the
    reference, printed in percent. Against :data:`FIRST`, on the same draws: the ``ratio`` of the means, the share of
    the draws on which the scheme needs more (``larger``; a tie is half of one), and Cliff's ``delta``. ``note`` is
    the reason why the first infeasible draw is infeasible, and ``faults`` are the replies of a language model that
    could not be used, in words.
    """

    value: float
    scheme: str
    label: str
    feasible: int
    attempts: int
    seeds: int
    mean: Interval
    median: float = np.nan
    printed: Printed | None = None
    saving: Interval | None = None
    printed_saving: Printed | None = None
    ratio: Interval | None = None
    larger: Interval | None = None
    delta: float | None = None
    note: str = ""
    faults: str = ""

    @property
    def sign(self) -> int | None:
        """Whether the mean is larger (1) or smaller (-1) than the printed one, which lies in its interval (0)."""
        if self.printed is None or self.mean.size < TELLING:
            return None
        low, high = self.printed.bounds
        return -1 if self.mean.high < low else 1 if self.mean.low > high else 0


@dataclass(frozen=True)
class Pair:
    """Two schemes at a value in the order of the paper, with the ratio of their means on the same draws."""

    value: float
    better: str
    worse: str
    ratio: Interval

    @property
    def verdict(self) -> str:
        """``"held"``, ``"reversed"`` or ``"open"``: by the interval, which excludes 1 or does not."""
        if self.ratio.high < 1:
            return "held"
        return "reversed" if self.ratio.low > 1 else "open"


class Draws:
    """The solves at one value of an exhibit, of which the column ``metric`` is compared.

    ``rows`` are those of the trainings of each scheme (one for what is not trained): pandas DataFrames of the same
    draws.
    """

    def __init__(self, rows: Mapping[str, Sequence[Any]], metric: str) -> None:
        self.rows = rows
        self.metric = metric
        self.feasible = {name: np.stack([f["feasible"].to_numpy(bool) for f in own]) for name, own in rows.items()}
        able = [seed for name, seeds in self.feasible.items() if name != AS_WRITTEN for seed in seeds if seed.any()]
        size = len(next(iter(rows.values()))[0])
        self.common = np.logical_and.reduce(able) if able else np.zeros(size, bool)
        self._ratios: dict[tuple[str, str], Interval] = {}

    def values(self, scheme: str) -> np.ndarray:
        """Return the metric on the common draws, (seeds, draws); of trainings that never were feasible none."""
        feasible = self.feasible[scheme]
        kept = [
            frame[self.metric].to_numpy(float)[self.common]
            for frame, own in zip(self.rows[scheme], feasible, strict=True)
            if self.common.any() and own[self.common].all()
        ]
        return np.stack(kept) if kept else np.empty((0, 0))

    def mean(self, scheme: str) -> Interval:
        """Return the mean, of several seeds their interquartile mean."""
        values = self.values(scheme)
        return over_seeds(values) if len(values) > 1 else bootstrap_mean(values)

    def bound(self) -> Interval:
        """Return the mean of the certified bound."""
        if CERTIFIED not in self.rows:
            return bootstrap_mean([])
        frame = self.rows[CERTIFIED][0][self.common]
        bounds = frame["lower_bound_j"]
        if self.metric == TRANSMISSION:
            bounds = frame[TRANSMISSION] / (1 + frame["transmission_gap"])
        return bootstrap_mean(bounds.to_numpy(float))

    def paired(self, scheme: str) -> np.ndarray:
        """Return the metric on the common draws, (draws,): the mean over the seeds; empty if there is none."""
        values = self.values(scheme) if scheme in self.rows else ()
        return np.mean(values, axis=0) if len(values) else np.empty(0)

    def ratio(self, scheme: str, other: str) -> Interval | None:
        """Return the ratio of the means of two schemes; None if one of them has none."""
        values, reference = self.paired(scheme), self.paired(other)
        if not values.size or not reference.size:
            return None
        if (scheme, other) not in self._ratios:
            self._ratios[scheme, other] = paired_ratio(values, reference)
        return self._ratios[scheme, other]

    def note(self, scheme: str) -> str:
        """Return the message of the first infeasible draw, of the first training that has one."""
        for frame, feasible in zip(self.rows[scheme], self.feasible[scheme], strict=True):
            if not feasible.all():
                return str(frame["message"].to_numpy()[~feasible][0])
        return ""

    def faults(self, scheme: str) -> str:
        """Return the number of replies that could not be used, by kind, in words; empty where there is none."""
        return faults_in_words(
            text for frame in self.rows[scheme] if FAULTS in frame for text in frame[FAULTS].dropna()
        )


@dataclass(frozen=True)
class Reproduced:
    """An exhibit with its results by value, in the order of the table, and the schemes that the paper orders.

    ``draws`` are, by value, the number of draws that all schemes solved, and of all draws.
    """

    exhibit: Exhibit
    results: tuple[SchemeResult, ...]
    pairs: tuple[Pair, ...]
    draws: Mapping[float, tuple[int, int]]

    def of(self, scheme: str, value: float) -> SchemeResult | None:
        """Return the result of a scheme at a value; None if there is none."""
        return next((e for e in self.results if (e.scheme, e.value) == (scheme, value)), None)


def reproduced(
    exhibit: Exhibit, rows: Mapping[float, Mapping[str, Sequence[Any]]], labels: Mapping[str, str]
) -> Reproduced:
    """Return the results of an exhibit, from the rows of its schemes by value, and the names of schemes in tables."""
    results: list[SchemeResult] = []
    pairs: list[Pair] = []
    counts: dict[float, tuple[int, int]] = {}
    for value, of_schemes in rows.items():
        draws = Draws(of_schemes, exhibit.metric)
        counts[value] = (int(draws.common.sum()), draws.common.size)
        results.append(SchemeResult(value, BOUND, BOUND, 0, 0, 1, draws.bound()))
        results += [_result(exhibit, value, scheme, labels.get(scheme, scheme), draws) for scheme in of_schemes]
        for better, worse in itertools.permutations(exhibit.schemes, 2):
            first, second = exhibit.of_paper(better, value), exhibit.of_paper(worse, value)
            ratio = draws.ratio(better, worse)
            if first and second and first.value < second.value and ratio is not None and ratio.size >= TELLING:
                pairs.append(Pair(value, better, worse, ratio))
    return Reproduced(exhibit, tuple(results), tuple(pairs), counts)


def _result(exhibit: Exhibit, value: float, scheme: str, label: str, draws: Draws) -> SchemeResult:
    feasible = draws.feasible[scheme]
    saved = draws.ratio(scheme, exhibit.reference) if scheme != exhibit.reference else None
    mine, first = draws.paired(scheme), draws.paired(FIRST)
    compared = bool(mine.size and first.size and scheme != FIRST)
    return SchemeResult(
        value=value,
        scheme=scheme,
        label=label,
        feasible=int(feasible.sum()),
        attempts=feasible.size,
        seeds=len(feasible),
        mean=draws.mean(scheme),
        median=float(np.median(mine)) if mine.size else np.nan,
        printed=exhibit.of_paper(scheme, value),
        saving=None if saved is None else Interval(1 - saved.mean, 1 - saved.high, 1 - saved.low, saved.size),
        printed_saving=exhibit.saving(scheme, value),
        ratio=draws.ratio(scheme, FIRST) if compared else None,
        larger=probability_larger(mine, first) if compared else None,
        delta=cliffs_delta(mine, first) if compared else None,
        note=draws.note(scheme),
        faults=draws.faults(scheme),
    )
