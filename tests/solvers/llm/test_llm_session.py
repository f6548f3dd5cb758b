"""Sessions: several requests at a time, in order, within the caps."""

import json
import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("openai")

from faulty_server import FaultyServer, breaks_off, completion, echoes_key, fails, says, sends, unused_port

from solvers.llm import STANDIN_MODEL, CapReached, ChatOptions, EndpointError, Message, Request, Session, Usage
from solvers.llm.chat import MAX_REPLY_CHARACTERS

KEY = "sk-test-0123456789abcdef"


def request(seed=0, content="x" * 40, max_tokens=100):
    return Request((Message("user", content),), "name", {}, seed=seed, max_tokens=max_tokens)


def requests(count):
    return [request(seed) for seed in range(count)]


def open_session(server, **options):
    options = {"model": "m", "base_url": server.base_url, "api_key": KEY, "retries": 0, "timeout_s": 5.0, **options}
    return Session(ChatOptions(**options), lambda messages, seed: pytest.fail("the stand-in was asked"))


def test_without_a_model_the_stand_in_answers_in_this_process(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{unused_port()}/v1")
    for options in (ChatOptions(), ChatOptions(model=STANDIN_MODEL)):
        assert options.chat_name == "no LLM"
        with Session(options, lambda messages, seed: f"seed {seed}") as session:
            replies = session.ask(requests(3))
            usage = session.usage
        assert [reply.text for reply in replies] == ["seed 0", "seed 1", "seed 2"]
        assert {reply.fingerprint for reply in replies} == {"secagent stand-in"}
        # 40 characters: 10 tokens and 4 around them; 6 characters: 1 and 4
        assert (usage.calls, usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (3, 42, 15, True)
        assert usage.cost is None


def test_the_stand_ins_text_is_cut_like_any_other():
    with Session(ChatOptions(), lambda messages, seed: "x" * (MAX_REPLY_CHARACTERS + 9)) as session:
        assert len(session.ask([request()])[0].text) == MAX_REPLY_CHARACTERS


def test_an_error_in_the_rules_is_not_hidden():
    with Session(ChatOptions(), lambda messages, seed: {}["x"]) as session, pytest.raises(KeyError):
        session.ask([request()])


def test_no_more_requests_are_under_way_than_allowed():
    with FaultyServer(says("x", delay=0.05)) as server, open_session(server, concurrency=3) as session:
        replies = session.ask(requests(9))
        assert len(replies) == 9
        assert server.most_at_once == 3
        assert sorted(body["seed"] for body in server.bodies) == list(range(9))


def test_replies_come_in_the_order_of_requests_whichever_is_ready_first():
    def step(handler):
        seed = handler.body["seed"]
        time.sleep(0.02 * (3 - seed))
        sends(completion(str(seed)))(handler)

    with FaultyServer(step) as server, open_session(server, concurrency=4) as session:
        assert [reply.text for reply in session.ask(requests(4))] == ["0", "1", "2", "3"]
    with Session(ChatOptions(), lambda messages, seed: str(seed)) as session:
        assert [reply.text for reply in session.ask(requests(20))] == [str(seed) for seed in range(20)]


def test_several_threads_may_ask_in_one_session():
    with FaultyServer(says("x", delay=0.05)) as server, open_session(server, concurrency=2, max_calls=8) as session:
        threads = [threading.Thread(target=session.ask, args=(requests(4),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.most_at_once == 2
        assert session.usage.calls == len(server.bodies) == 8
        with pytest.raises(CapReached):
            session.ask([request()])


def test_usage_adds_up_and_a_copy_does_not_change():
    script = says("a", usage=(100, 50)), fails(500), says("b", usage=(10, 5))
    options = {"concurrency": 1, "prices": {"input": 2, "output": 8}}
    with FaultyServer(*script) as server, open_session(server, **options) as session:
        before = session.usage
        session.ask(requests(3))
        usage = session.usage
    assert before == Usage(cost=0.0)
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (3, 110, 55)
    assert usage.cost == pytest.approx((110 * 2 + 55 * 8) / 1e6)
    assert usage.faults == {"server error": 1}
    assert usage.fingerprints == ("faulty-1 fp_7",)
    assert json.loads(json.dumps(usage.to_dict()))["fingerprints"] == ["faulty-1 fp_7"]


def test_a_cap_on_calls_is_met_exactly_and_nothing_beyond_it_is_sent():
    with FaultyServer(says("x")) as server, open_session(server, max_calls=5) as session:
        assert [reply.fault for reply in session.ask(requests(3))] == [""] * 3
        replies = session.ask(requests(4))
        assert [reply.fault for reply in replies] == ["", "", "cap", "cap"]
        assert "max_calls=5 leaves no room for another request" in replies[-1].detail
        with pytest.raises(CapReached, match=r"max_calls=5 leaves no room .* 5 used so far"):
            session.ask(requests(1))
        assert len(server.bodies) == session.usage.calls == 5
        assert session.usage.faults == {}
        assert session.ask([]) == []


def test_what_could_exceed_a_cap_is_not_sent_but_what_fits_after_settling_is():
    # A request can take 2·(14 + 4) + 100 tokens, and takes 20: the first fits, and the others one after the other.
    with FaultyServer(says("x", usage=(14, 6))) as server, open_session(server, max_tokens=200) as session:
        replies = session.ask(requests(10))
        assert [reply.fault for reply in replies] == [""] * 4 + ["cap"] * 6
        assert len(server.bodies) == 4
        assert "max_tokens=200" in replies[-1].detail
    with FaultyServer(says("x")) as server, open_session(server, max_tokens=135) as session:
        with pytest.raises(CapReached, match="max_tokens=135 leaves no room for another request, which can take 136"):
            session.ask(requests(1))
        assert server.bodies == []


def test_a_cap_on_the_cost():
    prices = {"input": 1_000_000, "output": 10_000_000}  # 1 and 10 a token: a request can cost 36 + 1000
    with FaultyServer(says("x", usage=(30, 20))) as server:
        with open_session(server, max_cost=1500, prices=prices) as session:
            assert [reply.fault for reply in session.ask(requests(5))] == ["", "", "", "cap", "cap"]
            assert session.usage.cost == 3 * 230
        with open_session(server, max_cost=1035, prices=prices) as session, pytest.raises(CapReached, match="max_cost"):
            session.ask(requests(1))
    assert len(server.bodies) == 3


@given(st.integers(1, 6), st.integers(100, 900), st.lists(st.integers(0, 100), min_size=1, max_size=9))
def test_the_cap_holds_whatever_the_model_takes(concurrency, cap, lengths):
    options = ChatOptions(max_tokens=cap, concurrency=concurrency)
    with Session(options, lambda messages, seed: "x" * 4 * max(lengths[seed] - 4, 0)) as session:
        try:
            replies = session.ask([request(seed) for seed in range(len(lengths))])
        except CapReached:
            assert cap < 136
        else:
            answered = [reply.fault == "" for reply in replies]
            assert answered == sorted(answered, reverse=True)
        usage = session.usage
    assert usage.prompt_tokens + usage.completion_tokens <= cap


def test_a_wrong_key_ends_the_session_with_few_requests_and_one_sentence():
    with FaultyServer(echoes_key(401)) as server, open_session(server, concurrency=2) as session:
        for _ in range(2):
            with pytest.raises(EndpointError, match="refused the key") as caught:
                session.ask(requests(20))
            assert KEY not in str(caught.value)
        assert len(server.bodies) <= 2


def test_faults_do_not_disturb_their_neighbours():
    script = says("a"), breaks_off, fails(500), says("b")
    with FaultyServer(*script) as server, open_session(server, concurrency=1) as session:
        assert [reply.fault for reply in session.ask(requests(4))] == ["", "broken connection", "server error", ""]


def test_the_key_is_in_no_file_and_no_repr(tmp_path):
    path = tmp_path / "t.jsonl"
    script = echoes_key(500), echoes_key(400), echoes_key(400), echoes_key(400), says(f"the key is {KEY}")
    with FaultyServer(*script) as server, open_session(server, concurrency=1, transcript=path) as session:
        replies = session.ask(requests(4))
        assert KEY not in repr((replies, session.usage))
    assert len(path.read_text().splitlines()) == 4
    assert "0123456789" not in path.read_text()
    assert KEY not in repr(ChatOptions(model="m", api_key=KEY))


def test_an_interrupted_run_asks_only_what_is_missing(tmp_path):
    path = tmp_path / "t.jsonl"
    script = says("a"), says("b"), echoes_key(401)
    with FaultyServer(*script) as server:
        session = open_session(server, concurrency=1, transcript=path)
        with session, pytest.raises(EndpointError):
            session.ask(requests(4))
    with FaultyServer(says("c")) as server, open_session(server, transcript=path) as session:
        replies = session.ask(requests(4))
        assert [reply.text for reply in replies] == ["a", "b", "c", "c"]
        assert [reply.recorded for reply in replies] == [True, True, False, False]
        assert sorted(body["seed"] for body in server.bodies) == [2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "http://x/v1"}, "base_url needs model="),
        ({"api_key": KEY}, "api_key needs model="),
        ({"model": ""}, "model must be a non-empty string"),
        ({"model": 3}, "model must be a non-empty string"),
        ({"model": "m", "api_key": "sk-\nx"}, "api_key must be"),
        ({"model": "m", "base_url": "127.0.0.1:8000"}, "base_url must be an address such as"),
        ({"model": "m", "base_url": "ftp://x/v1"}, "base_url must be an address such as"),
        ({"model": "m", "base_url": "http://[::1/v1"}, "base_url must be an address such as"),
        ({"model": "m", "base_url": "http://x:99999/v1"}, "base_url must be an address such as"),
        ({"temperature": -0.1}, "temperature must be a finite number from 0 to 2, got -0.1"),
        ({"temperature": float("nan")}, "temperature must"),
        ({"temperature": True}, "temperature must"),
        ({"reply_tokens": 0}, "reply_tokens must be an integer ≥ 1, got 0"),
        ({"reply_tokens": 1.5}, "reply_tokens must"),
        ({"timeout_s": 0}, "timeout_s must be a finite number > 0"),
        ({"timeout_s": "60"}, "timeout_s must"),
        ({"retries": -1}, "retries must be an integer ≥ 0"),
        ({"concurrency": True}, "concurrency must be an integer ≥ 1"),
        ({"max_calls": 0}, "max_calls must be an integer ≥ 1, got"),
        ({"max_tokens": True}, "max_tokens must be an integer ≥ 1, got"),
        ({"max_cost": 1}, "max_cost needs prices="),
        ({"max_cost": 0, "prices": {"input": 1, "output": 1}}, "max_cost must be a finite number > 0"),
        ({"prices": {"input": 1, "ouput": 1}}, "unknown price 'ouput'; did you mean 'output'?"),
        ({"prices": {"input": 1}}, "the price of a million tokens of output must be a finite number ≥ 0"),
        (
            {"prices": {"input": 1, "output": -1}},
            "the price of a million tokens of output must be a finite number ≥ 0",
        ),
        (
            {"prices": {"input": True, "output": 1}},
            "the price of a million tokens of input must be a finite number ≥ 0, got True",
        ),
        ({"prices": 3}, "prices must be a mapping"),
        ({"transcript": 3}, "transcript must be the path of a file"),
        ({"transcript": "a", "replay": "b"}, "transcript and replay exclude each other"),
    ],
)
def test_bad_options_are_told_in_a_sentence(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        ChatOptions(**options).check_chat_options()
    assert "sk-" not in str(caught.value)


def test_the_name_of_whom_is_asked():
    assert ChatOptions(model="gpt-x").chat_name == "gpt-x"
    assert ChatOptions(model=STANDIN_MODEL, base_url="http://127.0.0.1:1/v1").chat_name == "no LLM"
