"""Transcripts: interrupted runs go on for nothing, recorded ones replay, and broken files are told of."""

import json
import multiprocessing
import os
import re
import resource
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagent_env.support.digests import DIGEST, sealed
from solvers.llm import CapReached, ChatOptions, EndpointError, Message, NotRecorded, Request, Session
from solvers.llm.chat import Reply
from solvers.llm.transcript import MAX_LINE_BYTES, Recorded, Replay, Transcript

OURS = b'{"format": "secagent transcript", "version": 1, '
"""How every line of a transcript begins."""


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
    assert re.fullmatch("[0-9a-f]{64}", entry.pop("digest"))
    assert entry == {
        "format": "secagent transcript",
        "version": 1,
        "key": request(0).key("m"),
        "model": "m",
        "call": 0,
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
            "adapted": "",
        },
    }


def test_lines_of_earlier_versions_are_read(tmp_path):
    path = tmp_path / "t.jsonl"
    record(path, FULL)
    line = json.loads(path.read_text())
    for name in ("requests", "adapted"):
        del line["reply"][name]
    path.write_text(json.dumps(sealed({name: value for name, value in line.items() if name != DIGEST})) + "\n")
    with Transcript(path) as transcript:
        [reply] = transcript.replies.values()
    assert (reply.text, reply.requests, reply.adapted) == ("{}", 1, "")


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
        with pytest.raises(NotRecorded, match=r"t\.jsonl holds no reply of m to this question: the solver's settings"):
            Replay(transcript).complete(other)
        with pytest.raises(NotRecorded, match="no reply of another"):
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


@pytest.mark.parametrize("left", [1, 40, -200, -2])
def test_a_last_line_cut_short_is_asked_again(tmp_path, left):
    path = tmp_path / "t.jsonl"
    record(path, FULL, FULL)
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(first + b"\n" + second[:left])
    with Transcript(path) as transcript:
        assert len(transcript.replies) == 1
    record(path, FULL, FULL, FULL)
    lines = path.read_text().splitlines()
    assert [json.loads(line)["request"]["seed"] for line in lines] == [0, 1, 2]


def test_a_first_line_cut_short_is_asked_again(tmp_path):
    path = tmp_path / "t.jsonl"
    record(path, FULL)
    line = path.read_bytes()
    path.write_bytes(line[:100])
    record(path, FULL)
    assert path.read_bytes().startswith(line[:100])
    assert path.read_bytes().count(b"\n") == 1


def test_a_last_line_that_lacks_its_end_alone_is_kept(tmp_path):
    path = tmp_path / "t.jsonl"
    record(path, FULL, FULL)
    path.write_bytes(path.read_bytes()[:-1])
    record(path, FULL, FULL, FULL)
    lines = path.read_text().splitlines()
    assert [json.loads(line)["request"]["seed"] for line in lines] == [0, 1, 2]


def refused(path, sentence=r", line 1, is not a line of a transcript of version 1; remove the line, or name another"):
    """Check that a file is refused with one sentence, however it is opened, and stays as it is."""
    content = path.read_bytes()
    for writable in (True, False):
        with pytest.raises(ValueError, match=re.escape(path.name) + sentence) as caught:
            Transcript(path, writable=writable)
        assert len(str(caught.value)) < 300
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


@given(st.binary(min_size=1) | st.text(min_size=1).map(str.encode) | st.integers(1, 47).map(lambda end: OURS[:end]))
def test_a_file_that_is_no_transcript_is_left_as_it_is(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("files") / "note"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"a note without an end of line",
        b"{",
        OURS[:20],
        b"\0" * 1000,
        b"\0" * (MAX_LINE_BYTES + 5),
        OURS + b"x" * MAX_LINE_BYTES,
        OURS + b'"key": ' + b"[" * 100_000 + b"\n",
        OURS + b'"key": ' + b"9" * 400 + b"}\n",
        OURS.decode().encode("utf-16"),
    ],
    ids=["note", "brace", "too little", "NULs", "many NULs", "huge line", "nested", "digits", "UTF-16"],
)
def test_foreign_and_hostile_files_are_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "note"
    path.write_bytes(content)
    tracemalloc.start()
    refused(path)
    assert tracemalloc.get_traced_memory()[1] < 10 * MAX_LINE_BYTES
    tracemalloc.stop()


def test_what_is_no_regular_file_is_no_transcript(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        for writable in (True, False):
            with pytest.raises(OSError, match=f"{path.name} is no regular file"):
                Transcript(path, writable=writable)


def test_a_note_at_the_end_of_a_transcript_is_not_lost(tmp_path):
    path = tmp_path / "t.jsonl"
    with Transcript(path, writable=True) as transcript:
        transcript.append("m", request(0), FULL)
        for end in (b"a note", path.read_bytes()[:-1] + b" and a note"):
            with open(path, "ab") as file:  # by another program
                file.write(end)
            content = path.read_bytes()
            with pytest.raises(ValueError, match=r"t\.jsonl: its end is no line of a transcript, and nothing is added"):
                transcript.append("m", request(1), FULL)
            assert path.read_bytes() == content
            os.truncate(path, len(content) - len(end))
        transcript.append("m", request(1), FULL)


@given(st.data())
def test_a_changed_bit_is_told_or_changes_nothing(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("files") / "t.jsonl"
    record(path, FULL, Reply("α β"), FULL)
    with Transcript(path) as transcript:
        replies = transcript.replies
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    told = ""
    try:
        with Transcript(path) as transcript:
            assert transcript.replies == replies
    except ValueError as error:
        told = str(error)
    assert not told or re.search(r"t\.jsonl, line [123]", told)


def test_a_changed_line_is_named_and_one_without_digest_is_called_unverified_once(tmp_path, caplog):
    path = tmp_path / "t.jsonl"
    record(path, FULL, FULL)
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    second["reply"]["text"] = "better"
    path.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    refused(path, ", line 2: it is damaged: its content is not what its digest says")
    for entry in (first, second):
        del entry["digest"]
    path.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    for _ in range(2):
        with Transcript(path) as transcript:
            assert [reply.text for reply in transcript.replies.values()] == ["{}", "better"]
    assert [record.getMessage() for record in caplog.records] == [f"{path} holds no digest: it is read unverified"]


def test_a_line_that_the_disk_does_not_take_leaves_nothing_behind(tmp_path):
    path = tmp_path / "t.jsonl"
    record(path, FULL)
    content = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Transcript(path, writable=True) as transcript:
        for most in (len(content) + 50, len(content)):
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
            try:
                with pytest.raises(OSError, match=r"t\.jsonl: (only a part of a line|File too large)"):
                    transcript.append("m", request(1), FULL)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert path.read_bytes() == content
        transcript.append("m", request(1), FULL)


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
        with pytest.raises(NotRecorded, match="holds no reply"):
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
