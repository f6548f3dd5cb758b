"""Summaries of a comparison: means with intervals, over instances that can be compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eval.compare.rows import BELIEFS, LLM, OWN, REPAIRED
from eval.stats.formatting import count, percent
from eval.stats.statistics import Interval, bootstrap_mean


@dataclass(frozen=True)
class Summary:
    """The summary of one solver in a comparison.

    Attributes
    ----------
    solver
        Its label.
    instances, feasible
        The number of its instances, and of those with a feasible decision.
    endings
        The number of instances by status, the most frequent first.
    means
        By column: the means of ``COMPARED`` over the common instances, of ``COUNTED`` over all of them.
    repaired
        The number of instances on which a trained agent's decision was repaired; None for other solvers.
    believed, outages
        For decisions on estimated channels: the number that the solver believed feasible, and of those among them that
        are not; None for known channels.
    asked
        By column of ``LLM`` and ``OWN``: the means over all instances of a language model's calls, tokens, cost and own
        improvements; of no values for solvers that have none.
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

    @property
    def ended_as(self) -> str:
        """The endings in words: ``3 optimal, 1 feasible``."""
        return ", ".join(f"{n} {status}" for status, n in self.endings.items())


NOTHING = Interval(math.nan, math.nan, math.nan, 0)
"""The mean of no values."""

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
        asked = {column: bootstrap_mean(rows[column].dropna()) for column in (*LLM, OWN) if column in rows}
        counts = (str(solver), len(rows), feasible, endings, means)
        summaries.append(Summary(*counts, repaired, believed, outages, asked))
    return summaries


def asked_of(summaries: Sequence[Summary]) -> list[str]:
    """Return the columns of ``LLM`` and ``OWN`` to show: those with a value, where a solver asked a language model."""
    means = {name: [s.asked.get(name, NOTHING).mean for s in summaries] for name in (*LLM, OWN)}
    asked = [name for name in LLM if any(mean > 0 for mean in means[name])]
    return [*asked, OWN] if any(mean >= 0 for mean in means[OWN]) else asked


def told(name: str, interval: Interval) -> str:
    """Return a mean of one of these columns as text."""
    return percent(interval) if name == OWN else count(interval)
