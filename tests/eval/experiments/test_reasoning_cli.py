"""`secagent reproduce` of the experiments with questions, on the packaged sample."""

import pytest

from eval.command.cli import main
from eval.experiments.knowledge_energy import experiment as knowledge_energy
from eval.experiments.knowledge_energy.experiment import NetworkPreset


@pytest.fixture(autouse=True)
def only_the_sample(monkeypatch, tmp_path):
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    monkeypatch.setattr(knowledge_energy, "NETWORKS", {"small": NetworkPreset(2, 3)})
    monkeypatch.chdir(tmp_path)


def test_measured_knowledge_becomes_energy(tmp_path, capsys):
    command = ["-q", "reproduce", "genainet-table1", "knowledge-energy", "--questions", "40", "--instances", "4"]
    command += ["--workers", "1", "--out", "out"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "offline reader, knowledge with the answers, packaged sample" in printed
    assert "LLM of the second paper" in printed
    assert "the packaged sample stands for it" in printed
    for name in ("genainet-table1", "knowledge-energy"):
        for suffix in ("md", "csv", "png", "pdf"):
            assert (tmp_path / "out" / f"{name}.{suffix}").stat().st_size > 100
        assert (tmp_path / "out" / f"{name}.md").read_text() in printed
    cells = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "cells").iterdir()}
    assert main(command) == 0
    assert capsys.readouterr().out == printed
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "cells").iterdir()} == cells


def test_a_dry_run_counts_what_is_known(capsys):
    assert main(["reproduce", "table5", "--instances", "2", "--workers", "1", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("14 cells: 0 finished")
    assert "come on top" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table6"], "did you mean 'table5'"),
        (["table5", "--groups", "nowhere.toml"], "nowhere.toml: No such file or directory"),
        (["table5", "--correlation", "2", "--instances", "1"], "correlation must be"),
        (["table5", "--questions", "0", "--instances", "1"], "the number of questions must be an integer ≥ 1"),
        (["genainet-table1", "--questions", "0"], "the number of questions must be an integer ≥ 1"),
        (["knowledge-energy", "--instances", "0", "--questions", "20"], "integer ≥ 1"),
    ],
)
def test_bad_arguments_are_told_in_a_sentence(arguments, message, capsys):
    assert main(["-q", "reproduce", *arguments, "--workers", "1"]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
