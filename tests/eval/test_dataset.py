"""Data sets for offline reinforcement learning: Minari reads them, and the environment gives the same again."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from eval.command.cli import main
from secagent_env import Scenario

minari = pytest.importorskip("minari")

from eval.offline import episodes  # noqa: E402


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(episodes.PLACE, str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.mark.parametrize("environment", ["allocation", "guided"])
def test_what_is_recorded_is_what_the_environment_gives(environment: str, place: Path, capsys):
    arguments = ["--scenario", "small", "--episodes", "5", "--seed", "3", "--env", environment]
    assert main(["-q", "dataset", "exact", "random", *arguments]) == 0
    shown = capsys.readouterr().out
    middle = "small-guided" if environment == "guided" else "small"
    for policy in ("exact", "random"):
        assert f"secagent/{middle}-{policy}-v0" in shown
        data = minari.load_dataset(f"secagent/{middle}-{policy}-v0")
        env = data.recover_environment()
        rewards = []
        for number, episode in enumerate(data.iterate_episodes()):
            observation, _ = env.reset(seed=3 + number)
            np.testing.assert_array_equal(observation, episode.observations[0])
            observation, reward, terminated, truncated, _ = env.step(episode.actions[0])
            np.testing.assert_array_equal(observation, episode.observations[1])
            assert (reward, terminated, truncated) == (episode.rewards[0], True, False)
            assert (episode.terminations.tolist(), episode.truncations.tolist()) == ([True], [False])
            rewards.append(reward)
        assert len(rewards) == 5
        metadata = data.storage.metadata
        assert metadata["algorithm_name"] == policy
        assert f"mean reward is {np.mean(rewards):.4g}" in metadata["description"]
        assert "secagent -q dataset exact random" in metadata["description"]
        score = minari.get_normalized_score(data, np.mean(rewards))
        assert score == pytest.approx({"exact": 1, "random": 0}[policy])
    assert "100.0%" in shown


def test_policies_play_the_same_networks_and_seeds_repeat(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scenario = Scenario.preset("small")
    monkeypatch.chdir(tmp_path)
    for out in (tmp_path / "a", Path("b")):
        episodes.record(["random"], scenario, "small", episodes=3, seed=1, out=out, progress=False)
    assert not place.exists()  # the variable is as it was, and unused

    def read(folder: Path, name: str) -> list:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(episodes.PLACE, str(folder))
            return [(e.observations[0], e.actions[0]) for e in minari.load_dataset(name).iterate_episodes()]

    one, two = (read(tmp_path / out, "secagent/small-random-v0") for out in ("a", "b"))
    for part in (0, 1):
        np.testing.assert_array_equal([e[part] for e in one], [e[part] for e in two])
    assert not np.array_equal(one[0][1], one[1][1])
    episodes.record(["ppo(repair=false)"], scenario, "small", episodes=3, seed=1, out=tmp_path / "a", progress=False)
    other = read(tmp_path / "a", "secagent/small-ppo-repair-false-v0")
    np.testing.assert_array_equal([e[0] for e in one], [e[0] for e in other])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["exat"], "unknown solver 'exat'; did you mean 'exact'"),
        (["random", "--episodes", "0"], "episodes must be"),
        (["random", "--seed", "-1"], "seed must be"),
        (["exact", "--max-seconds", "0"], "max_seconds must be"),
        (["random", "--scenario", "papr"], "did you mean 'paper'"),
    ],
)
def test_bad_arguments_leave_nothing(arguments: list[str], message: str, place: Path, capsys):
    assert main(["-q", "dataset", "--scenario", "small", *arguments][: 2 + 2 + len(arguments)]) == 2
    assert message in capsys.readouterr().err
    assert not list(place.glob("secagent/*"))


def test_a_data_set_is_not_overwritten_and_none_is_half_written(place: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    arguments = ["-q", "dataset", "random", "--scenario", "small", "--episodes", "2"]
    assert main(arguments) == 0
    assert main(arguments) == 2
    assert "there is a data set secagent/small-random-v0: delete it" in capsys.readouterr().err
    real = minari.create_dataset_from_buffers

    def full(*arguments, **options):
        real(*arguments, **options)
        raise OSError("No space left on device")

    monkeypatch.setattr(minari, "create_dataset_from_buffers", full)
    assert main([*arguments, "--env", "guided"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in place.glob("secagent/*-v0")] == ["small-random-v0"]


def test_without_minari_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "minari", None)
    assert main(["-q", "dataset", "random", "--scenario", "small"]) == 2
    assert "pip install 'secagent-env[offline]'" in capsys.readouterr().err


def test_a_policy_that_is_named_twice_or_none_is_told():
    with pytest.raises(ValueError, match="needs a policy that plays"):
        episodes.record([], Scenario.preset("small"), "small")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert episodes._plain("law (no LLM, rounds=1)") == "law-no-LLM-rounds-1"
