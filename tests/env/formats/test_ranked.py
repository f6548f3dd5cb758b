"""The ranked formats: guided actions and compact observations with the agents in the order of their energy."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.guided import select_accurate
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
    decision = form.decode(wide, instances)
    for scores, instance in zip(by_agent[:, :N], instances, strict=True):
        chosen = first_accurate(scores, instance.accuracy, SMALL.required_agents, SMALL.min_accuracy)
        scores[chosen] += 2.5  # the guided format clips them: all of the chosen ones above all others
        scores[np.setdiff1d(np.arange(N), chosen)] -= 2.5
    expected = guided.decode(by_agent, instances)
    assert np.array_equal(decision.selection, expected.selection)
    assert decision.power_w == pytest.approx(expected.power_w)
    assert decision.beamformer == pytest.approx(expected.beamformer)
    alone = form.decode(wide[1], instances[1])
    assert np.array_equal(alone.selection, decision.selection[1])
    shared = form.decode(wide[1], instances)  # one action for all
    assert np.array_equal(shared.selection[1], decision.selection[1])


def first_accurate(scores, accuracy, count, least):
    """Return the first of all selections in the order of their scores that is accurate enough, else the first."""
    order = np.argsort(-scores, kind="stable")
    selections = [list(each) for each in combinations(order, count)]
    return next((each for each in selections if np.mean(accuracy[each]) >= least - 1e-12), selections[0])


@settings(max_examples=300)
@given(st.integers(0, 10**6), st.integers(1, 7), st.floats(0.3, 1.0))
def test_the_highest_scores_within_the_accuracy_are_taken(seed, count, least):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.uniform(-8, 8, (2, 3, 7)), rng.integers(0, 3))  # some of them are equal
    accuracy = np.round(rng.uniform(0.4, 1, (2, 3, 7)), 2)
    taken = select_accurate(scores, accuracy, count, least)
    assert taken.shape == (2, 3, count)
    for place in np.ndindex(2, 3):
        assert set(taken[place]) == set(first_accurate(scores[place], accuracy[place], count, least))


@pytest.mark.parametrize("accuracy", [[0.7, 0.7, 0.7], [0.8, 0.6, 0.7], [1.0, 0.0, 0.4]])
def test_a_mean_accuracy_that_is_just_met_is_met(accuracy):
    """0.8 and 0.6 are 0.7 in the mean but for rounding."""
    least = float(np.mean(accuracy[:2]))
    taken = select_accurate(np.array([2.0, 1.0, 0.0]), np.array(accuracy), 2, least)
    assert taken.tolist() == [0, 1]
    higher = select_accurate(np.array([2.0, 1.0, 0.0]), np.array(accuracy), 2, least + 1e-6)
    assert (higher.tolist() == [0, 1]) == (max(accuracy) == 0.7)  # nobody is better then: the highest scores


def test_the_accuracy_is_met_wherever_it_can_be():
    instances = sample_instance(Scenario.preset("small", min_accuracy=0.78), 3, (400,))
    form = action_format("ranked", instances.scenario)
    actions = np.random.default_rng(0).uniform(form.space.low, form.space.high, (400, 2 * N + 5))
    can = np.sort(instances.accuracy, axis=-1)[:, -2:].mean(axis=-1) >= 0.78
    assert 0 < (~can).sum() < 100
    assert np.array_equal(~evaluate(instances, form.decode(actions, instances)).violated["accuracy"], can)


def test_bounds_and_ties():
    form, instance = action_format("ranked", SMALL), sample_instance(SMALL, 2)
    instance = instance.replace(accuracy=np.full(N, 0.9))
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
