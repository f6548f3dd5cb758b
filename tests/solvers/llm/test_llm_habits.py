"""Servers with habits of their own: every reply is used, what was learnt is not asked again, and it is told."""

import json
import logging
import random

import pytest

pytest.importorskip("openai")

from faulty_server import FaultyServer, breaks_off, completion, fails, says, sends
from habits import (
    ANY_FORM,
    HABITS,
    WAYS,
    asks,
    form_of,
    has,
    has_system,
    plain,
    refuses,
    repeats_role,
    schema_of,
    server_with,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from secagent_env import sample_instance
from solvers import standins
from solvers.genainet import GenAINet
from solvers.law import LAW
from solvers.llm import EndpointError, Message, Request
from solvers.llm.client import OpenAIChat
from solvers.llm.refusal import error_in, refusal_of

SCHEMA = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": 200, "description": "why"},
        "selected": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 5},
            "minItems": 2,
            "maxItems": 6,
        },
    },
    "required": ["reason", "selected"],
    "additionalProperties": False,
}
MESSAGES = Message("system", "Be brief."), Message("user", "Question " * 60), Message("user", "Which?")
REQUEST = Request(MESSAGES, "selection", SCHEMA, seed=7)
KEYWORDS = ("maxLength", "minItems", "maxItems", "minimum", "maximum", "additionalProperties", "description")
ANSWER = '{"reason": "so", "selected": [1, 2]}'


def chat_with(server, **options):
    return OpenAIChat("m", base_url=server.base_url, api_key="k", **{"retries": 0, "timeout_s": 5.0, **options})


@pytest.mark.parametrize("name", HABITS)
def test_every_reply_is_used_and_what_was_learnt_is_asked_at_once_from_then_on(name, caplog):
    habits, told = HABITS[name]
    caplog.set_level(logging.WARNING, "secagent")
    with FaultyServer(server_with(*habits, answer=lambda body: completion(ANSWER))) as server:
        with chat_with(server) as chat:
            replies = [chat.complete(REQUEST) for _ in range(3)]
        refused = len(server.bodies) - 3
        with chat_with(server) as another:
            replies.append(another.complete(REQUEST))
        assert len(server.bodies) == refused + 4
    assert [(reply.text, reply.fault, reply.detail) for reply in replies] == [(ANSWER, "", "")] * 4
    assert [reply.requests for reply in replies] == [refused + 1, 1, 1, 1]
    assert sorted(replies[0].adapted.split("; ")) == sorted(told.split("; "))
    assert {reply.adapted for reply in replies} == {replies[0].adapted}
    logged = [record.message for record in caplog.records if record.name == "secagent.llm.client"]
    assert len(logged) == bool(told)
    if told:
        assert f"{server.base_url} does not take all" in logged[0]
        assert logged[0].endswith(replies[0].adapted)


@pytest.mark.parametrize("name", HABITS)
def test_no_more_is_given_up_than_the_server_refuses(name):
    habits, told = HABITS[name]
    with FaultyServer(server_with(*habits, answer=lambda body: completion(ANSWER))) as server:
        with chat_with(server) as chat:
            chat.complete(REQUEST)
        body = server.bodies[-1]
    assert ("seed" in body) == ("no seed" not in told)
    assert ("temperature" in body) == ("no temperature" not in told)
    assert [message["role"] for message in body["messages"]] == (
        ["user"] if "no system message" in told else ["system", "user", "user"]
    )
    text = "\n\n".join(message["content"] for message in body["messages"])
    assert text.startswith("\n\n".join(message.content for message in MESSAGES))
    if form_of(body) in ("json_schema", "json_object with schema"):
        lost = told.removeprefix("a schema without ").split(", ") if "a schema without" in told else []
        kept = [keyword for keyword in KEYWORDS if f'"{keyword}":' in json.dumps(schema_of(body))]
        assert kept == [keyword for keyword in KEYWORDS if keyword not in lost]
        assert "schema" not in text
    else:
        assert text.endswith(json.dumps(SCHEMA))


def test_a_context_that_is_too_small_gets_half_the_reply_until_it_fits_and_longer_prompts_get_less():
    habits = HABITS["a small context"][0]
    longer = Request((*MESSAGES, Message("user", "x" * 2400)), "selection", SCHEMA)
    endless = Request((Message("user", "x" * 7000),), "selection", SCHEMA)
    with FaultyServer(server_with(*habits, answer=lambda body: completion(ANSWER))) as server:
        with chat_with(server) as chat:
            faults = [chat.complete(request).fault for request in (REQUEST, longer, REQUEST, endless, endless, REQUEST)]
        sent = [body["max_tokens"] for body in server.bodies]
    assert faults == ["", "", "", "context too small", "context too small", ""]
    assert sent[:2] == [2000, 1000]
    assert sent[2] == 1000 - 604  # as much longer as the prompt is, the reply is shorter
    assert sent[3] == 1000
    assert sent[4:] == [64, 64, 1000]  # a prompt without room for any reply is sent once


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_is_found_where_servers_and_models_put_it(way):
    with FaultyServer(sends(way(ANSWER))) as server, chat_with(server) as chat:
        reply = chat.complete(REQUEST)
    assert reply.fault == ""
    assert solvers.llm.parse(reply.text, solvers.law.proposals.SelectionProposal).selected == [1, 2]


def test_a_server_that_changes_its_habits_half_way():
    strict = server_with(
        refuses(has_system, fails(400, "System role not supported")),
        refuses(repeats_role, fails(500, "roles must alternate")),
        refuses(asks(*ANY_FORM), fails(422, "response_format is not supported")),
        refuses(has("seed"), sends({"detail": "seed: extra fields not permitted"}, 422)),
        answer=lambda body: completion(ANSWER),
    )
    loose = server_with(refuses(asks("text"), fails(400, "no")), answer=lambda body: completion(ANSWER))
    with FaultyServer(*[loose] * 2, strict) as server, chat_with(server) as chat:
        replies = [chat.complete(REQUEST) for _ in range(5)]
    assert [reply.fault for reply in replies] == [""] * 5
    assert [reply.requests for reply in replies] == [1, 1, 6, 1, 1]
    assert [reply.adapted for reply in replies] == ["", "", *["prompt alone; no seed; no system message"] * 3]


def test_an_error_that_claims_success_ends_the_run_at_the_first_call_and_is_a_fault_later():
    wrong = sends({"error": "Unexpected endpoint or method. (POST /chat/completions)"})
    with FaultyServer(wrong) as server:
        for url, hint in ((server.base_url.removesuffix("/v1"), True), (server.base_url, False)):
            with OpenAIChat("m", base_url=url, api_key="k", retries=2) as chat, pytest.raises(EndpointError) as caught:
                chat.complete(REQUEST)
            said = str(caught.value)
            assert said.startswith(f"{url} answers with an error")
            assert (f"base_url usually ends in /v1: try {server.base_url};" in said) == hint
            assert said.endswith("it says: Unexpected endpoint or method. (POST /chat/completions)")
        assert len(server.bodies) == 2
    busy = sends({"error": {"message": "Provider is overloaded", "code": 502}})
    with FaultyServer(says(ANSWER), wrong, busy, says(ANSWER)) as server, chat_with(server, retries=1) as chat:
        replies = [chat.complete(REQUEST) for _ in range(2)]
    assert [(reply.fault, reply.requests) for reply in replies] == [("", 1), ("server error", 2)]


@pytest.mark.parametrize(
    "step",
    [
        sends({"detail": "Not Found"}, 404),
        sends(b"404 page not found", 404),
        sends({"detail": "Method Not Allowed"}, 405),
        sends(b"<!doctype html><title>A chat</title>"),
        sends({"message": "welcome"}),
    ],
)
def test_an_address_without_its_end_is_told_in_one_sentence_after_the_first_call(step):
    with FaultyServer(step) as server:
        url = server.base_url.removesuffix("/v1")
        with OpenAIChat("m", base_url=url, api_key="k", retries=2) as chat, pytest.raises(EndpointError) as caught:
            chat.complete(REQUEST)
        assert len(server.bodies) == 1
    assert f"base_url usually ends in /v1: try {url}/v1" in str(caught.value)
    assert str(caught.value).isprintable()


# --- those who ask -----------------------------------------------------------------------------------------------


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
    from secagent_env.power_control import sample_game

    with FaultyServer(server_with(*HABITS[name][0], answer=answering(plain))) as server:
        team = GenAINet(model="m", base_url=server.base_url, api_key="k", organisation=organisation)
        play = team.play(sample_game(2, seed=1), 2, seed=0)
    assert play.usage["faults"] == {}
    assert play.usage["unusable"] == 0
    assert play.used == play.usage["calls"] == 2 * (2 + (organisation == "hierarchical"))
    assert all("Answer in this form:\n{" in body["messages"][-1]["content"] for body in server.bodies)


def test_genainet_asks_for_what_the_game_allows():
    from secagent_env.power_control import sample_game

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
    assert executor["answers"]["items"]["properties"]["to"]["enum"] == ["commander"]


def test_what_was_answered_before_the_endpoint_dies_stays():
    with FaultyServer(*[server_with(answer=answering(plain))] * 4, breaks_off) as server:
        law = LAW(model="m", base_url=server.base_url, api_key="k", rounds=1, iterations=4, retries=0)
        solution = law.solve(sample_instance("small", seed=1), seed=0)
    assert solution.outcome.feasible
    assert solution.usage["calls"] == 6
    assert solution.usage["faults"] == {"broken connection": 2}
    assert solution.message.startswith(f"stopped after 6 calls: {server.base_url} broke off 3 connections in a row")


# --- hostile ---------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["response_format", "seed", 404]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "detail", "loc", "param", "code", "type", "msg", "choices", "metadata"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(JSON, st.sampled_from([200, 400, 404, 422, 500]), st.integers(0, 60))
def test_no_body_of_an_error_is_too_much(body, status, cut):
    for content in (json.dumps(body).encode(), json.dumps(body).encode()[:cut], json.dumps(json.dumps(body)).encode()):
        refusal = refusal_of(status, content, {})
        assert len(refusal.text) <= 4000
        assert isinstance(refusal.parameter + refusal.code, str)
        found = error_in(content, {})
        assert found is None or 200 <= found.status <= 599


def test_hostile_refusals_end_as_faults_or_in_one_sentence():
    rng = random.Random(3)
    words = ["response_format", "schema", "seed", "temperature", "max_tokens", "system role", "context length", "model"]
    words += ["not found", "minItems", "requested parameters", "\x1b[31m", "{", "\n", "grammar", "'loc': ('seed',)"]
    sent, faults, sentences = 0, 0, []
    for _ in range(60):
        said = " ".join(rng.choices(words, k=rng.randrange(8)))
        bodies = [said, {"detail": said}, {"error": {"message": said, "code": rng.choice([None, 400, "x", [1]])}}]
        bodies += [
            [{"error": said}],
            {"detail": [{"loc": ["body", said], "msg": said}]},
            {"choices": [{"message": said}]},
        ]
        status = rng.choice([200, 400, 404, 418, 422, 429, 500, 503])
        with FaultyServer(sends(rng.choice(bodies), status)) as server, chat_with(server) as chat:
            try:
                reply = chat.complete(REQUEST)
                assert (reply.text, bool(reply.fault), reply.detail.isprintable()) == ("", True, True)
                faults += 1
            except EndpointError as error:
                sentences.append(str(error))
            sent += len(server.bodies)
            assert len(server.bodies) <= 30
    assert 10 < faults < 60
    assert all(sentence.isprintable() for sentence in sentences)
    assert sent > 60
