"""DPC and the certified optimum of the power control game, its players, and the comparison with the paper."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from secagent_env.power_control import Game, is_feasible, least_powers, rates, sample_game, sinr
from secagent_env.power_control.feasibility import interference_matrix
from solvers.power_control import DPC, Fixed, dpc, optimum, play
from solvers.power_control.players import agent_index

BY_HAND = Game(gain=[[2.0, 0.5], [1.0, 1.0]], target_rate=[1.0, math.log2(1.5)], initial_power_w=[3.0, 2.0])
ALIKE = Game(gain=np.ones((2, 2)), target_rate=[1.0, 1.0], initial_power_w=[1.0, 1.0])

seeds = st.integers(0, 2**32)


# --- DPC ----------------------------------------------------------------------------------------------------


def test_dpc_by_hand():
    powers = dpc(BY_HAND, 1)
    assert powers.shape == (2, 2)
    assert powers[1].tolist() == pytest.approx([3 / 2, 2 * 0.5 / 0.8], rel=1e-14)


def test_dpc_reaches_the_least_powers():
    assert dpc(BY_HAND, 200)[-1] == pytest.approx([6 / 7, 5 / 7], rel=1e-12)


def test_dpc_ends_at_the_limit_where_targets_cannot_be_reached():
    assert dpc(ALIKE, 20)[-1].tolist() == [10.0, 10.0]


@pytest.mark.parametrize(("n", "watt"), [(2, 16.60), (4, 27.83), (10, 57.04)])
def test_dpc_spends_what_the_paper_says(n, watt):
    """The paper says 16.5, 28.3 and 76.8 W; these are means of 20 000 draws computed independently of this project."""
    games = sample_game(n, 0, (1000,), feasible=False)
    total = dpc(games, 10)[-1].sum(axis=-1)
    assert total.mean() == pytest.approx(watt, abs=3 * total.std() / math.sqrt(1000))


@pytest.mark.parametrize("talk", [True, False])
def test_the_player_is_the_batched_algorithm(talk):
    games = sample_game(4, 2, (5,))
    powers = dpc(games, 10)
    for i, game in enumerate(games):
        record = play(game, DPC(), talk=talk)
        assert record.power_w == pytest.approx(powers[:, i], rel=1e-9)
        assert record.rate == pytest.approx(rates(game, powers[:, i]), rel=1e-9)


# --- The optimum --------------------------------------------------------------------------------------------


def test_the_optimum_by_hand():
    best = optimum(BY_HAND)
    assert best.feasible
    assert best.power_w.tolist() == pytest.approx([6 / 7, 5 / 7], rel=1e-14)
    assert best.total_power_bound_w == pytest.approx(11 / 7, rel=1e-14)
    assert best.fraction == best.fraction_bound == 1.0
    # Both at full power hear 10 W of each other: SINR 10 / 11 of the target SINR 1.
    best = optimum(ALIKE)
    assert not best.feasible
    assert best.power_w.tolist() == pytest.approx([10.0, 10.0], rel=1e-12)
    assert best.fraction == pytest.approx(10 / 11, rel=1e-12)
    assert best.fraction_bound == pytest.approx(10 / 11, rel=1e-12)
    assert math.isinf(best.total_power_bound_w)


@pytest.mark.parametrize("gain", [np.eye(2), [[1.0, 0.0], [4.0, 1.0]], [[1.0, 4.0], [0.0, 1.0]]])
def test_pairs_that_hardly_meet_have_a_certificate_too(gain):
    best = optimum(Game(gain=gain, target_rate=[4.0, 1.0], initial_power_w=[1.0, 1.0]))
    assert not best.feasible
    assert best.fraction <= 10 / 15 * (1 + 1e-12)  # what the first pair reaches alone, of a target SINR of 15
    assert 0 <= best.gap < 1e-9


def solved(game, fraction=1.0):
    """The least total power at which every pair has a fraction of its target SINR, by linear programming, or None."""
    matrix = np.eye(game.num_pairs) - fraction * interference_matrix(game)
    noise = fraction * game.target_sinr / game.own_gain
    found = optimize.linprog(np.ones(len(noise)), -matrix, -noise, bounds=(0, game.max_power_w), method="highs")
    return found.fun if found.status == 0 else None


@given(seeds, st.integers(1, 6))
def test_the_least_power_is_that_of_a_linear_program(seed, n):
    game = sample_game(n, seed, feasible=True)
    best = optimum(game)
    assert best.total_power_w == pytest.approx(solved(game), rel=1e-6)
    assert abs(best.gap) < 1e-9
    assert (rates(game, best.power_w) >= game.target_rate * (1 - 1e-9)).all()
    assert (best.power_w <= game.max_power_w).all()


@given(seeds, st.integers(1, 6))
def test_the_largest_fraction_is_that_of_linear_programs(seed, n):
    game = sample_game(n, seed, feasible=False)
    best = optimum(game)
    assert 0 < best.fraction < 1
    assert abs(best.gap) < 1e-9
    assert sinr(game, best.power_w) / game.target_sinr == pytest.approx(np.full(n, best.fraction), rel=1e-9)
    assert best.power_w.max() == pytest.approx(game.max_power_w, rel=1e-9)
    assert solved(game, best.fraction * (1 - 1e-5)) is not None
    assert solved(game, best.fraction_bound * (1 + 1e-5)) is None


@given(seeds, st.sampled_from([True, False]))
def test_no_powers_break_a_bound(seed, feasible):
    game = sample_game(3, seed, feasible=feasible)
    best = optimum(game)
    rng = np.random.default_rng(seed)
    power = np.concatenate(
        [rng.uniform(0, game.max_power_w, (200, 3)), np.clip(best.power_w * rng.uniform(0.9, 1.1, (200, 3)), 0, 10)]
    )
    many = game._map(lambda array: np.broadcast_to(array, (400, *array.shape)))
    share = np.min(sinr(many, power) / many.target_sinr, axis=-1)
    if feasible:
        assert (power.sum(axis=-1)[share >= 1] >= best.total_power_bound_w * (1 - 1e-12)).all()
    else:
        assert (share <= best.fraction_bound * (1 + 1e-12)).all()


def test_a_batch_of_optima():
    games = sample_game(3, 0, (2, 3))
    best = optimum(games)
    assert best.power_w.shape == (2, 3, 3)
    assert np.array_equal(best.feasible, is_feasible(games))
    for i, j in np.ndindex(2, 3):
        one = optimum(games[i, j])
        assert one.power_w == pytest.approx(best.power_w[i, j], rel=1e-9)
        assert one.fraction == pytest.approx(best.fraction[i, j], rel=1e-9)
        assert one.gap == pytest.approx(best.gap[i, j], abs=1e-9)


# --- Players ------------------------------------------------------------------------------------------------


class Scripted:
    """Sends what it was told to, and keeps what it saw."""

    def __init__(self, actions):
        self.actions = actions
        self.seen = []
        self.seeds = []

    def reset(self, seed):
        self.seeds.append(seed)
        self.seen = []

    def act(self, agent, observation):
        self.seen.append((agent, observation))
        return self.actions[agent]


def test_fixed_powers_stay():
    record = play(BY_HAND, Fixed(least_powers(BY_HAND)), rounds=3)
    assert record.power_w[0].tolist() == [3.0, 2.0]
    assert record.power_w[1:] == pytest.approx(np.tile([6 / 7, 5 / 7], (3, 1)), rel=1e-14)
    assert record.rate[-1] == pytest.approx(BY_HAND.target_rate, rel=1e-12)
    assert record.rounds == len(record.deliveries) == 3


def test_a_player_sees_only_its_own():
    scripted = Scripted({"pair_0": {"power": 4.0, "messages": {"pair_1": "less, please"}}, "pair_1": 1.0})
    record = play(BY_HAND, scripted, rounds=2, seed=9)
    assert scripted.seeds == [9]
    assert [agent for agent, _ in scripted.seen] == ["pair_0", "pair_1"] * 2
    seen = scripted.seen[3][1]
    assert set(seen) == {"power", "rate", "targets", "round", "messages"}
    assert seen["power"].tolist() == [1.0]
    assert seen["rate"].tolist() == pytest.approx([math.log2(1 + 1 / (1 + 0.5 * 4))])
    assert seen["targets"].tolist() == BY_HAND.target_rate.tolist()
    assert seen["round"] == 1
    assert seen["messages"] == {"pair_0": "less, please"}
    assert record.messages_sent == {"pair_0": 2, "pair_1": 0}


def test_players_by_agent():
    record = play(BY_HAND, {"pair_0": Fixed([7.0, 0.0]), "pair_1": DPC()}, rounds=1)
    assert record.power_w[1].tolist() == pytest.approx([7.0, 1.25], rel=1e-12)
    with pytest.raises(ValueError, match="one for each of pair_0, pair_1"):
        play(BY_HAND, {"pair_0": DPC()})


def test_a_player_with_a_bad_action():
    with pytest.raises(ValueError, match="pair_0 must be one power in W"):
        play(BY_HAND, Scripted({"pair_0": "loud", "pair_1": 1.0}))


def test_names_of_agents():
    assert agent_index("pair_12") == 12
    for name in ("pair_", "pair_01", "user_1", "pair_-1", "pair_²"):
        with pytest.raises(ValueError, match="an agent is called"):
            agent_index(name)
