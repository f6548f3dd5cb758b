"""The physics of a decision in machine code: what :func:`~secagent_env.evaluate` computes, to rounding.

Equation numbers are those of *Secure and Energy-Efficient Wireless Agentic AI Networks*, as there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secagent_env.bulk.compiling import compiled, inlined, summing

FIGURES = (
    "execution_energy_j",
    "transmission_energy_j",
    "downlink_time_s",
    "inference_time_s",
    "uplink_time_s",
    "downlink_secrecy",
    "mean_accuracy",
    "count",
    "beam_power_w",
    "capped_energy_j",
    "everyone_j",
)
"""The figures of :func:`score`, in their order: those of an Outcome, how many are selected, the power of the beam, the
transmission energy in which no transmission takes longer than the latency limit, and that of all agents computing."""


@compiled
def score(
    channel_bs: Any,
    channel_eve: Any,
    gain_agents: Any,
    gain_eve: Any,
    inference_time: Any,
    compute_power: Any,
    accuracy: Any,
    bs_gain: Any,
    selection: Any,
    beamformer: Any,
    power: Any,
    constants: Any,
    colluding: Any,
    figures: Any,
    uplink_secrecy: Any,
) -> None:
    """Write the :data:`FIGURES` (11, B) and the secrecy rates (B, N) of the uplink of decisions.

    Parameters
    ----------
    channel_bs, channel_eve, beamformer
        (B, N, 2L), (B, E, 2L) and (B, 2L): real and imaginary parts in turn.
    constants
        σ², W; the times of downlink and uplink at 1 bit/s/Hz, and the latency limit, s.
    """
    agents, eves = gain_eve.shape[1:]
    noise, downlink_s, uplink_s, limit = constants
    heard, heard_eve = np.empty(agents), np.empty(eves)
    sinr, sinr_eve, after = np.empty(agents), np.empty((agents, eves)), np.empty(agents)
    for i in range(power.shape[0]):
        chosen, sent = selection[i], np.maximum(power[i], 0.0)
        count, right, execution, everyone, inference = 0, 0.0, 0.0, 0.0, 0.0
        for n in range(agents):
            energy = compute_power[i, n] * inference_time[i, n]
            everyone += energy
            if chosen[n]:
                count += 1
                right += accuracy[i, n]
                execution += energy
                inference = max(inference, inference_time[i, n])

        # Downlink, (3)-(7): the slowest selected agent against the best eavesdropper.
        heard[:] = noise
        heard_eve[:] = noise
        for n in range(agents):
            if sent[n] > 0 and not chosen[n]:
                for m in range(agents):
                    heard[m] += sent[n] * gain_agents[i, n, m]
                for e in range(eves):
                    heard_eve[e] += sent[n] * gain_eve[i, n, e]
        weakest, strongest = math.inf, 0.0
        for n in range(agents):
            if chosen[n]:
                weakest = min(weakest, received(channel_bs[i, n], beamformer[i]) / heard[n])
        for e in range(eves):
            listened = received(channel_eve[i, e], beamformer[i]) / heard_eve[e]
            strongest = strongest + listened if colluding else max(strongest, listened)
        secrecy = _secrecy_rate(weakest if count else 0.0, strongest)
        downlink = downlink_s / secrecy

        # Uplink, (9)-(12): everybody with power sends at once, jammers included.
        _uplink(bs_gain[i], sent, noise, after, sinr)
        for e in range(eves):
            _uplink(gain_eve[i, :, e], sent, noise, after, sinr_eve[:, e])
        uplink = 0.0
        for n in range(agents):
            uplink_secrecy[i, n] = 0.0
            if chosen[n]:
                strongest = 0.0
                for e in range(eves):
                    strongest = strongest + sinr_eve[n, e] if colluding else max(strongest, sinr_eve[n, e])
                uplink_secrecy[i, n] = _secrecy_rate(sinr[n], strongest)
                uplink = max(uplink, uplink_s / uplink_secrecy[i, n])

        # Energies (18): senders for their own time, jammers for both phases.
        transmission = capped = 0.0
        capped_jamming = min(downlink, limit) + min(uplink, limit)
        for n in range(agents):
            if sent[n] > 0:
                time = uplink_s / uplink_secrecy[i, n] if chosen[n] else downlink + uplink
                transmission += sent[n] * time
                capped += sent[n] * (min(time, limit) if chosen[n] else capped_jamming)
        figures[0, i], figures[1, i], figures[2, i] = execution, transmission, downlink
        figures[3, i], figures[4, i], figures[5, i] = inference, uplink, secrecy
        figures[6, i], figures[7, i], figures[8, i] = right / max(count, 1), count, squared(beamformer[i])
        figures[9, i], figures[10, i] = capped, everyone


@inlined
def _secrecy_rate(sinr: Any, sinr_eve: Any) -> Any:
    """Return the secrecy rate [log2(1 + a) − log2(1 + b)]⁺ in bit/s/Hz, (6) and (11)."""
    return math.log1p(max(sinr - sinr_eve, 0.0) / (1 + sinr_eve)) / math.log(2)


@inlined
def _uplink(gain: Any, sent: Any, noise: Any, after: Any, sinr: Any) -> None:
    """Write the SINR of each sender, (9) or (10), (N,): the others are summed up, without a subtraction."""
    total = 0.0
    for n in range(gain.shape[0] - 1, -1, -1):
        after[n] = total
        total += gain[n] * sent[n]
    before = 0.0
    for n in range(gain.shape[0]):
        power = gain[n] * sent[n]
        sinr[n] = power / (before + after[n] + noise)
        before += power


@summing
def received(channel: Any, beam: Any) -> Any:
    """Return |hᴴw|² of vectors (2L,)."""
    real = imaginary = 0.0
    for k in range(channel.shape[0] // 2):
        real += channel[2 * k] * beam[2 * k] + channel[2 * k + 1] * beam[2 * k + 1]
        imaginary += channel[2 * k] * beam[2 * k + 1] - channel[2 * k + 1] * beam[2 * k]
    return real * real + imaginary * imaginary


@summing
def squared(parts: Any) -> Any:
    """Return the sum of the squares of numbers (M,)."""
    total = 0.0
    for k in range(parts.shape[0]):
        total += parts[k] * parts[k]
    return total
