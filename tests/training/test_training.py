"""Training: it learns, repeats itself, resumes bit by bit, and keeps training, validation and test apart."""

import dataclasses
import json
import os
import signal
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import solvers
from secagent_env import Scenario, sample_instance
from secagent_env.support.digests import sealed
from secagent_env.support.files import held
from training.learn import seeds

pytest.importorskip("sb3_contrib")
pytest.importorskip("yaml")

import torch

from training.learn.checkpoint import Checkpoint, _digest, recover
from training.learn.learner import ALGORITHMS, State, Task, learner_class, module_of
from training.learn.run_folder import RunFolder
from training.learn.settings import ENVIRONMENTS, FOLDER, Settings, load_settings
from training.learn.train import train
from training.learn.validation import AllocationValidation

TINY = Scenario(num_agents=4, num_antennas=4, min_accuracy=0.5)
ON_POLICY = {"n_steps": 2, "policy_kwargs": {"net_arch": [16]}, "learning_rate": {"start": 1e-3, "end": 0.0}}
PPO = ON_POLICY | {"batch_size": 32, "n_epochs": 2}
OFF_POLICY = {
    "learning_starts": 64,
    "batch_size": 16,
    "buffer_size": 640,  # full, and written over, in the third segment
    "policy_kwargs": {"net_arch": [16]},
    "learning_rate": {"start": 1e-3, "end": 0.0},
}
ARGUMENTS = {
    "ppo": PPO,
    "ppo-lagrangian": PPO | {"kp": 1.0, "kd": 1.0},
    "a2c": ON_POLICY,
    "sac": OFF_POLICY,
    "td3": OFF_POLICY | {"action_noise_std": 0.1},
    "tqc": OFF_POLICY,
    "l2o": {"batch_size": 64, "width": 8},
}
EQUIVARIANT = {"policy": "equivariant", "arguments": PPO | {"policy_kwargs": {"width": 8}}}


def task(
    algo: str = "ppo", *, seed: int = 0, scenario: Scenario = TINY, arguments: dict | None = None, **fields
) -> Task:
    sizes = {"policy": "mlp", "num_envs": 16, "segment_steps": 256, "steps": 1280}
    settings = Settings(**{**sizes, **fields}, arguments=ARGUMENTS[algo] if arguments is None else arguments)
    return Task(algo=algo, environment="allocation", scenario=scenario, settings=settings, seed=seed)


def without_times(path: Path) -> list[dict]:
    rows = map(json.loads, (path / "evaluations.jsonl").read_text().splitlines())
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in rows]


def parameters(path: Path) -> dict[str, Any]:
    return torch.load(path / "checkpoint" / "parameters.pt", weights_only=True)


def assert_equal(first: Any, second: Any) -> None:
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_equal(first[name], second[name])
    elif isinstance(first, (list, tuple)):
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second


@contextmanager
def interrupted_after(segments: int, calls: int = 1000) -> Iterator[None]:
    """Send this process what Ctrl-C does, so many function calls after a segment's checkpoint: always at one place."""
    left = {"segments": segments, "calls": calls}
    save = Checkpoint.save

    def count(frame: object, event: str, argument: object) -> None:
        left["calls"] -= event == "call"
        if left["calls"] == 0:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

    def saved(checkpoint: Checkpoint, folder: Path) -> None:
        save(checkpoint, folder)
        left["segments"] -= 1
        if left["segments"] == 0:
            sys.setprofile(count)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Checkpoint, "save", saved)
        try:
            with pytest.raises(KeyboardInterrupt):
                yield
        finally:
            sys.setprofile(None)


DROPPED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""For an interrupt that arrives while a finaliser runs, where Python drops it: the training ends all the same."""


def segments_done(path: Path) -> int:
    try:
        return json.loads((path / "checkpoint" / "counters.json").read_text())["progress"]["segment"]
    except (OSError, ValueError):
        return 0


# --- It learns ------------------------------------------------------------------------------------------------


def test_ppo_learns_whom_to_select(tmp_path: Path):
    """Untrained and random policies spend twice the bound here; a trained one must be within a quarter of it."""
    arguments = {
        "n_steps": 2,
        "batch_size": 128,
        "n_epochs": 8,
        "learning_rate": {"start": 3e-3, "end": 0.0},
        "policy_kwargs": {"net_arch": [64, 64], "log_std_init": -1.0},
    }
    learning = task(arguments=arguments, num_envs=256, steps=20_480, segment_steps=10_240)
    best = train(learning, tmp_path / "run")
    untrained = without_times(tmp_path / "run")[0]
    assert untrained["steps"] == 0
    assert untrained["gap"] > 0.5
    assert best["steps"] > 0
    assert best["feasible"] > 0.95
    assert best["gap"] < 0.25


# --- It repeats itself ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algo", "fields"),
    [
        *((algo, {}) for algo in ("ppo", "ppo-lagrangian", "a2c", "sac", "td3", "tqc")),
        ("ppo", EQUIVARIANT),
        ("ppo", {"environment_options": {"rng": "bulk"}}),
        ("ppo-lagrangian", EQUIVARIANT),
        ("l2o", {"policy": "equivariant"}),
    ],
    ids=[
        *("ppo", "ppo-lagrangian", "a2c", "sac", "td3", "tqc"),
        *("ppo-equivariant", "ppo-bulk", "ppo-lagrangian-equivariant", "l2o"),
    ],
)
@DROPPED
def test_an_interrupted_training_that_is_resumed_ends_as_one_that_was_not(algo: str, fields: dict, tmp_path: Path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    learning = task(algo, **fields)
    train(learning, whole)
    with interrupted_after(segments=2):
        train(learning, parts)
    assert segments_done(parts) == 2
    best = train(learning, parts)
    assert_equal(parameters(whole), parameters(parts))
    assert without_times(whole) == without_times(parts)
    assert best["steps"] == max(without_times(parts), key=lambda row: row["score"])["steps"]
    assert (whole / "policy.onnx").read_bytes() == (parts / "policy.onnx").read_bytes()
    if algo in ("sac", "td3", "tqc"):
        with np.load(whole / "checkpoint" / "replay.npz") as one, np.load(parts / "checkpoint" / "replay.npz") as other:
            assert one["rewards"].shape == (40, 16)
            for name in one.files:
                np.testing.assert_array_equal(one[name], other[name])


def test_other_seeds_give_other_trainings(tmp_path: Path):
    for seed in (0, 1):
        train(task(seed=seed, steps=256), tmp_path / str(seed))
    assert not torch.equal(*(parameters(tmp_path / str(s))["policy"]["action_net.weight"] for s in (0, 1)))


def test_what_is_done_is_not_trained_again(tmp_path: Path):
    first = train(task(steps=256), tmp_path)
    before = (tmp_path / "config.json").read_bytes(), (tmp_path / "evaluations.jsonl").read_bytes()
    assert train(task(steps=256), tmp_path) == first
    assert ((tmp_path / "config.json").read_bytes(), (tmp_path / "evaluations.jsonl").read_bytes()) == before


@DROPPED
def test_learning_rates_follow_the_whole_training_and_logs_have_no_point_twice(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with interrupted_after(segments=2):
        train(task(), tmp_path)
    train(task(), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    rates = events.Scalars("train/learning_rate")
    assert len(rates) > 20
    assert all(first.step < second.step and first.value > second.value for first, second in pairwise(rates))
    assert rates[-1].value < 0.1 * rates[0].value < 1e-4 + 1e-6
    assert [point.step for point in events.Scalars("validation/gap")] == [256, 512, 768, 1024, 1280]
    assert events.Scalars("rollout/ep_rew_mean")[-1].value < 0


# --- The folder of a run --------------------------------------------------------------------------------------


def test_the_folder_says_how_the_policy_came_about(tmp_path: Path):
    best = train(task(steps=512, evaluate_every=2), tmp_path / "a" / "b", command="secagent train ppo")
    folder = tmp_path / "a" / "b"
    config = json.loads((folder / "config.json").read_text())
    assert config["algo"] == "ppo"
    assert config["environment"] == "secagent/Allocation-v0"
    assert Scenario(**config["scenario"]) == TINY
    assert config["hyperparameters"]["n_epochs"] == 2
    assert config["hyperparameters"]["num_envs"] == 16
    assert config["seed"] == 0
    assert config["command"] == "secagent train ppo"
    assert {"secagent", "torch", "numpy", "stable-baselines3", "python"} <= set(config["versions"])
    assert config["used"]["steps"] == 512
    assert config["used"]["cpu_seconds"] > 0
    assert config["best"] == best
    assert [row["steps"] for row in without_times(folder)] == [0, 512]
    assert any((folder / "tensorboard").iterdir())


def test_the_exported_policy_is_the_best_one(tmp_path: Path):
    import training

    learning = task(steps=512)
    train(learning, tmp_path)
    checkpoint = Checkpoint.load(tmp_path / "checkpoint")
    learner = learner_class("ppo")(learning, "cpu")
    learner.load_policy_state(checkpoint.best)
    validation = AllocationValidation(learning, tmp_path / "bounds.json")
    best = checkpoint.progress["best"]
    measured = validation.measure(learner.act)
    assert {name: best[name] for name in measured} == measured

    agent = training.load_agent(tmp_path, repair=False)
    decision = agent.solve_batch(validation._instances)
    wanted = validation._rules.actions.decode(learner.act(validation._observations), validation._instances)
    np.testing.assert_array_equal(decision.selection, wanted.selection)
    np.testing.assert_allclose(decision.power_w, wanted.power_w, rtol=1e-3)
    learner.close()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seed": 1}, r"\(seed is 0 there, 1 here\)"),
        ({"steps": 512}, r"\(steps is 256 there, 512 here\)"),
        ({"arguments": PPO | {"n_epochs": 3}}, r"\(n_epochs is 2 there, 3 here\)"),
        ({"arguments": PPO | {"ent_coef": 0.1}}, r"\(ent_coef is None there, 0\.1 here\)"),
        ({"scenario": TINY.replace(num_antennas=5)}, r"\(num_antennas is 4 there, 5 here\)"),
    ],
)
def test_another_training_in_the_same_folder_is_refused(tmp_path: Path, changes: dict, sentence: str):
    train(task(steps=256), tmp_path)
    with pytest.raises(ValueError, match=rf"holds another training {sentence}; name another folder"):
        train(task(**{"steps": 256, **changes}), tmp_path)


def test_two_trainings_in_one_folder_at_a_time_are_refused(tmp_path: Path):
    train(task(steps=256), tmp_path)
    before = (tmp_path / "evaluations.jsonl").read_bytes()
    with held(tmp_path), pytest.raises(ValueError, match=r"another process trains in .*name another folder"):
        train(task(steps=256), tmp_path)
    assert (tmp_path / "evaluations.jsonl").read_bytes() == before
    train(task(steps=256), tmp_path)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="is not empty and holds no training"):
        train(task(), tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="does not describe a training"):
        train(task(), tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is broken"):
        train(task(), tmp_path)


def test_wrong_hyperparameters_leave_no_folder(tmp_path: Path):
    for wrong in ({"learning_rate": {"begin": 1}}, {"batch_size": 1}, {"learning_rate": "fast"}):
        with pytest.raises(ValueError, match=r"learning_rate must be|ppo refuses its hyperparameters"):
            train(task(arguments=PPO | wrong), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# --- Checkpoints ----------------------------------------------------------------------------------------------


def checkpoint(value: int) -> Checkpoint:
    return Checkpoint(
        State({"x": torch.tensor([value])}, {"n": value}, {"a": np.arange(value)}), None, {"segment": value}
    )


def test_a_checkpoint_comes_back(tmp_path: Path):
    folder = tmp_path / "checkpoint"
    assert Checkpoint.load(folder) is None
    for value in (1, 2):
        checkpoint(value).save(folder)
        loaded = Checkpoint.load(folder)
        assert loaded.state.tensors["x"].item() == loaded.state.counters["n"] == len(loaded.state.arrays["a"]) == value
        assert loaded.progress == {"segment": value}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("crash", ["writing", "between", "cleaning"])
def test_a_saving_that_was_cut_off_leaves_the_last_complete_checkpoint(tmp_path: Path, crash: str):
    folder, new, old = (tmp_path / name for name in ("checkpoint", ".checkpoint.new", ".checkpoint.old"))
    checkpoint(1).save(folder)
    if crash == "writing":
        new.mkdir()
        (new / "parameters.pt").write_bytes(b"half")
    elif crash == "between":
        checkpoint(2).save(new)
        folder.rename(old)
    else:
        checkpoint(0).save(old)
    recover(folder)
    assert Checkpoint.load(folder).progress == {"segment": 2 if crash == "between" else 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("name", ["parameters.pt", "best.pt", "counters.json", "replay.npz"])
def test_a_broken_checkpoint_is_told_in_one_sentence(tmp_path: Path, name: str):
    train(task("sac", steps=256), tmp_path)
    path = tmp_path / "checkpoint" / name
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"^the checkpoint .*checkpoint is broken \(.*\); train into another folder"):
        train(task("sac", steps=256), tmp_path)


def test_other_lines_among_evaluations_and_other_progress_are_no_fault_of_ours(tmp_path: Path):
    train(task(steps=256), tmp_path)
    whole = (tmp_path / "evaluations.jsonl").read_text()
    (tmp_path / "evaluations.jsonl").write_text(f'3\n[]\n{{"steps": "x"}}\n{{}}\n{whole}{{"steps": 1')
    train(task(steps=256), tmp_path)
    assert (tmp_path / "evaluations.jsonl").read_text() == whole
    put(tmp_path / "checkpoint", {"counters": Checkpoint.load(tmp_path / "checkpoint").state.counters})
    with pytest.raises(ValueError, match=r"^the checkpoint .* is broken \(KeyError: 'segment'\)"):
        train(task(steps=256), tmp_path)


def put(folder: Path, numbers: object) -> None:
    """Write the numbers of a checkpoint, with the digests of what lies beside them."""
    if isinstance(numbers, dict):
        files = {path.name: _digest(path) for path in folder.iterdir() if path.name != "counters.json"}
        numbers = sealed({"counters": {}, "progress": {}, "files": files, **numbers})
    (folder / "counters.json").write_text(json.dumps(numbers))


def pressed(path: Path) -> None:
    """Compress an archive."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    "numbers",
    [[], 3, None, {"files": [1]}, {"files": "x"}, {"files": None}, {"files": {}}, {"counters": 1}, {"progress": "x"}],
)
def test_a_checkpoint_with_other_numbers_is_told_in_one_sentence(tmp_path: Path, numbers: object):
    checkpoint(1).save(tmp_path / "checkpoint")
    put(tmp_path / "checkpoint", numbers)
    with pytest.raises(ValueError, match=r"^the checkpoint .*checkpoint is broken \("):
        Checkpoint.load(tmp_path / "checkpoint")


def test_a_file_that_was_put_into_a_checkpoint_or_taken_out_is_noticed(tmp_path: Path):
    checkpoint(1).save(tmp_path / "checkpoint")
    torch.save({"x": torch.ones(1)}, tmp_path / "checkpoint" / "best.pt")
    with pytest.raises(ValueError, match=r"the files in it are not those that counters.json names"):
        Checkpoint.load(tmp_path / "checkpoint")
    checkpoint(1).save(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "replay.npz").unlink()
    with pytest.raises(ValueError, match=r"the files in it are not those that counters.json names"):
        Checkpoint.load(tmp_path / "checkpoint")


@pytest.mark.parametrize("name", ["parameters.pt", "replay.npz", "counters.json"])
def test_a_pipe_in_a_checkpoint_is_not_waited_for(tmp_path: Path, name: str):
    checkpoint(1).save(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / name).unlink()
    os.mkfifo(tmp_path / "checkpoint" / name)
    with pytest.raises(ValueError, match=f"{name} is no file"):
        Checkpoint.load(tmp_path / "checkpoint")


@pytest.mark.parametrize("name", ["parameters.pt", "replay.npz"])
def test_a_checkpoint_unpacks_to_no_more_than_its_files_have(tmp_path: Path, name: str):
    state = State({"x": torch.zeros(10**6)}, {}, {"a": np.zeros(10**6)})
    Checkpoint(state, None, {}).save(tmp_path / "checkpoint")
    pressed(tmp_path / "checkpoint" / name)
    put(tmp_path / "checkpoint", {})
    with pytest.raises(
        ValueError, match=r"unpacks to more than it has|arrays have 8 MB, and at most 0\.\d+ MB are read"
    ):
        Checkpoint.load(tmp_path / "checkpoint")


def test_a_checkpoint_of_an_earlier_version_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    checkpoint(1).save(tmp_path / "checkpoint")
    put(tmp_path / "checkpoint", [])
    (tmp_path / "checkpoint" / "counters.json").write_text('{"counters": {"n": 1}, "progress": {}}')
    assert Checkpoint.load(tmp_path / "checkpoint").state.counters == {"n": 1}
    assert "unverified" in caplog.text


def test_a_checkpoint_of_another_network_is_told_in_one_sentence(tmp_path: Path):
    train(task(steps=256), tmp_path)
    other = Checkpoint.load(tmp_path / "checkpoint")
    del other.state.tensors["policy"]["log_std"]
    other.save(tmp_path / "checkpoint")
    with pytest.raises(ValueError, match=r"is broken .*log_std"):
        train(task(steps=256), tmp_path)


class Evil:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("evil"),)


def test_a_checkpoint_can_execute_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    train(task(steps=256), tmp_path / "run")
    hostile = Checkpoint.load(tmp_path / "run" / "checkpoint")
    hostile.state.tensors["policy"] = Evil()
    hostile.save(tmp_path / "run" / "checkpoint")
    with pytest.raises(ValueError, match=r"is broken .*Unpickl"):
        train(task(steps=256), tmp_path / "run")
    assert not Path("evil").exists()


def test_half_a_line_of_an_evaluation_is_dropped(tmp_path: Path):
    folder = RunFolder(tmp_path)
    folder.append_evaluation({"steps": 1})
    folder.append_evaluation({"steps": 2})
    with open(folder.evaluations, "a") as file:
        file.write('{"ste')
    folder.forget_evaluations_after(1)
    assert folder.evaluations.read_text() == '{"steps": 1}\n'


def test_a_checkpoint_whose_numbers_were_changed_is_refused(tmp_path: Path):
    checkpoint(1).save(tmp_path / "checkpoint")
    path = tmp_path / "checkpoint" / "counters.json"
    path.write_text(path.read_text().replace('"segment": 1', '"segment": 7'))
    with pytest.raises(ValueError, match=r"is broken .*its content is not what its digest says"):
        Checkpoint.load(tmp_path / "checkpoint")


# --- Validation -----------------------------------------------------------------------------------------------


def test_the_optimum_has_no_gap(tmp_path: Path):
    validation = AllocationValidation(task(), tmp_path / "bounds.json")
    exact = solvers.make("exact")
    actions = [
        validation._rules.actions.encode(exact.solve(instance).decision, instance)
        for instance in validation._instances[:20]
    ]
    few = AllocationValidation(task(), tmp_path / "bounds.json")
    few._instances, few._seen, few._lower, few._observations = (
        few._instances[:20],
        few._seen[:20],
        few._lower[:20],
        few._observations[:20],
    )
    measured = few.measure(lambda observations: np.stack(actions))
    assert measured["feasible"] == 1.0
    assert 0 <= measured["gap"] < 1e-6
    assert measured["score"] == pytest.approx(-np.mean(few._lower) / few._rules.reference_j, rel=1e-6)


def test_bounds_are_kept_and_made_anew_where_broken(tmp_path: Path):
    path = tmp_path / "bounds.json"
    first = AllocationValidation(task(), path)._lower
    before = path.stat().st_mtime_ns
    np.testing.assert_array_equal(AllocationValidation(task(), path)._lower, first)
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"nothing")
    np.testing.assert_array_equal(AllocationValidation(task(), path)._lower, first)


def test_a_scenario_that_nobody_can_serve_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="no validation instance of this scenario is feasible"):
        train(task(scenario=TINY.replace(min_accuracy=0.99)), tmp_path / "run")


def test_lifetime_is_judged_by_the_tasks_served(tmp_path: Path):
    arguments = {"n_steps": 16, "batch_size": 64, "n_epochs": 1}
    learning = dataclasses.replace(task(steps=512, arguments=arguments), environment="lifetime")
    best = train(learning, tmp_path)
    rows = without_times(tmp_path)
    assert [row["steps"] for row in rows] == [0, 256, 512]
    assert all(0 < row["score"] <= row["length"] for row in rows)
    assert best["score"] == max(row["score"] for row in rows)
    assert json.loads((tmp_path / "config.json").read_text())["environment"] == "secagent/Lifetime-v0"


# --- Seeds ----------------------------------------------------------------------------------------------------


def test_no_seed_trains_and_judges():
    ranges = [range(1_000_000_000), seeds.VALIDATION, seeds.TEST, seeds.TRAIN]
    assert all(first.stop <= second.start for first, second in pairwise(ranges))
    corners = product((0, 1, 2**26 - 1), (0, 1, 2**20 - 1))
    blocks = sorted(seeds.train_seed(run, segment) for run, segment in corners)
    assert all(first + 2**16 <= second for first, second in pairwise(blocks))
    assert blocks[0] in seeds.TRAIN
    assert blocks[-1] + 2**16 - 1 in seeds.TRAIN


@pytest.mark.parametrize(("run", "segment"), [(-1, 0), (2**26, 0), (0, 2**20)])
def test_seeds_out_of_range_are_refused(run: int, segment: int):
    with pytest.raises(ValueError, match="must be an integer from 0 to"):
        seeds.train_seed(run, segment)


def test_validation_and_test_instances_are_fixed_and_differ():
    validation, test = seeds.validation_instances(TINY, 3), seeds.test_instances(TINY, 3)
    np.testing.assert_array_equal(validation.channel_bs, seeds.validation_instances(TINY, 5)[:3].channel_bs)
    np.testing.assert_array_equal(test.channel_bs, sample_instance(TINY, 2_000_000_000, batch=3).channel_bs)
    assert not np.intersect1d(validation.channel_bs, test.channel_bs).size


# --- Settings -------------------------------------------------------------------------------------------------


def settings(algo: str = "ppo", environment: str = "allocation", preset: str | None = None, **overrides) -> Settings:
    arguments = learner_class(algo).arguments(algo)
    return load_settings(algo, environment=environment, preset=preset, arguments=arguments, overrides=overrides)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_files_are_valid(path: Path):
    assert path.stem in ALGORITHMS
    for environment, preset in product(ENVIRONMENTS, ("paper", "small", None)):
        loaded = settings(path.stem, environment, preset)
        assert loaded.steps >= loaded.segment_steps >= loaded.num_envs
        json.dumps(loaded.to_dict())


@pytest.fixture
def yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("training.learn.settings.FOLDER", tmp_path)
    return tmp_path / "ppo.yaml"


def test_sections_of_more_words_override_those_of_fewer(yaml: Path):
    yaml.write_text(
        "lifetime mlp: {n_steps: 4}\nequivariant: {n_steps: 2}\nlifetime: {n_steps: 3, gamma: 0.5}\n"
        "default: {n_steps: 1, policy: mlp, learning_rate: 3e-4}\npaper: {gamma: 0.7}\n"
    )
    assert settings().arguments == {"n_steps": 1, "learning_rate": 3e-4}  # 3e-4 is a text to YAML 1.1
    assert settings(policy="equivariant").arguments["n_steps"] == 2
    assert settings(environment="lifetime").arguments == {"n_steps": 4, "gamma": 0.5, "learning_rate": 3e-4}
    assert settings(environment="lifetime", policy="equivariant").arguments["n_steps"] == 3
    assert settings(preset="paper").arguments["gamma"] == 0.7
    assert settings(preset="paper", gamma=0.8, num_envs=3).arguments["gamma"] == 0.8


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "default: {n_step: 1}",
            "unknown hyperparameter in the section 'default' of .*'n_step'; did you mean 'n_steps'",
        ),
        ("lifetime-v0: {}", "unknown section of .*'lifetime-v0'; did you mean 'lifetime'"),
        ("default: 3", "must hold names with values"),
        ("- 1", "must hold sections"),
        ("default: {", "is not valid YAML"),
        ("default: {num_envs: 0}", "num_envs must be an integer ≥ 1, got 0"),
        ("default: {policy: mpl}", "unknown policy 'mpl'; did you mean 'mlp'"),
        ("default: {environment_options: 1}", "environment_options must be names with values"),
    ],
)
def test_wrong_files_are_told_in_one_sentence(yaml: Path, text: str, sentence: str):
    yaml.write_text(text)
    with pytest.raises(ValueError, match=sentence) as error:
        settings()
    assert "\n" not in " ".join(str(error.value).split())


def test_the_module_of_an_algorithm_is_named_without_importing_it(monkeypatch: pytest.MonkeyPatch):
    assert module_of("ppo") == learner_class("ppo").__module__
    monkeypatch.setitem(ALGORITHMS, "gone", "no.such.module:Learner")
    assert module_of("gone") == "no.such.module"
    with pytest.raises(ValueError, match="unknown algorithm 'ppp'; did you mean 'ppo'"):
        module_of("ppp")


def test_unknown_names_lead_to_the_nearest():
    with pytest.raises(ValueError, match="hyperparameter of ppo 'learning_rates'; did you mean 'learning_rate'"):
        settings(learning_rates=1)
    with pytest.raises(ValueError, match="unknown algorithm 'ppp'; did you mean 'ppo'"):
        learner_class("ppp")
    with pytest.raises(ValueError, match="unknown activation_fn 'rely'; did you mean 'relu'"):
        learner_class("ppo")(task(arguments=PPO | {"policy_kwargs": {"activation_fn": "rely"}}), "cpu")
    with pytest.raises(ValueError, match="not the format 'dict'"):
        learner_class("ppo")(task(observation_format="dict"), "cpu")


def test_the_environment_takes_its_options(tmp_path: Path):
    learner = learner_class("ppo")(task(environment_options={"penalty_fixed": 3.0}, episodes_per_instance=4), "cpu")
    learner.close()
    with pytest.raises(ValueError, match="penalty_fixed"):
        learner_class("ppo")(task(environment_options={"penalty_fixed": -3.0}), "cpu")
    with pytest.raises(ValueError, match="rng='bulk' draws channels with path_loss='paper' alone"):
        learner_class("ppo")(task(environment_options={"rng": "bulk"}, scenario=TINY.replace(path_loss="umi")), "cpu")


def test_a_learning_rate_warms_up_and_falls():
    from training.learn.sb3 import Linear

    rate = Linear(start=2.0, end=0.0, warm_up=0.1)
    assert [rate(remaining) for remaining in (1.0, 0.95, 0.5, 0.0)] == pytest.approx([0.02, 1.9 * 0.51, 1.0, 0.0])
    assert Linear(start=2.0, end=1.0)(1.0) == 2.0
