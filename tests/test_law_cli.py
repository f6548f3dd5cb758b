"""LAW on the command line: the conversation, the dry run, the stand-in over HTTP, replay, and no secrets anywhere."""

import json
import re
import signal
import subprocess
import sys

import pytest
from faulty_server import FaultyServer, echoes_key, says, unused_port

from eval import law as study
from eval.cli import main
from eval.conversation import printable

QUICK = ["--set", "rounds=1", "iterations=2", "candidates=10"]
KEY = "sk-marker-0123456789abcdef"


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["-q", "sample", "--scenario", "small", "--out", "n.npz"]) == 0
    return "n.npz"


def decided(path):
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    return [found[name] for name in ("selected", "beamformer_real", "power_w", "evaluations", "solver")]


def test_the_conversation_is_shown(network, capsys):
    assert main(["solve", network, "--solver", "law", *QUICK, "--transcript"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("solver       law (no LLM)")
    assert re.search(r"^asked +6 calls, about \d+ \+ \d+ tokens$", shown, re.MULTILINE)
    assert shown.count("[system]") == 1
    assert shown.count("[verdict]") == shown.count("[reply]") == 6
    assert shown.count("Answer with one JSON object of this form") == 3  # once for each sub-problem
    assert "=== round 1, powers, step 2 (call 6) ===" in shown


def test_solvers_without_a_model_have_no_conversation(network, capsys):
    for option in ("--transcript", "--dry-run"):
        assert main(["solve", network, "--solver", "exact", option]) == 2
        assert "exact asked no" in (told := capsys.readouterr().err) or "exact asks no language model" in told


def test_a_dry_run_shows_the_prompts_and_sends_nothing(network, capsys):
    address = f'base_url="http://127.0.0.1:{unused_port()}/v1"'  # whoever sends is refused
    options = ["--set", 'model="m"', address, "prices={input=1.0, output=10.0}", "rounds=1", "iterations=2"]
    assert main(["solve", network, "--solver", "law", *options, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("=== the first prompt for") == 3
    assert "calls         6" in shown
    asked, told, most = map(int, re.search(r"asked  about (\d+)\n.*about (\d+), at most (\d+)", shown).groups())
    about, worst = map(float, re.search(r"cost +about ([\d.e-]+), at most ([\d.e-]+)", shown).groups())
    assert most == 6 * 2000
    assert about == pytest.approx((asked + 10 * told) / 1e6, rel=1e-3)
    assert worst == pytest.approx((asked + 10 * most) / 1e6, rel=1e-3)
    prompt = shown.partition("[prompt]")[0].partition("[user]\n")[2].partition("\n\n\n")[0]
    assert main(["solve", network, "--solver", "law", *QUICK, "--transcript"]) == 0
    assert prompt.splitlines()[0] in capsys.readouterr().out  # the one that is sent


def test_over_http_and_from_the_transcript_the_result_is_the_same(network):
    server = subprocess.Popen(
        [sys.executable, "-m", "eval.cli", "serve-standin", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = re.search(r"http://[\d.:]+/v1", server.stdout.readline())[0]
        assert address in server.stdout.readline()
        http = ["--set", 'model="no-LLM"', f'base_url="{address}"', 'transcript="t.jsonl"', *QUICK[1:]]
        assert main(["-q", "solve", network, "--solver", "law", *QUICK, "--out", "a.json"]) == 0
        assert main(["-q", "solve", network, "--solver", "law", *http, "--out", "b.json"]) == 0
    finally:
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=20)
    assert server.returncode == 130
    assert "Traceback" not in errors
    assert main(["-q", "solve", network, "--solver", "law", *QUICK, 'replay="t.jsonl"', "--out", "c.json"]) == 0
    assert decided("a.json") == decided("b.json") == decided("c.json")


def test_a_taken_port_is_one_sentence(capsys):
    with FaultyServer(says("")) as server:
        port = str(server.server_address[1])
        assert main(["serve-standin", "--port", port]) == 2
    assert re.fullmatch(r"secagent: error: cannot listen on 127\.0\.0\.1, port \d+ .*\n", capsys.readouterr().err)
    assert main(["serve-standin", "--port", "70000"]) == 2


def test_errors_of_endpoints_are_one_sentence_without_the_key(network, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FaultyServer(echoes_key(401)) as server:
        options = ["--set", 'model="m"', f'base_url="{server.base_url}"', 'transcript="t.jsonl"']
        assert main(["-v", "solve", network, "--solver", "law", *options, "--out", "d.json"]) == 2
        assert any(KEY in key for key in server.keys)  # it was sent, and nowhere else
    told = capsys.readouterr()
    assert "refused the key" in told.err
    assert KEY not in told.out + told.err
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert main(["solve", network, "--solver", "law", "--set", 'model="m"', f'api_key="{KEY}"']) == 2
    assert "OPENAI_API_KEY" in (told := capsys.readouterr().err)
    assert KEY not in told


def test_replies_cannot_write_to_the_terminal(network, capsys):
    shown = printable("a\x1b[2Jb\x07\n" + "c" * 3000)
    assert shown == r"a\x1b[2Jb\x07" + "\n" + "c" * 1992 + "… (1008 more characters)"
    with FaultyServer(says("\x1b]0;owned\x07")) as server:
        options = [*QUICK, 'model="m"', f'base_url="{server.base_url}"']
        assert main(["solve", network, "--solver", "law", *options, "--transcript"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\\x1b]0;owned" in shown


def test_the_study_compares_the_ablations(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(study.ABLATIONS, "without expert search, as many evaluations", {"expert_search": False})
    study.main(["--scenario", "small", "--instances", "2", "--picture", str(tmp_path / "law.png")])
    shown = capsys.readouterr().out
    for label in ("asc", "exact", *study.ABLATIONS):
        assert f"| {label} " in shown
    assert (tmp_path / "law.png").stat().st_size > 10_000
