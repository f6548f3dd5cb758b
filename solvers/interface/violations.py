"""By how much a decision fails, smoothly: where nothing is secret yet, a search still sees which way is better."""

from __future__ import annotations

import numpy as np

from secagent_env import Decision, Instance, Outcome
from secagent_env.model.physics import combine_eavesdroppers, downlink_sinr, uplink_sinr


def violation(instance: Instance, decision: Decision, outcome: Outcome) -> np.ndarray:
    """Return by how much decisions (P,) fail, smoothly where they have no secrecy: a sum of logarithms of ratios.

    Of the eavesdroppers' to the receivers' SINRs where these are larger, and of the latency to its limit.
    """
    colluding = instance.scenario.colluding
    sinr, heard = downlink_sinr(instance, decision)
    weakest = np.min(np.where(decision.selection, sinr, np.inf), axis=-1)
    downlink = _excess(combine_eavesdroppers(heard, colluding), weakest)
    sinr, heard = uplink_sinr(instance, decision)
    uplink = np.where(decision.selection, _excess(combine_eavesdroppers(heard, colluding), sinr), 0.0)
    latency = np.minimum(outcome.latency_s / instance.scenario.latency_limit_s, 1e6)
    return downlink + uplink.sum(axis=-1) + np.log(np.maximum(latency, 1.0))


def _excess(theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(theirs, 1e-30) / np.clip(ours, 1e-30, np.maximum(theirs, 1e-30)))
