"""Weights & Biases and MLflow: the figures reach them, a resumed training goes on with its run, and no key is kept."""

import json
from pathlib import Path

import pytest

from eval.command.cli import main

pytest.importorskip("wandb")
pytest.importorskip("mlflow")
pytest.importorskip("stable_baselines3")

from training.learn import tracking, validation

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SHORT = ["l2o", "--scenario", "small", "--set-hyper", "segment_steps=64", "batch_size=32"]
KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Let both write into the folder of the test alone."""
    monkeypatch.setattr(validation, "INSTANCES", 10)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")  # MLflow sets it itself, for the process that it is in
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")


def trained(steps: int, *options: str) -> int:
    return main(["-q", "train", *SHORT, "--steps", str(steps), "--out", "run", *options])


def test_mlflow_holds_the_evaluations_and_what_was_trained(tmp_path: Path):
    assert trained(128, "--track", "mlflow") == 0
    import mlflow

    [run] = mlflow.MlflowClient().search_runs([mlflow.get_experiment_by_name("secagent").experiment_id])
    rows = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    points = mlflow.MlflowClient().get_metric_history(run.info.run_id, "validation/score")
    assert {point.step: point.value for point in points} == {row["steps"]: row["score"] for row in rows if row["steps"]}
    assert run.info.run_name == "run"
    assert run.data.params["algo"] == "l2o"
    assert run.data.params["scenario.num_agents"] == "6"
    assert run.info.status == "FINISHED"
    assert json.loads((tmp_path / "run" / tracking.FILE).read_text()) == {"mlflow": run.info.run_id}


def test_a_training_that_resumes_goes_on_with_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from training.learn import train

    save, interrupted = train._Training.save, []

    def interrupt(training) -> None:
        save(training)
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(train._Training, "save", interrupt)
    assert trained(192, "--track", "mlflow") == 130
    import mlflow

    mlflow.end_run()  # what the end of the process would do
    assert trained(192, "--track", "mlflow") == 0
    [run] = mlflow.MlflowClient().search_runs([mlflow.get_experiment_by_name("secagent").experiment_id])
    points = mlflow.MlflowClient().get_metric_history(run.info.run_id, "validation/score")
    assert sorted(point.step for point in points) == [64, 128, 192]


def test_wandb_writes_a_run_and_no_key(tmp_path: Path):
    assert trained(128, "--track", "wandb") == 0
    [identity] = json.loads((tmp_path / "run" / tracking.FILE).read_text()).values()
    [written] = (tmp_path / "run" / "wandb").glob(f"offline-run-*-{identity}/run-{identity}.wandb")
    content = written.read_bytes()
    assert b"validation/score" in content
    assert b"num_agents" in content
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_without_the_option_nothing_is_tracked(tmp_path: Path):
    assert trained(64) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    assert not (tmp_path / "run" / tracking.FILE).exists()


def test_figures_that_are_no_finite_numbers_are_left_out():
    seen = []

    class Fake(tracking._Tracker):
        def _log(self, figures: dict[str, float], step: int) -> None:
            seen.append((figures, step))

        def close(self) -> None:
            pass

    Fake().write({"a": 1, "b": float("nan"), "c": "text", "d": float("inf")}, {}, 7)
    Fake().write({"b": float("nan")}, {}, 8)
    assert seen == [({"a": 1.0}, 7)]


def test_unknown_and_missing_trackers_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    from training.learn.run_folder import RunFolder

    with pytest.raises(ValueError, match=r"unknown tracker 'wndb'; did you mean 'wandb'"):
        tracking.trackers(["wndb"], RunFolder(tmp_path))
    (tmp_path / tracking.FILE).write_text("[]")
    with pytest.raises(ValueError, match="holds no ids of tracked runs: remove it"):
        tracking.trackers(["wandb"], RunFolder(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    assert trained(64, "--track", "mlflow") == 2
    assert "pip install 'secagent-env[track]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
