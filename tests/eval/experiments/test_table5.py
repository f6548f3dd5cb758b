"""Table V: who selects, the fitted difficulty, votes that meet the theory, and what the report says of all that."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from experiment_options import from_options
from scipy import stats

from eval.experiments.protocol import run
from eval.experiments.votes import cells as voting
from eval.experiments.votes import cells_selection
from eval.experiments.votes.cells_selection import ANY, SCHEMES
from eval.experiments.votes.experiment import Votes, scenario_of
from eval.experiments.votes.printed import TABLE_V
from eval.experiments.votes.results import DataSet, fit, selected_accuracies
from eval.experiments.votes.tables import LEAST, MOST
from eval.stats.formatting import points
from eval.stats.statistics import Interval
from eval.sweep.cells import Cell
from eval.sweep.engine import Sweep, run_sweep
from secagent_env.model.workload import accuracy_at_difficulty
from secagent_env.questions import Question, QuestionSet
from solvers.reasoning.simulated import voted_accuracy
from solvers.reasoning.vote_theory import expected_accuracy


@pytest.fixture
def no_data(monkeypatch):
    monkeypatch.delenv("SECAGENT_DATA", raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("table5")


@pytest.fixture(scope="module")
def selections(folder):
    return run_sweep(Sweep(Votes(2).cells()), folder, workers=1, progress=False)


def test_schemes_select_for_the_least_energy_or_at_random(selections):
    assert selections["feasible"].all()
    for _, network in selections.groupby("index"):
        energy = network.set_index("scheme")["energy_j"]
        assert energy.idxmin() in ("exact", "asc-plus", "asc", "ga")
        assert energy["exact"] <= energy.min() * (1 + 1e-6)
        assert energy["randas"] > 1.05 * energy["exact"]
        assert network["accuracy"].nunique() == 1  # the same agents for everybody
    for scheme in SCHEMES:
        for accuracy in selected_accuracies(selections, scheme, (0, 1)):
            assert len(accuracy) == 10
            assert scheme == ANY or accuracy.mean() >= 0.6 - 1e-9


def test_ten_of_any_accuracy_are_sometimes_too_inaccurate():
    cells = [
        Cell(cells_selection.FUNCTION, Votes.name, ANY, None, 0, index, {"scenario": scenario.to_dict()})
        for index in range(10)
        for scenario in (scenario_of(ANY),)
    ]
    found = [cells_selection.select(cell) for cell in cells]
    means = [np.array(row["accuracy"])[row["selected"]].mean() for row in found]
    assert min(means) < 0.58
    assert len({tuple(row["selected"]) for row in found}) == 10


def asked(monkeypatch, options, size=3000, answer=1):
    """Put questions of so many options in place of those that are loaded."""
    made = QuestionSet("made", tuple(Question(f"q{i}", "?", tuple("ABCDE"[:options]), answer) for i in range(size)))
    monkeypatch.setattr(voting, "pool", lambda *_: made)


@pytest.mark.parametrize(("options", "correlation"), [(2, 0.0), (4, 0.0), (4, 0.5)])
def test_the_votes_of_the_agents_selected_meet_the_theory(monkeypatch, options, correlation):
    asked(monkeypatch, options)
    accuracy, selected, difficulty = np.linspace(0.4, 0.8, 9), [0, 3, 4, 5, 8], 1.4
    told = {"accuracy": accuracy.tolist(), "selected": selected, "difficulty": difficulty, "correlation": correlation}
    told |= {"source": "made", "path": None, "count": 3000}
    row = voting.ask(Cell(voting.FUNCTION, "table5", "asc", "boolq", 4, 2, told))
    there = np.maximum(accuracy_at_difficulty(accuracy[selected], difficulty), 1 / options)
    theory = expected_accuracy(there, options, correlation)
    assert row["asked"] == 3000
    assert stats.binomtest(row["right"], 3000, theory).pvalue > 1e-3
    assert row["agents_right"] == pytest.approx(there.mean(), abs=0.03)
    assert row["right_weighted"] >= row["right"] - 60


def test_the_same_questions_are_asked_whoever_is_selected(monkeypatch):
    asked(monkeypatch, 4, size=50)
    seen = {}

    class Listening(voting.Supervisor):
        def ask(self, question, selection, seed, **more):
            seen.setdefault(tuple(np.flatnonzero(selection)), []).append((question.key, seed))
            return super().ask(question, selection, seed, **more)

    monkeypatch.setattr(voting, "Supervisor", Listening)
    for selected, index in (([0, 1], 0), ([1, 2], 0), ([2, 3], 1)):
        told = {"accuracy": [0.5] * 4, "selected": selected, "difficulty": 1.0, "correlation": 0.0}
        told |= {"source": "made", "path": None, "count": 30}
        voting.ask(Cell(voting.FUNCTION, "table5", "asc", "arc-easy", 0, index, told))
    assert len({key for key, _ in seen[0, 1]}) == 30
    assert seen[0, 1] == seen[1, 2] != seen[2, 3]


def test_the_fit_is_of_the_vote_of_asc_alone(selections):
    given = tuple(DataSet(name, name, None, options, "") for name, options in OPTIONS.items())
    accuracies = selected_accuracies(selections, "asc", (0, 1))
    difficulty = fit(given, accuracies, 0.5)
    for each in given:
        there = [accuracy_at_difficulty(selected, difficulty[each.name]) for selected in accuracies]
        assert voted_accuracy(there, each.num_options, 0.5) == pytest.approx(TABLE_V[each.name]["asc"], abs=1e-4)
    assert difficulty["arc-challenge"] > difficulty["arc-easy"]


OPTIONS = {"arc-easy": {4: 1}, "arc-challenge": {3: 1, 4: 99}, "boolq": {2: 1}}


# --- the report ---------------------------------------------------------------------------------------------


def small(folder):
    return run(Votes(2, questions=8), folder, workers=1, progress=False)


@pytest.fixture(scope="module")
def text(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SECAGENT_DATA", raising=False)
        return small(folder)


def test_the_report_says_what_stands_for_what(text):
    assert text.count("the packaged sample stands for it") == 3
    assert "The agents are simulated" in text
    assert "one difficulty δ for each is fitted" in text
    assert "law (no LLM)" in text
    assert not re.search(r"\| law +\|", text)
    for printed in ("85%", "76%", "66%", "56%", "75%", "65%", "41%", "83%", "82%", "80%"):
        assert f" {printed} " in text
    for line in text.splitlines():
        if line.startswith("| asc (fitted)"):
            *_, theory, _, printed, _ = line.split("|")
            assert float(theory.strip("% ")) == pytest.approx(float(printed.strip("% ")), abs=0.06)


def test_the_report_is_written_with_numbers_and_picture(text, folder):
    assert (folder / "table5.md").read_text(encoding="utf-8") == text
    frame = pd.read_csv(folder / "table5.csv")
    assert len(frame) == 3 * (7 + 2)
    fitted = frame[frame["scheme"] == "asc"].set_index("data set")
    assert fitted["theory"].to_dict() == pytest.approx(
        {"arc-easy": 0.85, "arc-challenge": 0.75, "boolq": 0.83}, abs=1e-3
    )
    best, worst = (frame[frame["scheme"] == scheme] for scheme in (MOST, LEAST))
    assert (best["theory"].to_numpy() > worst["theory"].to_numpy()).all()
    assert (folder / "table5.png").stat().st_size > 10_000
    assert (folder / "table5.pdf").exists()


def test_a_second_run_computes_nothing(text, folder, monkeypatch, no_data):
    def never(cell):
        raise AssertionError(f"computed again: {cell}")

    monkeypatch.setattr(cells_selection, "select", never)
    monkeypatch.setattr(voting, "ask", never)
    assert small(folder) == text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--questions", "0"], "number of questions must be an integer ≥ 1, got 0"),
        (["--instances", "0"], "number of networks must be an integer ≥ 1, got 0"),
        (["--correlation", "2"], "correlation must be a finite number from 0 to 1, got 2.0"),
    ],
)
def test_bad_options_are_told_in_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_options(Votes, *options)


def test_a_vote_that_cannot_be_as_printed_is_said():
    given = [DataSet("arc-challenge", "sample", None, {4: 1}, "")]
    with pytest.raises(ValueError, match=r"no difficulty gives an accuracy of 0\.75"):
        fit(given, [np.zeros(10)], 0.0)


def test_points_are_signed():
    assert points(Interval(0.012, -0.003, 0.021, 9)) == "+1.2 [-0.3, +2.1] points"
    assert points(Interval(0.0, math.nan, math.nan, 1)) == "+0.0 points"


def test_the_sample_stands_with_as_many_options(no_data):
    for name in TABLE_V:
        found = DataSet.of(name)
        assert found.source == "sample"
        assert (set(found.num_options) == {2}) == (name == "boolq")


def test_the_real_sets_are_asked_where_they_are(data_folder):
    found = {name: DataSet.of(name, data_folder) for name in TABLE_V}
    assert {name: each.source for name, each in found.items()} == {name: name for name in TABLE_V}
    assert found["boolq"].num_options == {2: 3270}
    assert sum(found["arc-easy"].num_options.values()) == 2376
    assert sum(found["arc-challenge"].num_options.values()) == 1172
    assert set(found["arc-easy"].num_options) == {3, 4, 5}
