"""Best-first search: its order against enumeration, its decisions against the exact solver's."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.model.serving import serve
from solvers.best_first.ordering import accuracy_price, in_order

numbers = st.floats(0.01, 10, allow_nan=False)


@settings(max_examples=50, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=7), st.data())
def test_selections_come_in_the_order_of_their_cost_and_each_once(cost: list[float], data):
    count = data.draw(st.integers(1, len(cost)))
    found = list(in_order(np.array(cost), count))
    totals = [total for total, _ in found]
    assert all(one <= other + 1e-9 for one, other in itertools.pairwise(totals))
    assert {tuple(sorted(chosen)) for _, chosen in found} == set(itertools.combinations(range(len(cost)), count))
    assert len(found) == len(list(itertools.combinations(range(len(cost)), count)))
    for total, chosen in found:
        assert total == pytest.approx(np.array(cost)[chosen].sum())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7), st.data())
def test_the_price_of_accuracy_bounds_the_energy_of_all_that_are_accurate(seed: int, agents: int, data):
    rng, count = np.random.default_rng(seed), data.draw(st.integers(1, agents))
    energy, surplus = rng.uniform(0.1, 5, agents), rng.normal(size=agents)
    price = accuracy_price(energy, surplus, count)
    assert price >= 0
    sets = [np.array(chosen) for chosen in itertools.combinations(range(agents), count)]
    accurate = [float(energy[chosen].sum()) for chosen in sets if surplus[chosen].sum() >= 0]
    bounds = [
        min(float((energy - each * surplus)[chosen].sum()) for chosen in sets)
        for each in (price, 0.0, 0.9 * price, 1.1 * price + 0.01)
    ]
    if accurate:
        assert bounds[0] <= min(accurate) + 1e-9
        assert bounds[0] >= max(bounds) - 1e-6  # the best of these bounds


def test_it_finds_the_optimum_where_the_exact_solver_proves_it():
    for preset, seeds in (("small", range(6)), ("paper", range(3)), ("tight-latency", (1, 4))):
        for seed in seeds:
            instance = sample_instance(preset, seed)
            solution, exact = (solvers.make(name).solve(instance, max_seconds=20) for name in ("best-first", "exact"))
            assert solution.outcome.feasible == exact.outcome.feasible
            if exact.outcome.feasible:
                assert solution.outcome.energy_j == pytest.approx(exact.outcome.energy_j, rel=1e-3)


def test_in_machine_code_it_decides_the_same():
    pytest.importorskip("numba")
    # On other networks the fixed point of a beam multiplies what processors round otherwise.
    for preset, seed in [("contested", 3), ("contested", 4), *(("tight-latency", seed) for seed in (2, 3, 4))]:
        instance = sample_instance(preset, seed)
        plain, compiled = (
            solvers.make("best-first", most=40, polished=False, compiled=flag).solve(instance) for flag in (False, True)
        )
        assert compiled.evaluations == plain.evaluations
        assert np.array_equal(compiled.decision.selection, plain.decision.selection)
        assert compiled.decision.beamformer == pytest.approx(plain.decision.beamformer, rel=1e-9)
        assert compiled.outcome.energy_j == pytest.approx(plain.outcome.energy_j, rel=1e-9)


def test_selections_that_cannot_be_served_are_passed_over():
    instance = sample_instance("contested", 1)
    cheapest = np.argsort(instance.execution_energy_j)[:5]
    solution = solvers.make("best-first", polished=False).solve(instance)
    assert not evaluate(instance, serve(instance, cheapest)).feasible
    assert solution.outcome.feasible
    assert solution.gap < 0.3
    assert not np.array_equal(np.flatnonzero(solution.decision.selection), np.sort(cheapest))
    assert [record["sub_problem"] for record in solution.history] == ["selections"] * len(solution.history)
    polished = solvers.make("best-first").solve(instance)
    assert polished.outcome.energy_j <= solution.outcome.energy_j
    # The first batch has eight, and nothing is served after the limit.
    assert solvers.make("best-first", most=5, polished=False).solve(instance).evaluations == 5


def test_where_accuracy_binds_the_first_selections_already_have_it():
    scenario = Scenario.preset("small", min_accuracy=0.72)
    bound = 0
    for seed in range(12):
        instance = sample_instance(scenario, seed)
        solution = solvers.make("best-first").solve(instance)
        exact = solvers.make("exact").solve(instance)
        assert solution.outcome.feasible == exact.outcome.feasible
        if exact.outcome.feasible:
            assert solution.outcome.energy_j == pytest.approx(exact.outcome.energy_j, rel=1e-6)
            bound += instance.accuracy[np.argsort(instance.execution_energy_j)[:2]].mean() < 0.72
    assert bound >= 2


def test_what_is_infeasible_and_what_is_wrong_is_told():
    hopeless = sample_instance(Scenario.preset("small", min_accuracy=0.999), 0)
    solution = solvers.make("best-first").solve(hopeless)
    assert solution.status == "infeasible"
    assert "accuracy" in solution.message
    with pytest.raises(ValueError, match="most"):
        solvers.make("best-first", most=0)
    with pytest.raises(ValueError, match="polished"):
        solvers.make("best-first", polished=1)
