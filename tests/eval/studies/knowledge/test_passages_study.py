"""``secagent study passages``: planned passages beside the nearest ones."""

from pathlib import Path

import docx
import pandas
import pytest

from eval.command.cli import main
from eval.studies.passages.cells import LABEL
from eval.studies.passages.study import BASIS, Passages, figures, markdown
from solvers import planning
from solvers.planning.passages import REWARDS

DOCS = Path(__file__).parents[4] / "docs"


@pytest.fixture
def data(tmp_path, monkeypatch):
    document = docx.Document()
    document.add_heading("3 Terms and definitions", 1)
    for term, meaning in (
        ("SINR", "signal-to-interference-plus-noise ratio"),
        ("Friendly jammer", "a legitimate node that sends noise to disturb an eavesdropper"),
        ("MIMO", "multiple input, multiple output"),
        ("RAN", "radio access network"),
        ("LLM", "large language model"),
        ("dBm", "a power relative to one milliwatt"),
    ):
        document.add_paragraph(f"{term}: {meaning}")
    (tmp_path / "telecom").mkdir()
    document.save(str(tmp_path / "telecom" / "21905-x10.docx"))
    monkeypatch.setenv("SECAGENT_DATA", str(tmp_path))  # without TeleQnA: the packaged sample
    return tmp_path


def test_the_command_compares_plans_with_the_nearest_passages(data, capsys):
    options = ["--questions", "6", "--budget", "3", "--workers", "1", "--out", str(data / "out")]
    assert main(["-q", "study", "passages", *options]) == 0
    shown = capsys.readouterr().out
    rows = pandas.read_csv(data / "out" / "passages.csv").to_dict("records")
    assert shown == markdown(rows)
    plans = len(planning.names()) * (len(REWARDS) + 1)
    assert len(rows) == 2 * (4 + plans)
    found = {
        (row["knowledge"], row["passages_by"], row["reward"]): row for row in rows if isinstance(row["reward"], str)
    }
    for knowledge in ("vocabulary", "explanations"):
        [basis] = [row for row in rows if row["knowledge"] == knowledge and row["passages_by"] == BASIS]
        assert basis["beside_nearest"] == 0
        for planner in planning.names():
            # A control that sees the labels is never worse than where its paths begin.
            assert found[knowledge, planner, LABEL]["accuracy"] >= basis["accuracy"]
            assert 1 <= found[knowledge, planner, "random"]["passages"] <= 5
            assert found[knowledge, planner, "self"]["accuracy"] == basis["accuracy"]  # the nearest are its favourites


def test_a_study_of_explanations_needs_no_vocabulary(tmp_path):
    cells = Passages(knowledge=("explanations",), questions=5, data=tmp_path).cells()
    assert {cell.options["knowledge"] for cell in cells} == {"explanations"}
    assert len({(cell.scheme, cell.options.get("reward")) for cell in cells}) == len(cells)


def test_numbers_by_hand():
    cells = Passages(knowledge=("explanations",), questions=5).cells()[:5]
    rights = ([0, 0, 0, 0], [1, 0, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0])
    found = [(cell, {"right": str(own), "passages": 2.0}) for cell, own in zip(cells, rights, strict=True)]
    rows = figures("explanations", found)
    assert [row["accuracy"] for row in rows] == [0.0, 0.5, 1.0, 0.0, 0.25]
    assert [row["beside_nearest"] for row in rows] == [-0.5, 0.0, 0.5, -0.5, -0.25]
    assert [row["questions"] for row in rows] == [4] * 5


def test_the_page_shows_the_rows_beside_it():
    rows = pandas.read_csv(DOCS / "passages.csv").to_dict("records")
    assert markdown(rows).strip() in (DOCS / "reasoning.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--questions", "0"], "questions must be"),
        (["--budget", "0"], "budget must be"),
        (["--knowledge", "vocabulry"], "unknown knowledge 'vocabulry'; did you mean 'vocabulary'"),
        ([], "there is no telecom/21905-*.docx in the folder of data sets"),
    ],
)
def test_bad_arguments_are_told(arguments, message, tmp_path, capsys):
    assert main(["study", "passages", "--data", str(tmp_path), *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
