"""The balanced beam: of full power, and nearly the one with the highest secrecy rate for the weakest selected agent.

With the SINRs a_k of the selected agents and b_e of the eavesdroppers at full power, jamming included, the rate (6) is
log2(1 + min a_k) − log2(1 + max b_e). Where a beam w is optimal, there are weights λ and μ, of sum 1, on the weakest
agents and the loudest eavesdroppers, so that

    w ∝ (ν I + Σ_e μ_e g_e g_eᴴ / (1 + b))⁻¹ Σ_k λ_k h_k h_kᴴ w / (1 + a)
    ν = Σ_k λ_k a_k / (1 + a) − Σ_e μ_e b_e / (1 + b)

with channels h_k and g_e in units of the interference that each receiver hears, a = min a_k and b = max b_e. From the
zero-forcing beam this is iterated; weights shift to the weakest agents and the loudest eavesdroppers, as in the
multiplicative updates of Gopalakrishnan and Sidiropoulos (2015) for multicasting without eavesdroppers. What is found
is a local optimum, in many networks the best beam known. The beam lies in the span of the channels, so that an
iteration costs O((K + E)²) operations for any number of antennas.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from secagent_env.model.batched import Array, namespace
from secagent_env.model.beams import beam_directions
from secagent_env.model.instance import Instance

ITERATIONS = 30
_RATE = 0.4
"""The exponent with which weights follow the SINRs: faster is rougher."""
_LEAST_WEIGHT = 1e-6
_FLOOR = 1e-3
"""Of ν, which is negative where an eavesdropper hears more than the weakest agent."""
_QUIET = 1e-2
"""Eavesdroppers' SINRs below this count as equal."""
_START = 2  # the zero-forcing direction


class _Heard(NamedTuple):
    """What receivers hear of a beam: amplitudes (…, K + E) complex, and the SINRs (…, K) and (…, E)."""

    amplitude: Array
    agents: Array
    eavesdroppers: Array


def balanced_beam(instance: Instance, selected: Array, jamming: Array, iterations: int = ITERATIONS) -> Array:
    """Return beams (…, L) complex, √W, of the power p_BS; zero where all channels to the selected agents are.

    Parameters
    ----------
    instance
        With batch dimensions (…), or fewer that broadcast to them.
    selected
        (…, K) integer, the indices of the selected agents; K ≥ 1.
    jamming
        (…, N), the powers of the jammers, W, zero for all others.
    iterations
        How many; 0 is the zero-forcing beam. The best beam on the way is returned.
    """
    xp: Any = namespace(instance.channel_bs, selected, jamming)
    scenario = instance.scenario
    count = selected.shape[-1]
    vectors = _vectors(instance, selected, jamming, xp)  # (…, K + E, L)
    gram = xp.matmul(xp.conj(vectors), xp.matrix_transpose(vectors))
    start = beam_directions(instance, selected)[..., _START, :]
    amplitude = xp.matmul(xp.conj(vectors), start[..., None])[..., 0]
    heard = _heard(amplitude, count)
    best, beam = _value(heard, scenario.colluding, xp), start
    agents = xp.ones_like(heard.agents) / count
    eavesdroppers = xp.ones_like(heard.eavesdroppers) / (1 if scenario.colluding else scenario.num_eavesdroppers)
    found = xp.zeros_like(amplitude)  # coefficients of the best beam; none: the start
    for _ in range(iterations):
        weakest = xp.min(heard.agents, axis=-1, keepdims=True)
        loudest = _loudest(heard, scenario.colluding, xp)
        agents = _normalised(agents * (weakest / _positive(heard.agents, xp) + _FLOOR) ** _RATE, xp)
        if not scenario.colluding:
            louder = (heard.eavesdroppers + _QUIET) / (loudest + _QUIET)
            eavesdroppers = _normalised(xp.clip(eavesdroppers * louder**_RATE, _LEAST_WEIGHT, None), xp)
        gained = xp.sum(agents * heard.agents, axis=-1, keepdims=True) / (1 + weakest)
        lost = xp.sum(eavesdroppers * heard.eavesdroppers, axis=-1, keepdims=True) / (1 + loudest)
        price = xp.clip(gained - lost, _FLOOR, None)
        wanted = agents / (1 + weakest) * heard.amplitude[..., :count]
        # (ν I + G D Gᴴ)⁻¹ H r is H r − G (ν D⁻¹ + GᴴG)⁻¹ Gᴴ H r, up to a factor.
        inner = gram[..., count:, count:] + (price * (1 + loudest) / eavesdroppers)[..., None] * _eye(gram, count, xp)
        leaked = xp.matmul(gram[..., count:, :count], wanted[..., None])
        coefficients = xp.concat([wanted, -xp.linalg.solve(inner, leaked)[..., 0]], axis=-1)
        amplitude = xp.matmul(gram, coefficients[..., None])[..., 0]
        length = xp.sqrt(_positive(xp.sum(xp.real(xp.conj(coefficients) * amplitude), axis=-1, keepdims=True), xp))
        coefficients, amplitude = coefficients / length, amplitude / length
        heard = _heard(amplitude, count)
        value = _value(heard, scenario.colluding, xp)
        better = value > best
        best = xp.where(better, value, best)
        found = xp.where(better[..., None], coefficients, found)
    improved = xp.any(found != 0, axis=-1)[..., None]
    beam = xp.where(improved, xp.matmul(found[..., None, :], vectors)[..., 0, :], beam)
    norm = xp.sqrt(xp.sum(xp.real(beam) ** 2 + xp.imag(beam) ** 2, axis=-1, keepdims=True))
    return beam * (scenario.bs_power_w**0.5 / xp.where(norm > 0, norm, 1.0))


def _vectors(instance: Instance, selected: Array, jamming: Array, xp: Any) -> Array:
    """Return the channels (…, K + E, L) of the selected agents and the eavesdroppers: |vᴴw|² is an SINR for ‖w‖ = 1."""
    scenario = instance.scenario
    batch = np.broadcast_shapes(tuple(selected.shape[:-1]), tuple(jamming.shape[:-1]), instance.batch_shape)
    channels = xp.broadcast_to(instance.channel_bs, (*batch, *instance.channel_bs.shape[-2:]))
    noise = scenario.noise_power_w
    interference = xp.matmul(jamming[..., None, :], instance.gain_agents)[..., 0, :] + noise
    interference_eve = xp.matmul(jamming[..., None, :], instance.gain_eve)[..., 0, :] + noise
    chosen = xp.broadcast_to(selected, (*batch, selected.shape[-1]))
    channels = xp.take_along_axis(channels, chosen[..., None], axis=-2)
    interference = xp.take_along_axis(xp.broadcast_to(interference, (*batch, interference.shape[-1])), chosen, axis=-1)
    own = channels * xp.sqrt(scenario.bs_power_w / interference)[..., None]
    eve = instance.channel_eve * xp.sqrt(scenario.bs_power_w / interference_eve)[..., None]
    return xp.concat([own, xp.broadcast_to(eve, (*batch, *eve.shape[-2:]))], axis=-2)


def _heard(amplitude: Array, count: int) -> _Heard:
    squared = abs(amplitude) ** 2
    return _Heard(amplitude, squared[..., :count], squared[..., count:])


def _loudest(heard: _Heard, colluding: bool, xp: Any) -> Array:
    reduce = xp.sum if colluding else xp.max
    return reduce(heard.eavesdroppers, axis=-1, keepdims=True)


def _value(heard: _Heard, colluding: bool, xp: Any) -> Array:
    """Return (1 + min a) / (1 + max b), (…)."""
    return ((1 + xp.min(heard.agents, axis=-1, keepdims=True)) / (1 + _loudest(heard, colluding, xp)))[..., 0]


def _normalised(weights: Array, xp: Any) -> Array:
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def _positive(values: Array, xp: Any) -> Array:
    return xp.where(values > 0, values, 1e-300)


def _eye(gram: Array, count: int, xp: Any) -> Array:
    return xp.eye(gram.shape[-1] - count, dtype=gram.dtype)
