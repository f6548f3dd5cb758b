"""secagent study paradigms: the tables, and that no question helps itself unless it is asked for."""

import re
from dataclasses import replace

import numpy as np
import pytest
from colours import Reading, question
from hashing_encoder import HashingEncoder

from eval.command.cli import main
from eval.studies.paradigms import cells, study
from eval.studies.paradigms.cells import DISTRIBUTED, EVERYTHING, FED_BACK, HELD_OUT, RATIO, SYNCHRONISED, TAUGHT, draw
from secagent_env.questions import QuestionSet, load
from solvers.collaboration.levels import LEVELS
from solvers.collaboration.peers import SHARING

ENCODER = HashingEncoder(1024)
THINGS = QuestionSet("things", tuple(question(number, category="abc"[number % 3]) for number in range(24)))


def world(own):
    return draw(THINGS, 12, 0, ENCODER, Reading(), own=own)


def test_what_is_asked_is_not_known_unless_it_shall_be():
    apart, own = world(False), world(True)
    assert [each.key for each in apart.asked] == [each.key for each in own.asked]
    asked = {each.group for each in apart.asked}
    assert len(asked) == 12
    assert asked.isdisjoint(passage.group for passage in apart.known)
    assert len(apart.known) == 12
    assert {passage.key for passage in own.known} == {each.key for each in THINGS}


def test_levels_are_worth_what_the_partner_knows():
    lines = {(line.paradigm, line.way): line for line in cells.levels(world(True))}
    assert [way for who, way in lines if who == TAUGHT] == ["alone", *LEVELS, SYNCHRONISED, EVERYTHING]
    assert [way for who, way in lines if who == DISTRIBUTED] == ["alone", *LEVELS, SYNCHRONISED]
    for who in (TAUGHT, DISTRIBUTED):
        assert not lines[who, "alone"].bits.any()
        assert lines[who, "information"].correct.all()
        assert lines[who, "decision"].correct.all()
        assert (lines[who, "intent"].bits < lines[who, "decision"].bits).all()
        assert (lines[who, "decision"].bits < lines[who, "information"].bits).all()
        assert lines[who, "intent"].before_bits == lines[who, SYNCHRONISED].before_bits
    assert not lines[TAUGHT, "alone"].correct.any()
    assert lines[TAUGHT, "intent"].before_bits <= RATIO * lines[TAUGHT, EVERYTHING].before_bits
    apart = {(line.paradigm, line.way): line for line in cells.levels(world(False))}
    assert not any(line.correct.any() for line in apart.values())  # other things have other colours


def test_feedback_helps_those_who_give_it():
    lines = cells.courses(world(True))
    assert [line.paradigm for line in lines] == [FED_BACK] * 3 + [HELD_OUT] * 3
    first, second, third = (line for line in lines if line.paradigm == FED_BACK)
    assert first.beside is None
    assert first.correct.sum() < second.correct.sum() <= third.correct.sum()
    assert 0 < first.before_bits < second.before_bits <= third.before_bits
    assert len(first.correct) == len(lines[-1].correct) == 6


def test_every_way_of_sharing_has_the_same_questions():
    lines = cells.sharing(world(True))
    assert [line.way for line in lines] == list(SHARING)
    assert {line.correct.size for line in lines} == {12}
    assert lines[0].bits.sum() == 0
    assert lines[-1].correct.all()
    assert lines[0].correct.mean() < 1


def test_the_table_has_an_interval_and_a_gain_in_points():
    text = study.table(cells.levels(world(True)))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    assert (rows[0][0], rows[0][1], rows[0][3]) == (TAUGHT, "alone", "–")
    assert re.fullmatch(r"0 % \[-?0, 24.2\]", rows[0][2])
    assert rows[1][3] == "+100.0"
    assert int(rows[1][4].replace(",", "")) > 0


def test_the_command_prints_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cells, "default_encoder", lambda: ENCODER)
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    arguments = ["study", "paradigms", "--questions", "6", "--own", "--workers", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert text.startswith("sample: 6 questions, knowledge of ")
    assert (tmp_path / "paradigms.md").read_text() == text
    assert text.count("### ") == 3
    assert main([*arguments, "--fresh"]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--questions", "0"], "the number of questions must be an integer ≥ 1, got 0"),
        (["--data", "nowhere"], "download teleqna from"),
    ],
)
def test_bad_arguments_are_told(arguments, said, capsys, monkeypatch):
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    assert main(["study", "paradigms", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_on_teleqna_where_it_is(data_folder):
    questions = load("teleqna", data_folder)
    found = draw(questions, 20, 1, HashingEncoder(), Reading())
    asked = [each.key for each in found.asked]  # no assertion sees a text, which would be printed where it fails
    fitted = {questions[int(index)].key for index in np.random.default_rng(0).permutation(10000)[:1600]}
    leaks = len({each.group for each in found.asked} & {passage.group for passage in found.known})
    assert (len(asked), len(fitted & {*asked}), leaks) == (20, 0, 0)
    lines = cells.sharing(replace(found, known=found.known[::40]))
    assert [line.correct.size for line in lines] == [20] * 5
