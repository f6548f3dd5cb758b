"""Agents that plan their powers: what they can simulate, what they tell, and what they do with bad messages."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagent_env.power_control import Game, rates, sample_game
from solvers.planning import make
from solvers.planning.network import estimate
from solvers.planning.players import PlanningTeam
from solvers.planning.powers import RandomPowers, RulePowers, View, intent, own_reward, rollout_reward
from solvers.planning.reports import Ledger, numbers_in, report
from solvers.planning.thoughts import MalformedThought

TWO = Game(
    gain=np.array([[2.0, 0.5], [0.25, 1.0]]),
    target_rate=np.array([1.0, 2.0]),
    initial_power_w=np.array([1.0, 2.0]),
)


def course(game, power):
    power = np.asarray(power, float)
    return power, np.stack([rates(game, row) for row in power])


def view_of(power, rate, network=None, targets=TWO.target_rate):
    return View(0, np.asarray(power, float), np.asarray(rate, float), targets, 1, 5, 10.0, network)


def test_rounds_at_different_powers_tell_the_channels():
    power, rate = course(TWO, [[1, 2], [2, 1], [3, 3], [1, 4]])
    game = estimate(power, rate, TWO.target_rate, 10.0).game
    # Noise 1 over the own gain: 0.5 and 1; gains relative to the own one: 0.25 / 2 from pair 1, 0.5 / 1 from pair 0.
    np.testing.assert_allclose(1 / game.own_gain, [0.5, 1.0], rtol=2e-3)
    np.testing.assert_allclose(game.gain[1, 0] / game.gain[0, 0], 0.125, rtol=2e-2)
    np.testing.assert_allclose(game.gain[0, 1] / game.gain[1, 1], 0.5, rtol=2e-3)
    np.testing.assert_allclose(rates(game, np.array([5.0, 0.5])), rates(TWO, np.array([5.0, 0.5])), rtol=5e-3)


def test_what_is_not_reported_is_left_out_and_nothing_at_all_gives_the_prior():
    power, rate = course(TWO, [[1, 2], [2, 1], [3, 3], [1, 4]])
    rate[3, 1] = np.nan
    power[2] = np.nan
    known = estimate(power, rate, TWO.target_rate, 10.0).game
    few = estimate(power[[0, 1, 3]], rate[[0, 1, 3]], TWO.target_rate, 10.0).game
    np.testing.assert_allclose(known.gain, few.gain)
    nothing = estimate(np.full((2, 2), np.nan), rate[:2], TWO.target_rate, 10.0)
    np.testing.assert_allclose(nothing.game.gain, np.ones((2, 2)))
    assert nothing.response == 0.0


def test_the_answer_of_the_others_is_the_exponent_of_their_steps():
    powers = [TWO.initial_power_w]
    for _ in range(4):
        own = np.expm1(rates(TWO, powers[-1]) * np.log(2))
        powers.append(powers[-1] * (TWO.target_sinr / own) ** 0.4)
    model = estimate(*course(TWO, powers), TWO.target_rate, 10.0)
    assert model.response == pytest.approx(0.4, abs=0.03)
    still = estimate(*course(TWO, [[1, 2]] * 4), TWO.target_rate, 10.0)
    assert still.response == 0.0


def test_a_roll_out_by_hand():
    power, rate = course(TWO, [[1, 2], [1, 2], [1, 2]])
    model = replace(estimate(power, rate, TWO.target_rate, 10.0), game=TWO, response=1.0)
    # The agent takes 4 W and keeps it; pair 1 goes all the way to its target of 3 at what it saw before.
    ahead = model.after(0, np.array([4.0]), 2)
    saw = 1 * 2 / (1 + 0.5 * 1), 1 * 3.0 / (1 + 0.5 * 4)
    assert ahead[0, 0] == pytest.approx([4.0, 2 * 3 / saw[0]])
    second = min(ahead[0, 0, 1] * 3 / (ahead[0, 0, 1] / (1 + 0.5 * 4)), 10.0)
    assert ahead[1, 0] == pytest.approx([4.0, second])


def test_the_reward_of_own_rates_by_hand():
    # 1 W gave SINR 1, so 3 W give SINR 3 and a rate of 2, one above the target; own power costs 0.1 × 3 / 10.
    view = view_of([1.0], [1.0])
    np.testing.assert_allclose(own_reward(view, [1.0, 3.0]), [-0.01, -1.0 - 0.03])
    # Twice the power, and interference doubled with it: the exponent is 1 × ln²2 / (ln²2 + 1).
    answered = view_of([1.0, 2.0], [1.0, 1.0])
    exponent = np.log(2) ** 2 / (np.log(2) ** 2 + 1)
    rate = np.log2(1 + 4.0 / (2.0 * 2.0**exponent))
    np.testing.assert_allclose(own_reward(answered, [4.0]), [-abs(1 - rate) - 0.04])
    assert np.isnan(own_reward(view_of([0.0], [0.0]), [1.0])).all()
    assert rollout_reward(view, [3.0]) == own_reward(view, [3.0])


def test_the_intent_counts_gap_and_power():
    rate = rates(TWO, TWO.initial_power_w)
    wanted = -np.abs(TWO.target_rate - rate).mean() - 0.1 * 3.0 / 20.0
    assert intent(TWO, TWO.initial_power_w) == pytest.approx(wanted)


@given(st.floats(1e-6, 10), st.floats(0, 64), st.floats(1e-6, 10), st.text(max_size=40))
def test_reports_are_read_as_they_were_written_and_other_texts_are_not(power, rate, following, text):
    assert numbers_in(report(power, rate, following)) == pytest.approx((power, rate, following), rel=1e-3, abs=1e-9)
    assert numbers_in(text) is None
    assert numbers_in(report(power, rate, following) + text) is None or not text


def test_a_ledger_puts_reports_where_they_belong():
    ledger = Ledger(0, ["pair_0", "pair_1"])
    ledger.note(1.0, 0.5, {"pair_1": ""})
    assert not ledger.informed
    ledger.note(1.5, 0.6, {"pair_1": report(2.0, 0.3, 2.5)})
    assert ledger.informed
    np.testing.assert_allclose(ledger.power_w, [[1.0, 2.0], [1.5, 2.5]])
    np.testing.assert_allclose(ledger.rate, [[0.5, 0.3], [0.6, np.nan]])
    ledger.note(1.5, 0.6, {"pair_1": "My power was nan W and my rate 0 bit/s/Hz; now I take 1e999 W.", "pair_9": "hi"})
    assert ledger.unread == 2
    np.testing.assert_allclose(ledger.power_w[2], [1.5, np.nan])


@pytest.mark.parametrize("name", ["chain", "tree", "graph"])
def test_a_game_repeats_counts_and_does_better_than_with_random_rewards(name):
    games = sample_game(3, 5, (6,), feasible=False)
    ends = {}
    for reward in ("roll-out", "random"):
        team = PlanningTeam(planner=make(name), proposer=RulePowers(), reward=reward, budget=6)
        played = [team.play(games[i], 4, seed=i) for i in range(6)]
        ends[reward] = np.mean([one.reward[1:].mean() for one in played])
        assert [one.calls for one in played] == [4 * 3 * (6 + 1)] * 6
        again = team.play(games[0], 4, seed=0)
        np.testing.assert_array_equal(again.record.power_w, played[0].record.power_w)
        sent = sum(len(m.text) for d in played[0].record.deliveries for m in d.messages)
        assert played[0].report_bits == 8 * sent > 0
    assert ends["roll-out"] > ends["random"]


class Broken(RandomPowers):
    def propose(self, state, last, rng):
        raise MalformedThought("the reply is empty")

    merge = propose


def test_agents_whose_thoughts_are_malformed_keep_their_powers():
    game = sample_game(3, 5)
    played = PlanningTeam(planner=make("graph"), proposer=Broken(), budget=5).play(game, 2)
    assert played.lost == ("the reply is empty",) * (2 * 3 * 5)
    np.testing.assert_allclose(played.record.power_w[-1], game.initial_power_w)


def test_bad_options_are_told():
    with pytest.raises(ValueError, match="unknown reward 'rollout'; did you mean 'roll-out'"):
        PlanningTeam(planner=make("tree"), proposer=RandomPowers(), reward="rollout")
    with pytest.raises(ValueError, match="a match is of a single game"):
        PlanningTeam(planner=make("tree"), proposer=RandomPowers()).play(sample_game(2, 0, (3,)))
