"""Rules that drive and talk: the driving rule by hand, levels, organisations, liars, and language agents."""

import json

import numpy as np
import pytest

from secagent_env.convoy.crossing import Crossings, Start, draw, results
from secagent_env.convoy.rules import CrossingRules
from secagent_env.convoy.views import view_of
from solvers.convoy import language
from solvers.convoy.driving import alone, due, first_come, letting_pass, time_until, unstoppable
from solvers.convoy.language import LanguageTeam
from solvers.convoy.team import Team, play
from solvers.llm.chat import Message

RULES = CrossingRules()
TWO = CrossingRules(num_vehicles=2, full_information=True)

# --- Driving ------------------------------------------------------------------------------------------------------


def test_the_time_until_a_place_by_hand():
    way, zero = np.array([20.0, 0.0, -1.0]), np.zeros(3)
    assert time_until(way, np.full(3, 10.0), zero).tolist() == [2.0, 0.0, 0.0]
    # From 10 m/s for a second at −4: 8 m, then 6 m/s; at −12 it stands after 4.17 m.
    assert time_until(np.array(20.0), np.array(10.0), np.array(-4.0)) == pytest.approx(3.0)
    assert time_until(np.array(4.5), np.array(10.0), np.array(-4.0)) == pytest.approx(0.5)
    assert time_until(np.array(5.0), np.array(10.0), np.array(-12.0)) == np.inf
    assert time_until(np.array(5.0), np.array(0.0), np.array(0.0)) == np.inf


def test_who_is_due_first_comes_first():
    assert due(np.array([-24.9, 0.0, 10.0]), np.array([10.0, 5.0, 5.0])).tolist() == [2.0, 0.0, np.inf]
    crossings = Crossings(
        TWO, Start(np.array([[-40.0, -30.0], [-30.0, -40.0]]), np.full((2, 2), 10.0)), np.random.default_rng(0)
    )
    assert first_come(view_of(crossings)).tolist() == [[[False, True], [False, False]], [[False, False], [True, False]]]


def test_who_yields_enters_when_the_other_has_left():
    start = Start(np.array([[-40.0, -30.0]]), np.array([[10.0, 10.0]]))
    view = view_of(Crossings(TWO, start, np.random.default_rng(0)))
    limit = letting_pass(view, first_come(view))[0]
    leaves = (30 - 1.75 + 3.15 + 1.0) / 10 + 0.3
    way = 40 + 1.75 - 3.15 - 1.0  # the middle of the zone is at 1.75 m on lane 0
    assert limit[0] == pytest.approx(2 * (way - 10 * leaves) / leaves**2)
    assert limit[1] == alone(np.array(10.0)) == 2.0


def test_who_can_no_longer_stop_is_told_by_hand():
    # At 12 m/s and 6 m/s² it takes 12 m; the zone on lane 1 begins at −1.75 − 3.15 m.
    start = Start(np.array([[-40.0, -16.8], [-40.0, -17.0]]), np.full((2, 2), 12.0))
    view = view_of(Crossings(TWO, start, np.random.default_rng(0)))
    assert unstoppable(view)[:, 0, 1].tolist() == [True, False]
    assert not unstoppable(view)[:, 1, 0].any()


def test_decisions_for_a_crossing_set_when_claims_are_made():
    start = Start(np.array([[-60.0, -44.9]]), np.array([[10.0, 10.0]]))  # due in 5.5 and 4 s
    playing = Team().begin(TWO, 1)
    playing.first = np.array([[1, 0]])
    crossings = Crossings(Team().rules(TWO), start, np.random.default_rng(0))
    assert playing.act(crossings).go.tolist() == [[1, 0]]
    plain = Team().begin(TWO, 1)
    assert plain.act(crossings).go.tolist() == [[0, 0]]


def test_full_information_avoids_collisions_and_no_communication_does_not():
    figures = {}
    for name, options in {
        "none": {"level": "nothing"},
        "intent": {"level": "intent"},
        "full": {"level": "nothing", "full_information": True},
    }.items():
        figures[name] = results(play(RULES, Team(**options), 150, 2))
    assert figures["none"]["collided"].mean() > 0.5
    assert figures["intent"]["collided"].mean() < 0.1
    assert figures["full"]["collided"].mean() <= 0.01
    assert figures["full"]["late"].mean() == 0
    assert figures["none"]["bits"].sum() == figures["full"]["bits"].sum() == 0


def test_open_corners_need_no_communication():
    open_ = CrossingRules(setback_m=60.0)
    assert results(play(open_, Team(level="nothing"), 100, 2))["collided"].mean() < 0.1


# --- Levels and organisations ----------------------------------------------------------------------------------


def test_levels_send_fewer_and_fewer_bits():
    bits = [
        results(play(RULES, Team(level=level), 40, 2))["bits"].mean() for level in ("information", "decision", "intent")
    ]
    assert bits[0] > 2 * bits[1] > 4 * bits[2] > 0


@pytest.mark.parametrize("level", ["information", "decision", "intent"])
def test_a_roadside_unit_decides(level: str):
    crossings = play(RULES, Team(level=level, roadside=True), 40, 2)
    assert crossings.tally.sent[:, -1].min() > 0
    assert results(crossings)["collided"].mean() < 0.2


def test_who_hears_no_order_stops():
    silent = CrossingRules(cut_rate=1.0)
    found = results(play(silent, Team(level="intent", roadside=True), 10, 2))
    assert found["late"].all()
    assert not found["collided"].any()


def test_the_same_seed_is_the_same_crossing_and_teams_share_starts():
    first, again = (play(RULES, Team(organisation="independent"), 20, 5) for _ in range(2))
    assert first.seconds.tolist() == again.seconds.tolist()
    assert first.tally.bits.tolist() == again.tally.bits.tolist()
    other = play(RULES, Team(level="nothing"), 20, 5)
    assert other.start.place.tolist() == first.start.place.tolist()
    assert play(RULES, Team(), 20, 6).start.place.tolist() != first.start.place.tolist()


def test_faults_are_survived():
    crossings = play(CrossingRules(nan_rate=0.3, cut_rate=0.3), Team(), 40, 2)
    assert crossings.tally.cut.sum() > 0
    assert crossings.tally.nan.sum() > 0
    assert np.isfinite(crossings.place).all()


def test_a_liar_gains_and_costs():
    honest, claims, feigns = (play(RULES, Team(lie=lie), 200, 3) for lie in ("", "claims", "feigns"))
    assert claims.seconds[~claims.collided, -1].mean() < honest.seconds[~honest.collided, -1].mean()
    assert claims.seconds[~claims.collided, :-1].mean() > honest.seconds[~honest.collided, :-1].mean()
    assert feigns.collided.mean() > honest.collided.mean() + 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "gossip"}, "unknown level"),
        ({"lie": "bluff"}, "unknown lie"),
        ({"lie": "claims", "level": "decision"}, "a lie is about an intent"),
        ({"roadside": True, "level": "nothing"}, "decides nothing"),
    ],
)
def test_bad_teams_are_told(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Team(**options)


# --- Language ---------------------------------------------------------------------------------------------------


def test_the_stand_in_reads_the_prompt_and_goes_where_it_is_first():
    start = draw(RULES, np.random.default_rng(4), 1)
    crossed = LanguageTeam().cross(RULES, start, 4)
    assert LanguageTeam().name == "convoy (no LLM)"
    assert set(crossed.decisions) <= {"go", "yield"}
    assert "go" in crossed.decisions
    assert crossed.troubles == ("",) * 4
    again = LanguageTeam().cross(RULES, start, 4)
    assert again.crossings.seconds.tolist() == crossed.crossings.seconds.tolist()
    facts = {"you": {"vehicle": 1, "due_in_s": 2.0}, "on_crossing_lanes": [{"vehicle": 0, "due_in_s": 2.0}]}
    told = Message("user", f"{language.FACTS}{json.dumps(facts)}\nDo you?")
    assert json.loads(language.reply([told], 0))["decision"] == "yield"
    facts["on_crossing_lanes"][0]["due_in_s"] = 2.1
    told = Message("user", f"{language.FACTS}{json.dumps(facts)}\nDo you?")
    assert json.loads(language.reply([told], 0))["decision"] == "go"
    with pytest.raises(ValueError, match="no prompt of a crossing"):
        language.reply([Message("user", "hello")], 0)


def test_controls_decide_in_the_models_place():
    start = draw(RULES, np.random.default_rng(4), 1)
    team = LanguageTeam(control="coin")
    assert team.name == "convoy (coin)"
    tosses = [team.cross(RULES, start, seed).decisions for seed in range(12)]
    assert team.cross(RULES, start, 5).decisions == tosses[5]
    going = sum(decisions.count("go") for decisions in tosses)
    assert 12 < going < 36  # of 48, within 3.5 standard deviations
    for control, decision in (("all go", "go"), ("all yield", "yield")):
        assert LanguageTeam(control=control).cross(RULES, start, 1).decisions == (decision,) * 4
    with pytest.raises(ValueError, match="unknown control 'dice'"):
        LanguageTeam(control="dice")
    with pytest.raises(ValueError, match="leave out control, or the model"):
        LanguageTeam(control="coin", model="some", base_url="http://127.0.0.1:1/v1")


def test_the_prompt_holds_what_the_vehicle_knows_and_no_more():
    start = Start(np.array([[-40.0, -50.0]]), np.array([[10.0, 12.0]]))
    blind = Crossings(CrossingRules(num_vehicles=2), start, np.random.default_rng(0))
    seeing = Crossings(TWO, start, np.random.default_rng(0))
    told = [language.prompt(view_of(crossings), 0)[-1].content for crossings in (blind, seeing)]
    assert '"on_crossing_lanes": []' in told[0]
    assert '"vehicle": 1, "before_the_middle_m": 50.0, "speed_m_s": 12.0, "due_in_s": 3.76' in told[1]


def test_replies_that_cannot_be_used_leave_the_rules(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(language, "reply", lambda messages, seed: '{"decision": "fly"}')
    crossed = LanguageTeam().cross(RULES, draw(RULES, np.random.default_rng(4), 1), 4)
    assert crossed.decisions == ("",) * 4
    assert all("decision" in trouble for trouble in crossed.troubles)
    assert crossed.crossings.over


def test_replies_are_recorded_and_replayed(tmp_path):
    start, file = draw(RULES, np.random.default_rng(4), 1), str(tmp_path / "talk.jsonl")
    asked = LanguageTeam(transcript=file).cross(RULES, start, 4)
    replayed = LanguageTeam(replay=file).cross(RULES, start, 4)
    assert replayed.decisions == asked.decisions
    assert replayed.crossings.seconds.tolist() == asked.crossings.seconds.tolist()


def test_language_agents_cross_one_by_one():
    with pytest.raises(ValueError, match="one by one, got 2"):
        LanguageTeam().cross(RULES, draw(RULES, np.random.default_rng(4), 2))
