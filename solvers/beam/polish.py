"""Better beams from a beam: an ascent on a smooth secrecy rate, and successive convex approximation.

A step of the ascent costs (K + E) d, one of the approximation as many Newton steps of (K + E) d²; the ascent comes near
a local optimum from far away, the approximation ends at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from solvers.beam.sdr import Downlink, Whitened, stride
from solvers.numerics.barrier import minimise

SHARPNESS = (4.0, 16.0, 64.0, 256.0)
"""Stages of the ascent: how sharply its smooth minimum and maximum, of rates in nats, single out the worst receiver."""


def ascend(
    problem: Downlink, beam: np.ndarray, max_iterations: int = 80, check_time: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Return a beam (d,) near a local optimum of the secrecy rate, from a unit vector (d,), by L-BFGS.

    With r = ln(‖v‖² + |h̃ᴴv|²) the length of v cancels in min_k r_k − max_e r_e, so that v is free. The minimum is
    taken as −ln Σ exp(−β r_k) / β, the maximum likewise, for sharper and sharper β; each stage has so many iterations.
    ``check_time`` is called before each step and may raise.
    """
    space = problem.whitened()

    def climb(z: np.ndarray, sharpness: float) -> tuple[float, np.ndarray]:
        check_time()
        x = z[: len(z) // 2] + 1j * z[len(z) // 2 :]
        value, gradient = smooth_secrecy(problem, space, x, sharpness)
        return -value, -np.concatenate([gradient.real, gradient.imag])

    for sharpness in SHARPNESS:
        x = space.point(beam)
        start = np.concatenate([x.real, x.imag])
        options = {"maxiter": max_iterations, "maxcor": 20}
        z = optimize.minimize(climb, start, (sharpness,), "L-BFGS-B", jac=True, options=options).x
        beam = space.beam(z[: len(x)] + 1j * z[len(x) :])
    return beam


def smooth_secrecy(problem: Downlink, space: Whitened, x: np.ndarray, sharpness: float) -> tuple[float, np.ndarray]:
    """Return the smooth secrecy rate of :func:`ascend` at x (d,), in nats, and its gradient in Re x + i Im x, (d,)."""
    own = float(space.length @ np.abs(x) ** 2)
    received, leaked = space.users.conj() @ x, space.eves.conj() @ x
    heard = np.abs(leaked) ** 2
    levels = own + np.abs(received) ** 2, own + (heard.sum(keepdims=True) if problem.colluding else heard)
    value, gradient = 0.0, np.zeros_like(x)
    for sign, level, channels, signal in zip(
        (1, -1), levels, (space.users, space.eves), (received, leaked), strict=True
    ):
        rate = sign * np.log(level)
        least = rate.min()
        weight = np.exp(-sharpness * (rate - least))
        value += least - np.log(weight.sum()) / sharpness
        weight *= sign * 2 / (weight.sum() * level)
        gradient += channels.T @ (weight * signal) + weight.sum() * space.length * x
    return float(value), gradient


@dataclass(frozen=True)
class Polished:
    """A unit vector v (d,), its r − r_eve in bit/s/Hz, and the multipliers λ (K,) and ν of the last step."""

    beam: np.ndarray
    margin: float
    user_weight: np.ndarray
    eve_weight: np.ndarray


def polish(
    problem: Downlink,
    beam: np.ndarray,
    tolerance: float = 1e-3,
    max_iterations: int = 30,
    check_time: Callable[[], None] = lambda: None,
) -> Polished:
    """Improve a unit vector (d,) by successive convex approximation on v; its secrecy rate never falls.

    Around the current v₀ every |h̃_kᴴv|² is replaced by its tangent, a lower bound, and every ln(1 + |g̃_eᴴv|²)
    by its tangent in |g̃_eᴴv|², an upper bound. The search stops when a step gains less than ``tolerance``, bit/s/Hz.
    ``check_time`` is called before each Newton step and may raise.
    """
    margin = float(problem.margin(beam))
    users = len(problem.users)
    weight = np.ones(users + len(problem.eves))
    program = _Tangents(problem)
    for _ in range(max_iterations):
        program.expand(beam)
        z = minimise(
            program,
            program.start(),
            gap=min(0.1 * tolerance, 1e-3),
            first_gap=0.1,
            reduction=stride(problem),
            check_time=check_time,
        )
        trial = program.beam(z)
        improved = float(problem.margin(trial))
        weight = 1 / program.values(z)[1][:-1]  # the barrier's multipliers
        if not improved > margin:
            break
        gain, margin, beam = improved - margin, improved, trial
        if gain < tolerance:
            break
    return Polished(beam, margin, weight[:users], weight[users:])


class _Tangents:
    """One step of :func:`polish`: minimise s − t in z = (Re x, Im x, s, t), s and t relative to the current rates.

    x are the coordinates of :class:`~solvers.beam.sdr.Whitened`.
    """

    def __init__(self, problem: Downlink) -> None:
        self.space = problem.whitened()
        self.length = np.tile(self.space.length, 2)
        d = len(self.space.length)
        eves = self.space.eves.conj()
        rows = np.stack([np.hstack([eves.real, -eves.imag]), np.hstack([eves.imag, eves.real])], axis=1)
        self.eves = rows.reshape(1, -1, 2 * d) if problem.colluding else rows  # (groups, parts, 2d)

    def expand(self, beam: np.ndarray) -> None:
        """Take the tangents at a unit vector (d,)."""
        point, users = self.space.point(beam), self.space.users.conj()
        received = users @ point
        sinr = np.abs(received) ** 2
        least = 1 + sinr.min()
        slope = 2 * received.conj()[:, None] * users / least
        self.slope = np.hstack([slope.real, -slope.imag])
        self.level = (1 - sinr) / least
        self.point = np.concatenate([point.real, point.imag])
        heard = np.sum((self.eves @ self.point) ** 2, axis=1)
        # Per group: s ≥ base + |parts x|², with ln(1 + heard) at most its tangent; zero at the current v.
        self.parts = self.eves / np.sqrt(1 + heard)[:, None, None]
        self.base = np.log1p(heard) - np.log1p(heard.max()) - heard / (1 + heard)

    def start(self) -> np.ndarray:
        return np.concatenate([0.999 * self.point, [0.01, -0.01]])

    def beam(self, z: np.ndarray) -> np.ndarray:
        """Return the unit vector (d,) that z stands for."""
        real, imaginary = np.split(z[:-2], 2)
        return self.space.beam(real + 1j * imaginary)

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        x, s, t = z[:-2], z[-2], z[-1]
        user = self.level + self.slope @ x - np.exp(t)
        eve = s - self.base - np.sum((self.parts @ x) ** 2, axis=1)
        return s - t, np.concatenate([user, eve, [1 - self.length @ x**2]])

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        x, t = z[:-2], z[-1]
        n = len(z)
        _, slack = self.values(z)
        users = len(self.level)
        jacobian = np.zeros((len(slack), n))
        jacobian[:users, :-2] = self.slope
        jacobian[:users, -1] = -np.exp(t)
        jacobian[users:-1, :-2] = -2 * np.einsum("gp,gpi->gi", self.parts @ x, self.parts)
        jacobian[users:-1, -2] = 1
        jacobian[-1, :-2] = -2 * self.length * x
        scaled = jacobian / slack[:, None]
        gradient = -scaled.sum(axis=0)
        gradient[-2] += sharpness
        gradient[-1] -= sharpness
        hessian = scaled.T @ scaled
        curved = (self.parts / np.sqrt(slack[users:-1])[:, None, None]).reshape(-1, n - 2)
        hessian[:-2, :-2] += 2 * curved.T @ curved
        hessian[np.arange(n - 2), np.arange(n - 2)] += 2 * self.length / slack[-1]
        hessian[-1, -1] += np.exp(t) * np.sum(1 / slack[:users])
        return gradient, hessian
