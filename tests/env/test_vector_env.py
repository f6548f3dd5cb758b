"""The batched environment: as Gymnasium's SyncVectorEnv over the scalar one, only faster."""

import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from vector_conformance import assert_same, check_vector_env

from secagent_env import Instance, Scenario, sample_instance
from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.observations import observe
from secagent_env.allocation.vector import AllocationVectorEnv

ID = "secagent_env:secagent/Allocation-v0"
CONTESTED = {"num_agents": 7, "num_antennas": 3, "num_eavesdroppers": 2, "eve_area_m": (20, 100)}


def makers(**arguments):
    return (
        lambda size: AllocationVectorEnv(size, **arguments),
        lambda: AllocationEnv(**arguments),
    )


def make(size=3, **arguments):
    return AllocationVectorEnv(size, **{"scenario": "small", **arguments})


def actions_for(envs, seed=0):
    envs.action_space.seed(seed)
    return envs.action_space.sample()


# --- Like the scalar environment ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"scenario": "paper"},
        {"scenario": "small", "action_format": "dict", "observation_format": "dict"},
        {"scenario": CONTESTED, "action_format": "guided", "observation_format": "compact"},
        {"scenario": {**CONTESTED, "colluding": True}, "action_format": "guided", "observation_format": "dict"},
        {"scenario": "small", "episodes_per_instance": 3, "penalty_weight": 2.0, "reference_energy_j": 1e3},
        {"scenario": {"num_agents": 1, "num_antennas": 1}},
    ],
    ids=["paper", "dict", "guided", "colluding", "kept", "one"],
)
def test_it_conforms(arguments):
    check_vector_env(*makers(**arguments))


def test_many_chunks_are_the_scalar_environment_bit_for_bit():
    size = 300  # more than a chunk
    make_vector, make_scalar = makers(scenario="paper")
    envs = make_vector(size)
    sync = SyncVectorEnv([make_scalar] * size, autoreset_mode=AutoresetMode.SAME_STEP)
    assert_same(envs.reset(seed=0), sync.reset(seed=0), "reset")
    for step in range(3):
        actions = actions_for(envs, step)
        assert_same(envs.step(actions), sync.step(actions), f"step {step}")
    mask = np.random.default_rng(0).random(size) < 0.9  # more than a chunk, with gaps
    masked = [vector.reset(options={"reset_mask": mask.copy()}) for vector in (envs, sync)]
    assert_same(*masked, "masked reset")
    for one, other in zip(envs.np_random, sync.np_random, strict=True):
        assert one.bit_generator.state == other.bit_generator.state


def test_make_vec_takes_it_by_itself():
    for mode in (None, "vector_entry_point"):
        envs = gymnasium.make_vec(ID, num_envs=4, vectorization_mode=mode, scenario="small")
        assert isinstance(envs, AllocationVectorEnv)
        assert envs.spec is not None
        assert envs.num_envs == 4
        assert "secagent/Allocation-v0" in repr(envs)


def test_a_limit_on_the_steps_is_gymnasiums():
    arguments = {"scenario": "small", "max_episode_steps": 1}
    envs = gymnasium.make_vec(ID, num_envs=2, vectorization_mode="vector_entry_point", **arguments)
    sync = gymnasium.make_vec(
        ID, 2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP}, **arguments
    )
    assert_same(envs.reset(seed=0), sync.reset(seed=0), "reset")
    actions = actions_for(envs)
    assert_same(envs.step(actions), sync.step(actions), "step")


# --- The conformance test can fail --------------------------------------------------------------------------


class WrongSeeds(AllocationVectorEnv):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed + 1 if isinstance(seed, int) else seed, options=options)


class SinglePrecision(AllocationVectorEnv):
    def step(self, actions):
        observations, rewards, *rest = super().step(actions)
        return observations, rewards.astype(np.float32), *rest


class FirstObservationIsLast(AllocationVectorEnv):
    def step(self, actions):
        observations, *rest, infos = super().step(actions)
        infos["final_obs"][:] = list(observations.copy())
        return observations, *rest, infos


class SharedObservations(AllocationVectorEnv):
    def step(self, actions):
        _, *rest = super().step(actions)
        return self._observation, *rest


class NoMask(AllocationVectorEnv):
    def step(self, actions):
        *rest, infos = super().step(actions)
        del infos["final_info"]["_feasible"]
        return *rest, infos


class DeafToMasks(AllocationVectorEnv):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


class NextStep(AllocationVectorEnv):
    def __init__(self, *args, **arguments):
        super().__init__(*args, **arguments, autoreset_mode=AutoresetMode.NEXT_STEP)


class ActionsClippedInPlace(AllocationVectorEnv):
    def step(self, actions):
        if isinstance(actions, np.ndarray):
            np.clip(actions, -0.5, 0.5, out=actions)
        return super().step(actions)


class ForgetsAfterErrors(AllocationVectorEnv):
    def step(self, actions):
        try:
            return super().step(actions)
        except ValueError:
            self.reset()
            raise


class LastBit(AllocationVectorEnv):
    def step(self, actions):
        observations, rewards, *rest = super().step(actions)
        return observations, np.nextafter(rewards, 0), *rest


BROKEN = {
    WrongSeeds: "the integer s|scalar",
    SinglePrecision: "rewards must be float64",
    FirstObservationIsLast: r"step 0: result\[4\]\['final_obs'\]|share memory",
    SharedObservations: "share memory|overwritten",
    NoMask: "must have a mask '_feasible'",
    DeafToMasks: "must not be reset|reset of a part",
    NextStep: "SAME_STEP",
    ActionsClippedInPlace: "actions before and after|step 0",
    ForgetsAfterErrors: "after bad actions",
    LastBit: r"step 0: result\[1\]",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_the_conformance_test_finds(broken):
    with pytest.raises(AssertionError, match=BROKEN[broken]):
        check_vector_env(lambda size: broken(size, scenario="small"), lambda: AllocationEnv("small"))


def test_the_conformance_test_wants_episodes_that_end():
    envs = makers(scenario="small")
    with pytest.raises(AssertionError, match="no episode ended in 0 steps"):
        check_vector_env(*envs, steps=0)


# --- Instances ----------------------------------------------------------------------------------------------


def test_instances_are_kept_for_so_many_episodes():
    envs = make(episodes_per_instance=3)
    first, _ = envs.reset(seed=0)
    seen = [envs.step(actions_for(envs))[0] for _ in range(6)]
    for step, observations in enumerate(seen, 1):
        assert np.array_equal(observations, first) == (step < 3), step
    assert np.array_equal(seen[2], seen[4])
    assert not np.array_equal(seen[4], seen[5])
    envs.step(actions_for(envs))
    assert not np.array_equal(envs.reset()[0], seen[5])  # explicitly, before its time


def test_the_scalar_environment_keeps_instances_too():
    env = AllocationEnv("small", episodes_per_instance=2)

    def episode(**arguments):
        observation, _ = env.reset(**arguments)
        env.step(env.action_space.sample())
        return observation

    first, second, third = episode(seed=0), episode(), episode()
    assert np.array_equal(first, second)
    assert not np.array_equal(second, third)
    assert not np.array_equal(env.reset(seed=3)[0], third)
    assert not np.array_equal(env.reset()[0], env.reset()[0])  # no episode has ended
    given = sample_instance("small", 5)
    episode(options={"instance": given})
    assert np.array_equal(env.reset()[0], observe(given, "flat"))


def test_gymnasium_checks_kept_instances():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(AllocationEnv("small", episodes_per_instance=3), skip_render_check=True)


@pytest.mark.parametrize("number", [0, -1, 1.5, None, True, "2"])
def test_bad_numbers_of_episodes(number):
    for make_it in (AllocationEnv, AllocationVectorEnv):
        with pytest.raises(ValueError, match="episodes_per_instance must be an integer ≥ 1"):
            make_it(scenario="small", episodes_per_instance=number)


def test_given_instances_are_played():
    envs = make()
    batch = sample_instance(Scenario.preset("small", latency_limit_s=1.0), seed=9, batch=3)
    observations, infos = envs.reset(options={"instance": batch})
    assert infos == {}
    assert np.array_equal(observations, observe(batch, "flat"))
    assert envs.instance.scenario.latency_limit_s == 1.0
    *_, infos = envs.step(actions_for(envs))
    assert (infos["final_info"]["violations"]["latency_s"] > 0).all()  # the limit is the instances'
    assert envs.instance.scenario == envs.scenario  # and the next ones are drawn


def test_one_instance_for_all_and_for_some():
    envs = make()
    single = sample_instance("small", seed=4).replace(position_m=None)
    observations, _ = envs.reset(seed=0, options={"instance": single})
    assert np.array_equal(observations, np.tile(observe(single, "flat"), (3, 1)))
    assert envs.instance.position_m is None
    batch = sample_instance("small", seed=5, batch=3)
    mask = np.array([False, True, False])
    observations, _ = envs.reset(options={"instance": batch, "reset_mask": mask})
    assert np.array_equal(observations[1], observe(batch[1], "flat"))
    assert np.array_equal(observations[0], observe(single, "flat"))
    envs.step(actions_for(envs))
    assert envs.instance.position_m is not None


def test_a_part_cannot_have_another_scenario():
    envs = make()
    envs.reset(seed=0)
    other = sample_instance(Scenario.preset("small", latency_limit_s=1.0), seed=9, batch=3)
    with pytest.raises(ValueError, match=r"must share one scenario.*reset all environments at once"):
        envs.reset(options={"instance": other, "reset_mask": np.array([True, False, False])})


def test_the_instance_is_a_copy():
    envs = make()
    observations, _ = envs.reset(seed=0)
    mine = envs.instance
    assert isinstance(mine, Instance)
    assert np.array_equal(observe(mine, "flat"), observations)
    mine.channel_bs[...] = 0
    assert np.array_equal(observe(envs.instance, "flat"), observations)
    envs.step(actions_for(envs))
    assert not np.array_equal(envs.instance.gain_eve, mine.gain_eve)


def test_what_was_returned_stays_as_long_as_any_of_it_is_held():
    envs = make(observation_format="dict")
    observations, _ = envs.reset(seed=0)
    held = [observations["agents"][1, 2:, ::2]]  # views alone keep the memory from being used again
    copies = [held[0].copy()]
    for _ in range(12):
        observations, _, _, _, infos = envs.step(actions_for(envs))
        held += [observations["gain_agents"][0].T, infos["final_obs"][2]["channel_bs"]]
        copies += [one.copy() for one in held[-2:]]
    assert all(map(np.array_equal, held, copies))


def test_memory_that_nobody_holds_is_used_again():
    envs = make()
    envs.reset(seed=0)
    places = {envs.step(actions_for(envs))[0].ctypes.data for _ in range(50)}
    assert len(places) <= 5


def test_actions_decode_and_encode_in_batches():
    for actions in ("flat", "dict", "guided"):
        envs = make(action_format=actions)
        envs.reset(seed=0)
        decision = envs.decode(actions_for(envs))
        assert decision.batch_shape == (3,)
        again = envs.decode(envs.encode(decision))
        assert np.array_equal(again.selection, decision.selection)
        np.testing.assert_allclose(again.power_w, decision.power_w, rtol=1e-5)


# --- Torch ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actions", ["flat", "guided"])
def test_torch_computes_the_same(actions):
    pytest.importorskip("torch")
    arguments = {"scenario": CONTESTED, "action_format": actions, "episodes_per_instance": 2}
    envs, on_torch = AllocationVectorEnv(20, **arguments), AllocationVectorEnv(20, **arguments, device="cpu")
    assert_same(on_torch.reset(seed=0), envs.reset(seed=0), "reset")
    for step in range(5):
        got, wanted = (vector.step(actions_for(envs, step)) for vector in (on_torch, envs))
        assert_same(got[0], wanted[0], "observations")
        assert got[1].dtype == np.float64
        np.testing.assert_allclose(got[1], wanted[1], rtol=1e-9)
        details = (result[4]["final_info"] for result in (got, wanted))
        compare(*details)


def compare(got, wanted):
    assert list(got) == list(wanted)
    for name, value in wanted.items():
        if isinstance(value, dict):
            compare(got[name], value)
        else:
            assert got[name].dtype == value.dtype
            np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_torch_keeps_up_with_new_instances():
    pytest.importorskip("torch")
    envs, on_torch = make(), make(device="cpu")
    batch = sample_instance("small", 3, 3)
    actions = actions_for(envs)
    for options in ({"instance": batch}, {"reset_mask": np.array([True, False, True])}):
        results = []
        for vector in (envs, on_torch):
            vector.reset(seed=1)
            vector.reset(seed=2, options=options)
            results.append(vector.step(actions)[1])
        np.testing.assert_allclose(*results, rtol=1e-9)


def test_a_device_that_is_not_there():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="torch cannot compute in float64 on the device 'warp'"):
        make(device="warp")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch cannot compute in float64 on the device 'cuda'"):
            make(device="cuda")


def test_without_torch_a_device_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"this needs torch.*pip install 'secagent-env\[rl\]'"):
        make(device="cpu")


# --- Errors and pictures -------------------------------------------------------------------------------------


def test_a_bad_action_is_one_sentence_that_names_the_environment():
    envs = make()
    envs.reset(seed=0)
    actions = actions_for(envs)
    actions[2, 5] = np.nan
    with pytest.raises(ValueError, match="environment 2: action must not hold NaN, got 1 of them"):
        envs.step(actions)
    with pytest.raises(ValueError, match=r"actions must have shape \(3, 20\), one row per environment, got \(2, 20\)"):
        envs.step(actions[:2] * 0)
    envs = make(action_format="dict")
    envs.reset(seed=0)
    actions = actions_for(envs)
    actions["power_w"][1] = np.nan
    with pytest.raises(ValueError, match=r"environment 1: action\['power_w'\] must not hold NaN, got 6 of them"):
        envs.step(actions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "num_envs must be an integer ≥ 1, got 0"),
        ({"render_mode": "human"}, "unknown render_mode 'human'"),
        ({"max_episode_steps": 0}, "max_episode_steps must be an integer ≥ 1, got 0"),
        ({"action_format": "flatt"}, "did you mean 'flat'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reset_maks": None}, "unknown reset option 'reset_maks'; did you mean 'reset_mask'"),
        ({"instance": "small"}, "must be of type Instance, got str"),
        (
            {"instance": sample_instance("small", 0, 2)},
            r"must be a batch \(3,\) or a single one, got the batch shape \(2,\)",
        ),
        ({"instance": sample_instance("paper")}, "must have num_agents = 6 as the environment, got 30"),
    ],
)
def test_bad_reset_options(options, message):
    envs = make()
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        envs.reset(options=options)


def test_the_first_reset_is_of_all():
    envs = make()
    for ask in (lambda: envs.instance, lambda: envs.reset(options={"reset_mask": np.array([True, False, True])})):
        with pytest.raises(gymnasium.error.ResetNeeded):
            ask()
    envs.reset(options={"reset_mask": np.ones(3, bool)})


def test_pictures_are_those_of_the_scalar_environments():
    pytest.importorskip("matplotlib")
    envs, one = make(2, render_mode="rgb_array"), AllocationEnv("small", render_mode="rgb_array")
    envs.reset(seed=0)
    one.reset(seed=1)
    actions = actions_for(envs)
    for _ in range(2):  # before the step, and after it
        pictures = envs.render()
        assert isinstance(pictures, tuple)
        assert len(pictures) == 2
        np.testing.assert_array_equal(pictures[1], one.render())
        envs.step(actions)
        if one._outcome is None:
            one.step(actions[1])
    with pytest.warns(UserWarning, match="render_mode"):
        assert make().render() is None


def test_threads_change_nothing_but_the_time():
    one, two = (make(300, scenario="small", threads=threads) for threads in (1, 3))
    observations = [envs.reset(seed=5)[0] for envs in (one, two)]
    np.testing.assert_array_equal(*observations)
    one.action_space.seed(0)
    for _ in range(3):
        actions = one.action_space.sample()
        (first, reward, *_), (second, other, *_) = one.step(actions), two.step(actions)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(reward, other)
    two.close()
    with pytest.raises(ValueError, match="threads must be an integer ≥ 1"):
        make(2, scenario="small", threads=0)
