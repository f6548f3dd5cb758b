"""Local optima in beam, powers and times together: what the program says is what the model says."""

import numpy as np
import pytest

import solvers
from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from solvers.interface.scaling import scaled
from solvers.jamming.local import _derivative, _Program, locally_best

SCENARIO = Scenario.preset("contested", num_agents=8, num_antennas=3, num_eavesdroppers=2, min_selected=2)


def start(scenario: Scenario, seed: int) -> tuple[Instance, Decision]:
    """Return an instance and a feasible decision with jammers."""
    instance = scaled(sample_instance(scenario, seed))
    solution = solvers.make("asc-plus", jammer_starts=2, exchanges=1).solve(instance)
    jammers = ~solution.decision.selection & (solution.decision.power_w > 0)
    assert solution.outcome.feasible
    assert jammers.any()
    return instance, solution.decision


@pytest.mark.parametrize("colluding", [False, True])
def test_the_program_is_the_model(colluding):
    instance, decision = start(SCENARIO.replace(colluding=colluding), 3)
    program = _Program(instance, decision)
    outcome = evaluate(instance, decision)
    times = np.append([outcome.downlink_time_s, outcome.uplink_time_s], program.times[2:])
    np.testing.assert_allclose(program.times, times, rtol=1e-9)
    assert program.times[2:].max() == pytest.approx(float(outcome.uplink_time_s), rel=1e-9)
    assert program.energy_j == pytest.approx(float(outcome.transmission_energy_j), rel=1e-9)
    users, eves = len(program.users), 1 if colluding else len(program.eves)
    downlink, uplink, longest, limit, beam = np.split(
        program.rows(program.start), np.cumsum([users * eves, users * eves, users, 1])
    )
    assert downlink.min() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(uplink.reshape(users, eves).min(axis=1), 0, atol=1e-9)
    assert longest.min() == pytest.approx(0, abs=1e-9)
    assert (longest >= -1e-9).all()
    slack = instance.scenario.latency_limit_s - float(outcome.latency_s)
    assert limit[0] * program.limit_s == pytest.approx(slack, abs=1e-6)
    length = float(np.linalg.norm(decision.beamformer)) ** 2 / instance.scenario.bs_power_w
    assert beam[0] == pytest.approx(1 - length, abs=1e-9)
    again = program.decision(program.start)
    np.testing.assert_allclose(again.power_w, decision.power_w, rtol=1e-9)
    np.testing.assert_allclose(again.beamformer, decision.beamformer, rtol=1e-9)


def test_derivatives_are_those_of_differences():
    instance, decision = start(SCENARIO, 2)
    program = _Program(instance, decision)
    z = program.start + 1e-3 * np.random.default_rng(0).random(len(program.start))
    for function in (program.energy, program.rows):
        derivative = _derivative(function, z)
        for j in range(len(z)):
            step = 1e-6 * np.eye(len(z))[j]
            difference = (function(z + step) - function(z - step)) / 2e-6
            np.testing.assert_allclose(derivative[..., j], difference, rtol=1e-5, atol=1e-5 * np.abs(derivative).max())


@pytest.mark.parametrize("seed", [3])
@pytest.mark.parametrize("colluding", [False, True])
def test_no_decision_near_a_local_optimum_is_cheaper(seed, colluding):
    instance, decision = start(SCENARIO.replace(colluding=colluding), seed)
    best = locally_best(instance, decision)
    outcome, before = evaluate(instance, best), evaluate(instance, decision)
    assert outcome.feasible
    assert outcome.energy_j <= before.energy_j
    rng = np.random.default_rng(0)
    size = 10.0 ** rng.uniform(-6, -1, (4000, 1))
    noise = rng.standard_normal((4000, len(best.beamformer), 2)) @ [1, 1j]
    beams = best.beamformer * (1 + size * noise)
    beams *= np.minimum(np.sqrt(instance.scenario.bs_power_w) / np.linalg.norm(beams, axis=1, keepdims=True), 1.0)
    power = np.minimum(best.power_w * np.exp(size * rng.standard_normal((4000, len(best.power_w)))), 2.0)
    near = Decision(selection=np.broadcast_to(best.selection, power.shape), beamformer=beams, power_w=power)
    trials = evaluate(instance, near)
    assert trials.energy_j[trials.feasible].min() >= float(outcome.energy_j) * (1 - 1e-7)
    back = locally_best(instance, near[int(np.argmin(np.where(trials.feasible, size[:, 0], 1.0)))])
    assert evaluate(instance, back).energy_j == pytest.approx(float(outcome.energy_j), rel=1e-6)


def test_a_better_decision_is_kept_and_time_may_end():
    instance, decision = start(SCENARIO, 2)
    best = locally_best(instance, decision)
    assert evaluate(instance, locally_best(instance, best)).energy_j <= evaluate(instance, best).energy_j

    def over() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        locally_best(instance, decision, over)
