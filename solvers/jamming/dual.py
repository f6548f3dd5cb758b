r"""Small semidefinite programs whose dual solutions prove bounds, whatever a solver's accuracy.

The primal program, over W (d, d) Hermitian and x (n,),

    min c·x   subject to   Σ_r s_r v_rᴴ W v_r + A x ≥ β,   W ⪰ 0,   x ≥ 0,

has R rows, of which some see W through vectors v_r with a sign s_r, and one sees −tr W. For any multipliers y ≥ 0

    c·x  ≥  β·y + (c − Aᵀy)·x + tr(Z W),        Z = y_t I − Σ_r y_r s_r v_r v_rᴴ,

at every feasible (W, x). Where all variables are bounded, x ≤ most and tr W ≤ trace, the last two terms are at least
−Σ most_j (c − Aᵀy)_j⁻ − trace · λ_min(Z)⁻, so that **any** y proves a bound. The program below maximises β·y by a
barrier method inside c − Aᵀy > 0 and Z ≻ 0, where both terms vanish; an allowance for rounding is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from solvers.numerics.hermitian import pivots

ROUNDING = 1e-13
"""Relative allowance for rounding, of each sum of absolute terms: five hundred times the unit roundoff."""


@dataclass(frozen=True)
class SmallSDP:
    """The primal program.

    Attributes
    ----------
    vectors, signs
        v (Q, L) complex and s (Q,), of the first Q rows; row Q sees −tr W.
    matrix, right, cost
        A (R, n), β (R,), c (n,).
    most
        (n,): bounds on x, of which the first ``shared`` hold for the sum of those x.
    shared
        The number of variables x ≥ 0 whose sum is at most ``most[0]`` where it matters.
    trace
        A bound on tr W.
    """

    vectors: np.ndarray
    signs: np.ndarray
    matrix: np.ndarray
    right: np.ndarray
    cost: np.ndarray
    most: np.ndarray
    shared: int
    trace: float

    def bound(self, y: np.ndarray) -> float:
        """Return the lower bound on c·x that multipliers y (R,) prove; negative ones count as zero."""
        y = np.maximum(y, 0.0)
        count = len(self.signs)
        value = float(self.right @ y) - ROUNDING * float(np.abs(self.right) @ y)

        reduced = self.cost - y @ self.matrix
        reduced -= ROUNDING * (np.abs(self.cost) + y @ np.abs(self.matrix))
        short = np.maximum(-reduced, 0.0)
        value -= float(short[self.shared :] @ self.most[self.shared :])
        if self.shared:
            value -= float(short[: self.shared].max() * self.most[0])

        weight = self.signs * y[:count]
        slack = y[count] * np.eye(self.vectors.shape[1]) - (self.vectors.T * weight) @ self.vectors.conj()
        size = y[count] + float(y[:count] @ np.sum(np.abs(self.vectors) ** 2, axis=1))
        least = float(np.linalg.eigvalsh(slack)[0]) - ROUNDING * self.vectors.shape[1] * size
        return value - max(-least, 0.0) * self.trace


class Dual:
    """The dual as a convex program in y (R,): minimise −β·y, which is kept above −``cap``.

    See :class:`~solvers.numerics.barrier.ConvexProgram`. The cap makes it bounded where the primal is infeasible.
    """

    def __init__(self, program: SmallSDP, cap: float) -> None:
        self.program = program
        self.cap = cap
        q, dimension = program.vectors.shape
        self.count = q
        # The identity as a sum of unit vectors, so that all of W's rows are built alike.
        self.vectors = np.concatenate([program.vectors, np.eye(dimension)])
        self.gather = np.zeros((q + 1, q + dimension))
        self.gather[np.arange(q), np.arange(q)] = program.signs
        self.gather[q, q:] = -1.0

    def start(self) -> np.ndarray:
        """Return strictly feasible multipliers: small ones, and large enough ones for the upper bounds."""
        program, q = self.program, self.count
        size = np.maximum(np.abs(program.matrix).max(axis=1, initial=0.0), np.abs(program.right))
        y = 0.25 * min(self.cap, 1.0) / (len(size) * np.maximum(size, 1e-300))
        positive = np.maximum(program.signs, 0.0) * y[:q]
        y[q] = 2.0 * float(positive @ np.sum(np.abs(program.vectors) ** 2, axis=1)) + 1e-12
        bounded = np.arange(program.shared, len(program.cost))  # each has a last row −x ≥ −most
        rows = len(size) - len(bounded) + np.arange(len(bounded))
        y[rows] = 0.0
        y[rows] = np.maximum(y @ program.matrix - program.cost, 0.0)[bounded] / -program.matrix[rows, bounded]
        y[rows] = 1.5 * y[rows] + 0.01 / len(size)
        return np.asarray(y)

    def slack(self, y: np.ndarray) -> np.ndarray:
        """Return Z (L, L)."""
        weight = y[: self.count + 1] @ self.gather
        return np.asarray(-(self.vectors.T * weight) @ self.vectors.conj())

    def values(self, y: np.ndarray) -> tuple[float, np.ndarray]:
        """Return −β·y, and all that has to stay positive."""
        program = self.program
        value = float(program.right @ y)
        positive = pivots(self.slack(y)) if (y > 0).all() else None
        if positive is None:
            return -value, np.full(1, -1.0)
        return -value, np.concatenate([y, program.cost - y @ program.matrix, positive, [self.cap - value]])

    def newton(self, y: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of the barrier function."""
        program, q = self.program, self.count + 1
        reduced = program.cost - y @ program.matrix
        room = self.cap - float(program.right @ y)
        factor = np.linalg.cholesky(self.slack(y))
        seen = scipy.linalg.solve_triangular(factor, self.vectors.T, lower=True, check_finite=False)
        gram = np.abs(seen.conj().T @ seen) ** 2

        scaled = program.matrix / reduced
        gradient = program.right * (1 / room - sharpness) - 1 / y + scaled.sum(axis=1)
        gradient[:q] += self.gather @ np.sum(np.abs(seen) ** 2, axis=0)
        hessian = scaled @ scaled.T + np.outer(program.right, program.right / room**2)
        hessian[:q, :q] += self.gather @ gram @ self.gather.T
        hessian[np.diag_indices(len(y))] += 1 / y**2
        return gradient, hessian

    def primal(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return W and x up to a common factor: what the slacks are the inverses of, on the central path."""
        return np.linalg.inv(self.slack(y)), 1 / (self.program.cost - y @ self.program.matrix)
