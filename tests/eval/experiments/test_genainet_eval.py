"""Power control of GenAINet: the table, the rounds, and the page of a game."""

import html
import json
import re

import numpy as np
import pytest
from experiment_options import from_options
from faulty_server import FaultyServer, fails, says
from hostile_replies import INSTRUCTIONS

from eval.command import cli
from eval.experiments.genainet_power.experiment import PowerGames
from eval.experiments.genainet_power.page import page
from eval.experiments.genainet_power.results import LEARNT
from eval.experiments.genainet_power.tables import markdown, rounds_table
from eval.experiments.protocol import run
from eval.sweep.engine import Sweep, run_sweep
from secagent_env.power_control import Game, rates, sample_game
from solvers.genainet import GenAINet
from solvers.power_control import dpc


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    out = tmp_path_factory.mktemp("games")
    return PowerGames([2, 4], 12, seed=3, rounds=6).courses(lambda cells: run_sweep(Sweep(cells), out, workers=1))


def test_courses_are_of_the_same_games_round_by_round(courses):
    own = [course for course in courses if course.method != LEARNT]  # there where it was trained
    assert [course.num_pairs for course in own] == [2] * 6 + [4] * 6
    starts = {course.num_pairs: course.total_power_w[0] for course in courses if course.method == "dpc"}
    for course in courses:
        assert course.rate_gap.shape == (7, 12)
        if course.method != "optimum":
            np.testing.assert_array_equal(course.total_power_w[0], starts[course.num_pairs])
    game = sample_game(4, 3, (12,), feasible=False)
    power = dpc(game, 6)[-1]
    [reference] = [course for course in courses if (course.num_pairs, course.method) == (4, "dpc")]
    expected = np.abs(rates(game, power) - game.target_rate).mean(axis=-1)
    np.testing.assert_allclose(reference.rate_gap[-1], expected, rtol=1e-12)


def test_the_table_names_the_standin_and_stands_beside_the_paper(courses):
    text = markdown(courses)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    methods = [row[1] for row in rows[1:] if row[0] == "4" and row[1] != LEARNT]
    assert methods == [
        "dpc",
        "optimum",
        "GenAI alone (no LLM)",
        "GenAINet without messages (no LLM)",
        "GenAINet (no LLM)",
        "GenAINet, commander (no LLM)",
        "paper: DPC",
        "paper: GenAI alone",
        "paper: GenAINet",
    ]
    assert rows[-1][2] == "1.736 kbps"
    assert rows[-1][-1] == "5.00"
    by_method = {row[1]: row for row in rows[1:] if row[0] == "4"}
    assert by_method["GenAI alone (no LLM)"][-1] == "–"
    assert by_method["GenAINet without messages (no LLM)"][-1].startswith("0.00 (")
    ratio = float(by_method["GenAINet (no LLM)"][5].split(" %")[0]) / 100
    power = {c.method: c.total_power_w[-1].mean() for c in courses if c.num_pairs == 4}
    assert ratio == pytest.approx(power["GenAINet (no LLM)"] / power["dpc"], abs=0.006)


def test_the_rounds_have_a_mean_with_an_interval_each(courses):
    table = dict(rounds_table(courses[:6], "total_power_w"))
    assert set(table) == {course.method for course in courses[:6]}
    assert "dpc" in table
    assert len(table["dpc"]) == 7
    last = table["dpc"][-1]
    assert last.mean == pytest.approx(courses[0].total_power_w[-1].mean())
    assert last.low < last.mean < last.high


def test_the_table_is_written_and_the_rounds_are_drawn(tmp_path):
    picture = tmp_path / "rounds.png"
    options = ["--pairs", "2", "--draws", "3", "--rounds", "3", "--picture", str(picture)]
    text = run(from_options(PowerGames, *options), tmp_path / "out", workers=1)
    assert (tmp_path / "out" / "genainet.md").read_text() == text
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--draws", "0"], "the number of games must be an integer ≥ 1"),
        (["--base-url", "http://localhost:1/v1"], "model"),
        (["--pairs", "0"], "num_pairs"),
        (["--picture", "rounds.gif"], "a picture's name must end with"),
    ],
)
def test_bad_options_are_told_in_a_sentence(options, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        run(from_options(PowerGames, *options), tmp_path)


def test_games_that_fail_are_told_and_the_others_kept(tmp_path):
    with FaultyServer(fails(401)) as server:
        games = from_options(PowerGames, "--pairs", "2", "--draws", "2", "--model", "m", "--base-url", server.base_url)
        with pytest.raises(ValueError, match=r"8 of 8 games failed, the first with EndpointError.*--retry-failed"):
            run(games, tmp_path, workers=1)


def data_in(text: str) -> dict:
    [found] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def test_the_page_holds_every_round(tmp_path):
    path = tmp_path / "game.html"
    assert run(from_options(PowerGames, "--page", str(path), "--pairs", "3", "--rounds", "5"), tmp_path / "out") == ""
    assert not (tmp_path / "out").exists()
    data = data_in(path.read_text())
    record = GenAINet().play(sample_game(3, 1, (1,), feasible=False)[0], 5, 1).record
    assert [now["power"] for now in data["rounds"]] == [pytest.approx(row, rel=1e-4) for row in record.power_w.tolist()]
    assert [now["rate"] for now in data["rounds"]] == [pytest.approx(row, rel=1e-4) for row in record.rate.tolist()]
    said = [note["text"] for now in data["rounds"] for turn in now["turns"] for note in turn["said"]]
    assert [message.text for delivery in record.deliveries for message in delivery.messages] == said
    assert "src=" not in path.read_text()  # it needs nothing else


def test_the_page_shows_what_agents_write_as_text():
    evil = ["</script><script>alert(1)</script>", "<!-- <img src=x onerror=alert(1)>", "\u202e\x1b[2J", *INSTRUCTIONS]
    notes = [{"to": "pair_1", "text": "\n".join(evil)}, {"to": "<b>", "text": "&amp;"}]
    answer = json.dumps({"power_w": 1, "explanation": evil[0], "plan": evil, "proposals": notes})
    game = Game(gain=np.ones((2, 2)), target_rate=np.ones(2), initial_power_w=np.ones(2))
    with FaultyServer(says(answer)) as server:
        team = GenAINet(model="<i>{{ data }}", base_url=server.base_url, api_key="k", retries=0)
        text = page(team.play(game, 2))
    assert text.count("<script") == 2
    assert "alert(1)</script>" not in text
    assert "onerror" in text
    assert "<img" not in text
    assert "<i>" not in text.replace("<i></i>", "")
    assert html.escape("<i>{{ data }}") in text
    data = data_in(text)
    shown = data["rounds"][1]["turns"][0]["said"][0]["text"]
    assert shown.startswith(evil[0])
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_the_table_says_what_messages_are_worth(courses):
    text = markdown(courses)
    power = {c.method: c.total_power_w[-1].mean() for c in courses if c.num_pairs == 4}
    ratio = power["GenAINet (no LLM)"] / power["GenAINet without messages (no LLM)"]
    [said] = re.findall(r"4 pairs: with messages, .* of the gap without them, at ([\d.]+) % .* of the power", text)
    assert float(said) / 100 == pytest.approx(ratio, abs=0.001)


def test_secagent_reproduces_the_second_paper(tmp_path, capsys):
    names = ["genainet-table2", "genainet-fig7", "genainet-fig8"]
    assert cli.main(["-q", "reproduce", *names, "--instances", "2", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.strip() == (tmp_path / "genainet.md").read_text(encoding="utf-8").strip()
    for part in ("## GenAINet, Table 2", "## GenAINet, Fig. 7", "## GenAINet, Fig. 8", "paper: GenAINet", "round 10"):
        assert part in shown
    assert (tmp_path / "genainet.png").stat().st_size > 10_000
    assert cli.main(["reproduce", *names, "--instances", "3", "--out", str(tmp_path), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("36 cells: 24 finished, 0 failed, 12 to be computed")  # 3 N, 4 teams
    assert cli.main(["reproduce", *names, "--instances", "2", "--seed", "5", "--out", str(tmp_path), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("24 cells: 0 finished")  # other games
    assert cli.main(["reproduce", "genainet-fig9"]) == 2
    assert "unknown experiment 'genainet-fig9'" in capsys.readouterr().err


def test_a_model_that_says_nothing_of_use_has_no_figures(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with FaultyServer(fails(500, "the GPU burns")) as server:
        games = PowerGames((2,), draws=2, rounds=2, model={"model": "m", "base_url": server.base_url, "retries": 0})
        text = run(games, tmp_path, workers=1, progress=False)
    assert re.search(r"^\| 2 +\| GenAINet \(m\) +(\| – +){6}\|$", text, re.MULTILINE)
    assert (
        "2 pairs, GenAINet (m): in 2 of 2 games, the first with: no reply of m could be used: the server failed (500): "
        "the GPU burns.  \n2 pairs, GenAINet (m): replies that could not be used: 8 server error."
    ) in text
    assert "with messages" not in text


def test_replies_without_use_are_counted_by_kind(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    good = says(json.dumps({"power_w": 1.0}))
    with FaultyServer(good, fails(500), says("no"), good) as server:
        options = {"model": "m", "base_url": server.base_url, "retries": 0, "concurrency": 1}
        text = run(PowerGames((2,), draws=1, rounds=3, model=options), tmp_path, workers=1, progress=False)
    assert re.search(r"^\| 2 +\| GenAI alone \(m\) +\| \d", text, re.MULTILINE)
    assert "2 pairs, GenAI alone (m): replies that could not be used: 1 server error, 1 unusable answer." in text
