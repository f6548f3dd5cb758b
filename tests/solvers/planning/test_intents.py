"""Agents that tell information, decisions or intents: messages by hand, a game by hand, DPC, lies, and bad messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagent_env.power_control import Game, IntentChange, NewTargets, least_powers, sample_game, sinr
from secagent_env.power_control.changes import with_targets
from solvers.planning.intents import LEVELS, MOST_STEP, IntentPlayer, _Mind, intent_in, intent_text
from solvers.power_control import DPC, dpc
from solvers.power_control.players import play

GAME = sample_game(4, 3, feasible=True)
AFTER, ROUNDS = 6, 12
NEW = IntentChange(round=AFTER, scale=(1.3, 1.6), feasible=True).of_games(
    Game.stack([GAME]), [np.random.default_rng(1)]
)[0]


def played(level, game=GAME, new=NEW, after=AFTER, rounds=ROUNDS, **options):
    player = IntentPlayer(level=level, change_round=after, **options)
    return play(game, player, rounds, new_targets=NewTargets(round=after, target_rate=new), targets_seen="own")


@given(st.floats(2.0**-9, 2.0**4))
def test_a_told_target_is_near(target):
    assert intent_in(intent_text(target)) == pytest.approx(target, rel=0.021)
    assert len(intent_text(target)) == 2


def test_intents_by_hand():
    assert (intent_text(2.0**-10), intent_text(2.0**5), intent_text(1e9)) == ("00", "ff", "ff")
    assert intent_in("33") == pytest.approx(2.0**-7)  # 51 of 255 steps: a fifth of 15 octaves
    assert [intent_in(text) for text in ("", "3", "333", "xx", "next 1")] == [None] * 5


def test_none_is_dpc():
    record = played("none")
    before = np.asarray(dpc(GAME, AFTER))
    later = np.asarray(dpc(with_targets(GAME, NEW).replace(initial_power_w=before[-1]), ROUNDS - AFTER))
    np.testing.assert_allclose(record.power_w, np.concatenate([before, later[1:]]), rtol=1e-9)
    same = play(GAME, DPC(), ROUNDS, new_targets=NewTargets(round=AFTER, target_rate=NEW), targets_seen="own")
    np.testing.assert_allclose(record.power_w, same.power_w, rtol=1e-12)
    assert not any(delivery.messages for delivery in record.deliveries)


@pytest.mark.parametrize("level", LEVELS)
def test_until_the_change_all_levels_are_dpc(level):
    np.testing.assert_allclose(played(level).power_w[: AFTER + 1], np.asarray(dpc(GAME, AFTER)), rtol=1e-9)


def test_what_is_told_by_level():
    texts = {}
    for level in LEVELS[1:]:
        deliveries = played(level).deliveries
        assert all(m.text.startswith("power ") for delivery in deliveries[:AFTER] for m in delivery.messages)
        texts[level] = [{m.text for m in delivery.messages} for delivery in deliveries[AFTER:]]
    changed = int(np.flatnonzero(GAME.target_rate != NEW)[0])
    assert texts["intent"] == [{intent_text(NEW[changed])}] + [set()] * (ROUNDS - AFTER - 1)
    assert all(len(told) == 4 and all(t.startswith("next ") for t in told) for told in texts["decision"])
    assert all(len(told) == 4 and all(t.startswith("power ") for t in told) for told in texts["information"])


def test_two_pairs_by_hand_meet_new_targets_in_the_second_round():
    # Rounds with different powers tell both agents g_ji / g_ii and 1 / g_ii; the plan is the solution of two equations.
    game = Game(gain=[[2.0, 0.5], [0.4, 1.0]], target_rate=[1.0, 1.0], initial_power_w=[4.0, 1.0])
    new = np.array([2.0, 1.0])
    power = np.linalg.solve([[2.0, -3 * 0.4], [-0.5, 1.0]], [3.0, 1.0])  # γ = 3 and 1: 2 p0 = 3 (1 + 0.4 p1), …
    record = played("intent", game, new, after=5, rounds=8)
    np.testing.assert_allclose(record.power_w[7], power, rtol=0.01)
    slow = played("none", game, new, after=5, rounds=8)
    assert np.abs(slow.power_w[7] - power).max() > 10 * np.abs(record.power_w[7] - power).max()
    # In the first round the pair whose target rose takes DPC's step, and the other does not know.
    np.testing.assert_allclose(record.power_w[6], slow.power_w[6], rtol=1e-9)


def test_an_intent_is_of_use_if_it_is_told_and_true():
    best = least_powers(with_targets(GAME, NEW))
    told, kept, false = (
        np.abs(played("intent", **options).power_w[AFTER + 2] - best).sum()
        for options in ({}, {"tells": False}, {"lie": 2.0})
    )
    assert told < 0.5 * kept
    assert told < 0.5 * false
    assert not any(delivery.messages for delivery in played("intent", tells=False).deliveries[AFTER:])


def test_the_predictions_are_unbiased_where_nothing_moves():
    # From the fixed point on, what was told of two rounds predicts the same powers.
    still = GAME.replace(initial_power_w=least_powers(GAME))
    for level in ("information", "decision"):
        power = played(level, still, new=GAME.target_rate).power_w
        np.testing.assert_allclose(power, np.broadcast_to(power[0], power.shape), rtol=2e-3)


def test_what_a_level_is_told_acts_on_its_powers():
    plain = played("none").power_w
    for level in ("information", "decision", "intent"):
        difference = np.abs(played(level).power_w - plain).max(axis=1)
        assert difference[AFTER + 2 :].max() > 1e-3


@pytest.mark.parametrize("text", ["", "zz", "power x rate 1", "next -1", "next 1e999", "power 1e999 rate 1", "a" * 300])
@pytest.mark.parametrize("level", LEVELS)
def test_texts_that_say_nothing_are_passed_over(level, text):
    class Strange(IntentPlayer):
        def act(self, agent, observation):
            action = super().act(agent, observation)
            if agent != "pair_0" or level == "none":
                return action
            power = action["power"] if isinstance(action, dict) else action
            return {"power": power, "messages": {"pair_1": text}}

    player = Strange(level=level, change_round=AFTER)
    record = play(GAME, player, ROUNDS, new_targets=NewTargets(round=AFTER, target_rate=NEW), targets_seen="own")
    assert np.isfinite(record.power_w).all()
    assert np.isfinite(record.rate).all()


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match="unknown level 'intents'; did you mean 'intent'"):
        IntentPlayer(level="intents", change_round=3)
    with pytest.raises(ValueError, match="change_round must be an integer ≥ 1"):
        IntentPlayer(level="none", change_round=0)
    with pytest.raises(ValueError, match="lie must be a finite number > 0"):
        IntentPlayer(level="intent", change_round=3, lie=0.0)
    with pytest.raises(ValueError, match="tells must be True or False"):
        IntentPlayer(level="intent", change_round=3, tells=1)


@pytest.mark.parametrize("rises", [True, False])
def test_who_is_told_that_another_grows_louder_takes_more_than_dpc(rises):
    player = IntentPlayer(level="decision", change_round=1)
    for number, power in enumerate((1.0, 1.0, 1.0, 2.0, 4.0) if rises else (4.0, 4.0, 4.0, 2.0, 1.0)):
        said = "power 1 rate 1" if number == 1 else f"next {power}"
        seen = {"power": [2.0], "rate": [1.0], "targets": [1.0, 1.0], "round": number, "messages": {"pair_1": said}}
        chosen = player.act("pair_0", seen)["power"]
    assert (chosen > 2.0) == rises
    assert chosen != 2.0


def test_what_another_aims_at_is_read_from_two_of_its_rounds():
    """From SINR 0.5 to twice the power, it aims at 1; it has 0.8 then, and takes a quarter more."""
    mind = _Mind(IntentPlayer(level="information", change_round=1), 0, ("pair_0", "pair_1"))
    mind._power = [np.array([3.0, 1.0]), np.array([3.0, 2.0]), np.array([2.0, np.nan])]
    mind._rate = [np.log2([2.0, 1.5]), np.log2([2.0, 1.8]), np.log2([2.0, np.nan])]
    game = sample_game(2, 5, feasible=True)
    now, then = mind._informed(game)
    assert now == pytest.approx([2.0, 2.5])
    lacks = 1.0 / sinr(game, now)[1]
    assert then[1] == pytest.approx(2.5 * np.clip(lacks, 1 / MOST_STEP, MOST_STEP))
