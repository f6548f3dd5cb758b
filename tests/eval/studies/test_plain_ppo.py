"""``secagent study plain-ppo``: a library's PPO on the ids, beside no training, random actions and a fixed one."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

import eval.learners.cells as learners
from eval.command.cli import main
from eval.studies.plain_ppo.cells import fixed, learnt, random
from eval.studies.plain_ppo.study import FIXED, KINDS, LEARNT, NORMALISED, RANDOM, UNTRAINED, PlainPPO, markdown
from secagent_env.allocation.actions import action_format
from secagent_env.support.digests import digest

pytest.importorskip("stable_baselines3")

SHORT = ["--steps", "2048", "--seeds", "0", "--instances", "12", "--workers", "1"]


def cell_of(scheme: str, **options):
    study = PlainPPO(kinds=("guided",), steps=2048, seeds=(3,), instances=12)
    [cell] = [cell for cell in study.cells() if cell.scheme == scheme]
    return type(cell)(**{**cell.__dict__, "options": {**cell.options, **options}})


def test_the_table_tells_who_learnt_what(tmp_path: Path, capsys):
    assert main(["-q", "study", "plain-ppo", *SHORT, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    rows = pandas.read_csv(tmp_path / "plain-ppo.csv").set_index("who")
    assert list(rows.index) == [LEARNT, NORMALISED, UNTRAINED, RANDOM, FIXED]
    assert rows["steps"].tolist() == [2048, 2048, 0, 0, 0]
    assert (rows["cpu_minutes"][:2] > 0).all()
    assert all(name in shown for name in rows.index)
    assert (rows["of_bound"] <= rows["feasible"]).all()  # a feasible decision counts as its bound over its energy


def test_the_page_shows_the_rows_beside_it():
    docs = Path(__file__).parents[3] / "docs"
    rows = pandas.read_csv(docs / "plain-ppo.csv").to_dict("records")
    assert markdown(rows).strip() in (docs / "libraries.md").read_text()


def test_trainings_of_equal_steps_are_equal_and_learning_changes_the_policy():
    first, again = (learnt(cell_of(LEARNT)) for _ in range(2))
    np.testing.assert_array_equal(first["gap"], again["gap"])
    assert first["steps"] == 2048
    untrained = learnt(cell_of(UNTRAINED))
    assert untrained["steps"] == 0
    assert not np.array_equal(untrained["gap"], first["gap"], equal_nan=True)
    assert not np.array_equal(learnt(cell_of(NORMALISED))["gap"], first["gap"], equal_nan=True)


def test_a_training_ends_with_its_processor_time():
    row = learnt(cell_of(LEARNT, cpu_seconds=0.5, steps=10**9))
    assert 0.5 <= row["cpu_seconds"] < 20
    assert 0 < row["steps"] < 10**6


def test_random_actions_are_of_the_seed_and_of_the_whole_space():
    first, again = (random(cell_of(RANDOM)) for _ in range(2))
    np.testing.assert_array_equal(first["gap"], again["gap"])


def test_the_fixed_action_is_the_cheapest_agents_and_the_filtered_beam():
    cell = cell_of(FIXED)
    test = learners.test_set_of(cell)
    action = [0.0] * (2 * cell.value) + [-0.75, 0.0, 1.0, 0.0, 0.0]
    decisions = action_format("ranked", test.scenario).decode(np.array(action), test.instances)
    np.testing.assert_array_equal(fixed(cell)["gap"], test.gap(decisions))
    of_flat = [each for each in PlainPPO(kinds=("flat",)).cells() if each.scheme == FIXED]
    assert not of_flat


def test_cells_name_what_they_are_of():
    cells = PlainPPO(presets=("small", "paper"), kinds=tuple(KINDS), seeds=(0, 1)).cells()
    assert len({cell.kind + str(cell.seed) for cell in cells}) == len(cells) == 2 * 3 * 2 * 4 + 2
    shaped = [cell.options["arguments"] for cell in cells if cell.options["kind"] == "flat, shaped"]
    assert all(arguments == {"shaping": "secrecy"} for arguments in shaped)
    assert {digest(json.dumps(cell.options)) for cell in cells if cell.scheme == LEARNT}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kinds", "gided"], "unknown environment 'gided'; did you mean 'guided'"),
        (["--presets", "smal"], "did you mean 'small'"),
        (["--minutes", "-1"], "minutes must be"),
        (["--steps", "0"], "steps must be"),
        (["--instances", "0"], "instances must be"),
    ],
)
def test_bad_arguments_are_told(arguments: list[str], message: str, capsys, tmp_path: Path):
    assert main(["study", "plain-ppo", *arguments, "--out", str(tmp_path / "x")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
