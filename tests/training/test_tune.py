"""Tuning: the first trial is the YAML file's, bad ones are pruned, what was interrupted goes on, errors are told."""

import contextlib
import functools
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eval.command import cli
from secagent_env import Scenario
from secagent_env.support.files import append_line
from training.learn.learner import Task, learner_class
from training.learn.settings import load_settings

optuna = pytest.importorskip("optuna")
pytest.importorskip("sb3_contrib")

from training.learn import validation  # noqa: E402
from training.tune import search as tuning  # noqa: E402
from training.tune.search import nested, space_of, tune, value_of  # noqa: E402

SMALL = Scenario(num_agents=4, num_antennas=4, min_accuracy=0.5)
ALGORITHMS = ("ppo", "ppo-lagrangian", "l2o", "rloo")


@pytest.fixture(autouse=True)
def _few_instances(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validation, "INSTANCES", 10)


def task_of(tried: Mapping[str, Any], algo: str = "rloo", **overrides: Any) -> Task:
    settings = load_settings(
        algo,
        environment="allocation",
        preset=None,
        arguments=learner_class(algo).arguments(algo),
        overrides={"steps": 64, "segment_steps": 32, **overrides, **tried},
    )
    return Task(algo=algo, environment="allocation", scenario=SMALL, settings=settings, seed=1)


def test_the_first_trial_is_the_default_and_all_are_ranked(tmp_path: Path):
    trials = tune(task_of, tmp_path, trials=3, seed=2, progress=False)
    assert [trial.number for trial in trials if trial.default] == [0]
    [default] = (trial for trial in trials if trial.default)
    assert default.values["learning_rate"] == 3e-3
    assert default.values["width"] == 48  # of the learner, not of the file
    scores = [trial.score for trial in trials]
    assert scores == sorted(scores, reverse=True)
    for trial in trials:
        config = json.loads((trial.folder / "config.json").read_text())
        assert config["hyperparameters"]["batch_size"] == trial.values["batch_size"]
        assert config["best"]["score"] == trial.score
        assert (trial.folder / "policy.onnx").is_file()
    again = tune(task_of, tmp_path, trials=3, seed=2, progress=False)
    assert again == trials


def test_a_search_goes_on_to_more_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = tune(task_of, tmp_path, trials=2, progress=False)
    calls = []

    def counted(*args: Any, **options: Any) -> dict[str, Any]:
        calls.append(args[1])
        return real(*args, **options)

    real = tuning.train
    monkeypatch.setattr(tuning, "train", counted)
    more = tune(task_of, tmp_path, trials=3, progress=False)
    assert len(calls) == 1
    assert {trial.number for trial in first} < {trial.number for trial in more}


def test_an_interrupted_trial_is_tried_again_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = tuning.train
    folders: list[Path] = []

    def interrupted(task: Task, folder: Path, **options: Any) -> dict[str, Any]:
        folders.append(folder)
        if len(folders) == 2:
            raise KeyboardInterrupt
        return real(task, folder, **options)

    monkeypatch.setattr(tuning, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(task_of, tmp_path, trials=3, progress=False)
    trials = tune(task_of, tmp_path, trials=3, progress=False)
    assert len(trials) == 3
    assert folders[2] == folders[1] != folders[0]


def test_what_is_below_the_median_is_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By the number of the evaluation: steps differ with the size of a batch."""
    monkeypatch.setattr(tuning, "STARTUP", 2)
    count: list[Path] = []

    def scored(task: Task, folder: Path, *, judge: Any, **_: Any) -> dict[str, Any]:
        score = float(-len(count))  # every trial is worse than those before
        count.append(folder)
        folder.mkdir()
        for evaluation in (1, 2):
            row = {"score": score, "steps": 32 * evaluation + len(count)}
            append_line(folder / "evaluations.jsonl", json.dumps(row))
            judge(row)
        return {"score": score}

    monkeypatch.setattr(tuning, "train", scored)
    trials = tune(task_of, tmp_path, trials=4, progress=False)
    assert [(trial.number, trial.pruned) for trial in trials] == [(0, False), (1, False), (2, True), (3, True)]
    assert [trial.score for trial in trials] == [0.0, -1.0, -2.0, -3.0]


def test_evaluations_before_an_interruption_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real, interrupted = tuning.train, []

    def once(task: Task, folder: Path, *, judge: Any, **options: Any) -> dict[str, Any]:
        def first(row: dict) -> None:
            judge(row)
            if not interrupted:
                interrupted.append(row)
                raise KeyboardInterrupt

        return real(task, folder, judge=first, **options)

    monkeypatch.setattr(tuning, "train", once)
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            tune(task_of, tmp_path, trials=1, progress=False)
    storage = optuna.storages.journal.JournalFileBackend(str(tmp_path / tuning.JOURNAL))
    study = optuna.load_study(study_name="secagent", storage=optuna.storages.JournalStorage(storage))
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]
    assert sorted(study.trials[1].intermediate_values) == [0, 1, 2]  # before any step, after 32, after 64


def test_a_training_ends_where_its_judge_says_so(tmp_path: Path):
    """And goes on from there."""
    rows: list[dict] = []

    def judge(row: dict) -> None:
        rows.append(row)
        if row["steps"] == 32:
            raise optuna.TrialPruned

    with pytest.raises(optuna.TrialPruned):
        tuning.train(task_of({}), tmp_path / "run", progress=False, judge=judge)
    tuning.train(task_of({}), tmp_path / "run", progress=False, judge=rows.append)
    assert [row["steps"] for row in rows] == [32, 64]


def test_no_trial_begins_after_the_time(tmp_path: Path):
    assert tune(task_of, tmp_path, trials=3, seconds=1e-9, progress=False) == []


@pytest.mark.parametrize(
    ("algo", "environment", "policy"),
    [
        *((algo, "allocation", None) for algo in ALGORITHMS),
        ("ppo", "lifetime", None),
        ("ppo", "allocation", "mlp"),
        ("ppo-lagrangian", "allocation", "mlp"),
    ],
)
def test_every_space_holds_the_values_of_its_yaml_file(algo: str, environment: str, policy: str | None):
    settings = load_settings(
        algo,
        environment=environment,
        preset=None,
        arguments=learner_class(algo).arguments(algo),
        overrides={} if policy is None else {"policy": policy},
    )
    task = Task(algo=algo, environment=environment, scenario=SMALL, settings=settings, seed=1)
    found = [(name, kind) for name, kind in space_of(algo).items() if value_of(task, name) is not None]
    assert len(found) >= 3
    for name, distribution in found:
        assert distribution._contains(distribution.to_internal_repr(value_of(task, name))), name


def test_names_with_dots_lead_into_dicts():
    settings = task_of({}, "ppo").settings
    found = nested(settings, {"learning_rate.start": 0.5, "environment_options.penalty_fixed": 0.3, "n_epochs": 2})
    assert found == {
        "learning_rate": {"start": 0.5, "end": 0.0, "warm_up": 0.05},
        "environment_options": {"penalty_fixed": 0.3},
        "n_epochs": 2,
    }
    assert settings.arguments["learning_rate"]["start"] == 3e-3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("ppo: {a: [1]}", "unknown algorithm in own.yml 'rloo'"),
        ("rloo: {learning_rate: {low: 2, high: 1}}", "learning_rate of rloo must be a list of choices, or a range"),
        ("rloo: {learning_rate: 3}", "must be a list of choices"),
        ("rloo: {learning_rate: {low: 0.1}}", "must be a list of choices"),
        ("rloo: [", "is not valid YAML"),
    ],
)
def test_a_wrong_space_is_told(content: str, said: str, tmp_path: Path):
    (tmp_path / "own.yml").write_text(content)
    with pytest.raises(ValueError, match=said):
        space_of("rloo", tmp_path / "own.yml")


def test_what_cannot_be_searched_is_told(tmp_path: Path):
    out = tmp_path / "out"
    floats = optuna.distributions.FloatDistribution
    with pytest.raises(ValueError, match="nothing of rloo is left to search"):
        tune(task_of, out, trials=1, space={"environment_options.penalty_weight": floats(0.1, 1)})
    with pytest.raises(ValueError, match="nothing of rloo is left to search"):
        tune(task_of, out, trials=1, space={"learning_rate": floats(1e-4, 1)}, fixed=["learning_rate"])
    with pytest.raises(ValueError, match=r"learning_rate is 0.003 to begin with, which is not where the search looks"):
        tune(task_of, out, trials=1, space={"learning_rate": floats(0.1, 1)})
    with pytest.raises(ValueError, match="trials must be an integer ≥ 1"):
        tune(task_of, out, trials=0)
    assert not out.exists()


def test_a_folder_holds_one_search(tmp_path: Path):
    tune(task_of, tmp_path, trials=1, progress=False)
    with pytest.raises(ValueError, match="holds another search"):
        tune(functools.partial(task_of, steps=96), tmp_path, trials=2, progress=False)
    with pytest.raises(ValueError, match="holds another search"):
        tune(task_of, tmp_path, trials=2, fixed=["width"], progress=False)


def test_an_interruption_before_a_trial_has_values_does_not_lose_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    study_class = type(optuna.create_study())
    ask = study_class.ask

    def interrupted(self: Any, *args: Any, **options: Any) -> Any:
        ask(self)  # a trial is made, and nothing is suggested
        raise KeyboardInterrupt

    monkeypatch.setattr(study_class, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(task_of, tmp_path, trials=1, progress=False)
    monkeypatch.setattr(study_class, "ask", ask)
    [trial] = tune(task_of, tmp_path, trials=1, progress=False)
    assert trial.default


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = ["tune", "rloo", "--scenario", "small", "--steps", "64", "--set-hyper", "segment_steps=32", "width=20"]
    command = [*options, "--trials", "3", "--out", str(tmp_path / "tuned")]
    assert cli.main(command) == 0
    text = capsys.readouterr().out
    assert (tmp_path / "tuned" / "tune.md").read_text() == text
    rows = [line for line in text.splitlines() if line.startswith("| ") and "trial" not in line]
    assert len(rows) == 3
    assert sum("YAML file" in row for row in rows) == 1
    if found := re.search(r"`--set-hyper (.*)`", text):
        assert {part.partition("=")[0] for part in shlex.split(found[1])} == set(space_of("rloo")) - {"width"}
    assert "width" not in text  # what is set stays, and is not searched
    assert cli.main(["tune", "sac", "--trials", "1", "--out", str(tmp_path / "sac")]) == 2
    assert "unknown algorithm in search.yml 'sac'; valid are: l2o, ppo, ppo-lagrangian, rloo" in capsys.readouterr().err


def test_the_table_names_the_values_of_the_best_as_the_command_takes_them(tmp_path: Path):
    from eval.command.arguments import assignments
    from eval.learners.tuning import markdown

    trials = tune(functools.partial(task_of, algo="l2o"), tmp_path, trials=1, progress=False)
    assert "None is better" in markdown(trials)
    best = tuning.Trial(1, trials[0].values, trials[0].score + 1, False, trials[0].folder, False)
    text = markdown([best, *trials])
    found = assignments(shlex.split(re.search(r"`--set-hyper (.*)`", text)[1]), "--set-hyper")
    assert found == {name: pytest.approx(value) for name, value in trials[0].values.items()}
    assert markdown([]) == "No trial has ended yet.\n"
    assert "None is better" not in markdown([best])
