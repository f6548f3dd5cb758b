"""Targets that change in the middle of a game: by hand, who sees them, seeds, batches, and the default as it was."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils import seeding
from vector_conformance import check_vector_env

from secagent_env.power_control import Game, IntentChange, Match, NewTargets, is_feasible, parallel_env, sample_game
from secagent_env.power_control.changes import with_targets
from secagent_env.power_control.generator import draw_games

pytest.importorskip("pettingzoo")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports games of its own that are deprecated
    from pettingzoo.test import parallel_api_test, parallel_seed_test

ID = "secagent_env:secagent/PowerControl-v0"
BY_HAND = Game(gain=[[2.0, 0.5], [1.0, 1.0]], target_rate=[1.0, 0.5], initial_power_w=[3.0, 2.0])
RAISED = {"round": 2, "pairs": 2, "scale": (1.2, 2.0), "feasible": True}


def scalar(**arguments):
    return gymnasium.make(ID, **arguments).unwrapped


# --- By hand ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", ["all", "own"])
def test_a_match_by_hand(seen):
    match = Match(
        BY_HAND, rounds=3, new_targets=NewTargets(round=1, target_rate=np.array([1.0, 0.8])), targets_seen=seen
    )
    assert match.observe("pair_1")["targets"].tolist() == [1.0, 0.5]
    match.advance({"pair_0": 3.0, "pair_1": 2.0})
    assert match.observe("pair_1")["targets"].tolist() == [1.0, 0.8]
    assert match.observe("pair_0")["targets"].tolist() == ([1.0, 0.8] if seen == "all" else [1.0, 0.5])
    match.advance({"pair_0": 3.0, "pair_1": 2.0})
    assert match.record.target_rate.tolist() == [[1.0, 0.5], [1.0, 0.5], [1.0, 0.8]]
    assert match.record.game.target_rate.tolist() == [1.0, 0.8]
    assert BY_HAND.target_rate.tolist() == [1.0, 0.5]


def test_a_round_counts_by_the_targets_that_held_in_it():
    env = parallel_env(2, rounds=3, intent_change={"round": 1})
    env.reset(seed=0, options={"game": BY_HAND, "new_target_rate": [1.0, 0.8]})
    rate = np.log2([1 + 6 / 3, 1 + 2 / 2.5])
    rewards, infos = [], []
    for _ in range(3):
        _, reward, _, _, info = env.step({"pair_0": 3.0, "pair_1": 2.0})
        rewards.append(reward["pair_0"])
        infos.append(info["pair_1"]["rate_gap"])
    first, later = (-np.abs(np.array([1.0, target]) - rate).mean() for target in (0.5, 0.8))
    assert rewards == pytest.approx([first, later, later])
    assert infos == pytest.approx([0.8 - rate[1]] * 3)


def test_the_controller_sees_the_new_targets_and_the_record_keeps_both():
    env = scalar(num_pairs=2, rounds=3, intent_change={"round": 2})
    env.reset(seed=0, options={"game": BY_HAND, "new_target_rate": [1.5, 0.5]})
    action, rate = env.encode([3.0, 2.0]), np.log2([3.0, 1.8])
    seen, rewards = [], []
    for _ in range(3):
        observation, reward, *_ = env.step(action)
        seen.append(observation[4:6].tolist())
        rewards.append(reward)
    assert seen == [[1.0, 0.5], [1.5, 0.5], [1.5, 0.5]]
    gaps = [np.abs(np.array(target) - rate).mean() for target in ([1.0, 0.5], [1.0, 0.5], [1.5, 0.5])]
    assert rewards == pytest.approx([-gap for gap in gaps], abs=1e-6)
    assert env.record.target_rate.tolist() == [[1.0, 0.5], [1.0, 0.5], [1.0, 0.5], [1.5, 0.5]]


# --- The default --------------------------------------------------------------------------------------------


def test_without_a_change_a_reset_draws_a_game_and_nothing_else():
    random, env, controller = seeding.np_random(3)[0], parallel_env(), scalar()
    for seed in (3, None, None):
        env.reset(seed=seed)
        controller.reset(seed=seed)
        game = draw_games(4, [random])[0]
        for name in ("gain", "target_rate", "initial_power_w"):
            assert (getattr(env.game, name) == getattr(game, name)).all()
            assert (getattr(controller.game, name) == getattr(game, name)).all()


@pytest.mark.parametrize("talk", [True, False])
def test_until_the_change_all_is_as_without_one(talk):
    plain, changed = parallel_env(talk=talk, rounds=4), parallel_env(talk=talk, rounds=4, intent_change={"round": 2})
    first, second = plain.reset(seed=5)[0], changed.reset(seed=5)[0]
    for played in range(5):
        alike = (
            all(np.array_equal(first[a][k], second[a][k]) for a in first for k in ("rate", "targets"))
            if talk
            else (all(np.array_equal(first[a], second[a]) for a in first))
        )
        assert alike == (played < 2)
        if played < 4:
            first, second = (env.step(dict.fromkeys(env.agents, 2.0))[0] for env in (plain, changed))


# --- Draws --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("feasible", [True, False, None])
def test_new_targets_are_drawn_as_asked(feasible):
    change = IntentChange(round=2, pairs=2, scale=(1.2, 2.0), feasible=feasible)
    generators = [np.random.default_rng(i) for i in range(200)]
    games, new = change.drawn(generators, lambda some: draw_games(4, some, feasible=True))
    ratio = new / games.target_rate
    assert ((ratio != 1).sum(axis=-1) == 2).all()
    drawn = ratio[ratio != 1]
    assert 1.2 <= drawn.min() < 1.25
    assert 1.75 < drawn.max() <= 2.0
    assert set(np.argmax(ratio != 1, axis=-1)) == {0, 1, 2}
    assert is_feasible(games).all()
    found = set(is_feasible(with_targets(games, new)).tolist())
    assert found == ({True, False} if feasible is None else {feasible})


def test_a_game_and_its_new_targets_depend_on_their_generator_alone():
    change = IntentChange(round=2, scale=(1.2, 2.0), feasible=True)

    def drawn(seeds):
        return change.drawn([np.random.default_rng(i) for i in seeds], lambda some: draw_games(3, some))

    games, new = drawn(range(50))
    for i in (0, 7, 49):
        [one], [its] = drawn([i])
        assert (its == new[i]).all()
        assert (one.gain == games[i].gain).all()


def test_a_given_game_keeps_its_channels_and_gets_targets_that_fit():
    game = sample_game(3, 1, feasible=True)
    env = parallel_env(3, intent_change={"round": 5, "pairs": 3, "scale": (0.3, 3.0), "feasible": False})
    env.reset(seed=0, options={"game": game})
    for _ in range(5):
        env.step(dict.fromkeys(env.agents, 1.0))
    assert (env.game.gain == game.gain).all()
    assert not is_feasible(env.game)


# --- Conformance --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [RAISED, {"round": 1, "pairs": 1}])
def test_the_vector_environment_conforms(arguments):
    check_vector_env(
        lambda size: (
            gymnasium.make_vec(ID, size, "vector_entry_point", num_pairs=3, rounds=4, intent_change=arguments).unwrapped
        ),
        lambda: scalar(num_pairs=3, rounds=4, intent_change=arguments),
    )


@pytest.mark.parametrize("seen", ["all", "own"])
def test_pettingzoo_checks_it(seen):
    parallel_api_test(parallel_env(intent_change=RAISED, targets_seen=seen), num_cycles=30)
    parallel_seed_test(lambda: parallel_env(intent_change=RAISED, targets_seen=seen), num_cycles=30)


def test_the_picture_and_the_text_show_a_game_whose_targets_changed():
    pytest.importorskip("matplotlib")
    for mode in ("rgb_array", "ansi"):
        env = parallel_env(3, rounds=3, intent_change={"round": 1}, render_mode=mode)
        env.reset(seed=0)
        env.step(dict.fromkeys(env.agents, 1.0))
        env.step(dict.fromkeys(env.agents, 1.0))
        assert len(env.render()) > 0


# --- Bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "intent_change must say after which round targets change"),
        ({"round": 10}, "intent_change round must be less than the 10 rounds of the game, got 10"),
        ({"round": 0}, "intent_change round must be an integer ≥ 1"),
        ({"round": 2, "pairs": 5}, "intent_change pairs must be an integer from 1 to 4, got 5"),
        ({"round": 2, "scale": (0.0, 1.0)}, r"intent_change scale\[0\] must be a finite number > 0"),
        ({"round": 2, "scale": (2.0, 1.0)}, "intent_change scale must be a .low, high. range"),
        ({"round": 2, "feasible": 1}, "intent_change feasible must be True or False"),
        ({"rounds": 2}, "unknown intent_change argument 'rounds'; did you mean 'round'"),
        (5, "intent_change must be an IntentChange or a dict of its arguments, got 5"),
    ],
)
def test_bad_changes_are_told(change, told):
    for make in (parallel_env, scalar):
        with pytest.raises(ValueError, match=told):
            make(intent_change=change)


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ([1.0, 1.0, 1.0], r"must have shape \(2,\), a target rate for each pair, got \(3,\)"),
        ([1.0, np.nan], "must be finite target rates > 0"),
        ([1.0, 0.0], "must be finite target rates > 0"),
        ("high", "must be target rates in bit/s/Hz"),
    ],
)
def test_bad_new_targets_are_told(targets, told):
    for env in (parallel_env(2, intent_change={"round": 2}), scalar(num_pairs=2, intent_change={"round": 2})):
        with pytest.raises(ValueError, match=told):
            env.reset(seed=0, options={"new_target_rate": targets})


def test_other_bad_input_is_told():
    with pytest.raises(ValueError, match="needs an environment with intent_change"):
        scalar(num_pairs=2).reset(options={"new_target_rate": [1.0, 1.0]})
    with pytest.raises(ValueError, match="unknown targets_seen 'none'"):
        parallel_env(targets_seen="none")
    with pytest.raises(ValueError, match="the round of new targets must be an integer from 1 to 2, got 3"):
        Match(BY_HAND, rounds=3, new_targets=NewTargets(round=3, target_rate=np.ones(2)))
    with pytest.raises(ValueError, match=r"new targets must have shape \(2,\)"):
        Match(BY_HAND, rounds=3, new_targets=NewTargets(round=1, target_rate=np.ones(3)))
    alone = Game(gain=[[1.0]], target_rate=[1.0], initial_power_w=[1.0])
    with pytest.raises(ValueError, match="no new targets that cannot all be reached in 10000 tries"):
        IntentChange(round=1, scale=(0.5, 0.9), feasible=False).of_games(
            Game.stack([alone]), [np.random.default_rng(0)]
        )
