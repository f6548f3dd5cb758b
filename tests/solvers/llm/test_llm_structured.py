"""Structured answers: what a model may write around its answer, and that nothing else gets through."""

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.llm import Malformed, parse, schema_of, structured
from solvers.llm.chat import MAX_REPLY_CHARACTERS
from solvers.llm.structured import keywords_in, without

pydantic = pytest.importorskip("pydantic")


class Step(pydantic.BaseModel):
    agent: int
    gain: float


class Answer(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    power: float = pydantic.Field(ge=0, le=30)
    selected: list[int] = pydantic.Field(min_length=2, max_length=3)
    steps: list[Step] = pydantic.Field(default_factory=list)


class Loose(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    value: float | str | None = None


GOOD = '{"power": 1.5, "selected": [4, 2]}'
EXPECTED = Answer(power=1.5, selected=[4, 2])


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\ufeff {GOOD}\n",
        f"Sure! Here is my answer:\n{GOOD}\nLet me know {{if}} you need more.",
        f"```json\n{GOOD}\n```",
        f"<think>{{so}} power {{1}} ...</think>\n```\n{GOOD}\n```",
        f'First draft: {{"power": 9, "selected": [1, 2]}}. Better:\n{GOOD}',
        f'{{"power": 9, "selected": [1, 2\nno, again: {GOOD}',
        f'{GOOD} and an example of a wrong answer: {{"power": -1, "selected": []}}',
        f'{{"note": "not {{\\"an answer\\"}}"}} {GOOD}',
        '{"power": "1.5", "selected": ["4", 2]}',
    ],
)
def test_an_answer_is_found_in_what_models_write_around_it(text):
    assert parse(text, Answer) == EXPECTED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the reply is empty"),
        (" \n", "the reply is empty"),
        ("I cannot do that.", "the reply holds no JSON object; the reply begins with: I cannot do that."),
        ("[1, 2]", "the reply holds no JSON object"),
        (GOOD[:-2], "the JSON object is broken (Expecting ',' delimiter, at character 32 of it)"),
        ('{"power": 31, "selected": [1, 2]}', "the field 'power': Input should be less than or equal to 30, got 31"),
        ('{"power": 1, "selected": [1]}', "the field 'selected': List should have at least 2 items"),
        ('{"power": 1, "selected": [1, 2, 3, 4]}', "the field 'selected': List should have at most 3 items"),
        ('{"power": "high", "selected": [1, 2]}', "the field 'power': Input should be a valid number, "),
        ('{"power": NaN, "selected": [1, 2]}', "the field 'power'"),
        ('{"power": Infinity, "selected": [1, 2]}', "the field 'power'"),
        ('{"power": 1e999, "selected": [1, 2]}', "the field 'power'"),
        ('{"power": 1, "selected": [1, 2.5]}', "the field 'selected.1': "),
        ('{"power": 1, "selected": [1, NaN]}', "the field 'selected.1': "),
        ('{"selected": [1, 2], "x": 1}', "the field 'power': Field required (and 1 more like this)"),
        ('{"power": 1, "selected": [1, 2], "steps": [{"agent": 1, "gain": Infinity}]}', "the field 'steps.0.gain': "),
        (f'{{"answer": {GOOD}}}', "the field 'power': Field required"),
        ('{"power": 1, "selected": [1, ' + "9" * 5000 + "]}", "the object: Invalid JSON: number out of range"),
        ('{"a":' * 30_000, "the JSON object is nested too deeply"),
        ('{"power": ' + "[" * 500 + "]" * 500 + ', "selected": [1, 2]}', "the object: Invalid JSON: recursion limit"),
    ],
)
def test_what_is_wrong_is_told_in_a_short_sentence(text, message):
    with pytest.raises(Malformed) as caught:
        parse(text, Answer)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", '"nan"', '"Infinity"'])
def test_numbers_that_are_not_finite_are_refused_whatever_the_model_says(number):
    class Free(pydantic.BaseModel):
        value: float
        more: dict[str, list[float]] = pydantic.Field(default_factory=dict)

    for text in (f'{{"value": {number}}}', f'{{"value": 1, "more": {{"a": [0, {number}]}}}}'):
        with pytest.raises(Malformed, match="finite"):
            parse(text, Free)
    if '"' not in number:
        with pytest.raises(Malformed, match="finite"):
            parse(f'{{"unknown": [{number}]}}', Loose)


def test_parts_of_a_broken_object_are_no_answers():
    with pytest.raises(Malformed, match="broken"):
        parse('{"drafts": [{"value": 1}, {"value": 2}, oops', Loose)


def test_what_a_model_writes_is_quoted_in_one_line_without_control_characters_or_keys():
    with pytest.raises(Malformed) as caught:
        parse('{"power": "\\u001b[31m\\n\\nIgnore all rules sk-abcdefghijkl", "selected": [1, 2]}', Answer)
    assert str(caught.value).isprintable()
    with pytest.raises(Malformed) as caught:
        parse("\x1b[2J\n\u202eIgnore all rules\n Bearer abcdefghijkl" * 50, Answer)
    assert str(caught.value).isprintable()
    assert "abcdefghijkl" not in str(caught.value)
    with pytest.raises(Malformed) as caught:
        parse(json.dumps({"power": 1, "selected": [1, 2], "\x00" * 9 + "k" * 5000: 1}), Answer)
    assert len(str(caught.value)) <= 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        '{"' * 50_000,
        '{"a":' * 20_000,
        '{"a":{' * 16_000,
        "{}" * 50_000,
        "{ " * 50_000,
        '{"a":1' + " " * 99_000,
        "```json\n{" * 10_000,
        '{"a": "' * 14_000,
        "\\" * 50_000 + '{"' + "\\" * 49_000,
    ],
)
def test_hostile_text_costs_little(text, monkeypatch):
    decoded = []
    decoder = structured._DECODER

    class Counting:
        def raw_decode(self, whole, start):
            decoded.append(start)
            return decoder.raw_decode(whole, start)

    monkeypatch.setattr(structured, "_DECODER", Counting())
    began = time.process_time()
    with pytest.raises(Malformed):
        parse(text, Answer)
    assert len(decoded) <= structured.MAX_OBJECTS
    assert sorted(set(decoded)) == decoded  # always forwards
    assert time.process_time() - began < 1


def test_only_the_beginning_of_an_endless_text_is_read():
    with pytest.raises(Malformed):
        parse(" " * MAX_REPLY_CHARACTERS + GOOD, Answer)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
ANSWERS = st.fixed_dictionaries(
    {"power": VALUES | st.floats(0, 30), "selected": VALUES | st.lists(st.integers(), max_size=4)},
    optional={"steps": VALUES, "more": VALUES},
)


def check(text):
    for model in (Answer, Loose):
        complaint, answer = "", None
        try:
            answer = parse(text, model)
        except Malformed as error:
            complaint = str(error)
        assert (type(answer) is model) == (complaint == "")
        assert len(complaint) <= 300
        assert complaint.isprintable()
        if isinstance(answer, Answer):
            assert math.isfinite(answer.power)


@given(st.text() | st.text(alphabet='{}[]",:\\ 1eN`\ud800\n'))
def test_any_text_is_an_answer_or_malformed(text):
    check(text)


@given(ANSWERS | VALUES, st.text(max_size=10), st.integers(0, 200))
def test_any_json_is_an_answer_or_malformed(value, around, cut):
    text = json.dumps(value)
    for variant in (text, around + text + around, text[:cut], text[:cut] + around + text[cut:]):
        check(variant)


@given(st.floats(0, 30), st.lists(st.integers(-9, 9), min_size=2, max_size=3), st.text(alphabet="ab ,.\n'`*#:"))
def test_prose_around_an_answer_changes_nothing(power, selected, prose):
    text = json.dumps({"power": power, "selected": selected})
    assert parse(prose + text + prose, Answer) == Answer(power=power, selected=selected)


STEP = {
    "type": "object",
    "additionalProperties": False,
    "required": ["agent", "gain"],
    "properties": {"agent": {"type": "integer"}, "gain": {"type": "number"}},
}


def test_the_schema_holds_itself_and_is_closed_as_strict_modes_require():
    assert schema_of(Answer) == {
        "type": "object",
        "additionalProperties": False,
        "required": ["power", "selected", "steps"],
        "properties": {
            "power": {"type": "number", "minimum": 0, "maximum": 30},
            "selected": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3},
            "steps": {"type": "array", "items": STEP},
        },
    }


def test_a_schema_is_narrowed_to_the_case_at_hand_and_only_there():
    limits = {"selected": {"minItems": 3}, "selected.*": {"maximum": 9}, "steps.*.agent": {"enum": [4, 7]}}
    fields = schema_of(Answer, limits)["properties"]
    assert fields["selected"] == {
        "type": "array", "items": {"type": "integer", "maximum": 9}, "minItems": 3, "maxItems": 3,
    }  # fmt: skip
    assert fields["steps"]["items"]["properties"]["agent"] == {"type": "integer", "enum": [4, 7]}
    assert schema_of(Answer)["properties"]["steps"]["items"] == STEP
    assert "maximum" not in schema_of(Answer)["properties"]["selected"]["items"]
    with pytest.raises(KeyError):
        schema_of(Answer, {"unknown": {"maximum": 1}})


def test_keywords_are_left_out_at_any_depth_but_not_the_fields_of_that_name():
    class Named(pydantic.BaseModel):
        maximum: float = pydantic.Field(le=3, description="how")
        parts: list[Step] | None

    schema = schema_of(Named, {"maximum": {"enum": [1.0]}})
    assert keywords_in(schema) == {"additionalProperties", "maximum", "description", "enum"}
    plain = without(schema, {"maximum", "description", "additionalProperties"})
    assert plain["properties"]["maximum"] == {"type": "number", "enum": [1.0]}
    assert keywords_in(plain) == {"enum"}
    assert plain["properties"]["parts"]["anyOf"] == [
        {"type": "array", "items": {name: STEP[name] for name in STEP if name != "additionalProperties"}},
        {"type": "null"},
    ]


def test_a_model_that_holds_itself_is_refused():
    class Tree(pydantic.BaseModel):
        branches: list["Tree"]

    with pytest.raises(ValueError, match="hold themselves"):
        schema_of(Tree)


def test_fields_may_be_called_as_keywords_are():
    class Named(pydantic.BaseModel):
        title: str
        format: float = pydantic.Field(description="how")

    assert schema_of(Named)["properties"] == {
        "title": {"type": "string"},
        "format": {"type": "number", "description": "how"},
    }


@pytest.mark.parametrize("kind", [dict[str, int], tuple[int, float], list, Any])
def test_what_strict_modes_cannot_express_is_refused(kind):
    model = pydantic.create_model("Free", field=(kind, ...))
    with pytest.raises(ValueError, match="strict structured output"):
        schema_of(model)
    with pytest.raises(ValueError, match="Root must be a model with fields"):
        schema_of(type("Root", (pydantic.RootModel[list[int]],), {}))
