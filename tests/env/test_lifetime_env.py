"""secagent/Lifetime-v0, one environment and many, as its users and Gymnasium's checker see it."""

import itertools
import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from vector_conformance import check_vector_env

import solvers
from secagent_env import Decision, Scenario, evaluate
from secagent_env.allocation.observations import observe
from secagent_env.lifetime.rules import BATTERY_TASKS
from secagent_env.model.workload import mean_execution_energy_j
from solvers.asc.starts import sender_powers
from solvers.beam.beamforming import null_beam
from solvers.lifetime.policies import make_policy

ID = "secagent_env:secagent/Lifetime-v0"
ACTIONS, OBSERVATIONS = ("flat", "dict", "guided"), ("flat", "dict", "compact")

# Every agent needs 5 s and 10 J for a task: 1000 · (3 + 1 + 1) operations at 1000/s and 2 W. Accuracy 0.567.
ALIKE = Scenario(
    num_agents=3,
    num_antennas=4,
    min_selected=1,
    min_accuracy=0.5,
    model_dim=(1000, 1000),
    tool_tokens=(0, 0),
    output_tokens=1,
    compute_rate=(1000, 1000),
    compute_power_w=(2, 2),
    training_budget=(1e4, 1e4),
)


def make(**arguments):
    return gymnasium.make(ID, **{"scenario": "small", **arguments})


def equal(a, b):
    """Whether two results of an environment, of any nesting, are the same bits."""
    if isinstance(a, dict):
        return isinstance(b, dict) and set(a) == set(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, tuple) or (isinstance(a, np.ndarray) and a.dtype == object):
        return len(a) == len(b) and all(map(equal, a, b))
    if a is None or b is None:
        return a is b
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and np.array_equal(a, b)


def selecting(env, *agents):
    """Return the action that lets these agents compute, with a beam and powers that reach them in secret."""
    instance = env.unwrapped.instance
    chosen = np.isin(np.arange(instance.scenario.num_agents), agents)
    power = np.where(chosen, sender_powers(instance, 0.03), 0.0)
    return env.unwrapped.encode(
        Decision(selection=chosen, beamformer=null_beam(instance, chosen), power_w=power),
    )


# --- Checkers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("actions", "observations"), [(a, o) for a in ACTIONS for o in OBSERVATIONS])
def test_gymnasium_checks_every_format(actions, observations):
    env = make(action_format=actions, observation_format=observations)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Physical units are the point of the dict format.
        warnings.filterwarnings("ignore", message=".*recommend using a symmetric and normalized space")
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("mode", ["rgb_array", "ansi", pytest.param("human", marks=pytest.mark.slow)])
def test_gymnasium_checks_rendering(mode):
    env = make(render_mode=mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


def test_stable_baselines3_checks_it():
    sb3_check = pytest.importorskip("stable_baselines3.common.env_checker").check_env
    sb3_check(make(scenario="paper", action_format="guided", observation_format="compact").unwrapped)


# --- Episodes ------------------------------------------------------------------------------------------------


def test_an_episode_by_hand():
    """35, 25 and 10 J at 10 J a task: three tasks, two, and one that lacks the energy to send its result."""
    env = make(scenario=ALIKE, action_format="dict")
    env.reset(seed=0, options={"battery_j": [35.0, 25.0, 10.0]})
    left, rewards, ended = [35.0, 25.0, 10.0], [], []
    for agent in (0, 1, 0, 1, 0):
        _, reward, terminated, truncated, info = env.step(selecting(env, agent))
        left[agent] -= 10
        assert info["battery_j"] == pytest.approx(left, rel=1e-6)
        assert info["energy_j"] == pytest.approx(10, rel=1e-6)
        assert info["violations"]["battery_j"] < 0
        assert info["served"]
        assert not truncated
        rewards.append(reward)
        ended.append(terminated)
    assert rewards == [1.0] * 5
    assert ended == [False] * 5  # agent 2 can still compute
    assert info["tasks_served"] == 5
    # The others have 5 J each and are out; agent 2 can compute for 10 J, and nothing is left to send with.
    assert (env.unwrapped.instance.inference_time_s > 3000).tolist() == [True, True, False]
    _, reward, terminated, _, info = env.step(selecting(env, 2))
    assert (reward, terminated, info["served"], info["feasible"]) == (0.0, True, False, True)
    assert 0 < info["violations"]["battery_j"] < 1e-6
    assert info["battery_j"][2] == 0
    with pytest.raises(gymnasium.error.ResetNeeded, match="has ended"):
        env.step(env.action_space.sample())


def test_whoever_is_empty_does_not_finish_and_loses_what_is_left():
    env = make(scenario=ALIKE, action_format="dict")
    env.reset(seed=0, options={"battery_j": [7.0, 25.0, 25.0]})
    _, reward, terminated, _, info = env.step(selecting(env, 0))
    assert (reward, terminated, info["feasible"]) == (0.0, False, False)
    assert info["violations"]["latency_s"] == pytest.approx(3000, rel=0.01)  # 2τ − τ
    assert info["violations"]["battery_j"] == pytest.approx(3, rel=1e-6)
    assert info["battery_j"] == pytest.approx([0, 25, 25])
    assert info["energy_j"] == pytest.approx(7)


def test_jamming_costs_until_the_deadline_at_most():
    env = make(scenario=ALIKE, action_format="dict")
    env.reset(seed=0, options={"battery_j": [1e5, 1e5, 1000.0]})
    nobody = {"selection": np.zeros(3, np.int8), "beamformer": np.zeros(8), "power_w": np.array([0.5, 0.0, 0.5])}
    *_, info = env.step(nobody)
    # Downlink and uplink never end; the network gives each up after τ... and the latter never began.
    assert info["battery_j"] == pytest.approx([1e5 - 0.5 * 3000, 1e5, 0.0])
    assert info["energy_j"] == pytest.approx(1500 + 1000)


def test_too_many_unserved_tasks_end_an_episode():
    for failures in (1, 4):
        env = make(scenario=ALIKE, action_format="dict", max_failures=failures)
        env.reset(seed=0)
        idle = {"selection": np.zeros(3, np.int8), "beamformer": np.zeros(8), "power_w": np.zeros(3)}
        ended = [env.step(idle)[2] for _ in range(failures)]
        assert ended == [False] * (failures - 1) + [True]
        assert env.unwrapped.battery_j == pytest.approx(env.unwrapped.initial_battery_j)


def test_energy_is_conserved():
    env = make(scenario="paper", action_format="guided")
    env.action_space.seed(0)
    for seed in range(3):
        env.reset(seed=seed)
        running, ended = env.unwrapped, False
        spent = np.zeros(30)
        while not ended:
            before = running.battery_j
            decision = running.decode(action := env.action_space.sample())
            *_, ended, _, info = env.step(action)
            spent += before - info["battery_j"]
            assert info["energy_j"] == pytest.approx(np.sum(before - info["battery_j"]), abs=1e-6)
            assert (info["battery_j"] >= 0).all()
            idle = ~decision.selection & (decision.power_w == 0)
            assert np.array_equal(info["battery_j"][idle], before[idle])
        assert running.initial_battery_j - running.battery_j == pytest.approx(spent)


@pytest.mark.parametrize("accuracy", [0.0, 0.7, 0.8])
def test_an_episode_ends_where_no_selection_is_left(accuracy):
    scenario = Scenario.preset("small", min_accuracy=accuracy)
    able = ended_of = 0

    def possible(instance):
        fast = instance.inference_time_s <= scenario.latency_limit_s
        subsets = itertools.product([False, True], repeat=scenario.num_agents)
        return any(
            sum(s) >= scenario.required_agents and fast[list(s)].all() and instance.accuracy[list(s)].mean() >= accuracy
            for s in map(np.array, subsets)
        )

    env = make(scenario=scenario, action_format="dict", battery_j=(2e3, 3e4), max_failures=100)
    for seed in range(12):
        env.reset(seed=seed)
        policy = make_policy("random", env)
        policy.reset(seed)
        ended = False
        while not ended:
            ended = env.step(policy.act())[2]
            assert ended == (not possible(env.unwrapped.instance))
            able, ended_of = able + (not ended), ended_of + ended
    assert ended_of == 12
    assert able > (0 if accuracy == 0.8 else 30)


def test_what_agents_do_changes_no_random_number():
    """The same seed gives the same networks, batteries and tasks, also in the second episode."""
    played = []
    for name in ("myopic", "random"):
        env = make(action_format="dict")
        policy, seen = make_policy(name, env), []
        policy.reset(0)
        for episode in range(2):
            env.reset(seed=8 if episode == 0 else None)
            tasks, ended = [], False
            batteries = env.unwrapped.initial_battery_j
            while not ended:
                tasks.append(env.unwrapped.instance.channel_bs)
                ended = env.step(policy.act())[2]
            seen.append((batteries, tasks))
        played.append(seen)
    for (batteries, tasks), (others, others_tasks) in zip(*played, strict=True):
        assert np.array_equal(batteries, others)
        assert all(map(np.array_equal, tasks, others_tasks))
    assert not np.array_equal(played[0][0][0], played[0][1][0])
    assert len({len(tasks) for seen in played for _, tasks in seen}) > 1  # or nothing would have been shown


def test_networks_stay_and_tasks_change():
    env = make(action_format="dict")
    env.reset(seed=0)
    first = env.unwrapped.instance
    env.step(make_policy("myopic", env).act())
    second = env.unwrapped.instance
    for name in ("position_m", "eve_position_m", "compute_power_w", "accuracy"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    for name in ("channel_bs", "channel_eve", "gain_eve", "inference_time_s"):
        assert not np.any(getattr(first, name) == getattr(second, name)), name
    # q_n² + q_n, up to 512, beside o² + o with o = 4096
    assert second.inference_time_s == pytest.approx(first.inference_time_s, rel=0.02)
    assert (env.unwrapped.least_energy_j <= first.execution_energy_j).all()
    assert env.unwrapped.least_energy_j == pytest.approx(first.execution_energy_j, rel=0.02)


def test_batteries_are_drawn_from_their_range():
    env = make(scenario="paper")
    mean = mean_execution_energy_j(env.unwrapped.scenario)
    drawn = []
    for seed in range(50):
        env.reset(seed=seed)
        drawn.append(env.unwrapped.initial_battery_j / mean)
    low, high = BATTERY_TASKS
    assert low <= np.min(drawn) < low + 0.1
    assert high - 0.1 < np.max(drawn) <= high
    env = make(battery_j=(5.0, 5))
    env.reset(seed=0)
    assert env.unwrapped.battery_j.tolist() == [5.0] * 6


def test_any_solver_plays_it_and_avoids_the_empty():
    env = make(action_format="dict")
    env.reset(seed=1, options={"battery_j": [1e6, 0.0, 1e6, 0.0, 1e6, 1e6]})
    for name in ("exact", "asc", "randas"):
        policy = solvers.as_policy(solvers.make(name), env)
        *_, info = env.step(policy.act())
        assert info["served"], name
        assert not policy.solution.decision.selection[[1, 3]].any()


def test_info_agrees_with_the_physics():
    env = make(action_format="dict")
    env.reset(seed=1)
    action = make_policy("myopic", env).act()
    outcome = evaluate(env.unwrapped.instance, env.unwrapped.decode(action))
    *_, info = env.step(action)
    assert info["latency_s"] == outcome.latency_s
    assert info["mean_accuracy"] == outcome.mean_accuracy
    assert {name: info["violations"][name] for name in outcome.violations} == outcome.violations
    assert info["energy_j"] == pytest.approx(float(outcome.energy_j))


# --- Observations -------------------------------------------------------------------------------------------


def test_the_observation_tells_the_batteries():
    envs = {name: make(observation_format=name) for name in OBSERVATIONS}
    seen = {name: env.reset(seed=3)[0] for name, env in envs.items()}
    running = envs["dict"].unwrapped
    instance, battery = running.instance, running.battery_j
    expected = np.stack(
        [np.log2(1 + battery / instance.execution_energy_j) / 4, battery / running._rules.battery_range_j[1]]
    )
    assert seen["dict"]["batteries"] == pytest.approx(expected.T, rel=1e-6)
    assert equal({k: v for k, v in seen["dict"].items() if k != "batteries"}, observe(instance, "dict"))
    for name in ("flat", "compact"):
        assert np.array_equal(seen[name], [*observe(instance, name), *seen["dict"]["batteries"].ravel()])


def test_observations_stay_bounded_beyond_the_range():
    env = make(observation_format="dict")
    observation, _ = env.reset(options={"battery_j": np.array([0.0, 1e-9, 1e30, 1.0, 1e5, 1e9])})
    assert env.observation_space.contains(observation)


# --- Arguments and errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"battery_j": (3.0, 2.0)}, r"battery_j must be a \(low, high\) range with low ≤ high, got \(3.0, 2.0\)"),
        ({"battery_j": (-1, 2.0)}, r"battery_j\[0\] must be a finite number ≥ 0, got -1"),
        ({"battery_j": (0, 0)}, "high > 0"),
        ({"battery_j": 5.0}, r"battery_j must be a \(low, high\) range, got 5.0"),
        ({"battery_j": (1.0, np.inf)}, r"battery_j\[1\] must be a finite number ≥ 0, got inf"),
        ({"max_failures": 0}, "max_failures must be an integer ≥ 1, got 0"),
        ({"action_format": "guide"}, "did you mean 'guided'"),
        ({"observation_format": "compct"}, "did you mean 'compact'"),
    ],
)
def test_bad_constructor_arguments(arguments, said):
    with pytest.raises(ValueError, match=said):
        make(**arguments)


@pytest.mark.parametrize("battery", [np.zeros(5), np.full(6, np.nan), np.full(6, -1.0), "full", np.zeros((2, 6))])
def test_bad_batteries(battery):
    with pytest.raises(ValueError, match=r"options\['battery_j'\] must hold N = 6 finite energies"):
        make().reset(options={"battery_j": battery})


def test_errors_of_use():
    env = make()
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        _ = env.unwrapped.instance
    with pytest.raises(ValueError, match="unknown reset option 'batery_j'; did you mean 'battery_j'"):
        env.reset(options={"batery_j": None})
    env.reset(seed=0)
    with pytest.raises(ValueError, match="must be a single one"):
        env.unwrapped.step(np.zeros((2, 20)))


def test_truncation_is_gymnasiums():
    env = make(scenario="paper", max_episode_steps=2)
    env.reset(seed=0)
    assert [env.step(env.action_space.sample())[2:4] for _ in range(2)] == [(False, False), (False, True)]
    assert gymnasium.spec(ID.partition(":")[2]).max_episode_steps == 1000


def test_rendering_shows_the_batteries():
    env = make(scenario=ALIKE, action_format="dict", render_mode="ansi")
    env.reset(seed=0, options={"battery_j": [50.0, 20.0, 20.0]})
    assert "0 tasks served · batteries hold 90 J of 90 J" in env.render()
    env.step(selecting(env, 0))
    text = env.render()
    assert "1 task served · batteries hold 80 J of 90 J" in text
    assert "0: ████████░░ 40 J" in text
    picture = make(render_mode="rgb_array")
    picture.reset(seed=0)
    assert picture.render().shape == (840, 1100, 3)


# --- Many at once --------------------------------------------------------------------------------------------


def vector(num_envs=4, **arguments):
    return gymnasium.make_vec(ID, num_envs, "vector_entry_point", **{"scenario": "small", **arguments})


def synchronous(num_envs=4, **arguments):
    mode = {"autoreset_mode": AutoresetMode.SAME_STEP}
    return gymnasium.make_vec(ID, num_envs, "sync", vector_kwargs=mode, **{"scenario": "small", **arguments})


@pytest.mark.parametrize(
    "arguments",
    [
        {"action_format": "flat", "observation_format": "dict"},
        {"action_format": "dict", "observation_format": "flat", "max_failures": 2},
        {"action_format": "guided", "observation_format": "compact", "scenario": "paper", "battery_j": (1e4, 2e4)},
        {"action_format": "guided", "scenario": {"num_agents": 5, "num_antennas": 2, "num_eavesdroppers": 3}},
        {"action_format": "guided", "max_episode_steps": 3},
    ],
)
def test_many_are_each_the_scalar_one_bit_for_bit(arguments):
    native, sync = vector(**arguments), synchronous(**arguments)
    assert native.single_observation_space == sync.single_observation_space
    assert equal(native.reset(seed=5), sync.reset(seed=5))
    native.action_space.seed(0)
    served = ended = 0
    for _ in range(50):
        actions = native.action_space.sample()
        if arguments["action_format"] == "guided":  # some tasks are served
            n = native.unwrapped.scenario.num_agents
            actions[:, n : 2 * n + 1], actions[:, 2 * n + 1 :] = 0.0, [0.0, 0.0, 1.0, 0.0]
        mine, theirs = native.step(actions), sync.step(actions)
        assert equal(mine, theirs)
        served, ended = served + mine[1].sum(), ended + mine[2].sum() + mine[3].sum()
    assert ended > 5
    assert served > 0 or arguments["action_format"] != "guided"


@pytest.mark.parametrize("actions", ACTIONS)
def test_it_conforms(actions):
    arguments = {"scenario": "small", "action_format": actions, "observation_format": "compact", "max_failures": 3}
    check_vector_env(lambda size: vector(size, **arguments).unwrapped, lambda: make(**arguments).unwrapped)


def test_resetting_some():
    native, sync = vector(), synchronous()
    mask = np.array([True, False, True, False])
    for env in (native, sync):
        env.reset(seed=1)
    native.action_space.seed(0)
    actions = native.action_space.sample()
    assert equal(native.step(actions), sync.step(actions))
    for seed in (None, 7, [1, 2, None, 3]):
        ours = native.reset(seed=seed, options={"reset_mask": mask.copy()})
        assert equal(ours, sync.reset(seed=seed, options={"reset_mask": mask.copy()}))
    assert equal(native.step(actions), sync.step(actions))
    ours = native.reset(options={"reset_mask": mask.copy(), "battery_j": np.full(6, 5.0)})
    assert equal(ours, sync.reset(options={"reset_mask": mask.copy(), "battery_j": np.full(6, 5.0)}))
    assert native.unwrapped.battery_j[0].tolist() == [5.0] * 6


def test_vector_arrays_belong_to_the_caller():
    env, other = vector(), vector()
    for e in (env, other):
        e.reset(seed=1)
    env.action_space.seed(0)
    for _ in range(5):
        actions = env.action_space.sample()
        observation, rewards, _, _, infos = env.step(actions)
        assert equal(observation, other.step(actions)[0])
        observation[:], rewards[:] = 7.0, 7.0
        for name in ("battery_j", "energy_j", "tasks_served"):
            if name in infos:
                infos[name][:] = 0


def test_vector_errors_of_use():
    env = vector()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros((4, 20)))
    with pytest.raises(gymnasium.error.ResetNeeded, match="first reset"):
        env.reset(options={"reset_mask": np.array([True, False, False, False])})
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions must have shape \(4, 20\)"):
        env.step(np.zeros((3, 20)))


def test_pickled_in_the_middle_of_an_episode():
    env = make(action_format="guided").unwrapped
    env.reset(seed=0)
    env.action_space.seed(0)
    env.step(env.action_space.sample())
    twin = pickle.loads(pickle.dumps(env))
    for _ in range(3):
        action = env.action_space.sample()
        assert equal(env.step(action), twin.step(action))
