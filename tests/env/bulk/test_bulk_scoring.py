"""The compiled score is that of the physics and the reward, to rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from secagent_env.allocation.rules import AllocationRules

FIELDS = (
    *("energy_j", "execution_energy_j", "transmission_energy_j", "latency_s", "downlink_time_s", "inference_time_s"),
    *("uplink_time_s", "downlink_secrecy", "uplink_secrecy", "mean_accuracy"),
)


def assert_same_score(instance: Instance, decision: Decision) -> None:
    rules = AllocationRules(scenario=instance.scenario), AllocationRules(scenario=instance.scenario, rng="bulk")
    (wanted, *rewards), (got, *others) = (rule.score(instance, decision) for rule in rules)
    for name in FIELDS:
        assert np.shape(getattr(got, name)) == np.shape(getattr(wanted, name)), name
        np.testing.assert_allclose(getattr(got, name), getattr(wanted, name), rtol=1e-9, atol=1e-300, err_msg=name)
    for name, violation in wanted.violations.items():
        np.testing.assert_allclose(got.violations[name], violation, rtol=1e-9, atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(got.violated[name], wanted.violated[name], err_msg=name)
    np.testing.assert_array_equal(got.feasible, wanted.feasible)
    for reward, other in zip(rewards, others, strict=True):
        np.testing.assert_allclose(other, reward, rtol=1e-9)


def decisions(scenario: Scenario, size: int, seed: int = 0) -> Decision:
    """Return random decisions: few or many agents compute, beams within the budget and beyond, some are silent."""
    rng = np.random.default_rng(seed)
    n, antennas = scenario.num_agents, scenario.num_antennas
    power = 10 ** rng.uniform(-12, 1, (size, n)) * (rng.random((size, n)) < 0.8)
    return Decision(
        selection=rng.random((size, n)) < rng.random((size, 1)),
        beamformer=rng.normal(size=(size, antennas, 2)).view(complex)[..., 0] * 10 ** rng.uniform(-3, 1, (size, 1)),
        power_w=power - 0.1 * (rng.random((size, n)) < 0.05),
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"preset": "contested"},
        {"preset": "contested", "colluding": True},
        {"num_agents": 7, "num_antennas": 3, "num_eavesdroppers": 2, "eve_area_m": (20, 100), "latency_limit_s": 150.0},
        {"num_agents": 1, "num_antennas": 1},
    ],
    ids=["paper", "contested", "colluding", "late", "one"],
)
def test_scores_are_the_same(fields):
    scenario = Scenario.coerce(fields)
    instances = sample_instance(scenario, 0, 300)
    # A secrecy rate is a small difference where an eavesdropper hears nearly as well: 1e-9 is what is left.
    assert_same_score(instances, decisions(scenario, 300))


def test_feasible_decisions_have_the_same_score_too():
    import solvers

    instances = sample_instance("small", 0, 8)
    best = Decision.stack([solvers.make("exact").solve(instance).decision for instance in instances])
    assert evaluate(instances, best).feasible.all()
    assert_same_score(instances, best)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_scores_are_the_same_whatever_the_sizes(agents, antennas, eves, colluding, seed):
    scenario = Scenario(
        num_agents=agents,
        num_antennas=antennas,
        num_eavesdroppers=eves,
        colluding=colluding,
        eve_area_m=(20.0, 100.0),
        knowledge_bits=10e9,
    )
    assert_same_score(sample_instance(scenario, seed, 5), decisions(scenario, 5, seed))


def test_shapes_are_those_of_the_batch():
    scenario = Scenario.preset("small")
    instances, decided = sample_instance(scenario, 0, (2, 3)), decisions(scenario, 6)
    shaped = decided._map(lambda array: array.reshape(2, 3, -1))
    assert_same_score(instances, shaped)
    assert_same_score(instances[1, 2], shaped[1, 2])
    assert_same_score(instances[1, 2], shaped)  # many decisions in one instance


@pytest.mark.parametrize("edge", ["nobody", "silent", "no beam", "no channels"])
def test_scores_are_the_same_at_the_edges(edge):
    scenario = Scenario.preset("small")
    instance, decided = sample_instance(scenario, 0), decisions(scenario, 1)[0]
    changes = {
        "nobody": {"selection": np.zeros(6, bool)},
        "silent": {"power_w": np.zeros(6)},
        "no beam": {"beamformer": np.zeros(4, complex)},
    }
    if edge == "no channels":
        instance = instance.replace(channel_bs=0 * instance.channel_bs, gain_eve=0 * instance.gain_eve)
    assert_same_score(instance, decided.replace(**changes.get(edge, {})))


def test_artificial_noise_and_torch_are_scored_as_ever():
    torch = pytest.importorskip("torch")
    scenario = Scenario.preset("small")
    instance, decided = sample_instance(scenario, 0), decisions(scenario, 1)[0]
    noisy = decided.replace(noise_covariance=0.1 * np.eye(4, dtype=complex))
    assert_same_score(instance, noisy)
    rules = AllocationRules(scenario=scenario, rng="bulk")
    assert rules.score(instance, noisy)[0].downlink_secrecy != rules.score(instance, decided)[0].downlink_secrecy
    on_torch = rules.score(instance.to(torch), decided.to(torch))
    assert float(on_torch[1]) == pytest.approx(float(rules.score(instance, decided)[1]), rel=1e-9)
