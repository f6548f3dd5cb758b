"""The whole path with a real model and real servers: what must hold for any model (``make test-llm``)."""

import re
import shlex
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import ladder
import numpy as np
import pytest

from eval.command.cli import main
from eval.compare.decisions import load_decision
from secagent_env import Decision, evaluate, sample_instance
from secagent_env.power_control import sample_game
from secagent_env.questions import Question
from solvers.genainet import GenAINet
from solvers.law import LAW
from solvers.llm.dialect import KNOWN, STRUCTURES, WITH_SCHEMA
from solvers.reasoning.endpoint import Agents, Group
from solvers.reasoning.team import Supervisor

pytestmark = pytest.mark.llm

TAKEN = {"llama-server": [], "llama_cpp.server": ["json_object with schema"]}
"""What each server takes instead of all that is asked for."""


class Endpoint(NamedTuple):
    server: str
    line: str
    options: dict


@pytest.fixture(scope="module", params=TAKEN)
def endpoint(request: pytest.FixtureRequest):
    """Serve the smallest model with each server, as a user does."""
    line = [sys.executable, "-m", "eval.command.cli", "serve-local", "smollm2", "--fetch", "--server", request.param]
    with subprocess.Popen([*line, "--port", "0", "--context", "8192"], stdout=subprocess.PIPE, text=True) as command:
        try:
            first, line = command.stdout.readline(), command.stdout.readline()
            [url] = re.findall(r"http://127\.0\.0\.1:\d+/v1", first)
            KNOWN.forget()
            options = {"model": "smollm2", "base_url": url, "api_key": "none", "concurrency": 1, "timeout_s": 600.0}
            yield Endpoint(request.param, line, options)
        finally:
            command.terminate()  # Ctrl-C may be ignored, as in a job that runs in the background
            assert command.wait(30) == 128 + signal.SIGTERM


def assert_same(one: Decision, other: Decision) -> None:
    for field in fields(Decision):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def show(endpoint: Endpoint, way: str, rung: ladder.Rung, capsys: pytest.CaptureFixture) -> None:
    with capsys.disabled():
        print(f"\n{endpoint.server}, {way}: {rung}")


def test_the_line_that_is_printed_solves_a_network(endpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "")
    network = sample_instance("small", seed=1)
    network.save("network.npz")
    program, *line = shlex.split(endpoint.line.replace("FILE", "network.npz"))
    assert program == "secagent"
    record = ["rounds=1", "iterations=1", 'transcript="t.jsonl"', "--out", "a.json"]
    assert main([*line, *record]) == 0
    assert "law (smollm2)" in capsys.readouterr().out
    again = ["--set", 'replay="t.jsonl"', "rounds=1", "iterations=1", "--out", "b.json"]
    assert main(["solve", "network.npz", "--solver", "law", *again]) == 0
    assert_same(load_decision("a.json"), load_decision("b.json"))


@pytest.mark.parametrize("view", ["ranked", "raw"])
def test_law_uses_replies_and_its_result_holds(endpoint, view, tmp_path, capsys):
    network = sample_instance("small", seed=7700)
    law = LAW(**endpoint.options, rounds=1, iterations=10 if view == "ranked" else 2, view=view)
    law = replace(law, transcript=tmp_path / "t.jsonl")
    solution = law.solve(network, seed=0)
    if view == "ranked":
        show(endpoint, "asked as it is taken", ladder.rung_of(solution), capsys)
    usage, steps = solution.usage, 3 * law.iterations
    assert (usage["calls"], usage["steps"], usage["faults"]) == (steps, steps, {})
    assert usage["requests"] >= steps
    assert usage["prompt_tokens"] > 100 * steps
    assert steps < usage["completion_tokens"] < 2000 * steps
    assert not usage["estimated"]
    assert usage["adapted"] == TAKEN[endpoint.server]
    if view == "ranked":
        assert not any(map(ladder.is_malformed, solution.history))
    assert usage["improved"] == sum(step["verdict"] == "improved" for step in solution.history)
    outcome = evaluate(network, solution.decision)
    assert bool(outcome.feasible) == (solution.status in ("feasible", "optimal"))
    assert float(outcome.energy_j) == pytest.approx(float(solution.outcome.energy_j), rel=1e-12)
    assert not outcome.feasible or solution.gap >= -1e-9
    again = replace(law, base_url=None, transcript=None, replay=tmp_path / "t.jsonl").solve(network, seed=0)
    assert_same(solution.decision, again.decision)
    assert again.usage["recorded"] == again.usage["calls"] == steps
    assert [step["verdict"] for step in again.history] == [step["verdict"] for step in solution.history]


@pytest.mark.parametrize("structure", range(len(STRUCTURES)))
def test_every_way_to_ask_gets_an_answer(endpoint, structure, capsys):
    law = LAW(**endpoint.options, rounds=1, iterations=1, reply_tokens=200)
    solution = ladder.solve(law, "small", 7700, structure)
    rung = ladder.rung_of(solution)
    show(endpoint, STRUCTURES[structure], rung, capsys)
    refused = structure == 0 and endpoint.server == "llama_cpp.server"
    assert rung.steps == 3
    assert rung.requests == 3 + refused
    assert rung.adapted == (STRUCTURES[structure + refused] if structure + refused else "")
    assert rung.used >= rung.feasible >= rung.improved
    if STRUCTURES[structure] in WITH_SCHEMA:
        assert rung.malformed == 0


@pytest.mark.parametrize("organisation", ["distributed", "hierarchical"])
def test_genainet_plays(endpoint, organisation, tmp_path):
    game = sample_game(2, seed=1)
    team = GenAINet(**endpoint.options, organisation=organisation, transcript=tmp_path / "t.jsonl")
    play = team.play(game, 2, seed=0)
    calls = 2 * (2 + (organisation == "hierarchical"))
    assert (play.usage["calls"], play.usage["faults"], play.used + play.usage["unusable"]) == (calls, {}, calls)
    # llama.cpp holds the bounds of whole numbers alone: a power may be negative, and nothing else may be wrong.
    assert all("power_w" in turn.trouble for turn in play.turns if turn.trouble)
    assert not play.usage["estimated"]
    powers = np.asarray(play.record.power_w)
    assert np.all((powers >= 0) & (powers <= 10))
    again = replace(team, base_url=None, transcript=None, replay=tmp_path / "t.jsonl").play(game, 2, seed=0)
    np.testing.assert_array_equal(powers, again.record.power_w)


@pytest.mark.parametrize("planning", ["direct", "steps"])
def test_agents_vote(endpoint, planning, tmp_path):
    question = Question("q", "Which planet is closest to the sun?", ("Venus", "Mercury", "Earth", "Mars"), 1)
    group = Group(agents=3, planning=planning, transcript=tmp_path / "t.jsonl", **endpoint.options)

    def ask(group: Group):
        with Agents([group]) as agents:
            verdict = Supervisor(agents.reasoners).ask(question, np.ones(3, bool))
            return verdict, agents.usage

    verdict, [usage] = ask(group)
    assert verdict.faults == {}
    assert sum(verdict.tally.counts) == 3
    assert (usage.calls, usage.faults, usage.estimated) == (3, {}, False)
    again, _ = ask(replace(group, base_url=None, transcript=None, replay=Path(group.transcript)))
    assert (again.option, list(again.tally.counts)) == (verdict.option, list(verdict.tally.counts))
