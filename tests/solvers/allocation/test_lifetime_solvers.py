"""The policies for secagent/Lifetime-v0 that do not learn, the bound on the tasks served, and their comparison."""

import functools
import itertools
import json

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers.lifetime.policies
from eval.command.cli import main
from eval.studies.lifetime.cells import player
from eval.studies.lifetime.study import Lifetime, markdown
from eval.sweep.engine import Sweep, run_sweep
from secagent_env import Scenario, sample_instance
from solvers.lifetime.policies import make_policy, names, tasks_bound

ID = "secagent_env:secagent/Lifetime-v0"


def make(**arguments):
    return gymnasium.make(ID, **{"scenario": "small", "action_format": "dict", **arguments})


def play(policy, env, seed):
    """Return how many tasks a policy serves, and the bound of the episode."""
    env.reset(seed=seed)
    policy.reset(seed)
    running, ended, info = env.unwrapped, False, {}
    bound = tasks_bound(running.instance, running.battery_j, running.least_energy_j)
    while not ended:
        *_, ended, _, info = env.step(policy.act())
    return info["tasks_served"], bound


def bound_of(counts, accuracies, required, min_accuracy):
    """Return the bound for agents who can compute so many tasks each, at 1 J a task."""
    n = len(counts)
    scenario = Scenario(num_agents=n, num_antennas=2, min_selected=required, min_accuracy=min_accuracy)
    instance = sample_instance(scenario, 0).replace(
        accuracy=np.array(accuracies, float), compute_power_w=np.ones(n), inference_time_s=np.ones(n)
    )
    return tasks_bound(instance, np.array(counts, float) + 0.5, np.ones(n))


def most_tasks(counts, accuracies, required, min_accuracy):
    """Return how many tasks can be served at most, by trying every sequence of selections."""
    subsets = [
        members
        for size in range(required, len(counts) + 1)
        for members in itertools.combinations(range(len(counts)), size)
        if np.mean([accuracies[n] for n in members]) >= min_accuracy - 1e-9
    ]

    @functools.cache
    def best(left):
        found = 0
        for members in subsets:
            if all(left[n] for n in members):
                found = max(found, 1 + best(tuple(c - (n in members) for n, c in enumerate(left))))
        return found

    return best(tuple(counts))


# --- The bound -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "required", "expected"),
    [
        ([4, 4, 4], 1, 12),
        ([4, 4, 4], 2, 6),
        ([9, 1, 1], 2, 2),  # the first one works with one of the others at a time
        ([9, 9, 1], 2, 9),
        ([5, 3, 2], 3, 2),
        ([0, 0, 7], 2, 0),
    ],
)
def test_the_bound_by_hand(counts, required, expected):
    assert bound_of(counts, [0.9] * 3, required, 0.5) == expected


def test_the_bound_knows_the_accuracy():
    # Each task of the weak agent (0.5) needs one of the good one (0.9) for a mean of 0.7, not necessarily the same.
    assert bound_of([3, 10], [0.9, 0.5], 1, 0.7) == 6
    assert bound_of([3, 10], [0.9, 0.5], 1, 0.0) == 13
    assert bound_of([3, 10], [0.9, 0.5], 2, 0.7) == 3
    assert bound_of([3, 10], [0.9, 0.5], 1, 0.95) == 0


@given(
    st.integers(2, 4).flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(0, 3), min_size=n, max_size=n),
            st.lists(st.integers(4, 10).map(lambda x: x / 10), min_size=n, max_size=n),
            st.integers(1, n),
        )
    ),
    st.sampled_from([0.0, 0.6, 0.75, 0.9]),
)
def test_no_sequence_of_selections_beats_the_bound(case, min_accuracy):
    counts, accuracies, required = case
    best = most_tasks(counts, accuracies, required, min_accuracy)
    bound = bound_of(counts, accuracies, required, min_accuracy)
    assert bound >= best
    if min_accuracy == 0.0:
        assert bound == best


def test_agents_who_are_too_slow_do_not_count():
    scenario = Scenario(num_agents=2, num_antennas=2, min_selected=1, min_accuracy=0.0, latency_limit_s=10.0)
    instance = sample_instance(scenario, 0).replace(compute_power_w=np.ones(2), inference_time_s=np.array([5.0, 20.0]))
    assert tasks_bound(instance, np.array([50.5, 1000.0]), np.array([5.0, 20.0])) == 10


@settings(max_examples=10)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.floats(0.3, 0.8),
    st.sampled_from(["priced", "random", "myopic"]),
)
def test_no_policy_beats_the_bound(seed, required, accuracy, name):
    scenario = Scenario.preset("small", min_selected=required, min_accuracy=accuracy)
    env = make(scenario=scenario)
    served, bound = play(make_policy(name, env), env, seed)
    assert served <= bound


# --- The policies --------------------------------------------------------------------------------------------


def test_priced_serves_more_than_myopic_and_myopic_more_than_random():
    served = {name: [] for name in names()}
    bounds = []
    for seed in range(8):
        for name in names():
            env = make(scenario={"num_agents": 12, "num_antennas": 6})
            tasks, bound = play(make_policy(name, env), env, seed)
            served[name].append(tasks)
        bounds.append(bound)
    means = {name: np.mean(tasks) for name, tasks in served.items()}
    assert means["random"] < means["myopic"] < means["priced"] <= np.mean(bounds)
    assert means["priced"] > 0.95 * np.mean(bounds)


def test_myopic_is_the_exact_solver():
    env = make(scenario="paper")
    env.reset(seed=0)
    policy = make_policy("myopic", env)
    policy.act()
    exact = solvers.make("exact").solve(env.unwrapped.instance)
    assert np.array_equal(policy.solution.decision.selection, exact.decision.selection)


def test_priced_selects_who_has_the_most_tasks_left():
    env = make(scenario={"num_agents": 12, "num_antennas": 6, "min_accuracy": 0.0})
    env.reset(seed=0)
    policy = make_policy("priced", env)
    for _ in range(5):
        running = env.unwrapped
        left = running.battery_j / running.instance.execution_energy_j
        action = policy.act()
        assert np.array_equal(policy.solution.decision.selection, left >= np.sort(left)[-4])
        env.step(action)


def test_random_is_reproducible():
    env = make()
    policy = make_policy("random", env)
    assert play(policy, env, 3) == play(policy, env, 3)
    env.reset(seed=3)
    policy.reset(0)
    drawn = {policy.act()["selection"].tobytes() for _ in range(20)}
    assert len(drawn) > 3


def test_a_policy_without_a_choice_still_acts():
    env = make()
    env.reset(seed=0, options={"battery_j": np.zeros(6)})
    for name in names():
        policy = make_policy(name, env)
        assert env.action_space.contains(policy.act())
        assert policy.solution.status == "infeasible"


def test_an_unknown_policy():
    with pytest.raises(ValueError, match="unknown policy 'price'; did you mean 'priced'"):
        make_policy("price", make())


# --- The comparison ------------------------------------------------------------------------------------------


def played_by(policies, scenario, episodes, seed, folder):
    """Return the rows of the policies' episodes by policy."""
    frame = run_sweep(Sweep(Lifetime(policies, scenario, episodes, seed).cells()), folder, workers=1)
    assert frame["error"].isna().all()
    return dict(iter(frame.groupby("scheme", sort=False)))


def test_the_comparison_pairs_episodes(tmp_path):
    played = played_by(["myopic", "priced", "asc-plus"], Scenario.preset("small"), 3, 5, tmp_path)
    assert list(played) == ["myopic", "priced", "asc-plus"]
    first = [json.loads(text)[0] for text in played["myopic"]["battery_j"]]
    for found in played.values():
        assert list(found["index"]) == [0, 1, 2]
        assert list(found["bound"]) == list(played["myopic"]["bound"])
        for i, episode in enumerate(found.to_dict("records")):
            battery_j = np.array(json.loads(episode["battery_j"]))
            assert len(battery_j) == episode["served"] + episode["unserved"] + 1
            assert np.array_equal(battery_j[0], first[i])
            assert (np.diff(battery_j, axis=0) <= 0).all()
    # asc-plus finds the same optima as exact.
    assert list(played["asc-plus"]["served"]) == list(played["myopic"]["served"])
    table = markdown(played).splitlines()
    assert [row.split("|")[1].strip() for row in table[2:6]] == ["myopic", "priced", "asc-plus", "upper bound"]
    mean = np.mean(played["priced"]["served"])
    assert f"{mean:.3g}" in table[3].split("|")[2]


def test_the_command_writes_table_and_picture(tmp_path, capsys):
    arguments = ["--scenario", "small", "--episodes", "2", "--policies", "priced", "random", "--workers", "1"]
    assert main(["study", "lifetime", *arguments, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "lifetime.md").read_text(encoding="utf-8") == printed
    assert "over 2 episodes" in printed
    assert (tmp_path / "lifetime.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policies", "prized"], "unknown policy 'prized'; did you mean 'priced'"),
        (["--scenario", "papr"], "did you mean 'paper'"),
        (["--episodes", "0"], "episodes must be an integer ≥ 1, got 0"),
        (["--speed", "0"], "speed must be a finite number > 0, got 0"),
    ],
)
def test_a_bad_command_is_one_sentence(arguments, said, capsys, tmp_path):
    assert main(["study", "lifetime", *arguments, "--out", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_agents_move_where_a_speed_is_given(capsys, tmp_path):
    """Their links change from task to task by how far they go; policies see those, and the same observations."""
    env, _ = player("myopic", Scenario.preset("small"), 2.0)
    places = []
    for _ in range(2):
        env.reset(seed=0)
        env.step(env.action_space.sample())
        places.append(env.unwrapped.instance.position_m)
    assert np.array_equal(*places)
    still, _ = player("myopic", Scenario.preset("small"))
    still.reset(seed=0)
    assert not np.array_equal(still.unwrapped.instance.position_m, places[0])
    assert still.observation_space == env.observation_space
    arguments = ["--scenario", "small", "--episodes", "2", "--policies", "priced", "--workers", "1"]
    for speed in ([], ["--speed", "2"]):
        assert main(["study", "lifetime", *arguments, *speed, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("upper bound") == 2
    moving = Lifetime(("priced",), Scenario.preset("small"), 1, 0, speed=2.0).cells()[0]
    assert moving.options["speed_m_s"] == 2.0
    assert moving.key != Lifetime(("priced",), Scenario.preset("small"), 1, 0).cells()[0].key


def test_a_solver_plays_by_name():
    env, policy = player("asc", Scenario.preset("small"))
    env.reset(seed=0)
    assert env.action_space.contains(policy.act())


def test_trained_agents_play_by_path(tmp_path):
    """One trained on this environment acts in it; one trained on Allocation decides each task by itself."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    torch = pytest.importorskip("torch")
    from training.learn.export import export_policy, policy_metadata

    class MostTasksLeft(torch.nn.Module):
        def forward(self, task, agents, eavesdroppers, batteries):
            scores = torch.tanh(batteries[..., 0])
            # silent jammers, a common level of −16 dB, the zero-forcing beam
            rest = torch.tensor([[-0.4, 0.0, 0.0, 0.8, 0.0]]).expand(agents.shape[0], -1)
            seen = task.sum() + agents.sum() + eavesdroppers.sum()  # or the export leaves these inputs out
            return torch.cat([scores, -torch.ones_like(scores), rest + 0 * seen], -1)

    class Cheapest(MostTasksLeft):
        def forward(self, task, agents, eavesdroppers):
            return super().forward(task, agents, eavesdroppers, -agents[..., 1:2])

    scenario = Scenario.preset("small")
    parts = {"task": torch.rand(2, 6), "agents": torch.rand(2, 6, 6), "eavesdroppers": torch.rand(2, 1, 1)}
    life, allocation = tmp_path / "life.onnx", tmp_path / "allocation.onnx"
    metadata = policy_metadata("life", scenario, environment="secagent/Lifetime-v0")
    export_policy(life, MostTasksLeft(), {**parts, "batteries": torch.rand(2, 6, 2)}, metadata)
    export_policy(allocation, Cheapest(), parts, policy_metadata("allocation", scenario))
    played = played_by(["myopic", str(life), str(allocation)], scenario, 4, 0, tmp_path / "out")
    served = {name: sum(found["served"]) for name, found in played.items()}
    assert served[str(life)] > 0.7 * served["myopic"]
    assert served[str(allocation)] > 0.7 * served["myopic"]
    assert str(life) in markdown(played)
