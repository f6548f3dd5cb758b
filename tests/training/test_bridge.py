"""The bridge: roll-outs equal those of Stable-Baselines3's own DummyVecEnv, and everything SB3 asks is answered."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

import secagent_env
from secagent_env.allocation.env import AllocationEnv

pytest.importorskip("stable_baselines3")

from stable_baselines3 import A2C, PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from training.bridge import GymVecEnv

assert secagent_env

Make = Callable[[], gymnasium.Env]


def allocation() -> gymnasium.Env:
    return AllocationEnv("small")


def allocation_dict() -> gymnasium.Env:
    return AllocationEnv("small", observation_format="dict")


def cart_pole() -> gymnasium.Env:
    return gymnasium.make("CartPole-v1", max_episode_steps=12)  # poles fall after 8 steps or more: some are cut


def pendulum() -> gymnasium.Env:
    return gymnasium.make("Pendulum-v1", max_episode_steps=5)


def same_step(make: Make, count: int) -> VectorEnv:
    return SyncVectorEnv([make] * count, autoreset_mode=AutoresetMode.SAME_STEP)


def native(count: int, **options: Any) -> VectorEnv:
    return gymnasium.make_vec("secagent/Allocation-v0", count, vectorization_mode="vector_entry_point", **options)


def assert_same(first: Any, second: Any) -> None:
    if isinstance(first, dict):
        assert set(first) == set(second)
        for name in first:
            assert_same(first[name], second[name])
    else:
        np.testing.assert_array_equal(first, second)
        assert np.asarray(first).dtype == np.asarray(second).dtype


def assert_rolls_as_dummy(env: GymVecEnv, make: Make, steps: int) -> tuple[int, int]:
    """Compare a roll-out with that of DummyVecEnv; return how many episodes ended, and how many were cut."""
    dummy = VecMonitor(DummyVecEnv([make] * env.num_envs))
    dummy.action_space.seed(0)
    env.seed(5)
    dummy.seed(5)
    assert_same(env.reset(), dummy.reset())
    ended = cut = 0
    for _ in range(steps):
        actions = np.array([dummy.action_space.sample() for _ in range(env.num_envs)])
        (observations, rewards, dones, infos), (wanted, wanted_rewards, wanted_dones, wanted_infos) = (
            env.step(actions),
            dummy.step(actions),
        )
        assert_same(observations, wanted)
        assert_same(rewards, wanted_rewards)
        assert_same(dones, wanted_dones)
        for i in range(env.num_envs):
            assert infos[i]["TimeLimit.truncated"] is bool(wanted_infos[i]["TimeLimit.truncated"])
            assert ("terminal_observation" in infos[i]) == ("episode" in infos[i]) == bool(dones[i])
            if dones[i]:
                ended += 1
                cut += infos[i]["TimeLimit.truncated"]
                assert_same(infos[i]["terminal_observation"], wanted_infos[i]["terminal_observation"])
                assert infos[i]["episode"]["r"] == pytest.approx(wanted_infos[i]["episode"]["r"], rel=1e-5)
                assert infos[i]["episode"]["l"] == wanted_infos[i]["episode"]["l"]
                assert infos[i]["episode"]["t"] >= 0
    return ended, cut


def test_one_step_episodes_roll_as_in_dummy_vec_env():
    assert assert_rolls_as_dummy(GymVecEnv(same_step(allocation, 3)), allocation, 4) == (12, 0)


def test_the_native_environment_rolls_as_scalar_ones_in_dummy_vec_env():
    assert assert_rolls_as_dummy(GymVecEnv(native(3, scenario="small")), allocation, 4) == (12, 0)


@pytest.mark.parametrize(
    "envs",
    [lambda: same_step(allocation_dict, 2), lambda: native(2, scenario="small", observation_format="dict")],
    ids=["scalar", "native"],
)
def test_dict_observations_roll_as_in_dummy_vec_env(envs: Callable[[], VectorEnv]):
    assert assert_rolls_as_dummy(GymVecEnv(envs()), allocation_dict, 3) == (6, 0)


def test_longer_episodes_roll_as_in_dummy_vec_env():
    ended, cut = assert_rolls_as_dummy(GymVecEnv(same_step(cart_pole, 4)), cart_pole, 100)
    assert 0 < cut < ended


def test_cut_episodes_roll_as_in_dummy_vec_env():
    assert assert_rolls_as_dummy(GymVecEnv(same_step(pendulum, 2)), pendulum, 10) == (4, 4)


def test_a_second_reset_needs_no_seed_and_begins_episodes_anew():
    env = GymVecEnv(same_step(pendulum, 2))
    env.seed(1)
    first = env.reset()
    env.step(np.zeros((2, 1), np.float32))
    assert not np.array_equal(first, env.reset())  # seeds hold for one reset
    infos = [env.step(np.zeros((2, 1), np.float32))[3] for _ in range(5)][-1]
    assert [info["episode"]["l"] for info in infos] == [5, 5]
    env.seed(1)
    np.testing.assert_array_equal(env.reset(), first)


def test_rewards_and_observations_belong_to_the_caller():
    env = GymVecEnv(native(2, scenario="small"))
    env.seed(0)
    observations = env.reset()
    before = observations.copy()
    actions = np.zeros((2, *env.action_space.shape), np.float32)
    rewards = env.step(actions)[1]
    kept = rewards.copy()
    env.step(-actions)
    np.testing.assert_array_equal(observations, before)
    np.testing.assert_array_equal(rewards, kept)


def test_infos_hold_what_is_asked_for():
    keys = ["energy_j", "feasible", "violations"]
    env, dummy = GymVecEnv(native(2, scenario="small"), info_keys=keys), DummyVecEnv([allocation] * 2)
    for each in (env, dummy):
        each.seed(3)
        each.reset()
    actions = np.full((2, *env.action_space.shape), 0.3, np.float32)
    for info, wanted in zip(env.step(actions)[3], dummy.step(actions)[3], strict=True):
        assert set(info) == {"TimeLimit.truncated", "terminal_observation", "episode", *keys}
        assert {name: info[name] for name in keys[:3]} == {name: wanted[name] for name in keys[:3]}


def test_names_that_no_info_has_are_refused_when_an_episode_ends():
    env = GymVecEnv(native(2, scenario="small"), info_keys=["energy", "feasible"])
    env.reset()
    with pytest.raises(ValueError, match="unknown name in info_keys 'energy'; did you mean 'energy_j'"):
        env.step(np.zeros((2, *env.action_space.shape), np.float32))
    longer = GymVecEnv(same_step(pendulum, 2), info_keys=["lenght"])
    longer.reset()

    def play() -> None:
        for _ in range(1000):
            longer.step(np.zeros((2, 1), np.float32))

    with pytest.raises(ValueError, match="unknown name in info_keys 'lenght'"):
        play()


def test_rewards_are_scaled_and_returns_are_not():
    scaled, plain = (GymVecEnv(native(2, scenario="small"), reward_scale=scale) for scale in (0.25, 1.0))
    for env in (scaled, plain):
        env.seed(3)
        env.reset()
    actions = np.full((2, *plain.action_space.shape), 0.3, np.float32)
    _, rewards, _, infos = scaled.step(actions)
    _, wanted, _, _ = plain.step(actions)
    assert rewards.dtype == np.float32
    np.testing.assert_allclose(rewards, wanted / 4, rtol=1e-6)
    np.testing.assert_allclose([info["episode"]["r"] for info in infos], wanted, rtol=1e-6)


class Noted(gymnasium.Wrapper):
    """Says how often it was reset, and how many steps it took since."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.resets = self.count = 0

    def reset(self, **options: Any) -> tuple[Any, dict]:
        self.resets, self.count = self.resets + 1, 0
        observation, info = self.env.reset(**options)
        return observation, info | {"resets": self.resets}

    def step(self, action: Any) -> tuple:
        self.count += 1
        *rest, info = self.env.step(action)
        return *rest, info | {"count": self.count}


def test_reset_infos_are_those_of_the_last_reset_and_step_infos_those_of_the_step():
    env = GymVecEnv(same_step(lambda: Noted(pendulum()), 2), info_keys=["count"])
    env.reset()
    assert env.reset_infos == [{"resets": 1}] * 2
    infos = [env.step(np.zeros((2, 1), np.float32))[3] for _ in range(6)]
    assert env.reset_infos == [{"resets": 2}] * 2
    assert [info[0]["count"] for info in infos] == [1, 2, 3, 4, 5, 1]


def test_options_reach_the_environments():
    instance = secagent_env.sample_instance("small", 7)
    env = GymVecEnv(native(2, scenario="small"))
    env.set_options({"instance": instance})
    observations = env.reset()
    np.testing.assert_array_equal(observations[0], observations[1])
    assert not np.array_equal(*env.reset())  # options hold for one reset
    env.set_options([{"instance": instance}] * 2)
    np.testing.assert_array_equal(env.reset(), observations)
    with pytest.raises(ValueError, match="the same for all environments"):
        env.set_options([{"instance": instance}, {}])
    env.set_options(None)
    env.reset()


def test_attributes_and_methods_of_scalar_environments():
    env = GymVecEnv(same_step(cart_pole, 3))
    assert env.get_attr("gravity") == [9.8] * 3
    env.set_attr("gravity", 1.6, indices=[0, 2])
    assert env.get_attr("gravity", indices=1) == [9.8]
    assert env.get_attr("gravity") == [1.6, 9.8, 1.6]
    assert env.has_attr("gravity")
    assert not env.has_attr("levity")
    env.reset()
    pushed = env.env_method("step", 1, indices=0)
    assert len(pushed) == 1
    assert pushed[0][1] == 1.0
    assert env.env_is_wrapped(gymnasium.wrappers.TimeLimit) == [True] * 3
    assert env.env_is_wrapped(gymnasium.wrappers.ClipAction, indices=[0]) == [False]
    env.close()


def test_attributes_and_methods_of_one_object_for_all():
    env = GymVecEnv(native(3, scenario="small", render_mode="ansi"))
    env.reset()
    assert env.render_mode == "ansi"
    assert [scenario.num_agents for scenario in env.get_attr("scenario", indices=[0, 1])] == [6, 6]
    texts = env.env_method("render")
    assert len(set(texts)) == 3  # one for each
    assert env.env_method("render", indices=1) == [texts[1]]
    assert env.env_method("reset", seed=1, indices=[0, 2])[0][1] == {}  # everybody's answer
    env.set_attr("note", "all of them")
    assert env.get_attr("note") == ["all of them"] * 3
    with pytest.raises(ValueError, match="set note for all of them"):
        env.set_attr("note", "one", indices=1)
    with pytest.raises(AttributeError):
        env.get_attr("levity")
    assert env.env_is_wrapped(gymnasium.wrappers.TimeLimit) == [False] * 3


def test_pictures_are_tiled():
    env = GymVecEnv(native(2, scenario="small", render_mode="rgb_array"))
    env.reset()
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape[0] * picture.shape[1] >= 2 * env.get_images()[0].shape[0] * env.get_images()[0].shape[1]


def test_another_autoreset_mode_is_refused():
    with pytest.raises(ValueError, match=r"needs a vector environment with AutoresetMode\.SAME_STEP, got .*NEXT_STEP"):
        GymVecEnv(SyncVectorEnv([allocation]))


@pytest.mark.parametrize(
    "envs", [lambda: native(4, scenario="small"), lambda: same_step(allocation, 4)], ids=["native", "scalar"]
)
def test_stable_baselines3_learns_and_evaluates_on_it(envs: Callable[[], VectorEnv]):
    env = GymVecEnv(envs())
    model = PPO("MlpPolicy", env, n_steps=4, batch_size=8, n_epochs=1, seed=0, device="cpu")
    model.learn(32)
    assert {info["l"] for info in model.ep_info_buffer} == {1}
    mean, _ = evaluate_policy(model, env, n_eval_episodes=4)  # warns unless the environment is monitored
    assert mean < 0


def test_wrappers_of_stable_baselines3_go_around_it():
    env = VecNormalize(GymVecEnv(same_step(pendulum, 2)))
    A2C("MlpPolicy", env, n_steps=6, seed=0, device="cpu").learn(24)
    assert env.obs_rms.count > 20
