"""Counter-measures, and the rate that each gives in the snapshots after the scene.

A link sends a fixed 5 bit/s/Hz with the beam of its last snapshot, and has a channel estimate that is 1 ms old, whose
error is noise. Over subcarriers and snapshots the share that meets log₂(1 + SINR) ≥ 5 arrives:

- *do nothing*: the beam is the user's channel (maximum ratio);
- *change beam*: the beam minimises what disturbs, as it was in the scene (minimum mean square error); 10 % of the time
  goes into training it;
- *change band*: neighbours are left behind, a jammer covers the new band too; 10 % of the time goes into the change;
- *lower rate*: 1.5 bit/s/Hz, and pilots so dense that beam and estimate are never old.

Channels are those of the simulator: a decision is judged by them, whatever it was taken from.
"""

from __future__ import annotations

import numpy as np

from secagent_env.radio_scenes.conditions import SETS, Conditions
from secagent_env.radio_scenes.scenes import SNAPSHOTS, Scenes, sample_scenes
from secagent_env.radio_scenes.settings import JAMMER, SEEN_CHANNELS, USER

COUNTERMEASURES = ("do nothing", "change beam", "change band", "lower rate")
FULL, LOWERED = 5.0, 1.5
"""Rates, bit/s/Hz."""
OVERHEAD = 0.1
"""Of the time, for changing the beam or the band."""
ESTIMATE_AGE = 2
"""Of the channel estimate, in snapshots."""


def rates(scenes: Scenes) -> np.ndarray:
    """Return the rate that each counter-measure gives in B scenes, (B, 4), bit/s/Hz."""
    channel = scenes.channel.astype(complex)
    ahead = channel[:, SNAPSHOTS:]
    user, others = ahead[:, :, USER], ahead[:, :, 1:]
    error = user - channel[:, SNAPSHOTS - ESTIMATE_AGE : -ESTIMATE_AGE, USER]
    on = np.ones((len(scenes), 3, scenes.occupied.shape[-1]), bool)  # of neighbours and jammer, by subcarrier
    on[:, :2] = scenes.occupied
    matched = _unit(channel[:, SNAPSHOTS - 1, USER])[:, None]
    quiet = _unit(_minimum_error(channel[:, :SNAPSHOTS], on))[:, None]
    jammer_alone = on.copy()
    jammer_alone[:, : JAMMER - 1] = False
    return np.stack(
        [
            FULL * _arriving(matched, user, others, on, error, FULL),
            (1 - OVERHEAD) * FULL * _arriving(quiet, user, others, on, error, FULL),
            (1 - OVERHEAD) * FULL * _arriving(matched, user, others, jammer_alone, error, FULL),
            LOWERED * _arriving(_unit(user), user, others, on, np.zeros_like(error), LOWERED),
        ],
        axis=-1,
    )


def best_countermeasures(each: int = 10, seed: int = 0) -> dict[Conditions, str]:
    """Return the counter-measure with the highest mean rate for each set of conditions.

    The mean is over ``each`` scenes in every channel model of the training.
    """
    total = np.zeros((len(SETS), len(COUNTERMEASURES)))
    for place, channel in enumerate(SEEN_CHANNELS):
        scenes = sample_scenes([one for one in SETS for _ in range(each)], channel, seed, place * each * len(SETS))
        total += rates(scenes).reshape(len(SETS), each, -1).sum(axis=1)
    return {one: COUNTERMEASURES[best] for one, best in zip(SETS, total.argmax(axis=1), strict=True)}


def _arriving(
    beam: np.ndarray, user: np.ndarray, others: np.ndarray, on: np.ndarray, error: np.ndarray, rate: float
) -> np.ndarray:
    """Return the share of subcarriers and snapshots in which a rate arrives, (B,).

    Of beams (B, 1 or T, L) of length 1, channels of the user (B, T, L) and of others (B, T, K, L), the subcarriers
    (B, K, F) of the latter, and errors of the estimate (B, T, L).
    """
    signal = abs(np.sum(beam.conj() * user, axis=-1)) ** 2
    own = abs(np.sum(beam.conj() * error, axis=-1)) ** 2
    through = abs(np.sum(beam.conj()[:, :, None] * others, axis=-1)) ** 2
    disturbed = own[..., None] + through @ on.astype(float) + 1
    return np.mean(np.log2(1 + signal[..., None] / disturbed) >= rate, axis=(1, 2))


def _minimum_error(channel: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Return R⁻¹h, (B, L): R of what disturbed the channels (B, T, 4, L) in the mean, h of the last snapshot."""
    load = on.mean(axis=-1)
    others = channel[:, :, 1:] * np.sqrt(load)[:, None, :, None]
    flat = others.reshape(len(channel), -1, channel.shape[-1])
    covariance = np.swapaxes(flat, 1, 2) @ flat.conj() / channel.shape[1] + np.eye(channel.shape[-1])
    return np.linalg.solve(covariance, channel[:, -1, USER, :, None])[..., 0]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
