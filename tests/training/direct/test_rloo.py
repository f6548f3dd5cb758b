"""The relational network, and RLOO: the laws of its draws, its baseline, its gradient, its training."""

import copy
import itertools
import json
import math

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import Logger

import training
from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.observations import observation_shapes, observe
from secagent_env.model.serving import serve
from solvers.interface.ranking import rank_by_violation
from training.direct.rloo import costs, drawn_selections, leave_one_out
from training.learn.learner import Task, learner_class
from training.learn.settings import load_settings
from training.learn.train import train
from training.networks.equivariant import split_parts
from training.networks.relational import RelationalNetwork, agent_features

SMALL = Scenario.preset("small")
CONTESTED = Scenario.preset("contested", num_agents=9, min_selected=3)


def parts_of(instances) -> dict[str, torch.Tensor]:
    observations = torch.from_numpy(observe(instances, "pairwise"))
    return split_parts(observations, observation_shapes(instances.scenario, "pairwise"))


def network(**options: int) -> RelationalNetwork:
    torch.manual_seed(0)
    made = RelationalNetwork(**options)
    torch.nn.init.normal_(made.score.weight, std=0.3)  # as if it were trained
    return made


# --- The network ----------------------------------------------------------------------------------------------


def test_the_features_of_an_agent_by_hand():
    parts = parts_of(sample_instance(CONTESTED, 2, (3,)))
    agents, clear = parts["agents"], parts["clear"]
    found = agent_features(parts["task"], agents[..., :5], agents[..., 5:], clear).numpy()
    for b, n in ((0, 0), (2, 7)):
        own, heard = agents[b, n, :5].numpy(), agents[b, n, 5:].max().item()
        relative, share = own[1] / agents[b, :, 1].mean().item(), clear[b, n, n].item()
        expected = [
            *own,
            heard,
            2 * (heard - own[0]),
            relative,
            math.log(relative),
            share,
            own[0] + math.log10(share) / 4,
        ]
        expected += [5 * (own[4] - agents[b, :, 4].mean().item()), 5 * (own[4] - CONTESTED.min_accuracy)]
        assert found[b, n] == pytest.approx(expected, abs=1e-5)


def test_permuting_agents_and_eavesdroppers_permutes_the_action():
    parts = parts_of(sample_instance(CONTESTED, 1, (4,)))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    moved = {name: parts[name] for name in ("task",)}
    moved["agents"] = torch.cat([parts["agents"][:, order, :5], parts["agents"][:, order, 5:].flip(-1)], -1)
    moved["eavesdroppers"] = parts["eavesdroppers"].flip(1)
    moved["alignment_eve"] = parts["alignment_eve"][:, order].flip(-1)
    for name in ("gain_agents", "alignment", "clear"):
        moved[name] = parts[name][:, order][:, :, order]
    net = network()
    with torch.no_grad():
        one, two = net(**parts), net(**moved)
    torch.testing.assert_close(two, one[:, order], rtol=1e-4, atol=1e-5)
    assert one.std() > 1e-3


@pytest.mark.parametrize(("agents", "antennas", "eves"), [(1, 1, 1), (6, 4, 2), (60, 16, 5)])
def test_one_set_of_weights_serves_any_size(agents: int, antennas: int, eves: int):
    scenario = Scenario(num_agents=agents, num_antennas=antennas, num_eavesdroppers=eves)
    instances = sample_instance(scenario, 0, (3,))
    with torch.no_grad():
        action = network()(**parts_of(instances)).numpy()
    assert action.shape == (3, agents)
    assert (np.abs(action) <= 1).all()
    decision = action_format("selection", scenario).decode(action, instances)
    assert (decision.selection.sum(-1) == scenario.required_agents).all()


def test_an_untrained_network_selects_the_cheapest_agents():
    instances = sample_instance(CONTESTED, 3, (20,))
    with torch.no_grad():
        action = RelationalNetwork()(**parts_of(instances)).numpy()
    np.testing.assert_array_equal(np.argsort(-action, -1), np.argsort(instances.execution_energy_j, -1))
    energy = instances.execution_energy_j[0]
    odds = 8 * (np.arctanh(action[0, 0]) - np.arctanh(action[0, 1]))
    assert odds == pytest.approx(3 * np.log(energy[1] / energy[0]), rel=1e-3)


def test_what_a_pair_is_like_counts():
    """Each part of the observation moves the scores."""
    parts = parts_of(sample_instance(CONTESTED, 4, (1,)))
    net = network()
    with torch.no_grad():
        before = net(**parts)
        for name in parts:
            changed = {**parts, name: parts[name].clone()}
            changed[name][0, ..., -1] += 0.5
            if name == "task":
                changed[name] = parts[name] + torch.tensor([0, 0.5, 0, 0, 0, 0])
            assert (net(**changed) - before).abs().max() > 1e-6, name


# --- Draws and baseline ---------------------------------------------------------------------------------------


def test_selections_have_the_probabilities_of_draws_one_after_the_other():
    scores = torch.tensor([0.0, 1.0, -0.5, 0.3], dtype=torch.float64)
    weights = scores.exp()
    expected = dict.fromkeys(itertools.combinations(range(4), 2), 0.0)
    for first, second in itertools.permutations(range(4), 2):
        chance = weights[first] / weights.sum() * weights[second] / (weights.sum() - weights[first])
        expected[tuple(sorted((first, second)))] += chance.item()
    torch.manual_seed(0)
    order, likely = (drawn.flatten(0, 1) for drawn in drawn_selections(scores.expand(4_000, 4), 2, 10))
    drawn = {pair: (order.sort(-1).values == torch.tensor(pair)).all(-1) for pair in expected}
    for pair, chance in expected.items():
        assert drawn[pair].double().mean().item() == pytest.approx(chance, abs=0.01)
        orders = [
            torch.log(weights[a] / weights.sum() * weights[b] / (weights.sum() - weights[a])).item()
            for a, b in (pair, pair[::-1])
        ]
        found = likely[drawn[pair]]
        assert torch.isclose(found[:, None], torch.tensor(orders, dtype=torch.float64), atol=1e-6).any(-1).all()


def test_the_policy_gradient_is_that_of_the_expected_cost():
    scores = torch.tensor([0.2, -0.4, 0.9], dtype=torch.float64, requires_grad=True)
    cost = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
    weights = scores.exp()
    expected = sum(
        weights[a] / weights.sum() * weights[b] / (weights.sum() - weights[a]) * (cost[a] + cost[b])
        for a, b in itertools.permutations(range(3), 2)
    )
    (wanted,) = torch.autograd.grad(expected, scores)
    torch.manual_seed(0)
    order, likely = drawn_selections(scores.expand(50_000, 3), 2, 4)
    total = cost[order].sum(-1)
    advantage = (total - total.mean(-1, keepdim=True)) * 4 / 3
    (found,) = torch.autograd.grad((advantage * likely).mean(), scores)
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0)


def test_leave_one_out_by_hand():
    cost = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])
    raw = np.array([[4 - 1, 3.5 - 2, 1.5 - 6], [1.5, 1.5, -3.0]])
    np.testing.assert_allclose(leave_one_out(cost, 1), raw / raw.std(), rtol=1e-5)
    # the least of two: without the first 2, with it 1; without the second 1, with it 1 or 2; without the third 1, …
    raw = np.array([[2 - 1, 1 - 1.5, 1 - 1.5], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(leave_one_out(cost, 2), raw / raw.std(), rtol=1e-5)
    assert leave_one_out(np.array([[0.0] * 99 + [1e9]]), 1).min() == -3.0


@pytest.mark.parametrize(("samples", "best_of"), [(2, 1), (5, 1), (5, 2), (6, 3), (7, 6)])
def test_advantages_are_those_of_all_sets_of_draws(samples: int, best_of: int):
    cost = np.random.default_rng(samples).random((3, samples))
    cost[0, :2] = cost[0, 0]  # a tie
    expected = np.empty_like(cost)
    for b, i in np.ndindex(cost.shape):
        sets = list(itertools.combinations(range(samples), best_of))
        least = {True: [], False: []}
        for each in sets:
            least[i in each].append(cost[b, list(each)].min())
        expected[b, i] = np.mean(least[False]) - np.mean(least[True])
    np.testing.assert_allclose(leave_one_out(cost, best_of), np.clip(expected / expected.std(), -3, 3), atol=1e-4)


def test_costs_by_hand():
    """Energies are relative to the least of the same network, and bounded; whoever fails costs more, by how much."""
    scenario = SMALL.replace(num_agents=3, min_selected=1)
    instances = sample_instance(scenario, 3, (2,))[np.array([0, 0, 0, 1, 1, 1])]
    outcome = evaluate(instances, serve(instances, np.array([[0], [1], [2], [0], [1], [2]])))
    late = {**outcome.violations, "latency_s": np.array([-1, -1, -1, 0.5, 1.0, 9.0]) * scenario.latency_limit_s}
    told = outcome._trusted(
        **{
            **outcome._fields(),
            "energy_j": np.array([4.0, 5.0, 40.0, 1.0, 1.0, 1.0]),
            "feasible": np.array([True, True, True, False, False, False]),
            "violations": {name: late[name] if name == "latency_s" else np.full(6, -1.0) for name in late},
            "violated": {name: np.array([False] * 3 + [name == "latency_s"] * 3) for name in late},
        }
    )
    expected = [[0.0, 0.25, 0.5], [1.0 + 0.3 * 0.5, 1.0 + 0.3 * 1.0, 1.0 + 0.3 * 2.0]]
    np.testing.assert_allclose(costs(instances, told, 3), expected, rtol=1e-6)


# --- Learning -------------------------------------------------------------------------------------------------


def task_of(scenario: Scenario, **overrides) -> Task:
    settings = load_settings(
        "rloo",
        environment="allocation",
        preset=None,
        arguments=learner_class("rloo").arguments("rloo"),
        overrides={"segment_steps": 640, "batch_size": 32, **overrides},
    )
    return Task(algo="rloo", environment="allocation", scenario=scenario, settings=settings, seed=3)


@pytest.mark.parametrize("best_of", [1, 2])
def test_the_gradient_is_that_of_the_expected_least_cost(best_of: int):
    """Of three agents one computes; the learner's gradient is that of the expected least cost of all draws of k."""
    scenario = SMALL.replace(num_agents=3, min_selected=1)
    learner = learner_class("rloo")(task_of(scenario, batch_size=1, samples=16, best_of=best_of), "cpu")
    instances = sample_instance(scenario, 3, (1,))
    each = instances[np.zeros(3, int)]
    cost = costs(each, evaluate(each, serve(each, np.arange(3)[:, None])), 3)[0]
    assert np.ptp(cost) > 0.1
    scores = torch.tensor([[0.3, -0.2, 0.0]], dtype=torch.float64, requires_grad=True)
    chance = scores.softmax(-1)[0]
    expected = sum(
        chance[list(draws)].prod() * cost[list(draws)].min() for draws in itertools.product(range(3), repeat=best_of)
    )
    (wanted,) = torch.autograd.grad(expected, scores)
    found = torch.zeros_like(scores)
    torch.manual_seed(0)
    for _ in range(100):
        [term] = learner._terms(instances, instances, *drawn_selections(scores, 1, 16)).values()
        found += torch.autograd.grad(term, scores)[0]
    unit = found.norm() * wanted.norm()
    assert ((found * wanted).sum() / unit).item() > 0.98  # advantages are in units of their spread


def test_it_learns_and_its_policy_solves_networks_of_other_sizes(tmp_path):
    best = train(task_of(SMALL, steps=1280), tmp_path / "run", progress=False)
    untrained = next(iter((tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()))
    before = json.loads(untrained)
    assert best["score"] > before["score"] + 0.01
    assert best["feasible"] > 0.97
    assert best["gap"] < 0.03
    agent = training.load_agent(tmp_path / "run" / "policy.onnx", repair=False, samples=1)
    assert (agent.action_format, agent.observation_format, agent.any_agents) == ("selection", "pairwise", True)
    for scenario in (SMALL, SMALL.replace(num_agents=11, num_antennas=7, num_eavesdroppers=2)):
        instances = sample_instance(scenario, 5, (20,))
        decision = agent.solve_batch(instances)
        assert np.asarray(evaluate(instances, decision).feasible).mean() > 0.5
        np.testing.assert_array_equal(agent.solve(instances[0]).decision.selection, decision[0].selection)
        several = training.load_agent(tmp_path / "run" / "policy.onnx", repair=False, samples=12)
        ranks = [
            rank_by_violation(instances, evaluate(instances, d)) for d in (decision, several.solve_batch(instances))
        ]
        assert (ranks[1] <= ranks[0]).all()
        assert (ranks[1] < ranks[0]).any()
        alone = several.solve(instances[3])
        np.testing.assert_array_equal(alone.decision.selection, several.solve_batch(instances)[3].selection)
        assert 1 <= alone.evaluations <= 12


def test_an_interrupted_training_ends_like_an_uninterrupted_one(tmp_path):
    task, log = task_of(SMALL, steps=128, segment_steps=64), Logger(str(tmp_path), [])
    learner = learner_class("rloo")(task, "cpu")
    learner.learn(1, 64, log, lambda steps: None)
    state = copy.deepcopy(learner.state())
    other = learner_class("rloo")(task, "cpu")
    other.load_state(state)
    other.learn(2, 64, log, lambda steps: None)
    learner.learn(2, 64, log, lambda steps: None)
    for one, two in zip(learner.network.parameters(), other.network.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_only_selections_are_sampled():
    with pytest.raises(ValueError, match="its actions are guided: only selections are sampled, leave samples out"):
        training.load_agent("ppo", samples=2)
    with pytest.raises(ValueError, match="samples"):
        training.load_agent("ppo", samples=0)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"policy": "equivariant"}, "rloo trains the policy relational, not 'equivariant'"),
        ({"action_format": "guided"}, "rloo needs action_format selection and observation_format pairwise"),
        ({"samples": 0}, "samples"),
        ({"samples": 8}, "samples must be an integer ≥ 9"),
        ({"best_of": 0}, "best_of"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"environment_options": {"penalty_fixed": 1.0}}, "leave penalty_fixed out of environment_options"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        train(task_of(SMALL, steps=64, **overrides), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
