"""The ranked formats: guided actions and compact observations with the agents in the order of their energy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.observations import observation_shapes, observe, ranking
from secagent_env.lifetime.env import LifetimeEnv

SMALL = Scenario.preset("small")
N = SMALL.num_agents


def test_rows_are_those_of_the_compact_format_in_the_order_of_their_energy():
    scenario = Scenario.preset("small", num_eavesdroppers=2)
    instances = sample_instance(scenario, 5, (40,))
    order = ranking(instances)
    energy = np.take_along_axis(instances.execution_energy_j, order, axis=-1)
    assert (np.diff(energy) >= 0).all()
    assert len({tuple(each) for each in order}) > 10
    compact, ranked = observe(instances, "compact"), observe(instances, "ranked")
    assert observation_shapes(scenario, "ranked") == observation_shapes(scenario, "compact")
    rows, sorted_rows = (seen[:, 6 : 6 + N * 7].reshape(40, N, 7) for seen in (compact, ranked))
    assert np.array_equal(sorted_rows, np.take_along_axis(rows, order[..., None], axis=1))
    assert np.array_equal(compact[:, :6], ranked[:, :6])
    assert np.array_equal(compact[:, 6 + N * 7 :], ranked[:, 6 + N * 7 :])
    assert np.array_equal(observe(instances[3], "ranked"), ranked[3])


def test_agents_of_equal_energy_keep_their_order():
    instance = sample_instance(SMALL, 1)
    alike = instance.replace(inference_time_s=np.full(N, 50.0), compute_power_w=np.full(N, 20.0))
    assert ranking(alike).tolist() == list(range(N))


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_an_action_is_the_guided_one_of_the_agents_in_that_order(seed):
    instances = sample_instance(SMALL, seed, (3,))
    form, guided = action_format("ranked", SMALL), action_format("guided", SMALL)
    action = np.random.default_rng(seed).uniform(-1, 1, (3, 2 * N + 5))
    by_agent = action.copy()
    order = ranking(instances)
    for start in (0, N):
        np.put_along_axis(by_agent[:, start : start + N], order, action[:, start : start + N].copy(), axis=-1)
    wide = action.copy()
    wide[:, :N] *= 8
    decision, expected = form.decode(wide, instances), guided.decode(by_agent, instances)
    assert np.array_equal(decision.selection, expected.selection)
    assert decision.power_w == pytest.approx(expected.power_w)
    assert decision.beamformer == pytest.approx(expected.beamformer)
    alone = form.decode(wide[1], instances[1])
    assert np.array_equal(alone.selection, decision.selection[1])
    shared = form.decode(wide[1], instances)  # one action for all
    assert np.array_equal(shared.selection[1], decision.selection[1])


def test_bounds_and_ties():
    form, instance = action_format("ranked", SMALL), sample_instance(SMALL, 2)
    assert form.space.high.tolist() == [8.0] * N + [1.0] * (N + 5)
    assert form.space.low.tolist() == (-form.space.high).tolist()
    cheapest = set(ranking(instance)[:2].tolist())
    for scores in (0.0, 9.0, -20.0):  # equal ones, clipped or not: the cheapest
        action = np.concatenate([np.full(N, scores), np.zeros(N + 5)])
        assert set(np.flatnonzero(form.decode(action, instance).selection)) == cheapest
    dearest = np.concatenate([np.arange(N) * 1e-3, np.zeros(N + 5)])
    assert set(np.flatnonzero(form.decode(dearest, instance).selection)) == set(ranking(instance)[-2:].tolist())
    with pytest.raises(ValueError, match="what the action means depends on the instance"):
        form.decode(np.zeros(2 * N + 5))


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_encoding_finds_what_a_solver_decides(seed):
    instance = sample_instance(SMALL, seed)
    decision = solvers.make("asc-plus").solve(instance).decision
    if decision is None:
        return
    form, guided = action_format("ranked", SMALL), action_format("guided", SMALL)
    said = form.decode(form.encode(decision, instance), instance)
    expected = guided.decode(guided.encode(decision, instance), instance)
    assert np.array_equal(said.selection, expected.selection)
    assert evaluate(instance, said).energy_j == pytest.approx(evaluate(instance, expected).energy_j, rel=1e-5)


def test_in_bulk_it_is_the_same():
    pytest.importorskip("numba")
    kinds = {"action_format": "ranked", "observation_format": "ranked", "rng": "bulk"}
    env = AllocationEnv("small", **kinds)
    seen, _ = env.reset(seed=3)
    assert np.array_equal(seen, observe(env.instance, "ranked"))


def test_batteries_have_no_order():
    for name in ("action_format", "observation_format"):
        with pytest.raises(ValueError, match="agents keep their numbers, as their batteries do: take guided and comp"):
            LifetimeEnv("small", **{name: "ranked"})
