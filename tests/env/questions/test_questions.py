"""Question sets: where their files are; the sets themselves; folds and samples; corpora."""

import gzip
import json
import logging
import zipfile
from collections import Counter

import docx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from question_files import (
    OURS,
    arc_instructions,
    arc_records,
    arc_rows,
    boolq_queries,
    boolq_records,
    lines,
    named,
    parquet,
    teleqna_records,
    teleqna_rows,
    zipped,
)

from secagent_env import questions
from secagent_env.questions import Question, QuestionSet, loading
from solvers.knowledge import corpus

# --- where files are ---------------------------------------------------------------------------------------------


ARC, BOOLQ, TELEQNA = OURS["arc-easy"], OURS["boolq"], OURS["teleqna"]
FILES = {
    "ARC-Easy-Test.jsonl": ("arc-easy", lines(arc_records(ARC))),
    "ARC-Easy/ARC-Easy-Test.jsonl": ("arc-easy", lines(arc_records(ARC))),
    "ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Test.jsonl": ("arc-easy", lines(arc_records(ARC))),
    "arc/ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Test.jsonl": ("arc-challenge", lines(arc_records(ARC))),
    "arc/ARC-Challenge/test-00000-of-00001.parquet": ("arc-challenge", parquet(arc_rows(ARC))),
    "arc/ARC-Easy-test.json": ("arc-easy", json.dumps(arc_instructions(ARC)).encode()),
    "dev.jsonl": ("boolq", lines(boolq_records(BOOLQ))),
    "boolq/dev.jsonl.gz": ("boolq", gzip.compress(lines(boolq_records(BOOLQ)), mtime=0)),
    "boolq/data/validation-00000-of-00001.parquet": ("boolq", parquet(boolq_records(BOOLQ))),
    "boolq/boolq-dev.jsonl": ("boolq", lines(boolq_queries(BOOLQ))),
    "teleqna/TeleQnA.zip": ("teleqna", zipped(json.dumps(named(teleqna_records(TELEQNA))).encode())),
    "TeleQnA.txt": ("teleqna", json.dumps(named(teleqna_records(TELEQNA))).encode()),
    "teleqna/TeleQnA.json": ("teleqna", json.dumps(teleqna_records(TELEQNA)).encode()),
    "teleqna/test-00000-of-00001.parquet": ("teleqna", parquet(teleqna_rows(TELEQNA))),
}


@pytest.mark.parametrize("place", FILES)
def test_files_are_found_by_path_folder_and_variable(place, tmp_path, monkeypatch):
    name, content = FILES[place]
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    monkeypatch.setenv("SECAGENT_DATA", str(tmp_path))
    for path in (None, tmp_path, str(file)):
        loaded = questions.load(name, path)
        assert [question.text for question in loaded] == [question.text for question in OURS[name]]
    for other in set(OURS) - {name}:
        assert loading.find(other) is None


def test_a_file_in_the_folder_of_its_set_counts_first(tmp_path):
    (tmp_path / "boolq").mkdir()
    (tmp_path / "dev.jsonl").write_text("{}")
    (tmp_path / "boolq" / "boolq-dev.jsonl").write_bytes(FILES["boolq/boolq-dev.jsonl"][1])
    assert len(questions.load("boolq", tmp_path)) == len(questions.load("boolq", tmp_path / "boolq")) == len(BOOLQ)


def test_any_split_is_read_by_its_path(tmp_path):
    (tmp_path / "train.jsonl").write_bytes(FILES["dev.jsonl"][1])
    assert len(questions.load("boolq", tmp_path / "train.jsonl")) == len(BOOLQ)
    with pytest.raises(
        FileNotFoundError, match=r"dev\.jsonl is not in .*put dev\.jsonl into a folder \(or into boolq/"
    ):
        questions.load("boolq", tmp_path)


def test_what_is_left_out_is_logged(tmp_path, caplog):
    file = tmp_path / "dev.jsonl"
    file.write_bytes(lines(boolq_records(BOOLQ)) + b'{"question": "", "passage": "", "answer": true}\n[]\n')
    with caplog.at_level(logging.WARNING):
        assert len(questions.load("boolq", file).skipped) == 2
    left_out = "records left out since they are no questions: 2; line 3: it has no text"
    assert [record.getMessage() for record in caplog.records] == [f"{file}: {left_out}"]


def test_missing_files_say_what_to_download(tmp_path, monkeypatch):
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"download teleqna from https://github\.com/netop-team"):
        questions.load("teleqna")
    with pytest.raises(FileNotFoundError, match=r"TeleQnA\.zip is not in .*SECAGENT_DATA=FOLDER"):
        questions.load("teleqna", tmp_path)
    with pytest.raises(ValueError, match="did you mean 'arc-easy'"):
        questions.load("arc-eazy")


def test_broken_files_are_named(tmp_path, monkeypatch):
    file = tmp_path / "boolq-dev.jsonl"
    file.write_text("{")
    with pytest.raises(
        ValueError, match=r"boolq-dev\.jsonl is not the file of boolq: it is not JSON \(.* line 1 column 2"
    ):
        questions.load("boolq", file)
    monkeypatch.setattr(loading, "MAX_BYTES", 0)
    with pytest.raises(ValueError, match=r"boolq-dev\.jsonl has more than 0 MB, and is not read"):
        questions.load("boolq", file)


def test_nothing_is_written_when_the_archive_is_read(tmp_path, monkeypatch):
    file = tmp_path / "TeleQnA.zip"
    file.write_bytes(FILES["teleqna/TeleQnA.zip"][1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    questions.load("teleqna", file)
    assert list(tmp_path.iterdir()) == [file]


# --- the sets themselves -----------------------------------------------------------------------------------------


def test_the_packaged_sample_is_in_order():
    sample = questions.load("sample")
    assert sample.skipped == ()
    assert len(sample) == len({question.group for question in sample}) == 60
    assert all(question.explanation for question in sample)
    assert sample.categories == (
        "Lexicon",
        "Research overview",
        "Research publications",
        "Standards overview",
        "Standards specifications",
        "Yes or no",
    )


def test_the_sample_is_not_answered_without_reading_it():
    sample = questions.load("sample")
    choices = [question for question in sample if len(question.options) == 4]
    always = Counter(question.answer for question in choices)
    lengths = [np.array([len(option) for option in question.options]) for question in choices]
    longest = sum(sizes.argmax() == question.answer for sizes, question in zip(lengths, choices, strict=True))
    shortest = sum(sizes.argmin() == question.answer for sizes, question in zip(lengths, choices, strict=True))
    assert max(*always.values(), longest, shortest) <= 0.3 * len(choices)
    verdicts = [question.answer for question in sample if question.options == ("no", "yes")]
    assert 2 * sum(verdicts) == len(verdicts) == 10


@pytest.mark.parametrize(("name", "size"), [("arc-easy", 2376), ("arc-challenge", 1172), ("boolq", 3270)])
def test_real_sets(data_folder, name, size):
    question_set = questions.load(name, data_folder)
    assert len(question_set) == size
    assert question_set.skipped == ()
    assert all(2 <= len(question.options) <= 5 for question in question_set)
    if name == "boolq":
        assert sum(question.answer for question in question_set) == 2033
        assert all(question.passage for question in question_set)


def test_real_teleqna(data_folder):
    question_set = questions.load("teleqna", data_folder)
    assert len(question_set) == 10_000
    assert question_set.skipped == ()
    assert Counter(question.category for question in question_set) == {
        "Research publications": 4500,
        "Standards specifications": 2000,
        "Research overview": 2000,
        "Standards overview": 1000,
        "Lexicon": 500,
    }
    assert len({question.group for question in question_set}) == 9941  # 51 repeat another to the letter, 8 nearly


def test_real_vocabulary(data_folder):
    terms = corpus.vocabulary(data_folder / "telecom" / "21905-h20.docx")
    assert len({passage.key for passage in terms}) == len(terms) > 1500
    by_key = {passage.key: passage.text for passage in terms}
    assert "term Radio Network Temporary Identifier" in by_key
    assert all(": " in text for text in by_key.values())


# --- folds and samples -------------------------------------------------------------------------------------------


def made(groups: list[int], categories: list[int]) -> QuestionSet:
    return QuestionSet(
        "made",
        tuple(
            Question(str(i), f"text {i}", ("a", "b"), 0, category=str(c), group=f"g{g}")
            for i, (g, c) in enumerate(zip(groups, categories, strict=True))
        ),
    )


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=4, max_size=60), st.integers(1, 4), st.data()
)
@settings(max_examples=80, deadline=None)
def test_folds_part_the_questions_and_no_group(pairs, folds, data):
    question_set = made(*map(list, zip(*pairs, strict=True)))
    groups = len({question.group for question in question_set})
    seed = data.draw(st.integers(0, 5))
    if folds > groups:
        with pytest.raises(ValueError, match="the number of groups"):
            questions.split(question_set, folds, seed)
        return
    parts = questions.split(question_set, folds, seed)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(len(question_set)))
    assert all(part.size for part in parts)
    fold_of = {}
    for number, part in enumerate(parts):
        for index in part:
            assert fold_of.setdefault(question_set[index].group, number) == number
    assert all((a == b).all() for a, b in zip(parts, questions.split(question_set, folds, seed), strict=True))


@given(st.lists(st.integers(0, 3), min_size=4, max_size=60), st.integers(1, 4), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_folds_have_the_shares_of_categories(categories, folds, seed):
    question_set = made(list(range(len(categories))), categories)
    parts = questions.split(question_set, folds, seed)
    for name in {None, *categories}:  # None: of all together
        sizes = [sum(name is None or categories[index] == name for index in part) for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_the_seed_shuffles_folds():
    question_set = made(list(range(60)), [0] * 60)
    assert not np.array_equal(questions.split(question_set, 2, seed=0)[0], questions.split(question_set, 2, seed=1)[0])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_samples_keep_the_shares_of_categories(categories, count, seed):
    question_set = made(list(range(len(categories))), categories)
    drawn = questions.sample(question_set, count, seed)
    assert len(drawn) == min(count, len(question_set)) == len(set(drawn.tolist()))
    if count < len(question_set):
        for name, size in Counter(categories).items():
            taken = sum(question_set[index].category == str(name) for index in drawn)
            assert abs(taken - count * size / len(question_set)) < 1
    with pytest.raises(ValueError, match="integer ≥ 1"):
        questions.sample(question_set, 0)


@pytest.mark.parametrize(
    ("options", "answer", "message"),
    [
        (("a",), 0, "two options"),
        (("a", " "), 0, "two options"),
        (("a", "b"), 2, "number 3"),
        (("a", "b"), -1, "number 0"),
    ],
)
def test_what_is_no_question_is_refused(options, answer, message):
    with pytest.raises(ValueError, match=message):
        Question("k", "text", options, answer)


# --- corpora -----------------------------------------------------------------------------------------------------


def test_explanations_keep_their_groups_and_say_nothing_twice():
    base = [
        Question("1", "t", ("a", "b"), 0, "c", "Because.", group="g"),
        Question("2", "T", ("a", "b"), 0, "c", "Because.", group="g"),
        Question("3", "u", ("a", "b"), 0, "c", "", group="h"),
        Question("4", "v", ("a", "b"), 0, "c", "Because.", group="i"),
    ]
    assert [(p.key, p.group) for p in corpus.explanations(base)] == [("1", "g"), ("4", "i")]


def test_a_vocabulary_by_hand(tmp_path):
    document = docx.Document()
    document.add_paragraph("Tel.: 123")
    document.add_heading("3 Terms and definitions", 1)
    document.add_paragraph("Beam: a shaped signal.")
    document.add_paragraph("no term at all")
    document.add_heading("4 Abbreviations", 1)
    document.add_paragraph("RF\tradio frequency")
    document.add_heading("5 Equations", 1)
    document.add_paragraph("E: energy")
    document.save(str(tmp_path / "terms.docx"))
    assert [p.text for p in corpus.vocabulary(tmp_path / "terms.docx")] == [
        "Beam: a shaped signal.",
        "RF: radio frequency",
    ]


def test_hostile_documents_are_told(tmp_path):
    for name, data in {"a.docx": b"no zip", "b.docx": zipped(b"{}")}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match="no Word document"):
            corpus.vocabulary(tmp_path / name)
    document = docx.Document()
    document.save(str(tmp_path / "empty.docx"))
    with pytest.raises(ValueError, match="holds no terms"):
        corpus.vocabulary(tmp_path / "empty.docx")
    with pytest.raises(FileNotFoundError):
        corpus.vocabulary(tmp_path / "absent.docx")


def test_entities_of_a_document_do_not_unfold(tmp_path):
    document = docx.Document()
    document.add_heading("Terms", 1)
    document.add_paragraph("Beam: a shaped signal.")
    document.save(str(tmp_path / "good.docx"))
    ten = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    with (
        zipfile.ZipFile(tmp_path / "good.docx") as good,
        zipfile.ZipFile(tmp_path / "bad.docx", "w", zipfile.ZIP_DEFLATED) as bad,
    ):
        for entry in good.namelist():
            content = good.read(entry)
            if entry == "word/document.xml":
                head, body = content.split(b"?>", 1)
                doctype = f'?><!DOCTYPE d [<!ENTITY e0 "ten letters">{ten}]>'.encode()
                content = head + doctype + body.replace(b"Beam: a", b"Beam: &e9; a")
            bad.writestr(entry, content)
    assert len(corpus.vocabulary(tmp_path / "good.docx")) == 1
    with pytest.raises(ValueError, match="no Word document"):
        corpus.vocabulary(tmp_path / "bad.docx")


def test_document_bombs_do_not_unpack(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 2_000_000)
    monkeypatch.setattr(corpus, "MAX_UNPACKED_BYTES", 1_000_000)
    with pytest.raises(ValueError, match="unpacks to more than 1 MB"):
        corpus.vocabulary(tmp_path / "bomb.docx")


def test_texts_are_cut_into_passages(tmp_path):
    (tmp_path / "b.md").write_text("One. Two. Three. Four.\n\nFive\nand on.")
    (tmp_path / "a.TXT").write_text("Nur ein Satz.")
    (tmp_path / "c.png").write_bytes(b"\xff")
    assert [(p.key, p.text) for p in corpus.texts(tmp_path, "mine")] == [
        ("a.TXT:1", "Nur ein Satz."),
        ("b.md:1", "One. Two. Three."),
        ("b.md:2", "Four."),
        ("b.md:3", "Five and on."),
    ]
    assert corpus.texts(tmp_path / "a.TXT")[0].key == "a.TXT:1"


def test_what_is_no_corpus_is_told(tmp_path):
    with pytest.raises(ValueError, match="holds no texts"):
        corpus.texts(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"\xff\xff")
    with pytest.raises(ValueError, match="not UTF-8"):
        corpus.texts(tmp_path)
    (tmp_path / "a.txt").write_text(" \n\n ")
    with pytest.raises(ValueError, match="holds no text"):
        corpus.texts(tmp_path)
