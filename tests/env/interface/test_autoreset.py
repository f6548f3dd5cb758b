"""What happens where an episode ends: the modes of Gymnasium, and what pictures show then."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from vector_conformance import check_autoreset

from secagent_env import Scenario
from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.vector import AllocationVectorEnv
from secagent_env.lifetime.env import LifetimeEnv
from secagent_env.lifetime.vector import LifetimeVectorEnv
from secagent_env.power_control.env import PowerControlEnv
from secagent_env.power_control.vector import PowerControlVectorEnv

FORMATS = ("observation_format", "action_format")
CONTESTED = Scenario.preset("contested", num_agents=6, min_selected=2)


@pytest.mark.parametrize(
    ("one", "many", "arguments"),
    [
        (AllocationEnv, AllocationVectorEnv, {"scenario": "small"}),
        (AllocationEnv, AllocationVectorEnv, {"scenario": "small", "episodes_per_instance": 3}),
        (AllocationEnv, AllocationVectorEnv, {"scenario": CONTESTED, "csi_error": 0.1, "episodes_per_instance": 2}),
        (
            AllocationEnv,
            AllocationVectorEnv,
            {"scenario": "small", "observation_format": "dict", "action_format": "dict"},
        ),
        (LifetimeEnv, LifetimeVectorEnv, {"scenario": "small", "action_format": "guided", "max_failures": 3}),
        (PowerControlEnv, PowerControlVectorEnv, {"rounds": 3}),
    ],
    ids=["allocation", "kept", "estimates", "dicts", "lifetime", "power control"],
)
def test_every_mode_is_that_of_the_synchronous_environment(one, many, arguments):
    check_autoreset(lambda size, mode: many(size, autoreset_mode=mode, **arguments), lambda: one(**arguments), steps=24)


@pytest.mark.parametrize("task", ["Allocation", "Lifetime", "PowerControl"])
def test_modes_can_be_given_to_make_vec_by_value(task: str):
    for mode in AutoresetMode:
        envs = gymnasium.make_vec(
            f"secagent/{task}-v0", 2, vectorization_mode="vector_entry_point", autoreset_mode=mode.value
        )
        assert envs.metadata["autoreset_mode"] is mode
        assert envs.unwrapped.autoreset_mode is mode
    with pytest.raises(ValueError, match="unknown autoreset_mode 'NextSte'; did you mean 'NextStep'"):
        AllocationVectorEnv(2, "small", autoreset_mode="NextSte")


@pytest.mark.parametrize("mode", AutoresetMode)
def test_pictures_show_the_decisions_of_the_episodes_that_ended(mode: AutoresetMode):
    envs = AllocationVectorEnv(2, "small", render_mode="ansi", autoreset_mode=mode)
    ones = [AllocationEnv("small", render_mode="ansi") for _ in range(2)]
    envs.reset(seed=4)
    for i, env in enumerate(ones):
        env.reset(seed=4 + i)
    assert envs.render() == tuple(env.render() for env in ones)
    envs.action_space.seed(0)
    actions = envs.action_space.sample()
    envs.step(actions)
    for env, action in zip(ones, actions, strict=True):
        env.step(action)
    assert envs.render() == tuple(env.render() for env in ones)
    # The next episode of the second alone.
    mask = np.array([False, True])
    envs.reset(options={"reset_mask": mask})
    if mode is not AutoresetMode.SAME_STEP:
        ones[1].reset()
        assert envs.render() == tuple(env.render() for env in ones)
    else:  # its third episode
        assert envs.render()[0] == ones[0].render()


def test_no_mode_keeps_pictures_where_there_are_none():
    envs = AllocationVectorEnv(2, "small")
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    assert envs._shown == [None, None]


def test_attributes_and_methods_of_each_environment():
    envs = AllocationVectorEnv(3, "small", render_mode="ansi")
    envs.reset(seed=1)
    instances = envs.get_attr("instance")
    assert [type(each).__name__ for each in instances] == ["Instance"] * 3
    np.testing.assert_array_equal(instances[2].channel_bs, envs.instance.channel_bs[2])
    assert envs.get_attr("reference_energy_j") == (envs.reference_energy_j,) * 3
    assert envs.call("np_random_seed") == (1, 2, 3)
    assert envs.call("render") == envs.render()
    decided = envs.call("decode", envs.action_space.sample())
    assert [decision.selection.shape for decision in decided] == [(6,)] * 3
    with pytest.raises(
        AttributeError, match="render_mode cannot be set: the environments of AllocationVectorEnv are one"
    ):
        envs.set_attr("render_mode", "ansi")
    with pytest.raises(AttributeError, match="no_such_thing"):
        envs.get_attr("no_such_thing")
