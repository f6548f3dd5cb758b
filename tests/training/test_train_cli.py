"""`secagent train` as users meet it: what it prints and writes, its errors, Ctrl-C, and resuming."""

import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from lost_interrupt import interrupt_in_finaliser

from eval.command.cli import main

pytest.importorskip("sb3_contrib")
pytest.importorskip("yaml")

TINY = ["--set", "num_agents=4", "num_antennas=4", "min_accuracy=0.5", "--policy", "mlp"]
SMALL = ["--set-hyper", "num_envs=16", "segment_steps=256", "n_steps=2", "batch_size=32", "n_epochs=1"]
PPO = ["train", "ppo", *TINY, *SMALL]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)


def refused(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """Run a command that must fail in the way of all errors, and return its sentence."""
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert re.fullmatch(r"secagent: error: [^\n]+\n", errors), errors
    return errors.removeprefix("secagent: error: ").rstrip()


def test_train_says_how_good_the_policy_is_and_keeps_everything(capsys: pytest.CaptureFixture):
    assert main([*PPO, "--steps", "512", "--seed", "3"]) == 0
    output, errors = capsys.readouterr()
    folder = Path("runs/ppo-allocation-paper-3")
    assert re.fullmatch(r"best after \d+ steps: feasible [\d.]+, gap [\d.]+, score -[\d.]+\n", output)
    assert errors == f"secagent: wrote policy.onnx in {folder}\n"  # no progress bar in a file
    assert {path.name for path in folder.iterdir()} >= {
        "config.json",
        "evaluations.jsonl",
        "tensorboard",
        "checkpoint",
        "policy.onnx",
    }
    config = json.loads((folder / "config.json").read_text())
    assert config["command"] == "secagent " + " ".join([*PPO, "--steps", "512", "--seed", "3"])
    assert config["seed"] == 3
    assert config["hyperparameters"]["n_steps"] == 2
    assert config["hyperparameters"]["gamma"] == 1.0  # of the YAML file
    assert config["scenario"]["num_agents"] == 4


def test_the_trained_policy_is_a_solver(capsys: pytest.CaptureFixture):
    assert main(["-q", *PPO, "--steps", "512", "--out", "run"]) == 0
    assert main(["-q", "sample", *TINY[:4], "--out", "instance.npz"]) == 0
    assert main(["-q", "solve", "instance.npz", "--solver", "run/policy.onnx"]) == 0
    assert "energy" in capsys.readouterr().out


def test_the_same_command_does_not_train_again_and_another_one_is_refused(capsys: pytest.CaptureFixture):
    assert main([*PPO, "--steps", "512", "--out", "run"]) == 0
    first = capsys.readouterr().out
    assert main([*PPO, "--steps", "512", "--out", "run"]) == 0
    output, errors = capsys.readouterr()
    assert output == first
    assert "resuming after 512 of 512 steps" in errors
    sentence = refused(capsys, *PPO, "--steps", "1024", "--out", "run")
    assert sentence == (
        "run holds another training (steps is 512 there, 1024 here); "
        "name another folder with --out, or the same arguments to resume it"
    )


def test_ctrl_c_leaves_a_run_that_resumes(capsys: pytest.CaptureFixture):
    arguments = [*PPO, "--steps", "2048", "--out", "run"]
    with subprocess.Popen(
        [sys.executable, "-m", "eval.command.cli", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        evaluations = Path("run/evaluations.jsonl")
        while process.poll() is None and (
            not Path("run/checkpoint").exists() or len(evaluations.read_text().splitlines()) < 3
        ):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert errors.endswith(
        "secagent: interrupted; the same command resumes the training from its last checkpoint in run\n"
    )
    assert not Path("run/policy.onnx").exists()
    assert main(arguments) == 0
    assert re.search(r"resuming after \d+ of 2048 steps", capsys.readouterr().err)
    steps = [json.loads(line)["steps"] for line in evaluations.read_text().splitlines()]
    assert steps == [*range(0, 2049, 256)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "moment", ["training.learn.sb3:Watch._on_rollout_start", "training.learn.train:_Training.save"]
)
def test_ctrl_c_that_a_finaliser_drops_ends_the_training_at_its_next_step(
    moment: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    arguments = [*PPO, "--steps", "1024", "--out", "run"]
    place = pkgutil.resolve_name(moment.rpartition(".")[0])
    original, calls = getattr(place, moment.rpartition(".")[2]), []

    def interrupted(*positional) -> None:
        calls.append(None)
        if len(calls) == 2:
            interrupt_in_finaliser()
        original(*positional)

    with monkeypatch.context() as patched:
        patched.setattr(place, original.__name__, interrupted)
        assert main(arguments) == 130
    assert len(calls) == 2
    assert capsys.readouterr().err.endswith("resumes the training from its last checkpoint in run\n")
    assert main(arguments) == 0


def test_lifetime_can_be_trained(capsys: pytest.CaptureFixture):
    arguments = [
        "train",
        "a2c",
        "--env",
        "lifetime",
        *TINY,
        "--steps",
        "256",
        "--set-hyper",
        "num_envs=16",
        "n_steps=4",
    ]
    assert main([*arguments, "segment_steps=128"]) == 0
    assert re.match(r"best after \d+ steps: score [\d.]+\n", capsys.readouterr().out)
    assert Path("runs/a2c-lifetime-paper-0/policy.onnx").exists()


def test_a_scenario_file_names_the_run(capsys: pytest.CaptureFixture):
    Path("mine.toml").write_text("num_agents = 4\nnum_antennas = 3\n")
    assert main(["-q", "train", "ppo", "--scenario", "mine.toml", "--policy", "mlp", "--steps", "256", *SMALL]) == 0
    config = json.loads(Path("runs/ppo-allocation-mine-0/config.json").read_text())
    assert config["scenario"]["num_antennas"] == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["pp"],
            "unknown algorithm 'pp'; did you mean 'ppo'? valid are: ppo, a2c, imitation, l2o, ppo-lagrangian, rloo, "
            "sac, td3, tqc",
        ),
        (["ppo", "--set-hyper", "n_step=3"], "unknown hyperparameter of ppo 'n_step'; did you mean 'n_steps'?"),
        (["ppo", "--set-hyper", "n_steps"], "--set-hyper needs name=value, got 'n_steps'"),
        (["ppo", "--set-hyper", "n_steps=a b"], "--set-hyper n_steps needs a value as in TOML"),
        (["ppo", "--steps", "0"], "steps must be an integer ≥ 1, got 0"),
        (["ppo", "--policy", "mlp", "--seed", "-1"], "the seed of a training must be an integer from 0 to 67108863"),
        (["ppo", "--scenario", "papers"], "unknown preset 'papers'; did you mean 'paper'?"),
        (["ppo", "--policy", "mlp", "--device", "abacus"], "torch cannot compute on device 'abacus'"),
        (["ppo", "--policy", "mlp", "--threads", "0"], "threads must be an integer ≥ 1, got 0"),
    ],
)
def test_errors_are_one_sentence(capsys: pytest.CaptureFixture, arguments: list[str], sentence: str):
    assert refused(capsys, "train", *arguments).startswith(sentence)
    assert not Path("runs").exists()


def test_a_folder_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture):
    Path("file").write_text("")
    assert "file" in refused(capsys, *PPO, "--steps", "256", "--out", "file/run")
    assert "file" in refused(capsys, *PPO, "--steps", "256", "--out", "file")


def test_warnings_of_stable_baselines3_are_one_line(capsys: pytest.CaptureFixture):
    assert main([*PPO, "batch_size=24", "--steps", "256"]) == 0
    (line, _) = capsys.readouterr().err.splitlines()
    assert line.startswith("secagent: ppo: You have specified a mini-batch size of 24")


def test_progress_bar_on_a_terminal():
    pty = pytest.importorskip("pty")
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 80))
    arguments = [sys.executable, "-m", "eval.command.cli", *PPO, "--steps", "512"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=child) as process:
        os.close(child)
        shown = b""
        try:
            while chunk := os.read(parent, 1 << 16):
                shown += chunk
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(parent)
    assert process.returncode == 0
    assert b"ppo: 100%" in shown
    assert b"512/512" in shown
