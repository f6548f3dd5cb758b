"""Artificial noise beside the beam: what the base station sends so that the eavesdroppers hear less.

Beside a beam w the base station may send Gaussian noise of a covariance V ⪰ 0, ‖w‖² + tr V ≤ p_BS. All receivers hear
it, so that a receiver with the channel h̃ of :class:`~solvers.beam.sdr.Downlink` has the SINR

    |h̃ᴴv|² / (1 + h̃ᴴVh̃),   ‖v‖² + tr V = 1.

The steps: semidefinite programs along the eavesdroppers' SINR (:mod:`solvers.beam.noise_sdr`), rounding of their W to a
beam by Gaussian randomisation, and an ascent of beam and noise together. With V = F Fᴴ the columns of F are beams of
noise, of which there are no more than eavesdroppers.

Dimension letters: K selected agents, E eavesdroppers, d dimensions of their span, R beams of noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import optimize

from secagent_env import Instance
from secagent_env.model.physics import LN2, combine_eavesdroppers
from solvers.beam.beamforming import Beam
from solvers.beam.noise_sdr import NoiseRelaxation, relax_with_noise
from solvers.beam.polish import SHARPNESS
from solvers.beam.sdr import Downlink, Whitened, randomise


def with_noise(
    instance: Instance,
    selection: np.ndarray,
    power_w: np.ndarray,
    beam: Beam,
    rng: np.random.Generator,
    *,
    draws: int = 60,
    starts: int = 2,
    max_iterations: int = 200,
    proof: bool = False,
    check_time: Callable[[], None] = lambda: None,
) -> Beam:
    """Return a beam with artificial noise that is better than one without; that one if none is found.

    Parameters
    ----------
    instance
        A single instance.
    selection, power_w
        (N,) bool, somebody selected, and (N,) W: the unselected agents jam with theirs.
    beam
        The best beam without noise, as of :func:`~solvers.beam.beamforming.best_beam`.
    rng
        Of the randomisation.
    draws, starts
        Gaussian draws from the relaxed solution, and from how many of them the ascent starts.
    max_iterations
        Of each stage of the ascent.
    proof
        Whether the beam gets a bound, which holds with any noise; else it is infinite.
    check_time
        Called between steps; it may raise.
    """
    problem = Downlink.of(instance, selection, power_w)
    start = problem.coordinates(beam.beamformer)
    best, best_margin = start[:, None], float(problem.margin(start))
    relaxation = relax_with_noise(problem, max(best_margin, 0.0), proof=proof, check_time=check_time)
    for beams in _rounded(problem, relaxation, rng, draws, starts):
        trial = ascend_with_noise(problem, beams, max_iterations, check_time)
        margin = noisy_margin(problem, trial)
        if margin > best_margin:
            best, best_margin = trial, margin
    if best.shape[1] == 1:
        return replace(beam, bound=relaxation.bound)
    sent = problem.basis @ best
    covariance = sent[:, 1:] @ sent[:, 1:].conj().T
    return Beam(sent[:, 0], max(best_margin, 0.0), relaxation.bound, "noise", covariance)


def _rounded(
    problem: Downlink, relaxation: NoiseRelaxation, rng: np.random.Generator, draws: int, starts: int
) -> list[np.ndarray]:
    """Return the best drawn beams, each with the relaxation's beams of noise (d, 1 + R); none if it found nothing."""
    if relaxation.covariances is None:
        return []
    beam_covariance, noise_covariance = relaxation.covariances
    values, vectors = np.linalg.eigh(noise_covariance)
    noise = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, -len(problem.eves) :]
    drawn = np.sqrt(np.trace(beam_covariance).real) * randomise(problem, beam_covariance, rng, draws)
    candidates = [np.column_stack([beam, noise]) for beam in drawn]
    candidates.sort(key=lambda beams: -noisy_margin(problem, beams))
    return candidates[:starts]


def null_space_noise(instance: Instance, selection: np.ndarray, power_w: float) -> np.ndarray | None:
    """Return isotropic noise that no selected agent hears, V (L, L) of trace ``power_w``, W.

    The artificial noise of Goel and Negi, "Guaranteeing secrecy using artificial noise", 2008: V is a multiple of the
    projector onto the complement of the channels of ``selection`` (N,) bool. It needs no knowledge of eavesdroppers;
    one with a channel CN(0, m I) hears the mean power m ``power_w``. None where the agents' channels span all L
    dimensions.
    """
    channels = instance.channel_bs[selection]
    length = np.linalg.norm(channels, axis=1, keepdims=True)
    _, values, rows = np.linalg.svd(channels / np.maximum(length, 1e-300), full_matrices=True)
    basis = rows[int(np.sum(values > 1e-12 * values.max(initial=0.0))) :].T  # (L, L − rank): hᴴ basis = 0
    return None if basis.shape[1] == 0 else power_w / basis.shape[1] * (basis @ basis.conj().T)


def noisy_margin(problem: Downlink, beams: np.ndarray) -> float:
    """Return r − r_eve, bit/s/Hz, of a beam and beams of noise (d, 1 + R): the secrecy rate where positive."""
    users, eves = (_sinrs(np.abs(c.conj() @ beams) ** 2, 1.0)[0] for c in (problem.users, problem.eves))
    sinr, sinr_eve = users.min(), combine_eavesdroppers(eves, problem.colluding)
    return float(np.log1p((sinr - sinr_eve) / (1 + sinr_eve)) / LN2)


def ascend_with_noise(
    problem: Downlink, beams: np.ndarray, max_iterations: int = 200, check_time: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Return a beam and beams of noise (d, 1 + R) near a local optimum of the secrecy rate, of length 1 together.

    As :func:`solvers.beam.polish.ascend`, which see, with the columns of (v, F) free: in units of their common length
    the noise of a receiver is 1.
    """
    space = problem.whitened()
    shape = beams.shape

    def climb(z: np.ndarray, sharpness: float) -> tuple[float, np.ndarray]:
        check_time()
        value, gradient = smooth_noisy_secrecy(problem, space, _complex(z, shape), sharpness)
        return -value, -np.concatenate([gradient.real.ravel(), gradient.imag.ravel()])

    points = (space.whiten @ beams) / space.length[:, None]
    z = np.concatenate([points.real.ravel(), points.imag.ravel()])
    options = {"maxiter": max_iterations, "maxcor": 20}
    for sharpness in SHARPNESS:
        z = optimize.minimize(climb, z, (sharpness,), "L-BFGS-B", jac=True, options=options).x
        z /= np.sqrt(space.length @ np.sum(np.abs(_complex(z, shape)) ** 2, axis=1))
    beams = space.whiten.conj().T @ _complex(z, shape)
    return np.asarray(beams / np.linalg.norm(beams))


def smooth_noisy_secrecy(
    problem: Downlink, space: Whitened, points: np.ndarray, sharpness: float
) -> tuple[float, np.ndarray]:
    """Return the smooth secrecy rate of the ascent at points x (d, 1 + R), in nats, and its gradient in Re x + i Im x.

    A receiver's rate is ln(1 + s/n) with its signal s and its noise n = ‖(v, F)‖² + Σ |h̃ᴴf|².
    """
    own = float(space.length @ np.sum(np.abs(points) ** 2, axis=1))
    value, gradient = 0.0, np.zeros_like(points)
    for sign, channels in ((1, space.users), (-1, space.eves)):
        received = channels.conj() @ points
        sinr, noise = _sinrs(np.abs(received) ** 2, own)
        if sign < 0 and problem.colluding:
            total = 1 + sinr.sum()
            value -= np.log(total)
            weight = -1 / (total * noise)
        else:
            rate = sign * np.log1p(sinr)
            least = rate.min()
            weight = np.exp(-sharpness * (rate - least))
            value += least - np.log(weight.sum()) / sharpness
            weight *= sign / (weight.sum() * noise * (1 + sinr))
        # A rate grows with the signal by the weight, and falls with the noise by the SINR times that.
        lost = -weight * sinr
        change = 2 * np.repeat(lost[:, None], points.shape[1], axis=1)
        change[:, 0] = 2 * weight
        gradient += channels.T @ (change * received) + 2 * lost.sum() * space.length[:, None] * points
    return float(value), gradient


def _sinrs(heard: np.ndarray, own: float) -> tuple[np.ndarray, np.ndarray]:
    """Return SINRs and noise (M,) of receivers that hear powers (M, 1 + R), the first of which is the signal."""
    noise = own + heard[:, 1:].sum(axis=1)
    return heard[:, 0] / noise, noise


def _complex(z: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    real, imaginary = np.split(z, 2)
    return np.asarray(real + 1j * imaginary).reshape(shape)
