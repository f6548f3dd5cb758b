"""Seasons and thoughts of a language model: recorded from an endpoint, and replayed without one."""

import pytest

from eval.command.cli import main
from solvers import standins
from solvers.llm.chat import STANDIN_MODEL
from solvers.llm.server import StandinServer


@pytest.mark.parametrize(
    ("experiment", "instances", "shown"),
    [("genainet-experience-models", 11, "own, reshuffled"), ("genainet-thoughts-models", 2, "one thought")],
)
def test_games_of_a_model_are_recorded_and_replayed(tmp_path, capsys, experiment, instances, shown):
    pytest.importorskip("openai")
    groups, out = tmp_path / "groups.toml", tmp_path / "out"
    command = ["reproduce", experiment, "--instances", str(instances), "--workers", "1", "--out"]
    with StandinServer(standins.reply) as server:
        groups.write_text(f'[[group]]\nmodel = "{STANDIN_MODEL}"\nbase_url = "{server.base_url}"\n')
        assert main([*command, str(out), "--groups", str(groups)]) == 0
    text = capsys.readouterr().out
    assert shown in text
    recording = out / f"{experiment}.recording.xz"
    replay = ["reproduce", experiment, "--replay", str(recording), "--workers", "1"]
    assert main([*replay, "--out", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out == text
