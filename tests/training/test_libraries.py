"""What the table of libraries says of TorchRL, SuperSuit and RL Baselines3 Zoo; the page's blocks are run elsewhere."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import training
from secagent_env.power_control import parallel_env

ZOO = Path(training.__file__).parent / "hyperparameters" / "rl-zoo3" / "ppo.yml"


@pytest.mark.parametrize("formats", ["flat", "dict", "guided", "selection"])
@pytest.mark.filterwarnings("ignore")
def test_torchrl_takes_every_format(formats: str):
    envs = pytest.importorskip("torchrl.envs")
    seen = {"guided": "compact", "selection": "pairwise"}.get(formats, formats)
    made = envs.GymEnv("secagent/Allocation-v0", scenario="small", action_format=formats, observation_format=seen)
    envs.check_env_specs(made)
    assert made.rollout(3)["next", "terminated"].all()  # a task is one step


@pytest.mark.filterwarnings("ignore")
def test_torchrl_takes_vector_environments_and_lifetimes():
    envs = pytest.importorskip("torchrl.envs")
    many = envs.GymWrapper(gymnasium.make_vec("secagent/AllocationGuided-v0", num_envs=4, scenario="small"))
    envs.check_env_specs(many)
    rollout = many.rollout(5, break_when_any_done=False)
    assert rollout["next", "reward"].shape == (4, 5, 1)
    assert rollout["next", "done"].all()
    life = envs.GymEnv("secagent/LifetimeGuided-v0", scenario="small")
    envs.check_env_specs(life)
    assert life.rollout(4)["next", "reward"].shape == (4, 1)


def test_supersuit_does_not_take_observations_that_name_the_other_agents():
    supersuit = pytest.importorskip("supersuit")
    with pytest.raises(AssertionError, match="observation spaces not consistent"):
        supersuit.pettingzoo_env_to_vec_env_v1(parallel_env(num_pairs=3))


def test_the_file_of_the_zoo_is_one_of_stable_baselines3():
    """What it says of both ids makes a PPO that runs."""
    yaml, sb3 = pytest.importorskip("yaml"), pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_util import make_vec_env

    settings: dict[str, Any] = yaml.safe_load(ZOO.read_text())
    assert set(settings) == {name for name in gymnasium.registry if name.startswith("secagent/") and "Guided" in name}
    for name, own in settings.items():
        assert name in gymnasium.registry
        options = {key: own[key] for key in ("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda")}
        options["policy_kwargs"] = eval(own["policy_kwargs"])  # as the zoo reads it
        kind, _, rate = own["learning_rate"].partition("_")
        assert kind == "lin"
        envs = make_vec_env(name, own["n_envs"], env_kwargs={"scenario": "small"})
        model = sb3.PPO(own["policy"], envs, learning_rate=float(rate), device="cpu", **options)
        model.learn(options["n_steps"] * own["n_envs"])
        assert model.policy.log_std.detach().numpy() == pytest.approx(-1, abs=0.1)
        assert float(own["n_timesteps"]) == 2e6


def test_newer_loops_of_cleanrl_skip_a_step():
    envs = gymnasium.make_vec("secagent/AllocationGuided-v0", num_envs=3, scenario="small", autoreset_mode="NextStep")
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    envs.reset(seed=0)
    actions = np.zeros(envs.action_space.shape, np.float32)
    assert envs.step(actions)[2].all()
    _, rewards, terminated, _, _ = envs.step(actions)
    assert not terminated.any()
    assert (rewards == 0).all()
