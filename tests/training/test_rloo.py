"""The relational network, and RLOO: the laws of its draws, its baseline, its costs, their gradients, its training."""

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
from secagent_env.model.decision import Decision
from training.learn.learner import Task, learner_class
from training.learn.rloo import costs, drawn_selections, leave_one_out
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
    with torch.no_grad():  # levels that depend on what is seen
        for layer in (made.jam, made.offset, made.common):
            layer.weight.normal_(0.0, 0.3)
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
    torch.testing.assert_close(two[:, :9], one[:, :9][:, order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(two[:, 9:18], one[:, 9:18][:, order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(two[:, 18:], one[:, 18:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("agents", "antennas", "eves"), [(1, 1, 1), (6, 4, 2), (60, 16, 5)])
def test_one_set_of_weights_serves_any_size(agents: int, antennas: int, eves: int):
    scenario = Scenario(num_agents=agents, num_antennas=antennas, num_eavesdroppers=eves)
    instances = sample_instance(scenario, 0, (3,))
    with torch.no_grad():
        action = network()(**parts_of(instances)).numpy()
    assert action.shape == (3, 2 * agents + 1)
    assert (np.abs(action) <= 1).all()
    decision = action_format("balanced", scenario).decode(action, instances)
    assert (decision.selection.sum(-1) == scenario.required_agents).all()
    np.testing.assert_array_equal(action[:, :agents] >= 0, decision.selection)


def test_an_untrained_network_barely_jams_and_sends_at_minus_15_decibels():
    instances = sample_instance(CONTESTED, 0, (5,))
    with torch.no_grad():
        action = RelationalNetwork()(**parts_of(instances)).numpy()
    decision = action_format("balanced", CONTESTED).decode(action, instances)
    jamming = np.where(decision.selection, 0, decision.power_w)
    assert jamming.max() < 1e-8
    snr = 10 * np.log10(decision.power_w * instances.bs_gain / CONTESTED.noise_power_w)[decision.selection]
    np.testing.assert_allclose(snr, -15.0, atol=1e-3)


def test_levels_see_the_selection_and_the_others_alone_do_not_count():
    """Who is not selected is not heard by the levels of the others, but is decided upon itself."""
    parts = parts_of(sample_instance(CONTESTED, 4, (1,)))
    net = network()
    with torch.no_grad():
        encoded = net.encode(**parts)
        selection = torch.zeros(1, 9, dtype=torch.bool)
        selection[0, :3] = True
        before = net.action(encoded, selection)[0, 9:18]
        changed = encoded.agents.clone()
        changed[0, 8] += 1.0
        after = net.action(encoded._replace(agents=changed), selection)[0, 9:18]
        torch.testing.assert_close(after[:8], before[:8])
        assert (after[8] - before[8]).abs() > 1e-4
        selection[0, 0], selection[0, 5] = False, True
        assert (net.action(encoded, selection)[0, 9:18] - before).abs().min() > 1e-6


def test_several_selections_of_each_are_decided_as_one_by_one():
    parts = parts_of(sample_instance(CONTESTED, 0, (3,)))
    net = network()
    with torch.no_grad():
        encoded = net.encode(**parts)
        order, _ = drawn_selections(encoded.scores, 3, 4)
        together = net.actions(encoded, order)
        for sample in range(4):
            selection = torch.zeros(3, 9, dtype=torch.bool).scatter(1, order[:, sample], True)
            torch.testing.assert_close(together[:, sample], net.action(encoded, selection), rtol=1e-4, atol=1e-5)


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
    found = leave_one_out(torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]], dtype=torch.float64))
    raw = np.array([[1 - 4, 2 - 3.5, 6 - 1.5], [-1.5, -1.5, 3.0]])
    np.testing.assert_allclose(found.numpy(), raw / raw.std(ddof=1), rtol=1e-5)
    far = leave_one_out(torch.tensor([[0.0] * 99 + [1e9]], dtype=torch.float64))
    assert far.max() == 3.0


# --- Costs ----------------------------------------------------------------------------------------------------


def decided(scenario: Scenario, seed: int, count: int = 100):
    """Decisions of an untrained network, which differ by noise."""
    instances, rng = sample_instance(scenario, seed, (count,)), np.random.default_rng(seed)
    torch.manual_seed(1)
    with torch.no_grad():
        action = RelationalNetwork()(**parts_of(instances)).numpy()
    action[:, scenario.num_agents :] += rng.normal(0, 0.05, (count, scenario.num_agents + 1))
    return instances, action_format("balanced", scenario).decode(action, instances)


@pytest.mark.parametrize("preset", ["contested", "tight-latency", "small", "paper"])
def test_costs_are_those_of_the_physics(preset: str):
    scenario = Scenario.preset(preset)
    instances, decision = decided(scenario, 1)
    outcome = evaluate(instances, decision)
    cost = costs(instances.to(torch), decision.to(torch), 0.0, 1.0)
    feasible = np.asarray(outcome.feasible)
    np.testing.assert_array_equal(cost.feasible.numpy(), feasible)
    cheapest = np.sort(instances.execution_energy_j, -1)[:, : scenario.required_agents].sum(-1)
    np.testing.assert_allclose(cost.energy.numpy()[feasible], (outcome.energy_j / cheapest)[feasible], rtol=1e-9)
    served = np.isfinite(outcome.latency_s) & (outcome.downlink_time_s < scenario.latency_limit_s)
    served &= outcome.uplink_time_s < scenario.latency_limit_s
    late = np.maximum(outcome.latency_s / scenario.latency_limit_s - 1, 0)
    np.testing.assert_allclose(cost.late.numpy()[served], late[served], atol=1e-9)
    assert (cost.late.numpy()[~served] > 0).all()
    secret = (np.asarray(outcome.uplink_secrecy) > 0) | ~decision.selection
    np.testing.assert_array_equal(cost.leaked.numpy() == 0, secret.all(-1))
    np.testing.assert_allclose(
        cost.short.numpy(), np.maximum(scenario.min_accuracy + 0.001 - outcome.mean_accuracy, 0), atol=1e-12
    )
    assert feasible.any() or preset in ("contested", "tight-latency")
    assert not feasible.all()


def test_margins_are_asked_for():
    instances, decision = decided(SMALL, 0)
    plain, wary = (costs(instances.to(torch), decision.to(torch), *margins) for margins in ((0.0, 1.0), (0.5, 0.5)))
    assert (wary.late >= plain.late).all()
    assert (wary.leaked >= plain.leaked).all()
    assert (wary.late > plain.late).any()
    assert (wary.leaked > plain.leaked).any()
    assert (wary.feasible == plain.feasible).all()


def test_gradients_are_those_of_finite_differences():
    instances, decision = decided(CONTESTED, 3, 12)
    tensors, made = instances.to(torch), decision.to(torch)
    power = made.power_w.clone().requires_grad_()

    def total(value):
        moved = Decision(selection=made.selection, beamformer=made.beamformer, power_w=value)
        cost = costs(tensors, moved, 0.02, 0.9)
        return cost.energy + cost.late + cost.leaked + cost.short

    (gradient,) = torch.autograd.grad(total(power).sum(), power)
    checked = 0
    for agent in range(9):
        step = torch.zeros_like(power.detach())
        step[:, agent] = 1e-5 * power.detach()[:, agent]
        with torch.no_grad():
            up, down = total(power + step), total(power - step)
        slope, expected = (up - down) / 2, gradient[:, agent] * step[:, agent]
        large = expected.abs() > 1e-9
        torch.testing.assert_close(slope[large], expected[large], rtol=2e-2, atol=1e-10)
        checked += int(large.sum())
    assert checked > 20


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


def test_it_learns_and_its_policy_solves_networks_of_other_sizes(tmp_path):
    best = train(task_of(SMALL, steps=1280), tmp_path / "run", progress=False)
    untrained = next(iter((tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()))
    before = json.loads(untrained)
    assert best["score"] > before["score"] + 0.2
    assert best["gap"] < before["gap"] / 2
    agent = training.load_agent(tmp_path / "run" / "policy.onnx", repair=False)
    assert (agent.action_format, agent.observation_format, agent.any_agents) == ("balanced", "pairwise", True)
    for scenario in (SMALL, SMALL.replace(num_agents=11, num_antennas=7, num_eavesdroppers=2)):
        instances = sample_instance(scenario, 5, (20,))
        decision = agent.solve_batch(instances)
        assert np.asarray(evaluate(instances, decision).feasible).mean() > 0.5
        np.testing.assert_allclose(agent.solve(instances[0]).decision.power_w, decision[0].power_w, rtol=1e-3)


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


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"policy": "equivariant"}, "rloo trains the policy relational, not 'equivariant'"),
        ({"action_format": "guided"}, "rloo needs action_format balanced and observation_format pairwise"),
        ({"samples": 0}, "samples"),
        ({"learning_rate": -1.0}, "learning_rate"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        train(task_of(SMALL, steps=64, **overrides), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
