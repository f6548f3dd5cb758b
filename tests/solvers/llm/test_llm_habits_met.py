"""LAW and GenAINet on servers with habits of their own: every reply is used, and requests hold the case at hand."""

import numpy as np
import pytest

pytest.importorskip("openai")

from faulty_server import FaultyServer, breaks_off
from habits import HABITS, WAYS, plain, schema_of, server_with

from secagent_env import sample_instance
from secagent_env.power_control import sample_game
from secagent_env.questions import Question
from solvers import standins
from solvers.genainet import GenAINet
from solvers.genainet.action import TalkingReply, limits
from solvers.law import LAW
from solvers.llm import Message
from solvers.reasoning.endpoint import Agents, Group
from solvers.reasoning.team import Supervisor


def answering(way):
    """Return the answer of the stand-ins to a request, in one of the ways."""

    def answer(body):
        messages = [Message(message["role"], message["content"]) for message in body["messages"]]
        return way(standins.reply(messages, body.get("seed", 0)))

    return answer


@pytest.mark.parametrize("name", HABITS)
def test_law_uses_every_reply(name):
    way = WAYS[list(HABITS).index(name) % len(WAYS)]
    with FaultyServer(server_with(*HABITS[name][0], answer=answering(way))) as server:
        law = LAW(model="m", base_url=server.base_url, api_key="k", rounds=1, iterations=2, candidates=5)
        solution = law.solve(sample_instance("small", seed=1), seed=0)
    assert (solution.usage["calls"], solution.usage["faults"], solution.usage["unusable"]) == (6, {}, 0)
    assert solution.status in ("feasible", "optimal")
    told = HABITS[name][1]
    if "context" not in name and "schema without" not in told:
        assert solution.usage["adapted"] == sorted(told.split("; ")) * bool(told)


def test_law_asks_for_what_the_instance_allows():
    with FaultyServer(server_with(answer=answering(plain))) as server:
        law = LAW(model="m", base_url=server.base_url, api_key="k", rounds=1, iterations=1, candidates=5)
        law.solve(sample_instance("small", seed=1), seed=0)
        LAW(**{**vars(law), "jamming": False}).solve(sample_instance("small", seed=1), seed=0)
    selection, beam, powers, *_, silent = (schema_of(body)["properties"] for body in server.bodies)
    selected = selection["selected"]
    assert (selected["minItems"], selected["maxItems"]) == (2, 6)
    assert (selected["items"]["minimum"], selected["items"]["maximum"]) == (0, 5)
    assert selection["reason"]["maxLength"] == 200
    weights = beam["weights"]
    names = ["matched", "filtered", "zero-forcing", "weakest"]
    assert weights["items"]["properties"]["direction"] == {"type": "string", "enum": names}
    assert (weights["minItems"], weights["maxItems"], beam["power_dbm"]["maximum"]) == (1, 4, 40.0)
    senders, jammers = powers["senders"], powers["jammers"]
    computing = senders["items"]["properties"]["agent"]["enum"]
    assert len(computing) == senders["minItems"] == senders["maxItems"] == 2
    idle = jammers["items"]["properties"]["agent"]["enum"]
    assert sorted([*computing, *idle]) == list(range(6))
    assert (jammers["maxItems"], jammers["items"]["properties"]["power_dbm"]["maximum"]) == (4, 33.01)
    assert silent["jammers"]["maxItems"] == 0
    assert "enum" not in silent["jammers"]["items"]["properties"]["agent"]


@pytest.mark.parametrize("name", ["llama_cpp.server", "no structured output", "an early strict mode", "a router"])
@pytest.mark.parametrize("organisation", ["distributed", "hierarchical"])
def test_genainet_uses_every_reply_and_its_prompts_show_the_form(name, organisation):
    with FaultyServer(server_with(*HABITS[name][0], answer=answering(plain))) as server:
        team = GenAINet(model="m", base_url=server.base_url, api_key="k", organisation=organisation)
        play = team.play(sample_game(2, seed=1), 2, seed=0)
    assert play.usage["faults"] == {}
    assert play.usage["unusable"] == 0
    assert play.used == play.usage["calls"] == 2 * (2 + (organisation == "hierarchical"))
    assert all("Answer in this form:\n{" in body["messages"][-1]["content"] for body in server.bodies)


def test_genainet_asks_for_what_the_game_allows():
    bodies = {}
    for organisation in ("distributed", "hierarchical"):
        with FaultyServer(server_with(answer=answering(plain))) as server:
            team = GenAINet(model="m", base_url=server.base_url, api_key="k", organisation=organisation, concurrency=1)
            team.play(sample_game(3, seed=1), 1, seed=0)
            bodies[organisation] = [schema_of(body)["properties"] for body in server.bodies]
    first = bodies["distributed"][0]
    assert first["power_w"]["maximum"] == 10.0
    assert (first["plan"]["maxItems"], first["plan"]["items"]["maxLength"]) == (3, 200)
    assert (first["explanation"]["maxLength"], first["lesson"]["maxLength"]) == (400, 200)
    for field in ("answers", "proposals"):
        assert first[field]["maxItems"] == 2
        assert first[field]["items"]["properties"]["to"]["enum"] == ["pair_1", "pair_2"]
    assert first["proposals"]["items"]["properties"]["text"]["maxLength"] == 250
    orders, executor, *_ = bodies["hierarchical"]
    assert orders["orders"]["items"]["properties"]["to"]["enum"] == ["pair_0", "pair_1", "pair_2"]
    assert "power_w" not in orders
    assert (orders["plan"]["maxItems"], orders["plan"]["items"]["maxLength"]) == (3, 200)
    assert executor["answers"]["items"]["properties"]["to"]["enum"] == ["commander"]


def test_who_has_nobody_to_write_to_can_write_nothing():
    assert limits(TalkingReply, [], 10.0, 500) == {
        "power_w": {"maximum": 10.0},
        "proposals": {"maxItems": 0},
        "proposals.*.text": {"maxLength": 250},
        "answers": {"maxItems": 0},
    }


@pytest.mark.parametrize("name", HABITS)
@pytest.mark.parametrize("planning", ["direct", "steps", "tools"])
def test_every_agent_votes(name, planning):
    way = WAYS[list(HABITS).index(name) % len(WAYS)]
    question = Question("q", "What is a beam?", ("Light", "A shaped signal", "Noise"), 1)
    text = '{"tool": "answer", "plan": [], "reason": "so", "option": "b", "confidence": 0.8}'
    with FaultyServer(server_with(*HABITS[name][0], answer=lambda body: way(text))) as server:
        group = Group(agents=3, model="m", base_url=server.base_url, api_key="k", planning=planning)
        with Agents([group]) as agents:
            verdict = Supervisor(agents.reasoners).ask(question, np.ones(3, bool))
    assert (verdict.option, verdict.faults, verdict.tally.counts[1]) == (1, {}, 3)
    assert all('"option": "letter"' in body["messages"][-1]["content"] for body in server.bodies)


def test_what_was_answered_before_the_endpoint_dies_stays():
    with FaultyServer(*[server_with(answer=answering(plain))] * 4, breaks_off) as server:
        law = LAW(model="m", base_url=server.base_url, api_key="k", rounds=1, iterations=4, retries=0)
        solution = law.solve(sample_instance("small", seed=1), seed=0)
    assert solution.outcome.feasible
    assert solution.usage["calls"] == 6
    assert solution.usage["faults"] == {"broken connection": 2}
    assert solution.message.startswith(f"stopped after 6 calls: {server.base_url} broke off 3 connections in a row")
