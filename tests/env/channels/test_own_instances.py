"""Environments on instances of one's own: every episode is on one of them, scalar and vector alike."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import secagent_env
from secagent_env import Instance, Scenario, sample_instance

ALLOCATION, LIFETIME = "secagent/Allocation-v0", "secagent/Lifetime-v0"
SCENARIO = Scenario.preset("small")
COUNT = 11


@pytest.fixture(scope="module")
def batch() -> Instance:
    drawn = sample_instance(SCENARIO, 5, COUNT)
    given = {name: getattr(drawn, name) for name in ("channel_bs", "channel_eve", "position_m", "eve_position_m")}
    return Instance.from_channels(**given, scenario=SCENARIO, seed=9)


@pytest.fixture(params=["memory", "file", "folder"])
def source(request, batch, tmp_path):
    if request.param == "memory":
        return batch
    path = tmp_path / "own.npz" if request.param == "file" else tmp_path / "own"
    batch.save(path) if request.param == "file" else Instance.save_folder(path, [batch])
    return path


def index_of(channel: np.ndarray, batch: Instance) -> int:
    """Return which instance of the batch has this channel; there must be one."""
    found = np.flatnonzero((batch.channel_bs == channel).all(axis=(1, 2)))
    assert len(found) == 1
    return int(found[0])


@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("form", ["flat", "compact"])
def test_scalar_and_vector_environments_play_the_same_instances(source, batch, order, form):
    options = {"instances": source, "order": order, "observation_format": form}
    native = gymnasium.make_vec(ALLOCATION, 3, **options)
    scalar = [lambda: gymnasium.make(ALLOCATION, **options)] * 3
    sync = SyncVectorEnv(scalar, autoreset_mode=AutoresetMode.SAME_STEP)
    native.action_space.seed(0)
    ours, theirs = native.reset(seed=20)[0], sync.reset(seed=20)[0]
    played = []
    for _ in range(8):
        np.testing.assert_array_equal(ours, theirs)
        played.append([index_of(channel, batch) for channel in native.instance.channel_bs])
        actions = native.action_space.sample()
        (ours, rewards, *_), (theirs, expected, *_) = native.step(actions), sync.step(actions)
        np.testing.assert_array_equal(rewards, expected)
    if order == "sequential":
        assert played == [[(20 + env + step) % COUNT for env in range(3)] for step in range(8)]
    else:
        assert len(set(np.ravel(played))) > 3
    native.close()
    sync.close()


def test_a_seed_and_a_mask_begin_anew(batch):
    env = gymnasium.make_vec(ALLOCATION, 3, instances=batch, order="sequential")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.reset(seed=[7, None, None], options={"reset_mask": np.array([True, True, False])})
    assert [index_of(channel, batch) for channel in env.instance.channel_bs] == [7, 3, 3]


def test_instances_are_kept_for_episodes_and_given_ones_count(batch):
    env = gymnasium.make(ALLOCATION, instances=batch, order="sequential", episodes_per_instance=2)
    action = env.action_space.sample()
    played = []
    env.reset(seed=4)
    for _ in range(4):
        played.append(index_of(env.unwrapped.instance.channel_bs, batch))
        env.step(action)
        env.reset()
    assert played == [4, 4, 5, 5]
    other = sample_instance(SCENARIO, 1)
    env.reset(options={"instance": other})
    np.testing.assert_array_equal(env.unwrapped.instance.channel_bs, other.channel_bs)


def test_threads_change_nothing(batch):
    results = []
    for threads in (1, 3):
        env = gymnasium.make_vec(ALLOCATION, 600, instances=batch, threads=threads)
        env.reset(seed=0)
        env.action_space.seed(0)
        results.append(env.step(env.action_space.sample())[:2])
        env.close()
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_numbers_of_single_precision_and_unknown_places_are_played_in_double(batch):
    single = batch.replace(position_m=None, eve_position_m=None).to(np, dtype=np.float32)
    envs = gymnasium.make_vec(ALLOCATION, 2, instances=single), gymnasium.make(ALLOCATION, instances=single)
    for env in envs:
        env.reset(seed=0)
        instance = env.unwrapped.instance
        assert instance.channel_bs.dtype == np.complex128
        assert instance.position_m is None
    np.testing.assert_array_equal(envs[0].instance.channel_bs[0], envs[1].unwrapped.instance.channel_bs)


def test_an_environment_hands_over_the_path_and_not_the_content(batch, tmp_path):
    Instance.save_folder(tmp_path / "own", [batch])
    env = gymnasium.make_vec(ALLOCATION, 2, instances=tmp_path / "own")
    own = env._rules.instances
    assert len(pickle.dumps(own)) < 1000
    for other in (pickle.loads(pickle.dumps(own)), copy.deepcopy(own)):
        np.testing.assert_array_equal(other.one(3).channel_bs, batch.channel_bs[3])


@pytest.mark.parametrize("env_id", [ALLOCATION, LIFETIME])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"instances": lambda batch: batch[0]}, r"batch of at least one, got the batch shape \(\)"),
        ({"instances": lambda batch: batch[:0]}, r"batch of at least one, got the batch shape \(0,\)"),
        ({"instances": lambda batch: [1, 2]}, "must be a batch of Instance or the path of one, got list"),
        ({"instances": lambda batch: batch, "order": "backwards"}, "order must be one of random, sequential"),
        ({"instances": lambda batch: batch, "scenario": "paper"}, "num_agents = 6, and the scenario 30: leave the"),
        ({"order": "sequential"}, "order needs instances"),
    ],
)
def test_what_does_not_fit_is_refused(batch, env_id, options, sentence):
    given = {name: value(batch) if callable(value) else value for name, value in options.items()}
    with pytest.raises(ValueError, match=sentence):
        gymnasium.make(env_id, **given)
    with pytest.raises(ValueError, match=sentence):
        gymnasium.make_vec(env_id, 2, **given)


def test_the_scenario_is_that_of_the_instances(batch):
    assert gymnasium.make_vec(ALLOCATION, 1, instances=batch).scenario == SCENARIO
    assert gymnasium.make(ALLOCATION, scenario="small", instances=batch).unwrapped.scenario == SCENARIO


# --- Lifetime ------------------------------------------------------------------------------------------------


def along_time(batch: Instance, trajectories: int) -> Instance:
    size = len(batch) // trajectories * trajectories
    return batch[:size]._map(lambda array: array.reshape(trajectories, -1, *array.shape[1:]))


@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("trajectories", [None, 3])
def test_a_lifetime_goes_along_time(batch, order, trajectories):
    instances = batch if trajectories is None else along_time(batch, trajectories)
    times = COUNT if trajectories is None else 3
    options = {"instances": instances, "order": order, "max_failures": 2}
    native = gymnasium.make_vec(LIFETIME, 3, **options)
    scalar = [lambda: gymnasium.make(LIFETIME, **options)] * 3
    sync = SyncVectorEnv(scalar, autoreset_mode=AutoresetMode.SAME_STEP)
    ours, theirs = native.reset(seed=20)[0], sync.reset(seed=20)[0]
    native.action_space.seed(1)
    before, done = None, np.ones(3, bool)
    for step in range(9):
        np.testing.assert_array_equal(ours, theirs)
        now = np.array([index_of(channel, batch) for channel in native.instance.channel_bs])
        np.testing.assert_array_equal(native.instance.gain_eve, batch.gain_eve[now])
        if step:
            following = before - before % times + (before + 1) % times
            np.testing.assert_array_equal(now[~done], following[~done])
        if trajectories is not None:
            assert (now[done] % times == 0).all()  # an episode begins at the start of a trajectory
        if order == "sequential" and not step:
            expected = [(20 + i) % COUNT if trajectories is None else (20 + i) % 3 * times for i in range(3)]
            assert now.tolist() == expected
        actions = native.action_space.sample()
        ours, rewards, terminated, _, _ = native.step(actions)
        theirs, expected_rewards, *_ = sync.step(actions)
        np.testing.assert_array_equal(rewards, expected_rewards)
        before, done = now, terminated
    native.close()
    sync.close()


def test_agents_that_were_drawn_last_for_the_episode_and_own_ones_follow_the_instances(batch):
    env = gymnasium.make(LIFETIME, instances=batch, max_failures=5)
    env.reset(seed=0)
    first = env.unwrapped.instance
    env.step(env.action_space.sample())
    np.testing.assert_array_equal(env.unwrapped.instance.accuracy, first.accuracy)
    assert (env.unwrapped.least_energy_j <= env.unwrapped.instance.execution_energy_j).all()

    own = batch.replace(origin=None)
    env = gymnasium.make(LIFETIME, instances=own, order="sequential", max_failures=5, battery_j=(1e9, 1e9))
    env.reset(seed=0)
    for index in range(3):
        np.testing.assert_array_equal(env.unwrapped.instance.accuracy, batch.accuracy[index])
        np.testing.assert_array_equal(env.unwrapped.instance.inference_time_s, batch.inference_time_s[index])
        np.testing.assert_array_equal(env.unwrapped.least_energy_j, batch.execution_energy_j[index])
        env.step(env.action_space.sample())


def test_without_instances_nothing_has_changed():
    env = gymnasium.make(LIFETIME, scenario="small")
    env.reset(seed=0)
    unwrapped = env.unwrapped
    deployment = unwrapped._running.deployment
    expected = deployment.compute_power_w * deployment.inference_time_s(0.0)
    np.testing.assert_array_equal(unwrapped.least_energy_j, expected[0])
    assert secagent_env.__version__
