"""The certificate of a design: an upper bound on its outage, from draws that it never saw."""

from __future__ import annotations

import numpy as np
from scipy import stats

from secagent_env import Decision
from solvers.interface.outage import OutageCertificate
from solvers.robust.belief import Belief
from solvers.robust.trial import Trial

FEWEST, MOST = 2000, 64_000
"""Draws of a certificate."""
LIKELY = 2.0
"""So many standard deviations more failures than expected are allowed for when their number is chosen."""


def outage_bound(failures: int, draws: int, doubt: float) -> float:
    """Return the Clopper-Pearson upper bound on a probability: it lies above with probability ``doubt`` at most."""
    if failures >= draws:
        return 1.0
    return float(stats.beta.isf(doubt, failures + 1, draws - failures))


def draws_for(outage: float, limit: float, doubt: float) -> int:
    """Return a number of draws, MOST at most, that likely proves an outage below the limit, if it is as estimated."""
    draws = FEWEST
    while draws < MOST:
        failures = outage * draws
        if outage_bound(int(failures + LIKELY * failures**0.5) + 1, draws, doubt) <= limit:
            break
        draws *= 2
    return min(draws, MOST)


def certify(
    decision: Decision,
    belief: Belief,
    estimate: float,
    limit: float,
    confidence: float,
    attempt: int,
    rng: np.random.Generator,
) -> OutageCertificate:
    """Return the certificate of a decision from fresh draws; it holds where ``bound`` is at most ``limit``.

    Attempt k = 1, 2, … spends a share 2^−k of the doubt 1 − confidence, so that all together spend no more than that.
    """
    doubt = (1 - confidence) / 2**attempt
    trial = Trial.of(decision, belief.draws(draws_for(estimate, limit, doubt), rng))
    bound = outage_bound(trial.failures, trial.draws, doubt)
    return OutageCertificate(trial.outage, bound, trial.draws, trial.failures, confidence, trial.quantile_j(limit))
