"""The certificate of a design: an upper bound on its outage, from draws that it never saw."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

FEWEST, MOST = 2000, 64_000
"""Draws of a certificate."""


@dataclass(frozen=True)
class OutageCertificate:
    """How often a decision fails over what is not known.

    Attributes
    ----------
    outage
        The share of failures in ``draws`` fresh draws.
    bound
        The outage is at most this with probability ``confidence`` (Clopper-Pearson), over the draws and all retries.
    draws, failures
        Numbers.
    confidence
        As asked for.
    energy_quantile_j
        The energy that the decision exceeds on a share δ of the draws at most, J.
    """

    outage: float
    bound: float
    draws: int
    failures: int
    confidence: float
    energy_quantile_j: float


def outage_bound(failures: int, draws: int, doubt: float) -> float:
    """Return the Clopper-Pearson upper bound on a probability: it is exceeded with probability ``doubt`` at most."""
    if failures >= draws:
        return 1.0
    return float(stats.beta.isf(doubt, failures + 1, draws - failures))


def draws_for(outage: float, limit: float, doubt: float) -> int | None:
    """Return a number of draws that most likely proves an outage below the limit; None if none up to MOST does."""
    draws = FEWEST
    while draws <= MOST:
        likely = outage * draws + 2 * (outage * draws) ** 0.5
        if outage_bound(int(likely) + 1, draws, doubt) <= limit:
            return draws
        draws *= 2
    return None
