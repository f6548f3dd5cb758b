"""The guided action format in machine code: what ``GuidedFormat.decide`` does, to rounding, one action after the other.

Letters: K selected agents, L antennas, E eavesdroppers. Complex vectors are their real parts, then their imaginary
parts, (2, L); matrices that are solved with are Hermitian and positive definite.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secagent_env.bulk.compiling import compiled, inlined, summing

DIRECTIONS = 4


@compiled
def decide(
    action: Any,
    channel_bs: Any,
    channel_eve: Any,
    bs_gain: Any,
    required: Any,
    constants: Any,
    selection: Any,
    beamformer: Any,
    power: Any,
) -> None:
    """Write the decisions of B actions (B, 2N + 5) within ±1.

    Parameters
    ----------
    channel_bs, channel_eve, bs_gain
        (B, N, 2L) and (B, E, 2L), real and imaginary parts in turn, and (B, N).
    required
        N_min.
    constants
        Power budgets of an agent and of the base station, noise power, and least jamming power, W; the ranges of common
        level and offset, dB; the ridge of the Gram matrix; the share of its weights below which a mixture of directions
        is no beam.
    selection, beamformer, power
        What is written: (B, N) bool, (B, 2L), real and imaginary parts in turn, and (B, N).
    """
    agents, antennas, eves = channel_bs.shape[1], channel_bs.shape[2] // 2, channel_eve.shape[1]
    most, base, noise, least, common_db, offset_db, ridge, cancelled = constants
    octaves, heard_scale = math.log(most / least), math.sqrt(base / noise)
    order = np.empty(required, np.int64)
    unit, filtered = np.empty((required, 2, antennas)), np.empty((required, 2, antennas))
    heard, directions = np.empty((eves, 2, antennas)), np.empty((DIRECTIONS, 2, antennas))
    inner, weights = np.empty((eves, eves), np.complex128), np.empty(eves, np.complex128)
    gram, coefficients = np.empty((required, required), np.complex128), np.empty(required, np.complex128)
    beam = np.empty((2, antennas))
    for i in range(action.shape[0]):
        own, gain = action[i], bs_gain[i]
        _rank(own[:agents], order)
        _powers(own, gain, order, selection[i], (most, noise, least, octaves, common_db, offset_db), power[i])

        weakest = 0
        for k in range(required):
            length = math.sqrt(gain[order[k]]) if gain[order[k]] > 0 else 1.0
            _parts(channel_bs[i, order[k]], 1 / length, unit[k])
            if gain[order[k]] < gain[order[weakest]]:
                weakest = k

        # F x = x − A (I + AᴴA)⁻¹ Aᴴ x with the columns A = g_e √(p_BS/σ²).
        for e in range(eves):
            _parts(channel_eve[i, e], heard_scale, heard[e])
            for other in range(e + 1):
                inner[e, other] = dot(heard[e], heard[other])
            inner[e, e] += 1
        _factorise(inner)
        for k in range(required):
            filtered[k] = unit[k]
            for e in range(eves):
                weights[e] = dot(heard[e], unit[k])
            _solve(inner, weights)
            for e in range(eves):
                _subtract(weights[e].conjugate(), heard[e], filtered[k])

        # ĥ_kᴴ F Σ_j ĥ_j c_j = ‖h_weakest‖ / ‖h_k‖ for all k.
        shortest = math.sqrt(gain[order[weakest]]) if gain[order[weakest]] > 0 else 1.0
        for k in range(required):
            for j in range(k + 1):
                gram[k, j] = dot(filtered[k], unit[j])
            gram[k, k] += ridge
            length = math.sqrt(gain[order[k]]) if gain[order[k]] > 0 else 1.0
            coefficients[k] = shortest / length
        _factorise(gram)
        _solve(gram, coefficients)

        directions[:] = 0.0
        for k in range(required):
            _subtract(-1.0 + 0j, unit[k], directions[0])
            _subtract(-1.0 + 0j, filtered[k], directions[1])
            _subtract(-coefficients[k].conjugate(), filtered[k], directions[2])
        directions[3] = filtered[weakest]
        beam[:] = 0.0
        sum_of_weights = 0.0
        for d in range(DIRECTIONS):
            weight = own[2 * agents + 1 + d]
            sum_of_weights += weight * weight
            length = math.sqrt(dot(directions[d], directions[d]).real)
            _subtract(-weight * abs(weight) / (length if length > 0 else 1.0) + 0j, directions[d], beam)
        length = math.sqrt(dot(beam, beam).real)
        scale = math.sqrt(base) / length if length > cancelled * sum_of_weights else 0.0
        for k in range(antennas):
            beamformer[i, 2 * k], beamformer[i, 2 * k + 1] = scale * beam[0, k], scale * beam[1, k]


@inlined
def _rank(scores: Any, order: Any) -> None:
    """Write which scores are the highest, the highest first, of equal ones the first (K,)."""
    found = 0
    for n in range(scores.shape[0]):
        score = scores[n]
        if found < order.shape[0]:
            found += 1
        elif score <= scores[order[found - 1]]:
            continue
        place = found - 1
        while place > 0 and scores[order[place - 1]] < score:
            order[place] = order[place - 1]
            place -= 1
        order[place] = n


@inlined
def _powers(own: Any, gain: Any, order: Any, selection: Any, constants: Any, power: Any) -> None:
    """Write who is selected, and the powers of senders and jammers (N,)."""
    most, noise, least, octaves, common_db, offset_db = constants
    agents = gain.shape[0]
    selection[:] = False
    for k in range(order.shape[0]):
        selection[order[k]] = True
    common = common_db * own[2 * agents]
    for n in range(agents):
        entry = own[agents + n]
        if selection[n]:
            received = math.exp((common + offset_db * entry) * (math.log(10.0) / 10))
            power[n] = min(received * (noise / max(gain[n], 1e-300)), most)
        else:
            power[n] = min(max(least * math.exp(entry * octaves), least), most) if entry > 0 else 0.0


@inlined
def _parts(channel: Any, scale: Any, parts: Any) -> None:
    """Write the parts (2, L) of a scaled channel (2L,)."""
    for k in range(parts.shape[1]):
        parts[0, k], parts[1, k] = scale * channel[2 * k], scale * channel[2 * k + 1]


@summing
def dot(x: Any, y: Any) -> Any:
    """Return Σ x ȳ of vectors (2, L)."""
    real = imaginary = 0.0
    for k in range(x.shape[1]):
        real += x[0, k] * y[0, k] + x[1, k] * y[1, k]
        imaginary += x[1, k] * y[0, k] - x[0, k] * y[1, k]
    return complex(real, imaginary)


@inlined
def _subtract(factor: Any, x: Any, y: Any) -> None:
    """Subtract a multiple of x from y, vectors (2, L)."""
    real, imaginary = factor.real, factor.imag
    for k in range(x.shape[1]):
        y[0, k] -= real * x[0, k] - imaginary * x[1, k]
        y[1, k] -= real * x[1, k] + imaginary * x[0, k]


@inlined
def _factorise(matrix: Any) -> None:
    """Replace the lower triangle of a matrix by its Cholesky factor, with the inverses of the diagonal."""
    for column in range(matrix.shape[0]):
        rest = matrix[column, column].real
        for k in range(column):
            rest -= matrix[column, k].real ** 2 + matrix[column, k].imag ** 2
        inverse = 1 / math.sqrt(rest)
        matrix[column, column] = inverse
        for row in range(column + 1, matrix.shape[0]):
            entry = matrix[row, column]
            for k in range(column):
                entry -= matrix[row, k] * matrix[column, k].conjugate()
            matrix[row, column] = entry * inverse


@inlined
def _solve(factor: Any, right: Any) -> None:
    """Replace a vector by the solution of a system whose matrix is factorised."""
    for row in range(right.shape[0]):
        entry = right[row]
        for k in range(row):
            entry -= factor[row, k] * right[k]
        right[row] = entry * factor[row, row].real
    for row in range(right.shape[0] - 1, -1, -1):
        entry = right[row]
        for k in range(row + 1, right.shape[0]):
            entry -= factor[k, row].conjugate() * right[k]
        right[row] = entry * factor[row, row].real
