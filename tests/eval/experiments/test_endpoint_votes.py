"""Table V end to end with agents behind endpoints: three groups on loopback servers, one of which fails."""

import json
from types import SimpleNamespace

import pytest
from faulty_server import FaultyServer, fails, says

from eval.experiments.groups import fields_of, groups_of, read_groups
from eval.experiments.protocol import run
from eval.experiments.votes.experiment import Votes
from eval.experiments.votes.tables import endpoint_table
from solvers import standins
from solvers.llm.chat import STANDIN_MODEL
from solvers.llm.server import StandinServer
from solvers.reasoning.answer import Answer
from solvers.reasoning.endpoint import NO_OPTION, UNUSABLE, Group, complaint_of

pandas = pytest.importorskip("pandas")


def test_three_groups_answer_the_questions_of_table_v(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-nobody-may-see")
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    right = json.dumps({"reason": "", "option": "A", "confidence": 1})
    faulty = FaultyServer(fails(500), says("garbage"), says(json.dumps({"option": "Z"})), says(right))
    with StandinServer(standins.reply) as first, StandinServer(standins.reply) as second, faulty as third:
        groups = [
            Group(agents=12, model=STANDIN_MODEL, base_url=first.base_url),
            Group(agents=12, model=STANDIN_MODEL, base_url=second.base_url, planning="steps"),
            Group(agents=6, model="broken", base_url=third.base_url, retries=0),
        ]
        votes = Votes(1, questions=4, groups=groups)
        how = {"workers": 1, "progress": False}
        text = run(votes, tmp_path, **how)
        asked = len(third.bodies)
        assert asked > 0
        assert run(votes, tmp_path, **how) == text
        assert len(third.bodies) == asked  # what was answered is kept
    table = text.partition("### Agents behind endpoints")[2]
    assert "12 × no LLM" in table
    assert "6 × broken" in table
    assert "1 none of the options" in table
    assert "1 unusable answer" in table
    assert "(sample)" in table
    assert all("a-key" not in file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file())


def test_when_nobody_answers_it_is_told(tmp_path):
    groups = [Group(agents=3, model="m", base_url="http://127.0.0.1:9/v1", api_key="k", retries=0)]
    with pytest.raises(ValueError, match="cells failed, the first with EndpointError"):
        run(Votes(1, questions=1, groups=groups), tmp_path, workers=1, progress=False)


def test_groups_are_read_from_a_file(tmp_path):
    file = tmp_path / "groups.toml"
    file.write_text(
        '[[group]]\nagents = 12\nmodel = "Qwen/Qwen3-0.6B"\nbase_url = "http://127.0.0.1:8001/v1"\n'
        '[[group]]\nagents = 6\nplanning = "tree"\n'
    )
    first, second = read_groups(file)
    assert (first.agents, first.model, second.planning) == (12, "Qwen/Qwen3-0.6B", "tree")
    assert groups_of(fields_of([first, second])) == (first, second)
    assert fields_of([Group(agents=2, api_key="secret", model="m")]) == [{"agents": 2, "model": "m"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"must hold tables \[\[group\]\]"),
        ("[group]\nagents = 1", r"must hold tables \[\[group\]\]"),
        ("[[group]]\nagents = 1\n[other]\n", "nothing else"),
        ("[[group]", "not a valid TOML file"),
        ("[[group]]\nagent = 1", "group 1: got an unexpected keyword argument 'agent'"),
        ('[[group]]\napi_key = "s3cret"', "must not have api_key; a key is that of OPENAI_API_KEY"),
        ("[[group]]\nagents = 0", "group 1: agents must be an integer from 1"),
        ('[[group]]\n[[group]]\nplanning = "stepps"', "group 2: .*did you mean 'steps'"),
    ],
)
def test_bad_files_are_told(tmp_path, content, message):
    file = tmp_path / "groups.toml"
    file.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_groups(file)
    assert "s3cret" not in str(caught.value)


def test_a_group_that_gives_no_answer_of_use_has_no_share_of_right_ones():
    data_set = SimpleNamespace(name="boolq", source="boolq", title="BoolQ")
    counts = {"answers_by_group": "[4, 4]", "right_by_group": "[2, 0]", "calls": 8, "tokens": 9, "asked": 4, "right": 2}
    complaints = json.dumps({"1": "the server failed (500): the GPU burns", "0": "unusable answer"})
    row = {"value": "boolq", **counts, "faults": '{"server error": 4}', "complaints": complaints, "ended": ""}
    rows = [{"scheme": "asc", "used_by_group": "[4, 0]", **row}, {"scheme": "law", "used_by_group": "[0, 0]", **row}]
    text = endpoint_table(pandas.DataFrame(rows), [data_set], [Group(), Group(model="broken")])
    one, none = (line.split("|") for line in text.splitlines() if "server error" in line)
    assert [cell.strip() for cell in one[3:7:3]] == ["50 %", "–"]
    assert [cell.strip() for cell in none[3:7:3]] == ["–", "–"]
    assert "BoolQ, asc: no answer of broken could be used, the first: the server failed (500): the GPU burns." in text


def test_a_table_tells_how_much_was_answered_before_the_endpoints_ended():
    data_set = SimpleNamespace(name="boolq", source="boolq", title="BoolQ")
    whole = {"scheme": "asc", "value": "boolq", "asked": 4, "questions": 4, "right": 3, "calls": 4, "tokens": 9}
    whole |= {"answers_by_group": "[4]", "used_by_group": "[4]", "right_by_group": "[3]", "faults": "{}"}
    whole |= {"complaints": "{}", "ended": ""}
    rows = [whole, {**whole, "asked": 1, "right": 0, "ended": "nobody answers"}]
    text = endpoint_table(pandas.DataFrame(rows), [data_set], [Group(model="m")])
    assert "BoolQ, asc: 5 of 8 questions were answered; in 1 of 2 networks the endpoints ended before, the" in text
    assert "the first with: nobody answers. --retry-failed" in text
    assert "| 37.5 %" in text  # the mean over networks of 3/4 and 0/1
    assert "ended before" not in endpoint_table(pandas.DataFrame([whole]), [data_set], [Group(model="m")])


def test_complaints_hold_nothing_that_a_model_wrote():
    assert complaint_of(Answer(None, explanation="the server failed", fault="server error")) == "the server failed"
    for fault in (NO_OPTION, UNUSABLE):
        assert complaint_of(Answer(None, explanation="the text of a question", fault=fault)) == fault
