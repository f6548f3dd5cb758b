"""Beamforming by semidefinite relaxation (42)-(49): max over w of the downlink secrecy rate, ‖w‖² ≤ p_BS.

The secrecy rate is a logarithm of min_k (1 + |h̃_kᴴv|²) / max_e (1 + |g̃_eᴴv|²), w = √p_BS v, where the channels
h̃, g̃ are divided by the noise and the jammers' interference. With W = vvᴴ relaxed to any W ⪰ 0 of trace 1
the ratio is maximised by **one** semidefinite program, not by the paper's linearisation (46), (49). Its dual,

    min Σ y_e  subject to  Σ y_e (I + g̃_e g̃_eᴴ) ⪰ Σ λ_k (I + h̃_k h̃_kᴴ),  Σ λ_k ≥ 1,  y, λ ≥ 0,

has one variable per receiver, so a barrier method solves it in milliseconds, and W is the inverse of its
slack. The steps: solve it, round W to beams (Gaussian randomisation), and polish the best of them
(:mod:`solvers.beam.polish`). Any y, λ prove a bound on every beam's secrecy rate, :func:`secrecy_bound`.

Dimension letters: K selected agents, E eavesdroppers, d ≤ min(L, K + E) dimensions of their span.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from secagent_env import Instance
from secagent_env.model.physics import LN2, combine_eavesdroppers
from solvers.numerics.barrier import minimise
from solvers.numerics.hermitian import pivots, whitened


@dataclass(frozen=True)
class Downlink:
    """Problem (42) at a given selection and powers, in the span of the channels that matter.

    Attributes
    ----------
    users, eves
        h̃ (K, d) and g̃ (E, d) complex: the SINR of a unit vector v is |h̃ᴴv|².
    basis
        (L, d) complex, orthonormal columns, times √p_BS: w = basis @ v.
    colluding
        Whether the eavesdroppers' SINRs add.
    """

    users: np.ndarray
    eves: np.ndarray
    basis: np.ndarray
    colluding: bool

    @classmethod
    def of(cls, instance: Instance, selection: np.ndarray, power_w: np.ndarray) -> Downlink:
        """Return the problem of ``selection`` (N,) bool while the others jam with ``power_w`` (N,)."""
        scenario = instance.scenario
        jamming = np.where(selection, 0.0, power_w)
        noise = jamming @ instance.gain_agents[:, selection] + scenario.noise_power_w
        noise_eve = jamming @ instance.gain_eve + scenario.noise_power_w
        budget = scenario.bs_power_w
        users = instance.channel_bs[selection] * np.sqrt(budget / noise)[:, None]
        eves = instance.channel_eve * np.sqrt(budget / noise_eve)[:, None]
        channels = np.concatenate([users, eves])
        scale = np.linalg.norm(channels, axis=1, keepdims=True)
        span, values, _ = np.linalg.svd((channels / np.maximum(scale, 1e-300)).T, full_matrices=False)
        basis = span[:, values > 1e-12 * values[0]]
        seen = channels @ basis.conj()
        k = len(users)
        return cls(seen[:k], seen[k:], basis * np.sqrt(budget), scenario.colluding)

    def margin(self, beams: np.ndarray) -> np.ndarray:
        """Return r − r_eve (…) in bit/s/Hz of unit vectors (…, d): the secrecy rate where positive."""
        sinr = np.min(np.abs(beams @ self.users.conj().T) ** 2, axis=-1)
        sinr_eve = combine_eavesdroppers(np.abs(beams @ self.eves.conj().T) ** 2, self.colluding)
        return np.log1p((sinr - sinr_eve) / (1 + sinr_eve)) / LN2

    def whitened(self) -> Whitened:
        """Return the channels in coordinates in which I + Σ g̃_e g̃_eᴴ is the identity."""
        whiten, eves = whitened(self.eves)
        return Whitened(self.users @ whiten.T, eves, whiten, np.sum(np.abs(whiten) ** 2, axis=1))

    def coordinates(self, beamformer: np.ndarray) -> np.ndarray:
        """Return the unit vector v (…, d) of a beam w (…, L), what lies outside the span dropped."""
        v = beamformer @ self.basis.conj()
        return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-300)


@dataclass(frozen=True)
class Whitened:
    """The channels in coordinates x of a beam v = Vᴴ x: of moderate size, however loud the eavesdroppers hear.

    Attributes
    ----------
    users, eves
        V h̃ (K, d) and V g̃ (E, d): receivers hear |(V h̃)ᴴ x|².
    whiten
        V (d, d), V (I + Σ g̃_e g̃_eᴴ) Vᴴ = I.
    length
        (d,), ‖v‖² = Σ length |x|²; V Vᴴ is diagonal.
    """

    users: np.ndarray
    eves: np.ndarray
    whiten: np.ndarray
    length: np.ndarray

    def point(self, beam: np.ndarray) -> np.ndarray:
        """Return the x (d,) of a beam v (d,)."""
        return np.asarray((self.whiten @ beam) / self.length)

    def beam(self, point: np.ndarray) -> np.ndarray:
        """Return the unit vector v (d,) along that of x (d,)."""
        v = self.whiten.conj().T @ point
        return np.asarray(v / np.linalg.norm(v))


@dataclass(frozen=True)
class Relaxation:
    """The relaxed problem's solution: W (d, d) of trace 1 and the bound, in bit/s/Hz, that the dual proves."""

    covariance: np.ndarray
    bound: float


def secrecy_bound(problem: Downlink, user_weight: np.ndarray, eve_weight: np.ndarray) -> float:
    """Return an upper bound on the secrecy rate of every beam, bit/s/Hz.

    log2 of the largest generalised eigenvalue of I + Σ λ_k h̃_k h̃_kᴴ against I + Σ ν_e g̃_e g̃_eᴴ, for any weights
    λ (K,) and ν (E,) ≥ 0; they are scaled to sum to 1 (colluding: every ν_e = 1).
    """
    weight = np.maximum(user_weight, 0.0) / np.maximum(user_weight, 0.0).sum()
    eve = np.ones(len(problem.eves))
    if not problem.colluding:
        eve = np.maximum(eve_weight, 0.0) / np.maximum(eve_weight, 0.0).sum()
    leaks = problem.eves * np.sqrt(eve)[:, None]
    signals = problem.users * np.sqrt(weight)[:, None]
    whiten, _ = whitened(leaks)
    seen = signals @ whiten.T
    largest = np.linalg.eigvalsh(whiten @ whiten.conj().T + seen.T @ seen.conj())[-1]
    # The decomposition is exact for channels that differ by a rounding of their length, and a beam hears both alike.
    rounding = 1e-15 * sum(leaks.shape)
    error = np.log1p(rounding * np.linalg.norm(signals)) + np.log1p(rounding * np.linalg.norm(leaks))
    return float(np.log2(max(largest, 1.0)) + 2 * error / LN2) + 1e-9


MANY = 100
"""With more receivers than these the barrier method takes smaller strides, and the relaxation is solved less exactly:
beams stay far below it."""


def stride(problem: Downlink) -> float:
    """Return the factor between the stages of the barrier method: of many constraints, large ones cost Newton steps."""
    return 30.0 if len(problem.users) <= MANY else 6.0


def relax(problem: Downlink, gap: float | None = None, check_time: Callable[[], None] = lambda: None) -> Relaxation:
    """Solve the semidefinite relaxation of (42) to a relative duality ``gap`` of the ratio of SINRs.

    The bound holds at any gap; by default it is 1e-5, or 1e-3 for many receivers. ``check_time`` is called before each
    Newton step and may raise.
    """
    program = _Dual(problem)
    eves = program.num_eves
    if gap is None:
        gap = 1e-5 if len(problem.users) <= MANY else 1e-3
    search = functools.partial(minimise, program, reduction=stride(problem), check_time=check_time)
    z = search(program.start(), gap=1e-2, first_gap=10.0)
    before, program.unit = program.unit, float(z[:eves].sum())  # the start was far too high
    z = search(z, gap=gap, first_gap=1e-2 * before / program.unit)
    weight_eve = z[:eves] if not problem.colluding else np.ones(len(problem.eves))
    return Relaxation(program.covariance(z), secrecy_bound(problem, z[eves:], weight_eve))


def randomise(problem: Downlink, covariance: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return candidate unit vectors (draws + 1, d): the principal eigenvector of W, and CN(0, W) draws."""
    values, vectors = np.linalg.eigh(covariance)
    size = (draws, len(values))
    noise = rng.standard_normal(size) + 1j * rng.standard_normal(size)
    beams = np.concatenate([vectors[:, -1:].T, (noise * np.sqrt(np.maximum(values, 0.0))) @ vectors.T])
    return beams / np.linalg.norm(beams, axis=1, keepdims=True)


class _Dual:
    """The dual program in z = (y, λ), its matrices whitened by (I + Σ g̃_e g̃_eᴴ)^(−1/2) and scaled to order one.

    Without the whitening the eigenvalues span some fifteen orders of magnitude, and Cholesky fails.
    """

    def __init__(self, problem: Downlink) -> None:
        dimension = problem.users.shape[1]
        whitened = problem.whitened()
        self.whiten, self.users, eves = whitened.whiten, whitened.users, whitened.eves
        self.identity = np.diag(whitened.length)
        if problem.colluding:
            self.leaks = np.eye(dimension)[None]
        else:
            self.leaks = self.identity + eves[:, :, None] * eves[:, None, :].conj()
        self.num_eves = len(self.leaks)
        scale = max(float(np.max(np.sum(np.abs(self.users) ** 2, axis=1))), 1.0)
        self.users = self.users / np.sqrt(scale)
        self.constant = self.identity / scale
        self.unit = 1.0

    def start(self) -> np.ndarray:
        weight = np.full(len(self.users), 2.0 / len(self.users))
        signal = self.constant * weight.sum() + (self.users.T * weight) @ self.users.conj()
        largest = float(np.linalg.eigvalsh(signal)[-1])  # Σ_e (I + g_e g_eᴴ) ⪰ S², the identity here
        y = np.full(self.num_eves, 2.0 * largest)
        self.unit = float(y.sum())
        return np.concatenate([y, weight])

    def _slack(self, z: np.ndarray) -> np.ndarray:
        y, weight = z[: self.num_eves], z[self.num_eves :]
        leak = np.tensordot(y, self.leaks, 1)
        return np.asarray(leak - weight.sum() * self.constant - (self.users.T * weight) @ self.users.conj())

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        f = float(z[: self.num_eves].sum()) / self.unit
        positive = pivots(self._slack(z)) if (z > 0).all() else None
        if positive is None:
            return f, np.full(1, -1.0)
        return f, np.concatenate([positive, z, [z[self.num_eves :].sum() - 1]])

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        eves = self.num_eves
        inverse = _inverse(self._slack(z))
        root = np.linalg.cholesky(inverse).conj().T  # M⁻¹ = rootᴴ root
        leaks = root @ self.leaks @ root.conj().T
        constant = root @ self.constant @ root.conj().T
        users = self.users @ root.T  # rows: root @ u
        power = np.sum(np.abs(users) ** 2, axis=1)
        trace = float(np.trace(constant).real)
        surplus = float(z[eves:].sum()) - 1

        gradient = np.empty(len(z))
        gradient[:eves] = sharpness / self.unit - np.trace(leaks, axis1=1, axis2=2).real
        gradient[eves:] = trace + power - 1 / surplus
        gradient -= 1 / z

        flat = leaks.reshape(eves, -1)
        bent = users @ constant.T
        cross = np.sum(bent * users.conj(), axis=1).real
        hessian = np.empty((len(z), len(z)))
        hessian[:eves, :eves] = (flat @ flat.conj().T).real
        hessian[eves:, eves:] = (
            float(np.sum(np.abs(constant) ** 2))
            + cross[:, None]
            + cross
            + np.abs(users @ users.conj().T) ** 2
            + 1 / surplus**2
        )
        mixed = (flat @ constant.conj().ravel()).real[:, None] + np.sum(
            (users @ leaks.transpose(0, 2, 1)) * users.conj(), axis=2
        ).real
        hessian[:eves, eves:] = -mixed
        hessian[eves:, :eves] = -mixed.T
        hessian[np.diag_indices(len(z))] += 1 / z**2
        return gradient, hessian

    def covariance(self, z: np.ndarray) -> np.ndarray:
        """Return W: on the central path the inverse of the slack, unwhitened and scaled to trace 1."""
        w = self.whiten.conj().T @ _inverse(self._slack(z)) @ self.whiten
        w = (w + w.conj().T) / 2
        return np.asarray(w / np.trace(w).real)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    factor = scipy.linalg.cholesky(matrix, lower=True)
    inverse = scipy.linalg.solve_triangular(factor, np.eye(len(matrix)), lower=True)
    return np.asarray(inverse.conj().T @ inverse)
