"""``secagent study intent-change``: a reduced form, its measures by hand, and the table and rows of the page."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eval.experiments.protocol import run
from eval.studies.intent_change.cells import measures
from eval.studies.intent_change.study import PLAYERS, IntentChanges, markdown

DOCS = Path(__file__).parents[4] / "docs"


def test_the_measures_by_hand():
    target = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    rate = np.array(  # round, game, pair
        [
            [[1.0, 2.0], [1.0, 1.8], [1.0, 2.0]],
            [[1.0, 2.0], [1.04, 2.0], [1.1, 2.0]],
            [[1.0, 2.0], [1.0, 2.08], [1.0, 1.8]],
        ]
    )
    power = np.arange(18.0).reshape(3, 3, 2)
    kept = np.array([[True, False]] * 3)
    found = measures(target, rate, power, kept)
    assert found["met_after"].tolist() == [1, 2, 4]
    assert found["gap"].tolist() == pytest.approx([0, (0.2 + 0.04 + 0.08) / 6, (0.1 + 0.2) / 6])
    assert found["gap_others"].tolist() == pytest.approx([0, 0.04 / 3, 0.1 / 3])
    assert found["power_w"].tolist() == [13, 17, 21]
    assert found["power_others_w"].tolist() == [6, 8, 10]


def test_a_reduced_form(tmp_path):
    study = IntentChanges(("lowered",), pairs=3, draws=6, rounds=7, change_round=4)
    text = run(study, tmp_path, workers=1)
    rows = pd.read_csv(tmp_path / "intent-change.csv")
    assert rows["told"].tolist() == [*PLAYERS, "full"]
    assert text == markdown(rows.to_dict("records"))
    by = rows.set_index("told")
    assert by["gain_gap"]["none"] == 0
    assert by["gain_gap"]["intent"] == pytest.approx(by["gap"]["intent"] - by["gap"]["none"])
    assert by["bits"]["intent"] == 2 * 8 * 2  # two digits to two others
    assert by["bits"]["none"] == by["bits"]["full"] == by["bits"]["intent, kept back"] == by["bits_before"]["none"] == 0
    assert by["met_after"]["full"] == 1
    assert by["gap"]["full"] < 1e-9
    assert (tmp_path / "intent-change.png").stat().st_size > 10_000
    again = run(study, tmp_path / "again", workers=2)
    assert again == text


def test_bad_options_are_told():
    with pytest.raises(ValueError, match="unknown change 'raise'; did you mean 'raised'"):
        IntentChanges(("raise",))
    with pytest.raises(ValueError, match="changed must be an integer from 1 to 3, got 4"):
        IntentChanges(changed=4)
    with pytest.raises(ValueError, match="change_round must be an integer from 1 to 19, got 20"):
        IntentChanges(change_round=20)


def test_the_page_shows_the_rows_beside_it():
    rows = pd.read_csv(DOCS / "intent-change.csv").to_dict("records")
    assert markdown(rows).strip() in (DOCS / "power-control.md").read_text(encoding="utf-8")
