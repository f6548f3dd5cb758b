"""The best powers of a game, with a certificate: a bound that a few multiplications check.

In the notation of :mod:`secagent_env.power_control.feasibility`, all pairs reach the fraction c of their target SINRs
iff p ≥ c (F p + u). The largest c ≤ 1 for which such p ≤ P_max exist is found by bisection, and the powers are the
least that reach it, p(c) = (I − cF)⁻¹ cu: for c = 1 no powers that reach all targets have a smaller sum.

The certificate is of linear programming duality, or of Collatz and Wielandt:

- **Least sum**, where all targets can be reached: for y ≥ 0 with (I − F)ᵀ y ≤ 1, every p ≥ F p + u, p ≥ 0, has
  Σp ≥ yᵀ(I − F) p ≥ yᵀ u.
- **Largest fraction**, where they cannot: for any pair k, p_k ≤ P_max gives p ≥ c (F + u e_kᵀ / P_max) p =: c B_k p.
  For w ≥ 0, wᵀ p ≥ c wᵀ B_k p ≥ c min_j((wᵀ B_k)_j / w_j) wᵀ p over the j with w_j > 0, so
  c ≤ max_j(w_j / (wᵀ B_k)_j) over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from secagent_env.power_control import Game, is_feasible
from secagent_env.power_control.feasibility import interference_matrix, least_powers, noise_powers, spectral_radius

_HALVINGS = 60
_SLIGHTLY = 1e-13
"""Relative weight of a matrix of ones, with which B_k has one left Perron vector, and a positive one."""
_POLISHES = 3
_NOTHING = 1e-9
"""Smaller entries, relative to the largest, may stem from that weight alone."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimum:
    """The best powers of a game, or of a batch of games, and the proof.

    Attributes
    ----------
    power_w
        (…, N), W: the least powers at which every pair has at least ``fraction`` of its target SINR.
    feasible
        (…) bool: whether all targets can be reached within P_max; ``fraction`` is 1 there, and below 1 elsewhere.
    fraction
        (…): the largest common fraction of the target SINRs, at most 1.
    fraction_bound
        (…): no powers within P_max give every pair more than this fraction; 1 where feasible.
    total_power_bound_w
        (…), W: no powers that reach all targets have a smaller sum; infinite where there are none.
    """

    power_w: np.ndarray
    feasible: np.ndarray
    fraction: np.ndarray
    fraction_bound: np.ndarray
    total_power_bound_w: np.ndarray

    @property
    def total_power_w(self) -> np.ndarray:
        """The sum of the powers, (…), W."""
        return np.sum(self.power_w, axis=-1)

    @property
    def gap(self) -> np.ndarray:
        """How far the bound is, relatively, (…): of the total power where feasible, of the fraction elsewhere."""
        power = self.total_power_w / np.where(self.feasible, self.total_power_bound_w, 1.0) - 1
        return np.where(self.feasible, power, self.fraction_bound / self.fraction - 1)


def optimum(game: Game) -> Optimum:
    """Return the certified optimum of a game, or of each of a batch of games (NumPy, or any library: converted)."""
    game = game if isinstance(game.gain, np.ndarray) else game.to(np)
    shape, n = game.batch_shape, game.num_pairs
    flat = game._map(lambda array: array.reshape(-1, *array.shape[len(shape) :]))
    matrix, noise, power = interference_matrix(flat), noise_powers(flat), least_powers(flat)
    feasible = is_feasible(flat)
    fraction, fraction_bound = np.ones(len(power)), np.ones(len(power))
    total_bound = np.full(len(power), np.inf)
    total_bound[feasible] = _power_bound(matrix[feasible], noise[feasible])
    hard = ~feasible
    fraction[hard] = _largest_fraction(matrix[hard], noise[hard], game.max_power_w)
    power[hard] = np.minimum(_powers_at(fraction[hard], matrix[hard], noise[hard]), game.max_power_w)
    fraction_bound[hard] = _fraction_bound(matrix[hard], noise[hard], power[hard], game.max_power_w)
    return Optimum(
        power_w=power.reshape(*shape, n),
        feasible=feasible.reshape(shape),
        fraction=fraction.reshape(shape),
        fraction_bound=fraction_bound.reshape(shape),
        total_power_bound_w=total_bound.reshape(shape),
    )


def _powers_at(fraction: np.ndarray, matrix: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return p(c) = (I − cF)⁻¹ cu, (B, N), W, for c < 1 / ρ(F)."""
    system = np.eye(noise.shape[-1]) - fraction[:, None, None] * matrix
    return np.linalg.solve(system, (fraction[:, None] * noise)[..., None])[..., 0]


def _largest_fraction(matrix: np.ndarray, noise: np.ndarray, max_power_w: float) -> np.ndarray:
    """Return the largest c ≤ 1 with p(c) ≤ P_max, (B,), by bisection: p(c) grows with c, entry by entry."""
    low, high = np.zeros(len(noise)), 1 / np.maximum(spectral_radius(matrix), 1.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        power = _powers_at(middle, matrix, noise)
        within = np.all((power >= 0) & (power <= max_power_w), axis=-1)
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return low


def _fraction_bound(matrix: np.ndarray, noise: np.ndarray, power: np.ndarray, max_power_w: float) -> np.ndarray:
    """Return the bound of the pair k with the highest power, (B,): valid at any weights, tight at the best."""
    n = noise.shape[-1]
    highest = np.eye(n)[np.argmax(power, axis=-1)]
    capped = matrix + noise[:, :, None] * highest[:, None, :] / max_power_w
    positive = np.swapaxes(capped + _SLIGHTLY * np.max(capped, axis=(-2, -1), keepdims=True), -1, -2)
    values, vectors = np.linalg.eig(positive)
    largest = np.argmax(values.real, axis=-1)
    weights = np.abs(np.take_along_axis(vectors, largest[:, None, None], axis=-1)[..., 0])
    for _ in range(_POLISHES):  # eigenvectors are exact only relative to their largest entry
        weights = np.einsum("bij,bj->bi", positive, weights)
        weights /= np.max(weights, axis=-1, keepdims=True)
    bounds = [_collatz_wielandt(capped, w) for w in (weights, np.where(weights > _NOTHING, weights, 0.0))]
    return np.minimum(*bounds)


def _collatz_wielandt(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return max_j(w_j / (wᵀ B)_j) over the j with w_j > 0, (B,)."""
    used = np.einsum("bi,bij->bj", weights, matrix)
    ratio = np.full_like(weights, np.inf)
    np.divide(weights, used, out=ratio, where=used > 0)
    return np.max(np.where(weights > 0, ratio, 0.0), axis=-1)


def _power_bound(matrix: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return yᵀu for y = (I − F)⁻ᵀ 1, scaled so that (I − F)ᵀ y ≤ 1 holds in spite of rounding; (B,), W."""
    system = np.eye(noise.shape[-1]) - matrix
    ones = np.ones(noise.shape)[..., None]
    dual = np.maximum(np.linalg.solve(np.swapaxes(system, -1, -2), ones)[..., 0], 0.0)
    return np.sum(dual * noise, axis=-1) / np.max(np.einsum("bi,bij->bj", dual, system), axis=-1)
