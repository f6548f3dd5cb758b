"""Selections in the order of their cost: against brute force, against HiGHS, and how few nodes they take."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from secagent_env import Scenario, sample_instance
from solvers.certificate.ordered import OrderedSelections, _least_surplus, _price
from solvers.certificate.requirements import TimeFloors
from solvers.certificate.selection import cheapest_selection

SMALL = Scenario.preset("small")


def all_in_order(ordered):
    """Every selection with its cost, as they come."""
    return list(iter(ordered.next, None))


def brute_force(instance, cost):
    """Every selection that meets (13), (15) and the floors of the times in (17) with its cost, cheapest first."""
    scenario = instance.scenario
    snr = np.sum(np.abs(instance.channel_bs) ** 2, axis=-1) / scenario.noise_power_w
    downlink = scenario.downlink_bits / scenario.bandwidth_hz / np.log2(1 + scenario.bs_power_w * snr)
    per_rate = scenario.uplink_bits / scenario.bandwidth_hz
    uplink = per_rate / np.log2(1 + scenario.max_power_w * snr)
    found = []
    for bits in itertools.product([False, True], repeat=scenario.num_agents):
        chosen = np.array(bits)
        if chosen.sum() < scenario.required_agents or instance.accuracy[chosen].mean() < scenario.min_accuracy - 1e-12:
            continue
        senders = chosen.sum()
        together = per_rate / np.log2(senders / (senders - 1)) if senders > 1 else 0.0
        latency = downlink[chosen].max() + instance.inference_time_s[chosen].max()
        if latency + max(uplink[chosen].max(), together) <= scenario.latency_limit_s:
            found.append((cost[chosen].sum(), chosen))
    return sorted(found, key=lambda pair: pair[0])


@settings(max_examples=150)
@given(
    st.integers(1, 9),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.5, 0.7, 0.75, 0.8]),
    st.sampled_from([3000.0, 200.0, 120.0]),
    st.sampled_from([(10e6, 16.0), (3e9, 16.0), (10e6, 2e4)]),
    st.sampled_from([None, 1, 3]),
)
def test_all_selections_come_cheapest_first(agents, seed, accuracy, limit, bits, required):
    scenario = SMALL.replace(
        num_agents=agents,
        min_selected=None if required is None else min(required, agents),
        min_accuracy=accuracy,
        latency_limit_s=limit,
        knowledge_bits=bits[0],
        bits_per_token=bits[1],
    )
    instance = sample_instance(scenario, seed)
    cost = instance.execution_energy_j
    everybody = np.ones(agents, bool)
    best = brute_force(instance, cost)
    found = all_in_order(OrderedSelections(instance, cost, everybody))
    assert [pair[0] for pair in found] == pytest.approx([pair[0] for pair in best], rel=1e-12)
    assert all(cost[selection].sum() == pytest.approx(total, rel=1e-12) for total, selection in found)
    assert len({selection.tobytes() for _, selection in found}) == len(found)

    choice = cheapest_selection(instance, cost)
    assert choice.cost == pytest.approx(best[0][0] if best else np.inf, rel=1e-12)
    if choice.selection is None:
        assert choice.message.startswith(("latency_s", "accuracy"))
    else:
        assert cost[choice.selection].sum() == pytest.approx(choice.cost, rel=1e-12)


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.72]))
def test_what_is_left_never_costs_less_than_the_bound(seed, accuracy):
    instance = sample_instance(SMALL.replace(num_agents=8, min_accuracy=accuracy), seed)
    cost = instance.execution_energy_j
    ordered = OrderedSelections(instance, cost, np.ones(8, bool))
    bounds, costs = [], []
    while np.isfinite(ordered.least_j):
        bounds.append(ordered.least_j)
        found = ordered.advance()
        costs.append(np.inf if found is None else found[0])
    later = np.minimum.accumulate(costs[::-1])[::-1]
    assert (np.array(bounds) <= later * (1 + 1e-12)).all()
    assert (np.diff(bounds) >= -1e-12 * np.array(bounds[1:])).all()


def test_what_is_forbidden_does_not_come_again():
    instance = sample_instance(SMALL.replace(num_agents=8, min_accuracy=0.0), 0)
    cost = instance.execution_energy_j
    ordered = OrderedSelections(instance, cost, np.arange(8) != 5)
    first = [ordered.next() for _ in range(3)]
    core = np.isin(np.arange(8), [1, 4])
    ordered.forbid(core)
    rest = all_in_order(ordered)
    expected = [c for c in brute_force(instance, cost) if not c[1][5]]
    kept = [total for total, selection in expected[3:] if not selection[core].all()]
    assert [pair[0] for pair in first] == pytest.approx([pair[0] for pair in expected[:3]])
    assert [pair[0] for pair in rest] == pytest.approx(kept)


@pytest.mark.parametrize("waiting", [0, 4, 100])
def test_what_is_forbidden_for_now_comes_after_its_release(waiting):
    instance = sample_instance(SMALL.replace(num_agents=8, min_accuracy=0.0), 0)
    cost = instance.execution_energy_j
    ordered = OrderedSelections(instance, cost, np.ones(8, bool))
    core, never = np.isin(np.arange(8), [1, 4]), np.isin(np.arange(8), [2, 4])
    ordered.forbid(core, for_now=True)
    ordered.forbid(never)
    before = [found for found in (ordered.next() for _ in range(waiting)) if found is not None]
    assert not any(selection[core].all() for _, selection in before)
    ordered.release()
    after = all_in_order(ordered)
    expected = [total for total, selection in brute_force(instance, cost) if not selection[never].all()]
    assert sorted(total for total, _ in [*before, *after]) == pytest.approx(expected)
    assert len({selection.tobytes() for _, selection in [*before, *after]}) == len(expected)
    assert any(selection[core].all() for _, selection in after)


def test_agents_of_infinite_cost_are_not_used_and_too_few_agents_give_nothing():
    instance = sample_instance(SMALL.replace(min_accuracy=0.0), 0)
    cost = np.where(np.arange(6) < 2, np.inf, instance.execution_energy_j)
    found = all_in_order(OrderedSelections(instance, cost, np.ones(6, bool)))
    assert len(found) == 11  # subsets of four with at least two members
    assert not any(selection[:2].any() for _, selection in found)
    nobody = OrderedSelections(instance, cost, np.arange(6) == 3)
    assert nobody.least_j == np.inf
    assert nobody.next() is None


@pytest.mark.parametrize("accuracy", [0.7, 0.78, 0.8, 0.82])
@pytest.mark.parametrize("agents", [30, 100])
def test_the_cheapest_selection_against_highs(agents, accuracy):
    for seed in range(3):
        instance = sample_instance(Scenario(num_agents=agents, min_accuracy=accuracy), seed)
        cost = instance.execution_energy_j
        rows = np.stack([np.ones(agents), 1e4 * (instance.accuracy - accuracy)])
        result = optimize.milp(
            cost / cost.mean(),
            integrality=np.ones(agents),
            bounds=optimize.Bounds(0, 1),
            constraints=optimize.LinearConstraint(rows, [instance.scenario.required_agents, 0.0], np.inf),
            options={"mip_rel_gap": 0.0},
        )
        expected = np.inf if result.x is None else result.fun * cost.mean()
        assert cheapest_selection(instance, cost).cost == pytest.approx(expected, rel=1e-6)


def test_few_nodes_lead_to_the_cheapest_selection_where_accuracy_binds():
    """Without its price every selection of cheap and inaccurate agents would come first."""
    for seed in range(3):
        instance = sample_instance(Scenario(num_agents=200, min_accuracy=0.82), seed)
        ordered = OrderedSelections(instance, instance.execution_energy_j, np.ones(200, bool))
        nodes = next(k for k in itertools.count(1) if ordered.advance() is not None)
        assert nodes < 3000


def test_few_nodes_where_hardly_any_selection_is_accurate_enough():
    instance = sample_instance(Scenario(num_agents=30), 1)
    best = float(np.sort(instance.accuracy)[-10:].mean()) - 1e-5
    instance = instance.replace(scenario=instance.scenario.replace(min_accuracy=best))
    ordered = OrderedSelections(instance, instance.execution_energy_j, np.ones(30, bool))
    nodes = next(k for k in itertools.count(1) if ordered.advance() is not None)
    assert nodes < 100  # without a look at the surplus that is left: 187


def test_equal_costs_do_not_multiply_the_nodes():
    instance = sample_instance(Scenario(num_agents=60, min_accuracy=0.75), 0)
    ordered = OrderedSelections(instance, np.ones(60), np.ones(60, bool))
    nodes = next(k for k in itertools.count(1) if ordered.advance() is not None)
    assert nodes < 3000


def test_senders_share_the_uplink():
    instance = sample_instance("small", 0)
    scenario = instance.scenario
    floors = TimeFloors.of(instance)
    per_rate = scenario.uplink_bits / scenario.bandwidth_hz
    assert floors.together(1) == 0.0
    assert floors.together(2) == pytest.approx(per_rate)  # two equal shares: SINR 1, 1 bit/s/Hz
    assert floors.together(4) == pytest.approx(per_rate / np.log2(4 / 3))
    alone = np.arange(6) == 2
    assert floors.latency(alone) == pytest.approx(floors.alone[2])
    pair = np.isin(np.arange(6), [2, 3])
    far = dataclasses.replace(floors, uplink=np.where(alone, 100.0, floors.uplink) * per_rate)  # as long by itself
    assert far.latency(pair) == pytest.approx(
        floors.downlink[pair].max() + floors.inference[pair].max() + 100 * per_rate
    )
    long = floors.downlink[pair].max() + floors.inference[pair].max() + per_rate
    assert floors.latency(pair) == pytest.approx(long)


@pytest.mark.parametrize("price", [0.0, 1e2, 1e5])
def test_every_price_of_accuracy_gives_the_same_selections(monkeypatch, price):
    instance = sample_instance(SMALL.replace(num_agents=8, min_selected=2, min_accuracy=0.7), 3)
    cost = instance.execution_energy_j
    monkeypatch.setattr("solvers.certificate.ordered._price", lambda *_: price)
    found = all_in_order(OrderedSelections(instance, cost, np.ones(8, bool)))
    assert [pair[0] for pair in found] == pytest.approx([pair[0] for pair in brute_force(instance, cost)], rel=1e-12)


def test_the_price_of_accuracy_gives_the_bound_of_linear_programming():
    """Lagrange's bound at the best price is the least of cᵀx with x in [0, 1], Σ x ≥ N_min and Σ x s ≥ 0."""
    rng = np.random.default_rng(0)
    priced = 0
    for _ in range(60):
        cost, surplus, required = rng.uniform(0.2, 2, 9), rng.normal(-0.01, 0.1, 9), int(rng.integers(1, 5))
        relaxed = optimize.linprog(cost, -np.stack([np.ones(9), surplus]), [-required, 0], bounds=(0, 1))
        if relaxed.status != 0:
            continue
        price = _price(cost, surplus, required, 0.0)
        reduced = np.sort(cost - price * surplus)
        bound = reduced[:required].sum() + np.minimum(reduced[required:], 0).sum()
        assert bound == pytest.approx(relaxed.fun, rel=1e-4)
        priced += price > 0
    assert priced >= 15


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([0.3, 0.45, 0.5, 0.6]))
def test_groups_of_one_accuracy_come_cheapest_first(seed: int, required: int, accuracy: float):
    """Where sums of accuracies jump, bounds rise with them, and stay bounds."""
    rng = np.random.default_rng(seed)
    scenario = SMALL.replace(num_agents=9, min_selected=required, min_accuracy=accuracy)
    instance = sample_instance(scenario, seed).replace(accuracy=np.repeat(rng.uniform(0.2, 0.8, 3), [4, 3, 2]))
    cost = instance.execution_energy_j
    ordered = OrderedSelections(instance, cost, np.ones(9, bool))
    expected = [pair[0] for pair in brute_force(instance, cost)]
    for total in expected:
        assert ordered.least_j <= total * (1 + 1e-9)
        found = ordered.next()
        assert found is not None
        assert found[0] == pytest.approx(total, rel=1e-9)
    assert ordered.next() is None


def test_the_least_surplus_by_hand():
    surplus = np.array([0.3, -0.1, -0.1, 0.3, -0.1])
    # of one 0.3; of two 0.2 or 0.6; of three 0.1 (one and two), 0.5; of four 0 (one and three), 0.4; of five 0.3
    np.testing.assert_allclose(_least_surplus(surplus), [0, 0.3, 0.2, 0.1, 0.0, 0.3], atol=1e-11)
    assert np.isinf(_least_surplus(np.array([-0.1, -0.2]))[1:]).all()
    np.testing.assert_array_equal(_least_surplus(np.linspace(-1, 1, 20)), np.zeros(21))  # 2²⁰ are too many


def test_thirty_agents_of_three_models_take_no_time():
    """Without what sums jump by, this opens a hundred thousand nodes; it must not open a thousand."""
    instance = sample_instance("qwen", 5).replace(accuracy=np.repeat([0.25734, 0.25887, 0.46153], [12, 12, 6]))
    instance = instance.replace(scenario=instance.scenario.replace(min_accuracy=0.34))
    ordered = OrderedSelections(instance, instance.execution_energy_j, np.ones(30, bool))
    for _ in range(1000):
        if (found := ordered.advance()) is not None:
            break
    assert found is not None
    cost, selection = found
    groups = [np.flatnonzero(instance.accuracy == value) for value in np.unique(instance.accuracy)]
    cheapest = [np.sort(instance.execution_energy_j[group]) for group in groups]
    best = min(
        sum(own[:count].sum() for own, count in zip(cheapest, counts, strict=True))
        for counts in itertools.product(range(13), range(13), range(7))
        if sum(counts) >= 10 and np.dot(counts, np.unique(instance.accuracy)) / sum(counts) >= 0.34
    )
    assert cost == pytest.approx(best)
    assert selection.sum() >= 10
