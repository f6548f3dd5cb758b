"""Which targets can be reached, by Perron–Frobenius: the interference matrix, its spectral radius, the least powers.

All pairs reach their targets iff p ≥ F p + u, with F_ij = γ_i |h_ji|² / |h_ii|² (i ≠ j), F_ii = 0 and
u_i = γ_i σ² / |h_ii|². Such powers exist iff ρ(F) < 1, and the least of them, entry by entry, is
p* = (I − F)⁻¹ u. NumPy arrays, batched over leading dimensions.
"""

from __future__ import annotations

import numpy as np

from secagent_env.power_control.game import Game

_SINGULAR = 1e-12
"""A spectral radius so close to 1 counts as 1: the least powers would be beyond any limit."""


def interference_matrix(game: Game) -> np.ndarray:
    """Return F, (…, N, N): row i is the share of each power in the power that pair i needs."""
    share = np.asarray(game.target_sinr / game.own_gain)
    return share[..., :, None] * np.swapaxes(np.asarray(game.cross_gain), -1, -2)


def noise_powers(game: Game) -> np.ndarray:
    """Return u, (…, N), W: the power that each pair would need alone."""
    return np.asarray(game.target_sinr / game.own_gain) * game.noise_w


def spectral_radius(matrix: np.ndarray) -> np.ndarray:
    """Return the largest modulus of an eigenvalue of matrices (…, N, N)."""
    return np.max(np.abs(np.linalg.eigvals(matrix)), axis=-1)


def least_powers(game: Game) -> np.ndarray:
    """Return p*, (…, N), W: the least powers that reach all targets, P_max aside; infinite where none do."""
    matrix = interference_matrix(game)
    possible = spectral_radius(matrix) < 1 - _SINGULAR
    identity = np.eye(game.num_pairs)
    system = np.where(possible[..., None, None], identity - matrix, identity)
    power = np.linalg.solve(system, noise_powers(game)[..., None])[..., 0]
    return np.where(possible[..., None], power, np.inf)


def is_feasible(game: Game) -> np.ndarray:
    """Return whether all targets can be reached within P_max, (…) bool."""
    return np.all(least_powers(game) <= game.max_power_w, axis=-1)
