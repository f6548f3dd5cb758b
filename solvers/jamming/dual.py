r"""Small semidefinite programs whose dual solutions prove bounds, whatever a solver's accuracy.

The primal program, over W (d, d) Hermitian and x (n,),

    min c·x   subject to   Σ_q G_rq v_qᴴ W v_q + A x ≥ β,   W ⪰ 0,   x ≥ 0,

has R rows, of which the first ones see W through vectors v_q with weights G_rq; some of them bound W's diagonal. For
any multipliers y ≥ 0

    c·x  ≥  β·y + (c − Aᵀy)·x + tr(Z W),        Z = −Σ_r y_r Σ_q G_rq v_q v_qᴴ,

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
    vectors, gather
        v (Q, d) complex, and G, of as many rows as see W, (·, Q).
    matrix, right, cost
        A (R, n), β (R,), c (n,).
    most
        (n,): bounds on x, of which the first ``shared`` hold for the sum of those x.
    shared
        The number of variables x ≥ 0 whose sum is at most ``most[0]`` where it matters.
    walls, tops
        Rows that bound W's diagonal, which together see −tr W; and the number of rows at the end that bound x, each by
        coefficients −1 of other variables.
    trace
        A bound on tr W.
    """

    vectors: np.ndarray
    gather: np.ndarray
    matrix: np.ndarray
    right: np.ndarray
    cost: np.ndarray
    most: np.ndarray
    shared: int
    walls: slice
    tops: int
    trace: float

    def bound(self, y: np.ndarray) -> float:
        """Return the lower bound on c·x that multipliers y (R,) prove; negative ones count as zero."""
        y = np.maximum(y, 0.0)
        value = float(self.right @ y) - ROUNDING * float(np.abs(self.right) @ y)

        reduced = self.cost - y @ self.matrix
        reduced -= ROUNDING * (np.abs(self.cost) + y @ np.abs(self.matrix))
        short = np.maximum(-reduced, 0.0)
        value -= float(short[self.shared :] @ self.most[self.shared :])
        if self.shared:
            value -= float(short[: self.shared].max() * self.most[0])

        size = float(y[: len(self.gather)] @ np.abs(self.gather) @ np.sum(np.abs(self.vectors) ** 2, axis=1))
        least = float(np.linalg.eigvalsh(self.slack(y))[0]) - ROUNDING * self.vectors.shape[1] * size
        return value - max(-least, 0.0) * self.trace

    def slack(self, y: np.ndarray) -> np.ndarray:
        """Return Z (d, d)."""
        weight = y[: len(self.gather)] @ self.gather
        return np.asarray(-(self.vectors.T * weight) @ self.vectors.conj())


class Dual:
    """The dual as a convex program in y (R,): minimise −β·y, which is kept above −``cap``.

    See :class:`~solvers.numerics.barrier.ConvexProgram`. The cap makes it bounded where the primal is infeasible.
    """

    def __init__(self, program: SmallSDP, cap: float) -> None:
        self.program = program
        self.cap = cap

    def start(self) -> np.ndarray:
        """Return strictly feasible multipliers: small ones, and large enough ones for the upper bounds."""
        program, seen = self.program, len(self.program.gather)
        size = np.maximum(np.abs(program.matrix).max(axis=1, initial=0.0), np.abs(program.right))
        y = 0.25 / (len(size) * np.maximum(size, 1e-300))
        y[program.walls] = 0.0
        least = float(y[:seen] @ np.maximum(program.gather, 0.0) @ np.sum(np.abs(program.vectors) ** 2, axis=1))
        y[program.walls] = 2.0 * least + 1e-12
        y[len(y) - program.tops :] = 0.0
        excess = np.maximum(y @ program.matrix - program.cost, 0.0)
        for row in range(len(y) - program.tops, len(y)):
            y[row] = 1.5 * float(excess[program.matrix[row] < 0].max(initial=0.0)) + 0.01 / len(y)
        return np.asarray(y)

    def values(self, y: np.ndarray) -> tuple[float, np.ndarray]:
        """Return −β·y, and all that has to stay positive."""
        program = self.program
        value = float(program.right @ y)
        positive = pivots(program.slack(y)) if (y > 0).all() else None
        if positive is None:
            return -value, np.full(1, -1.0)
        return -value, np.concatenate([y, program.cost - y @ program.matrix, positive, [self.cap - value]])

    def newton(self, y: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of the barrier function."""
        program, q = self.program, len(self.program.gather)
        reduced = program.cost - y @ program.matrix
        room = self.cap - float(program.right @ y)
        factor = np.linalg.cholesky(program.slack(y))
        seen = scipy.linalg.solve_triangular(factor, program.vectors.T, lower=True, check_finite=False)
        gram = np.abs(seen.conj().T @ seen) ** 2

        scaled = program.matrix / reduced
        gradient = program.right * (1 / room - sharpness) - 1 / y + scaled.sum(axis=1)
        gradient[:q] += program.gather @ np.sum(np.abs(seen) ** 2, axis=0)
        hessian = scaled @ scaled.T + np.outer(program.right, program.right / room**2)
        hessian[:q, :q] += program.gather @ gram @ program.gather.T
        hessian[np.diag_indices(len(y))] += 1 / y**2
        return gradient, hessian

    def primal(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return W and x up to a common factor: what the slacks are the inverses of, on the central path."""
        root = scipy.linalg.solve_triangular(
            np.linalg.cholesky(self.program.slack(y)), np.eye(self.program.vectors.shape[1]), lower=True
        )
        return root.conj().T @ root, 1 / (self.program.cost - y @ self.program.matrix)
