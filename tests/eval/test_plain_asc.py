"""The straightforward ASC with CVXPY: feasible, close to the certified bound, and right in its own physics."""

import numpy as np
import pytest

import solvers
from secagent_env import Decision, evaluate, sample_instance
from secagent_env.allocation.guided import LOWEST_POWER_W

pytest.importorskip("cvxpy")
from eval.bench.plain_asc import LN2, Network, PlainASC, repair


def solve(scenario, seed, **options):
    instance = sample_instance(scenario, seed=seed)
    return instance, PlainASC(**options).solve(instance, seed=0)


def check(instance, solution, gap):
    """Assert that the decision is feasible, within ``gap`` of the bound, and no power below the lowest."""
    decision = solution.decision
    assert evaluate(instance, decision).feasible
    assert solution.gap <= gap
    power = decision.power_w
    assert np.all((power == 0) | (power >= LOWEST_POWER_W))
    assert np.all(power[decision.selection] > 0)


def check_like_asc(instance, solution):
    """Assert that the decision has the selection and the objective of ``asc``."""
    fast = solvers.make("asc").solve(instance, seed=0)
    np.testing.assert_array_equal(solution.decision.selection, fast.decision.selection)
    assert solution.outcome.energy_j == pytest.approx(float(fast.outcome.energy_j), rel=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_it_ends_where_asc_does(seed):
    instance, solution = solve("small", seed)
    check(instance, solution, gap=0.05)
    assert solution.transmission_gap < 1
    assert [record["sub_problem"] for record in solution.history[:3]] == ["selection", "beam", "powers"]
    check_like_asc(instance, solution)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_it_ends_where_asc_does_in_the_paper_s_case(seed):
    instance, solution = solve("paper", seed)
    check(instance, solution, gap=0.02)
    check_like_asc(instance, solution)


def test_same_seed_same_decision():
    one, two = (solve("small", 5)[1].decision for _ in range(2))
    np.testing.assert_array_equal(one.power_w, two.power_w)
    np.testing.assert_array_equal(one.beamformer, two.beamformer)


def test_an_infeasible_instance_is_said_to_be():
    instance = sample_instance({"preset": "small", "min_accuracy": 0.99}, seed=0)
    assert PlainASC(outer=1).solve(instance).status == "infeasible"


def test_colluding_eavesdroppers_are_refused():
    instance = sample_instance({"preset": "small", "colluding": True}, seed=0)
    with pytest.raises(ValueError, match="colluding"):
        PlainASC().solve(instance)


def test_its_rates_are_those_of_the_model():
    rng = np.random.default_rng(0)
    for seed in range(20):
        instance = sample_instance({"preset": "small", "num_eavesdroppers": 2}, seed=seed)
        n, antennas = instance.scenario.num_agents, instance.scenario.num_antennas
        alpha = rng.random(n) < 0.6
        alpha[0] = True
        w = rng.standard_normal(antennas) + 1j * rng.standard_normal(antennas)
        power = 10 ** rng.uniform(-10, -6, n)
        outcome = evaluate(instance, Decision(selection=alpha, beamformer=w, power_w=power))
        net = Network(instance)
        assert net.downlink_secrecy(alpha, w, power) / LN2 == pytest.approx(outcome.downlink_secrecy, rel=1e-9)
        uplink = np.where(alpha, net.uplink_secrecy(power, power), 0.0) / LN2
        np.testing.assert_allclose(uplink, outcome.uplink_secrecy, rtol=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_steps_of_the_powers_stay_feasible_and_save_energy(seed):
    """From loud senders and jammers: every step of (57) is feasible and saves transmission energy."""
    instance, solution = solve("small", seed, outer=1)
    alpha, w = solution.decision.selection, solution.decision.beamformer
    net, solver = Network(instance), PlainASC()
    power = np.where(alpha, 1e-7 * np.median(net.gain) / net.gain, 1e-8)
    before = evaluate(instance, Decision(selection=alpha, beamformer=w, power_w=power))
    assert before.feasible
    for _ in range(4):
        power = solver._power_step(net, alpha, w, power)
        after = evaluate(instance, Decision(selection=alpha, beamformer=w, power_w=power))
        assert after.feasible
        assert after.transmission_energy_j < before.transmission_energy_j
        before = after


def test_repair_meets_count_and_accuracy():
    rng = np.random.default_rng(0)
    for seed in range(50):
        net = Network(sample_instance("paper", seed=seed))
        n = net.scenario.num_agents
        alpha = repair(net, rng.random(n) < rng.random(), net.execution, np.ones(n, bool))
        assert alpha.sum() >= net.scenario.required_agents
        assert net.margin[alpha].sum() >= 0
        assert repair(net, alpha, net.execution, np.zeros(n, bool)) is None
