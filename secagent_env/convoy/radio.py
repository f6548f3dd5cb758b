"""The shared channel: slotted access, interference, capture.

Who sends in a step does so in one of its slots, drawn at random. A message of b bits in a slot of T s and W Hz needs
the SINR that Shannon's formula asks for, 2^(b/(W T)) − 1: a short message is heard through more noise, more walls and
more interference than a long one. Who sends hears nothing in the same slot.
"""

from __future__ import annotations

import numpy as np

WAVELENGTH_M = 299_792_458.0 / 5.9e9


def path_gain(distance_m: np.ndarray, clear: np.ndarray, wall_loss_db: float) -> np.ndarray:
    """Return power gains (…): Friis' formula at 5.9 GHz, beyond 1 m, and a loss where buildings stand between."""
    gain = (WAVELENGTH_M / (4 * np.pi * np.maximum(distance_m, 1.0))) ** 2
    return np.asarray(gain * np.where(clear, 1.0, 10 ** (-wall_loss_db / 10)))


def needed_sinr(bits: np.ndarray, bandwidth_hz: float, slot_s: float) -> np.ndarray:
    """Return the SINR that a message of so many bits needs in one slot."""
    return np.asarray(np.exp2(np.asarray(bits) / (bandwidth_hz * slot_s)) - 1)


def heard(
    power_w: np.ndarray, slot: np.ndarray, gain: np.ndarray, needed: np.ndarray, noise_w: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return who hears whom, (…, R, R) bool by receiver and sender, and the SINRs.

    Parameters
    ----------
    power_w
        (…, R), W; 0 where a node is silent.
    slot
        (…, R): the slot of each node.
    gain
        (…, R, R): power gain by receiver and sender.
    needed
        (…, R): the SINR that each message needs.
    noise_w
        The noise power of a receiver, W.
    """
    same = slot[..., :, None] == slot[..., None, :]
    received = gain * power_w[..., None, :]
    # What a receiver r gets in the slot of sender j: all that is sent there.
    total = np.einsum("...rk,...jk->...rj", received, same.astype(float))
    sinr = received / (noise_w + np.maximum(total - received, 0.0))
    sends = power_w > 0
    deaf = same & sends[..., :, None]  # the receiver sends in that slot itself
    return (sinr >= needed[..., None, :]) & sends[..., None, :] & ~deaf, sinr
