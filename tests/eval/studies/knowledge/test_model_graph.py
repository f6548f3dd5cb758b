"""``secagent reproduce genainet-graph-models``: its table, recorded from an endpoint, and replayed without one."""

import csv

import pytest

from eval.command.cli import main
from eval.experiments.groups import model_of_groups
from eval.studies.knowledge_use.cells import EXTRACTED, PERFECT, extracted_facts
from eval.studies.knowledge_use.models import ModelGraph, _told
from eval.studies.knowledge_use.study import NAMES
from eval.sweep.cells import Cell
from solvers import standins
from solvers.knowledge.facts.world import build
from solvers.llm.chat import STANDIN_MODEL
from solvers.llm.server import StandinServer

NAME = "genainet-graph-models"


@pytest.fixture
def small(monkeypatch):
    """Draw networks of two questions of each kind."""
    how = classmethod(lambda cls, args: cls(model_of_groups(args.groups, cls.name), args.instances, 2, args.seed))
    monkeypatch.setattr(ModelGraph, "from_arguments", how)


def test_a_graph_of_a_model_is_recorded_and_replayed(small, tmp_path, capsys):
    pytest.importorskip("openai")
    groups, out = tmp_path / "groups.toml", tmp_path / "out"
    how = ["--instances", "1", "--workers", "1"]
    with StandinServer(standins.reply) as server:
        groups.write_text(f'[[group]]\nmodel = "{STANDIN_MODEL}"\nbase_url = "{server.base_url}"\n')
        assert main(["reproduce", NAME, "--groups", str(groups), "--out", str(out), *how]) == 0
    text = capsys.readouterr().out
    with (out / f"{NAME}.csv").open() as file:
        rows = {(row["scheme"], row["way"]): row for row in csv.DictReader(file)}
    lists = {}
    for scheme in NAMES.values():
        [line] = [line for line in text.splitlines() if line.startswith(f"- {scheme}: no LLM read ")]
        lists[scheme] = float(line.partition("; ")[2].split(" %")[0])
        assert float(rows[scheme, PERFECT]["both"]) >= float(rows[scheme, EXTRACTED]["both"])
        assert float(rows[scheme, EXTRACTED]["questions"]) == 6
    assert lists[NAMES[True]] > lists[NAMES[False]]  # of two words the rules list each one, too
    recording = out / f"{NAME}.recording.xz"
    assert main(["reproduce", NAME, "--replay", str(recording), "--out", str(tmp_path / "again"), *how[2:]]) == 0
    assert capsys.readouterr().out == text


def test_what_the_rules_list_of_a_network():
    cell = Cell("x:y", NAME, "s", seed=0, options={"questions": 1, "joined": True, "model": {}})
    rows = extracted_facts(cell)
    world = build(1, seed=0)
    assert {(row["model"], row["passages"], row["names"]) for row in rows} == {
        ("no LLM", len(world.passages), 2 * len(world.passages))
    }
    [row] = [row for row in rows if row["way"] == EXTRACTED]
    assert 0 < row["named"] <= row["names"]
    assert row["listed"] > row["named"]  # the rules list common words too
    assert (row["made_up"], row["unread"]) == (0, 0)


def test_counts_are_added_up_once_for_each_network():
    one = {"seed": 0, "model": "m", "passages": 4, "named": 6, "names": 8, "listed": 12, "made_up": 1, "unread": 1}
    line = _told("s", [one, one, {**one, "seed": 1}])
    assert line.startswith("- s: m read 6 of 8 passages, and lists 75 %")
    assert "; 50 % [" in line
    assert line.endswith(" Not in their passages, and dropped: 2 more.")
    assert "lists – of" in _told("s", [{**one, "names": 0, "listed": 0}])


def test_every_network_is_read_with_both_kinds_of_names():
    own = [(cell.scheme, cell.seed, cell.options["joined"]) for cell in ModelGraph(worlds=2, seed=3).cells()]
    assert own == [(NAMES[joined], seed, joined) for joined in NAMES for seed in (3, 4)]
    assert {cell.seed for cell in ModelGraph().cells()} == {0}
    assert [cell.paid for cell in ModelGraph({"model": "m"}).cells()] == [True, True]


def test_bad_options_are_told():
    with pytest.raises(ValueError, match="networks must be"):
        ModelGraph(worlds=0)
    with pytest.raises(ValueError, match="temperature"):
        ModelGraph({"temperature": -1})
