"""``secagent study thoughts`` and ``experience``: reduced forms of them, and the tables and rows of the page."""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eval.experiments.protocol import run
from eval.studies.experience import study as experience
from eval.studies.experience.cells import season
from eval.studies.experience.models import ModelExperience
from eval.studies.experience.study import Experience
from eval.studies.thoughts import study as thoughts
from eval.studies.thoughts.cells import plan
from eval.studies.thoughts.study import Thoughts

DOCS = Path(__file__).parents[3] / "docs"


def test_a_reduced_form_of_the_thoughts(tmp_path):
    study = Thoughts(("infeasible",), ("rules",), ("roll-out", "random"), pairs=2, draws=3, rounds=2, budget=2)
    text = run(study, tmp_path, workers=1)
    rows = pd.read_csv(tmp_path / "thoughts.csv")
    assert len(rows) == 3 + 2 * 4
    assert text == thoughts.markdown(rows.to_dict("records"))
    optimum = rows[rows["planner"] == "optimum"].iloc[0]
    assert optimum["beside_optimum"] == 0
    tree = rows[(rows["planner"] == "tree") & (rows["reward"] == "roll-out")].iloc[0]
    assert tree["beside_tree"] == 0
    assert tree["beside_optimum"] == pytest.approx(tree["intent"] - optimum["intent"])


def test_one_thought_is_a_plan_of_one_and_language_is_a_proposer():
    study = Thoughts(("infeasible",), ("rules", "language"), ("roll-out",), pairs=2, draws=3, rounds=2, budget=2)
    rows = {(c.options["proposer"], c.options["planner"]): plan(c) for c in study.cells() if c.options["proposer"]}
    plans = 2 * 3 * 2  # agents, games, rounds; each plan has a root besides
    for proposer, method in {"rules": "rules", "language": "GenAINet's stand-in (no LLM)"}.items():
        assert {rows[proposer, name]["method"] for name in ("one thought", "chain", "tree", "graph")} == {method}
        assert rows[proposer, "one thought"]["calls"] == 2 * plans
        assert rows[proposer, "chain"]["calls"] == rows[proposer, "tree"]["calls"] == 3 * plans


def test_a_single_season_has_intervals_over_its_games():
    study = Experience(("rules",), games=12, seasons=1, pairs=2, rounds=1, planner="chain", budget=1)
    cells = [cell for cell in study.cells() if cell.value in ("off", "own")]
    rows = [{name: _json(value) for name, value in season(cell).items()} for cell in cells]
    row = experience._figures(("rules", "own"), rows[1:], rows[:1], 12)
    late = np.array(json.loads(rows[1]["reward"]))[10:]
    assert (row["intent_low"], row["intent_high"]) == pytest.approx((late.min(), late.max()))
    assert row["intent"] == pytest.approx(late.mean())
    text = experience.markdown([row])
    assert "Of a single season the intervals are over its games" in text
    assert "single season" not in experience.markdown([{**row, "seasons": 2}])


def _json(value):
    return json.dumps(value.tolist()) if isinstance(value, np.ndarray) else value


def test_a_reduced_form_of_the_experience(tmp_path, monkeypatch):
    monkeypatch.setattr(
        experience, "VARIANTS", {name: experience.VARIANTS[name] for name in ("off", "own", "own, followed")}
    )
    study = Experience(("rules",), games=11, seasons=2, pairs=2, rounds=1, planner="chain", budget=1)
    text = run(study, tmp_path, workers=1)
    rows = pd.read_csv(tmp_path / "experience.csv")
    assert rows["memory"].tolist() == ["off", "own", "own, followed"]
    assert rows["gain"][0] == 0
    assert rows["gain"][2] == pytest.approx(rows["intent"][2] - rows["intent"][0])
    assert text == experience.markdown(rows.to_dict("records"))
    assert (tmp_path / "experience.png").stat().st_size > 10_000


def test_seasons_of_a_language_model_are_recorded_and_others_are_not():
    model = {"model": "tiny", "base_url": "http://127.0.0.1:9/v1"}
    study = Experience(("rules", "language"), language_seasons=1, seasons=1, model=model, bandwidth_khz=100.0)
    cells = study.cells()
    assert {cell.options["proposer"]: cell.paid for cell in cells} == {"rules": False, "language": True}
    told = next(cell for cell in cells if cell.paid)
    assert told.options["model"] == {**model, "bandwidth_khz": 100.0}
    assert told.options["budget"] == 1


def test_thoughts_of_a_language_model_are_recorded_and_others_are_not():
    model = {"model": "tiny", "base_url": "http://127.0.0.1:9/v1"}
    cells = Thoughts(("infeasible",), ("rules", "language"), ("self",), model=model).cells()
    assert {cell.options["proposer"]: cell.paid for cell in cells} == {"": False, "rules": False, "language": True}
    assert all(cell.options.get("model", model) == model for cell in cells)


def test_bad_options_are_told():
    with pytest.raises(ValueError, match="games must be more than 10"):
        Experience(games=10)
    with pytest.raises(ValueError, match="unknown proposer 'rule'; did you mean 'rules'"):
        Experience(("rule",))
    with pytest.raises(ValueError, match="unknown reward 'luck'"):
        Thoughts(rewards=("luck",))
    with pytest.raises(ValueError, match="needs one language model"):
        ModelExperience.from_arguments(argparse.Namespace(groups=None, instances=50, seed=0))


@pytest.mark.parametrize(("name", "table"), [("thoughts", thoughts.markdown), ("experience", experience.markdown)])
def test_the_page_shows_the_rows_beside_it(name, table):
    rows = pd.read_csv(DOCS / f"{name}.csv").to_dict("records")
    assert table(rows).strip() in (DOCS / "reasoning.md").read_text(encoding="utf-8")
