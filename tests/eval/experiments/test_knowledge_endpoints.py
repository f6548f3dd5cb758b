"""Table 1 with language models as students, end to end on loopback, with faults."""

import json
import re

import pytest
from experiment_options import from_options
from faulty_server import FaultyServer, fails, says
from hashing_encoder import HashingEncoder

from eval.experiments.knowledge_transfer import cells as knowledge_answers
from eval.experiments.knowledge_transfer import cells_endpoints
from eval.experiments.knowledge_transfer.experiment import KnowledgeTransfer, name_of
from eval.experiments.protocol import run
from secagent_env import questions
from solvers import standins
from solvers.llm.chat import STANDIN_MODEL
from solvers.llm.server import StandinServer
from solvers.reasoning.endpoint import Group


@pytest.fixture(autouse=True)
def hashing(monkeypatch):
    encoder = HashingEncoder(64)
    monkeypatch.setattr(knowledge_answers, "default_encoder", lambda: encoder)
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-nobody-may-see")
    knowledge_answers.block_of.cache_clear()
    yield
    knowledge_answers.block_of.cache_clear()


def test_students_behind_endpoints_answer_table_1(tmp_path):
    right = json.dumps({"reason": "", "option": "A", "confidence": 1})
    faulty = FaultyServer(fails(500), says("nothing"), says(right))
    with StandinServer(standins.reply) as good, faulty as bad:
        (tmp_path / "groups.toml").write_text(
            f'[[group]]\nmodel = "{STANDIN_MODEL}"\nbase_url = "{good.base_url}"\n'
            f'[[group]]\nmodel = "broken"\nbase_url = "{bad.base_url}"\nretries = 0\nplanning = "steps"\n'
        )
        groups = tmp_path / "groups.toml"
        transfer = from_options(KnowledgeTransfer, "--questions", "60", "--groups", str(groups))
        how = {"workers": 1, "progress": False}
        text = run(transfer, tmp_path / "out", **how)
        asked = len(bad.bodies)
        assert asked == 4 * 60
        assert run(transfer, tmp_path / "out", **how) == text
        assert len(bad.bodies) == asked  # what was answered is kept
    _, first, second = text.partition("### student (no LLM, direct)")
    assert first
    first, _, second = second.partition("### student (broken, steps)")
    assert "faults, which count as wrong: none" in first
    assert "1 unusable answer" in second
    assert "Calls: 240" in second
    assert (tmp_path / "out" / "genainet-table1.md").read_text() == text
    told = [file.read_bytes().decode("latin-1") for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert not any("a-key" in content for content in told)


def test_the_stand_in_finds_answers_that_are_there():
    """With the questions' own explanations a student must be better than with none: they restate the answers."""
    [cell, *_] = KnowledgeTransfer(60).student_cells(Group())
    rows = {row["condition"]: row for row in cells_endpoints.answer(cell)}
    assert len(rows) == len(cells_endpoints.CONDITIONS)
    right = {name: sum(row["right"]) / len(row["asked"]) for name, row in rows.items()}
    assert right["leak"] > right["no knowledge"] + 0.3
    assert rows["no knowledge"]["bits"] < rows["compressed"]["bits"] < rows["full"]["bits"] < rows["leak"]["bits"]


def test_no_text_leaves_a_cell():
    [cell, *_] = KnowledgeTransfer(60).student_cells(Group(agents=3))
    told = json.dumps([dict(row) for row in cells_endpoints.answer(cell)] + [dict(cell.options)])
    assert not any(question.text in told or question.explanation in told for question in questions.load("sample"))
    assert cell.options["student"] == {"agents": 1}
    assert cell.scheme == name_of(Group()) == "student (no LLM, direct)"
    assert not cell.paid


def test_a_condition_without_an_answer_of_use_has_no_accuracy(tmp_path):
    with FaultyServer(fails(400, "the context is too small")) as server:
        group = Group(model="m", base_url=server.base_url, retries=0)
        text = run(KnowledgeTransfer(8, groups=[group]), tmp_path, workers=1, progress=False)
    section = text.partition("### student (m, direct)")[2]
    assert re.search(r"^\| overall +\| 8 +\| – +\| – +\| – ", section, re.MULTILINE | re.IGNORECASE)
    assert "With full no answer could be used, the first: the server rejected the request (400)" in section
