"""What reaches a server, and what it may have charged, stays within the caps; ``-s`` prints the figures."""

import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("openai")

from faulty_server import FaultyServer, breaks_off, drips, fails, hangs, hangs_up, redirects, says, unused_port

from solvers.llm import CapReached, ChatOptions, EndpointError, Message, Request, Session
from solvers.llm.chat import estimated_tokens

PROMPT = "x" * 40
PROMPT_TOKENS = estimated_tokens([PROMPT])
REPLY_TOKENS = 100
MOST_TOKENS = 2 * (PROMPT_TOKENS + estimated_tokens(["{}"])) + REPLY_TOKENS
"""What a request reserves."""


def requests(count):
    return [Request((Message("user", PROMPT),), "name", {}, seed=i, max_tokens=REPLY_TOKENS) for i in range(count)]


def open_session(server, **options):
    options = {"model": "m", "base_url": server.base_url, "api_key": "k", "timeout_s": 5.0, **options}
    return Session(ChatOptions(**options), lambda messages, seed: pytest.fail("the stand-in was asked"))


def asked(session, count):
    """Ask one after the other until a cap is reached, and return the replies."""
    replies = []
    try:
        for request in requests(count):
            replies += session.ask([request])
    except (CapReached, EndpointError):
        pass
    return replies


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("errors 500", fails(500, retry_after_ms="1")),
        ("errors 429", fails(429, retry_after_ms="1")),
        ("refused forms", fails(400, "response_format, max_tokens, temperature, seed and all else is wrong")),
        ("redirects", redirects(307)),
        ("redirects to GET", redirects(302)),
    ],
)
@pytest.mark.parametrize("cap", [1, 2, 7])
def test_no_more_requests_reach_the_server_than_max_calls(name, step, cap):
    with FaultyServer(step) as server:
        with open_session(server, max_calls=cap, retries=5, concurrency=3) as session:
            for _ in range(3):
                try:
                    session.ask(requests(4))
                except (CapReached, EndpointError):
                    break
            usage = session.usage
        print(f"{name}: max_calls={cap}, {len(server.bodies)} requests reached the server")
        assert usage.requests == len(server.bodies) <= cap
        assert "redirects" in name or len(server.bodies) == cap  # a redirect ends the run


def test_a_repetition_that_fits_no_more_is_not_sent_and_the_fault_says_why():
    with FaultyServer(fails(500, "oops", retry_after_ms="1")) as server, open_session(server, max_calls=2) as session:
        (reply,) = session.ask(requests(1))
        assert (reply.fault, reply.requests, session.usage.calls, session.usage.requests) == ("server error", 2, 1, 2)
        assert re.fullmatch(
            r"the server failed \(500\): oops; max_calls=2 leaves no room for another request, which .* 2 used so far",
            reply.detail,
        )
        with pytest.raises(CapReached, match="2 used so far"):
            session.ask(requests(1))
        assert len(server.bodies) == 2


def test_a_repetition_waits_for_room_that_another_call_leaves():
    # Two requests reserve 272 of 280 tokens. The repetition of the first would be one too many, until the second,
    # which takes its time, has used 24.
    times = []

    def step(handler):
        times.append((handler.body["seed"], time.monotonic()))
        if handler.body["seed"] == 0 and len([seed for seed, _ in times if seed == 0]) == 1:
            fails(500, retry_after_ms="1")(handler)
        else:
            says("x", delay=0.3 * handler.body["seed"], usage=(14, 10))(handler)

    with FaultyServer(step) as server, open_session(server, max_tokens=280, concurrency=2) as session:
        assert [reply.fault for reply in session.ask(requests(2))] == ["", ""]
        assert (session.usage.calls, session.usage.requests, len(server.bodies)) == (2, 3, 3)
    assert times[2][0] == 0
    assert times[2][1] - times[1][1] > 0.25


def test_calls_that_wait_for_room_do_not_wait_for_each_other():
    with FaultyServer(fails(500, retry_after_ms="1")) as server:
        with open_session(server, max_calls=7, retries=9, concurrency=3) as session:
            replies = session.ask(requests(9))
        assert {reply.fault for reply in replies} <= {"server error", "cap"}
        assert session.usage.requests == len(server.bodies)


@pytest.mark.parametrize("text", ["x" * 400, ""])
def test_a_server_that_counts_no_tokens_reaches_the_cap_on_tokens_all_the_same(text):
    with FaultyServer(says(text, usage=(0, 0))) as server:
        with open_session(server, max_tokens=1000, retries=0) as session:
            replies = asked(session, 100)
            usage = session.usage
        written = estimated_tokens([text]) if text else 0
        sent = len(server.bodies) * (PROMPT_TOKENS + written)
        print(f"counts 0 + 0: max_tokens=1000, {sent} tokens in {len(server.bodies)} requests, printed 0")
        assert 1000 - MOST_TOKENS < sent <= 1000
        assert len(replies) == len(server.bodies) == usage.requests
        assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (0, 0, False)  # as the server says


def test_a_server_that_counts_no_tokens_reaches_the_cap_on_the_cost():
    prices = {"input": 1_000_000, "output": 1_000_000}
    with FaultyServer(says("x" * 400, usage=(0, 0))) as server:
        with open_session(server, max_cost=1000, prices=prices, retries=0) as session:
            asked(session, 100)
            assert session.usage.cost == 0  # what the server's counts cost
        assert 1000 - MOST_TOKENS < len(server.bodies) * (PROMPT_TOKENS + 104) <= 1000


@pytest.mark.parametrize("step", [hangs, drips(), breaks_off, hangs_up])
def test_requests_without_a_reply_count_as_answered_in_full(step):
    with FaultyServer(step) as server:
        with open_session(server, max_tokens=700, timeout_s=0.1, retries=1) as session:
            asked(session, 20)
            usage = session.usage
        used = usage.prompt_tokens + usage.completion_tokens
        print(f"no reply: max_tokens=700, {used} tokens in {len(server.bodies)} requests")
        assert usage.requests == len(server.bodies)
        assert 2 * (PROMPT_TOKENS + REPLY_TOKENS) < used <= 700
        assert usage.estimated


def test_requests_that_reach_nobody_are_not_counted_as_sent():
    with FaultyServer(says("{}")) as server:
        session = open_session(server, retries=1, timeout_s=2.0)
        session.ask(requests(1))
    with session:
        assert session.ask(requests(1))[0].fault == "broken connection"
        assert (session.usage.calls, session.usage.requests) == (2, 1)
    with (
        Session(ChatOptions(model="m", base_url=f"http://127.0.0.1:{unused_port()}/v1", retries=0), None) as session,
        pytest.raises(EndpointError, match="nobody answers"),
    ):
        session.ask(requests(1))
    assert session.usage.requests == 0


@pytest.mark.parametrize(
    "said",
    [
        "the request exceeds the available context size (512 tokens), try increasing it",
        "Trying to keep the first 700 tokens when context the overflows; it is loaded with context length of only 512",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ],
)
def test_a_prompt_that_is_too_long_is_sent_once_and_the_server_s_sentence_is_told(said):
    with FaultyServer(fails(400, said)) as server:
        with open_session(server, retries=2) as session:
            replies = session.ask(requests(6))
        print(f"context too small: {len(replies)} calls, {len(server.bodies)} requests")
        assert len(server.bodies) == 6
        assert session.usage.faults == {"context too small": 6}
        assert said[:60] in replies[0].detail


def test_other_refusals_of_parameters_still_lead_to_another_form():
    with FaultyServer(fails(400, "max_tokens is too large: this model supports 4096"), says("{}")) as server:
        with open_session(server) as session:
            assert session.ask(requests(1))[0].text == "{}"
        assert len(server.bodies) == session.usage.requests == 2
        assert session.usage.calls == 1


def test_a_replay_counts_the_requests_of_the_recorded_run(tmp_path):
    path = tmp_path / "t.jsonl"
    script = fails(500, retry_after_ms="1"), says("a"), fails(429, retry_after_ms="1"), says("b")
    with FaultyServer(*script) as server, open_session(server, concurrency=1, transcript=path, max_calls=5) as session:
        replies = session.ask(requests(3))
        assert [reply.requests for reply in replies] == [2, 2, 1]
        usage = session.usage
    with Session(ChatOptions(model="m", replay=path, max_calls=5), None) as session:
        assert [reply.text for reply in session.ask(requests(3))] == ["a", "b", "b"]
        with pytest.raises(CapReached, match="5 used so far"):
            session.ask(requests(1))
        assert session.usage.requests == usage.requests == 5


STEPS = {
    "answer": says("y" * 80, usage=(20, 30)),
    "lie": says("y" * 80, usage=(0, 0)),
    "500": fails(500, retry_after_ms="1"),
    "429": fails(429, retry_after_ms="1"),
    "400": fails(400, "temperature is not known here"),
    "schema": fails(400, "response_format is not known here"),
    "off": breaks_off,
    "up": hangs_up,
    "context": fails(400, "the context length is exceeded"),
}


@settings(max_examples=15)
@given(
    st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=12),
    st.integers(1, 9),
    st.integers(MOST_TOKENS, 1200),
    st.integers(0, 2),
    st.integers(1, 3),
)
def test_the_caps_hold_whatever_the_server_does(names, calls, tokens, retries, concurrency):
    options = {"max_calls": calls, "max_tokens": tokens, "retries": retries, "concurrency": concurrency}
    with FaultyServer(*[STEPS[name] for name in names]) as server, open_session(server, **options) as session:
        began = time.monotonic()
        for _ in range(2):
            try:
                session.ask(requests(6))
            except (CapReached, EndpointError):
                break
        usage = session.usage
        assert usage.requests == len(server.bodies) <= calls
        assert usage.prompt_tokens + usage.completion_tokens <= tokens
        assert time.monotonic() - began < 9


def test_a_transcript_of_a_version_that_did_not_count_requests_can_be_replayed(tmp_path):
    path = tmp_path / "t.jsonl"
    with FaultyServer(says("a")) as server, open_session(server, transcript=path) as session:
        session.ask(requests(1))
    entry = json.loads(path.read_text())
    del entry["reply"]["requests"]
    entry.pop("digest", None)
    path.write_text(json.dumps(entry) + "\n")
    with Session(ChatOptions(model="m", replay=path), None) as session:
        assert [(reply.text, reply.requests) for reply in session.ask(requests(1))] == [("a", 1)]
