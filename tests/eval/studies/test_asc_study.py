"""``secagent study asc``: its figures by hand, and the whole on a small preset."""

import csv
import json
import math

import numpy as np
import pandas as pd
import pytest

from eval.command.cli import main
from eval.studies.asc.cells import course
from eval.studies.asc.picture import over_iterations, over_rounds, padded
from eval.studies.asc.study import ABLATIONS, ASC, PLUS, PRINTED, VARIANTS, ASCParts, figures_of
from solvers.asc.printed import ERRORS


def rows(energies, bound=100.0) -> pd.DataFrame:
    energy = np.array(energies, float)
    feasible = np.isfinite(energy)
    return pd.DataFrame(
        {
            "index": range(len(energy)),
            "feasible": feasible,
            "energy_j": energy,
            "gap": np.where(feasible, energy / bound - 1, np.nan),
            "transmission_energy_j": np.where(feasible, 1e-9, np.nan),
        }
    )


def test_means_are_over_what_a_variant_solved_and_comparisons_over_what_both_did():
    asc, other = figures_of("paper", {ASC: rows([100, 110, math.nan]), "other": rows([105, math.nan, 200])})
    assert asc.feasible.mean == other.feasible.mean == pytest.approx(2 / 3)
    assert asc.over.mean == pytest.approx(0.05)
    assert other.over.mean == pytest.approx((0.05 + 1.0) / 2)
    assert other.beside.mean == pytest.approx(0.05)
    assert asc.cells()[1] == "2/3"


def test_every_error_and_every_part_has_a_variant_of_its_own():
    alone = {label: options["corrected"] for label, (_, options) in VARIANTS.items() if label.startswith("error ")}
    assert [set(ERRORS) - set(corrected) for corrected in alone.values()] == [{error} for error in ERRORS]
    assert VARIANTS[PLUS] == (PLUS, {})
    assert VARIANTS[PRINTED] == (PRINTED, {})
    cells = ASCParts(("small", "paper"), instances=3).cells()
    assert len(cells) == 2 * 3 * len(VARIANTS)
    assert {cell.value for cell in cells} == {"small", "paper"}
    assert len({cell.key for cell in cells}) == len(cells)


def test_the_course_has_each_round_and_each_iteration():
    history = [
        {"sub_problem": "selection", "admm": [{"execution_energy_j": 5.0, "penalty_j": 0.5, "energy_j": math.inf}]},
        {"sub_problem": "powers", "feasible": False, "energy_j": math.inf},
        {"sub_problem": "selection", "admm": []},
        {"sub_problem": "powers", "feasible": True, "energy_j": 4.0},
    ]
    assert course(history) == {"energy_j": [None, 4.0], "admm": [[[5.0, 0.5]], []]}


def test_curves_are_over_the_bound_and_stay_where_they_end():
    courses = [
        {"energy_j": [None, 110.0], "admm": [[[120.0, 1.0], [110.0, 0.0]], []]},
        {"energy_j": [300.0], "admm": [[[400.0, 4.0]]]},
    ]
    bounds = np.array([100.0, 200.0])
    np.testing.assert_allclose(over_rounds(courses, bounds), [[np.nan, 0.1], [0.5, 0.5]])
    computing, penalty = over_iterations(courses, bounds, 0)
    np.testing.assert_allclose(computing, [(0.2 + 1.0) / 2, (0.1 + 1.0) / 2])
    np.testing.assert_allclose(penalty, [(0.01 + 0.02) / 2, 0.01])
    assert not over_iterations(courses, bounds, 1)[0].size
    assert padded([]).shape == (0, 0)


def test_the_study_end_to_end(tmp_path, capsys):
    out = tmp_path / "out"
    command = ["study", "asc", "--presets", "small", "--instances", "1", "--workers", "1", "--out", str(out)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown == (out / "asc.md").read_text(encoding="utf-8")
    for label in (*ABLATIONS, PLUS, PRINTED, "error 27 alone"):
        assert f"| {label} " in shown
    with open(out / "asc.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["variant"] for row in table] == list(VARIANTS)
    assert (out / "asc.png").is_file()
    assert (out / "asc.pdf").is_file()
    assert main([*command, "--dry-run"]) == 0
    assert f"{len(VARIANTS)} finished" in capsys.readouterr().out


def test_courses_are_kept_as_documents():
    assert json.loads(json.dumps(course([]))) == {"energy_j": [], "admm": []}
