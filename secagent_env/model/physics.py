"""The physics, written once: rates, times, energies and violations of a decision in an instance.

Batched over any leading dimensions and written on the Python array API: NumPy and torch, float64 and
float32, run the same code. Dimension letters: N agents, L antennas, E eavesdroppers. Equation numbers
are those of *Secure and Energy-Efficient Wireless Agentic AI Networks*; ``docs/model.md`` says where the
printed equations were corrected and which conventions fill their gaps.

Rates are ``log1p(SINR)/ln 2`` and secrecy rates ``log1p((a − b)/(1 + b))/ln 2``, never a difference of two
logarithms, and interference sums leave the agent out rather than subtract it: SINRs go down to 1e-13.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secagent_env.model.batched import LEAN_NUMPY, Array, lean_namespace, require_shape
from secagent_env.model.decision import Decision
from secagent_env.model.instance import Instance
from secagent_env.model.outcome import Outcome
from secagent_env.model.scenario import Scenario

LN2 = math.log(2)


def evaluate(instance: Instance, decision: Decision) -> Outcome:
    """Return the energies, times, secrecy and violations of a decision in an instance.

    The leading dimensions of the two are broadcast against each other, so that many decisions can be
    scored in one instance. A negative power is a violation and transmits as zero. In float32 each SINR has
    an error of about 1e-6, and a secrecy rate one that is larger by (a + b) / |a − b|: score in float64.

    Parameters
    ----------
    instance, decision
        Of the same array library; ``decision`` with N and L as in ``instance``.

    Returns
    -------
    Outcome
        Scalars for a single instance and decision, else arrays of the broadcast batch shape.

    Raises
    ------
    ValueError
        If the shapes do not fit or the array libraries differ.
    """
    xp = _check(instance, decision)
    scenario = instance.scenario
    selection = decision.selection
    power = _clip_negative(decision.power_w, xp)
    chosen = xp.astype(selection, power.dtype)  # masks what is finite; faster than where
    count = xp.sum(chosen, axis=-1)

    # Downlink, (3)-(7): the slowest selected agent against the best eavesdropper.
    sinr, sinr_eve = _downlink_sinr(instance, decision, power * (1.0 - chosen), xp)
    weakest = xp.min(xp.where(selection, sinr, math.inf), axis=-1)
    strongest = combine_eavesdroppers(sinr_eve, scenario.colluding)
    downlink_secrecy = secrecy_rate(xp.where(count > 0, weakest, 0.0), strongest)
    downlink_time = transfer_time(scenario.downlink_bits, scenario.bandwidth_hz, downlink_secrecy)

    # Uplink, (9)-(12): everybody with power sends at once, jammers included.
    sinr, sinr_eve = _uplink_sinr(instance, power, xp)
    secrecy = secrecy_rate(sinr, combine_eavesdroppers(sinr_eve, scenario.colluding))
    uplink_secrecy = chosen * secrecy
    uplink_times = transfer_time(scenario.uplink_bits, scenario.bandwidth_hz, uplink_secrecy)
    uplink_time = xp.max(xp.where(selection, uplink_times, 0.0), axis=-1)

    # Reasoning, (13)-(16), and energies, (18)-(19).
    inference_time = xp.max(chosen * instance.inference_time_s, axis=-1)
    execution = xp.sum(chosen * instance.execution_energy_j, axis=-1)
    transmission = xp.sum(transmission_energies(selection, power, uplink_times, downlink_time + uplink_time), axis=-1)
    accuracy_sum = xp.sum(chosen * instance.accuracy, axis=-1)
    mean_accuracy = accuracy_sum / xp.where(count > 0, count, 1.0)
    return outcome_of(
        xp,
        scenario,
        decision,
        count=count,
        beam_power_w=bs_power(decision),
        execution_energy_j=execution,
        transmission_energy_j=transmission,
        downlink_time_s=downlink_time,
        inference_time_s=inference_time,
        uplink_time_s=uplink_time,
        downlink_secrecy=downlink_secrecy,
        uplink_secrecy=uplink_secrecy,
        mean_accuracy=mean_accuracy,
    )


def outcome_of(
    xp: Any, scenario: Scenario, decision: Decision, *, count: Array, beam_power_w: Array, **figures: Array
) -> Outcome:
    """Return the outcome of a decision: its figures, their sums, and how far the constraints are violated.

    ``count`` is how many agents are selected, ``beam_power_w`` the power of the base station, and ``figures`` are the
    fields of :class:`~secagent_env.Outcome` that follow from no others.
    """
    latency = figures["downlink_time_s"] + figures["inference_time_s"] + figures["uplink_time_s"]
    over = xp.max(decision.power_w - scenario.max_power_w, axis=-1)
    under = xp.max(-decision.power_w, axis=-1)
    violations = {
        "beam_power_w": beam_power_w - scenario.bs_power_w,
        "selected": scenario.required_agents - count,
        "accuracy": scenario.min_accuracy - figures["mean_accuracy"],
        "latency_s": latency - scenario.latency_limit_s,
        "agent_power_w": xp.maximum(over, under),
    }
    return Outcome._of(
        xp,
        energy_j=figures["execution_energy_j"] + figures["transmission_energy_j"],
        latency_s=latency,
        violations=violations,
        scenario=scenario,
        **figures,
    )


def downlink_sinr(instance: Instance, decision: Decision) -> tuple[Array, Array]:
    """Return the SINRs of the downlink, (3) and (5), of every agent (…, N) and eavesdropper (…, E)."""
    xp = lean_namespace(instance.channel_bs, decision.beamformer)
    jamming = xp.where(decision.selection, 0.0, _clip_negative(decision.power_w, xp))
    return _downlink_sinr(instance, decision, jamming, xp)


def _downlink_sinr(instance: Instance, decision: Decision, jamming: Array, xp: Any) -> tuple[Array, Array]:
    beam = xp.conj(decision.beamformer)[..., None]  # |hᴴw| = |hᵀ conj(w)|: conjugates L numbers, not N·L
    jamming = jamming[..., None, :]
    noise = instance.scenario.noise_power_w
    interference = xp.matmul(jamming, instance.gain_agents)[..., 0, :] + noise
    interference_eve = xp.matmul(jamming, instance.gain_eve)[..., 0, :] + noise
    if decision.noise_covariance is not None:
        interference = interference + heard_noise(instance.channel_bs, decision.noise_covariance)
        interference_eve = interference_eve + heard_noise(instance.channel_eve, decision.noise_covariance)
    received = _abs2(xp.matmul(instance.channel_bs, beam)[..., 0], xp)
    received_eve = _abs2(xp.matmul(instance.channel_eve, beam)[..., 0], xp)
    return received / interference, received_eve / interference_eve


def heard_noise(channels: Array, covariance: Array) -> Array:
    """Return hᴴVh (…, M), W: what receivers of channels h (…, M, L) hear of noise with the covariance V (…, L, L)."""
    xp = lean_namespace(channels, covariance)
    power = xp.real(xp.sum(xp.matmul(xp.conj(channels), covariance) * channels, axis=-1))
    return xp.where(power > 0, power, 0.0)  # of a singular covariance rounding may leave less


def bs_power(decision: Decision) -> Array:
    """Return the power of the base station, ‖w‖² + tr V, (…), W."""
    xp = lean_namespace(decision.beamformer)
    power = xp.sum(_abs2(decision.beamformer, xp), axis=-1)
    if decision.noise_covariance is None:
        return power
    antennas = range(decision.beamformer.shape[-1])
    return power + sum(xp.real(decision.noise_covariance[..., antenna, antenna]) for antenna in antennas)


def uplink_sinr(instance: Instance, decision: Decision) -> tuple[Array, Array]:
    """Return the SINRs of the uplink, (9) at the base station (…, N), (10) at the eavesdroppers (…, N, E)."""
    xp = lean_namespace(instance.channel_bs, decision.power_w)
    return _uplink_sinr(instance, _clip_negative(decision.power_w, xp), xp)


def _uplink_sinr(instance: Instance, power: Array, xp: Any) -> tuple[Array, Array]:
    noise = instance.scenario.noise_power_w
    received = instance.bs_gain * power
    received_eve = instance.gain_eve * power[..., None]
    return (
        received / (_sum_of_others(received, -1, xp) + noise),
        received_eve / (_sum_of_others(received_eve, -2, xp) + noise),
    )


def combine_eavesdroppers(sinr: Array, colluding: bool) -> Array:
    """Return the SINR (…) that limits secrecy, of eavesdroppers' (…, E): the largest, or the sum if they collude."""
    xp = lean_namespace(sinr)
    return xp.sum(sinr, axis=-1) if colluding else xp.max(sinr, axis=-1)


def secrecy_rate(sinr: Array, sinr_eve: Array) -> Array:
    """Return the secrecy rate [log2(1 + a) − log2(1 + b)]⁺ in bit/s/Hz, (6) and (11)."""
    xp = lean_namespace(sinr, sinr_eve)
    if xp is LEAN_NUMPY:  # the same bits as below; a random mask costs more than the numbers
        return np.log1p(np.maximum(sinr - sinr_eve, 0.0) / (1.0 + sinr_eve)) / LN2
    return xp.log1p(xp.where(sinr > sinr_eve, sinr - sinr_eve, 0.0) / (1.0 + sinr_eve)) / LN2


def transfer_time(bits: float, bandwidth_hz: float, secrecy: Array) -> Array:
    """Return the time bits / (B c) in s, (7) and (12); infinite where the secrecy rate c is zero."""
    xp = lean_namespace(secrecy)
    if xp is LEAN_NUMPY:  # the same bits as below, without two passes
        with np.errstate(divide="ignore", over="ignore"):
            return bits / (bandwidth_hz * secrecy)
    possible = secrecy > 0
    # The inner where keeps the gradient finite where nothing can be sent.
    return xp.where(possible, bits / (bandwidth_hz * xp.where(possible, secrecy, 1.0)), math.inf)


def transmission_energies(selection: Array, power: Array, uplink_times: Array, jamming_time: Array) -> Array:
    """Return the transmission energy of each agent, a term of (18), (…, N), J.

    Senders spend their power for their own time, of ``uplink_times`` (…, N), jammers for both phases: ``jamming_time``
    (…), downlink time plus the longest uplink time, s. A silent agent spends nothing, for infinite times too.
    """
    xp = lean_namespace(power, uplink_times)
    active = power > 0
    time = xp.where(selection, uplink_times, jamming_time[..., None])
    return xp.where(active, power * xp.where(active, time, 0.0), 0.0)


def _check(instance: Instance, decision: Decision) -> Any:
    if not isinstance(instance, Instance) or not isinstance(decision, Decision):
        got = f"{type(instance).__name__} and {type(decision).__name__}"
        raise ValueError(f"evaluate needs an Instance and a Decision, in this order, got {got}")
    xp = lean_namespace(instance.channel_bs, decision.power_w)
    scenario = instance.scenario
    require_shape("selection", decision.selection, (scenario.num_agents,), "N")
    require_shape("beamformer", decision.beamformer, (scenario.num_antennas,), "L")
    try:
        if instance.batch_shape != decision.batch_shape:
            np.broadcast_shapes(instance.batch_shape, decision.batch_shape)
    except ValueError:
        raise ValueError(
            f"the batch shapes of instance and decision must broadcast, "
            f"got {instance.batch_shape} and {decision.batch_shape}"
        ) from None
    return xp


def _clip_negative(power: Array, xp: Any) -> Array:
    return xp.where(power > 0, power, 0.0)


def _abs2(z: Array, xp: Any) -> Array:
    return xp.real(z) ** 2 + xp.imag(z) ** 2


def _sum_of_others(values: Array, axis: int, xp: Any) -> Array:
    """Return for each entry along ``axis`` the sum of the others, as prefix plus suffix: no subtraction."""
    if axis == -2:
        return xp.matrix_transpose(_sum_of_others(xp.matrix_transpose(values), -1, xp))
    if xp is LEAN_NUMPY:  # as below, without two copies and the wrappers of six functions
        before, after = np.zeros((2, *values.shape), values.dtype)
        np.add.accumulate(values[..., :-1], axis=-1, out=before[..., 1:])
        np.add.accumulate(values[..., :0:-1], axis=-1, out=after[..., -2::-1])
        return before + after
    before = xp.cumulative_sum(values, axis=-1, include_initial=True)
    after = xp.flip(xp.cumulative_sum(xp.flip(values, axis=-1), axis=-1, include_initial=True), axis=-1)
    return before[..., :-1] + after[..., 1:]
