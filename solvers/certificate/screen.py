"""What proves that a selection cannot be served, whatever beam and powers: tests from cheap to dear.

* No mixture of what others send keeps all of its uplinks secret (:mod:`solvers.certificate.cores`).
* The downlink takes at least the time of a multicast without eavesdroppers and jammers, the inference that of its
  slowest agent, and in the time that is left the uplink cannot be sent (:mod:`solvers.certificate.uplink`).

The rate of the multicast is bounded by eigenvalues (:func:`solvers.beam.sdr.secrecy_bound` without eavesdroppers): at
the weights λ_n ∝ 1/g_n, and at those that the semidefinite relaxation finds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from secagent_env import Instance
from solvers.beam.sdr import Downlink, relax
from solvers.certificate.cores import insecure_core
from solvers.certificate.requirements import TOLERANCE
from solvers.certificate.uplink import uplink_possible


def unservable_core(instance: Instance, selection: np.ndarray) -> np.ndarray | None:
    """Return agents (N,) bool of a selection that no feasible decision selects together; None if none are found."""
    core = insecure_core(instance, selection)
    if core is None and too_slow(instance, selection, multicast_rate(instance, selection)):
        core = selection
    return core


def too_slow(instance: Instance, selection: np.ndarray, downlink_rate: float) -> bool:
    """Return whether a selection exceeds the latency limit, its downlink at most at this rate, bit/s/Hz: proved."""
    scenario = instance.scenario
    if downlink_rate <= 0:
        return True
    downlink = scenario.downlink_bits / (scenario.bandwidth_hz * downlink_rate)
    left = scenario.latency_limit_s * (1 + 2 * TOLERANCE) - float(instance.inference_time_s[selection].max()) - downlink
    return not uplink_possible(instance, selection, left)


def multicast_rate(instance: Instance, selection: np.ndarray) -> float:
    """Return a bound on the rate at which any beam reaches all of a selection, bit/s/Hz, by one eigenvalue.

    min_k |h_kᴴ v|² ≤ Σ λ_k |h_kᴴ v|² ≤ λ_max(Σ λ_k h_k h_kᴴ) at λ_k ∝ 1/‖h_k‖².
    """
    gain = instance.bs_gain[selection]
    if not (gain > 0).all():
        return 0.0
    unit = instance.channel_bs[selection] / np.sqrt(gain)[:, None]
    gram = unit.conj() @ unit.T if len(unit) < unit.shape[1] else unit.T @ unit.conj()
    largest = float(np.linalg.eigvalsh(gram)[-1]) * (1 + TOLERANCE)
    snr = instance.scenario.bs_power_w / instance.scenario.noise_power_w
    return float(np.log2(1 + snr * largest / np.sum(1 / gain)))


def relaxed_multicast_rate(instance: Instance, selection: np.ndarray) -> float:
    """Return the bound of :func:`multicast_rate` at the weights of the semidefinite relaxation, bit/s/Hz."""
    problem = Downlink.of(instance, selection, np.zeros(len(selection)))
    return relax(replace(problem, eves=np.zeros((1, problem.eves.shape[1])))).bound
