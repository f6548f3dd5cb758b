"""What an encoder looks at: powers, beams and correlations of received snapshots. Nothing in it is learnt.

Of snapshots y(t, f), (L,), the mean over the subcarriers seen is taken for the user's channel ĥ(t), and the rest
r(t, f) = y(t, f) − ĥ(t) for what disturbs it. The features, in the order of :data:`PARTS`:

- the spectrogram of what disturbs, mean of |r|² over antennas and pairs of snapshots, dB;
- its beams by subcarrier, |Σ_l r_l e^(−2πj lk/L)|² / L in the mean over snapshots, dB;
- how much its direction keeps, |r(t)ᴴ r(t + d)| / (|r(t)| |r(t + d)|) in the mean over t, for delays d: data symbols
  do not change it, motion does;
- the user's level over the snapshots and its beams, dB;
- the user's autocorrelation Σ_t ĥ(t)ᴴ ĥ(t + d) / Σ_t |ĥ(t)|², real and imaginary parts, and how much its direction
  keeps;
- which subcarriers are seen. Features of those that are not are 0.
"""

from __future__ import annotations

import numpy as np

from secagent_env.radio_scenes.scenes import SHAPE, SNAPSHOTS, SUBCARRIERS
from secagent_env.radio_scenes.settings import ANTENNAS

DELAYS = (1, 2, 4, 8)
_PAIRS = SNAPSHOTS // 2
PARTS = {
    "spectrogram": (_PAIRS, SUBCARRIERS),
    "beams": (ANTENNAS, SUBCARRIERS),
    "direction": (len(DELAYS), SUBCARRIERS),
    "user level": (_PAIRS,),
    "user beams": (ANTENNAS,),
    "user correlation": (3, len(DELAYS)),
    "seen": (SUBCARRIERS,),
}
"""Shapes by name."""
SIZE = sum(int(np.prod(shape)) for shape in PARTS.values())
_FLOOR = 1e-3
"""Powers count as at least that, over the noise: −30 dB."""
LOWER = np.arange(SUBCARRIERS) < SUBCARRIERS // 2
"""The lower half of the band, (16,)."""
FEWEST = 2
"""Subcarriers that must be seen: with one, nothing tells what disturbs from the user."""


def features(received: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """Return the features of B observations, (B, SIZE) float32.

    Parameters
    ----------
    received
        (B, 16, 16, 8) complex: snapshots, subcarriers, antennas, over noise of power 1.
    seen
        Which subcarriers the sensor sees, (16,) or (B, 16) bool; None: all. The others may hold anything.

    Raises
    ------
    ValueError
        If the shape is another one, a number that is seen is not finite, or fewer than two subcarriers are seen.
    """
    received, mask = checked(received, seen)
    size = len(received)
    weight = mask[:, None, :, None]
    kept = np.where(weight, received, 0)
    user = kept.sum(axis=2) / mask.sum(axis=1)[:, None, None]
    rest = np.where(weight, kept - user[:, :, None], 0)
    power = np.mean(abs(rest) ** 2, axis=-1)
    beams = abs(np.fft.fft(rest, axis=-1)) ** 2 / ANTENNAS
    level = np.mean(abs(user) ** 2, axis=-1)
    parts = {
        "spectrogram": _decibel(power.reshape(size, _PAIRS, 2, SUBCARRIERS).mean(axis=2)) * mask[:, None],
        "beams": _decibel(np.swapaxes(beams.mean(axis=1), 1, 2)) * mask[:, None],
        "direction": np.stack([_kept(rest, delay) for delay in DELAYS], axis=1),
        "user level": _decibel(level.reshape(size, _PAIRS, 2).mean(axis=2)),
        "user beams": _decibel(np.mean(abs(np.fft.fft(user, axis=-1)) ** 2 / ANTENNAS, axis=1)),
        "user correlation": _correlation(user),
        "seen": mask,
    }
    rows = [parts[name].reshape(size, int(np.prod(shape))) for name, shape in PARTS.items()]
    return np.concatenate(rows, axis=1, dtype=np.float32)


def checked(received: np.ndarray, seen: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return observations (B, 16, 16, 8) as complex64 and their masks (B, 16); the errors of :func:`features`."""
    try:
        array = np.asarray(received)
    except ValueError:
        array = np.empty(0)
    if array.ndim != 4 or array.shape[1:] != SHAPE or array.dtype.kind not in "cfiu":
        raise ValueError(
            f"an observation must be complex numbers of shape {SHAPE} (snapshots, subcarriers, antennas), and several "
            f"a stack of them, got shape {array.shape} of {array.dtype}"
        )
    mask = np.ones(SUBCARRIERS, bool) if seen is None else np.asarray(seen)
    if mask.dtype != bool or mask.shape not in ((SUBCARRIERS,), (len(array), SUBCARRIERS)):
        raise ValueError(f"seen must be {SUBCARRIERS} truth values, or as many for each observation, got {mask!r:.80}")
    mask = np.broadcast_to(mask, (len(array), SUBCARRIERS))
    if (mask.sum(axis=1) < FEWEST).any():
        raise ValueError(f"a sensor must see at least {FEWEST} subcarriers")
    wrong = ~np.isfinite(array) & mask[:, None, :, None]
    if wrong.any():
        scene, snapshot, subcarrier, antenna = np.argwhere(wrong)[0]
        raise ValueError(
            f"{wrong.sum()} samples are not finite, the first in observation {scene} at snapshot {snapshot}, "
            f"subcarrier {subcarrier}, antenna {antenna}: repeat the measurement, or say in seen "
            "that the subcarrier is not seen"
        )
    return array.astype(np.complex64), mask


def _decibel(power: np.ndarray) -> np.ndarray:
    """Return powers in units of 10 dB."""
    return np.log10(np.maximum(power, _FLOOR))


def _kept(vectors: np.ndarray, delay: int) -> np.ndarray:
    """Return the mean over t of |v(t)ᴴ v(t + d)| / (|v(t)| |v(t + d)|) of (B, T, …, L), (B, …); 0 of zero vectors."""
    first, later = vectors[:, :-delay], vectors[:, delay:]
    both = np.linalg.norm(first, axis=-1) * np.linalg.norm(later, axis=-1)
    return np.mean(abs(np.sum(first.conj() * later, axis=-1)) / np.where(both > 0, both, 1), axis=1)


def _correlation(user: np.ndarray) -> np.ndarray:
    total = np.sum(abs(user) ** 2, axis=(1, 2))
    rows = []
    for delay in DELAYS:
        mean = np.sum(user[:, :-delay].conj() * user[:, delay:], axis=(1, 2)) * SNAPSHOTS / (SNAPSHOTS - delay)
        mean = mean / np.where(total > 0, total, 1)
        rows.append(np.stack([mean.real, mean.imag, _kept(user, delay)], axis=-1))
    return np.stack(rows, axis=-1)
