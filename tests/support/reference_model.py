"""The model in 50-digit arithmetic, one loop per sum, to be read against the equations.

`reference` takes one instance and one decision without batch dimensions and shares no code with the package.
Equation numbers are those of the paper *Secure and Energy-Efficient Wireless Agentic AI Networks*. Floats are
converted exactly, so every digit in which the package differs from this file is a rounding error of the
package, or a mistake.
"""

from types import SimpleNamespace

import numpy as np
from mpmath import mp, mpc, mpf

from secagent_env import Decision, Instance

mp.dps = 50

INF = mpf("inf")
EPS = float(np.finfo(float).eps)


def _real(values):
    return [mpf(float(v)) for v in np.asarray(values)]


def _complex(values):
    return [mpc(complex(v)) for v in np.asarray(values)]


def _log2(x):
    return mp.log(x) / mp.log(2)


def _times(power, time):
    """0 · inf = 0: who is silent spends nothing, however long the wait."""
    return mpf(0) if power == 0 else power * time


def _inner(h, w):
    """hᴴ w and Σ|h_l||w_l|: the second says how much of the first is lost to cancellation."""
    total, size = mpc(0), mpf(0)
    for h_l, w_l in zip(h, w, strict=True):
        total += mp.conj(h_l) * w_l
        size += abs(h_l) * abs(w_l)
    return total, size


def reference(instance, decision):
    """All quantities of `Outcome` as mpf numbers (`uplink_secrecy` a list, `violations` a dict), and for
    judging floats:

    `downlink_advantage`, `uplink_advantage[n]`: the secrecy rates before the max with 0;
    `downlink_sensitivity`, `uplink_sensitivity[n]`: relative errors up to u in the inner products' terms, the
    powers and the gains move the advantage by up to u times this;
    `margin`: how far the decision is from where `feasible` turns, as a fraction of the bound.
    """
    scenario = instance.scenario
    num_agents, num_eves = scenario.num_agents, scenario.num_eavesdroppers
    agents, eves = range(num_agents), range(num_eves)
    noise, bandwidth = mpf(scenario.noise_power_w), mpf(scenario.bandwidth_hz)
    bits_per_token = mpf(scenario.bits_per_token)
    min_selected = scenario.min_selected if scenario.min_selected is not None else max(1, num_agents // 3)

    selected = [bool(s) for s in np.asarray(decision.selection)]
    members = [n for n in agents if selected[n]]
    asked_power = _real(decision.power_w)
    power = [max(p, mpf(0)) for p in asked_power]  # a negative power is a violation and transmits as zero
    w = _complex(decision.beamformer)
    covariance = None
    if decision.noise_covariance is not None:
        covariance = [_complex(row) for row in np.asarray(decision.noise_covariance)]
    h_bs = [_complex(row) for row in np.asarray(instance.channel_bs)]
    h_eve = [_complex(row) for row in np.asarray(instance.channel_eve)]
    gain_agents = [_real(row) for row in np.asarray(instance.gain_agents)]
    gain_eve = [_real(row) for row in np.asarray(instance.gain_eve)]
    inference_time = _real(instance.inference_time_s)
    compute_power = _real(instance.compute_power_w)
    accuracy = _real(instance.accuracy)

    def worst_eve(sinrs):
        """SINR against which secrecy is measured: the best eavesdropper's, or the sum if they collude."""
        if scenario.colluding:
            total = mpf(0)
            for sinr in sinrs:
                total += sinr
            return total
        return max(sinrs)

    def advantage(ours, theirs):
        return _log2(1 + ours) - _log2(1 + theirs)

    def sensitivity(ours, our_growth, theirs, their_growth):
        return (our_growth / (1 + ours) + their_growth / (1 + theirs)) / mp.log(2)

    # --- downlink -------------------------------------------------------------------------------------------
    def received(h, interference):
        """The SINR, and how far relative errors u move it, over u: cancellation in hᴴ w makes them grow."""
        inner, size = _inner(h, w)
        return abs(inner) ** 2 / interference, (abs(inner) ** 2 + 2 * size * abs(inner)) / interference

    def artificial(h):
        """hᴴ V h: what a receiver hears of the base station's artificial noise."""
        total = mpf(0)
        for k, row in enumerate(covariance or []):
            for m, entry in enumerate(row):
                total += (mp.conj(h[k]) * entry * h[m]).real
        return total

    sinr, sinr_growth = {}, {}
    for n in members:
        interference = noise + artificial(h_bs[n])  # (2)
        for j in agents:
            if not selected[j]:
                interference += gain_agents[j][n] * power[j]
        sinr[n], sinr_growth[n] = received(h_bs[n], interference)  # (3)
    sinr_eve, sinr_eve_growth = [], []
    for e in eves:
        interference = noise + artificial(h_eve[e])
        for j in agents:
            if not selected[j]:
                interference += gain_eve[j][e] * power[j]
        one, growth = received(h_eve[e], interference)  # (5)
        sinr_eve.append(one)
        sinr_eve_growth.append(growth)

    downlink_advantage, downlink_sensitivity = mpf(0), mpf(0)
    if members:
        weakest = min(members, key=lambda n: sinr[n])  # the min in (4)
        ours, theirs = sinr[weakest], worst_eve(sinr_eve)
        downlink_advantage = advantage(ours, theirs)  # (4)
        downlink_sensitivity = sensitivity(ours, sinr_growth[weakest], theirs, worst_eve(sinr_eve_growth))
    downlink_secrecy = max(downlink_advantage, mpf(0))  # (6)
    message_bits = mpf(scenario.prompt_tokens) * bits_per_token + mpf(scenario.knowledge_bits)  # s + D
    downlink_time = message_bits / (bandwidth * downlink_secrecy) if downlink_secrecy > 0 else INF  # (7)

    # --- uplink ---------------------------------------------------------------------------------------------
    gain_bs = []
    for n in agents:
        gain = mpf(0)
        for h in h_bs[n]:
            gain += abs(h) ** 2
        gain_bs.append(gain)

    output_bits = mpf(scenario.output_tokens) * bits_per_token
    uplink_advantage = [mpf(0)] * num_agents
    uplink_sensitivity = [mpf(0)] * num_agents
    uplink_secrecy = [mpf(0)] * num_agents  # stays 0 for who is not selected
    uplink_times = {}
    for n in members:
        interference = noise
        for m in agents:
            if m != n:
                interference += gain_bs[m] * power[m]
        ours = gain_bs[n] * power[n] / interference  # (9)
        heard = []
        for e in eves:
            interference = noise
            for m in agents:
                if m != n:
                    interference += gain_eve[m][e] * power[m]
            heard.append(gain_eve[n][e] * power[n] / interference)  # (10)
        theirs = worst_eve(heard)
        uplink_advantage[n] = advantage(ours, theirs)
        uplink_sensitivity[n] = sensitivity(ours, 2 * ours, theirs, 2 * theirs)
        uplink_secrecy[n] = max(uplink_advantage[n], mpf(0))  # (11)
        uplink_times[n] = output_bits / (bandwidth * uplink_secrecy[n]) if uplink_secrecy[n] > 0 else INF  # (12)

    # --- times, energies ------------------------------------------------------------------------------------
    last_inference = max((inference_time[n] for n in members), default=mpf(0))
    last_uplink = max(uplink_times.values(), default=mpf(0))
    latency = downlink_time + last_inference + last_uplink  # left side of (17)

    execution, transmission = mpf(0), mpf(0)
    for n in agents:
        if selected[n]:
            execution += compute_power[n] * inference_time[n]  # (19)
            transmission += _times(power[n], uplink_times[n])  # (18), a sender
        else:
            transmission += _times(power[n], downlink_time + last_uplink)  # (18), a jammer
    mean_accuracy = mpf(0)
    for n in members:
        mean_accuracy += accuracy[n] / len(members)

    # --- constraints ----------------------------------------------------------------------------------------
    beam_power = mpf(0)
    for w_l in w:
        beam_power += abs(w_l) ** 2
    for k, row in enumerate(covariance or []):
        beam_power += row[k].real
    bs_power, max_power = mpf(scenario.bs_power_w), mpf(scenario.max_power_w)
    min_accuracy, latency_limit = mpf(scenario.min_accuracy), mpf(scenario.latency_limit_s)
    violations = {
        "beam_power_w": beam_power - bs_power,  # (1)
        "selected": mpf(min_selected - len(members)),  # (13)
        "accuracy": min_accuracy - mean_accuracy,  # (15)
        "latency_s": latency - latency_limit,  # (17)
        "agent_power_w": max(max(p - max_power, -p) for p in asked_power),  # (20c)
    }
    tolerance = mpf("1e-9")
    slack = {
        "beam_power_w": max(bs_power, max_power),
        "accuracy": max(min_accuracy, mpf(1)),
        "latency_s": latency_limit,
        "agent_power_w": max_power,
    }
    feasible = violations["selected"] <= 0 and all(violations[k] <= tolerance * slack[k] for k in slack)

    return SimpleNamespace(
        energy_j=execution + transmission,  # (20)
        execution_energy_j=execution,
        transmission_energy_j=transmission,
        latency_s=latency,
        downlink_time_s=downlink_time,
        inference_time_s=last_inference,
        uplink_time_s=last_uplink,
        downlink_secrecy=downlink_secrecy,
        uplink_secrecy=uplink_secrecy,
        mean_accuracy=mean_accuracy,
        violations=violations,
        feasible=bool(feasible),
        downlink_advantage=downlink_advantage,
        downlink_sensitivity=downlink_sensitivity,
        uplink_advantage=uplink_advantage,
        uplink_sensitivity=uplink_sensitivity,
        members=members,
        margin=min(abs(violations[k] - tolerance * slack[k]) / slack[k] for k in slack),
    )


def relative_rounding(ref, unit=64 * EPS):
    """What rounding must be granted in a time or an energy: the relative error that follows if every SINR is
    right to `unit`, 64 units in the last place for sums of at most 30 terms. A secrecy rate is a difference:
    large where receiver and eavesdropper hear about the same, infinite where its sign is not certain.
    """
    worst = 0.0
    rates = [(ref.uplink_advantage[n], ref.uplink_sensitivity[n]) for n in ref.members]
    for rate, sensitivity in [(ref.downlink_advantage, ref.downlink_sensitivity), *rates]:
        error = unit * sensitivity
        if error and abs(rate) <= error:
            return float("inf")
        if rate > 0:
            worst = max(worst, float(error / rate))
    return worst


def random_instance(rng, scenario, spread=(2e-5, 1e-3), eve_scale=1.0):
    """An `Instance` whose links have amplitudes log-uniform in `spread`, the eavesdroppers' times
    `eve_scale`: wilder than the package's own sampler, and independent of it."""
    agents, antennas, eves = scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers

    def amplitude(*shape):
        return np.exp(rng.uniform(*np.log(spread), shape))

    def rayleigh(*shape):
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    upper = np.triu((amplitude(agents, agents) * np.abs(rayleigh(agents, agents))) ** 2, 1)
    return Instance(
        scenario=scenario,
        channel_bs=amplitude(agents, 1) * rayleigh(agents, antennas),
        channel_eve=eve_scale * amplitude(eves, 1) * rayleigh(eves, antennas),
        gain_agents=upper + upper.T,
        gain_eve=(eve_scale * amplitude(agents, eves) * np.abs(rayleigh(agents, eves))) ** 2,
        inference_time_s=rng.uniform(50, 700, agents),
        compute_power_w=rng.uniform(10, 20, agents),
        accuracy=rng.uniform(0.5, 0.9, agents),
    )


def random_power(rng, agents, kind):
    """Powers in W, log-uniform: "wide" 1e-12 to 2, "quiet" 1e-12 to 1e-9, "sparse" wide but half silent."""
    power = np.exp(rng.uniform(np.log(1e-12), np.log(1e-9 if kind == "quiet" else 2.0), agents))
    return power * rng.integers(2, size=agents) if kind == "sparse" else power


def random_beam(rng, instance, nulling):
    """A beam of any direction at a part of the power budget (one time in three at all of it); nulling: one
    that the eavesdroppers do not hear, as many of them as the antennas allow."""
    scenario = instance.scenario
    antennas = scenario.num_antennas
    beam = rng.normal(size=antennas) + 1j * rng.normal(size=antennas)
    if nulling:
        heard = min(scenario.num_eavesdroppers, antennas - 1)
        basis, _ = np.linalg.qr(instance.channel_eve[:heard].T)
        beam = beam - basis @ (basis.conj().T @ beam)
    share = rng.choice([1.0, rng.uniform(), 1e-6])
    return beam / np.linalg.norm(beam) * np.sqrt(share * scenario.bs_power_w)


def random_decision(rng, instance, power="wide", nulling=False, able=False):
    """A `Decision`; `able`: only of agents that the base station hears better than the eavesdroppers do."""
    scenario = instance.scenario
    agents = scenario.num_agents
    power_w = random_power(rng, agents, power)
    candidates = np.ones(agents, bool)
    if able:
        noise = scenario.noise_power_w
        gain = np.sum(np.abs(instance.channel_bs) ** 2, -1)
        others = 1 - np.eye(agents)
        at_bs = gain / (others @ (gain * power_w) + noise)
        at_eve = instance.gain_eve / (others @ (instance.gain_eve * power_w[:, None]) + noise)
        candidates = (power_w > 0) & (at_bs > (np.sum if scenario.colluding else np.max)(at_eve, -1))
    selection = candidates & (rng.uniform(size=agents) < rng.uniform(0.2, 1.0))
    return Decision(selection=selection, beamformer=random_beam(rng, instance, nulling), power_w=power_w)
