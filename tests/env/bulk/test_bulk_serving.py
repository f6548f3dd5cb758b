"""The compiled serving of selections is that of the array operations, to rounding."""

import numpy as np
import pytest

pytest.importorskip("numba")

from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.bulk import BulkSelectionFormat
from secagent_env.allocation.rules import AllocationRules
from secagent_env.bulk import serving
from secagent_env.model.serving import serve

SCENARIOS = {
    "paper": {"preset": "paper"},
    "tight-latency": {"preset": "tight-latency"},
    "contested": {"preset": "contested"},
    "colluding": {
        "num_agents": 7,
        "num_antennas": 3,
        "num_eavesdroppers": 2,
        "eve_area_m": (20, 100),
        "colluding": True,
    },
    "more eavesdroppers than antennas": {"num_antennas": 2, "num_eavesdroppers": 5, "eve_area_m": (20, 100)},
    "all compute": {"num_agents": 5, "num_antennas": 8, "min_selected": 5},
    "one": {"num_agents": 1, "num_antennas": 1},
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_is_the_same_to_rounding(name: str):
    options = dict(SCENARIOS[name])
    scenario = Scenario.preset(options.pop("preset"), **options) if "preset" in options else Scenario(**options)
    instances, rng = sample_instance(scenario, 0, (4, 8)), np.random.default_rng(0)
    work = instances.execution_energy_j * rng.uniform(0.3, 1.0, instances.execution_energy_j.shape)
    chosen = work.argsort(-1)[..., : scenario.required_agents]
    few, fewer = ({"iterations": 4, "quiet_iterations": 4}, {"iterations": 1, "quiet_iterations": 0})
    for count in (few, fewer):
        wanted, got = serve(instances, chosen, **count), serve(instances, chosen, by=serving, **count)
        np.testing.assert_array_equal(got.selection, wanted.selection)
        np.testing.assert_allclose(got.beamformer, wanted.beamformer, rtol=0, atol=1e-6 * scenario.bs_power_w**0.5)
        np.testing.assert_allclose(got.power_w, wanted.power_w, rtol=1e-6, atol=1e-30)
    # More iterations enlarge roundings.
    wanted, got = (evaluate(instances, serve(instances, chosen, by=by)) for by in (None, serving))
    assert np.mean(wanted.feasible == got.feasible) > 0.95
    both = np.asarray(wanted.feasible & got.feasible)
    np.testing.assert_allclose(got.energy_j[both], wanted.energy_j[both], rtol=1e-3)


def test_networks_in_bulk_are_served_by_it():
    rules = AllocationRules(scenario=Scenario.preset("small"), action_format="selection", rng="bulk")
    assert isinstance(rules.actions, BulkSelectionFormat)
    instance, plain = sample_instance("small", 1), AllocationRules(scenario=rules.scenario, action_format="selection")
    action = np.linspace(-1, 1, 6)
    decisions = [each.actions.decode(action, instance) for each in (rules, plain)]
    np.testing.assert_allclose(decisions[0].power_w, decisions[1].power_w, rtol=1e-6)
    np.testing.assert_array_equal(decisions[0].power_w, serve(instance, np.array([5, 4]), by=serving).power_w)
