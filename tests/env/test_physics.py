"""`evaluate` against numbers by hand and the 50-digit reference, at extremes, in batches, array libraries."""

import math

import numpy as np
import pytest
from mpmath import mpf
from reference_model import EPS, random_decision, random_instance, reference, relative_rounding

from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance

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
VIOLATIONS = ("beam_power_w", "selected", "accuracy", "latency_s", "agent_power_w")


def fields(outcome):
    """Every array of an outcome by name."""
    named = {name: getattr(outcome, name) for name in (*SCALARS, "uplink_secrecy", "feasible")}
    return named | {f"violations.{name}": outcome.violations[name] for name in VIOLATIONS}


# --- by hand ------------------------------------------------------------------------------------------------
#
# N = 2, L = 1, E = 1. Agent 0 computes, agent 1 jams; every number below is exact in binary.

HAND_SCENARIO = Scenario(
    num_agents=2,
    num_antennas=1,
    num_eavesdroppers=1,
    min_selected=1,
    min_accuracy=0.5,
    bs_power_w=10.0,
    max_power_w=2.0,
    bandwidth_hz=2.0,
    noise_power_w=1.0,
    prompt_tokens=3,
    output_tokens=6,
    bits_per_token=2,
    knowledge_bits=10.0,
    latency_limit_s=20.0,
)
HAND_INSTANCE = Instance(
    scenario=HAND_SCENARIO,
    channel_bs=np.array([[6 + 3j], [2 + 0j]]),  # |h|² = 45 and 4
    channel_eve=np.array([[-4 + 0j]]),  # |h|² = 16
    gain_agents=np.array([[0.0, 5.5], [5.5, 0.0]]),
    gain_eve=np.array([[4.0], [6.0]]),
    inference_time_s=np.array([5.0, 7.0]),
    compute_power_w=np.array([10.0, 20.0]),
    accuracy=np.array([0.75, 0.5]),
)


def hand_decision(selection=(True, False)):
    # ‖w‖² = 0.25 W
    return Decision(selection=np.array(selection), beamformer=np.array([0.5j]), power_w=np.array([1.0, 0.5]))


def test_hand_computed_case():
    outcome = evaluate(HAND_INSTANCE, hand_decision())
    # Downlink. I_0 = 5.5 · 0.5 + 1 = 3.75 W, received 45 · 0.25 = 11.25 W: SINR 3, r_0 = log2 4 = 2
    # eavesdropper: I = 6 · 0.5 + 1 = 4 W, received 16 · 0.25 = 4 W: SINR 1, r_eve = log2 2 = 1
    assert outcome.downlink_secrecy == pytest.approx(2 - 1, rel=1e-15)
    # s + D = 3 · 2 + 10 = 16 bit, over B c = 2 · 1 bit/s
    assert outcome.downlink_time_s == pytest.approx(8, rel=1e-15)
    # Uplink. At the base station 45 · 1 W against 4 · 0.5 + 1 = 3 W: SINR 15, r = log2 16 = 4
    # at the eavesdropper 4 · 1 W against 6 · 0.5 + 1 = 4 W: SINR 1, r_eve = 1; c = 4 − 1 = 3
    np.testing.assert_allclose(outcome.uplink_secrecy, [3, 0], rtol=1e-15)
    # o = 6 · 2 = 12 bit, over 2 · 3 bit/s
    assert outcome.uplink_time_s == pytest.approx(2, rel=1e-15)
    assert outcome.inference_time_s == 5
    assert outcome.latency_s == pytest.approx(8 + 5 + 2, rel=1e-15)
    # 10 W · 5 s of computing; agent 0 sends at 1 W for 2 s, agent 1 jams at 0.5 W for 8 + 2 s
    assert outcome.execution_energy_j == 50
    assert outcome.transmission_energy_j == pytest.approx(1 * 2 + 0.5 * (8 + 2), rel=1e-15)
    assert outcome.energy_j == pytest.approx(57, rel=1e-15)
    assert outcome.mean_accuracy == 0.75
    assert outcome.violations["beam_power_w"] == 0.25 - 10
    assert outcome.violations["selected"] == 1 - 1
    assert outcome.violations["accuracy"] == 0.5 - 0.75
    assert outcome.violations["latency_s"] == pytest.approx(15 - 20, rel=1e-15)
    assert outcome.violations["agent_power_w"] == -0.5  # max of 1 − 2, 0.5 − 2, −1, −0.5
    assert set(outcome.violations) == set(VIOLATIONS)
    assert outcome.feasible


def test_hand_computed_case_without_jammer():
    """Both compute: nobody jams, the eavesdropper (SNR 4) hears better than agent 1 (SNR 1), all is lost."""
    outcome = evaluate(HAND_INSTANCE, hand_decision((True, True)))
    # Agent 1 in the uplink: 4 · 0.5 / (45 · 1 + 1) = 1/23 at the base station, at the eavesdropper
    # 6 · 0.5 / (4 · 1 + 1) = 3/5
    np.testing.assert_allclose(outcome.uplink_secrecy, [3, 0], rtol=1e-15)
    assert outcome.downlink_secrecy == 0
    assert outcome.execution_energy_j == 10 * 5 + 20 * 7
    assert outcome.inference_time_s == 7
    assert outcome.mean_accuracy == 0.625
    for name in ("downlink_time_s", "uplink_time_s", "latency_s", "transmission_energy_j", "energy_j"):
        assert getattr(outcome, name) == math.inf, name
    assert outcome.violations["latency_s"] == math.inf
    assert not outcome.feasible


def test_reference_agrees_with_hand():
    ref = reference(HAND_INSTANCE, hand_decision())
    assert (ref.energy_j, ref.latency_s, ref.downlink_secrecy, ref.uplink_secrecy) == (57, 15, 1, [3, 0])
    assert (ref.transmission_energy_j, ref.execution_energy_j, ref.mean_accuracy) == (7, 50, 0.75)
    assert ref.violations == {
        "beam_power_w": -9.75,
        "selected": 0,
        "accuracy": -0.25,
        "latency_s": -5,
        "agent_power_w": -0.5,
    }
    assert ref.feasible


# --- against the reference ----------------------------------------------------------------------------------

RTOL = 1e-9


def relative_error(got, want):
    """|got − want| / |want|, where equal infinities and zeros agree exactly, and a zero only with a zero."""
    got = mpf(float(got))
    if got == want:
        return 0.0
    return float(abs(got - want) / abs(want)) if want and abs(want) != mpf("inf") else math.inf


def assert_matches(outcome, ref, instance):
    """Compare every field to 1e-9 relative.

    A secrecy rate is a difference: where the receiver's SINR exceeds the eavesdropper's by one part in 10⁸,
    no float64 evaluation of the same inputs has nine digits of it. The reference knows its own sensitivity
    and says where; the seeds here meet no such case, so that nothing needs to be excused.
    """
    assert relative_rounding(ref) <= RTOL, "digits cancel in this decision: choose another seed"
    assert ref.margin > 1e-12, "on the edge of feasibility: choose another seed"
    for name in (
        "downlink_secrecy",
        "downlink_time_s",
        "uplink_time_s",
        "latency_s",
        "transmission_energy_j",
        "energy_j",
    ):
        assert relative_error(getattr(outcome, name), getattr(ref, name)) <= RTOL, name
    for got, want in zip(outcome.uplink_secrecy, ref.uplink_secrecy, strict=True):
        assert relative_error(got, want) <= RTOL
    for name in ("execution_energy_j", "inference_time_s", "mean_accuracy"):
        assert relative_error(getattr(outcome, name), getattr(ref, name)) <= 1e-14, name

    scenario = instance.scenario
    # A violation is a difference too: its error is measured against the sides of the constraint.
    sides = {
        "beam_power_w": (scenario.bs_power_w, 1e-14),
        "accuracy": (scenario.min_accuracy, 1e-14),
        "latency_s": (scenario.latency_limit_s, RTOL),
        "agent_power_w": (scenario.max_power_w, 1e-14),
    }
    for name, (bound, accuracy) in sides.items():
        got, want = mpf(float(outcome.violations[name])), ref.violations[name]
        assert got == want or abs(got - want) <= accuracy * (abs(want) + bound), name
    assert outcome.violations["selected"] == ref.violations["selected"]
    assert bool(outcome.feasible) is ref.feasible


EASY = {"min_accuracy": 0.5, "knowledge_bits": 1e6, "min_selected": 1}
CAMPAIGNS = [
    # scenario, instances, decisions of each, sampled by the package (True) or wilder (False)
    pytest.param(Scenario(), 4, 10, True, id="paper"),
    pytest.param(Scenario(num_eavesdroppers=3, colluding=True), 2, 10, True, id="paper-E3-colluding"),
    pytest.param(Scenario(num_agents=8, num_antennas=6, **EASY), 20, 10, True, id="N8-L6"),
    pytest.param(Scenario(num_agents=5, num_antennas=4, **EASY), 20, 10, False, id="N5-L4"),
    pytest.param(Scenario(num_agents=2, num_antennas=1, **EASY), 20, 8, False, id="N2-L1"),
    pytest.param(Scenario(num_agents=1, num_antennas=2, **EASY), 5, 8, False, id="N1-L2"),
    pytest.param(Scenario(num_agents=6, num_antennas=3, num_eavesdroppers=3, **EASY), 17, 10, False, id="E3"),
    pytest.param(
        Scenario(num_agents=6, num_antennas=4, num_eavesdroppers=3, colluding=True, **EASY),
        17,
        10,
        False,
        id="E3-colluding",
    ),
]
assert sum(c.values[1] * c.values[2] for c in CAMPAIGNS) == 1000


@pytest.mark.parametrize(("scenario", "instances", "decisions", "sampled"), CAMPAIGNS)
def test_matches_reference_on_random_decisions(scenario, instances, decisions, sampled):
    rng = np.random.default_rng(20)
    delivered = 0
    for i in range(instances):
        instance = sample_instance(scenario, seed=i) if sampled else random_instance(rng, scenario)
        for j in range(decisions):
            power = ("wide", "quiet", "sparse")[j % 3]
            decision = random_decision(rng, instance, power=power, nulling=j % 2 == 0, able=j % 4 < 3)
            ref = reference(instance, decision)
            assert_matches(evaluate(instance, decision), ref, instance)
            delivered += ref.energy_j < math.inf
    # otherwise the comparison would mostly be one of infinities
    assert delivered > instances * decisions / 10


def test_reference_campaigns_meet_feasible_decisions():
    """The paper's own way to be feasible: quiet senders, silent others, a beam in the eavesdropper's null."""
    rng = np.random.default_rng(3)
    seen = set()
    for seed in range(10):
        instance = sample_instance(Scenario(), seed=seed)
        gain = np.sum(np.abs(instance.channel_bs) ** 2, -1)
        for size in (8, 20):
            selection = np.zeros(30, bool)
            selection[np.argsort(instance.inference_time_s)[:size]] = True
            beam = random_decision(rng, instance, nulling=True).beamformer
            decision = Decision(selection=selection, beamformer=beam, power_w=np.where(selection, 1e-17 / gain, 0))
            ref = reference(instance, decision)
            assert_matches(evaluate(instance, decision), ref, instance)
            assert ref.energy_j < math.inf
            seen.add(ref.feasible)
    assert seen == {True, False}


def test_near_cancellation_keeps_sign_and_digits():
    """SINRs of 1e-13 that differ by one part in 1e5: a difference of logarithms would have no digit right."""
    scenario = Scenario(num_agents=2, num_antennas=1, **EASY)
    amplitude = 1e-5
    instance = Instance(
        scenario=scenario,
        channel_bs=amplitude * np.array([[1 + 0j], [1 + 0j]]),
        channel_eve=amplitude * np.array([[math.sqrt(1 - 1e-5) + 0j]]),
        gain_agents=np.zeros((2, 2)),
        gain_eve=amplitude**2 * np.array([[1 - 1e-5], [1 + 1e-5]]),
        inference_time_s=np.ones(2),
        compute_power_w=np.ones(2),
        accuracy=np.ones(2),
    )
    power = 1e-13 * scenario.noise_power_w / amplitude**2
    decision = Decision(
        selection=np.ones(2, bool), beamformer=np.array([math.sqrt(power)]) + 0j, power_w=np.full(2, power)
    )
    outcome, ref = evaluate(instance, decision), reference(instance, decision)
    assert 0 < ref.downlink_secrecy < 1e-17
    assert relative_error(outcome.downlink_secrecy, ref.downlink_secrecy) <= 1e-9
    assert relative_error(outcome.uplink_secrecy[0], ref.uplink_secrecy[0]) <= 1e-9
    assert outcome.uplink_secrecy[1] == 0 == ref.uplink_secrecy[1]


def uplink_only(gain_bs, gain_eve, power_w, noise):
    """An instance of single-antenna links in which only the uplink is of interest, and everybody sends."""
    agents = len(gain_bs)
    instance = Instance(
        scenario=Scenario(num_agents=agents, num_antennas=1, noise_power_w=noise),
        channel_bs=np.sqrt(np.array(gain_bs, complex))[:, None],
        channel_eve=np.zeros((1, 1), complex),
        gain_agents=np.zeros((agents, agents)),
        gain_eve=np.array(gain_eve, float)[:, None],
        inference_time_s=np.ones(agents),
        compute_power_w=np.ones(agents),
        accuracy=np.ones(agents),
    )
    decision = Decision(
        selection=np.ones(agents, bool), beamformer=np.ones(1, complex), power_w=np.array(power_w, float)
    )
    return instance, decision


@pytest.mark.parametrize("difference", [2.0**-20, 2.0**-35, 2.0**-50])
def test_exact_sinrs_give_an_exact_difference(difference):
    """SINRs of 1 and 1 − δ are exact in float64, and so must be their secrecy: log1p of one quotient has all
    its digits, a difference of two logarithms keeps as few as δ leaves it."""
    instance, decision = uplink_only([1.0], [1 - difference], [1.0], noise=1.0)
    got, ref = evaluate(instance, decision), reference(instance, decision)
    assert relative_error(got.uplink_secrecy[0], ref.uplink_secrecy[0]) <= 1e-15


def test_interference_leaves_the_own_signal_out():
    """2 W received in an interference of 6e-15 W: the sum of all less the own would have one digit of it."""
    instance, decision = uplink_only([1, 1e-14, 1e-15], [1e-2, 1e-14, 3e-15], [2, 0.3, 0.7], noise=2e-15)
    got, ref = evaluate(instance, decision), reference(instance, decision)
    assert relative_error(got.uplink_secrecy[0], ref.uplink_secrecy[0]) <= 1e-14
    mirrored, decision = uplink_only([1e-15, 1e-14, 1], [3e-15, 1e-14, 1e-2], [0.7, 0.3, 2], noise=2e-15)
    assert evaluate(mirrored, decision).uplink_secrecy[2] == pytest.approx(got.uplink_secrecy[0], rel=1e-14)


# --- extremes -----------------------------------------------------------------------------------------------

SMALL = Scenario(num_agents=5, num_antennas=4, min_selected=2, min_accuracy=0.5, knowledge_bits=1e6)


@pytest.fixture(scope="module")
def small():
    """Sampled geometry, with agents that all pass the uplink test at quiet powers, and a beam in the null."""
    instance = sample_instance(SMALL, seed=3)
    rng = np.random.default_rng(0)
    beam = random_decision(rng, instance, nulling=True).beamformer
    beam = beam / np.linalg.norm(beam) * math.sqrt(SMALL.bs_power_w)
    gain = np.sum(np.abs(instance.channel_bs) ** 2, -1)
    assert np.all(gain > instance.gain_eve[:, 0])
    decision = Decision(
        selection=np.array([True, True, False, True, False]),
        beamformer=beam,
        power_w=np.where([1, 1, 0, 1, 0], 1e-17 / gain, 0),
    )
    assert reference(instance, decision).feasible
    return instance, decision


def check(instance, decision):
    outcome, ref = evaluate(instance, decision), reference(instance, decision)
    assert_matches(outcome, ref, instance)
    return outcome


def test_feasible_decision(small):
    instance, decision = small
    outcome = check(instance, decision)
    assert outcome.feasible
    assert 0 < outcome.transmission_energy_j < 1e-6


def test_everybody_silent(small):
    instance, decision = small
    outcome = check(instance, decision.replace(power_w=np.zeros(5)))
    np.testing.assert_array_equal(outcome.uplink_secrecy, 0)
    assert outcome.uplink_time_s == math.inf
    assert outcome.latency_s == math.inf
    assert outcome.transmission_energy_j == 0  # silence costs nothing, however long
    assert outcome.energy_j == outcome.execution_energy_j > 0
    assert not outcome.feasible


@pytest.mark.parametrize("jamming", [False, True])
def test_nobody_selected(small, jamming):
    instance, decision = small
    power = np.where([0, 0, 1, 0, 0], 0.1, 0.0) if jamming else np.zeros(5)
    outcome = check(instance, decision.replace(selection=np.zeros(5, bool), power_w=power))
    assert outcome.downlink_secrecy == 0
    assert outcome.downlink_time_s == math.inf
    assert outcome.inference_time_s == 0
    assert outcome.uplink_time_s == 0
    assert outcome.latency_s == math.inf
    assert outcome.mean_accuracy == 0
    assert outcome.execution_energy_j == 0
    assert outcome.transmission_energy_j == (math.inf if jamming else 0)
    assert outcome.violations["selected"] == 2
    assert not outcome.feasible


@pytest.mark.parametrize("agent", range(5))
def test_one_selected(small, agent):
    instance, decision = small
    selection = np.arange(5) == agent
    outcome = check(instance, decision.replace(selection=selection, power_w=np.where(selection, 1e-9, 0)))
    assert outcome.latency_s < math.inf
    assert outcome.execution_energy_j == instance.compute_power_w[agent] * instance.inference_time_s[agent]
    assert outcome.violations["selected"] == 1
    assert not outcome.feasible


@pytest.mark.parametrize("power", [0.0, 1e-12, 1e-9, 1e-6, 1e-3, 2.0])
def test_all_selected(small, power):
    instance, decision = small
    outcome = check(instance, decision.replace(selection=np.ones(5, bool), power_w=np.full(5, power)))
    assert outcome.execution_energy_j == pytest.approx(np.sum(instance.compute_power_w * instance.inference_time_s))
    assert (outcome.energy_j < math.inf) == (power in (0.0, 1e-12, 1e-9))  # beyond, somebody drowns


@pytest.mark.parametrize("low", [1e-12, 2.0])
@pytest.mark.parametrize("high", [1e-12, 2.0])
def test_power_range(small, low, high):
    """Senders at one end of the range, jammers at the same or the other."""
    instance, decision = small
    check(instance, decision.replace(power_w=np.where(decision.selection, low, high)))


def test_eavesdropper_stronger_in_downlink(small):
    """c_dl = 0: the jammer that waits for it spends without end; who waits silently spends nothing."""
    instance, decision = small
    deaf = instance.replace(channel_eve=1e3 * instance.channel_bs[:1])
    outcome = check(deaf, decision)
    assert outcome.downlink_secrecy == 0
    assert outcome.downlink_time_s == outcome.latency_s == math.inf
    assert 0 < outcome.transmission_energy_j < math.inf  # senders are paid for their own uplink only
    jamming = decision.replace(power_w=np.where(decision.selection, decision.power_w, 1e-12))
    assert check(deaf, jamming).transmission_energy_j == math.inf


def test_eavesdropper_stronger_in_uplink(small):
    instance, decision = small
    outcome = check(instance.replace(gain_eve=np.full((5, 1), 1.0)), decision)
    np.testing.assert_array_equal(outcome.uplink_secrecy, 0)
    assert outcome.uplink_time_s == math.inf
    assert outcome.transmission_energy_j == math.inf
    assert outcome.downlink_time_s < math.inf
    assert not outcome.feasible


def test_equal_channels_have_no_secrecy():
    """Receiver and eavesdropper hear the same: c = 0 exactly."""
    instance = HAND_INSTANCE.replace(channel_eve=HAND_INSTANCE.channel_bs[:1])
    outcome = evaluate(instance, hand_decision((True, True)).replace(power_w=np.zeros(2)))
    assert outcome.downlink_secrecy == 0
    assert outcome.downlink_time_s == math.inf


def test_selected_agent_with_zero_power(small):
    instance, decision = small
    power = decision.power_w.copy()
    power[1] = 0
    outcome = check(instance, decision.replace(power_w=power))
    assert outcome.uplink_secrecy[1] == 0
    assert outcome.uplink_secrecy[0] > 0
    assert outcome.uplink_time_s == math.inf
    assert 0 < outcome.transmission_energy_j < 1e-6  # its own time is infinite, its energy is not
    assert not outcome.feasible


def test_zero_beam(small):
    instance, decision = small
    outcome = check(instance, decision.replace(beamformer=np.zeros(4, complex)))
    assert outcome.downlink_secrecy == 0
    assert outcome.violations["beam_power_w"] == -10
    assert not outcome.feasible


@pytest.mark.parametrize("agent", [0, 2])
def test_negative_power_counts_as_violation_and_sends_nothing(small, agent):
    instance, decision = small
    power = decision.power_w.copy()
    power[agent] = -0.25
    outcome = check(instance, decision.replace(power_w=power))
    silent = evaluate(instance, decision.replace(power_w=np.where(np.arange(5) == agent, 0, decision.power_w)))
    assert outcome.violations["agent_power_w"] == 0.25
    assert not outcome.feasible
    for name in SCALARS:
        assert getattr(outcome, name) == getattr(silent, name), name


def test_worst_agent_power_counts(small):
    instance, decision = small
    power = np.array([2.5, -0.75, 2.25, 0, 1])
    assert check(instance, decision.replace(power_w=power)).violations["agent_power_w"] == 0.75
    assert check(instance, decision.replace(power_w=-power)).violations["agent_power_w"] == 2.5


def test_beam_above_budget_is_used_and_reported(small):
    instance, decision = small
    base = evaluate(instance, decision)
    outcome = check(instance, decision.replace(beamformer=2 * decision.beamformer))
    assert outcome.violations["beam_power_w"] == pytest.approx(30)
    assert outcome.downlink_secrecy > base.downlink_secrecy
    assert not outcome.feasible


@pytest.mark.parametrize("constraint", ["beam_power_w", "accuracy", "latency_s", "agent_power_w"])
@pytest.mark.parametrize(("beyond", "feasible"), [(-1e-3, True), (5e-10, True), (2e-9, False), (1e-3, False)])
def test_feasibility_grants_rounding_only(constraint, beyond, feasible):
    """A bound exceeded by less than 1e-9 of it (for accuracy, of 1) counts as kept."""
    instance, decision = HAND_INSTANCE, hand_decision()
    changes = {
        "beam_power_w": {"bs_power_w": 0.25 / (1 + beyond), "max_power_w": 0.125, "latency_limit_s": 1e4},
        "accuracy": {"min_accuracy": 0.75 + beyond},
        "latency_s": {"latency_limit_s": 15 / (1 + beyond)},
        "agent_power_w": {"max_power_w": 1 / (1 + beyond)},
    }[constraint]
    if constraint == "beam_power_w":  # the hand-computed case at an eighth of the agents' powers
        instance = instance.replace(gain_agents=8 * instance.gain_agents, gain_eve=8 * instance.gain_eve)
        decision = decision.replace(power_w=decision.power_w / 8)
    instance = instance.replace(scenario=instance.scenario.replace(**changes))
    outcome, ref = evaluate(instance, decision), reference(instance, decision)
    assert (ref.violations[constraint] > 0) == (beyond > 0)
    assert ref.feasible is feasible
    assert bool(outcome.feasible) is feasible


@pytest.mark.parametrize(("beyond", "feasible"), [(7e-9, True), (9e-9, False)])
def test_beam_is_granted_rounding_of_the_larger_power(beyond, feasible):
    """1e-9 of p_max = 2 W, where that is more than p_BS = 0.25 W."""
    scenario = HAND_SCENARIO.replace(bs_power_w=0.25 / (1 + beyond))
    assert bool(evaluate(HAND_INSTANCE.replace(scenario=scenario), hand_decision()).feasible) is feasible


def test_selection_count_is_exact():
    instance = HAND_INSTANCE.replace(scenario=HAND_SCENARIO.replace(min_selected=2))
    outcome = evaluate(instance, hand_decision())
    assert outcome.violations["selected"] == 1
    assert not outcome.feasible


@pytest.mark.parametrize(("agents", "least"), [(1, 1), (2, 1), (3, 1), (30, 10), (50, 16)])
def test_default_count_is_a_third(agents, least):
    instance = sample_instance(Scenario(num_agents=agents, num_antennas=2), seed=0)
    decision = Decision(selection=np.zeros(agents, bool), beamformer=np.zeros(2, complex), power_w=np.zeros(agents))
    assert evaluate(instance, decision).violations["selected"] == least


def test_conjugate_is_on_the_channel():
    """|hᴴ w|²: the beam matched to a channel is the channel itself, not its conjugate."""
    rng = np.random.default_rng(5)
    instance = random_instance(rng, Scenario(num_agents=2, num_antennas=6, **EASY))
    h, eve = instance.channel_bs[0], instance.channel_eve[0]
    matched = h - eve * (eve.conj() @ h) / (eve.conj() @ eve)
    decision = Decision(
        selection=np.array([True, False]),
        beamformer=math.sqrt(10) * matched / np.linalg.norm(matched),
        power_w=[1e-9, 0],
    )
    snr = 10 * np.linalg.norm(matched) ** 2 / instance.scenario.noise_power_w
    assert check(instance, decision).downlink_secrecy == pytest.approx(math.log2(1 + snr), rel=1e-9)


def test_gain_agents_row_sends_column_receives(small):
    """The model's gains are reciprocal; a table that is not tells who is who."""
    instance, decision = small
    rng = np.random.default_rng(1)
    lopsided = instance.replace(gain_agents=instance.gain_agents * rng.uniform(0.1, 10, (5, 5)))
    check(lopsided, decision.replace(power_w=np.where(decision.selection, decision.power_w, 1e-3)))


def test_plain_lists_and_real_beams_are_taken(small):
    """A beam without imaginary part, a selection of 0 and 1, lists and integers."""
    instance, _ = small
    plain = Decision(selection=[1, 0, 0, 1, 0], beamformer=[1, 0, -2, 1], power_w=[1, 0, 0, 2, 0])
    exact = Decision(
        selection=np.array([True, False, False, True, False]),
        beamformer=np.array([1, 0, -2, 1], complex),
        power_w=np.array([1.0, 0, 0, 2, 0]),
    )
    check(instance, plain)
    assert_identical(evaluate(instance, plain), evaluate(instance, exact))


# --- batches ------------------------------------------------------------------------------------------------


def many(rng, instance, shape):
    count = math.prod(shape)
    kinds = ("wide", "quiet", "sparse")
    decisions = [random_decision(rng, instance, kinds[i % 3], nulling=i % 2 == 0, able=i % 3 < 2) for i in range(count)]
    scenario = instance.scenario
    return Decision(
        **{
            name: np.array([getattr(d, name) for d in decisions]).astype(kind).reshape(*shape, size)
            for name, kind, size in (
                ("selection", bool, scenario.num_agents),
                ("beamformer", complex, scenario.num_antennas),
                ("power_w", float, scenario.num_agents),
            )
        }
    )


def assert_identical(a, b):
    for name, got in fields(a).items():
        np.testing.assert_array_equal(got, fields(b)[name], err_msg=name, strict=True)


BATCH_SCENARIOS = [
    pytest.param(SMALL, id="small"),
    pytest.param(Scenario(), id="paper"),
    pytest.param(SMALL.replace(num_eavesdroppers=3), id="E3"),
    pytest.param(SMALL.replace(num_eavesdroppers=3, colluding=True), id="E3-colluding"),
]


@pytest.mark.parametrize("scenario", BATCH_SCENARIOS)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (1,), (64,)])
def test_batch_of_decisions_on_one_instance(scenario, shape):
    """One instance and many decisions; each row is, bit for bit, what a single call gives."""
    rng = np.random.default_rng(8)
    instance = sample_instance(scenario, seed=1)
    decision = many(rng, instance, shape)
    outcome = evaluate(instance, decision)
    assert outcome.batch_shape == shape
    for name, value in fields(outcome).items():
        assert value.shape == (*shape, *((scenario.num_agents,) if name == "uplink_secrecy" else ())), name
    for index in np.ndindex(shape):
        assert_identical(outcome[index], evaluate(instance, decision[index]))


@pytest.mark.parametrize("scenario", BATCH_SCENARIOS)
def test_batch_of_instances(scenario):
    """Rows of a batch of pairs, and of the broadcasts of instances against decisions."""
    rng = np.random.default_rng(9)
    instances = sample_instance(scenario, seed=4, batch=(3,))
    decisions = many(rng, instances[0], (2, 3))
    outcome = evaluate(instances, decisions)
    assert outcome.batch_shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        assert_identical(outcome[i, j], evaluate(instances[j], decisions[i, j]))

    one_for_all = evaluate(instances, decisions[0, 0])
    assert one_for_all.batch_shape == (3,)
    for j in range(3):
        assert_identical(one_for_all[j], evaluate(instances[j], decisions[0, 0]))

    column = sample_instance(scenario, seed=4, batch=(2, 1))
    outcome = evaluate(column, decisions[0])
    assert outcome.batch_shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        assert_identical(outcome[i, j], evaluate(column[i, 0], decisions[0, j]))


def test_empty_batch():
    instance = sample_instance(SMALL, seed=1)
    decision = many(np.random.default_rng(0), instance, (2,))[:0]
    for outcome in (
        evaluate(instance, decision),
        evaluate(sample_instance(SMALL, seed=1, batch=(0,)), decision),
    ):
        assert outcome.energy_j.shape == outcome.feasible.shape == (0,)
        assert outcome.uplink_secrecy.shape == (0, 5)


def test_single_outcome_holds_scalars(small):
    outcome = evaluate(*small)
    for name, value in fields(outcome).items():
        if name == "uplink_secrecy":
            assert value.shape == (5,)
        else:
            assert isinstance(value, np.generic), name
    assert outcome.batch_shape == ()


def test_inputs_stay_untouched(small):
    instance, decision = small
    before = [getattr(decision, n).copy() for n in ("selection", "beamformer", "power_w")]
    before += [getattr(instance, n).copy() for n in ("channel_bs", "channel_eve", "gain_agents", "gain_eve")]
    evaluate(instance, decision)
    after = [getattr(decision, n) for n in ("selection", "beamformer", "power_w")]
    after += [getattr(instance, n) for n in ("channel_bs", "channel_eve", "gain_agents", "gain_eve")]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


# --- libraries and precisions -------------------------------------------------------------------------------


def to_numpy(array):
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)


@pytest.fixture(params=["torch", "array_api_strict"])
def library(request):
    return pytest.importorskip(request.param)


@pytest.mark.parametrize("scenario", BATCH_SCENARIOS)
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_other_libraries_agree(library, scenario, shape):
    rng = np.random.default_rng(11)
    instance = sample_instance(scenario, seed=6)
    decision = many(rng, instance, shape)
    want = evaluate(instance, decision)
    got = evaluate(instance.to(library), decision.to(library))
    kind = type(library.asarray([1.0]))
    for name, value in fields(got).items():
        assert isinstance(value, kind), name
        expected = np.asarray(fields(want)[name])
        assert tuple(value.shape) == expected.shape, name
        # sums in another order; what an eavesdropper hears in the null is rounding, but far below 1e-12 of c
        np.testing.assert_allclose(to_numpy(value), expected, rtol=1e-12, err_msg=name)
        assert to_numpy(value).dtype == expected.dtype, name


def test_float32_agrees_with_float64():
    """Float32 is for learning, not for scores: it loses what its own rounding explains, and no more."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(12)
    eps32 = float(np.finfo(np.float32).eps)
    compared = 0
    for seed in range(20):
        instance = random_instance(rng, SMALL) if seed % 2 else sample_instance(SMALL, seed=seed)
        for j in range(10):
            decision = random_decision(rng, instance, ("wide", "quiet")[j % 2], able=True)
            ref = reference(instance, decision)
            got = evaluate(instance.to(torch, dtype=torch.float32), decision.to(torch, dtype=torch.float32))
            granted = relative_rounding(ref, 64 * eps32)
            if granted > 1e-2:
                continue
            compared += ref.energy_j < math.inf
            for name in SCALARS:
                value = getattr(got, name)
                assert value.dtype == torch.float32, name
                want = float(getattr(ref, name))
                assert float(value) == pytest.approx(want, rel=max(granted, 64 * eps32), abs=0), name
            np.testing.assert_allclose(
                to_numpy(got.uplink_secrecy),
                [float(c) for c in ref.uplink_secrecy],
                rtol=max(granted, 64 * eps32),
            )
    assert compared > 50


def test_float32_feasibility_grants_its_rounding():
    """At the budget exactly, and within 1e-5 of it, a single-precision decision is feasible."""
    torch = pytest.importorskip("torch")
    instance = HAND_INSTANCE.replace(scenario=HAND_SCENARIO.replace(bs_power_w=0.25, max_power_w=0.25))
    instance = instance.replace(
        scenario=instance.scenario.replace(latency_limit_s=1e4),
        gain_agents=4 * instance.gain_agents,
        gain_eve=4 * instance.gain_eve,
        channel_bs=instance.channel_bs * 2,
    )
    single = {"dtype": torch.float32}
    for beyond, feasible in ((0, True), (5e-6, True), (3e-5, False)):
        decision = Decision(
            selection=np.array([True, False]),
            beamformer=np.array([0.5j]) * math.sqrt(1 + beyond),
            power_w=np.array([0.25 * (1 + beyond), 0.125]),
        )
        outcome = evaluate(instance.to(torch, **single), decision.to(torch, **single))
        assert bool(outcome.feasible) is feasible


def test_gradient_of_energy_by_power(small):
    """Autograd against differences of the 50-digit reference; silent jammers get no NaN."""
    torch = pytest.importorskip("torch")
    instance, decision = small
    for jammers in (0.0, 1e-12):
        power_w = np.where(decision.selection, decision.power_w, jammers)
        moved = decision.replace(power_w=power_w)
        power = torch.tensor(power_w, requires_grad=True)
        outcome = evaluate(instance.to(torch), moved.to(torch).replace(power_w=power))
        outcome.transmission_energy_j.backward()
        gradient = power.grad.numpy()
        assert np.all(np.isfinite(gradient))
        for n in np.flatnonzero(power_w):
            up, down = power_w.copy(), power_w.copy()
            up[n] *= 1 + 1e-7
            down[n] *= 1 - 1e-7
            high = reference(instance, moved.replace(power_w=up)).transmission_energy_j
            low = reference(instance, moved.replace(power_w=down)).transmission_energy_j
            slope = (high - low) / (mpf(up[n]) - mpf(down[n]))
            assert gradient[n] == pytest.approx(float(slope), rel=1e-6), n

        total = torch.tensor(power_w, requires_grad=True)
        evaluate(instance.to(torch), moved.to(torch).replace(power_w=total)).energy_j.backward()
        np.testing.assert_allclose(total.grad.numpy(), gradient, rtol=1e-12)


def test_gradient_of_energy_by_beam(small):
    torch = pytest.importorskip("torch")
    instance, decision = small
    jamming = decision.replace(power_w=np.where(decision.selection, decision.power_w, 1e-12))
    beam = torch.tensor(decision.beamformer, requires_grad=True)
    evaluate(instance.to(torch), jamming.to(torch).replace(beamformer=beam)).energy_j.backward()
    gradient = beam.grad.numpy()
    assert np.all(np.isfinite(gradient))
    # towards a stronger beam the message is sent sooner and the jammers spend less
    assert np.real(np.vdot(decision.beamformer, gradient)) < 0


# --- bad input ----------------------------------------------------------------------------------------------

GOOD_INSTANCE = {
    "channel_bs": np.ones((5, 4), complex),
    "channel_eve": np.ones((1, 4), complex),
    "gain_agents": np.ones((5, 5)),
    "gain_eve": np.ones((5, 1)),
    "inference_time_s": np.ones(5),
    "compute_power_w": np.ones(5),
    "accuracy": np.full(5, 0.5),
}
GOOD_DECISION = {
    "selection": np.ones(5, bool),
    "beamformer": np.ones(4, complex),
    "power_w": np.ones(5),
}


def changed(array, value):
    array = np.array(array)
    array.flat[-1] = value
    return array


BAD = [
    ("channel_bs", np.ones((5, 3), complex), r"\(…, N=5, L=4\).*\(5, 3\)"),
    ("channel_bs", changed(GOOD_INSTANCE["channel_bs"], math.nan), "finite.*NaN"),
    ("channel_bs", changed(GOOD_INSTANCE["channel_bs"], math.inf), "finite.*infinite"),
    ("channel_bs", np.ones((5, 4)), "complex.*float64"),
    ("channel_eve", np.ones((2, 4), complex), r"E=1, L=4\).*\(2, 4\)"),
    ("channel_eve", np.ones(4, complex), r"E=1, L=4\).*\(4,\)"),
    ("channel_eve", changed(GOOD_INSTANCE["channel_eve"], complex(0, math.nan)), "finite.*NaN"),
    ("gain_agents", np.ones((5, 4)), r"N=5, N=5\).*\(5, 4\)"),
    ("gain_agents", changed(GOOD_INSTANCE["gain_agents"], -1e-9), "≥ 0.*-1e-09"),
    ("gain_eve", np.ones((1, 5)), r"N=5, E=1\).*\(1, 5\)"),
    ("gain_eve", changed(GOOD_INSTANCE["gain_eve"], -2), "≥ 0.*-2"),
    ("gain_eve", changed(GOOD_INSTANCE["gain_eve"], math.nan), "finite.*NaN"),
    ("gain_eve", GOOD_INSTANCE["gain_eve"] + 0j, "real.*complex128"),
    ("inference_time_s", np.ones(6), r"N=5\).*\(6,\)"),
    ("inference_time_s", changed(np.ones(5), -1), "≥ 0.*-1"),
    ("compute_power_w", np.ones((2, 5)), r"batch.*\(2,\)"),
    ("compute_power_w", changed(np.ones(5), math.inf), "finite.*infinite"),
    ("accuracy", changed(np.ones(5), 1.5), "≤ 1.*1.5"),
    ("accuracy", changed(np.ones(5), -0.1), "≥ 0.*-0.1"),
    ("selection", np.ones(4, bool), r"5.*4|4.*5"),
    ("selection", np.array([0, 1, 2, 0, 1]), "boolean.*0 and 1"),
    ("selection", changed(np.ones(5), math.nan), "selection.*NaN"),
    ("selection", np.ones((2, 5), bool), r"batch.*\(2, 5\)"),
    ("beamformer", np.ones(5, complex), r"L=4\).*\(5,\)"),
    ("beamformer", changed(GOOD_DECISION["beamformer"], math.nan), "finite.*NaN"),
    ("beamformer", np.complex128(1), "dimension.*scalar"),
    ("power_w", np.ones(6), "selection and power_w must have one entry per agent, got 5 and 6"),
    ("power_w", np.ones(5, complex), "real.*complex128"),
    ("power_w", changed(np.ones(5), math.nan), "finite.*NaN"),
    ("power_w", changed(np.ones(5), -math.inf), "finite.*infinite"),
    ("power_w", ["a"] * 5, "numbers"),
    ("power_w", [[1.0, 2.0], [1.0]], "lengths"),
]


@pytest.mark.parametrize(("field", "value", "message"), BAD)
def test_bad_input_names_field_and_need(field, value, message):
    with pytest.raises(ValueError, match=message) as caught:
        evaluate(
            Instance(scenario=SMALL, **{k: value if k == field else v for k, v in GOOD_INSTANCE.items()}),
            Decision(**{k: value if k == field else v for k, v in GOOD_DECISION.items()}),
        )
    text = str(caught.value)
    assert field in text
    assert "\n" not in text


def test_good_input_is_accepted():
    """The tables above are wrong in one field only."""
    outcome = evaluate(Instance(scenario=SMALL, **GOOD_INSTANCE), Decision(**GOOD_DECISION))
    assert outcome.mean_accuracy == 0.5


def test_whole_decision_of_wrong_length_names_field():
    instance = Instance(scenario=SMALL, **GOOD_INSTANCE)
    decision = Decision(selection=np.ones(6, bool), beamformer=np.ones(4, complex), power_w=np.ones(6))
    with pytest.raises(ValueError, match=r"(selection|power_w).*N=5\).*\(6,\)"):
        evaluate(instance, decision)


def test_batch_shapes_that_do_not_fit():
    instance = sample_instance(SMALL, seed=0, batch=(3,))
    decision = many(np.random.default_rng(0), instance[0], (2,))
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)|\(2,\).*\(3,\)"):
        evaluate(instance, decision)


def test_library_mismatch():
    torch = pytest.importorskip("torch")
    instance, decision = Instance(scenario=SMALL, **GOOD_INSTANCE), Decision(**GOOD_DECISION)
    for pair in ((instance, decision.to(torch)), (instance.to(torch), decision)):
        with pytest.raises(ValueError, match=r"librar.*(numpy.*torch|torch.*numpy)"):
            evaluate(*pair)
    with pytest.raises(ValueError, match=r"librar.*(numpy.*torch|torch.*numpy)"):
        decision.replace(power_w=torch.ones(5))


def test_bad_values_in_other_libraries(library):
    """The checks are not NumPy's alone."""
    instance, decision = (
        Instance(scenario=SMALL, **GOOD_INSTANCE).to(library),
        Decision(**GOOD_DECISION).to(library),
    )
    float64 = library.float64
    with pytest.raises(ValueError, match="power_w must be finite"):
        decision.replace(power_w=library.asarray([1, 1, 1, 1, math.nan], dtype=float64))
    with pytest.raises(ValueError, match="gain_eve must be ≥ 0"):
        instance.replace(gain_eve=library.asarray([[1.0], [1], [1], [1], [-1]], dtype=float64))
    with pytest.raises(ValueError, match="inference_time_s must be finite"):
        instance.replace(inference_time_s=library.asarray([1, 1, 1, 1, math.inf], dtype=float64))


def test_rounding_unit():
    """What `relative_rounding` grants stays far below 1e-9 unless digits truly cancel."""
    ref = reference(HAND_INSTANCE, hand_decision())
    assert 64 * EPS < relative_rounding(ref) < 1e-12
