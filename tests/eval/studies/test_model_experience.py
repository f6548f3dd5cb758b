"""``secagent reproduce genainet-experience-models``: recorded from an endpoint, and replayed without one."""

import pytest

from eval.command.cli import main
from solvers import standins
from solvers.llm.chat import STANDIN_MODEL
from solvers.llm.server import StandinServer


def test_a_season_of_a_model_is_recorded_and_replayed(tmp_path, capsys):
    pytest.importorskip("openai")
    groups, out = tmp_path / "groups.toml", tmp_path / "out"
    command = ["reproduce", "genainet-experience-models", "--instances", "11", "--workers", "1", "--out"]
    with StandinServer(standins.reply) as server:
        groups.write_text(f'[[group]]\nmodel = "{STANDIN_MODEL}"\nbase_url = "{server.base_url}"\n')
        assert main([*command, str(out), "--groups", str(groups)]) == 0
    text = capsys.readouterr().out
    assert "own, reshuffled" in text
    recording = out / "genainet-experience-models.recording.xz"
    replay = ["reproduce", "genainet-experience-models", "--replay", str(recording), "--workers", "1"]
    assert main([*replay, "--out", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out == text
