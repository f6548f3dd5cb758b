"""How far a decision is from secrecy: a smooth measure where the reward tells nothing but that there is none.

It is 0 for every feasible decision, so that what is best stays best where it is subtracted from the reward. Searches
without derivatives use it too.
"""

from __future__ import annotations

import numpy as np

from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.model.physics import combine_eavesdroppers, downlink_sinr, uplink_sinr


def secrecy_shortfall(instance: Instance, decision: Decision, outcome: Outcome) -> np.ndarray:
    """Return how far decisions (P,) are from secrecy and from the latency limit: a sum of logarithms of ratios.

    Of the eavesdroppers' to the receivers' SINRs where these are larger, and of the latency to its limit. It varies
    smoothly where nothing is secret yet.
    """
    colluding = instance.scenario.colluding
    sinr, heard = downlink_sinr(instance, decision)
    weakest = np.min(np.where(decision.selection, sinr, np.inf), axis=-1)
    downlink = _log_excess(combine_eavesdroppers(heard, colluding), weakest)
    sinr, heard = uplink_sinr(instance, decision)
    uplink = np.where(decision.selection, _log_excess(combine_eavesdroppers(heard, colluding), sinr), 0.0)
    latency = np.minimum(outcome.latency_s / instance.scenario.latency_limit_s, 1e6)
    return downlink + uplink.sum(axis=-1) + np.log(np.maximum(latency, 1.0))


def _log_excess(theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    theirs = np.maximum(theirs, 1e-30)
    return np.asarray(np.log(theirs) - np.log(np.clip(ours, 1e-30, theirs)))
