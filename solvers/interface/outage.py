"""The certificate of a decision where not all is known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutageCertificate:
    """How often a decision fails over what is not known of the eavesdroppers.

    Attributes
    ----------
    outage
        The share of failures in ``draws`` fresh draws.
    bound
        The outage is at most this with probability ``confidence``, over the draws of all attempts.
    draws, failures
        Numbers.
    confidence
        As asked for.
    energy_quantile_j
        The energy that the decision exceeds on a share δ of the draws at most, J; infinite where it fails more often.
    """

    outage: float
    bound: float
    draws: int
    failures: int
    confidence: float
    energy_quantile_j: float
