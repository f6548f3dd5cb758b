"""Rules for agents that decide by themselves: from an agent's own observation to its action. Batched.

An observation (…, 11 + 2E) is that of a mobile agent in :func:`secagent_env.multiagent.parallel_env`, an action (…, 2)
its bid and its level. Nobody jams, and whoever computes is received at −30 dB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

_TASK, _OWN = 6, 5
_SNR, _ENERGY, _TIME, _ACCURACY = 6, 7, 8, 10
"""The columns of an observation: the own SNR, energy over the mean, inference time over τ, and accuracy."""


def greedy(observation: np.ndarray) -> np.ndarray:
    """Bid the accuracy: whoever answers best computes, at any cost."""
    return _silent(2 * observation[..., _ACCURACY] - 1)


def auction(observation: np.ndarray) -> np.ndarray:
    """Bid the own energy for computing, the less the higher, as in a procurement auction in which nobody lies.

    Who cannot finish in time, or is heard better by an eavesdropper than by the base station, does not bid: −1.
    """
    eavesdroppers = (observation.shape[-1] - _TASK - _OWN) // 2
    energy = np.maximum(observation[..., _ENERGY], 0.0)
    heard = observation[..., _TASK + _OWN : _TASK + _OWN + eavesdroppers].max(-1)
    able = (observation[..., _TIME] < 1) & (heard < observation[..., _SNR])
    return _silent(np.where(able, (1 - energy) / (1 + energy), -1.0))


def _silent(bid: np.ndarray) -> np.ndarray:
    return np.stack([bid, np.zeros_like(bid)], axis=-1).astype(np.float32)


STRATEGIES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"greedy": greedy, "auction": auction}
