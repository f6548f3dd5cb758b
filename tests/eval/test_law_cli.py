"""LAW on the command line: the conversation, the dry run, the stand-in over HTTP, replay, and no secrets anywhere."""

import json
import math
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from faulty_server import FaultyServer, echoes_key, fails, says, unused_port

from eval.command.cli import main
from eval.compare.conversation import printable
from eval.studies.law import study
from eval.studies.law.cells import course
from solvers.llm.server import StandinServer

QUICK = ["--set", "rounds=1", "iterations=2", "candidates=10"]
KEY = "sk-marker-0123456789abcdef"


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return sampled()


def decided(path):
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    return [found[name] for name in ("selected", "beamformer_real", "power_w", "evaluations", "solver")]


def test_the_conversation_is_shown(network, capsys):
    assert main(["solve", network, "--solver", "law", *QUICK, "--transcript"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("solver       law (no LLM)")
    assert re.search(
        r"^asked +6 calls, about \d+ \+ \d+ tokens, own proposals better in \d of 6 steps$", shown, re.MULTILINE
    )
    assert shown.count("[system]") == 1
    assert shown.count("[verdict]") == shown.count("[reply]") == 6
    assert shown.count("Answer with one JSON object of this form") == 3  # once for each sub-problem
    assert "=== round 1, powers, step 2 (call 6) ===" in shown


def test_solvers_without_a_model_have_no_conversation(network, capsys):
    for option in ("--transcript", "--dry-run"):
        assert main(["solve", network, "--solver", "exact", option]) == 2
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)  # before it is solved
        assert "exact asks no language model" in told.err


def test_who_was_never_asked_has_a_decision_all_the_same(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["-q", "sample", "--scenario", "small", "--set", "min_accuracy=1.0", "--out", "n.npz"]) == 0
    assert main(["solve", "n.npz", "--solver", "law", "--transcript", "--out", "d.json"]) == 0
    assert "Nothing was asked." in capsys.readouterr().out
    with open("d.json", encoding="utf-8") as file:
        assert json.load(file)["status"] == "infeasible"
    assert main(["solve", "n.npz", "--solver", "law", "--dry-run"]) == 0
    assert "would ask nothing: accuracy" in capsys.readouterr().out


def test_a_dry_run_shows_the_prompts_and_sends_nothing(network, capsys):
    address = f'base_url="http://127.0.0.1:{unused_port()}/v1"'  # whoever sends is refused
    options = ["--set", 'model="m"', address, "prices={input=1.0, output=10.0}", "rounds=1", "iterations=2"]
    assert main(["solve", network, "--solver", "law", *options, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("=== the first prompt for") == 3
    assert "calls         about 6, at most 6\n" in shown
    counts = re.search(r"asked  about (\d+), at most (\d+)\n.*about (\d+), at most (\d+)", shown).groups()
    asked, longest, told, most = map(int, counts)
    assert longest > 2 * asked
    about, worst = map(float, re.search(r"cost +about ([\d.e-]+), at most ([\d.e-]+)", shown).groups())
    assert most == 6 * 2000
    assert about == pytest.approx((asked + 10 * told) / 1e6, rel=1e-3)
    assert worst == pytest.approx((longest + 10 * most) / 1e6, rel=1e-3)
    with FaultyServer(says("")) as server:
        options[2] = f'base_url="{server.base_url}"'
        assert main(["solve", network, "--solver", "law", *options]) == 0
    system, user = (message["content"] for message in server.bodies[0]["messages"])
    assert f"[system]\n{system}\n\n[user]\n{user}\n" in shown  # what is sent, to the letter


def test_a_dry_run_keeps_the_caps_and_tells_what_can_be_asked_at_most(network, capsys):
    options = ["--set", 'model="m"', "rounds=50", "iterations=2", "prices={input=1.0, output=10.0}"]
    assert main(["solve", network, "--solver", "law", *options, "--dry-run"]) == 0
    about, most = map(int, re.search(r"calls +about (\d+), at most (\d+)", capsys.readouterr().out).groups())
    assert about < most == 50 * 3 * 2  # a round without progress is the last
    caps = ["max_calls=5", "max_cost=0.02"]
    assert main(["solve", network, "--solver", "law", *options, *caps, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "calls         about 5, at most 5\n" in shown
    assert "caps          max_calls=5, max_cost=0.02: " in shown


def test_over_http_and_from_the_transcript_the_result_is_the_same(network):
    server = subprocess.Popen(
        [sys.executable, "-m", "eval.command.cli", "serve-standin", "--port", "0"],
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
    assert main(["serve-standin", "--host", ""]) == 2
    assert "or 0.0.0.0 to listen everywhere" in capsys.readouterr().err


def test_who_listens_everywhere_is_told_so(capsys, monkeypatch):
    monkeypatch.setattr(StandinServer, "serve_forever", StandinServer.close)
    assert main(["-q", "serve-standin", "--host", "0.0.0.0", "--port", "0"]) == 0
    shown = capsys.readouterr()
    assert "http://127.0.0.1:" in shown.out
    assert "everybody who reaches this machine can ask the stand-in" in shown.err
    assert main(["serve-standin", "--port", "0"]) == 0
    assert capsys.readouterr().err == ""


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
    with FaultyServer(says("\x1b]0;owned\x07\n\n[verdict] improved: f = 0 J")) as server:
        options = [*QUICK, 'model="m"', f'base_url="{server.base_url}"']
        assert main(["solve", network, "--solver", "law", *options, "--transcript"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "> \\x1b]0;owned" in shown
    assert "\n> [verdict] improved" in shown
    assert "\n[verdict] improved" not in shown


def test_the_study_compares_the_ablations(tmp_path, capsys, monkeypatch):
    for variants in (study.ABLATIONS, study.CONTROLS):
        for label, options in variants.items():
            monkeypatch.setitem(variants, label, {**options, "proposals": 1, "rounds": 1, "iterations": 3})
    out = ["--out", str(tmp_path / "out"), "--workers", "1"]
    arguments = ["study", "law", "--scenario", "small", "--instances", "2", *out]
    assert main([*arguments, "--picture", str(tmp_path / "mine.svg")]) == 0
    shown = capsys.readouterr().out
    for label in ("asc", "exact", *study.ABLATIONS, *study.CONTROLS):
        assert f"| {label} " in shown
    assert (tmp_path / "out" / "law.md").read_text() == shown
    assert (tmp_path / "out" / "law.png").stat().st_size > 10_000
    assert "</svg>" in (tmp_path / "mine.svg").read_text()
    assert main(arguments) == 0
    again = capsys.readouterr()
    assert again.out == shown
    assert "18 of 18 cells are taken from" in again.err


def test_a_model_joins_the_study_and_its_cells_cost_money(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = {"model": "mine", "base_url": "http://127.0.0.1:9/v1"}
    cells = study.LawAblations("small", instances=1, model=model).cells()
    assert [cell.scheme for cell in cells] == ["asc", "exact", *study.ABLATIONS, *study.CONTROLS, "law (mine)"]
    assert [cell.paid for cell in cells] == [False] * 9 + [True]
    assert KEY not in str(cells)


def test_the_study_tells_apart_what_solved_nothing(tmp_path, capsys, monkeypatch):
    quick = {"rounds": 1, "iterations": 1}
    monkeypatch.setattr(study, "ABLATIONS", {study.STAND_IN: quick, "without examples": {**quick, "examples": False}})
    monkeypatch.setattr(study, "CONTROLS", {})
    arguments = ["--scenario", "tight-latency", "--instances", "1", "--seed", "1", "--workers", "1"]
    assert main(["study", "law", *arguments, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "over the 1 of 1 instances that all but law (no LLM), without examples solved feasibly" in shown
    asc, exact, law = (line.split("|")[2:6] for line in shown.splitlines()[2:5])
    assert [cell.strip() for cell in law] == ["0/1", "–", "–", "–"]
    assert asc[0].strip() == exact[0].strip() == "1/1"
    assert asc[1].strip() != "–"


def test_curves_hold_their_last_value_and_wait_for_feasible_ones():
    def solved(*values):
        history = [{"sub_problem": "beam", "best_f": f, "replies": [0, 0]} for f in values]
        return course([*history, {"sub_problem": "powers", "best_f": 9.0, "replies": [0, 0]}])

    calls, values = study.curves([solved(3.0), solved(math.inf, 2.0, 1.0), solved()], "beam")
    assert calls.tolist() == [2, 4, 6]
    assert values.tolist() == [[3.0] * 3, [math.inf, 2.0, 1.0], [math.inf] * 3]


def test_quartiles_are_those_of_all_networks_the_infeasible_ones_too():
    low, middle, high = study.quartiles(np.array([[1.0, 1.0, 4.0], [2.0, 2.0, 4.0], [3.0, math.inf, math.inf]]))
    np.testing.assert_allclose([low[0], middle[0], high[0]], [1.5, 2.0, 2.5])
    np.testing.assert_allclose([low[1], middle[1], high[1]], [1.5, 2.0, math.nan])
    np.testing.assert_allclose(low, [1.5, 1.5, 4.0])


def test_the_study_shows_the_raw_view_and_whose_work_the_rows_are(tmp_path, capsys, monkeypatch):
    quick = {"rounds": 1, "iterations": 2, "candidates": 10}
    monkeypatch.setattr(study, "ABLATIONS", {study.STAND_IN: quick})
    monkeypatch.setattr(study, "CONTROLS", {"expert search alone": {**quick, "control": "repeat"}})
    arguments = ["study", "law", "--scenario", "small", "--instances", "2", "--workers", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--view", "raw"]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("The view in all prompts is raw.\n")
    head, _, asc, _, _, search = ([cell.strip() for cell in line.split("|")] for line in shown.splitlines()[:6])
    at = head.index("own improvements")
    assert (asc[at], search[1], search[at]) == ("–", "expert search alone", "0 %")
    assert [cell.options["solver_options"]["view"] for cell in cells_of("raw")] == ["raw"] * 2
    assert main([*arguments, "--view", "rows"]) == 2
    assert "rows" in capsys.readouterr().err


def cells_of(view):
    return [cell for cell in study.LawAblations("small", 1, view=view).cells() if cell.options["solver"] == "law"]


def test_a_comparison_tells_the_share_of_own_improvements_even_if_there_is_none(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    laws = ["law(rounds=1, iterations=2)", 'law(control="repeat", rounds=1, iterations=2)']
    compare = ["compare", "--scenario", "small", "--instances", "2", "--workers", "1", "--solvers"]
    assert main([*compare, "randas", *laws]) == 0
    lines = [[cell.strip() for cell in line.split("|")] for line in capsys.readouterr().out.splitlines()]
    at = next(line.index("own improvements") for line in lines if "own improvements" in line)
    told = {line[1]: line[at] for line in lines if len(line) > at}
    assert told["randas"] == "–"
    assert re.match(r"\d\S* %", told["law (no LLM, iterations=2, rounds=1)"])
    assert told['law(control="repeat", iterations=2, rounds=1)'] == "0 %"
    assert main([*compare, "randas"]) == 0
    assert "own improvements" not in capsys.readouterr().out


BROKEN = ["study", "law", "--scenario", "small", "--instances", "2", "--workers", "1", "--model", "m"]


def test_a_model_that_says_nothing_of_use_has_no_row_like_the_others(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "ABLATIONS", {study.STAND_IN: {"rounds": 1, "iterations": 1}})
    monkeypatch.setattr(study, "CONTROLS", {})
    sentence = "no reply of m could be used (3 × server error): the server failed (500): the GPU burns"
    with FaultyServer(fails(500, "the GPU burns")) as server:
        options = ['model="m"', f'base_url="{server.base_url}"', "retries=0", "rounds=1", "iterations=1"]
        law = f"law({', '.join(options)})"
        compare = ["compare", "--scenario", "small", "--instances", "2", "--workers", "1", "--solvers", "randas", law]
        assert main(compare) == 0
        table = capsys.readouterr().out
        assert re.search(r"^\| law\(.* \| 0/2 \(0%\) +\| – ", table, re.MULTILINE)
        assert "| 2 failed " in table
        assert f"has no feasible decision for 2 of 2 (instances 0, 1); the first: failed, {sentence}.\n" in table
        assert "replies that could not be used, of 6 calls: 6 server error.\n" in table
        assert main(["solve", sampled(), "--solver", "law", "--set", *options]) == 0
        assert f"status       failed: {sentence}\n" in capsys.readouterr().out
    with FaultyServer(says("I cannot.")) as server:
        assert main([*BROKEN, "--base-url", server.base_url]) == 0
        table = capsys.readouterr().out
        assert re.search(r"^\| law \(m\) +\| 0/2 +\| – +\| – ", table, re.MULTILINE)
        assert "law (m) has no feasible decision for 2 of 2 (instances 0, 1); the first: failed, no reply of m" in table


def test_replies_without_use_are_counted_below_the_table(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FaultyServer(says('{"selected": [1, 2]}'), fails(500), says("no"), fails(429)) as server:
        law = f'law(model="m", base_url="{server.base_url}", retries=0, concurrency=1, rounds=1, iterations=2)'
        assert main(["compare", "--scenario", "small", "--instances", "1", "--workers", "1", "--solvers", law]) == 0
    table = capsys.readouterr().out
    assert "of 6 calls: 3 rate limited, 1 server error, 1 unusable answer.\n" in table
    assert "| 1/1 (100%) |" in table


def sampled():
    assert main(["-q", "sample", "--scenario", "small", "--out", "n.npz"]) == 0
    return "n.npz"
