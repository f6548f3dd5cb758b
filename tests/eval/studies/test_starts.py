"""The study of starts: whose time counts, when a solver is good, and what is compared."""

import json
import math
from pathlib import Path

import pytest

import solvers
from eval.compare.solving import instance_at, solver_seed
from eval.experiments import protocol
from eval.studies.starts.cells import improvements, solve
from eval.studies.starts.study import Starts, time_to
from training.learn import seeds

pandas = pytest.importorskip("pandas")
pytest.importorskip("onnxruntime")


def test_a_reduced_form(tmp_path: Path):
    study = Starts(("small",), ("best-first", "l2o"), ("exact",), instances=3, max_seconds=5.0)
    text = protocol.run(study, tmp_path / "out", workers=1, progress=False)
    rows = pandas.read_csv(tmp_path / "out" / "starts.csv")
    assert rows["start"].tolist() == ["nothing", "best-first", "l2o"]
    assert (rows["reached"] == 1).all()
    assert (rows["gap"] < 1e-3).all()
    assert rows["ratio"][0] == 0
    assert "| from " in text


def test_the_time_of_the_start_counts():
    [cell] = (
        cell
        for cell in Starts(("small",), ("best-first",), ("exact",), instances=1).cells()
        if cell.options["start"] == "best-first"
    )
    row = solve(cell)
    instance, seed = instance_at(study_scenario(), seeds.TEST.start, 0), solver_seed(seeds.TEST.start, 0)
    first = solvers.make("best-first").solve(instance, seed)
    found = json.loads(row["improvements"])
    assert found[0][1] == pytest.approx(first.outcome.energy_j, rel=1e-9)
    assert 0 < found[0][0] <= row["seconds"]
    assert [energy for _, energy in found] == sorted((energy for _, energy in found), reverse=True)
    assert row["lower_bound_j"] <= found[-1][1] * (1 + 1e-9)


def study_scenario():
    return Starts(("small",)).scenarios["small"]


def test_improvements_by_hand():
    history = [
        {"best_energy_j": math.inf, "seconds": 0.5},
        {"best_energy_j": 2.0, "seconds": 1.0},
        {"best_energy_j": 1.5, "seconds": 4.0},
    ]
    found = list(improvements(history, 0.25))
    assert found == [(1.25, 2.0), (4.25, 1.5)]
    assert time_to(1.6, found) == 4.25
    assert time_to(2.0, found) == 1.25
    assert time_to(1.4, found) == math.inf


def test_figures_by_hand():
    """The certificate is the highest bound; the limit counts where nothing was good in time; ratios are paired."""

    def row(index: int, start: str, bound: float, improvements: list, status: str = "feasible") -> dict:
        return {
            "value": "small",
            "index": index,
            "scheme": f"exact from {start}",
            "status": status,
            "lower_bound_j": bound,
            "improvements": json.dumps(improvements),
        }

    frame = pandas.DataFrame(
        [
            row(0, "nothing", 0.9, [[2.0, 1.2], [4.0, 1.005]]),
            row(0, "best-first", 1.0, [[1.0, 1.0]]),
            row(1, "nothing", 1.0, [[3.0, 1.5], [12.0, 1.0]]),
            row(1, "best-first", 1.0, [[2.0, 1.01]]),
            row(2, "nothing", math.inf, [], "infeasible"),
            row(2, "best-first", 1.0, []),
        ]
    )
    study = Starts(("small",), ("best-first",), ("exact",), max_seconds=8.0)
    alone, started = study._figures(frame)
    assert (alone["networks"], alone["reached"], alone["median"], alone["seconds"]) == (2, 0.5, 6.0, 6.0)
    assert (started["reached"], started["median"]) == (1.0, 1.5)
    assert 1 + started["ratio"] == pytest.approx(math.sqrt((1 / 4) * (2 / 8)))
    assert 1 + alone["gap"] == pytest.approx(math.sqrt(1.005 * 1.0))
    assert started["start"] == "best-first"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"presets": ("smal",)}, "unknown preset 'smal'"),
        ({"starts": ("best",)}, "unknown solver 'best'"),
        ({"starts": ("ppo-mlp",), "presets": ("small",)}, "takes no other number"),
        ({"solvers": ("exactly",)}, "unknown solver 'exactly'"),
        ({"max_seconds": 0.0}, "max_seconds"),
        ({"within": -0.1}, "within"),
        ({"instances": 0}, "instances"),
        ({"starts": ("best-first", "best-first")}, "each start is named once"),
    ],
)
def test_what_cannot_be_compared_is_told(options: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        Starts(**options)
