"""Case A with the vocabulary of a standard: what is sent, what is read, and what the tables say."""

import json
from dataclasses import replace
from pathlib import Path

import docx
import numpy as np
import pandas
import pytest
from faulty_server import FaultyServer, says
from hashing_encoder import HashingEncoder

from eval.command.cli import main
from eval.experiments.knowledge_transfer import cells
from eval.experiments.knowledge_transfer import vocabulary as terms
from eval.experiments.knowledge_transfer.cells import PASSAGES, Condition
from eval.experiments.knowledge_transfer.models import ModelStudents
from eval.experiments.knowledge_transfer.vocabulary import (
    ALL,
    ASKED,
    BY_RULES,
    BY_WRITER,
    CHOSEN,
    CONDITIONS,
    OF_STUDENTS,
    OF_WRITERS,
    PREFIX,
    RANDOM,
    SHORTENED,
    SWAPPED,
    WITHOUT,
    WRITER,
    Terms,
    term_questions,
)
from eval.studies.vocabulary.study import figures, markdown
from secagent_env.questions import Question, QuestionSet
from solvers.answer_scores.files import FORMAT, VERSION, Scored, ScoreFile, read_scores, recording
from solvers.answer_scores.scores import Scores

DOCS = Path(__file__).parents[4] / "docs"
MEANINGS = ("a tall mast", "a red lamp", "a slow clock", "a quiet valve", "a wide road", "a cold pump")
NAMES = [f"{first}{second}" for first in ("Bla", "Gro", "Kri", "Tom") for second in ("dax", "fep", "lun")]


def written(folder: Path) -> Path:
    """Write a vocabulary in which every name means something, and return its file."""
    document = docx.Document()
    document.add_heading("3 Terms and definitions", 1)
    for number, name in enumerate(NAMES):
        document.add_paragraph(f"{name}: {MEANINGS[number % 6]} (it is {name} number {number} of the whole list).")
    (folder / "telecom").mkdir()
    path = folder / "telecom" / "21905-x10.docx"
    document.save(str(path))
    return path


def asked(category: str = "Lexicon") -> QuestionSet:
    """Return a question for each name; the right option is its meaning."""
    own = [
        Question(f"q-{number}", f"What is {name}?", (MEANINGS[(number + 1) % 6], MEANINGS[number % 6]), 1, category)
        for number, name in enumerate(NAMES)
    ]
    return QuestionSet("made", (*own, Question("other", "Why?", ("yes", "no"), 0, "Else")))


@pytest.fixture
def encoder(monkeypatch):
    one = HashingEncoder(256)
    monkeypatch.setattr(terms, "default_encoder", lambda: one)
    return one


def test_what_is_sent_keeps_its_bits_and_is_what_it_says(encoder, tmp_path):
    own = Terms(asked(), 8, 0, written(tmp_path))
    assert [len(own.asked), len(own.others)] == [8, 4]
    assert not {each.key for each in own.asked} & {each.key for each in own.others}
    whole = own.whole.size_bits
    for condition in CONDITIONS:
        sent = own.sent(condition)
        assert sent.size_bits <= max(condition.ratio * whole, own.sent(WITHOUT).size_bits)
        assert {len(texts) for texts in own.texts(condition)} == {min(PASSAGES, len(sent))}
    assert len(own.sent(ALL)) == len(own.sent(SWAPPED)) == len(NAMES)
    by_others, by_asked = (own.sent(Condition(kind, 0.6)) for kind in (CHOSEN.kind, ASKED))
    named = {passage.text.partition(":")[0] for passage in by_asked.passages}
    assert named <= {each.text[8:-1] for each in own.asked}  # what is asked about, and nothing else
    assert {passage.text.partition(":")[0] for passage in by_others.passages} != named
    short = own.sent(Condition(SHORTENED, terms.PRINTED_RATIO))
    assert all("number" not in passage.text for passage in short.passages)  # the bracket is gone
    assert len(short) > len(own.sent(Condition(RANDOM, terms.PRINTED_RATIO)))


def test_the_nearest_terms_are_read_and_a_placebo_reads_those_of_another_question(encoder, tmp_path):
    own = Terms(asked(), 8, 0, written(tmp_path))
    found, swapped = own.texts(ALL), own.texts(SWAPPED)
    for question, texts in zip(own.asked, found, strict=True):
        assert texts[0].startswith(question.text[8:-1] + ":")
    assert swapped == found[4:] + found[:4]
    right = {each: own.right(each).mean() for each in (WITHOUT, ALL, SWAPPED)}
    assert right[ALL] > max(right[WITHOUT], right[SWAPPED])


def test_the_readers_own_questions_are_not_asked(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "FITTED_ON", 9)
    made, path = asked(), written(tmp_path)
    fitted = set(np.random.default_rng(0).permutation(len(made))[:9].tolist())
    own = Terms(QuestionSet("teleqna", tuple(made)), 100, 0, path)
    assert {each.key for each in own.asked} == {f"q-{number}" for number in range(len(NAMES)) if number not in fitted}
    assert len(own.others) == len(NAMES) - len(own.asked)
    with pytest.raises(ValueError, match="unknown category 'Lexikon'; did you mean 'Lexicon'"):
        Terms(made, 100, 0, path, "Lexikon")


def test_the_command_prints_its_tables(tmp_path, capsys, monkeypatch):
    written(tmp_path)
    monkeypatch.setenv("SECAGENT_DATA", str(tmp_path))  # without TeleQnA: the packaged sample
    options = ["--categories", "Lexicon", "--questions", "6", "--workers", "1", "--out", str(tmp_path / "out")]
    assert main(["-q", "study", "vocabulary", *options]) == 0
    shown = capsys.readouterr().out
    rows = pandas.read_csv(tmp_path / "out" / "vocabulary.csv").to_dict("records")
    assert shown == markdown(rows)
    assert [row["knowledge"] for row in rows] == [condition.kind for condition in CONDITIONS]
    assert {row["questions"] for row in rows} == {6}
    assert (tmp_path / "out" / "vocabulary.png").stat().st_size > 10_000


def test_numbers_by_hand():
    rights = {condition: [0, 0, 1, 0] for condition in CONDITIONS} | {WITHOUT: [1, 0, 0, 0], ALL: [1, 1, 1, 0]}
    rows = [
        {
            "condition": each.kind,
            "ratio": each.ratio,
            "passages": 3,
            "bits": 16000,
            "whole_bits": 32000,
            "right": str(own),
        }
        for each, own in rights.items()
    ]
    found = {Condition(row["knowledge"], row["ratio"]): row for row in figures("Lexicon", rows)}
    chosen = found[CHOSEN]
    assert (chosen["kilobytes"], chosen["bits_share"], chosen["questions"], chosen["accuracy"]) == (2.0, 0.5, 4, 0.25)
    assert (chosen["beside_none"], chosen["beside_full"]) == (0.0, -0.5)
    assert (found[ALL]["beside_none"], found[WITHOUT]["beside_full"]) == (0.5, -0.5)


def test_the_page_shows_the_rows_beside_it():
    rows = pandas.read_csv(DOCS / "vocabulary.csv").to_dict("records")
    assert markdown(rows).strip() in (DOCS / "knowledge-transfer.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--questions", "0"], "questions must be"),
        (["--categories", "Lexikon"], "unknown category 'Lexikon'; did you mean 'Lexicon'"),
        ([], "there is no telecom/21905-*.docx in the folder of data sets"),
    ],
)
def test_bad_arguments_are_told(arguments, message, tmp_path, capsys):
    assert main(["study", "vocabulary", "--data", str(tmp_path), *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# --- Language models as students ----------------------------------------------------------------------------


def test_a_student_reads_what_the_offline_reader_reads(encoder, tmp_path, monkeypatch):
    path = written(tmp_path)
    monkeypatch.setattr(terms.Source, "load", lambda self: asked())
    sets, digests = term_questions(8, data=tmp_path)
    assert list(sets) == list(digests) == [f"{PREFIX}{condition.label}" for condition in OF_STUDENTS]
    own = Terms(asked(), 8, 0, path)
    for condition in OF_STUDENTS:
        read = [question.passage.splitlines() for question in sets[PREFIX + condition.label]]
        assert read == own.texts(condition)
    assert len(set(digests.values())) == len(OF_STUDENTS)


RIGHTS = {WITHOUT: (0, 0, 1, 0), CHOSEN: (0, 1, 1, 0), ALL: (1, 1, 1, 0), SWAPPED: (0, 0, 0, 0)}
WRITTEN = {"model": "w", "texts": 9, "shorter": 7, "letters": 0.625}


def scores_of(path, rights, model="m", **told):
    """Write the scores of a student: which of four questions are right, by condition; return their file."""
    scored = [
        Scored(
            PREFIX + condition.label,
            f"q-{number}",
            2,
            1,
            Scores(letter=(-2.0, -1.0 if right else -3.0)),
            category="Lexicon",
        )
        for condition, own in rights.items()
        for number, right in enumerate(own)
    ]
    about = {"format": FORMAT, "version": VERSION, "model": model, "sets": {}, "seed": 0, **told}
    path.write_bytes(ScoreFile(about, tuple(scored)).to_bytes())
    return path


def lines_of(report):
    """Return the cells of a table's lines behind the first one, by the first one."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in report.text.splitlines() if "|" in line]
    return {first: cells for first, *cells in lines}


def test_a_students_table(tmp_path):
    path = scores_of(tmp_path / "scores", RIGHTS)
    report = ModelStudents(students=[path]).report(None)
    lines = {first: cells[0] for first, cells in lines_of(report).items()}
    told = {condition: lines[condition.label].split(" %")[0] for condition in RIGHTS}
    assert told == {WITHOUT: "25", CHOSEN: "50", ALL: "75", SWAPPED: "0"}
    assert "summarised" not in report.text
    assert lines["full less no knowledge"].startswith("+50.0")
    assert lines["compressed, 45.52 % less full"].startswith("-25.0")
    assert lines["others' passages less no knowledge"].startswith("-25.0")
    assert lines["full less others' passages"].startswith("+75.0")
    assert "## GenAINet, Table 1" not in report.text
    both = tmp_path / "recording"  # a model's answers of two kinds of knowledge are in one recording
    [own] = read_scores(path)
    unprefixed = [replace(each, data_set=each.data_set.removeprefix(PREFIX)) for each in own.questions]
    both.write_bytes(recording([own, ScoreFile(own.about, tuple(unprefixed))]))
    assert [file.model for file in read_scores(both)] == ["m", "m"]
    both.write_bytes(recording(read_scores(path) * 2))
    with pytest.raises(ValueError, match="holds the scores of a model twice"):
        read_scores(both)
    assert [row["knowledge"] for row in report.numbers[::2]] == [PREFIX + each.label for each in OF_STUDENTS]


# --- A language model that shortens the texts ----------------------------------------------------------------


def without_brackets(text: str) -> str:
    return text.partition(" (")[0]


def test_a_writer_shortens_what_is_sent(encoder, tmp_path):
    own = Terms(asked(), 8, 0, written(tmp_path), writer=without_brackets)
    sent, chosen = own.sent(BY_WRITER), own.sent(CHOSEN)
    assert sent.size_bits <= BY_WRITER.ratio * own.whole.size_bits
    assert len(sent) > len(chosen)
    assert all("(" not in passage.text for passage in sent.passages)
    assert all("(" in passage.text for passage in chosen.passages)
    assert own.sent(BY_RULES).size_bits <= BY_RULES.ratio * own.whole.size_bits
    with pytest.raises(ValueError, match="a summarised vocabulary needs a writer"):
        Terms(asked(), 8, 0, next(tmp_path.glob("telecom/*"))).sent(BY_WRITER)


def test_a_student_reads_what_a_writer_shortened(encoder, tmp_path, monkeypatch):
    path = written(tmp_path)
    monkeypatch.setattr(terms.Source, "load", lambda self: asked())
    sets, digests = term_questions(8, data=tmp_path, writer=without_brackets)
    assert list(sets) == list(digests) == [f"{PREFIX}{each.label}" for each in (*OF_STUDENTS, *OF_WRITERS)]
    own = Terms(asked(), 8, 0, path, writer=without_brackets)
    for condition in (*OF_STUDENTS, *OF_WRITERS):
        read = [question.passage.splitlines() for question in sets[PREFIX + condition.label]]
        assert read == own.texts(condition)


def test_a_table_with_a_writer_beside_one_without(tmp_path):
    rights = RIGHTS | {BY_RULES: (1, 0, 0, 0), BY_WRITER: (1, 1, 1, 1)}
    one = scores_of(tmp_path / "with", rights, "one", **{WRITER: WRITTEN})
    two = scores_of(tmp_path / "without", RIGHTS, "two")
    report = ModelStudents(students=[one, two]).report(None)
    lines = lines_of(report)
    assert "w shortened 7 of 9 texts, to 62.5% of all letters." in report.text
    assert [lines[each.label][0].split(" %")[0] for each in (BY_WRITER, BY_RULES)] == ["100", "25"]
    assert lines[BY_WRITER.label][1] == lines[BY_RULES.label][1] == "–"
    for other, points in ((WITHOUT, "+75.0"), (ALL, "+25.0"), (CHOSEN, "+50.0"), (BY_RULES, "+75.0")):
        cells = lines[f"{BY_WRITER.label} less {other.label}"]
        assert cells[0].startswith(points)
        assert cells[1] == "–"
    assert {row["knowledge"] for row in report.numbers if row["student"] == "one"} == {
        PREFIX + each.label for each in rights
    }


@pytest.mark.parametrize(
    "change", [{"texts": 0}, {"shorter": 10}, {"letters": 1.5}, {"letters": "x"}, {"model": 3}, {"texts": None}]
)
def test_a_writer_that_cannot_be_is_told(change, tmp_path):
    rights = RIGHTS | dict.fromkeys(OF_WRITERS, (1, 0, 0, 0))
    path = scores_of(tmp_path / "scores", rights, **{WRITER: WRITTEN | change})
    with pytest.raises(ValueError, match="the scores of m tell of a writer that cannot be: "):
        ModelStudents(students=[path]).report(None)
    path = scores_of(tmp_path / "scores", rights, **{WRITER: {"model": "w"}})
    with pytest.raises(ValueError, match="the scores of m tell of a writer that cannot be: 'texts'"):
        ModelStudents(students=[path]).report(None)


def test_the_command_asks_the_writer_once(tmp_path, capsys, monkeypatch):
    written(tmp_path)
    monkeypatch.setenv("SECAGENT_DATA", str(tmp_path))  # without TeleQnA: the packaged sample
    group = tmp_path / "writer.toml"
    command = ["-q", "answer-distributions", "retrieval-reader", "--student", "--knowledge", "vocabulary"]
    command += ["--questions", "6", "--writer", str(group)]
    with FaultyServer(says(json.dumps({"text": "a tall mast"}))) as server:
        group.write_text(f'[[group]]\nmodel = "m"\nbase_url = "{server.base_url}"\n')
        for name in ("first", "second"):
            assert main([*command, "--out", str(tmp_path / name)]) == 0
        assert len(server.bodies) == len(NAMES)  # the replies are kept
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    [file] = read_scores(tmp_path / "first")
    told = file.about[WRITER]
    assert (told["model"], told["texts"], told["shorter"]) == ("m", len(NAMES), len(NAMES))
    assert len(file.of(PREFIX + BY_WRITER.label)) == 6
    capsys.readouterr()
    tables = ["-q", "reproduce", "genainet-table1-models", "--students", str(tmp_path / "first")]
    assert main([*tables, "--out", str(tmp_path / "out")]) == 0
    assert f"m shortened {len(NAMES)} of {len(NAMES)} texts, to " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "content", "message"),
    [
        (["--student"], "", "--writer shortens the vocabulary: it goes with --student --knowledge vocabulary"),
        ([], "", "--writer shortens the vocabulary"),
        (["--student", "--knowledge", "vocabulary"], "[[group]]\nagents = 2\n", "--writer needs one language model"),
    ],
)
def test_a_writer_of_no_use_is_told(arguments, content, message, tmp_path, capsys):
    group = tmp_path / "writer.toml"
    group.write_text(content)
    command = ["answer-distributions", "retrieval-reader", *arguments, "--writer", str(group)]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
