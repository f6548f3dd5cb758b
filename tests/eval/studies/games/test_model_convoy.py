"""``secagent reproduce genainet-convoy-models``: its table, recorded from an endpoint, and replayed without one."""

import csv

import pytest

from eval.command.cli import main
from eval.studies.convoy.models import ModelConvoy
from solvers import standins
from solvers.llm.chat import STANDIN_MODEL
from solvers.llm.server import StandinServer


def test_crossings_of_a_model_are_recorded_and_replayed(tmp_path, capsys):
    pytest.importorskip("openai")
    groups, out = tmp_path / "groups.toml", tmp_path / "out"
    name, how = "genainet-convoy-models", ["--workers", "1"]
    with StandinServer(standins.reply) as server:
        groups.write_text(f'[[group]]\nmodel = "{STANDIN_MODEL}"\nbase_url = "{server.base_url}"\n')
        command = ["reproduce", name, "--instances", "3", "--groups", str(groups), "--out", str(out), *how]
        assert main(command) == 0
    text = capsys.readouterr().out
    with (out / f"{name}.csv").open() as file:
        rows = {row["scheme"]: row for row in csv.DictReader(file)}
    assert len(rows) == 6  # the endpoint is the stand-in's, and has its name
    assert [float(rows[f"convoy (all {name})"]["going"]) for name in ("go", "yield")] == [4, 0]
    stand_in, coin = rows["convoy (no LLM)"], rows["convoy (coin)"]
    assert (float(stand_in["agreeing"]), stand_in["faults"], stand_in["crossings"]) == (1, "0.0", "3")
    assert float(coin["agreeing"]) < 1
    assert 0 < float(coin["going"]) < 4
    recording = out / f"{name}.recording.xz"
    assert main(["reproduce", name, "--replay", str(recording), "--out", str(tmp_path / "again"), *how]) == 0
    assert capsys.readouterr().out == text


def test_bad_options_of_crossings_are_told():
    with pytest.raises(ValueError, match="crossings must be an integer ≥ 2"):
        ModelConvoy(crossings=1)
    with pytest.raises(ValueError, match="temperature"):
        ModelConvoy({"temperature": -1})
