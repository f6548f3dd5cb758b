"""Beam directions: a few meaningful beams for a selection, in closed form, batched and differentiable.

A policy that weighs them need not know the L complex entries of a beamformer, and works for any L. With the leakage
filter F = (I + (p_BS/σ²) Σ_e g_e g_eᴴ)⁻¹, which leaves out what the eavesdroppers g_e would hear, and the unit
vectors ĥ_k of the selected agents' channels, the directions are, in this order, each of length 1:

==================  ===================================================================================================
matched             Σ_k ĥ_k: towards all selected agents, whoever listens
filtered            F Σ_k ĥ_k: the same, with the eavesdroppers filtered out
zero-forcing        F Σ_k c_k ĥ_k, with c such that all selected agents receive the same amplitude
weakest             F ĥ_k of the selected agent k with the least gain
==================  ===================================================================================================
"""

from __future__ import annotations

from secagent_env.model.batched import Array, namespace
from secagent_env.model.instance import Instance

DIRECTIONS = ("matched", "filtered", "zero-forcing", "weakest")

RIDGE = 1e-2
"""Added to the Gram matrix of unit vectors: where antennas are few, no agent costs the others all amplitude."""


def beam_directions(instance: Instance, selected: Array) -> Array:
    """Return the directions (…, 4, L) complex, each of length 1 or, where its channels are zero, 0.

    Parameters
    ----------
    instance
        With batch dimensions (…), or fewer that broadcast to them.
    selected
        (…, K) integer, the indices of the selected agents; K ≥ 1.
    """
    xp = namespace(instance.channel_bs, selected)
    batch = tuple(selected.shape[:-1])
    channel_bs = xp.broadcast_to(instance.channel_bs, (*batch, *instance.channel_bs.shape[-2:]))
    channels = xp.take_along_axis(channel_bs, selected[..., None], axis=-2)  # (…, K, L)
    gain = xp.take_along_axis(xp.broadcast_to(instance.bs_gain, channel_bs.shape[:-1]), selected, axis=-1)  # (…, K)
    length = xp.sqrt(xp.where(gain > 0, gain, 1.0))
    unit = channels / length[..., None]

    filtered = leakage_filtered(instance, unit)

    # ĥ_kᴴ F Σ_j ĥ_j c_j = ‖h_weakest‖ / ‖h_k‖ for all k.
    gram = xp.matmul(filtered, _conjugate_transpose(unit, xp))  # entry (j, k) is ĥ_kᴴ F ĥ_j
    ridge = RIDGE * xp.eye(gram.shape[-1], dtype=gram.dtype)
    wanted = xp.min(length, axis=-1, keepdims=True) / length
    coefficients = _solve(gram + ridge, xp.astype(wanted, gram.dtype)[..., None, :], xp)
    zero_forcing = xp.matmul(coefficients, filtered)[..., 0, :]

    weakest = xp.argmin(gain, axis=-1)[..., None, None]
    directions = xp.stack(
        [
            xp.sum(unit, axis=-2),
            xp.sum(filtered, axis=-2),
            zero_forcing,
            xp.take_along_axis(filtered, weakest, axis=-2)[..., 0, :],
        ],
        axis=-2,
    )
    norm = xp.sqrt(xp.sum(xp.real(directions) ** 2 + xp.imag(directions) ** 2, axis=-1, keepdims=True))
    return directions / xp.where(norm > 0, norm, 1.0)


def leakage_filtered(instance: Instance, vectors: Array) -> Array:
    """Return F x of vectors x (…, K, L), with the leakage filter F of the instance's eavesdroppers."""
    xp = namespace(instance.channel_eve, vectors)
    scenario = instance.scenario
    # F x = x − A (I + AᴴA)⁻¹ Aᴴ x with the columns A = g_e √(p_BS/σ²); here rows are vectors, so xᵀ stands for x.
    heard = instance.channel_eve * (scenario.bs_power_w / scenario.noise_power_w) ** 0.5  # (…, E, L)
    inner = xp.matmul(heard, _conjugate_transpose(heard, xp)) + xp.eye(heard.shape[-2], dtype=heard.dtype)
    correlation = xp.matmul(vectors, _conjugate_transpose(heard, xp))  # (…, K, E)
    return vectors - xp.matmul(_solve(inner, correlation, xp), heard)


def _conjugate_transpose(matrix: Array, xp: object) -> Array:
    return xp.conj(xp.matrix_transpose(matrix))  # type: ignore[attr-defined]


def _solve(matrix: Array, right: Array, xp: object) -> Array:
    """Return X (…, K, M) with X matrix = right, for a matrix (…, M, M)."""
    solved = xp.linalg.solve(xp.matrix_transpose(matrix), xp.matrix_transpose(right))  # type: ignore[attr-defined]
    return xp.matrix_transpose(solved)  # type: ignore[attr-defined]
