"""The shared policy of the crossing: the environments that it learns in, a training, and the policy as a team."""

from pathlib import Path

import numpy as np
import pytest

from secagent_env.convoy import CrossingRules, results
from secagent_env.convoy.messages import DECISION, INFORMATION, INTENT, NOTHING
from secagent_env.convoy.parallel import ConvoyParallelEnv
from solvers.convoy.team import Team, play
from training.bridge import GymVecEnv
from training.convoy.shared_driving import LearntTeam, exported, train
from training.convoy.vehicles import VehiclesVectorEnv, action_size, actions_of

RULES = CrossingRules(num_vehicles=2)


def test_numbers_are_actions_by_hand():
    numbers = np.array([[[-1.0, 0.1, 0.1], [-0.5, 0.0, -0.1]], [[0.5, -0.1, 0.9], [7.0, 1.0, 0.0]]])
    actions = actions_of(numbers, "intent", RULES)
    assert actions.acceleration.tolist() == [[-6.0, -3.0], [1.5, 3.0]]
    assert actions.send.tolist() == [[INTENT, NOTHING], [NOTHING, INTENT]]
    assert actions.power_w.tolist() == [[0.1, 0.0], [0.0, 0.1]]
    assert actions.go.tolist() == [[1, 0], [1, 0]]
    for level, number in (("decision", DECISION), ("information", INFORMATION)):
        told = actions_of(numbers[..., :2], level, RULES)
        assert told.send.tolist() == [[number, NOTHING], [NOTHING, number]]
        assert not told.go.any()
    silent = actions_of(numbers[..., :1], "nothing", RULES)
    assert not silent.send.any()
    assert not silent.power_w.any()
    assert [action_size(level) for level in ("nothing", "information", "decision", "intent")] == [1, 2, 2, 3]


def test_vehicles_know_their_arm():
    envs = VehiclesVectorEnv("nothing", 2, RULES)
    seen, _ = envs.reset(seed=0)
    assert seen.shape == (4, *envs.single_observation_space.shape)
    np.testing.assert_array_equal(seen[:, -2:], [[1, 0], [0, 1], [1, 0], [0, 1]])
    assert envs.single_observation_space.contains(seen[0])


def test_a_vehicle_of_the_batch_is_one_of_the_parallel_environment():
    envs = VehiclesVectorEnv("decision", 1, RULES)
    seen, _ = envs.reset(seed=3)
    env = ConvoyParallelEnv(num_vehicles=2)
    same, _ = env.reset(options={"start": envs.crossings.start})
    np.testing.assert_array_equal(seen[:, :4], [same["vehicle_0"][:4], same["vehicle_1"][:4]])
    _, reward, over, _, _ = envs.step(np.array([[0.5, 1.0], [-0.5, -1.0]]))
    parts = [(1.5, DECISION), (-3.0, NOTHING)]
    acts = {
        f"vehicle_{i}": {"acceleration": [a], "go": 0, "send": send, "power": [0.1]}
        for i, (a, send) in enumerate(parts)
    }
    _, rewards, _, _, _ = env.step(acts)
    assert reward.tolist() == pytest.approx(list(rewards.values()))
    assert not over.any()


def test_ended_crossings_are_replaced_and_the_others_go_on():
    envs = GymVecEnv(VehiclesVectorEnv("nothing", 40, RULES))
    envs.seed(1)
    first = envs.reset()
    ended = 0
    for _ in range(60):
        before = envs.envs.crossings.place.copy()
        seen, rewards, over, infos = envs.step(np.zeros((80, 1)))
        pairs = over.reshape(40, 2)
        assert (pairs[:, 0] == pairs[:, 1]).all()
        assert (rewards.reshape(40, 2)[:, 0] == rewards.reshape(40, 2)[:, 1]).all()
        for i in np.flatnonzero(over):
            assert "terminal_observation" in infos[i]
            assert not np.array_equal(infos[i]["terminal_observation"], seen[i])
        place = envs.envs.crossings.place
        driving = ~envs.envs.crossings.crossed & ~pairs[:, :1]
        assert (place[driving] > before[driving]).all()
        assert (place[pairs[:, 0]] < -20).all()
        assert (seen[over, 2] == 0).all()  # the clock of the new ones
        ended += int(over.sum())
        assert envs.envs.crossings.active.all()
    assert ended > 80
    envs.seed(1)
    np.testing.assert_array_equal(envs.reset(), first)


def test_the_clock_ends_a_crossing_that_stands():
    envs = VehiclesVectorEnv("nothing", 2, RULES)
    envs.reset(seed=0)
    ends = [bool(envs.step(np.full((4, 1), -1.0))[2].all()) for _ in range(101)]
    assert ends.index(True) == 99


def test_way_earns_the_same_in_all_however_it_was_made():
    plain, paid = (VehiclesVectorEnv("nothing", 1, CrossingRules(num_vehicles=2), bonus_per_m=b) for b in (0.0, 0.5))
    for acceleration in (0.0, 0.2):
        for envs in (plain, paid):
            envs.reset(seed=5)
            envs.crossings.place[0, 1] = -70.0  # late enough to meet nobody
        first, total, over = paid.crossings.place[0].copy(), 0.0, [False]
        while not over[0]:
            action = np.array([[acceleration], [0.0]])
            _, without, _, _, _ = plain.step(action)
            _, reward, over, _, _ = paid.step(action)
            total += reward[0] - without[0]
        assert total == pytest.approx(0.5 * (30.0 - first).mean())


def team_of(model: object, folder: Path, level: str = "intent") -> LearntTeam:
    path = folder / f"{level}.onnx"
    path.write_bytes(exported(model, {"level": level}))
    return LearntTeam(level, path)


def test_a_moment_of_training_pays_and_is_repeatable(tmp_path):
    rules = CrossingRules()
    (tmp_path / "untrained").mkdir()
    model = train("nothing", 40_960, 0, crossings=64)
    teams = {"trained": team_of(model, tmp_path, "nothing")}
    teams["untrained"] = team_of(train("nothing", 0, 0, crossings=64), tmp_path / "untrained", "nothing")
    found = {name: results(play(rules, team, 200, seed=4)) for name, team in teams.items()}
    assert found["trained"]["collided"].mean() < found["untrained"]["collided"].mean()
    again = train("nothing", 4096, 0, crossings=64)
    twin = train("nothing", 4096, 0, crossings=64)
    seen = np.zeros((1, *model.observation_space.shape), np.float32)
    assert again.predict(seen, deterministic=True)[0].tolist() == twin.predict(seen, deterministic=True)[0].tolist()


def test_the_team_acts_as_the_policy_does_and_gets_the_starts_of_all(tmp_path):
    model = train("intent", 0, 3, crossings=4)
    running = play(CrossingRules(), team_of(model, tmp_path), 6, seed=2)
    np.testing.assert_array_equal(running.start.place, play(CrossingRules(), Team(), 6, seed=2).start.place)
    envs = VehiclesVectorEnv("intent", 6)
    seen, _ = envs.reset(seed=0)
    team = LearntTeam("intent", tmp_path / "intent.onnx")
    actions = actions_of(model.predict(seen, deterministic=True)[0].reshape(6, 4, 3), "intent", CrossingRules())
    found = team.act(envs.crossings)
    np.testing.assert_allclose(found.acceleration, actions.acceleration, atol=1e-5)
    np.testing.assert_array_equal(found.send, actions.send)
    np.testing.assert_array_equal(found.go, actions.go)


def test_errors_say_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="unknown level"):
        VehiclesVectorEnv("gossip", 2)
    for change in ({"organisation": "independent"}, {"roadside": True}):
        with pytest.raises(ValueError, match="a shared policy drives and sends"):
            VehiclesVectorEnv("intent", 2, CrossingRules(**change))
    team_of(train("nothing", 0, 0, crossings=2), tmp_path, "nothing")
    with pytest.raises(ValueError, match="it is a policy of the level nothing, not intent"):
        LearntTeam("intent", tmp_path / "nothing.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"cannot use .*broken\.onnx: it is broken"):
        LearntTeam("intent", tmp_path / "broken.onnx")
