"""The paper's algorithm for the relaxed beam problem: the linearised program (49), solved repeatedly.

(46) is the relaxation of (42): max over W ⪰ 0, tr W ≤ 1, of min_k ln(1 + h̃_kᴴ W h̃_k) − max_e ln(1 + g̃_eᴴ W g̃_e). The
second logarithm is concave where it should be convex; around the W₀ of the step before it is at most its tangent

    ln(1 + g̃_eᴴ W₀ g̃_e) + g̃_eᴴ (W − W₀) g̃_e / (1 + g̃_eᴴ W₀ g̃_e),

with which (49) is convex. Each step gains; the end is stationary, which need not be the optimum that
:func:`solvers.beam.sdr.relax` finds at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solvers.beam.sdr import Downlink, Relaxation, secrecy_bound
from solvers.numerics.barrier import minimise
from solvers.numerics.hermitian import hermitian_basis, log_det_barrier, pivots


def relax_linearised(
    problem: Downlink,
    beam: np.ndarray | None = None,
    tolerance: float = 1e-3,
    max_iterations: int = 30,
    check_time: Callable[[], None] = lambda: None,
) -> Relaxation:
    """Solve (49) repeatedly, from W = vvᴴ of a unit vector v (d,), or from a W that leaks little.

    It stops when a step gains less than ``tolerance``, bit/s/Hz. The eigenvalue bound at the last step's multipliers
    holds, but is tight only where the iteration ends at the relaxation's optimum. ``check_time`` is called before each
    Newton step and may raise.
    """
    program = _Linearised(problem)
    z = program.start(beam)
    value = -np.inf
    for _ in range(max_iterations):
        z = minimise(program, program.expand(z), gap=1e-5, first_gap=0.1, check_time=check_time)
        gain, value = program.rate(z) - value, program.rate(z)
        if gain < tolerance:
            break
    weights = 1 / program.values(z)[1]
    k, e = len(program.users), len(program.leaks)
    eve_weight = weights[k : k + e] / program.heard if not problem.colluding else np.ones(len(problem.eves))
    covariance = program.covariance(z)
    return Relaxation(covariance, secrecy_bound(problem, weights[:k], eve_weight))


class _Linearised:
    """One program (49): minimise s − t in z = (Z in d² real coordinates, s, t), W = S Z S as in :mod:`.sdr`."""

    def __init__(self, problem: Downlink) -> None:
        d = self.dimension = problem.users.shape[1]
        whitened = problem.whitened()
        self.whiten = whitened.whiten
        self.basis = hermitian_basis(d)
        self.users = self._rows(whitened.users)
        eves = self._rows(whitened.eves)
        self.leaks = eves.sum(axis=0, keepdims=True) if problem.colluding else eves
        self.trace = np.einsum("idd,d->i", self.basis, whitened.length).real
        self.expand(np.append(np.zeros(d * d), [0.0, 0.0]))

    def _rows(self, seen: np.ndarray) -> np.ndarray:
        return np.einsum("kd,ide,ke->ki", seen.conj(), self.basis, seen).real

    def start(self, beam: np.ndarray | None) -> np.ndarray:
        """Return the z of W = 0.9 vvᴴ + 0.1 W₀ for a beam v, where W₀ leaks little; of W₀ alone without a beam."""
        w = self.whiten.conj().T @ self.whiten
        w = w / np.trace(w).real
        if beam is not None:
            w = 0.9 * np.outer(beam, beam.conj()) + 0.1 * w
        inverse = np.linalg.inv(self.whiten)
        z = np.einsum("ide,ed->i", self.basis, inverse.conj().T @ w @ inverse).real
        return np.append(0.999 * z, [0.0, 0.0])

    def expand(self, z: np.ndarray) -> np.ndarray:
        """Take the tangents at z, and return z with s and t strictly feasible."""
        x = z[:-2]
        self.sinr = 1 + float((self.users @ x).min())
        self.heard = 1 + self.leaks @ x
        self.slope = self.leaks / self.heard[:, None]
        self.base = np.log(self.heard) - float(np.log(self.heard).max()) - self.slope @ x
        return np.append(0.999 * x, [0.01, -0.01])

    def rate(self, z: np.ndarray) -> float:
        """Return the secrecy rate of W, bit/s/Hz."""
        x = z[:-2]
        return float(np.log2(1 + (self.users @ x).min()) - np.log2(1 + (self.leaks @ x).max()))

    def covariance(self, z: np.ndarray) -> np.ndarray:
        """Return W (d, d), scaled to trace 1."""
        w = self.whiten.conj().T @ np.tensordot(z[:-2], self.basis, 1) @ self.whiten
        w = (w + w.conj().T) / 2
        return np.asarray(w / np.trace(w).real)

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        x, s, t = z[:-2], z[-2], z[-1]
        positive = pivots(np.tensordot(x, self.basis, 1))
        if positive is None:
            return float(s - t), np.full(1, -1.0)
        user = (1 + self.users @ x) / self.sinr - np.exp(t)
        eve = s - self.base - self.slope @ x
        return float(s - t), np.concatenate([user, eve, [1 - self.trace @ x], positive])

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        size, users = self.dimension**2, len(self.users)
        linear = self.values(z)[1][: -self.dimension]
        jacobian = np.zeros((len(linear), size + 2))
        jacobian[:users, :size] = self.users / self.sinr
        jacobian[:users, -1] = -np.exp(z[-1])
        jacobian[users:-1, :size] = -self.slope
        jacobian[users:-1, -2] = 1
        jacobian[-1, :size] = -self.trace
        scaled = jacobian / linear[:, None]
        gradient = -scaled.sum(axis=0)
        gradient[-2:] += [sharpness, -sharpness]
        hessian = scaled.T @ scaled
        hessian[-1, -1] += np.exp(z[-1]) * np.sum(1 / linear[:users])
        slope, bend = log_det_barrier(np.tensordot(z[:-2], self.basis, 1), self.basis)
        gradient[:size] += slope
        hessian[:size, :size] += bend
        return gradient, hessian
