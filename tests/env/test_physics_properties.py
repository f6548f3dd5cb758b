"""What must hold for every network and decision, whatever the numbers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_model import random_decision, random_instance, reference, relative_rounding

from secagent_env import Decision, Instance, Scenario, evaluate

SCALARS = (
    "energy_j",
    "execution_energy_j",
    "transmission_energy_j",
    "latency_s",
    "downlink_time_s",
    "inference_time_s",
    "uplink_time_s",
    "downlink_secrecy",
    "mean_accuracy",
)
UNIT = 64 * float(np.finfo(float).eps)

repeatable = settings(deadline=None, max_examples=100, derandomize=True)


@st.composite
def cases(draw, min_agents=1, min_eves=1, colluding=None):
    """An instance and a decision, of which about half are delivered in secret."""
    scenario = Scenario(
        num_agents=draw(st.integers(min_agents, 6)),
        num_antennas=draw(st.integers(1, 5)),
        num_eavesdroppers=draw(st.integers(min_eves, 3)),
        min_selected=1,
        min_accuracy=draw(st.sampled_from([0.0, 0.6, 0.7])),
        colluding=draw(st.booleans()) if colluding is None else colluding,
        knowledge_bits=draw(st.sampled_from([0.0, 1e4, 10e6])),
        latency_limit_s=draw(st.sampled_from([500.0, 3000.0])),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    instance = random_instance(rng, scenario, eve_scale=draw(st.sampled_from([0.02, 0.2, 1.0])))
    decision = random_decision(
        rng,
        instance,
        power=draw(st.sampled_from(["wide", "quiet", "sparse"])),
        nulling=draw(st.sampled_from([True, True, False])),
        able=draw(st.sampled_from([True, True, False])),
    )
    return instance, decision


def assert_same(instance, decision, other_instance, other_decision, agents=slice(None), but=()):
    """Both pairs have the same outcome but for rounding (and for the violations named in `but`); agent n of
    the second is agent `agents[n]` of the first."""
    one, other = evaluate(instance, decision), evaluate(other_instance, other_decision)
    rtol = max(1e-12, 2 * relative_rounding(reference(instance, decision)))
    if not rtol < 1e-3:  # secrecy within rounding of zero: nothing can be said
        return
    for name in SCALARS:
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=rtol, err_msg=name)
    np.testing.assert_allclose(other.uplink_secrecy, one.uplink_secrecy[agents], rtol=rtol)
    scale = {"beam_power_w": 10, "selected": 0, "accuracy": 1, "latency_s": one.latency_s, "agent_power_w": 0}
    for name in scale.keys() - set(but):
        size = scale[name]
        atol = rtol * size if math.isfinite(size) else 0
        np.testing.assert_allclose(other.violations[name], one.violations[name], rtol=rtol, atol=atol, err_msg=name)


def assert_not_above(new, old, sensitivity):
    """`new` ≤ `old`, given the rounding of SINRs."""
    assert new <= old + UNIT * float(sensitivity)


@repeatable
@given(cases(), st.randoms(use_true_random=False))
def test_permuting_agents_permutes_the_outcome(case, random):
    instance, decision = case
    order = list(range(instance.scenario.num_agents))
    random.shuffle(order)
    permuted = instance.replace(
        channel_bs=instance.channel_bs[order],
        gain_agents=instance.gain_agents[np.ix_(order, order)],
        gain_eve=instance.gain_eve[order],
        inference_time_s=instance.inference_time_s[order],
        compute_power_w=instance.compute_power_w[order],
        accuracy=instance.accuracy[order],
    )
    moved = decision.replace(selection=decision.selection[order], power_w=decision.power_w[order])
    assert_same(instance, decision, permuted, moved, agents=order)


@repeatable
@given(cases(min_eves=2), st.randoms(use_true_random=False))
def test_order_of_eavesdroppers_and_antennas_does_not_matter(case, random):
    instance, decision = case
    eves = list(range(instance.scenario.num_eavesdroppers))
    antennas = list(range(instance.scenario.num_antennas))
    random.shuffle(eves)
    random.shuffle(antennas)
    permuted = instance.replace(
        channel_bs=instance.channel_bs[:, antennas],
        channel_eve=instance.channel_eve[np.ix_(eves, antennas)],
        gain_eve=instance.gain_eve[:, eves],
    )
    assert_same(instance, decision, permuted, decision.replace(beamformer=decision.beamformer[antennas]))


@repeatable
@given(cases(), st.floats(0, 2 * math.pi), st.data())
def test_common_phase_changes_nothing(case, angle, data):
    """Of the beam, or of the channel to any one receiver."""
    instance, decision = case
    phase = np.exp(1j * angle)
    assert_same(instance, decision, instance, decision.replace(beamformer=phase * decision.beamformer))

    for name, receivers in (
        ("channel_bs", instance.scenario.num_agents),
        ("channel_eve", instance.scenario.num_eavesdroppers),
    ):
        turned = getattr(instance, name).copy()
        turned[data.draw(st.integers(0, receivers - 1))] *= phase
        assert_same(instance, decision, instance.replace(**{name: turned}), decision)


@repeatable
@given(cases())
def test_normalised_units_change_nothing(case):
    """Amplitudes over σ, power gains over σ², noise 1 W."""
    instance, decision = case
    noise = instance.scenario.noise_power_w
    normalised = instance.replace(
        scenario=instance.scenario.replace(noise_power_w=1.0),
        channel_bs=instance.channel_bs / math.sqrt(noise),
        channel_eve=instance.channel_eve / math.sqrt(noise),
        gain_agents=instance.gain_agents / noise,
        gain_eve=instance.gain_eve / noise,
    )
    assert_same(instance, decision, normalised, decision)


@repeatable
@given(cases(), st.floats(-1, 1))
def test_trading_power_for_gain_changes_transmission_only_by_that_factor(case, exponent):
    """Agents' gains times x and powers over x: the same rates and times, transmission energy over x."""
    instance, decision = case
    x = 2.0 ** round(10 * exponent)
    # the beam shares the base station's channel with the uplink: its power falls by x as well
    louder = instance.replace(
        channel_bs=instance.channel_bs * math.sqrt(x),
        channel_eve=instance.channel_eve * math.sqrt(x),
        gain_agents=instance.gain_agents * x,
        gain_eve=instance.gain_eve * x,
    )
    weaker = decision.replace(power_w=decision.power_w / x, beamformer=decision.beamformer / math.sqrt(x))
    one, other = evaluate(instance, decision), evaluate(louder, weaker)
    rtol = max(1e-12, 2 * relative_rounding(reference(instance, decision)))
    if rtol < 1e-3:
        assert other.latency_s == pytest.approx(one.latency_s, rel=rtol)
        assert other.transmission_energy_j == pytest.approx(one.transmission_energy_j / x, rel=rtol)
        assert other.execution_energy_j == one.execution_energy_j


@repeatable
@given(cases(), st.floats(0, 1))
def test_less_knowledge_costs_no_more(case, share):
    instance, decision = case
    fewer = instance.scenario.knowledge_bits * share
    less = instance.replace(scenario=instance.scenario.replace(knowledge_bits=fewer))
    one, other = evaluate(instance, decision), evaluate(less, decision)
    assert other.transmission_energy_j <= one.transmission_energy_j
    assert other.energy_j <= one.energy_j
    assert other.latency_s <= one.latency_s
    assert other.execution_energy_j == one.execution_energy_j
    assert other.uplink_time_s == one.uplink_time_s
    if one.downlink_time_s < math.inf:
        ratio = less.scenario.downlink_bits / instance.scenario.downlink_bits
        assert other.downlink_time_s == pytest.approx(one.downlink_time_s * ratio, rel=1e-14)


@repeatable
@given(cases(min_eves=2))
def test_an_extra_eavesdropper_never_raises_secrecy(case):
    instance, decision = case
    without = instance.replace(
        scenario=instance.scenario.replace(num_eavesdroppers=instance.scenario.num_eavesdroppers - 1),
        channel_eve=instance.channel_eve[:-1],
        gain_eve=instance.gain_eve[:, :-1],
    )
    more, fewer, ref = (
        evaluate(instance, decision),
        evaluate(without, decision),
        reference(instance, decision),
    )
    assert_not_above(more.downlink_secrecy, fewer.downlink_secrecy, ref.downlink_sensitivity)
    for n in range(instance.scenario.num_agents):
        assert_not_above(more.uplink_secrecy[n], fewer.uplink_secrecy[n], ref.uplink_sensitivity[n])


@repeatable
@given(cases(min_eves=2, colluding=False))
def test_colluding_eavesdroppers_are_never_weaker(case):
    instance, decision = case
    together = instance.replace(scenario=instance.scenario.replace(colluding=True))
    ref = reference(together, decision)
    alone, both = evaluate(instance, decision), evaluate(together, decision)
    assert_not_above(both.downlink_secrecy, alone.downlink_secrecy, ref.downlink_sensitivity)
    for n in range(instance.scenario.num_agents):
        assert_not_above(both.uplink_secrecy[n], alone.uplink_secrecy[n], ref.uplink_sensitivity[n])


@repeatable
@given(cases(colluding=False))
def test_one_eavesdropper_colludes_with_nobody(case):
    instance, decision = case
    alone = instance.replace(
        scenario=instance.scenario.replace(num_eavesdroppers=1),
        channel_eve=instance.channel_eve[:1],
        gain_eve=instance.gain_eve[:, :1],
    )
    colluding = alone.replace(scenario=alone.scenario.replace(colluding=True))
    assert_same(alone, decision, colluding, decision)


@repeatable
@given(cases(), st.floats(1, 1e3))
def test_noise_never_helps_a_silent_network(case, factor):
    """Without jammers more noise lowers the downlink's secrecy. With jammers it need not: it can drown the
    eavesdropper whom the jammers leave alone."""
    instance, decision = case
    silent = decision.replace(power_w=np.where(decision.selection, decision.power_w, 0))
    noise = instance.scenario.noise_power_w * factor
    noisy = instance.replace(scenario=instance.scenario.replace(noise_power_w=noise))
    ref = reference(noisy, silent)
    before, after = evaluate(instance, silent), evaluate(noisy, silent)
    assert_not_above(after.downlink_secrecy, before.downlink_secrecy, ref.downlink_sensitivity)


def test_noise_can_help_where_jammers_are():
    """What the property above leaves out: a jammer near the receiver, none near the eavesdropper."""
    scenario = Scenario(num_agents=2, num_antennas=1, min_selected=1, noise_power_w=1.0)
    instance = Instance(
        scenario=scenario,
        channel_bs=np.ones((2, 1), complex),
        channel_eve=np.array([[0.3 + 0j]]),
        gain_agents=np.array([[0.0, 10.0], [10.0, 0.0]]),
        gain_eve=np.zeros((2, 1)),
        inference_time_s=np.ones(2),
        compute_power_w=np.ones(2),
        accuracy=np.ones(2),
    )
    decision = Decision(selection=[True, False], beamformer=np.ones(1, complex), power_w=[1.0, 1.0])
    noisy = instance.replace(scenario=scenario.replace(noise_power_w=10.0))
    assert evaluate(noisy, decision).downlink_secrecy > 10 * evaluate(instance, decision).downlink_secrecy


@repeatable
@given(cases(min_agents=2), st.data())
def test_a_silent_bystander_changes_nothing(case, data):
    """An agent that neither computes nor transmits can be left out of the network."""
    instance, decision = case
    agent = data.draw(st.integers(0, instance.scenario.num_agents - 1))
    rest = np.arange(instance.scenario.num_agents) != agent
    idle = decision.replace(selection=decision.selection & rest, power_w=decision.power_w * rest)
    scenario = instance.scenario.replace(num_agents=instance.scenario.num_agents - 1)
    smaller = Instance(
        scenario=scenario,
        channel_bs=instance.channel_bs[rest],
        channel_eve=instance.channel_eve,
        gain_agents=instance.gain_agents[np.ix_(rest, rest)],
        gain_eve=instance.gain_eve[rest],
        inference_time_s=instance.inference_time_s[rest],
        compute_power_w=instance.compute_power_w[rest],
        accuracy=instance.accuracy[rest],
    )
    fewer = Decision(selection=idle.selection[rest], beamformer=decision.beamformer, power_w=idle.power_w[rest])
    # its power is 0, at the edge of 0 ≤ p: the one trace that it leaves
    assert_same(instance, idle, smaller, fewer, agents=rest, but=["agent_power_w"])


@repeatable
@given(
    cases(),
    st.sampled_from([0.5, 1.0, 1 + 5e-10, 1 + 5e-9, 2.0]),
    st.sampled_from([None, None, 0.0, -1e-10, 1.0, 1 + 5e-10, 1 + 5e-9, -1e-3]),
)
def test_feasible_means_all_constraints_within_tolerance(case, beam, power):
    """Also at the edges: the beam at a multiple of its budget, one agent at a multiple of p_max."""
    instance, decision = case
    scenario = instance.scenario
    powers = decision.power_w.copy()
    if power is not None:
        powers[0] = power * scenario.max_power_w
    norm = np.linalg.norm(decision.beamformer)
    decision = decision.replace(
        power_w=powers, beamformer=decision.beamformer / norm * math.sqrt(beam * scenario.bs_power_w)
    )
    outcome = evaluate(instance, decision)
    within = (
        outcome.violations["beam_power_w"] <= 1e-9 * max(scenario.bs_power_w, scenario.max_power_w),
        outcome.violations["selected"] <= 0,
        outcome.violations["accuracy"] <= 1e-9,
        outcome.violations["latency_s"] <= 1e-9 * scenario.latency_limit_s,
        outcome.violations["agent_power_w"] <= 1e-9 * scenario.max_power_w,
    )
    assert bool(outcome.feasible) == all(within)
    if outcome.feasible:
        assert outcome.energy_j < math.inf
        assert outcome.downlink_secrecy > 0
        assert np.all(outcome.uplink_secrecy[decision.selection] > 0)


@repeatable
@given(cases())
def test_parts_add_up_and_nothing_is_nan(case):
    instance, decision = case
    outcome = evaluate(instance, decision)
    for name in SCALARS:
        assert getattr(outcome, name) >= 0, name  # false for NaN too
    assert outcome.energy_j == outcome.execution_energy_j + outcome.transmission_energy_j
    total = outcome.downlink_time_s + outcome.inference_time_s + outcome.uplink_time_s
    assert outcome.latency_s == pytest.approx(total, rel=1e-15)
    assert np.all(outcome.uplink_secrecy[~decision.selection] == 0)
    assert np.all(outcome.uplink_secrecy >= 0)


@repeatable
@given(cases(min_agents=2))
def test_uplink_secrecy_does_not_depend_on_who_else_is_selected(case):
    """Everybody with power transmits in the uplink phase, senders and jammers alike."""
    instance, decision = case
    everybody = evaluate(instance, decision.replace(selection=np.ones_like(decision.selection)))
    outcome = evaluate(instance, decision)
    np.testing.assert_array_equal(outcome.uplink_secrecy, np.where(decision.selection, everybody.uplink_secrecy, 0))
