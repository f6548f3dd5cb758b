"""The compiled guided decisions are those of the array operations, to rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from secagent_env import Instance, Scenario, evaluate, sample_instance
from secagent_env.allocation.bulk import BulkGuidedFormat
from secagent_env.allocation.guided import GuidedFormat

SCENARIOS = {
    "paper": {},
    "small": {"preset": "small"},
    "contested": {"preset": "contested"},
    "colluding": {"num_agents": 7, "num_antennas": 3, "num_eavesdroppers": 2, "eve_area_m": (20, 100)},
    "more eavesdroppers than antennas": {"num_antennas": 2, "num_eavesdroppers": 5, "eve_area_m": (20, 100)},
    "all compute": {"num_agents": 5, "num_antennas": 8, "min_selected": 5},
    "one": {"num_agents": 1, "num_antennas": 1},
}


def actions(scenario: Scenario, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.7, size=(size, *GuidedFormat(scenario).space.shape))


def both(instance: Instance, action: np.ndarray):
    """Return the decisions of the array operations and of the compiled ones."""
    return [form(instance.scenario).decode(action, instance) for form in (GuidedFormat, BulkGuidedFormat)]


def assert_alike(wanted, got, beam=1e-11, power=1e-12):
    np.testing.assert_array_equal(got.selection, wanted.selection)
    np.testing.assert_allclose(got.power_w, wanted.power_w, rtol=power, atol=0)
    np.testing.assert_allclose(got.beamformer, wanted.beamformer, rtol=0, atol=beam)


@pytest.mark.parametrize("name", SCENARIOS)
def test_decisions_are_the_same(name):
    scenario = Scenario.coerce(SCENARIOS[name])
    instances = sample_instance(scenario, 0, 200)
    wanted, got = both(instances, actions(scenario, 200))
    # Eavesdroppers in as many directions as there are antennas leave of a vector what rounding leaves.
    crowded = scenario.num_eavesdroppers >= scenario.num_antennas
    assert_alike(wanted, got, 1e-6 if crowded else 1e-11)
    energies = [evaluate(instances, decision) for decision in (wanted, got)]
    np.testing.assert_array_equal(energies[1].feasible, energies[0].feasible)
    np.testing.assert_allclose(energies[1].energy_j, energies[0].energy_j, rtol=1e-6 if crowded else 1e-11)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 4), st.integers(1, 3), st.data())
def test_decisions_are_the_same_whatever_the_numbers(seed, agents, antennas, eves, data):
    required = data.draw(st.integers(1, agents))
    scenario = Scenario(num_agents=agents, num_antennas=antennas + eves, num_eavesdroppers=eves, min_selected=required)
    entries = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 1e-3, 0.5, 1.0, 2.0])  # equal scores, bounds, silence
    size = 2 * agents + 5
    action = np.array(data.draw(st.lists(entries, min_size=size, max_size=size)))
    instance = sample_instance(scenario, seed)
    assert_alike(*both(instance, action), 1e-9)


def test_directions_that_cancel_are_no_beam():
    # Of one agent, the filtered and the zero-forcing direction are the same.
    instance = sample_instance(Scenario(num_agents=1, num_antennas=2, num_eavesdroppers=1, min_selected=1), 0)
    for weights, power_w in (([0, -1, 1, 0], 0), ([0, -1, 0.99, 0], 10), ([0, 0, 0, 0], 0), ([0, 1e-9, 0, 0], 10)):
        wanted, got = both(instance, np.array([0, 0, 0, *weights], float))
        assert_alike(wanted, got, 1e-9)
        assert np.linalg.norm(got.beamformer) ** 2 == pytest.approx(power_w)


def test_shapes_are_those_of_the_batch():
    scenario = Scenario.preset("small")
    instances = sample_instance(scenario, 0, (2, 3))
    action = actions(scenario, 6).reshape(2, 3, -1)
    assert_alike(*both(instances, action))
    assert_alike(*both(instances[1, 2], action[1, 2]))
    assert_alike(*both(instances[1, 2], action))  # many decisions in one instance
    assert_alike(*both(instances, action[1, 2]))
    assert both(instances, action)[1].beamformer.shape == (2, 3, 4)


def test_arrays_of_other_kinds_are_taken():
    scenario = Scenario.preset("small")
    instances = sample_instance(scenario, 0, 4)
    action = actions(scenario, 4)
    single = instances._map(lambda array: array.astype(np.complex64 if array.dtype.kind == "c" else np.float32))
    assert_alike(*both(single, action.astype(np.float32)), 1e-5, 1e-6)
    turned = instances._map(np.asfortranarray)
    assert_alike(both(instances, action)[0], both(turned, action[:, ::-1][:, ::-1])[1])
    torch = pytest.importorskip("torch")
    decided = BulkGuidedFormat(scenario).decide(torch.from_numpy(action.clip(-1, 1)), instances.to(torch))
    assert_alike(both(instances, action)[0], decided.to(np))


def test_channels_that_are_zero_are_no_division_by_zero():
    scenario = Scenario.preset("small")
    instance = sample_instance(scenario, 0)
    zeros = {"channel_bs": instance.channel_bs * (np.arange(6) > 2)[:, None], "channel_eve": 0 * instance.channel_eve}
    for weights in ([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, -1.0]):
        action = np.concatenate([np.linspace(1, -1, 6), np.full(7, 0.5), weights])
        assert_alike(*both(instance.replace(**zeros), action))


def test_wrong_actions_are_refused_as_ever():
    form = BulkGuidedFormat(Scenario.preset("small"))
    instance = sample_instance("small", 0)
    for action, message in (([np.nan] * 17, "must not hold NaN"), ([0.0] * 16, r"must have shape \(…, 17\)")):
        with pytest.raises(ValueError, match=message):
            form.decode(action, instance)
    with pytest.raises(ValueError, match="depends on the instance"):
        form.decode([0.0] * 17)
