"""``secagent study convoy``: its cells, a small run, the film, and the page's tables."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import Image

from eval.command.cli import main
from eval.compare.comparison import sweep_of
from eval.studies.convoy import cells_learnt, learning
from eval.studies.convoy.study import Convoy, organisations, summary, tables
from eval.sweep.cells import Cell
from eval.sweep.engine import completed, run_sweep

FEW = ["--crossings", "4", "--harder", "2", "--language", "2", "--workers", "1"]


def test_every_level_meets_every_organisation():
    assert len(organisations()) == 12
    cells = Convoy(crossings=5).cells()
    names = [cell.scheme for cell in cells if cell.options["part"] == "levels"]
    assert names[:3] == ["no communication", "no communication, cautious", "full information"]
    assert len(names) == len(set(names)) == 17
    assert len({cell.key for cell in cells}) == len(cells)


def test_a_row_by_hand():
    # Of three crossings the first ended in a collision: its seconds and its engines do not count.
    row = {
        "collided": "[1, 0, 0]",
        "late": "[0, 0, 1]",
        "seconds": "[2, 8, 10]",
        "bits": "[6, 12, 18]",
        "motion_j": "[1000, 50000, 70000]",
        "radio_j": "[0.001, 0.002, 0.003]",
        "reward": "[-100, -9, -11]",
        "last": "[2, 7, 9]",
        "others": "[2, 9, 11]",
    }
    line = summary("levels", "levels", "some", row)
    assert line["collisions"] == pytest.approx(1000 / 3)
    assert line["collisions_low"] < 333 < line["collisions_high"]
    assert line["late"] == pytest.approx(1 / 3)
    means = {"seconds": 9, "bits": 12, "motion_j": 60, "radio_j": 2, "reward": -40, "last": 8, "others": 10}
    assert {name: line[name] for name in means} == pytest.approx(means)


def test_the_command_runs_and_shows_its_rows(tmp_path, capsys):
    assert main(["study", "convoy", *FEW, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    rows = pd.read_csv(tmp_path / "convoy.csv")
    assert tables(rows.to_dict("records")) == shown
    assert "convoy (no LLM)" in shown
    assert set(rows["part"]) == {"levels", "faults", "hardness", "language", "reference"}


@pytest.mark.long
def test_trained_policies_cross_from_the_same_starts_and_are_kept(tmp_path):
    study = Convoy(learnt=1, learnt_steps=16_384, crossings=4, runs=tmp_path / "runs")

    def compute(cells):
        return completed(run_sweep(sweep_of(cells), tmp_path, workers=1), "cells")

    rows = study._learnt(compute)
    taught = {row["scheme"]: row for row in rows}
    levels = ("nothing", "decision", "intent")
    deaf = ["PPO, decision; no message arrives", "PPO, intent; no message arrives"]
    assert sorted(taught) == sorted([f"{of}, {level}" for of in ("untrained", "PPO") for level in levels] + deaf)
    assert all(row["crossings"] == 4 for row in rows)
    assert [taught[name]["steps"] for name in ("PPO, intent", "untrained, intent")] == [16_384, 0]
    assert taught["PPO, nothing"]["bits"] == 0
    assert len(list(study.runs.iterdir())) == 6
    (study.runs / "PPO-intent-0.onnx").unlink()
    assert study._learnt(compute) == rows  # what was trained is not trained again
    assert len(list(study.runs.iterdir())) == 6


def test_a_training_has_the_steps_and_the_bonus_of_its_options(monkeypatch):
    taught = []

    def train(level, steps, seed, *, bonus_per_m, progress):
        taught.append((level, steps, seed, bonus_per_m))
        return SimpleNamespace(num_timesteps=steps)

    monkeypatch.setattr(learning, "train", train)
    monkeypatch.setattr(learning, "exported", lambda model, about: b"policy")
    for cell in Convoy(learnt=1, learnt_steps=64, learnt_bonus=0.25).trainings()[3:]:
        assert learning.learn(cell)["steps"] == 64
    assert taught == [(level, 64, 0, 0.25) for level in ("nothing", "decision", "intent")]
    assert {cell.options["bonus"] for cell in Convoy(learnt=1).trainings()} == {1.0}


def test_a_changed_policy_is_told(tmp_path):
    path = tmp_path / "policy.onnx"
    path.write_bytes(b"another")
    options = {"level": "intent", "policy": str(path), "digest": "0", "rules": {}, "crossings": 2}
    with pytest.raises(ValueError, match=r"the policy in .*policy\.onnx was changed"):
        cells_learnt.cross(Cell(cells_learnt.FUNCTION, "convoy", "PPO, intent", options=options))


def test_the_film_moves(tmp_path):
    path = tmp_path / "crossing.gif"
    assert main(["study", "convoy", "--film", str(path), "--out", str(tmp_path)]) == 0
    assert 0 < path.stat().st_size < 500_000
    with Image.open(path) as film:
        assert film.n_frames > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--film", "crossing.avi"], "must be a .gif file"),
        (["--crossings", "1"], "crossings must be an integer"),
        (["--learnt", "-1"], "learnt must be an integer"),
        (["--learnt-steps", "0"], "learnt_steps must be an integer"),
        (["--learnt-bonus", "-1"], "learnt_bonus must be a finite number ≥ 0"),
        (["--base-url", "http://127.0.0.1:1/v1"], "base_url needs model="),
    ],
)
def test_bad_options_are_told(arguments, message, tmp_path, capsys):
    assert main(["study", "convoy", *arguments, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_the_page_shows_the_rows_beside_it():
    docs = Path(__file__).parents[3] / "docs"
    rows = pd.read_csv(docs / "convoy.csv").to_dict("records")
    assert tables(rows).strip() in (docs / "convoy.md").read_text(encoding="utf-8")
