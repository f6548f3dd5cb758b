"""The linear test of secrecy (``docs/model.md``, 8.4), and which agents pass it.

A receiver gets a sender's message with the gain a, and eavesdropper e overhears it with the gain b_e; the others send
with powers q_m, W. The message is secret iff, for every e,

    a (Σ_m |h_m,e|² q_m + σ²) > b_e (Σ_m d_m q_m + σ²),

where d_m is the gain from m to the receiver: it is the ratio of gains that the others change, linearly in q. In the
uplink of agent n, a = d_n = g_n and b_e = |h_n,e|²: its own power cancels. Colluding eavesdroppers add their SINRs; the
test with Σ_e b_e on the right suffices for them, each e alone is necessary.
"""

from __future__ import annotations

import numpy as np

from secagent_env import Instance
from secagent_env.model.physics import combine_eavesdroppers


def linear_test(
    own: np.ndarray | float, overheard: np.ndarray | float, at_receiver: np.ndarray, at_eve: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the test of K messages and E eavesdroppers as rows Σ_m slope_m q_m / σ² + level > 0.

    Parameters
    ----------
    own, overheard
        a and b_e, both (K, E) or one of them a number: only their ratio counts, so either may be scaled to 1.
    at_receiver, at_eve
        d_m, (M,) or (K, 1, M), and |h_m,e|², (M, E), of the M agents that may jam.

    Returns
    -------
    slope, level
        (K, E, M) and (K, E).
    """
    own, overheard = np.asarray(own), np.asarray(overheard)
    return own[..., None] * at_eve.T - overheard[..., None] * at_receiver, own - overheard


def secret_senders(instance: Instance, jammer_w: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the agents that can send in secret beside jammers of power ``jammer_w`` (N,), W: (N,) bool.

    By default nobody jams, and agent n passes iff g_n > |h_n,eve|².
    """
    noise = instance.scenario.noise_power_w
    power = np.broadcast_to(jammer_w, instance.bs_gain.shape)
    at_eve = instance.gain_eve / (power @ instance.gain_eve + noise)
    at_bs = instance.bs_gain / (instance.bs_gain @ power + noise)
    return np.asarray(at_bs > combine_eavesdroppers(at_eve, instance.scenario.colluding))


def secret_at_best(instance: Instance) -> np.ndarray:
    """Return the agents that can send in secret with the best help of all the others, (N,) bool.

    For each eavesdropper that is when exactly those with a positive slope send at p_max. Necessary, not sufficient:
    each eavesdropper may need other helpers.
    """
    scenario = instance.scenario
    gain = instance.bs_gain
    slope, level = linear_test(gain[:, None], instance.gain_eve, gain, instance.gain_eve)
    best = scenario.max_power_w * np.maximum(slope, 0.0).sum(axis=2) + scenario.noise_power_w * level
    return np.asarray((best > 0).all(axis=1))
