"""The balanced beam: of full power, and nearly the one with the highest secrecy rate for the weakest selected agent.

With the SINRs a_k of the selected agents and b_e of the eavesdroppers at full power, jamming included, the rate (6) is
log2(1 + min a_k) − log2(1 + max b_e). Where a beam w is optimal, there are weights λ and μ, of sum 1, on the weakest
agents and the loudest eavesdroppers, so that

    w ∝ (ν I + Σ_e μ_e g_e g_eᴴ / (1 + b))⁻¹ Σ_k λ_k h_k h_kᴴ w
    ν = Σ_k λ_k a_k / (1 + a) − Σ_e μ_e b_e / (1 + b)

with channels h_k and g_e in units of the interference that each receiver hears, a = min a_k and b = max b_e. From the
zero-forcing beam this is iterated, without the divisor 1 + b: with it, a loud eavesdropper is silenced slowly (in
`contested` the rate was 8 % less after 30 steps), and where none is loud it is 1 anyway. Weights shift to the weakest
agents and the loudest eavesdroppers, as in the multiplicative updates of Gopalakrishnan and Sidiropoulos (2015) for
multicasting without eavesdroppers. What is found is a local optimum, in many networks the best beam known. An iteration
costs O((K + E) L) operations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from secagent_env.model.batched import Array, namespace
from secagent_env.model.beams import beam_directions
from secagent_env.model.instance import Instance

ITERATIONS = 30
_RATE = 0.6
"""The exponent with which weights follow the SINRs: faster is rougher."""
_LEAST_WEIGHT = 1e-6
_FLOOR = 1e-3
"""Of ν, which is negative where an eavesdropper hears more than the weakest agent."""
_QUIET = 1e-2
"""Eavesdroppers' SINRs below this count as equal."""
_START = 2  # the zero-forcing direction


class _Heard(NamedTuple):
    """What is heard of a beam: amplitudes (…, K) complex and SINRs (…, K) of the agents, SINRs (…, E) of the others."""

    amplitude: Array
    agents: Array
    eavesdroppers: Array

    @classmethod
    def of(cls, beam: Array, own: Array, eve: Array, xp: Any) -> _Heard:
        """Return what is heard of a beam (…, L) of length 1 over the channels of :func:`_received`."""
        amplitude, overheard = (xp.matmul(xp.conj(channel), beam[..., None])[..., 0] for channel in (own, eve))
        return cls(amplitude, abs(amplitude) ** 2, abs(overheard) ** 2)

    def loudest(self, colluding: bool, xp: Any) -> Array:
        """Return the SINR (…, 1) of the loudest eavesdropper, or of all together."""
        return (xp.sum if colluding else xp.max)(self.eavesdroppers, axis=-1, keepdims=True)

    def value(self, colluding: bool, xp: Any) -> Array:
        """Return (1 + min a) / (1 + max b), (…)."""
        weakest = xp.min(self.agents, axis=-1, keepdims=True)
        return ((1 + weakest) / (1 + self.loudest(colluding, xp)))[..., 0]


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
    colluding, eves = instance.scenario.colluding, instance.scenario.num_eavesdroppers
    own, eve = _received(instance, selected, jamming, xp)
    leaking = xp.matmul(xp.conj(eve), xp.matrix_transpose(eve))  # (…, E, E)
    beam = best = beam_directions(instance, selected)[..., _START, :]
    heard = _Heard.of(beam, own, eve, xp)
    highest = heard.value(colluding, xp)
    agents = xp.ones_like(heard.agents) / heard.agents.shape[-1]
    eavesdroppers = xp.ones_like(heard.eavesdroppers) / (1 if colluding else eves)
    for _ in range(iterations):
        weakest, loudest = xp.min(heard.agents, axis=-1, keepdims=True), heard.loudest(colluding, xp)
        agents = _normalised(agents * (weakest / _positive(heard.agents, xp) + _FLOOR) ** _RATE, xp)
        if not colluding:
            louder = (heard.eavesdroppers + _QUIET) / (loudest + _QUIET)
            eavesdroppers = _normalised(xp.clip(eavesdroppers * louder**_RATE, _LEAST_WEIGHT, None), xp)
        gained = xp.sum(agents * heard.agents, axis=-1, keepdims=True) / (1 + weakest)
        lost = xp.sum(eavesdroppers * heard.eavesdroppers, axis=-1, keepdims=True) / (1 + loudest)
        price = xp.clip(gained - lost, _FLOOR, None)
        # (ν I + G D Gᴴ)⁻¹ u is u − G (ν D⁻¹ + GᴴG)⁻¹ Gᴴ u, up to a factor.
        pulled = xp.matmul((agents * heard.amplitude)[..., None, :], own)[..., 0, :]
        inner = leaking + (price / eavesdroppers)[..., None] * xp.eye(eves, dtype=leaking.dtype)
        leaked = xp.linalg.solve(inner, xp.matmul(xp.conj(eve), pulled[..., None]))[..., 0]
        beam = _unit(pulled - xp.matmul(leaked[..., None, :], eve)[..., 0, :], xp)
        heard = _Heard.of(beam, own, eve, xp)
        value = heard.value(colluding, xp)
        better = value > highest
        highest, best = xp.where(better, value, highest), xp.where(better[..., None], beam, best)
    return _unit(best, xp) * instance.scenario.bs_power_w**0.5


def _received(instance: Instance, selected: Array, jamming: Array, xp: Any) -> tuple[Array, Array]:
    """Return the channels (…, K, L) to the selected agents and (…, E, L) to the eavesdroppers, in units of the noise.

    |hᴴw|² is then the SINR of a beam of p_BS in the direction w, ‖w‖ = 1.
    """
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
    return own, xp.broadcast_to(eve, (*batch, *eve.shape[-2:]))


def _unit(beam: Array, xp: Any) -> Array:
    """Return a beam (…, L) of length 1; zero stays zero."""
    norm = xp.sqrt(xp.sum(xp.real(beam) ** 2 + xp.imag(beam) ** 2, axis=-1, keepdims=True))
    return beam / xp.where(norm > 0, norm, 1.0)


def _normalised(weights: Array, xp: Any) -> Array:
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def _positive(values: Array, xp: Any) -> Array:
    return xp.where(values > 0, values, 1e-300)
