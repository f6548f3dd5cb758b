"""Recordings: what was answered is found again in the place of the model, and no change goes unnoticed."""

import dataclasses
import json
import lzma
import pickle
import random
import time

import pytest
from faulty_server import FaultyServer, says
from hypothesis import given
from hypothesis import strategies as st

from secagent_env import Scenario, sample_instance
from secagent_env.power_control import sample_game
from solvers import make
from solvers.genainet import GenAINet
from solvers.llm import ChatOptions, EndpointError, Message, NotRecorded, Request, Session
from solvers.llm.chat import Reply
from solvers.recordings import (
    RecordedCell,
    Recording,
    RepliesOnly,
    container,
    pack,
    read_recording,
    unpack,
    write_recording,
)
from solvers.recordings.container import RecordedReply

COMMAND = "secagent reproduce law-models --out results/models"


def request(seed=0, content="The secret question", **parameters):
    return Request((Message("user", content),), "name", {"type": "object"}, seed=seed, **parameters)


def replies_of(*replies, model="m"):
    return tuple(RecordedReply(request(seed).key(model), model, reply) for seed, reply in enumerate(replies))


@pytest.fixture
def path(tmp_path):
    cells = {
        "paper/0": replies_of(Reply("one", seconds=0.5, completion_tokens=3), Reply("", "timeout", "late", requests=3)),
        "paper/1": replies_of(Reply("three — ü\u2028\r\n", adapted="no seed", fingerprint="f", estimated=True)),
        "two models": replies_of(Reply("a")) + replies_of(Reply("b"), model="n"),
    }
    write_recording(tmp_path / "r.jsonl.xz", Recording(COMMAND, "LAW", {"instances": 2}, cells))
    return tmp_path / "r.jsonl.xz"


def lines_of(path):
    return [json.loads(line) for line in lzma.decompress(path.read_bytes()).decode().split("\n")[:-1]]


def rewritten(path, lines, seal=True):
    """Write a recording of other lines, with the seal that fits them."""
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines[: -1 if seal else None])
    path.write_bytes(lzma.compress(content + (container._seal(content) if seal else b"")))


def ask(path, cell, *requests, **options):
    with Session(ChatOptions(replay=RecordedCell(str(path), cell), **options), None) as session:
        return session.ask(requests)


def test_what_was_written_is_read(path):
    recording = read_recording(path)
    assert (recording.command, recording.title, recording.options) == (COMMAND, "LAW", {"instances": 2})
    assert recording.models == ["m", "n"]
    assert list(recording.cells) == ["paper/0", "paper/1", "two models"]
    assert recording.cells["paper/0"][1].reply == Reply("", "timeout", "late", requests=3)
    assert recording.cells["paper/1"][0].reply.text == "three — ü\u2028\r\n"
    again = path.with_name("again.xz")
    write_recording(again, recording)
    assert again.read_bytes() == path.read_bytes()


def test_what_is_unpacked_is_packed_the_same_and_answers(path, tmp_path):
    cells = read_recording(path).cells
    transcripts = {name: tmp_path / "new" / f"{number}.jsonl" for number, name in enumerate(cells)}
    unpack(cells, {**transcripts, "not recorded": tmp_path / "new" / "x.jsonl"})
    assert pack(transcripts) == cells
    assert not (tmp_path / "new" / "x.jsonl").exists()
    with Session(ChatOptions(model="m", replay=str(tmp_path / "new" / "1.jsonl")), None) as session:
        assert session.ask([request()])[0].text == "three — ü\u2028\r\n"
    unpack(dict.fromkeys(cells, replies_of(Reply("other"))), transcripts)
    assert pack(transcripts) == cells  # what is there stays


def test_a_file_that_was_written_anew_is_read_anew(path):
    recording = read_recording(path)
    assert read_recording(path) is recording
    write_recording(path, dataclasses.replace(recording, title="Another title"))
    assert read_recording(path).title == "Another title"


def test_the_replies_of_a_cell_stand_for_the_model(path):
    first, second = ask(path, "paper/0", request(0), request(1))
    assert (first.text, first.seconds, first.completion_tokens, first.recorded) == ("one", 0.5, 3, True)
    assert (second.fault, second.detail, second.requests, second.recorded) == ("timeout", "late", 3, True)
    assert ask(path, "paper/1", request(0), model="m")[0].text == "three — ü\u2028\r\n"
    assert [ask(path, "two models", request(0), model=model)[0].text for model in "mn"] == ["a", "b"]
    assert ChatOptions(replay=RecordedCell(str(path), "paper/0")).chat_name == "m"
    options = ChatOptions(replay=RecordedCell(str(path), "paper/0"))
    assert pickle.loads(pickle.dumps(options)) == options


@pytest.mark.parametrize(
    ("cell", "asked", "options", "error", "sentence"),
    [
        ("paper/0", [request(0), request(2)], {}, NotRecorded, "call 1 asks m something else than the recorded run"),
        ("paper/0", [request(content="Hi")], {}, NotRecorded, f"call 0 .* record anew with: {COMMAND}"),
        ("paper/0", [request(temperature=0.5)], {}, NotRecorded, "call 0 asks m"),
        ("paper/9", [request()], {}, NotRecorded, "no cell paper/9; its 3 cells were recorded with: secagent repr"),
        ("paper/0", [request()], {"model": "n"}, NotRecorded, "was recorded with m, not n"),
        ("two models", [request()], {}, ValueError, "holds replies of m, n; name one with model="),
    ],
)
def test_another_run_than_the_recorded_one_ends_with_a_sentence(path, cell, asked, options, error, sentence):
    with pytest.raises(error, match=sentence) as raised:
        ask(path, cell, *asked, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_a_solve_and_a_game_do_not_go_on_without_a_reply(tmp_path, calls):
    instance, game = sample_instance(Scenario(num_agents=12), seed=1), sample_game(2, 1)
    played = {
        "law": lambda **how: make("law", rounds=1, iterations=2, **how).solve(instance),
        "game": lambda **how: GenAINet(**how).play(game, 3),
    }
    for name, play in played.items():
        kept, path = str(tmp_path / f"{name}.jsonl"), tmp_path / f"{name}.xz"
        play(transcript=RepliesOnly(kept))
        cells = pack({name: kept})
        write_recording(path, Recording(COMMAND, cells={name: cells[name][:calls]}))
        with pytest.raises(NotRecorded, match=rf"call \d+ asks no-LLM .* record anew with: {COMMAND}"):
            play(replay=RecordedCell(str(path), name), model="no-LLM")


def test_a_missing_file_ends_with_a_sentence(path):
    with pytest.raises(EndpointError, match=r"there is no recording .*other.xz; name another, or record one"):
        ask(path.with_name("other.xz"), "paper/0", request())


def test_bad_files_end_with_a_sentence(path):
    lines = lines_of(path)
    cases = {
        "is no recording, or damaged": b"hello",
        r"is no recording, or damaged \(it ends too early\): fetch it again": path.read_bytes()[:-40],
        r"is no recording, or damaged \(something follows its end\)": path.read_bytes() + b"x",
        "is no recording of secagent": lzma.compress(b'{"format": "other"}\n'),
        "is no recording of secagent$": lzma.compress(b""),
        "its content is not what its digest says": lzma.compress(lzma.decompress(path.read_bytes()) + b"{}\n"),
    }
    for sentence, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=sentence) as raised:
            read_recording(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
    rewritten(path, [{**lines[0], "version": 2, "secagent": "9.0"}, *lines[1:]])
    with pytest.raises(ValueError, match=r"of the version 2, and this .* reads version 1: take the .* \('9.0'\)"):
        read_recording(path)


@pytest.mark.parametrize(
    ("line", "change", "reason"),
    [
        (1, {"cell": "paper/1"}, "the cell 'paper/1' twice"),
        (1, {"replies": [{"key": "k", "model": "m", "text": 3}]}, ""),
        (1, {"replies": [{"key": 1, "model": "m"}]}, "a reply of another form"),
        (1, {"replies": [{"key": "k", "model": "m", "prompt": "x"}]}, "a reply of another form"),
        (0, {"command": 3}, "a header of another form"),
    ],
)
def test_a_sealed_file_of_another_form_is_refused(path, line, change, reason):
    lines = lines_of(path)
    lines[line] |= change
    rewritten(path, lines)
    with pytest.raises(ValueError, match=f"holds what no recording holds .*{reason}"):
        read_recording(path)


@given(st.data())
def test_no_changed_byte_goes_unnoticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("recordings") / "r.xz"
    write_recording(path, Recording(COMMAND, cells={"c": replies_of(Reply("one"), Reply("two"))}))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"r\.xz (is|holds)"):
        read_recording(path)


@given(st.data())
def test_no_changed_content_goes_unnoticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("recordings") / "r.xz"
    write_recording(path, Recording(COMMAND, cells={"c": replies_of(Reply("one"), Reply("two"))}))
    content = bytearray(lzma.decompress(path.read_bytes()))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(lzma.compress(content))
    with pytest.raises(ValueError, match=r"r\.xz (is|holds)"):
        read_recording(path)


@given(number=st.integers(0, 1), text=st.text(max_size=5))
def test_a_changed_reply_under_a_new_seal_is_what_the_run_reads(tmp_path_factory, number, text):
    path = tmp_path_factory.mktemp("recordings") / "r.xz"
    write_recording(path, Recording(COMMAND, cells={"c": replies_of(Reply("one"), Reply("two"))}))
    lines = lines_of(path)
    lines[1]["replies"][number]["text"] = text
    rewritten(path, lines)
    expected = ["one", "two"]
    expected[number] = text
    assert [reply.text for reply in ask(path, "c", request(0), request(1))] == expected


@given(
    st.dictionaries(
        st.text(),
        st.lists(st.builds(Reply, st.text(), st.text(), st.text(), st.integers(0), st.integers(0), st.booleans())),
        max_size=4,
    )
)
def test_whatever_was_answered_is_read_as_it_was(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("recordings") / "r.xz"
    recording = Recording(COMMAND, cells={name: replies_of(*replies) for name, replies in cells.items()})
    write_recording(path, recording)
    assert read_recording(path) == recording


def test_a_run_with_several_calls_at_a_time_is_recorded_in_the_order_of_its_calls(tmp_path):
    def late(handler):
        time.sleep(random.Random(handler.body["seed"]).random() / 20)
        says(f"answer {handler.body['seed']}")(handler)

    path, requests = str(tmp_path / "cells" / "c.jsonl"), [request(seed) for seed in range(12)]
    with FaultyServer(late) as server:
        options = ChatOptions(
            model="m", base_url=server.base_url, api_key="k", concurrency=6, transcript=RepliesOnly(path)
        )
        with Session(options, None) as session:
            asked = session.ask(requests)
    assert server.most_at_once > 1
    assert [reply.text for reply in asked] == [f"answer {seed}" for seed in range(12)]
    cells = pack({"c": path})
    assert [each.key for each in cells["c"]] == [each.key("m") for each in requests]
    write_recording(tmp_path / "r.xz", Recording(COMMAND, cells=cells))
    for concurrency in (1, 5):
        replayed = ask(tmp_path / "r.xz", "c", *requests, concurrency=concurrency)
        assert replayed == [dataclasses.replace(reply, recorded=True) for reply in asked]


def test_no_prompt_is_kept(tmp_path):
    path = str(tmp_path / "c.jsonl")
    with Session(ChatOptions(transcript=RepliesOnly(path)), lambda messages, seed: "fine") as session:
        session.ask([request()])
    write_recording(tmp_path / "r.xz", Recording(COMMAND, cells=pack({"c": path})))
    kept = (tmp_path / "c.jsonl").read_bytes() + lzma.decompress((tmp_path / "r.xz").read_bytes())
    assert b"fine" in kept
    assert b"secret" not in kept


def test_what_has_an_answer_is_not_asked_again(tmp_path):
    options = ChatOptions(transcript=RepliesOnly(str(tmp_path / "c.jsonl")))
    texts = iter(["first", "second"])
    for seeds in ([0], [0, 1]):
        with Session(options, lambda messages, seed: next(texts)) as session:
            replies = session.ask([request(seed) for seed in seeds])
    assert [(reply.text, reply.recorded) for reply in replies] == [("first", True), ("second", False)]


def test_a_recording_that_is_too_large_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"r\.xz would have .* MB: record fewer cells"):
        write_recording(tmp_path / "r.xz", Recording(COMMAND, cells={"c": replies_of(Reply("x"))}))
    assert not (tmp_path / "r.xz").exists()


def test_what_unpacks_to_too_much_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "MAX_UNPACKED_BYTES", 1000)
    (tmp_path / "r.xz").write_bytes(lzma.compress(b"a" * 10**6))
    with pytest.raises(ValueError, match="is no recording, or damaged"):
        read_recording(tmp_path / "r.xz")
