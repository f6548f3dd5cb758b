"""The equivariant network, its place in Stable-Baselines3, and the loss of the learned optimiser."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from secagent_env import Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.observations import observe
from secagent_env.model.physics import downlink_sinr, uplink_sinr
from training.direct.l2o import L2OLearner, losses, soft_threshold
from training.learn.learner import Task, learner_class
from training.learn.settings import Settings
from training.networks.equivariant import (
    EquivariantNetwork,
    ValueNetwork,
    agent_features,
    compact_shapes,
    split_parts,
    tasks_left,
)

PRICES = {"price": 20.0, "margin": 0.004, "temperature": 0.25}


def parts_of(instances) -> dict[str, torch.Tensor]:
    return split_parts(torch.from_numpy(observe(instances, "compact")), compact_shapes(instances.scenario))


def network(**options: int) -> EquivariantNetwork:
    torch.manual_seed(0)
    return EquivariantNetwork(**options)


@pytest.mark.parametrize("preset", ["small", "paper", "contested"])
def test_parts_are_those_of_the_dict_observation(preset: str):
    instances = sample_instance(preset, 0, (3,))
    expected = observe(instances, "dict")
    for name, part in parts_of(instances).items():
        np.testing.assert_array_equal(part.numpy(), expected[name])


def test_the_features_of_an_agent_by_hand():
    parts = parts_of(sample_instance("contested", 2, (3,)))
    batteries = torch.rand(3, 30, 2)
    found = agent_features(parts["task"], parts["agents"], batteries).numpy()
    agents, task = parts["agents"].numpy(), parts["task"].numpy()
    mean = agents.mean(axis=1)
    for b, n in ((0, 0), (2, 17)):
        own, heard = agents[b, n, :5], agents[b, n, 5:].max()
        expected = [*own, heard, 2 * (own[0] - mean[b, 0]), own[1] - mean[b, 1]]
        expected += [5 * (own[4] - mean[b, 4]), 5 * (own[4] - task[b, 1]), *batteries[b, n].numpy()]
        assert found[b, n] == pytest.approx(expected, abs=1e-5)
    assert agent_features(parts["task"], parts["agents"]).shape == (3, 30, 10)


@pytest.mark.parametrize("rounds", [1, 3])
def test_permuting_agents_and_eavesdroppers_permutes_the_action(rounds: int):
    parts = parts_of(sample_instance("contested", 1, (4,)))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    moved = {**parts, "agents": parts["agents"][:, order], "eavesdroppers": parts["eavesdroppers"].flip(1)}
    moved["agents"] = torch.cat([moved["agents"][..., :5], moved["agents"][..., 5:].flip(-1)], -1)
    net = network(rounds=rounds)
    with torch.no_grad():
        one, two = net(**parts), net(**moved)
    for part in (slice(0, 30), slice(30, 60)):
        torch.testing.assert_close(two[:, part], one[:, part][:, order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(two[:, 60:], one[:, 60:], rtol=1e-4, atol=1e-5)
    for value in (ValueNetwork(), ValueNetwork(width=8, rounds=0, values=3)):
        torch.testing.assert_close(value(**moved), value(**parts), rtol=1e-4, atol=1e-5)


def test_a_round_by_hand():
    """What the network sees after its one round, from its parameters, agent by agent."""
    parts = parts_of(sample_instance("contested", 3, (2,)))
    net = network(width=4, rounds=1)
    with torch.no_grad():
        scores, hidden, context = (tensor.numpy() for tensor in net.encode(**parts))
    weights = {name: tensor.detach().numpy() for name, tensor in net.named_parameters()}
    relu = lambda x: np.maximum(x, 0)  # noqa: E731

    def standardised(raw: np.ndarray, count: int) -> np.ndarray:
        raw = (raw - raw.mean()) / (raw.std() + 1e-3)
        return raw - np.sort(raw)[::-1][count - 1 : count + 1].mean()

    def pooled(rows: np.ndarray, features: np.ndarray, own: np.ndarray, world: np.ndarray, count: int) -> np.ndarray:
        soft = 1 / (1 + np.exp(-own / 0.25)) / count
        chosen = [sum(soft[n] * 5 * features[n] for n in range(30)), sum(soft[n] * rows[n] for n in range(30))]
        return np.concatenate([rows.mean(0), chosen[1], rows.max(0), chosen[0], world])

    every = agent_features(parts["task"], parts["agents"]).numpy()
    for b in range(2):
        features, task = every[b], parts["task"][b].numpy()
        count, world = round(task[0] * 30), np.append(task, parts["eavesdroppers"][b].max())
        first = relu(features @ weights["embed.0.weight"].T + weights["embed.0.bias"]) @ weights["embed.2.weight"].T
        before = standardised((first @ weights["first_score.weight"].T)[:, 0], count)
        seen = pooled(first, features, before, world, count)
        mixed = np.concatenate([first, features], 1) @ weights["mix.0.agent.weight"].T
        mixed += weights["mix.0.shared.weight"] @ seen + weights["mix.0.shared.bias"]
        after = first + relu(mixed) @ weights["mix.0.out.weight"].T
        query = relu(weights["query.0.0.weight"] @ seen + weights["query.0.0.bias"])
        prices = weights["query.0.2.weight"] @ query + weights["query.0.2.bias"]
        raw = before + (after @ weights["score.0.weight"].T)[:, 0] + features @ prices
        np.testing.assert_allclose(hidden[b], after, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(scores[b], standardised(raw, count), rtol=1e-3, atol=1e-3)
        expected = pooled(after, features, standardised(raw, count), world, count)
        np.testing.assert_allclose(context[b], expected, rtol=1e-3, atol=1e-2)


def test_the_critic_has_a_size_of_its_own_and_as_many_values_as_asked_for():
    learner = learner_class("ppo")(
        dataclasses.replace(
            task(arguments={"policy_kwargs": {"width": 8, "critic_width": 4, "critic_rounds": 0, "values": 3}}),
            algo="ppo",
        ),
        "cpu",
    )
    policy = learner.policy
    assert policy.actor.level.in_features == 8
    assert policy.critic.body.level.in_features == 4
    assert (len(policy.actor.mix), len(policy.critic.body.mix)) == (2, 0)
    assert policy.predict_values(torch.rand(5, *policy.observation_space.shape)).shape == (5, 3)
    learner.close()


@pytest.mark.parametrize(("agents", "antennas", "eves"), [(1, 1, 1), (6, 4, 2), (100, 20, 1), (200, 64, 3)])
def test_one_set_of_weights_serves_any_size(agents: int, antennas: int, eves: int):
    scenario = Scenario(num_agents=agents, num_antennas=antennas, num_eavesdroppers=eves)
    instances = sample_instance(scenario, 0, (3,))
    with torch.no_grad():
        action = network()(**parts_of(instances)).numpy()
    made = action_format("guided", scenario)
    assert action.shape == (3, *made.space.shape)
    assert (np.abs(action) <= 1).all()
    assert (made.decode(action, instances).selection.sum(1) == scenario.required_agents).all()


def test_scores_are_positive_for_those_selected():
    instances = sample_instance("paper", 0, (64,))
    with torch.no_grad():
        action = network()(**parts_of(instances)).numpy()
    selection = action_format("guided", instances.scenario).decode(action, instances).selection
    np.testing.assert_array_equal(action[:, :30] > 0, selection)


def test_an_untrained_network_sends_in_secret_and_jams_nobody():
    instances = sample_instance("paper", 0, (64,))
    with torch.no_grad():
        action = network()(**parts_of(instances)).numpy()
    decision = action_format("guided", instances.scenario).decode(action, instances)
    assert (np.where(decision.selection, 0.0, decision.power_w) == 0).all()
    outcome = evaluate(instances, decision)
    assert not outcome.violated["latency_s"].any()


# --- With batteries ------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 8), min_size=1, max_size=10), st.data())
def test_tasks_left_is_the_largest_number_that_the_capacities_allow(capacity: list[float], data: st.DataObject):
    count = data.draw(st.integers(1, len(capacity)))
    left = float(tasks_left(torch.tensor([capacity], dtype=torch.float64), torch.tensor([[float(count)]])))
    supply = lambda tasks: np.minimum(tasks, capacity).sum()  # noqa: E731
    assert supply(left) >= count * left - 1e-9
    assert supply(left + 1e-3) < count * (left + 1e-3)


def lifetime_parts(exhausted: int) -> dict[str, torch.Tensor]:
    parts = parts_of(sample_instance("paper", 0, (16,)))
    parts["batteries"] = torch.full((16, 30, 2), 0.5)
    parts["agents"][:, :exhausted, 2] = 2.0  # an inference time of twice the limit: it cannot finish
    return parts


@pytest.mark.parametrize("exhausted", [5, 20, 25])
def test_who_cannot_finish_is_selected_last(exhausted: int):
    parts = lifetime_parts(exhausted)
    with torch.no_grad():
        scores = network(batteries=True)(**parts)[:, :30]
    able, unable = scores[:, exhausted:], scores[:, :exhausted]
    assert (able.amin(1) > unable.amax(1)).all()
    assert torch.isfinite(scores).all()


def test_with_nobody_able_everything_stays_finite():
    parts = lifetime_parts(30)
    net, value = network(batteries=True), ValueNetwork(batteries=True)
    (net(**parts).sum() + value(**parts).sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in [*net.parameters(), *value.parameters()] if p.grad is not None)


def test_the_critic_sees_how_many_tasks_are_left():
    parts = lifetime_parts(0)
    torch.manual_seed(0)
    value = ValueNetwork(batteries=True)
    richer = {**parts, "batteries": parts["batteries"] + 0.2}
    assert not torch.allclose(value(**parts), value(**richer))


# --- The loss of the learned optimiser -----------------------------------------------------------------------


@settings(max_examples=50)
@given(st.lists(st.floats(-30, 30), min_size=2, max_size=12), st.data())
def test_soft_threshold_keeps_the_count(scores: list[float], data: st.DataObject):
    count = data.draw(st.integers(1, len(scores) - 1))
    tensor = torch.tensor([scores], dtype=torch.float64)
    soft = torch.sigmoid(tensor - soft_threshold(tensor, count))
    assert float(soft.sum()) == pytest.approx(count, abs=1e-4)


def test_the_gradient_of_the_threshold_is_that_of_its_equation():
    scores = torch.tensor([[0.3, -0.2, 1.1, 0.4]], dtype=torch.float64, requires_grad=True)
    soft_threshold(scores, 2).sum().backward()
    step = 1e-5
    for i in range(4):
        shift = torch.zeros_like(scores)
        shift[0, i] = step
        with torch.no_grad():
            slope = (soft_threshold(scores + shift, 2) - soft_threshold(scores - shift, 2)) / (2 * step)
        assert float(scores.grad[0, i]) == pytest.approx(float(slope), abs=1e-4)


def test_the_energy_term_is_the_excess_over_the_cheapest():
    instances = sample_instance("paper", 0, (8,))
    made = action_format("guided", instances.scenario)
    energy = instances.execution_energy_j
    action = np.zeros((8, *made.space.shape))
    action[:, :30] = np.clip(0.5 - energy / energy.max(1, keepdims=True), -1, 1)  # the cheapest first
    action[:, 60], action[:, 63] = -0.4, 1.0
    terms = losses(torch.tensor(action), instances.to(torch), made, **PRICES)
    assert float(terms["energy"]) == pytest.approx(0.0, abs=1e-12)
    assert float(terms["secrecy"]) == float(terms["latency"]) == 0.0
    accuracy = np.take_along_axis(instances.accuracy, energy.argsort(1)[:, :10], 1).mean(1)
    assert float(terms["accuracy"]) == pytest.approx(np.maximum(20 * (0.704 - accuracy), 0).mean())


def terms_by_hand(instances, decisions) -> dict[str, float]:
    """The terms of the loss as the module's docstring has them, instance by instance, from ``evaluate``."""
    terms = dict.fromkeys(("energy", "accuracy", "secrecy", "latency", "transmission"), 0.0)
    scenario = instances.scenario
    for instance, decision in zip(instances, decisions, strict=True):
        outcome, selection = evaluate(instance, decision), decision.selection
        cheapest = np.sort(instance.execution_energy_j)[: scenario.required_agents].sum()
        terms["energy"] += outcome.execution_energy_j / cheapest - 1
        terms["accuracy"] += 20 * max(scenario.min_accuracy - outcome.mean_accuracy + 0.004, 0)
        (downlink, by_eves), (uplink, from_agents) = downlink_sinr(instance, decision), uplink_sinr(instance, decision)
        links = [(downlink[selection].min(), by_eves), *zip(uplink[selection], from_agents[selection], strict=True)]
        for sinr, heard in links:
            stolen = np.log1p(heard.sum() if scenario.colluding else heard.max()) / max(np.log1p(sinr), 1e-12)
            terms["secrecy"] += max(min(stolen, 4.0) - 0.9, 0)
        terms["latency"] += np.sum(instance.inference_time_s[selection] > scenario.latency_limit_s)
        if np.isfinite(outcome.latency_s):
            terms["latency"] += max(np.log(outcome.latency_s / (0.97 * scenario.latency_limit_s)), 0)
            least = scenario.uplink_bits * np.log(2) * scenario.noise_power_w / scenario.bandwidth_hz
            excess = outcome.transmission_energy_j / np.sum(least / instance.bs_gain[selection])
            terms["transmission"] += outcome.transmission_energy_j / cheapest + 0.002 * np.log10(excess)
    return {name: term / len(instances) for name, term in terms.items()}


@pytest.mark.parametrize(
    "changes", [{}, {"latency_limit_s": 100.0}, {"num_eavesdroppers": 3, "colluding": True, "eve_area_m": (90, 150)}]
)
def test_each_term_of_the_loss_is_what_it_says(changes: dict):
    scenario = Scenario(num_agents=10, num_antennas=8, min_selected=4, min_accuracy=0.75, **changes)
    instances = sample_instance(scenario, 0, (24,))
    made = action_format("guided", scenario)
    action = np.random.default_rng(1).uniform(-1, 1, (24, *made.space.shape))
    action[:12, 10:20] = -1.0  # half of the networks without jammers
    decisions = made.decode(action, instances)
    finite = np.isfinite(evaluate(instances, decisions).latency_s)
    assert 0 < finite.sum() < 24
    terms = losses(torch.tensor(action), instances.to(torch), made, **PRICES)
    expected = terms_by_hand(instances, decisions)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected, rel=1e-9)
    assert all(expected[name] > 1e-6 for name in ("energy", "accuracy", "secrecy", "transmission"))
    assert (expected["latency"] > 1e-6) == ("latency_limit_s" in changes)


@pytest.mark.parametrize("preset", ["paper", "tight-latency", "contested"])
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_finite_where_nothing_is_secret_too(preset: str, seed: int):
    instances = sample_instance(preset, seed, (32,))
    made = action_format("guided", instances.scenario)
    rng = np.random.default_rng(seed)
    leaf = torch.tensor(rng.uniform(-1, 1, (32, *made.space.shape)), requires_grad=True)
    terms = losses(leaf, instances.to(torch), made, **PRICES)
    total = sum(terms.values())
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(leaf.grad).all()
    assert (leaf.grad != 0).any()


def task(**settings: object) -> Task:
    scenario = Scenario.preset("small")
    return Task(algo="l2o", environment="allocation", scenario=scenario, settings=Settings(**settings), seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": "mlp"}, "equivariant"),
        ({"action_format": "flat"}, "guided"),
        ({"arguments": {"batch_size": 0}}, "batch_size must be an integer ≥ 1"),
        ({"arguments": {"price": float("nan")}}, "price must be a finite number > 0"),
    ],
)
def test_l2o_refuses_what_it_cannot_do(change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        L2OLearner(task(**change))


def test_l2o_learns_single_instances_only():
    with pytest.raises(ValueError, match="no environment 'lifetime'"):
        L2OLearner(dataclasses.replace(task(), environment="lifetime"))


def test_the_equivariant_policy_needs_an_actor_critic():
    wrong = dataclasses.replace(task(), algo="sac")
    with pytest.raises(ValueError, match="sac needs policy mlp"):
        learner_class("sac")(wrong, "cpu")


def test_an_unknown_kind_of_noise_is_named():
    wrong = dataclasses.replace(task(arguments={"policy_kwargs": {"log_std": {"scores": -1.0}}}), algo="ppo")
    with pytest.raises(ValueError, match="did you mean 'score'"):
        learner_class("ppo")(wrong, "cpu")


def test_a_policy_that_is_given_more_than_it_reads_is_told():
    """Observations of devices that move hold their motion too, which this policy does not read."""
    import gymnasium

    from training.learn.policy import EquivariantPolicy

    env = gymnasium.make(
        "secagent/Lifetime-v0",
        scenario="small",
        observation_format="compact",
        action_format="guided",
        mobility="gauss-markov",
    )
    shapes = compact_shapes(Scenario.preset("small"), batteries=True)
    with pytest.raises(ValueError, match=r"reads task, agents, eavesdroppers, batteries, 55 numbers.*have 79: where"):
        EquivariantPolicy(env.observation_space, env.action_space, lambda _: 1e-3, shapes=shapes)
