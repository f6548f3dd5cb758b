"""No server holds anybody longer than ``timeout_s``, ``max_seconds`` or Ctrl-C allow; ``-s`` prints the figures."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

pytest.importorskip("openai")

from faulty_server import FaultyServer, drips, drips_headers, fails, hangs, hints, redirects, says

import solvers
from secagent_env import sample_instance
from secagent_env.questions import Question
from solvers import Interrupted
from solvers.law import perturbing_standin
from solvers.llm import ChatOptions, EndpointError, Message, Request, Session
from solvers.llm.client import OpenAIChat
from solvers.reasoning.endpoint import Agents, Group
from solvers.reasoning.team import Supervisor, ask_all

SLACK_S = 0.5
TIMEOUT_S = 0.4
REQUEST = Request((Message("user", "x"),), "name", {}, max_tokens=100)
SMALL = sample_instance("small", seed=1)


def open_session(server, **options):
    options = {"model": "m", "base_url": server.base_url, "api_key": "k", "retries": 0, "timeout_s": 60.0, **options}
    return Session(ChatOptions(**options), None)


def requests(count):
    return [Request((Message("user", "x"),), "name", {}, seed=seed, max_tokens=100) for seed in range(count)]


def law(server, **options):
    return solvers.make(
        "law", **{"model": "m", "base_url": server.base_url, "timeout_s": 60.0, "retries": 0, **options}
    )


def stands_in(handler):
    """Answer as the stand-in does."""
    messages = [Message(**message) for message in handler.body["messages"]]
    says(perturbing_standin.reply(messages, handler.body["seed"]))(handler)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def interrupt():
    """Return what interrupts this process as Ctrl-C does, once a server was asked a number of times."""
    threads = []

    def begin(server, count=1):
        def wait():
            while len(server.bodies) < count and not over.wait(0.01):
                pass
            if not over.wait(0.1):
                moments.append(time.monotonic())
                os.kill(os.getpid(), signal.SIGINT)

        moments = []
        threads.append(threading.Thread(target=wait))
        threads[-1].start()
        return moments

    over = threading.Event()
    yield begin
    over.set()
    for thread in threads:
        thread.join()


# --- timeout_s -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "step", "retries"),
    [
        ("no answer", hangs, 0),
        ("slow headers", drips_headers, 0),
        ("103 Early Hints", hints, 0),
        ("a slow body", drips(), 0),
        ("a slow body of an error", drips(500), 0),
        ("slow headers", drips_headers, 1),
    ],
)
def test_a_request_takes_no_longer_than_its_timeout(name, step, retries):
    with FaultyServer(step) as server:
        with OpenAIChat("m", base_url=server.base_url, timeout_s=TIMEOUT_S, retries=retries) as chat:
            began = time.monotonic()
            reply = chat.complete(REQUEST)
            took = time.monotonic() - began
        allowed = TIMEOUT_S * (1 + 2 * retries)  # for each request, and before each repetition
        print(f"{name}: timeout_s={TIMEOUT_S}, retries={retries}, {took:.2f} s, {len(server.bodies)} requests")
        assert took < allowed + SLACK_S
        assert len(server.bodies) == reply.requests == 1 + retries
    assert (reply.fault, reply.detail) == ("timeout", f"no whole reply came within {TIMEOUT_S} s")


@pytest.mark.parametrize("words", ["input token count ", "tokens "])
def test_a_long_refusal_is_not_searched_for_long(words):
    with (
        FaultyServer(fails(400, words * 100_000)) as server,
        OpenAIChat("m", base_url=server.base_url, timeout_s=60.0, retries=0) as chat,
    ):
        began = time.monotonic()
        reply = chat.complete(REQUEST)
        took = time.monotonic() - began
    assert reply.fault == "rejected"
    assert took < 5.0


def test_the_connection_of_a_reply_that_is_not_waited_for_is_closed():
    closed = threading.Event()

    def step(handler):
        try:
            drips_headers(handler)
        except ConnectionError:
            closed.set()

    with FaultyServer(step) as server, OpenAIChat("m", base_url=server.base_url, timeout_s=0.2, retries=0) as chat:
        assert chat.complete(REQUEST).fault == "timeout"
        assert closed.wait(1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_and_the_address_is_told(status):
    with FaultyServer(redirects(status)) as server, FaultyServer(says("{}")) as other:
        began = time.monotonic()
        with (
            OpenAIChat("m", base_url=server.base_url, retries=2) as chat,
            pytest.raises(EndpointError, match=rf"redirects to {server.base_url} \({status}\), and nothing is sent"),
        ):
            chat.complete(REQUEST)
        print(f"redirects {status}: {time.monotonic() - began:.2f} s, {len(server.bodies)} requests")
        assert len(server.bodies) == 1
        server.script = (
            redirects(status, other.base_url.replace("//", "//user:pass@") + "/chat/completions?k=secret"),
        )
        with OpenAIChat("m", base_url=server.base_url) as chat, pytest.raises(EndpointError) as caught:
            chat.complete(REQUEST)
        assert other.base_url in str(caught.value)
        assert "pass" not in str(caught.value)
        assert "secret" not in str(caught.value)
        assert other.bodies == []


def test_a_host_that_takes_no_connection_is_given_up_in_time():
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the queue of connections is full
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        began = time.monotonic()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        with (
            OpenAIChat("m", base_url=url, timeout_s=TIMEOUT_S, retries=0) as chat,
            pytest.raises(EndpointError, match=rf"nobody answers at {url} \(.*\): check base_url"),
        ):
            chat.complete(REQUEST)
        assert time.monotonic() - began < TIMEOUT_S + SLACK_S


def test_a_name_that_takes_long_to_look_up_is_given_up_in_time_and_not_asked_later(monkeypatch):
    looked_up = threading.Event()
    look_up = socket.getaddrinfo

    def slowly(*arguments, **options):
        time.sleep(1)
        looked_up.set()
        return look_up(*arguments, **options)

    with FaultyServer(says("{}")) as server:
        with OpenAIChat("m", base_url=server.base_url, timeout_s=TIMEOUT_S, retries=0) as chat:
            monkeypatch.setattr(socket, "getaddrinfo", slowly)
            began = time.monotonic()
            with pytest.raises(EndpointError, match="nobody answers at"):
                chat.complete(REQUEST)
            assert time.monotonic() - began < TIMEOUT_S + SLACK_S
            assert looked_up.wait(2)
        time.sleep(0.1)
        assert server.bodies == []


@pytest.mark.parametrize("wanted", [{"Retry_After": "3600"}, {"Retry_After": "Fri, 31 Dec 2199 23:59:59 GMT"}])
def test_a_server_that_asks_for_a_longer_wait_is_not_asked_again(wanted):
    with FaultyServer(fails(429, "slow down", **wanted)) as server:
        with OpenAIChat("m", base_url=server.base_url, timeout_s=2.0, retries=2) as chat:
            began = time.monotonic()
            reply = chat.complete(REQUEST)
        assert time.monotonic() - began < SLACK_S
        assert len(server.bodies) == 1
    assert reply.detail.startswith("the server takes no more requests for now: slow down; it asks to wait")
    assert reply.detail.endswith("longer than timeout_s=2")


@pytest.mark.parametrize("wanted", ["-1", "nan", "Fri, 31 Dec 1999 23:59:59 GMT", "²"])
def test_nonsense_for_a_wait_is_no_wait(wanted):
    script = fails(429, Retry_After=wanted), says("{}")
    with FaultyServer(*script) as server, OpenAIChat("m", base_url=server.base_url, timeout_s=2.0, retries=1) as chat:
        assert chat.complete(REQUEST).text == "{}"


# --- the time for a solve ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"proposals": 6}, {"proposals": 2, "concurrency": 1}])
def test_a_solve_ends_with_its_time_whatever_the_server_does(options):
    with FaultyServer(hangs, stands_in, hangs) as server:
        law(server).solve(SMALL, max_seconds=0.2)  # imports what is needed, and meets the first step
        began = time.monotonic()
        solution = law(server, **options).solve(SMALL, max_seconds=0.5)
        took = time.monotonic() - began
        print(f"max_seconds=0.5: {took:.2f} s")
    assert 0.5 <= took < 0.5 + SLACK_S
    assert solution.status in ("stopped", "optimal")  # the first reply may be as good as can be
    assert solution.outcome.feasible
    assert solution.usage["requests"] <= len(server.bodies)
    assert solution.usage["faults"]["stopped"] >= 1
    assert solution.usage["completion_tokens"] >= 2000  # what is not waited for may have been charged


def test_what_is_not_waited_for_is_asked_again_with_the_same_transcript(tmp_path):
    path = tmp_path / "t.jsonl"
    with FaultyServer(says("a"), hangs) as server, open_session(server, transcript=path, concurrency=1) as session:
        began = time.monotonic()
        replies = session.ask(requests(3), seconds=0.3)
        assert time.monotonic() - began < 0.3 + SLACK_S
        assert [reply.fault for reply in replies] == ["", "stopped", "stopped"]
        assert [reply.fault for reply in session.ask(requests(2))] == ["stopped", "stopped"]
        assert (session.usage.calls, session.usage.requests, len(server.bodies)) == (2, 2, 2)
    with FaultyServer(says("b")) as server, open_session(server, transcript=path) as session:
        assert [reply.text for reply in session.ask(requests(3))] == ["a", "b", "b"]


def test_a_wait_before_a_repetition_ends_with_the_time_too():
    with FaultyServer(fails(503, Retry_After="30")) as server, open_session(server, retries=5) as session:
        began = time.monotonic()
        assert session.ask(requests(1), seconds=0.3)[0].fault == "server error"
        assert time.monotonic() - began < 0.3 + SLACK_S
        assert len(server.bodies) == 1


# --- Ctrl-C --------------------------------------------------------------------------------------------------------


def test_an_interrupted_solve_ends_at_once_and_has_the_best_so_far(interrupt):
    with FaultyServer(*[stands_in] * 4, hangs) as server:
        moments = interrupt(server, 8)
        with pytest.raises(Interrupted) as caught:
            law(server, proposals=4).solve(SMALL)
        took = time.monotonic() - moments[0]
        print(f"Ctrl-C: {took:.2f} s")
        assert took < SLACK_S
        solution = caught.value.solution()
    assert (solution.status, bool(solution.outcome.feasible)) == ("stopped", True)
    assert solution.usage["requests"] == 8
    assert solution.usage["faults"] == {"stopped": 4}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("secagent-llm")]


def test_an_interrupted_game_ends_at_once(interrupt):
    from secagent_env.power_control import sample_game
    from solvers.genainet import GenAINet

    with FaultyServer(hangs) as server:
        moments = interrupt(server)
        with pytest.raises(KeyboardInterrupt):
            GenAINet(model="m", base_url=server.base_url, timeout_s=60.0).play(sample_game(4, seed=1))
        assert time.monotonic() - moments[0] < SLACK_S


def test_interrupted_questions_end_at_once(interrupt):
    questions = [Question(str(i), "Which?", ("a", "b"), 0) for i in range(20)]
    with FaultyServer(hangs) as server:
        moments = interrupt(server, 4)
        groups = [Group(agents=3, model="m", base_url=server.base_url, timeout_s=60.0)]
        with pytest.raises(KeyboardInterrupt), Agents(groups) as agents:
            ask_all(Supervisor(agents.reasoners), questions, [True] * 3)
        assert time.monotonic() - moments[0] < SLACK_S
        assert len(server.bodies) == 4


SECONDS_TO_LEAVE = 4.0
"""For a command to print and end where other tests keep the machine busy; the server would hold it for 20 s."""


@pytest.mark.parametrize(
    "command",
    ["solve", *(pytest.param(each, marks=pytest.mark.slow) for each in ("compare", "compare on two workers", "study"))],
)
def test_ctrl_c_ends_a_command_that_waits_for_a_model(command, tmp_path):
    SMALL.save(tmp_path / "i.npz")
    with FaultyServer(hangs) as server:
        model = f'model="m", base_url="{server.base_url}"'
        sweep = [
            "--instances",
            "2",
            "--scenario",
            "small",
            "--out",
            "out",
            "--workers",
            "2" if "two" in command else "1",
        ]
        arguments = {
            "solve": ["solve", "i.npz", "--solver", "law", "--set", *model.split(", "), "--out", "d.json"],
            "study": ["study", "law", *sweep, "--model", "m", "--base-url", server.base_url],
        }.get(command, ["compare", *sweep, "--solvers", "asc", f"law({model})"])
        process = subprocess.Popen(
            [sys.executable, "-m", "eval.command.cli", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not server.bodies and process.poll() is None:
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=20)
        took = time.monotonic() - began
        print(f"Ctrl-C, {command}: {took:.2f} s")
    assert took < SECONDS_TO_LEAVE, (shown, said)
    assert process.returncode == 130, (shown, said)
    assert "interrupted" in said
    assert "Traceback" not in said
    if command == "solve":
        assert "stopped after" in shown
        assert (tmp_path / "d.json").exists()
