"""The forms in which question sets are published, in all that holds them; files that are broken, odd or hostile."""

import contextlib
import gzip
import json
import sys

import numpy as np
import pyarrow
import pytest
from damage import damaged
from hypothesis import given, settings
from hypothesis import strategies as st
from question_files import (
    OURS,
    SCIENCE,
    TELECOM,
    YES_OR_NO,
    arc_records,
    arc_rows,
    boolq_records,
    lines,
    named,
    packed,
    parquet,
    published,
    teleqna_records,
    teleqna_rows,
    zipped,
)

from secagent_env import questions
from secagent_env.questions import records
from secagent_env.questions.formats import FORMS, read

ARC, ARC_ROW = arc_records(SCIENCE[:1])[0], arc_rows(SCIENCE[:1])[0]
BOOLQ = boolq_records(YES_OR_NO[1:])[0]
TELEQNA, TELEQNA_ROW = teleqna_records(TELECOM[:1])[0], teleqna_rows(TELECOM[:1])[0]


def content_of(question):
    return question.text, question.options, question.answer, question.category, question.explanation, question.passage


# --- the forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_a_set_is_the_same_in_all_its_forms(name):
    first, *others = (read(name, data) for data in published(name, OURS[name]).values())
    assert [*map(content_of, first)] == [*map(content_of, OURS[name])]
    key = "question {}" if name == "teleqna" else f"{name}-{{}}"
    assert [question.key for question in first] == [key.format(number) for number in range(len(first))]
    assert all(other == first for other in others)
    assert len(others) >= 2
    assert first.skipped == ()


@pytest.mark.parametrize("name", OURS)
def test_files_are_read_from_gzip_and_with_any_ends_of_lines(name):
    for data in published(name, OURS[name]).values():
        assert read(name, gzip.compress(data, mtime=0)) == read(name, data)
    text = lines(boolq_records(YES_OR_NO)).replace(b"\n", b"\r\n\r\n")
    assert read("boolq", b"\xef\xbb\xbf\n" + text) == read("boolq", lines(boolq_records(YES_OR_NO)))


@pytest.mark.parametrize(("name", "record"), [("arc-easy", ARC), ("boolq", BOOLQ), ("teleqna", TELEQNA)])
def test_a_file_of_one_record_is_read(name, record):
    assert [*map(content_of, read(name, lines([record])))] == [
        content_of(OURS[name][1 if name == "boolq" else 0]),
    ]


def test_repeated_questions_share_a_group():
    first, other, again = read("teleqna", json.dumps(named(teleqna_records(TELECOM))).encode())
    assert first.group == again.group == "question 0"
    assert other.group == "question 1"


def test_labels_may_be_numbers_in_any_order():
    choices = [{"text": t, "label": label} for t, label in (("Up", 3), ("Down", 1), ("Aside", 2))]
    [question] = read("arc-easy", lines([{**ARC, "question": {"stem": "Where?", "choices": choices}, "answerKey": 1}]))
    assert (question.options, question.answer) == (("Up", "Down", "Aside"), 1)


def test_white_space_does_not_count():
    choices = [{"text": f" {text}\n", "label": f" {label} "} for text, label in (("Up", "A"), ("Down", "B"))]
    [question] = read("arc-easy", lines([{"question": {"stem": " Where? ", "choices": choices}, "answerKey": "B"}]))
    assert (question.text, question.options, question.answer) == ("Where?", ("Up", "Down"), 1)


def test_options_are_in_the_order_of_their_numbers():
    turned = dict(reversed(TELEQNA.items()))
    assert list(turned).index("option 2") < list(turned).index("option 1")
    assert read("teleqna", lines([turned]))[0].options == TELECOM[0].options


def test_a_passage_may_hold_a_question():
    query = {"query": "Passage: He asks.\nQuestion: why?\nQuestion: is it?", "choices": ["no", "yes"], "gold": 0}
    [question] = read("boolq", lines([query]))
    assert (question.passage, question.text) == ("He asks.\nQuestion: why?", "is it?")


@pytest.mark.parametrize("field", ["explanation", "explaination", "nothing"])
def test_explanations_are_optional_in_tables(field):
    row = {name: value for name, value in TELEQNA_ROW.items() if name != "explaination"}
    [question] = read("teleqna", parquet([{**row, field: "Because."}]))
    assert question.explanation == ("" if field == "nothing" else "Because.")


def test_a_question_mark_is_added_once():
    asked = read("boolq", lines([{**BOOLQ, "question": text} for text in ("is it", "is it?", " is it? ")]))
    assert [question.text for question in asked] == ["is it?"] * 3


# --- records that are no questions ---------------------------------------------------------------------------------

TEXTS, LABELS = ["Up", "Down", "Aside"], ["A", "B", "C"]
TWICE = {"stem": "Where?", "choices": [{"text": "Up", "label": "A"}, {"text": "Down", "label": "A"}]}
BAD = [
    ("arc-easy", {**ARC, "answerKey": "E"}, "its answer is none of the labels of its choices"),
    ("arc-easy", {**ARC, "answerKey": "1"}, "its answer is none of the labels of its choices"),
    ("arc-easy", {**ARC, "answerKey": None}, "its labels and its answer must be texts or whole numbers"),
    ("arc-easy", {**ARC, "answerKey": True}, "its labels and its answer must be texts or whole numbers"),
    ("arc-easy", {**ARC, "question": TWICE}, "its choices have the same label twice"),
    ("arc-easy", {**ARC, "question": "Where?"}, "its question has no stem and choices"),
    ("arc-easy", {**ARC, "question": {"stem": "Where?"}}, "its choices are no texts with labels"),
    ("arc-easy", {**ARC, "question": {"stem": "Where?", "choices": []}}, "its answer is none of the labels"),
    ("arc-easy", {**ARC_ROW, "choices": {"text": TEXTS[:1], "label": ["C"]}}, "it needs at least two options"),
    ("arc-easy", {**ARC, "question": {"stem": "Where?", "choices": [{"text": "Up"}]}}, "its labels and its answer"),
    ("arc-easy", {**ARC, "question": {"choices": TWICE["choices"]}}, "its stem is no text"),
    ("arc-easy", {**ARC_ROW, "choices": {"text": TEXTS, "label": LABELS[:2]}}, "have 3 texts and 2 labels"),
    ("arc-easy", {**ARC_ROW, "choices": {"text": ["Up", " ", "In"], "label": LABELS}}, "none of them empty"),
    ("arc-easy", {**ARC_ROW, "choices": {"text": ["Up", None, "In"], "label": LABELS}}, "its text is no text"),
    ("arc-easy", {**ARC_ROW, "choices": {"text": TEXTS, "label": "ABC"}}, "its label is no list"),
    ("arc-easy", {**ARC_ROW, "question": float("nan")}, "its question is no text"),
    (
        "arc-easy",
        {"answerKey": "A"},
        "it must have the fields question, choices, answerKey; or question, answerKey; or",
    ),
    ("arc-easy", [ARC], "it must have the fields"),
    ("boolq", {**BOOLQ, "answer": float("nan")}, "its answer is neither true nor false"),
    ("boolq", {**BOOLQ, "answer": 1}, "its answer is neither true nor false"),
    ("boolq", {**BOOLQ, "answer": "true"}, "its answer is neither true nor false"),
    ("boolq", {**BOOLQ, "question": ""}, "it has no text"),
    ("boolq", {**BOOLQ, "passage": None}, "its passage is no text"),
    ("boolq", {"query": "is ice cold?", "choices": ["no", "yes"], "gold": 1}, "it has no question after its passage"),
    (
        "boolq",
        {"query": "Passage: b\nQuestion: a", "choices": ["no", "yes"], "gold": 2},
        "must be one of the 2 options, got",
    ),
    (
        "boolq",
        {"query": "Passage: b\nQuestion: a", "choices": ["no", "yes"], "gold": True},
        "its gold is no whole number",
    ),
    (
        "boolq",
        {"question": "a", "answer": True},
        "it must have the fields question, passage, answer; or query, choices",
    ),
    ("teleqna", {**TELEQNA_ROW, "answer": 2}, "its answer must be one of the 2 options, got number 3"),
    ("teleqna", {**TELEQNA_ROW, "answer": -1}, "its answer must be one of the 2 options, got number 0"),
    ("teleqna", {**TELEQNA_ROW, "answer": float("nan")}, "its answer is no whole number"),
    ("teleqna", {**TELEQNA_ROW, "answer": 1.0}, "its answer is no whole number"),
    ("teleqna", {**TELEQNA_ROW, "subject": None}, "its subject is no text"),
    ("teleqna", {**TELEQNA, "answer": "B"}, "its answer does not begin with an option"),
    ("teleqna", {**TELEQNA, "answer": "option 3: none"}, "its answer must be one of the 2 options, got number 3"),
    ("teleqna", {**TELEQNA, "answer": "option 12345: none"}, "its answer does not begin with an option"),
    ("teleqna", {**TELEQNA, "question": "[3GPP Release 17]"}, "it has no text"),
    ("teleqna", {**TELEQNA, "question": {"text": "a"}}, "its question is no text"),
    ("teleqna", {**TELEQNA, "option 4": "Wood"}, "its options are not numbered from 1"),
    ("teleqna", {**TELEQNA, "option 2": None, "option 3": "Wood"}, "its options are not numbered from 1"),
    ("teleqna", {**TELEQNA, "option 1": "\ud800"}, "its option 1 is broken Unicode"),
    ("teleqna", {**TELEQNA, "category": None}, "its category is no text"),
    ("teleqna", None, "it must have the fields question, option 1, answer, category; or question, choices, answer"),
]
GOOD = {"arc-easy": ARC, "boolq": BOOLQ, "teleqna": TELEQNA}


@pytest.mark.parametrize(("name", "record", "reason"), BAD)
def test_what_is_no_question_is_named_by_its_line(name, record, reason):
    data = "\n".join(map(json.dumps, (GOOD[name], record))) + "\n"
    found = read(name, data.encode())
    assert len(found) == 1
    [line] = found.skipped
    assert line.startswith("line 2: it")
    assert reason in line
    with pytest.raises(ValueError, match=r"^it holds no question; record 1: it"):
        read(name, json.dumps([record]).encode())


def test_rows_and_records_are_named_by_their_numbers():
    bad_row = {**TELEQNA_ROW, "answer": 7}
    assert read("teleqna", parquet([TELEQNA_ROW, TELEQNA_ROW, bad_row])).skipped[0].startswith("row 3: its answer")
    bad = {"good": TELEQNA, "bad": {**TELEQNA, "answer": ""}}
    assert read("teleqna", json.dumps(bad).encode()).skipped[0].startswith("record 2: its answer")


def test_values_that_are_missing_in_a_table_are_told():
    rows = [BOOLQ, {**BOOLQ, "answer": None}, {**BOOLQ, "question": None}]
    assert read("boolq", parquet(rows)).skipped == (
        "row 2: its answer is neither true nor false",
        "row 3: its question is no text",
    )
    with pytest.raises(ValueError, match="row 1: its answer is no whole number"):
        read("teleqna", parquet([{**TELEQNA_ROW, "answer": answer} for answer in (0.0, float("nan"))]))


def test_no_reason_holds_the_text_of_a_record():
    secret = "a text that nobody may see"
    odd = [
        secret,
        *({**TELEQNA, field: secret} for field in TELEQNA),
        *({**TELEQNA, field: {secret: secret}} for field in TELEQNA),
        *({**TELEQNA_ROW, field: [secret, 1]} for field in TELEQNA_ROW),
        {secret: secret},
    ]
    found = read("teleqna", lines([TELEQNA, *odd]))
    assert len(found.skipped) > 12
    assert not any(secret in line for line in found.skipped)
    for data in (f'{{"question": "{secret}", ', f'[{{"question": "{secret}"}}', f"{{}}\n{secret}"):
        with pytest.raises(ValueError, match="not JSON") as told:
            read("teleqna", data.encode())
        assert secret not in str(told.value)


# --- files that are broken, odd or hostile -------------------------------------------------------------------------

LINES = lines(boolq_records(YES_OR_NO))
TABLE = parquet(boolq_records(YES_OR_NO))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("boolq", b"", "^it holds no question: it is empty$"),
        ("boolq", b" \n\n", "it is empty$"),
        ("boolq", b"[]", "it is empty$"),
        ("teleqna", zipped(b"{}"), "it is empty$"),
        ("boolq", gzip.compress(b"", mtime=0), "it is empty$"),
        ("boolq", LINES[:-9], r"^it is not JSON \(line 2\)$"),
        ("boolq", LINES + b"\n\nand so on", r"^it is not JSON \(line 5\)$"),
        ("arc-easy", b'[{"a": 1},\n {"b": }]', r"^it is not JSON \(.*line 2 column 8"),
        ("arc-easy", b"question,answer\n", "^it is not JSON"),
        ("arc-easy", b"[" * 100_000, "^it is not JSON"),
        ("arc-easy", b"9" * 10_000, "^it is not JSON"),
        ("boolq", b"\xff\xfe", "not UTF-8"),
        ("boolq", gzip.compress(LINES, mtime=0)[:-4], "^the archive is broken$"),
        ("boolq", b"\x1f\x8b and so on", "^the archive is broken$"),
        ("boolq", TABLE[:-9], "^it is a broken Parquet file$"),
        ("boolq", b"PAR1", "^it is a broken Parquet file$"),
        ("boolq", parquet([{"idx": 1}]), "^it holds no question; row 1: it must have the fields question, passage"),
        ("arc-easy", TABLE, "^it holds no question; row 1: it must have the fields question, choices, answerKey; or"),
        ("boolq", b'{"a": 1}\n{"b": 2}', "^it holds no question; line 1: it must have the fields"),
        ("teleqna", zipped(b"{}", password=b"another"), "password is not the published one"),
        ("teleqna", zipped(b"{}", files=2), "must hold one file$"),
        ("teleqna", zipped(b"{}")[:-30], "archive is broken"),
        ("teleqna", b"PK\x03\x04 and so on", "archive is broken"),
    ],
)
def test_broken_files_are_told_in_a_sentence(name, data, message):
    with pytest.raises(ValueError, match=message):
        read(name, data)


def test_an_empty_table_is_told():
    with pytest.raises(ValueError, match="it is empty"):
        read("boolq", packed({"question": pyarrow.array([], pyarrow.string())}))


@pytest.mark.parametrize("module", ["pyarrow", "pyzipper"])
def test_a_missing_extra_is_named(module, monkeypatch):
    extra, data = {"pyarrow": ("eval", TABLE), "pyzipper": ("knowledge", zipped(LINES))}[module]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {module}.*pip install 'secagent-env\[{extra}\]'"):
        read("boolq", data)


def test_a_changed_page_is_told():
    table = parquet(boolq_records(YES_OR_NO), compression="none", write_page_checksum=True)
    assert len(read("boolq", table)) == 2
    with pytest.raises(ValueError, match="it is a broken Parquet file"):
        read("boolq", table.replace(b"Fire is hot", b"Fire is wet"))


def bombs() -> dict[str, bytes]:
    spaces = b" " * 3_000_000 + LINES
    often = {"question": pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 3000, pyarrow.int32()), [" " * 1000])}
    return {
        "zip": zipped(spaces),
        "gzip": gzip.compress(spaces, mtime=0),
        "a text": parquet([{"question": "€" * 900_000}], compression="zstd", use_dictionary=False),
        "a text in many rows": packed(often),
        "a number very often": parquet([{"question": [7] * 200_000}], compression="zstd"),
    }


@pytest.mark.parametrize("kind", bombs())
def test_bombs_do_not_unpack(kind, monkeypatch):
    data = bombs()[kind]
    assert len(data) < 10_000
    monkeypatch.setattr(records, "MAX_UNPACKED_BYTES", 1_000_000)
    with pytest.raises(ValueError, match=r"^it unpacks to more than 1 MB$"):
        read("boolq", data)


def test_tables_of_too_many_values_are_not_read(monkeypatch):
    monkeypatch.setattr(records, "MAX_VALUES", 5)
    with pytest.raises(ValueError, match=r"^it holds more than 5 values$"):
        read("boolq", TABLE)
    monkeypatch.setattr(records, "MAX_VALUES", 6)
    assert len(read("boolq", TABLE)) == 2


DAMAGED = [(name, data) for name, ours in OURS.items() for data in published(name, ours).values()]
DAMAGED += [(name, gzip.compress(data, mtime=0)) for name, data in DAMAGED]


@given(st.sampled_from(DAMAGED), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_is_read_or_told(pair, seed):
    name, whole = pair
    with contextlib.suppress(ValueError):  # any other error is a fault
        found = read(name, damaged(whole, np.random.default_rng(seed)))
        assert len(found) >= 1


def test_damaged_tables_are_read_or_told():
    """Of some, such as that of seed 785, the descriptions of columns made pyarrow end the process."""
    tables = [(name, data) for name, data in DAMAGED if data.startswith(b"PAR1")]
    for seed in range(800):
        name, whole = tables[seed % len(tables)]
        with contextlib.suppress(ValueError):
            read(name, damaged(whole, np.random.default_rng(seed)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from([*FORMS]), st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=300, deadline=None)
def test_whatever_a_file_holds_is_told_in_a_sentence(name, data):
    with pytest.raises(ValueError, match=r"^(it|the archive) "):
        read(name, data)


FIELDS = [
    (name, record, field)
    for name, record in [
        ("arc-easy", ARC),
        ("arc-easy", ARC_ROW),
        ("boolq", BOOLQ),
        ("teleqna", TELEQNA),
        ("teleqna", TELEQNA_ROW),
    ]
    for field in record
]


@given(st.sampled_from(FIELDS), JSON)
@settings(max_examples=300, deadline=None)
def test_one_bad_record_does_not_spoil_the_others(place, value):
    name, record, field = place
    found = read(name, lines([record, {**record, field: json.loads(json.dumps(value))}]))
    assert found[0].key in (f"{name}-0", "question 0")
    assert len(found) + len(found.skipped) == 2
    assert all(line.startswith("line 2: it") for line in found.skipped)


# --- the sets themselves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_real_sets_are_the_same_in_all_forms(data_folder, name):
    loaded = questions.load(name, data_folder)
    forms = published(name, loaded) if name != "teleqna" else {"table": parquet(teleqna_rows(loaded))}
    for data in forms.values():  # in memory alone: nothing of TeleQnA is written
        assert read(name, data).questions == loaded.questions
