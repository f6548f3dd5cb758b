"""PPO-Lagrangian: its multipliers, its advantages and costs, and what it learns."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.logger import Logger

from secagent_env import Scenario, evaluate
from secagent_env.model.outcome import constraint_bounds
from training.learn.checkpoint import Checkpoint
from training.learn.lagrangian import CostRolloutBuffer, CostVecEnv, LagrangianLearner, Multipliers, combined
from training.learn.learner import Task
from training.learn.settings import Settings
from training.learn.train import train

TINY = Scenario(num_agents=4, num_antennas=4, min_accuracy=0.5)
ARGUMENTS = {
    "n_steps": 2,
    "batch_size": 32,
    "n_epochs": 2,
    "learning_rate": 1e-3,
    "cost_limit": 0.05,
    "kp": 1.0,
    "ki": 0.5,
    "kd": 0.5,
}
NETWORKS = {"mlp": {"net_arch": [16]}, "equivariant": {"width": 8, "critic_width": 4, "critic_rounds": 0}}


def task(policy: str = "mlp", *, scenario: Scenario = TINY, environment: str = "allocation", **fields) -> Task:
    arguments = ARGUMENTS | {"policy_kwargs": NETWORKS[policy]} | fields.pop("arguments", {})
    sizes = {"num_envs": 16, "segment_steps": 256, "steps": 768}
    settings = Settings(**{**sizes, **fields}, policy=policy, arguments=arguments)
    return Task(algo="ppo-lagrangian", environment=environment, scenario=scenario, settings=settings, seed=0)


# --- Multipliers ----------------------------------------------------------------------------------------------


def multipliers(**gains: float) -> Multipliers:
    given = {"start": 1.0, "limit": 0.1, "kp": 0.0, "ki": 0.0, "kd": 0.0} | gains
    return Multipliers(**{name: torch.tensor([value, value]) for name, value in given.items()})


def test_the_update_of_the_multipliers_by_hand():
    pid = multipliers(kp=2.0, ki=3.0, kd=5.0)
    pid.update(torch.tensor([0.3, 0.0]))  # Δ = 0.2, −0.1; I = 1.6, 0.7; nothing has risen yet
    torch.testing.assert_close(pid.value, torch.tensor([0.4 + 1.6, -0.2 + 0.7]))
    pid.update(torch.tensor([0.2, 0.4]))  # Δ = 0.1, 0.3; I = 1.9, 1.6; the second has risen by 0.4
    torch.testing.assert_close(pid.value, torch.tensor([0.2 + 1.9, 0.6 + 1.6 + 5 * 0.4]))


@pytest.mark.parametrize("gain", ["kp", "ki"])
def test_a_multiplier_rises_while_its_constraint_is_violated_and_falls_to_zero_when_it_holds(gain: str):
    pid = multipliers(**{gain: 1.0}, start=0.0)
    values = []
    for cost in (0.3, 0.4, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0):
        pid.update(torch.tensor([cost, 0.1]))
        values.append(pid.value[0].item())
    assert 0 < values[0] < values[1]
    assert values[1] > values[2]
    assert values[-1] == 0
    assert pid.value[1] == 0  # exactly at its limit
    pid.update(torch.tensor([0.3, 0.1]))
    assert pid.value[0] == pytest.approx(0.2)  # and it rises at once: nothing was wound up below zero


def test_the_advantage_of_the_lagrangian_by_hand():
    advantages = np.array([[1.0, 0.5, -2.0], [-1.0, 1.0, 0.0]])
    np.testing.assert_allclose(combined(advantages, np.array([2.0, 1.0])), [(1 - 1 + 2) / 4, (-1 - 2) / 4])
    np.testing.assert_array_equal(combined(advantages, np.zeros(2)), advantages[:, 0])


# --- Roll-outs ------------------------------------------------------------------------------------------------


def test_every_column_of_a_roll_out_has_its_own_advantages():
    """Two steps in two environments; in the first the episode ends between them."""
    buffer = CostRolloutBuffer(2, Box(-1, 1, (1,)), Box(-1, 1, (1,)), "cpu", 0.5, 0.8, n_envs=2, costs=1)
    rewards = np.array([[[1, 0], [2, 1]], [[3, 1], [4, 0]]], np.float32)
    values = torch.tensor([[[0.5, 0.1], [0.5, 0.2]], [[1.0, 0.3], [1.0, 0.4]]])
    starts = np.array([[1, 1], [1, 0]], np.float32)
    for step in range(2):
        buffer.add(np.zeros((2, 1)), np.zeros((2, 1)), rewards[step], starts[step], values[step], torch.zeros(2))
    buffer.compute_returns_and_advantage(torch.tensor([[10.0, 5.0], [20.0, 6.0]]), np.array([False, True]))
    last = np.array([[3 + 0.8 * 10 - 1, 1 + 0.8 * 5 - 0.3], [4 - 1, 0 - 0.4]])
    first = np.array(
        [[1 - 0.5, 0 - 0.1], [2 + 0.8 * 1 - 0.5 + 0.4 * last[1, 0], 1 + 0.8 * 0.4 - 0.2 + 0.4 * last[1, 1]]]
    )
    np.testing.assert_allclose(buffer.advantages, [first, last], rtol=1e-6)
    np.testing.assert_allclose(buffer.returns, np.array([first, last]) + values.numpy(), rtol=1e-6, atol=1e-6)


def test_one_column_has_the_advantages_of_stable_baselines3():
    rng = np.random.default_rng(0)
    spaces = (Box(-1, 1, (1,)), Box(-1, 1, (1,)), "cpu", 0.9, 0.95)
    ours, theirs = CostRolloutBuffer(5, *spaces, n_envs=3, costs=1), RolloutBuffer(5, *spaces, n_envs=3)
    for _ in range(5):
        rewards, starts = rng.normal(size=(3, 2)).astype(np.float32), (rng.random(3) < 0.3).astype(np.float32)
        values = torch.from_numpy(rng.normal(size=(3, 2)).astype(np.float32))
        nothing = np.zeros((3, 1)), np.zeros((3, 1))
        ours.add(*nothing, rewards, starts, values, torch.zeros(3))
        theirs.add(*nothing, rewards[:, 1], starts, values[:, 1], torch.zeros(3))
    last, dones = torch.from_numpy(rng.normal(size=(3, 2)).astype(np.float32)), np.array([True, False, False])
    ours.compute_returns_and_advantage(last, dones)
    theirs.compute_returns_and_advantage(last[:, 1], dones)
    np.testing.assert_allclose(ours.advantages[..., 1], theirs.advantages, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.returns[..., 1], theirs.returns, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("further", [(), (TINY.replace(min_accuracy=0.75, latency_limit_s=150.0),)])
def test_the_reward_is_minus_the_energy_and_each_violation_costs_one_and_its_share(further: tuple[Scenario, ...]):
    learner = LagrangianLearner(dataclasses.replace(task(scenario=TINY.replace(min_accuracy=0.7)), mixed_with=further))
    env = learner._env
    env.seed(1)
    env.reset()
    parts = getattr(env.venv.envs, "_parts", (env.venv.envs,))
    instances, rules = [part.instance for part in parts], [part._rules for part in parts]
    actions = np.random.default_rng(0).uniform(-1, 1, (16, *env.action_space.shape)).astype(np.float32)
    _, rewards, _, _ = env.step(actions)
    assert rewards.shape == (16, 6)
    assert env.constraints == ("beam_power_w", "selected", "accuracy", "latency_s", "agent_power_w")
    for i in range(16):
        part, row = i % len(parts), i // len(parts)
        instance = instances[part][row]
        outcome = evaluate(instance, rules[part].actions.decode(actions[i], instance))
        shares = {
            name: outcome.violations[name] / bound for name, bound in constraint_bounds(instance.scenario).items()
        }
        costs = [1 + min(shares[name], 1) if outcome.violated[name] else 0 for name in env.constraints]
        np.testing.assert_allclose(rewards[i, 1:], costs, rtol=1e-5)
        if not outcome.violated["latency_s"]:  # else each transmission counts until the deadline
            assert rewards[i, 0] == pytest.approx(-outcome.energy_j / rules[part].reference_j, rel=1e-5)
    assert (rewards[:, 3] == 0).any()
    assert ((rewards[:, 3:5] > 1) & (rewards[:, 3:5] < 2)).any()
    assert not further or (rewards[:, 4] == 2).any()
    learner.close()


def test_what_rounding_leaves_is_no_violation():
    """A time of 0.5 µs beyond the limit is one of 100 s, and none of 1000 s: environments have these limits in turn."""
    scenarios = [TINY.replace(latency_limit_s=limit) for limit in (100.0, 1000.0)]
    learner = LagrangianLearner(task(num_envs=2))
    env = CostVecEnv(learner._env.venv, scenarios)
    excess = dict.fromkeys(env.constraints, 0.0) | {"latency_s": 5e-7}
    env.venv.step_wait = lambda: (None, np.array([-2.0, -3.0]), None, [{"violations": excess}] * 2)
    _, rewards, _, _ = env.step_wait()
    np.testing.assert_allclose(rewards, [[-2, 0, 0, 0, 1, 0], [-3, 0, 0, 0, 0, 0]], rtol=1e-6)
    learner.close()


# --- Training -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["mlp", "equivariant"])
def test_the_state_holds_the_multipliers(policy: str):
    first, second = LagrangianLearner(task(policy)), LagrangianLearner(task(policy))
    first.model.multipliers.update(torch.tensor([0.0, 0.0, 0.4, 0.9, 0.0]))
    second.load_state(first.state())
    for name in ("value", "integral", "last"):
        torch.testing.assert_close(getattr(second.model.multipliers, name), getattr(first.model.multipliers, name))
    assert second.model.multipliers.value[3] > 1
    first.close()
    second.close()


@pytest.mark.parametrize("policy", ["mlp", "equivariant"])
def test_multipliers_and_costs_are_logged(policy: str, tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(task(policy, steps=256), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    saved = Checkpoint.load(tmp_path / "checkpoint").state.tensors["multipliers"]
    for k, name in enumerate(constraint_bounds(TINY)):
        assert events.Scalars(f"train/multiplier_{name}")[-1].value == pytest.approx(saved["value"][k].item())
        assert events.Scalars(f"rollout/cost_{name}")[-1].value == pytest.approx(saved["last"][k].item())
    assert saved["value"][1] < 1  # nobody can select too few in the guided format


def test_the_policy_is_updated_by_the_advantages_of_the_lagrangian(monkeypatch: pytest.MonkeyPatch):
    learner = LagrangianLearner(task())
    estimate, estimated, used = CostRolloutBuffer.compute_returns_and_advantage, [], []

    def spy(buffer: CostRolloutBuffer, **arguments: object) -> None:
        estimate(buffer, **arguments)
        estimated.append((buffer.advantages.copy(), buffer.rewards[..., 1:].mean((0, 1))))

    monkeypatch.setattr(CostRolloutBuffer, "compute_returns_and_advantage", spy)
    monkeypatch.setattr(PPO, "train", lambda model: used.append(model.rollout_buffer.advantages.copy()))
    learner.learn(1, 64, Logger(None, []), lambda steps: None)
    integral, last = np.ones(5), np.full(5, np.inf)
    assert len(used) == 2
    for (advantages, costs), found in zip(estimated, used, strict=True):
        integral = np.maximum(integral + 0.5 * (costs - 0.05), 0)
        multipliers = np.maximum(costs - 0.05 + integral + 0.5 * np.maximum(costs - last, 0), 0)
        last = costs
        np.testing.assert_allclose(found, combined(advantages, multipliers), rtol=1e-4, atol=1e-6)
    learner.close()


def test_it_learns_to_keep_the_constraints(tmp_path: Path):
    """Without penalties, from a policy that is infeasible in two of five networks, and costs twice the bound."""
    arguments = {
        "batch_size": 128,
        "n_epochs": 4,
        "learning_rate": {"start": 3e-3, "end": 0.0},
        "policy_kwargs": {"net_arch": [64, 64], "log_std_init": -1.0},
    }
    scenario = Scenario.preset("small", min_accuracy=0.72)
    learning = task(scenario=scenario, arguments=arguments, num_envs=512, steps=10_240, segment_steps=10_240)
    train(learning, tmp_path)
    untrained, trained = map(json.loads, (tmp_path / "evaluations.jsonl").read_text().splitlines())
    assert trained["feasible"] > untrained["feasible"] + 0.03
    assert trained["gap"] < 0.5 * untrained["gap"]


# --- What it refuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"environment": "lifetime"}, "it has no environment 'lifetime'; train ppo there"),
        ({"environment_options": {"penalty_fixed": 1.0}}, "leave penalty_fixed out of environment_options"),
        (
            {"arguments": {"cost_limit": {"latency": 0.1}}},
            "constraint in cost_limit 'latency'; did you mean 'latency_s'",
        ),
        ({"arguments": {"ki": -1.0}}, "ki of beam_power_w must be a finite number ≥ 0"),
        ({"arguments": {"clip_range_v": 0.1}}, "refuses its hyperparameters"),
    ],
)
def test_what_it_cannot_do_is_refused_in_one_sentence(fields: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        LagrangianLearner(task(**fields))


def test_a_gain_by_constraint_leaves_the_others_at_zero():
    learner = LagrangianLearner(task(arguments={"ki": {"accuracy": 2.0}}))
    assert learner.model.multipliers.ki.tolist() == [0, 0, 2, 0, 0]
    assert learner.model.multipliers.limit.tolist() == pytest.approx([0.05] * 5)
    assert {"n_epochs", "cost_limit", "kd"} <= LagrangianLearner.arguments("ppo-lagrangian")
    learner.close()
