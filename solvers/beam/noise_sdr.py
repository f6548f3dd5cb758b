"""What artificial noise can reach at most: semidefinite programs along the eavesdroppers' SINR.

With W = vvᴴ relaxed to any W ⪰ 0, agents' SINRs of at least γ beside eavesdroppers' SINRs of at most β need

    h̃_kᴴ (W − γ V) h̃_k ≥ γ for all k,   g̃_eᴴ (W − β V) g̃_e ≤ β for all e,   tr W + tr V ≤ 1,   W, V ⪰ 0,

which is linear for given β and γ, but not in them: the secrecy rate c = log₂ (1 + γ)/(1 + β) takes a search. The least
power tr W + tr V of this program has the dual

    max γ Σ λ_k − β Σ ν_e  subject to  I + Σ ν_e g̃_e g̃_eᴴ ⪰ Σ λ_k h̃_k h̃_kᴴ,  I + γ Σ λ_k h̃_k h̃_kᴴ ⪰ β Σ ν_e g̃_e g̃_eᴴ,

λ, ν ≥ 0, and W and V are the inverses of the slacks. A point above 1 proves that the power 1 does not suffice, and not
for a smaller β' either, with γ' = 2ᶜ (1 + β') − 1: λ and ν stay feasible, because γ'/β' ≥ γ/β, and stay above 1 while

    (2ᶜ − 1) Σ λ_k + β' (2ᶜ Σ λ_k − Σ ν_e) > 1.

So each program rules out an interval of β, from the largest β down. For colluding eavesdroppers the bound is that of
the best of them, which is not tight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.beam.sdr import Downlink
from solvers.numerics.barrier import minimise
from solvers.numerics.hermitian import pivots, whitened

GAP = 1e-4
"""Relative duality gap of the power where a program is taken to be solvable."""
PROOF, ENOUGH = 1 + 1e-6, 10.0
"""A dual value that proves that the power 1 does not suffice, rounding included, and one that rules out a lot."""
PROGRESS = 1e-4
"""The share of β by which a program has to reach further down."""
DEAF = 1e-3
"""An SINR of the eavesdroppers below which it makes no difference to the secrecy rate."""
SPACING, COARSE = 2.0, 0.03
"""Steps in log₂ (1 + β) at which the search begins, and how exactly, both bits, it looks for a good β."""
MOST_PROGRAMS = 500


@dataclass(frozen=True)
class NoiseRelaxation:
    """The best W and V (d, d) of total trace 1 that were met, their secrecy rate, and a bound on all, bit/s/Hz.

    The covariances are None where none is better than what was known. ``programs`` is how many semidefinite programs
    were solved. The bound is infinite where none was asked for, or it took too many.
    """

    covariances: tuple[np.ndarray, np.ndarray] | None
    secrecy: float
    bound: float
    programs: int


def relax_with_noise(
    problem: Downlink,
    known: float,
    tolerance: float = 0.01,
    *,
    proof: bool = True,
    check_time: Callable[[], None] = lambda: None,
) -> NoiseRelaxation:
    """Return covariances of beam and noise near the largest secrecy rate, and with a ``proof`` a bound on it.

    Parameters
    ----------
    problem
        Selection and jammers.
    known
        A secrecy rate that a beam reaches, with or without noise, bit/s/Hz; what is not better is not looked for.
    tolerance
        By how much the bound may exceed the best secrecy rate, bit/s/Hz.
    proof
        Whether a bound is asked for.
    check_time
        Called before each Newton step; it may raise.
    """
    search = _Search(problem, known, check_time)
    search.scan()
    bound = search.sweep(tolerance) if proof else np.inf
    return NoiseRelaxation(search.covariances, search.best, bound, search.programs)


class _Search:
    """The best covariances met so far, and how many programs were solved."""

    def __init__(self, problem: Downlink, known: float, check_time: Callable[[], None]) -> None:
        self.problem, self.best, self.check_time = problem, known, check_time
        self.covariances: tuple[np.ndarray, np.ndarray] | None = None
        self.programs = 0
        self.most = 1 + float(np.sum(np.abs(problem.users) ** 2, axis=1).min())  # 1 + γ is no more

    def scan(self) -> None:
        """Look for a good β, closer and closer to the one at which a better rate needs least power."""
        top = np.log2(self.most) - self.best
        levels, spacing, centre, least = np.arange(top - SPACING / 2, 0, -SPACING), SPACING, top / 2, np.inf
        while spacing > COARSE:
            for level in levels[levels >= 0]:
                before, power = self.best, self._climb(np.exp2(level) - 1)
                if self.best > before or power < least:
                    centre, least = level, power
            spacing /= 2
            levels = np.array([centre - spacing, centre + spacing])

    def _climb(self, beta: float) -> float:
        """Raise the best secrecy rate to the highest beside this β; return the power that a better one would need."""
        step = COARSE
        while True:
            before = self.best
            power, _ = self.test(beta, step)
            failed = power > 1 or self.best == before
            if failed and (step == COARSE or self.programs >= MOST_PROGRAMS):
                return power
            step = max(step / 4, COARSE) if failed else 4 * step

    def sweep(self, tolerance: float) -> float:
        """Return a bound: rule out better rates for all β, from the largest down."""
        beta = np.inf
        while self.programs < MOST_PROGRAMS:
            beta = min(beta, self.most * np.exp2(-self.best - tolerance) - 1)
            if beta <= 0:
                return self.best + tolerance
            before = self.best
            power, reached = self.test(beta, tolerance)
            if power > 1 and reached < (1 - PROGRESS) * beta:
                beta = reached
            else:  # reached, or so close to what is possible that neither is clear
                self.best = max(self.best, before + tolerance)
        return np.inf

    def test(self, beta: float, step: float) -> tuple[float, float]:
        """Return the power of a rate ``step`` above the best, and the β' down to which 1 is proved not to suffice.

        The power is at most 1 where that is not proved.
        """
        ratio = np.exp2(self.best + step)
        gamma = ratio * (1 + (beta if beta > DEAF else 0)) - 1
        program = _LeastPower(self.problem, beta, gamma)
        z = minimise(program, program.start(), gap=GAP, first_gap=10.0, enough=-ENOUGH, check_time=self.check_time)
        self.programs += 1
        power = -program.values(z)[0]
        proved = power >= PROOF
        found = program.covariances(z)
        rate = _rate(self.problem, *found)
        if rate > self.best:
            self.best, self.covariances = rate, found
        if not proved:
            return min(power, 1.0), beta
        return power, program.reach(z, ratio) if beta > DEAF else 0.0


def _rate(problem: Downlink, beam: np.ndarray, noise: np.ndarray) -> float:
    """Return log₂ (1 + γ)/(1 + β) of covariances W and V (d, d)."""
    ratios = []
    for channels in (problem.users, problem.eves):
        signal, disturbance = (np.einsum("kd,de,ke->k", channels.conj(), m, channels).real for m in (beam, noise))
        ratios.append(np.maximum(signal, 0.0) / (1 + np.maximum(disturbance, 0.0)))
    users, eves = ratios
    return float(np.log2(1 + users.min()) - np.log2(1 + eves.max()))


class _LeastPower:
    """The dual program in z = (λ, ν), each slack whitened by the channels that it grows with."""

    def __init__(self, problem: Downlink, beta: float, gamma: float) -> None:
        users, eves = problem.users, problem.eves
        channels = np.concatenate([users, eves])
        count = self.count = len(users)
        self.goal = np.concatenate([np.full(count, -gamma), np.full(len(eves), beta)])
        self.slacks = []
        for loud, own, other in ((eves, -1.0, 1.0), (users, gamma, -beta)):
            whiten, _ = whitened(loud)
            weight = np.concatenate([np.full(count, own), np.full(len(eves), other)])
            identity = np.diag(np.sum(np.abs(whiten) ** 2, axis=1))
            self.slacks.append((whiten, identity, channels @ whiten.T, weight))
        power = np.sum(np.abs(channels) ** 2, axis=1)
        self.first = 0.5 / (
            len(channels) * np.maximum(power * np.append(np.ones(count), np.full(len(eves), beta)), 1.0)
        )

    def start(self) -> np.ndarray:
        return self.first

    def _matrices(self, z: np.ndarray) -> list[np.ndarray]:
        return [identity + (seen.T * (weight * z)) @ seen.conj() for _, identity, seen, weight in self.slacks]

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        f = float(self.goal @ z)
        positive = [pivots(matrix) for matrix in self._matrices(z)] if (z > 0).all() else [None]
        if any(each is None for each in positive):
            return f, np.full(1, -1.0)
        return f, np.concatenate([*positive, z])

    def newton(self, z: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        gradient = sharpness * self.goal - 1 / z
        hessian = np.diag(1 / z**2)
        for matrix, (_, _, seen, weight) in zip(self._matrices(z), self.slacks, strict=True):
            gram = seen.conj() @ np.linalg.solve(matrix, seen.T)
            gradient -= weight * np.diagonal(gram).real
            hessian += np.outer(weight, weight) * np.abs(gram) ** 2
        return gradient, hessian

    def reach(self, z: np.ndarray, ratio: float) -> float:
        """Return the β' down to which a point above 1 rules out more than log₂ of a ratio; 0 if it does so for all."""
        user, eve = float(z[: self.count].sum()), float(z[self.count :].sum())
        least, slope = (ratio - 1) * user, ratio * user - eve
        return max((PROOF - least) / slope, 0.0) if slope > 0 else 0.0

    def covariances(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return W and V of total trace 1: V of the least power if that is less, and W of what is left."""
        beam, noise = (
            whiten.conj().T @ np.linalg.inv(matrix) @ whiten
            for matrix, (whiten, *_) in zip(self._matrices(z), self.slacks, strict=True)
        )
        noise *= min(-self.values(z)[0], 1.0) / (np.trace(beam) + np.trace(noise)).real
        beam *= (1 - np.trace(noise).real) / np.trace(beam).real
        return (beam + beam.conj().T) / 2, (noise + noise.conj().T) / 2
