"""The uplink of a selection in closed form: hand-computed limits, a global search over powers, and cores."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from secagent_env import Decision, Scenario, evaluate, sample_instance
from solvers.certificate.cores import insecure_core
from solvers.certificate.uplink import uplink_possible, uplink_powers, uplink_ratio

AMONG = Scenario(num_agents=6, num_antennas=2, num_eavesdroppers=2, min_selected=2, eve_area_m=(20, 100))


def network(ratio, *, gain=1e-9, max_power_w=2.0):
    """Agents of equal gains to the base station whom the eavesdroppers hear ``ratio`` (N, E) times as well."""
    ratio = np.atleast_2d(np.asarray(ratio, float).T).T
    scenario = Scenario(
        num_agents=len(ratio),
        num_antennas=1,
        num_eavesdroppers=ratio.shape[1],
        min_selected=1,
        min_accuracy=0.0,
        max_power_w=max_power_w,
    )
    instance = sample_instance(scenario, 0)
    return instance.replace(channel_bs=np.full((len(ratio), 1), np.sqrt(gain), complex), gain_eve=gain * ratio)


def least_time(instance, selection, test):
    """The least time, s, for which a test of (instance, selection, time) holds, by bisection."""
    low, high = 1e-6, 1e9
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if test(instance, selection, middle) else (middle, high)
    return high


def time_at(instance, rate):
    return instance.scenario.uplink_bits / instance.scenario.bandwidth_hz / rate


def silently(instance, selection, time_s):
    return uplink_powers(instance, selection, time_s) is not None


@pytest.mark.parametrize("test", [uplink_possible, silently])
def test_limits_by_hand(test):
    # Two agents that nobody overhears: equal shares of one half each, SINR 1.
    instance = network([0.0, 0.0], max_power_w=1e9)
    assert least_time(instance, np.ones(2, bool), test) == pytest.approx(time_at(instance, 1.0), rel=1e-5)
    # Three: 1/3 each, SINR 1/2.
    instance = network([0.0, 0.0, 0.0], max_power_w=1e9)
    assert least_time(instance, np.ones(3, bool), test) == pytest.approx(time_at(instance, np.log2(1.5)), rel=1e-5)
    # One agent at any power: the secrecy capacity log2(g / |h|²).
    instance = network([0.25, 1e-3], max_power_w=1e9)
    assert least_time(instance, np.array([True, False]), test) == pytest.approx(time_at(instance, 2.0), rel=1e-4)
    # Of two eavesdroppers the better one counts.
    instance = network([[0.25, 0.5], [1e-3, 1e-3]], max_power_w=1e9)
    assert least_time(instance, np.array([True, False]), test) == pytest.approx(time_at(instance, 1.0), rel=1e-4)


def test_a_jammer_whom_the_eavesdropper_hears_well_makes_a_secret_possible():
    instance = network([1.5, 6.0])
    sender = np.array([True, False])
    assert uplink_powers(instance, sender, 1e6) is None  # without jammers it is overheard
    # With the mixture's ratio at 6 the sender's alone would be 1.5: log2(6 / 1.5) = 2 bit/s/Hz.
    assert least_time(instance, sender, uplink_possible) == pytest.approx(time_at(instance, 2.0), rel=1e-4)
    assert not uplink_possible(network([1.5, 1.2]), sender, 1e9)


def test_no_time_is_no_rate():
    instance = network([0.0, 0.0])
    assert uplink_ratio(instance, 0.0) == np.inf
    assert not uplink_possible(instance, np.ones(2, bool), -1.0)
    assert uplink_powers(instance, np.ones(2, bool), 0.0) is None


@settings(max_examples=15)
@given(st.integers(0, 500), st.sampled_from([1, 2, 3]), st.floats(1.05, 50.0))
def test_the_powers_meet_the_time_at_the_slowest_sender(seed, eves, slack):
    scenario = Scenario.preset("tight-latency", num_agents=6, min_selected=3, num_eavesdroppers=eves)
    instance = sample_instance(scenario, seed)
    selection = np.arange(6) < 3
    least = least_time(instance, selection, silently)
    if least > 1e6:
        return
    power = uplink_powers(instance, selection, slack * least)
    assert not power[~selection].any()
    outcome = evaluate(instance, Decision(selection=selection, beamformer=np.ones(20), power_w=power))
    times = scenario.uplink_bits / scenario.bandwidth_hz / outcome.uplink_secrecy[selection]
    assert times == pytest.approx(slack * least, rel=1e-6)  # each one's share is the least that it needs


@pytest.mark.parametrize("seed", [0, 8])
def test_a_global_search_over_powers_finds_nothing_faster(seed):
    scenario = Scenario.preset(
        "tight-latency", num_agents=5, min_selected=3, num_antennas=8, num_eavesdroppers=1 + seed % 2
    ).replace(eve_area_m=(60, 150))
    instance = sample_instance(scenario, seed)
    selection = np.isin(np.arange(5), np.random.default_rng(seed).permutation(5)[:3])

    def slowest(x, jam):
        power = np.where(selection | jam, scenario.noise_power_w / instance.bs_gain * np.exp(x), 0)
        power = np.minimum(power, scenario.max_power_w)
        outcome = evaluate(instance, Decision(selection=selection, beamformer=np.ones(8), power_w=power))
        return -float(outcome.uplink_secrecy[selection].min())

    for jam, test in ((False, silently), (True, uplink_possible)):
        bounds = [(-6, 12)] * 5
        best = optimize.differential_evolution(slowest, bounds, args=(jam,), maxiter=80, seed=1, tol=1e-8).fun
        found = np.inf if best >= 0 else time_at(instance, -best)
        least = least_time(instance, selection, test)
        assert least <= found * (1 + 1e-6)
        if np.isfinite(found) and (not jam or scenario.num_eavesdroppers == 1):
            assert least == pytest.approx(found, rel=1e-2)


# --- Cores ---------------------------------------------------------------------------------------------------


def can_all_send(instance, selection) -> bool:
    """Whether some powers p ≥ 0, however large, give all of a selection uplink secrecy: a linear program in p, σ²."""
    rows = []
    for n, e in itertools.product(np.flatnonzero(selection), range(instance.scenario.num_eavesdroppers)):
        g, b = instance.bs_gain, instance.gain_eve[:, e]
        row = np.append(g[n] * b - b[n] * g, g[n] - b[n])  # the last one: of the noise
        row = row / np.append(g + instance.gain_eve.max(axis=1), 1.0)  # any positive unit of each power will do
        rows.append(np.append(-row / np.abs(row).max(), 1.0))
    size = instance.scenario.num_agents + 1
    total = np.append(np.ones(size), 0.0)
    result = optimize.linprog(
        -np.eye(size + 1)[-1], rows, np.zeros(len(rows)), [total], [1.0], [(0, None)] * size + [(None, 1)]
    )
    assert result.status == 0
    return result.x[-1] > 1e-7


def test_a_jammer_that_helps_by_less_than_rounding_leaves_it_open():
    sender = np.array([True, False])
    for rounding in (1e-12, -1e-12):
        assert insecure_core(network([1.5, 1.5 * (1 + rounding)]), sender) is None
    assert insecure_core(network([1.5, 1.5 * (1 - 1e-6)]), sender).tolist() == [True, False]


@pytest.mark.parametrize("changes", [{}, {"num_antennas": 1}, {"num_eavesdroppers": 1}, {"num_eavesdroppers": 4}])
def test_cores_against_a_linear_program_in_the_powers(changes):
    scenario = AMONG.replace(**changes)
    seen = set()
    for seed in range(4):
        instance = sample_instance(scenario, seed)
        for bits in itertools.product([False, True], repeat=6):
            selection = np.array(bits)
            if not selection.any():
                continue
            core = insecure_core(instance, selection)
            possible = can_all_send(instance, selection)
            assert (core is None) == possible
            seen.add(possible)
            if core is not None:
                assert 1 <= core.sum() <= scenario.num_eavesdroppers
                assert not (core & ~selection).any()
                assert not can_all_send(instance, core)
    assert seen == {True, False}
