"""Servers with habits of their own: every reply is used, what was learnt is not asked again, and it is told."""

import json
import logging
import random
import re

import pytest

pytest.importorskip("openai")

from faulty_server import FaultyServer, completion, fails, says, sends
from habits import (
    ANY_FORM,
    HABITS,
    WAYS,
    asks,
    form_of,
    has,
    has_system,
    refuses,
    repeats_role,
    schema_of,
    server_with,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.law.proposals import SelectionProposal
from solvers.llm import EndpointError, Message, Request, parse
from solvers.llm.client import OpenAIChat
from solvers.llm.completion import reply_of
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
        assert logged[0].endswith(replies[0].adapted.replace("fewer reply tokens", "1000 of 2000 reply tokens"))


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


def refused(message, status=400, **more):
    return sends({"error": {"message": message, **more}}, status)


@pytest.mark.parametrize(
    ("step", "adapted"),
    [
        (refused("unknown parameter: seed", 500), "no seed"),
        (refused("got an unexpected keyword argument 'temperature'", 500), "no temperature"),
        (refused("wrong", param="temperature"), "no temperature"),
        (refused("seed, temperature: one of them is wrong", param="temperature"), "no temperature"),
        (refused("response_format needs the word json", param="messages"), "json_object with schema"),
        (refused("the schema of seed is wrong", param="seed"), "no seed"),
        (refused("wrong", param="response_format"), "json_object with schema"),
        (refused("schema: minItems and maxLength are unknown", 422), "a schema without minItems"),
        (refused("schema: type=enum, in $defs"), "json_object with schema"),
        (refused("failed to parse grammar"), f"a schema without {', '.join(sorted(KEYWORDS))}"),
        (refused("Only user and assistant roles are supported, got system"), "no system message"),
        (refused("wrong", param="messages.0.role"), "no system message"),
        (refused("No endpoints found that support the requested parameters", 404), "json_object with schema"),
        (refused("wrong"), "json_object with schema"),
        (refused("wrong", 422), "json_object with schema"),
    ],
)
def test_a_refusal_changes_what_it_names_and_nothing_else(step, adapted):
    with FaultyServer(step, says(ANSWER)) as server, chat_with(server) as chat:
        reply = chat.complete(REQUEST)
    assert (reply.fault, reply.requests, reply.adapted) == ("", 2, adapted)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (refused("the seed of doubt", 500), "server error"),
        (refused("no system is up", 503), "server error"),
        (refused("too many tokens: the context length of a minute, response_format", 429), "rate limited"),
        (refused("schema", 409), "server error"),
        (refused("wrong", 413), "rejected"),
        (refused("wrong", param="messages"), "rejected"),
    ],
)
def test_what_is_not_about_the_form_changes_nothing(step, fault):
    with FaultyServer(step) as server, chat_with(server) as chat:
        replies = [chat.complete(REQUEST) for _ in range(2)]
    assert [(reply.fault, reply.requests, reply.adapted) for reply in replies] == [(fault, 1, "")] * 2
    assert server.bodies[0] == server.bodies[1]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (refused("no key for a context length of 9", 401), "refused the key (401)"),
        (refused("structured output needs credit", 402), "has no credit left (402)"),
        (refused("The model m does not exist, nor its json_schema", 400), "knows no model 'm' (400)"),
        (refused("model 'm' not found: seed", 404), "knows no model 'm' (404)"),
        (refused("No models loaded. Please load a model", 400), "knows no model 'm' (400)"),
        (refused("nothing here", 404, code="model_not_found"), "knows no model 'm' (404)"),
    ],
)
def test_what_no_form_helps_ends_at_once(step, said):
    with FaultyServer(step) as server, chat_with(server) as chat:
        with pytest.raises(EndpointError, match=re.escape(said)):
            chat.complete(REQUEST)
        assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("code", "fault"),
    [(429, "rate limited"), ("429", "rate limited"), (400, "rejected"), (599, "server error"), (600, ""), ("x", "")],
)
def test_the_status_may_stand_in_a_body_that_claims_success(code, fault):
    step = sends({"error": {"message": "busy", "code": code, "param": "messages"}})
    with FaultyServer(step) as server, chat_with(server) as chat:
        if fault:
            assert chat.complete(REQUEST).fault == fault
        else:
            with pytest.raises(EndpointError, match="answers with an error; it says: busy"):
                chat.complete(REQUEST)


def test_models_of_one_endpoint_have_habits_of_their_own():
    strict = refuses(
        lambda body: body["model"] == "small" and form_of(body) == "json_schema", fails(500, "json_schema")
    )
    with FaultyServer(server_with(strict, answer=lambda body: completion(ANSWER))) as server:
        for model in ("small", "large", "small"):
            with OpenAIChat(model, base_url=server.base_url, api_key="k", retries=0) as chat:
                assert chat.complete(REQUEST).fault == ""
        assert [form_of(body) for body in server.bodies] == [
            *("json_schema", "json_object with schema"), "json_schema", "json_object with schema",
        ]  # fmt: skip


def test_an_answer_with_an_error_beside_it_is_an_answer():
    step = sends({**completion(ANSWER), "error": {"message": "a warning"}})
    with FaultyServer(step) as server, chat_with(server) as chat:
        assert chat.complete(REQUEST).text == ANSWER


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
    assert parse(reply.text, SelectionProposal).selected == [1, 2]


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


@pytest.mark.parametrize("around", [lambda inner: {"error": inner}, lambda inner: [inner]])
def test_errors_are_read_some_levels_deep_and_some_items_wide(around):
    body = "unknown parameter: seed"
    for level in range(12):
        assert (refusal_of(400, json.dumps(body).encode(), {}).text == "unknown parameter: seed") == (level <= 8)
        body = around(body)
    many = [{"msg": str(number)} for number in range(30)]
    assert refusal_of(400, json.dumps(many).encode(), {}).text.split() == [str(number) for number in range(20)]
    assert refusal_of(400, b'{"detail": "seed", "input": NaN}', {}).text == "seed"


@settings(max_examples=300)
@given(JSON, JSON, JSON, JSON)
def test_no_completion_is_too_much(content, finish, more, usage):
    message = {"content": content, "reasoning": more, "reasoning_content": content, "refusal": finish}
    choices = [{"message": message, "finish_reason": finish, "error": more}]
    for body in ({"choices": choices, "usage": usage, "model": more}, {"choices": content}, {"choices": [content]}):
        reply = reply_of(json.dumps(body).encode(), REQUEST, ())
        assert (reply.text == "") == bool(reply.fault)
        assert reply.detail.isprintable()


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
