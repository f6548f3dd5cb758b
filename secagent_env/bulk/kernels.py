"""Random networks and their observations in machine code, one environment after the other, of numbers by counter.

All random numbers are those of Philox4x32-10 (Salmon, Moraes, Dror, Shaw: *Parallel random numbers: as easy as 1, 2,
3*, SC 2011): for each key a bijection of counters. The key is the seed, the counter holds the episode and the index:
nothing is drawn twice, and nothing depends on what was drawn before. Single precision is enough for what is random and
for what is seen; distances, times, accuracies and sums are in float64.

The functions of single precision are those of FreeBSD's msun and of Cephes, written out: they vectorise, and have the
same bits on every machine.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secagent_env.bulk.compiling import compiled, inlined, summing

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_MULTIPLY_0, _MULTIPLY_2 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10

_ONE, _TWO, _FRACTION = np.float32(1), np.float32(2), np.float32(0.5)
_UNIT, _UNIT_32 = 2.0**-32, np.float32(2.0**-32)
_ALL = np.uint32(0xFFFFFFFF)
_SQRT_HALF, _TO_ONE, _MANTISSA = np.int32(0x3F3504F3), np.int32(0x3F800000 - 0x3F3504F3), np.int32(0x7FFFFF)
_LN2, _LN2_REST = np.float32(6.9313812256e-1), np.float32(9.0580006145e-6)
_LOG_1, _LOG_2 = np.float32(0xAAAAAA / 2**24), np.float32(0xCCCE13 / 2**25)
_LOG_3, _LOG_4 = np.float32(0x91E9EE / 2**25), np.float32(0xF89E26 / 2**26)
_QUARTER, _RADIANS = np.uint32(1 << 29), np.float32(2 * math.pi / 2**32)
_SIN_1, _SIN_2, _SIN_3 = np.float32(-1.6666654611e-1), np.float32(8.3321608736e-3), np.float32(-1.9515295891e-4)
_COS_1, _COS_2, _COS_3 = np.float32(4.166664568e-2), np.float32(-1.388731625e-3), np.float32(2.443315711e-5)
_PER_LEVEL = np.float32(0.25 / math.log(10))
_LEAST, _MOST = np.float32(1e-37), np.float32(1e38)
"""The range in which float32 has all its digits."""


# --- Random numbers -------------------------------------------------------------------------------------------


@inlined
def philox(x0: Any, x1: Any, x2: Any, x3: Any, k0: Any, k1: Any) -> Any:
    """Return the four words of a counter of four and a key of two, words of 32 bits, all as uint64."""
    for _ in range(_ROUNDS):
        p0, p2 = _MULTIPLY_0 * x0, _MULTIPLY_2 * x2
        x0, x1, x2, x3 = (p2 >> _HALF) ^ x1 ^ k0, p2 & _LOW, (p0 >> _HALF) ^ x3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    return x0, x1, x2, x3


@compiled
def fill_words(words: Any, key: Any, episode: Any) -> None:
    """Fill ``words`` (4 B,) uint32 with the first numbers of an episode, those of the counters (0 … B − 1, 0, episode).

    Counter and key are in words of 32 bits, the low one first, ``key`` and ``episode`` uint64.
    """
    for b in range(words.shape[0] // 4):
        words[4 * b], words[4 * b + 1], words[4 * b + 2], words[4 * b + 3] = philox(
            np.uint64(b), np.uint64(0), episode & _LOW, episode >> _HALF, key & _LOW, key >> _HALF
        )


@inlined
def uniform(word: Any) -> Any:
    """Return a number in (0, 1), float64."""
    return (word + 0.5) * _UNIT


@inlined
def _log_of(exponent: Any, f: Any) -> Any:
    """Return ln(2^exponent (1 + f)), float32, for 1 + f in [√½, √2)."""
    s = f / (_TWO + f)
    z = s * s
    w = z * z
    rest = w * (_LOG_2 + w * _LOG_4) + z * (_LOG_1 + w * _LOG_3)
    square = _FRACTION * f * f
    return s * (square + rest) + exponent * _LN2_REST - square + f + exponent * _LN2


@inlined
def _split(x: Any) -> Any:
    """Return (exponent, f) of a positive float32 x = 2^exponent (1 + f), 1 + f in [√½, √2)."""
    shifted = np.int32(np.float32(x).view(np.int32) + _TO_ONE)
    exponent = np.float32(np.int32(shifted >> np.int32(23)) - np.int32(127))
    mantissa = np.int32(np.int32(shifted & _MANTISSA) + _SQRT_HALF).view(np.float32)
    return exponent, mantissa - _ONE


@inlined
def exponential(word: Any) -> Any:
    """Return a standard exponential number, float32: −ln(1 − u), to float32's precision at both ends."""
    u = (np.float32(word) + _FRACTION) * _UNIT_32
    exponent, f = _split((np.float32(np.uint32(word ^ _ALL)) + _FRACTION) * _UNIT_32)
    return -_log_of(exponent, -u if exponent == 0 else f)


@inlined
def turn(word: Any) -> Any:
    """Return cosine and sine of a uniform angle, float32."""
    quadrant = np.uint32(np.uint32(word + _QUARTER) >> np.uint32(30))
    angle = np.float32(np.uint32(word - np.uint32(quadrant << np.uint32(30))).view(np.int32)) * _RADIANS
    z = angle * angle
    sine = angle + angle * z * (_SIN_1 + z * (_SIN_2 + z * _SIN_3))
    cosine = _ONE - _FRACTION * z + z * z * (_COS_1 + z * (_COS_2 + z * _COS_3))
    odd, late = quadrant & np.uint32(1), quadrant & np.uint32(2)
    along, across = (sine, cosine) if odd else (cosine, sine)
    return (-along if late ^ np.uint32(odd << np.uint32(1)) else along), (-across if late else across)


# --- Instances ------------------------------------------------------------------------------------------------


@compiled
def draw(
    rows: Any,
    keys: Any,
    episodes: Any,
    ranges: Any,
    widths: Any,
    constants: Any,
    channel_bs: Any,
    channel_eve: Any,
    gain_agents: Any,
    gain_eve: Any,
    inference_time: Any,
    compute_power: Any,
    accuracy: Any,
    position: Any,
    eve_position: Any,
    bs_gain: Any,
) -> None:
    """Write instances of B environments to the ``rows`` (B,) of arrays, which are those of an Instance, float64.

    Parameters
    ----------
    keys, episodes
        (B,) uint64 each.
    ranges
        (9, 2), the lowest value and the width of the range of x, y, k, q, f, p^exe, ln C, and the eavesdroppers' x and
        y.
    widths
        k of each agent (N,) where it is not drawn, or (0,).
    constants
        The operations per k but those of tool calls, δ, the mean gain at 1 m, and the radius of the disc in which an
        eavesdropper is.
    channel_bs, channel_eve
        (·, N, 2L) and (·, E, 2L): real and imaginary parts in turn.
    bs_gain
        (·, N): g of (9).
    """
    agents, eves, antennas = channel_bs.shape[1], channel_eve.shape[1], channel_bs.shape[2] // 2
    operations, difficulty, at_1m, radius = constants
    coefficients, pairs = (agents + eves) * antennas, agents * (agents - 1) // 2
    fading = 7 * agents + 4 * eves
    gains = fading + 2 * coefficients
    words = np.empty((gains + pairs + agents * eves + 3) // 4 * 4, np.uint32)
    real, imaginary = np.empty(coefficients, np.float32), np.empty(coefficients, np.float32)
    power = np.empty(pairs + agents * eves, np.float32)
    x, y, eve_x, eve_y = np.empty(agents), np.empty(agents), np.empty(eves), np.empty(eves)
    for i, row in enumerate(rows):
        fill_words(words, keys[i], episodes[i])
        _fading(words[fading:gains], real, imaginary)
        for j in range(power.shape[0]):
            power[j] = exponential(words[gains + j])

        for n in range(agents):
            position[row, n, 0] = x[n] = _spread(words[n], ranges[0])
            position[row, n, 1] = y[n] = _spread(words[agents + n], ranges[1])
            width = widths[n] if widths.shape[0] else _spread(words[2 * agents + n], ranges[2])
            tokens = math.floor(_spread(words[3 * agents + n], ranges[3]))
            rate = _spread(words[4 * agents + n], ranges[4])
            compute_power[row, n] = _spread(words[5 * agents + n], ranges[5])
            log_budget = _spread(words[6 * agents + n], ranges[6])
            inference_time[row, n] = width * (operations + tokens + tokens * tokens) / rate
            right = -math.expm1((0.2 - 0.45 / (1 + 3000 / width) * log_budget) / difficulty)
            accuracy[row, n] = min(max(right, 0.0), 1.0)
        for e in range(eves):
            word = 7 * agents + 4 * e
            eve_position[row, e, 0] = eve_x[e] = _spread(words[word], ranges[7])
            eve_position[row, e, 1] = eve_y[e] = _spread(words[word + 1], ranges[8])
            distance, angle = radius * math.sqrt(uniform(words[word + 2])), 2 * math.pi * uniform(words[word + 3])
            eve_x[e] += distance * math.cos(angle)
            eve_y[e] += distance * math.sin(angle)

        _channels(x, y, at_1m, real, imaginary, channel_bs[row])
        _channels(eve_x, eve_y, at_1m, real[agents * antennas :], imaginary[agents * antennas :], channel_eve[row])
        _gains(x, y, at_1m, power, gain_agents[row])
        for n in range(agents):
            for e in range(eves):
                squared = _squared_distance(x[n] - eve_x[e], y[n] - eve_y[e])
                gain_eve[row, n, e] = at_1m / squared * power[pairs + n * eves + e]
            bs_gain[row, n] = squared_length(channel_bs[row, n])


@inlined
def _spread(word: Any, bounds: Any) -> Any:
    """Return a number that is uniform from a lowest value on, over a range of this width."""
    return bounds[0] + bounds[1] * uniform(word)


@inlined
def _squared_distance(x: Any, y: Any) -> Any:
    """Return the squared length of an offset in m², at least 1."""
    return max(x * x + y * y, 1.0)


@inlined
def _fading(words: Any, real: Any, imaginary: Any) -> None:
    """Write complex normal numbers (C,), each part with the variance 1, from words (2C,)."""
    for j in range(real.shape[0]):
        length = math.sqrt(_TWO * exponential(words[j]))
        along, across = turn(words[real.shape[0] + j])
        real[j], imaginary[j] = length * along, length * across


@inlined
def _channels(x: Any, y: Any, at_1m: Any, real: Any, imaginary: Any, channel: Any) -> None:
    """Write the channels (M, 2L) from the base station to places (M,), of normal numbers (M L,)."""
    antennas = channel.shape[1] // 2
    for m in range(channel.shape[0]):
        deviation = math.sqrt(0.5 * at_1m / _squared_distance(x[m], y[m]))
        own_real, own_imaginary, own = real[m * antennas :], imaginary[m * antennas :], channel[m]
        for k in range(antennas):
            own[2 * k] = deviation * own_real[k]
            own[2 * k + 1] = deviation * own_imaginary[k]


@inlined
def _gains(x: Any, y: Any, at_1m: Any, power: Any, gain: Any) -> None:
    """Write the gains (N, N) between places (N,), the same both ways, of exponential numbers for each pair."""
    agents, first = gain.shape[0], 0
    for n in range(agents):
        gain[n, n] = 0.0
        others_x, others_y, own_power, own = x[n + 1 :], y[n + 1 :], power[first:], gain[n, n + 1 :]
        for m in range(own.shape[0]):
            own[m] = at_1m / _squared_distance(x[n] - others_x[m], y[n] - others_y[m]) * own_power[m]
        first += own.shape[0]
    for n in range(1, agents):
        for m in range(n):
            gain[n, m] = gain[m, n]


@summing
def squared_length(parts: Any) -> Any:
    """Return the sum of the squares of numbers (M,)."""
    total = 0.0
    for k in range(parts.shape[0]):
        total += parts[k] * parts[k]
    return total


# --- Observations ---------------------------------------------------------------------------------------------


@compiled
def observe(
    rows: Any,
    into: Any,
    task: Any,
    units: Any,
    channels: Any,
    channel_bs: Any,
    channel_eve: Any,
    gain_agents: Any,
    gain_eve: Any,
    inference_time: Any,
    compute_power: Any,
    accuracy: Any,
    bs_gain: Any,
    seen: Any,
) -> None:
    """Write the flat or compact observations of the instances in ``rows`` (B,) to the rows ``into`` (B,) of ``seen``.

    Parameters
    ----------
    task
        The part of that name, (6,).
    units
        Mean execution energy, J; latency limit, s; highest compute power, W; SNR of a gain of 1, of an agent and of the
        base station; the bound of all entries.
    channels
        Whether the observation is the flat one, with all channels.
    channel_bs, channel_eve, gain_agents, gain_eve, inference_time, compute_power, accuracy, bs_gain
        As in :func:`draw`.
    """
    agents, eves, antennas = channel_bs.shape[1], channel_eve.shape[1], channel_bs.shape[2] // 2
    mean_energy, limit, most_power, agent_snr, base_snr, bound = units
    eve_gain = np.empty(eves)
    for i, row in enumerate(rows):
        own = seen[into[i]]
        own[:6] = task
        start = 6
        for n in range(agents):
            own[start] = level(np.float32(bs_gain[row, n] * agent_snr), bound)
            own[start + 1] = min(compute_power[row, n] * inference_time[row, n] / mean_energy, bound)
            own[start + 2] = min(inference_time[row, n] / limit, bound)
            own[start + 3] = min(compute_power[row, n] / most_power, bound)
            own[start + 4] = accuracy[row, n]
            for e in range(eves):
                own[start + 5 + e] = level(np.float32(gain_eve[row, n, e] * agent_snr), bound)
            start += 5 + eves
        for e in range(eves):
            eve_gain[e] = squared_length(channel_eve[row, e])
            own[start + e] = level(np.float32(eve_gain[e] * base_snr), bound)
        if channels:
            start += eves
            end = start + 2 * antennas * agents
            _directions(channel_bs[row], bs_gain[row], bound, own[start:end])
            start, end = end, end + 2 * antennas * eves
            _directions(channel_eve[row], eve_gain, bound, own[start:end])
            _levels(gain_agents[row], agent_snr, bound, own[end:])


@inlined
def level(ratio: Any, bound: Any) -> Any:
    """Return a ratio, float32, in dB / 40, float32, within the bounds."""
    exponent, f = _split(min(max(ratio, _LEAST), _MOST))
    decibels = _PER_LEVEL * _log_of(exponent, f)
    return np.float32(-bound) if ratio <= _LEAST else np.float32(bound) if ratio >= _MOST else decibels


@inlined
def _levels(gain: Any, snr: Any, bound: Any, seen: Any) -> None:
    """Write the levels of gains (N, N), row by row, and 0 on the diagonal."""
    agents = gain.shape[0]
    for n in range(agents):
        own, target = gain[n], seen[n * agents :]
        for m in range(agents):
            target[m] = own[m] * snr
    for j in range(agents * agents):  # of float32 alone, twice as many at a time
        seen[j] = level(seen[j], bound)
    for n in range(agents):
        seen[n * agents + n] = 0.0


@inlined
def _directions(channels: Any, gains: Any, bound: Any, seen: Any) -> None:
    """Write the directions of channels (M, 2L) of squared lengths (M,), each √L long: real, then imaginary parts."""
    antennas = channels.shape[1] // 2
    for m in range(channels.shape[0]):
        scale = math.sqrt(antennas / gains[m]) if gains[m] > 0 else math.sqrt(antennas)
        own, real, imaginary = channels[m], seen[2 * antennas * m :], seen[2 * antennas * m + antennas :]
        for k in range(antennas):
            real[k] = own[2 * k] * scale
            imaginary[k] = own[2 * k + 1] * scale
    if antennas > bound * bound:
        for j in range(seen.shape[0]):
            seen[j] = min(max(seen[j], np.float32(-bound)), np.float32(bound))
