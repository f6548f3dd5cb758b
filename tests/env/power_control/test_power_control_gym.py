"""``secagent/PowerControl-v0``: the checkers, its numbers by hand, and the vector environment bit for bit."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from vector_conformance import check_vector_env

from secagent_env.power_control import Game, is_feasible, least_powers, sample_game

ID = "secagent_env:secagent/PowerControl-v0"
BY_HAND = Game(gain=[[2.0, 0.5], [1.0, 1.0]], target_rate=[1.0, 0.5], initial_power_w=[3.0, 2.0])


def make(**arguments):
    return gymnasium.make(ID, **arguments)


def vector(size, **arguments):
    return gymnasium.make_vec(ID, num_envs=size, vectorization_mode="vector_entry_point", **arguments)


def started(**arguments):
    env = make(num_pairs=2, **arguments)
    env.reset(seed=0, options={"game": BY_HAND})
    return env


# --- Checkers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [None, "rgb_array", "ansi", pytest.param("human", marks=pytest.mark.slow)])
def test_gymnasium_checks_it(mode):
    if mode in ("rgb_array", "human"):
        pytest.importorskip("matplotlib")
    env = make(rounds=3, render_mode=mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=mode is None)
    env.close()


def test_stable_baselines_checks_it():
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(make(rounds=3).unwrapped)


@pytest.mark.parametrize(
    "arguments",
    [
        {"rounds": 3},
        {"num_pairs": 2, "rounds": 1, "feasible": False, "metric": "fairness"},
        {"num_pairs": 9, "rounds": 4, "feasible": True, "metric": "rate_gap_and_power"},
    ],
)
def test_the_vector_environment_conforms(arguments):
    check_vector_env(lambda size: vector(size, **arguments).unwrapped, lambda: make(**arguments).unwrapped)


def test_episodes_are_truncated_as_by_a_time_limit():
    check_vector_env(
        lambda size: vector(size, rounds=5, max_episode_steps=3).unwrapped,
        lambda: gymnasium.wrappers.TimeLimit(make(rounds=5).unwrapped, 3),
    )


# --- By hand ------------------------------------------------------------------------------------------------


def test_a_round_by_hand():
    env = started(rounds=2, metric="power")
    observation, reward, terminated, truncated, info = env.step(np.array([-0.8, -0.2]))  # 1 and 4 W
    rate = [np.log2(1 + 2 / 5), np.log2(1 + 4 / 1.5)]
    assert info["power_w"].tolist() == pytest.approx([1.0, 4.0])
    assert info["rate"].tolist() == pytest.approx(rate)
    assert info["total_power_w"] == pytest.approx(5.0)
    assert info["rate_gap"] == pytest.approx((1 - rate[0] + rate[1] - 0.5) / 2)
    gains = [np.log2(3), np.log2(1.5), 1.0, 1.0]
    assert observation.tolist() == pytest.approx([0.1, 0.4, *rate, 1.0, 0.5, *gains, 0.5], rel=1e-6)
    assert (reward, terminated, truncated) == (pytest.approx(-5.0), False, False)
    assert env.step(np.zeros(2))[2]
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(2))


def test_observations_are_clipped():
    env = make(num_pairs=2)
    loud = Game(gain=[[1e9, 0.0], [0.0, 1.0]], target_rate=[20.0, 1.0], initial_power_w=[1.0, 1.0])
    observation, _ = env.reset(options={"game": loud})
    assert env.observation_space.contains(observation)
    assert observation[[2, 4, 6]].tolist() == [10.0, 10.0, 10.0]


def test_actions_are_powers():
    env = started().unwrapped
    assert env.decode([-1.0, 1.0]).tolist() == [0.0, 10.0]
    assert env.decode([-7.0, 7.0]).tolist() == [0.0, 10.0]
    power = np.array([0.3, 7.7])
    assert env.decode(env.encode(power)) == pytest.approx(power, rel=1e-6)
    assert env.action_space.contains(env.encode(power))


def test_the_least_powers_leave_no_gap():
    env = make(num_pairs=4, feasible=True)
    env.reset(seed=5)
    assert is_feasible(env.unwrapped.game)
    action = env.unwrapped.encode(least_powers(env.unwrapped.game))
    assert env.step(action)[1] == pytest.approx(0.0, abs=1e-6)


def test_many_games_at_once_are_given():
    envs = vector(3, num_pairs=2)
    games = sample_game(2, 1, (3,))
    envs.reset(seed=0, options={"game": games})
    assert np.array_equal(envs.unwrapped.game.gain, games.gain)
    mask = np.array([False, True, False])
    envs.reset(options={"game": BY_HAND, "reset_mask": mask})
    assert np.array_equal(envs.unwrapped.game.gain[mask][0], BY_HAND.gain)
    assert np.array_equal(envs.unwrapped.game.gain[~mask], games.gain[~mask])
    with pytest.raises(ValueError, match=r"a batch \(3,\) or a single one"):
        envs.reset(options={"game": sample_game(2, 1, (4,))})


def test_the_text_and_the_picture():
    pytest.importorskip("matplotlib")
    env = started(render_mode="ansi")
    env.step(env.unwrapped.encode([9.0, 2.0]))
    assert env.render().splitlines()[1] == "2 pairs, at most 10 W each"
    assert env.unwrapped.record.power_w == pytest.approx(np.array([[3.0, 2.0], [9.0, 2.0]]), rel=1e-6)
    env = started(render_mode="rgb_array")
    assert env.render().shape == (700, 1100, 3)


# --- Faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [[0.0, np.nan], [0.0, np.inf], [0.0], [[0.0, 0.0]], 0.0, "loud", None, [[0.0], 1]])
def test_bad_actions_change_nothing(action):
    env = started().unwrapped
    with pytest.raises(ValueError, match="action must"):
        env.step(action)
    assert len(env.record.power_w) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"game": 5}, "must be of type Game"),
        ({"game": sample_game(3)}, "num_pairs = 2"),
        ({"gmae": BY_HAND}, "did you mean 'game'"),
    ],
)
def test_bad_options(options, message):
    for env in (make(num_pairs=2), vector(2, num_pairs=2)):
        with pytest.raises(ValueError, match=message):
            env.reset(seed=0, options=options)


def test_before_the_first_reset():
    env = make().unwrapped
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(4))
    with pytest.raises(gymnasium.error.ResetNeeded):
        _ = env.game
    with pytest.raises(gymnasium.error.ResetNeeded):
        vector(2).reset(options={"reset_mask": np.array([True, False])})
