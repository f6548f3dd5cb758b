"""The shared policy of power control: what it sees is what the parallel environment shows, and it learns."""

import numpy as np
import pytest

from eval.command.cli import main
from secagent_env.power_control import parallel_env, rates, sample_game
from secagent_env.power_control.metrics import metric_of, rate_gap, total_power
from solvers.power_control import dpc
from solvers.power_control.players import play
from training.bridge import GymVecEnv
from training.power_control.pairs import METRIC, PairsVectorEnv, observations
from training.power_control.shared_power import SharedPolicy, export, train


def test_what_a_pair_sees_is_what_the_numeric_environment_shows():
    env = parallel_env(num_pairs=3, talk=False)
    seen, _ = env.reset(seed=4)
    for played in range(3):
        found = observations(env.game, env.match.power_w, played / 10)
        for i, agent in enumerate(env.agents):
            np.testing.assert_array_equal(found[i], seen[agent])
        seen, *_ = env.step({agent: np.array([1.0 + i], np.float32) for i, agent in enumerate(env.agents)})


def test_a_step_pays_every_pair_the_metric_of_its_game():
    envs = PairsVectorEnv(2, 3, metric="power")
    envs.reset(seed=0)
    actions = np.array([[-1], [1], [0], [0], [1], [1]], np.float32)  # silent, P_max = 10 W, half
    _, reward, over, _, _ = envs.step(actions)
    assert reward.tolist() == [-10, -10, -10, -10, -20, -20]
    assert not over.any()


def test_games_end_after_ten_rounds_and_new_ones_begin():
    envs = GymVecEnv(PairsVectorEnv(2, 3))
    envs.seed(1)
    first = envs.reset()
    for played in range(1, 11):
        seen, _, over, infos = envs.step(np.zeros((6, 1), np.float32))
        assert over.all() == over.any() == (played == 10)
    assert infos[0]["terminal_observation"][2] == 1.0
    assert (seen[:, 2] == 0.0).all()
    assert not np.array_equal(seen, first)
    envs.seed(1)
    assert np.array_equal(envs.reset(), first)


def test_a_moment_of_training_lowers_the_power(tmp_path):
    model = train(2, 30_720, seed=0, games=128)
    export(model, tmp_path / "ppo-2.onnx", {"pairs": 2})
    policy = SharedPolicy(2, tmp_path)
    game = sample_game(2, 1, (200,), feasible=False)
    untrained = train(2, 0, seed=0, games=128)
    export(untrained, tmp_path / "before" / "ppo-2.onnx", {"pairs": 2})
    powers = {"after": policy.powers(game)[-1], "before": SharedPolicy(2, tmp_path / "before").powers(game)[-1]}
    gaps = {name: rate_gap(game, power, rates(game, power)).mean() for name, power in powers.items()}
    assert gaps["after"] < 0.9 * gaps["before"]


@pytest.mark.parametrize("num_pairs", [2, 4, 10])
def test_the_shipped_policies_beat_dpc_in_what_they_were_trained_for(num_pairs):
    game = sample_game(num_pairs, 9, (300,), feasible=False)
    found, usual = SharedPolicy(num_pairs).powers(game)[-1], dpc(game, 10)[-1]
    mine, theirs = (metric_of(METRIC)(game, power, rates(game, power)).mean() for power in (found, usual))
    assert mine > theirs
    powers = [total_power(game, power, rates(game, power)).mean() for power in (found, usual)]
    assert powers[0] < 0.9 * powers[1]


def test_as_a_player_it_plays_the_same_game():
    game = sample_game(4, 3)
    record = play(game, SharedPolicy(4), talk=False)
    np.testing.assert_allclose(record.power_w, SharedPolicy(4).powers(game), rtol=1e-5)


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"secagent study shared-power --pairs 3"):
        SharedPolicy(3)
    (tmp_path / "ppo-2.onnx").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"cannot use .*ppo-2\.onnx: it is broken"):
        SharedPolicy(2, tmp_path)


def test_the_command_writes_a_policy_and_its_card(tmp_path, capsys):
    folders = ["--policies", str(tmp_path), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main(["study", "shared-power", "--pairs", "2", "--steps", "5120", *folders]) == 0
    assert "ppo-2.onnx" in capsys.readouterr().out
    assert "secagent study shared-power --pairs 2 --steps 5120" in (tmp_path / "ppo-2.md").read_text()
    assert SharedPolicy(2, tmp_path).powers(sample_game(2, 0)).shape == (11, 2)
    assert main(["study", "shared-power", "--pairs", "0", *folders]) == 2
    assert "the number of pairs must be an integer ≥ 1, got 0" in capsys.readouterr().err
