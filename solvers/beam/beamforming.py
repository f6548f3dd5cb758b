"""The beam that reaches the selected agents and keeps the eavesdroppers' SINRs low."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from secagent_env import Instance
from secagent_env.support import checks
from solvers.beam.linearised_sdr import relax_linearised
from solvers.beam.polish import ascend, polish
from solvers.beam.sdr import Downlink, randomise, relax, secrecy_bound
from solvers.numerics.hermitian import whitened

FAR = 1.0
"""How far below the relaxation's bound, bit/s/Hz, a beam is improved by an ascent before it is polished."""
SDR = ("whitened", "linearised")
"""Ways to solve the semidefinite relaxation."""


@dataclass(frozen=True)
class Beam:
    """A beam for a selection and powers.

    Attributes
    ----------
    beamformer
        w, (L,) complex, √W.
    secrecy
        The downlink secrecy rate c_dl it reaches, bit/s/Hz.
    bound
        No beam reaches more, bit/s/Hz.
    method
        ``"sdr"``, ``"linearised sdr"``, or ``"polish"`` where the span has too many dimensions for either; ``"noise"``
        with artificial noise.
    noise_covariance
        V (L, L) complex, W, of artificial noise beside the beam; None without.
    """

    beamformer: np.ndarray
    secrecy: float
    bound: float
    method: str
    noise_covariance: np.ndarray | None = None


def best_beam(
    instance: Instance,
    selection: np.ndarray,
    power_w: np.ndarray,
    rng: np.random.Generator,
    *,
    start: np.ndarray | None = None,
    draws: int = 60,
    starts: int = 2,
    sdp_dimensions: int = 64,
    tolerance: float = 1e-3,
    sdr: str = "whitened",
    check_time: Callable[[], None] = lambda: None,
) -> Beam:
    """Maximise the downlink secrecy rate (42) over the beam, at a given selection and powers.

    Semidefinite relaxation, Gaussian randomisation (:mod:`solvers.beam.sdr`), and a polish of the best beams by
    successive convex approximation (:mod:`solvers.beam.polish`); it comes with an upper bound on what any beam reaches.

    Parameters
    ----------
    instance
        A single instance.
    selection, power_w
        (N,) bool, somebody selected, and (N,) W: the unselected agents jam with theirs.
    rng
        Of the randomisation.
    start
        (L,) complex, a beam to do at least as well as.
    draws
        Gaussian draws from the relaxed solution.
    starts
        How many of the candidates are polished; with 0 the best of them is taken as it is.
    sdp_dimensions
        In more dimensions than these (at most L, and at most selected agents plus eavesdroppers) closed-form
        beams are polished instead, and the bound is the eigenvalue bound at the polish's multipliers.
    tolerance
        The polish stops when a step gains less, bit/s/Hz.
    sdr
        How the relaxation is solved: ``"whitened"``, by one semidefinite program, or ``"linearised"``, as in the
        paper, by (49) repeatedly.
    check_time
        Called between steps; it may raise.
    """
    checks.choice("sdr", sdr, SDR)
    problem = Downlink.of(instance, selection, power_w)
    candidates = [] if start is None or not np.any(start) else [problem.coordinates(start)]
    bound, method = np.inf, "polish"
    if problem.users.shape[1] <= sdp_dimensions:
        linearised = sdr == "linearised"
        relaxation = (
            relax_linearised(problem, candidates[0] if candidates else None, check_time=check_time)
            if linearised
            else relax(problem, check_time=check_time)
        )
        method = "linearised sdr" if linearised else "sdr"
        bound = relaxation.bound
        candidates.extend(randomise(problem, relaxation.covariance, rng, draws))
    else:
        closed_forms = [leakage_beam(instance, selection), null_beam(instance, selection)]
        candidates.extend(problem.coordinates(w) for w in closed_forms if w is not None)
    beams = np.stack(candidates)
    order = np.argsort(-problem.margin(beams), kind="stable")[: max(starts, 1)]
    chosen = [
        ascend(problem, beam, check_time=check_time) if starts and problem.margin(beam) < bound - FAR else beam
        for beam in beams[order]
    ]
    polished = [polish(problem, beam, tolerance, 30 if starts else 0, check_time=check_time) for beam in chosen]
    best = max(polished, key=lambda result: result.margin)
    bound = min(bound, secrecy_bound(problem, best.user_weight, best.eve_weight))
    return Beam(problem.basis @ best.beam, max(best.margin, 0.0), bound, method)


def null_beam(instance: Instance, selection: np.ndarray, sweeps: int = 20) -> np.ndarray | None:
    """Return a full-power beam with zero gain at every eavesdropper, or None if there is none.

    The selected agents' (N,) bool channels are projected onto the complement of the eavesdroppers'; there the shortest
    beam that reaches all agents with equal amplitude is sought, by ``sweeps`` alternations between the phases received
    and the least-squares beam for these phases. The beam is (L,) complex, √W; None where E ≥ L or a selected agent lies
    in the eavesdroppers' directions.
    """
    antennas = instance.scenario.num_antennas
    length = np.linalg.norm(instance.channel_eve, axis=1, keepdims=True)
    _, values, rows = np.linalg.svd(instance.channel_eve / np.maximum(length, 1e-300), full_matrices=True)
    rank = int(np.sum(values > 1e-12 * max(values[0], 1e-300)))
    if rank >= antennas:
        return None
    basis = rows[rank:].T  # (L, L − rank): its columns see hᴴw = 0 for every eavesdropper's h
    channels = instance.channel_bs[selection]
    scale = np.sqrt(instance.bs_gain[selection])
    if not np.all(scale > 0):
        return None
    seen = (channels / scale[:, None]).conj() @ basis  # unit rows: hᴴ(basis z)
    if np.any(np.linalg.norm(seen, axis=1) < 1e-9):
        return None
    weight = scale.min() / scale  # equal received amplitudes: the weakest agent counts fully
    inverse = np.linalg.pinv(seen, rcond=1e-9)
    phase = np.ones(len(channels), complex)
    best, best_gain = None, 0.0
    for _ in range(sweeps):
        beam = inverse @ (weight * phase)
        beam /= max(np.linalg.norm(beam), 1e-300)
        received = seen @ beam
        gain = float(np.min(np.abs(received) * scale))
        if gain > best_gain:
            best, best_gain = beam, gain
        phase = np.exp(1j * np.angle(received))
    if best is None:
        return None
    return np.asarray(basis @ best * np.sqrt(instance.scenario.bs_power_w))


def leakage_beam(instance: Instance, selection: np.ndarray) -> np.ndarray:
    """Return the full-power beam of the largest signal-to-leakage ratio, (L,) complex, √W.

    The principal generalised eigenvector of Σ h̃_k h̃_kᴴ against I + Σ g̃_e g̃_eᴴ, over the selected agents'
    channels h̃ (each of length 1, so that the weak ones count) and the eavesdroppers' g̃ = g √(p_BS / σ²).
    """
    scenario = instance.scenario
    scale = np.sqrt(np.maximum(instance.bs_gain[selection], 1e-300))
    wanted = instance.channel_bs[selection] / scale[:, None]
    whiten, _ = whitened(instance.channel_eve * np.sqrt(scenario.bs_power_w / scenario.noise_power_w))
    seen = wanted @ whiten.T
    _, vectors = np.linalg.eigh(seen.T @ seen.conj())
    beam = whiten.conj().T @ vectors[:, -1]
    return np.asarray(beam / np.linalg.norm(beam) * np.sqrt(scenario.bs_power_w))
