"""Transcripts: interrupted runs go on for nothing, recorded ones replay, and broken files are told of."""

import json
import multiprocessing
import re

import pytest

from solvers.llm import CapReached, ChatOptions, EndpointError, Message, Request, Session
from solvers.llm.chat import Reply
from solvers.llm.transcript import Recorded, Replay, Transcript


def request(seed=0, content="Hello", **parameters):
    return Request((Message("user", content),), "name", {"type": "object"}, seed=seed, **parameters)


class Scripted:
    """Answers by its script, and counts."""

    def __init__(self, *replies, model="m"):
        self.model, self.replies, self.asked = model, list(replies), []

    def complete(self, request, permit=None):
        self.asked.append(request)
        return self.replies.pop(0)


FULL = Reply("{}", "", "", 11, 22, True, 0.25, "fp — ü")


def record(path, *replies, model="m"):
    with Transcript(path, writable=True) as transcript:
        chat = Recorded(Scripted(*replies, model=model), transcript)
        return [chat.complete(request(seed)) for seed in range(len(replies))]


def test_a_line_holds_the_request_and_the_reply(tmp_path):
    path = tmp_path / "t.jsonl"
    record(path, FULL)
    (line,) = path.read_text().splitlines()
    entry = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", entry.pop("time"))
    assert entry == {
        "format": "secagent transcript",
        "version": 1,
        "key": request(0).key("m"),
        "model": "m",
        "request": {
            "messages": [{"role": "user", "content": "Hello"}],
            "name": "name",
            "schema": {"type": "object"},
            "seed": 0,
            "temperature": 0.7,
            "max_tokens": 2000,
        },
        "reply": {
            "text": "{}",
            "fault": "",
            "detail": "",
            "prompt_tokens": 11,
            "completion_tokens": 22,
            "estimated": True,
            "seconds": 0.25,
            "fingerprint": "fp — ü",
            "requests": 1,
        },
    }


def test_what_has_an_answer_is_not_asked_again_and_what_has_a_fault_is(tmp_path):
    path = tmp_path / "t.jsonl"
    record(path, FULL, Reply("", fault="timeout", detail="late"))
    with Transcript(path, writable=True) as transcript:
        chat = Scripted(Reply("now"), Reply("new"))
        recorded = Recorded(chat, transcript)
        replies = [recorded.complete(request(seed)) for seed in range(3)]
    assert [(reply.text, reply.recorded) for reply in replies] == [("{}", True), ("now", False), ("new", False)]
    assert chat.asked == [request(1), request(2)]
    with Transcript(path) as transcript:
        replay = Replay(transcript)
        assert [replay.complete(request(seed)).text for seed in range(3)] == ["{}", "now", "new"]


def test_a_replay_repeats_faults_too(tmp_path):
    path = tmp_path / "t.jsonl"
    fault = Reply("", fault="timeout", detail="late", prompt_tokens=3, estimated=True)
    record(path, fault)
    with Transcript(path) as transcript:
        reply = Replay(transcript, "m").complete(request(0))
    assert (reply.fault, reply.detail, reply.prompt_tokens, reply.estimated) == ("timeout", "late", 3, True)
    assert reply.recorded


@pytest.mark.parametrize(
    "other",
    [
        request(1),
        request(content="Hello!"),
        request(temperature=0.5),
        request(max_tokens=5),
        Request((Message("system", "Hello"),), "name", {"type": "object"}),
        Request((Message("user", "Hello"),), "other", {"type": "object"}),
        Request((Message("user", "Hello"),), "name", {}),
    ],
)
def test_whatever_differs_is_another_request(tmp_path, other):
    path = tmp_path / "t.jsonl"
    record(path, FULL)
    with Transcript(path) as transcript:
        with pytest.raises(
            EndpointError, match=r"t\.jsonl holds no reply of m to this question: the solver's settings"
        ):
            Replay(transcript).complete(other)
        with pytest.raises(EndpointError, match="no reply of another"):
            Replay(transcript, "another").complete(request(0))


def test_the_model_of_a_replay_is_that_of_the_lines_if_it_is_one(tmp_path):
    path = tmp_path / "t.jsonl"
    record(path, FULL)
    assert ChatOptions(replay=path).chat_name == "m"
    record(path, Reply("other"), model="n")
    with Transcript(path) as transcript:
        assert Replay(transcript, "n").complete(request(0)).text == "other"
        with pytest.raises(ValueError, match=r"replies of several models \(m, n\); name one with model="):
            Replay(transcript)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with Transcript(empty) as transcript, pytest.raises(ValueError, match="holds no replies"):
        Replay(transcript)
    with pytest.raises(EndpointError, match=r"there is no transcript .*missing to replay; record one first"):
        Session(ChatOptions(replay=tmp_path / "missing"), str)


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_last_line_cut_short_is_asked_again(tmp_path, cut):
    path = tmp_path / "t.jsonl"
    record(path, FULL, FULL)
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    with Transcript(path) as transcript:
        assert len(transcript.replies) == 1
    record(path, FULL, FULL, FULL)
    lines = path.read_text().splitlines()
    assert [json.loads(line)["request"]["seed"] for line in lines] == [0, 1, 2]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"format": "secagent transcript", "version": 2}',
        b"[" * 100_000,
    ],
)
def test_any_other_broken_line_is_told_with_its_number(tmp_path, broken):
    path = tmp_path / "t.jsonl"
    record(path, FULL)
    line = path.read_bytes()
    path.write_bytes(line + broken + b"\n" + line)
    with pytest.raises(ValueError, match=r"t\.jsonl, line 2, is not a line of a transcript of version 1; remove"):
        Transcript(path)


@pytest.mark.parametrize(
    ("name", "value"), [("text", 3), ("prompt_tokens", "3"), ("prompt_tokens", True), ("seconds", float("nan"))]
)
def test_a_reply_with_the_wrong_types_is_broken(tmp_path, name, value):
    path = tmp_path / "t.jsonl"
    record(path, FULL)
    entry = json.loads(path.read_text())
    entry["reply"][name] = value
    path.write_text(json.dumps(entry) + "\n")
    with pytest.raises(ValueError, match="line 1"):
        Transcript(path)


def write_many(path, first):
    with Transcript(path, writable=True) as transcript:
        for seed in range(first, first + 50):
            transcript.append("m", request(seed), Reply("x" * 10_000))


def test_processes_may_share_a_transcript(tmp_path):
    path = tmp_path / "t.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, first)) for first in (0, 1000)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    with Transcript(path) as transcript:
        assert len(transcript.replies) == 100


def test_a_session_resumes_and_replays_to_the_same_replies_and_usage(tmp_path):
    path = tmp_path / "t.jsonl"
    requests = [request(seed) for seed in range(4)]

    def rules(messages, seed):
        return f"answer {seed}"

    def refuse(messages, seed):
        raise AssertionError("asked again")

    with Session(ChatOptions(transcript=path), rules) as session:
        first = session.ask(requests[:2])
    with Session(ChatOptions(transcript=path), rules) as session:
        replies, usage = session.ask(requests), session.usage
    assert [reply.text for reply in first] == [reply.text for reply in replies[:2]]
    assert (usage.calls, usage.recorded) == (4, 2)
    with Session(ChatOptions(replay=path), refuse) as session:
        replayed, again = session.ask(requests), session.usage
        with pytest.raises(EndpointError, match="holds no reply"):
            session.ask([request(9)])
    assert [reply.text for reply in replayed] == [reply.text for reply in replies]
    assert again.to_dict() == {**usage.to_dict(), "recorded": 4, "seconds": pytest.approx(usage.seconds)}


def test_caps_hold_in_a_replay_as_they_did(tmp_path):
    path = tmp_path / "t.jsonl"
    requests = [request(seed) for seed in range(4)]
    with Session(ChatOptions(transcript=path, max_calls=3), lambda messages, seed: "x") as session:
        faults = [reply.fault for reply in session.ask(requests)]
    with Session(ChatOptions(replay=path, max_calls=3), str) as session:
        assert [reply.fault for reply in session.ask(requests)] == faults == ["", "", "", "cap"]
        with pytest.raises(CapReached, match="max_calls=3"):
            session.ask(requests)
