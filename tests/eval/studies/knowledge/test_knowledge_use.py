from pathlib import Path

import numpy as np
import pandas
import pytest
from hashing_encoder import HashingEncoder

from eval.studies.knowledge_use import cells
from eval.studies.knowledge_use.cells import BOTH, NOTHING, PERFECT, POLICIES, READ, STEPS, drift, drifting, ways
from eval.studies.knowledge_use.study import TABLES, KnowledgeUse, markdown, summary
from eval.sweep.cells import Cell
from solvers.knowledge.facts.world import build

DOCS = Path(__file__).parents[4] / "docs"


@pytest.fixture
def encoder(monkeypatch):
    one = HashingEncoder(256)
    monkeypatch.setattr(cells, "default_encoder", lambda: one)
    return one


def test_every_way_gives_as_many_passages_and_the_controls_are_what_they_say(encoder):
    world = build(3, 12)
    found = ways(world, encoder)
    assert {each.shape for each in found.values()} == {(9, READ)}
    assert (found[NOTHING] == -1).all()
    for row, asked in zip(found[BOTH], world.asked, strict=True):
        assert [world.passages[place].key for place in row[:2]] == [fact.key for fact in world.needed(asked)]
        assert (row[2:] == -1).all()
    needed = [[fact.key for fact in world.needed(asked)] for asked in world.asked]
    keys = [{world.passages[place].key for place in row if place >= 0} for row in found[PERFECT]]
    assert np.mean([set(own) <= row for own, row in zip(needed, keys, strict=True)]) > 0.8


def test_incidents_come_up_and_are_asked_about_only_then():
    worlds = drifting(6, 0)
    assert len(worlds) == STEPS + 1
    assert len(worlds[0].asked) < len(worlds[-1].asked) == 6 * 6
    for world in worlds:
        assert all(
            asked.question.options[asked.question.answer] == world.needed(asked)[-1].value for asked in world.asked
        )


def test_policies_send_what_they_say(encoder):
    cell = Cell("x:y", "knowledge-use", "graph", seed=0, options={"questions": 4, "precision": None})
    rows = {row["policy"]: row for row in drift(cell)}
    assert tuple(rows) == POLICIES
    grown = {policy: np.diff(row["bits"]) for policy, row in rows.items()}
    assert (grown["never"] == 0).all()
    assert (grown["differences"] > 0).all()
    assert (grown["differences"] < grown["everything again"]).all()
    assert rows["differences"]["one"] == rows["everything again"]["one"]
    assert rows["differences"]["one"][-1] > rows["never"]["one"][-1]


@pytest.mark.parametrize("part", TABLES)
def test_the_page_shows_the_rows_beside_it(part):
    rows = pandas.read_csv(DOCS / f"knowledge-use-{part}.csv").to_dict("records")
    assert markdown(part, rows).strip() in (DOCS / "knowledge-use.md").read_text(encoding="utf-8")


def test_rows_are_put_together_over_networks():
    rows = [
        {"scheme": "s", "way": "w", **dict.fromkeys(("first", "second", "both", "exact", "reader"), own)}
        for own in ("[true, false]", "[true, true]")
    ]
    assert summary("two-facts", rows)[0] == {
        **{"scheme": "s", "way": "w", "questions": 4},
        **dict.fromkeys(("first", "second", "both", "exact", "reader"), 3),
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [({"worlds": 0}, "worlds must be"), ({"questions": 121}, "questions must be"), ({"parts": ("drif",)}, "drift")],
)
def test_bad_options(options, said):
    with pytest.raises(ValueError, match=said):
        KnowledgeUse(**options)
