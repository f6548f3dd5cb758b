"""``secagent study noise``: its cells, a cell's row, and the table."""

import math
from pathlib import Path

import pandas as pd
import pytest

from eval.studies.noise.cells import compare
from eval.studies.noise.study import SETTINGS, Noise, table
from secagent_env import Scenario

ROW = {
    "scheme": "crowd",
    "energy": 2.0,
    "energy_noise": 1.0,
    "jammers": 3,
    "jammers_noise": 0,
    "noise": 0.1,
    "alone": 1.0,
    "together": 5.0,
    "bound": 5.01,
    "seconds": 1.0,
    "seconds_noise": 4.0,
}


def test_the_cells_are_the_networks_of_every_setting():
    study = Noise(settings=("paper", "contested, colluding"), instances=3, seed=5)
    cells = list(study.cells())
    assert [(cell.scheme, cell.index, cell.seed) for cell in cells[:3]] == [("paper", i, 5) for i in range(3)]
    assert Scenario(**cells[5].options["scenario"]) == Scenario.preset("contested", colluding=True)
    assert len(list(Noise().cells())) == 20 * len(SETTINGS)
    with pytest.raises(ValueError, match="setting"):
        Noise(settings=("papr",))


def test_a_cell_compares_the_two_and_bounds_what_noise_can_do():
    (cell,) = Noise(settings=("paper",), instances=1).cells()
    row = compare(cell)
    assert compare.promise.fault(row) is None
    assert row["energy"] == row["energy_noise"]  # proved optimal without
    assert row["noise"] == 0
    assert row["alone"] <= row["together"] <= row["bound"] <= row["alone"] + 0.02


def test_the_table_counts_what_is_solved_saved_and_proved():
    proved = ROW | {"energy_noise": 2.0, "jammers_noise": 3, "noise": 0.0, "together": 1.0, "bound": 1.01}
    gained = ROW | {"energy": math.inf, "energy_noise": 7.0}
    line = table(pd.DataFrame([ROW, ROW, proved, gained])).splitlines()[2]
    columns = [column.strip() for column in line.strip("|").split("|")]
    assert columns[:4] == ["crowd", "3 → 4 of 4", "75%", "67%"]
    assert columns[4].startswith("33.3 %")  # (2 + 2 + 2 − 1 − 1 − 2) / 6
    assert columns[5:8] == ["3.0 → 0.8", "1.0 → 4.0 ≤ 4.0", "25%"]
    nothing = table(pd.DataFrame([gained])).splitlines()[2]
    assert "0 → 1 of 1" in nothing
    assert "–" in nothing


def test_the_page_shows_the_rows_beside_it():
    docs = Path(__file__).parents[3] / "docs"
    assert table(pd.read_csv(docs / "noise.csv")).strip() in (docs / "model.md").read_text(encoding="utf-8")
