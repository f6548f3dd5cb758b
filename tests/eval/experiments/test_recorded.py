"""Recorded experiments: a run with a model leaves a recording, and --replay computes the same tables from it alone."""

import contextlib
import dataclasses
import hashlib
import io
import lzma
import re
import shutil
from pathlib import Path

import pytest
from documentation.replayed import missing, output_of, replayed
from faulty_server import FaultyServer, says

import solvers
from eval.command.cli import main
from eval.compare.rows import result_of
from eval.experiments import recorded
from eval.experiments.genainet_power.cells import play
from eval.experiments.recorded import EXTENDED, answered, find
from eval.sweep.answers import RECORDING, costs, file_of, keeping, name_of, replaying, with_answers
from eval.sweep.cells import Cell
from eval.sweep.engine import read_results
from eval.sweep.grid import Chain, Grid
from secagent_env import Scenario, sample_instance
from solvers import standins
from solvers.llm.server import StandinServer
from solvers.recordings import RecordedCell, Recording, RepliesOnly, read_recording, write_recording

RECORDED = "out/table5.recording.xz"
GROUPS = """
[[group]]
agents = 2
model = "no-LLM"
base_url = "{url}"

[[group]]
agents = 1
"""
RUN = ["-q", "reproduce", "table5", "--instances", "1", "--questions", "2", "--groups", "groups.toml", "--workers", "1"]


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory):
    """The folder of a run with agents behind a loopback server, which is gone, and what was printed."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch, StandinServer(standins.reply) as server:
        patch.chdir(folder)
        patch.setenv("OPENAI_API_KEY", "k")
        patch.delenv("SECAGENT_DATA", raising=False)
        (folder / "groups.toml").write_text(GROUPS.format(url=server.base_url))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main([*RUN, "--out", "out"]) == 0
    return folder, printed.getvalue()


@pytest.fixture
def printed(recorded_run, tmp_path, monkeypatch):
    """What a recorded run printed; it lies in the working directory."""
    folder, printed = recorded_run
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    return printed


def replay(capsys, *options, status=0, out="out"):
    """Replay without a server, and return what is printed."""
    assert main(["-q", "reproduce", "table5", "--workers", "1", "--out", out, "--replay", *options]) == status
    shown = capsys.readouterr()
    return shown.err if status else shown.out


def test_a_run_leaves_a_recording_that_gives_the_same_tables(printed, capsys, monkeypatch):
    recording = read_recording(RECORDED)
    assert recording.command == f"secagent {' '.join(RUN)} --out out"
    assert recording.models == ["no-LLM"]
    assert recording.options["questions"] == 2
    assert len(recording.cells) == 21  # of 3 data sets and 7 schemes
    content = Path(RECORDED).read_bytes()
    assert b"Question" not in lzma.decompress(content)
    for out in ("another", "out"):  # where the rows of the model are, too
        assert replay(capsys, RECORDED, out=out) == printed
    monkeypatch.setattr(recorded, "SHIPPED", Path("out"))
    Path("out/SHA256SUMS").write_text(f"{hashlib.sha256(content).hexdigest()}  table5.recording.xz\n")
    assert replay(capsys) == replay(capsys, "out") == printed
    Path("out/SHA256SUMS").write_text("")
    assert "is damaged: its digest is not that of SHA256SUMS" in replay(capsys, status=2)


def test_a_page_shows_what_follows_from_its_recording(printed, capsys):
    command = f"secagent reproduce table5 --replay {RECORDED} --out out"
    table = printed.partition("### Agents behind endpoints")[2]
    page = f"# Page\n\n<!-- replayed: {command} -->\n{table}\n<!-- end -->\n"
    [(named, shown)] = replayed(page)
    assert named == command
    assert missing(shown, output_of(named)) == []
    digit = re.search(r"\d(?= %)", shown).start()
    other = f"{shown[:digit]}{(int(shown[digit]) + 1) % 10}{shown[digit + 1 :]}"
    assert len(missing(other, output_of(named))) == 1


def test_a_changed_reply_changes_the_table(printed, capsys):
    def other(each):
        return dataclasses.replace(each, reply=dataclasses.replace(each.reply, text="no option"))

    recording = read_recording(RECORDED)
    cells = {name: tuple(map(other, replies)) for name, replies in recording.cells.items()}
    write_recording("changed.xz", dataclasses.replace(recording, cells=cells))
    assert replay(capsys, "changed.xz") not in ("", printed)


@pytest.mark.parametrize(("option", "value"), [("--questions", "3"), ("--seed", "1"), ("--instances", "2")])
def test_another_run_than_the_recorded_one_ends_with_the_command_that_records_anew(printed, capsys, option, value):
    told = replay(capsys, RECORDED, option, value, status=2)
    assert told.startswith("secagent: error: ")
    assert told.count("\n") == 1
    assert "secagent -q reproduce table5 --instances 1" in told


def test_replays_end_with_a_sentence_where_there_is_nothing_to_replay(printed, capsys):
    write_recording("r.xz", Recording("c", options={"instances": 1, "questions": 2}))
    Path("no.xz").write_text("x")
    write_recording("bad.xz", Recording("c", options={"instances": "many"}))
    write_recording("unknown.xz", Recording("c", options={"out": "/"}))
    for name, sentence in {
        "r.xz": "table5 asks no language model with these options: leave out --replay",
        "missing.xz": "there is no recording missing.xz: name one with --replay FILE, or record one by a run with a",
        ".": "there is no recording table5.recording.xz",
        "no.xz": "no.xz is no recording, or damaged",
        "bad.xz": "bad.xz tells of an option instances of secagent reproduce that cannot be: 'many'",
        "unknown.xz": "unknown.xz tells of an option out",
    }.items():
        told = replay(capsys, name, status=2)
        assert sentence in told
        assert told.count("\n") == 1
    with pytest.raises(ValueError, match="no recording of fig99 is shipped: name one with"):
        find("fig99", None)


def test_an_endpoint_that_dies_half_way_leaves_what_was_answered(printed, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    Path(RECORDED).unlink()
    run = [*RUN[1:], "--out", "out"]
    answer = says('{"option": "A", "confidence": 0.5, "reason": ""}')
    with FaultyServer(*[answer] * 10, lambda handler: handler.connection.shutdown(2)) as server:
        Path("groups.toml").write_text(
            f'[[group]]\nagents = 3\nmodel = "m"\nbase_url = "{server.base_url}"\nretries = 0\n'
        )
        assert main(run) == 2  # in other cells not one question was answered
        assert "cells failed, the first with EndpointError" in capsys.readouterr().err
        assert not Path(RECORDED).exists()
        rows = read_results("out").query("unfinished == True")
        assert rows["asked"].tolist() == [1]
        assert rows["questions"].tolist() == [2]
        assert "connections in a row" in rows["ended"].iloc[0]
        server.script = [answer]
        asked = len(server.bodies)
        assert main([*run, "--retry-failed"]) == 0
        again = len(server.bodies) - asked
    shown = capsys.readouterr().out
    assert "questions were answered" not in shown
    assert again == sum(map(len, read_recording(RECORDED).cells.values())) - 10  # what was answered is not asked again
    assert replay(capsys, RECORDED) == shown


def test_a_recording_in_the_folder_is_extended_and_nothing_of_it_is_asked_again(printed, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    Path("more").mkdir()
    shutil.copy(RECORDED, "more")
    asked = []

    def reply(messages, seed):
        asked.append(messages)
        return standins.reply(messages, seed)

    with StandinServer(reply) as server:
        Path("groups.toml").write_text(GROUPS.format(url=server.base_url))
        assert main([*RUN, "--questions", "3", "--out", "more"]) == 0
        first = len(asked)
        assert main([*RUN, "--questions", "3", "--out", "more"]) == 0
    assert len(asked) == first
    before, after = (read_recording(f"{out}/table5.recording.xz").cells for out in ("out", "more"))
    assert all(set(replies) <= set(after[name]) for name, replies in before.items())
    assert len(asked) == sum(map(len, after.values())) - sum(map(len, before.values())) > 0


def test_a_run_extends_a_recording_of_the_same_options_but_for_how_many(printed):
    path, given = Path(RECORDED), read_recording(RECORDED).options
    assert set(EXTENDED) < set(given)
    moved, warmer, other = (
        [{**group, name: value} for group in given["groups"]]
        for name, value in (("base_url", "http://elsewhere"), ("temperature", 0.9), ("model", "another"))
    )
    for options in ({}, {"instances": 7}, {"questions": 9}, {"groups": moved}):
        assert answered(path, {**given, **options}) == read_recording(path).cells
    for options in ({"seed": 5}, {"groups": []}, {"groups": warmer}, {"groups": other}):
        assert answered(path, {**given, **options}) == {}
    assert answered(Path("none.xz"), given) == {}


def gone(handler):
    handler.connection.shutdown(2)


@pytest.mark.parametrize(("script", "cap", "unfinished"), [([gone], None, True), ([], None, False), ([], 3, False)])
def test_what_an_endpoint_ends_is_not_finished_and_what_a_cap_ends_is(script, cap, unfinished):
    def options(server):
        return {"model": "m", "base_url": server.base_url, "api_key": "k", "retries": 0, "max_calls": cap}

    with FaultyServer(says("{}"), *script) as server:
        law = solvers.make("law", rounds=1, iterations=2, **options(server))
        solution = law.solve(sample_instance(Scenario(num_agents=12), seed=1))
    assert result_of(solution).get("unfinished", False) is unfinished
    with FaultyServer(says("{}"), *script) as server:
        game = {"rounds": 4, "feasible": None, "model": options(server)}
        row = play(Cell("eval.experiments.genainet_power.cells:play", "genainet", "talking", 2, options=game))
    assert row["unfinished"] is unfinished


# --- Cells ---------------------------------------------------------------------------------------------------


FREE = Cell("eval.sweep.cells:compute", "table", "asc", 0.5, 1, 2)
PAID = dataclasses.replace(FREE, scheme="law (m)", paid=True)


def test_the_name_of_a_cell_is_its_labels():
    assert name_of(PAID) == "table/law (m)/0.5/1/2"
    assert file_of(PAID, "a").name.startswith("table_law_m_0.5_1_2-")
    changes = [{"scheme": "law m"}, {"index": 3}, {"seed": 2}, {"value": 0.25}, {"options": {"questions": 3}}]
    assert len({file_of(dataclasses.replace(PAID, **change), "a") for change in [{}, *changes]}) == 6
    assert len(file_of(dataclasses.replace(PAID, scheme="x" * 1000), "a").name) < 200


@pytest.mark.parametrize("kind", [list, lambda cells: Grid(cells, 2), lambda cells: Chain([Grid(cells, 1), cells])])
def test_cells_that_are_paid_keep_answers_or_take_them(kind, tmp_path):
    path = tmp_path / "r.xz"
    write_recording(path, Recording("c"))
    cells = kind([FREE, PAID])
    kept, replayed = keeping(cells, Path("folder")), replaying(cells, path)
    assert len(kept) == len(replayed) == len(cells)
    for before, keeps, takes in zip(cells, kept, replayed, strict=True):
        if not before.paid:
            assert before == keeps == takes
            continue
        assert (keeps.answers, keeps.key, keeps.paid) == ("folder", before.key, True)
        assert (takes.answers, takes.paid) == (str(path), False)
        assert takes.key != before.key
        assert with_answers(keeps, {"model": "m"}) == {
            "model": "m",
            "transcript": RepliesOnly(str(file_of(keeps, "folder"))),
        }
        assert with_answers(keeps, {"transcript": "own.jsonl"}) == {"transcript": "own.jsonl"}
        taken = {"transcript": None, "replay": RecordedCell(str(path), name_of(takes))}
        assert with_answers(takes, {"transcript": "own.jsonl"}) == taken
    assert with_answers(FREE, {"model": "m"}) == {"model": "m"}


def test_another_recording_makes_other_cells(tmp_path):
    keys = set()
    for number in range(2):
        write_recording(tmp_path / "r.xz", Recording("c", title=str(number)))
        [cell] = replaying([PAID], tmp_path / "r.xz")
        keys.add(cell.key)
        assert len(cell.options[RECORDING]) == 64
    assert len(keys) == 2


def test_what_asks_an_endpoint_costs_and_stand_ins_and_transcripts_do_not():
    assert costs({"model": "tiny", "base_url": "http://127.0.0.1:9/v1"})
    assert not costs({"model": "tiny", "replay": "t.jsonl"})
    assert not costs({"temperature": 0.5})
