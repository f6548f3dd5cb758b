"""The power control game: its physics against hand-computed values and a slow reference, draws, metrics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from secagent_env.power_control import Game, is_feasible, least_powers, metrics, rates, sample_game, sinr
from secagent_env.power_control.feasibility import interference_matrix, spectral_radius

# SINRs at (3, 2) W: 2·3 / (1 + 1·2) = 2 and 1·2 / (1 + 0.5·3) = 0.8. Target SINRs 1 and 0.5.
GAIN = [[2.0, 0.5], [1.0, 1.0]]
BY_HAND = Game(gain=GAIN, target_rate=[1.0, math.log2(1.5)], initial_power_w=[3.0, 2.0])

seeds = st.integers(0, 2**32)


def reference_rates(game, power):
    """Rates by loops over the formula of the paper."""
    n = len(power)
    found = []
    for i in range(n):
        heard = sum(float(game.gain[j, i]) * power[j] for j in range(n) if j != i)
        found.append(math.log(1 + float(game.gain[i, i]) * power[i] / (game.noise_w + heard)) / math.log(2))
    return found


def test_rates_by_hand():
    assert sinr(BY_HAND, BY_HAND.initial_power_w).tolist() == pytest.approx([2.0, 0.8], rel=1e-14)
    assert rates(BY_HAND, BY_HAND.initial_power_w).tolist() == pytest.approx([math.log2(3), math.log2(1.8)], rel=1e-14)
    assert BY_HAND.target_sinr.tolist() == pytest.approx([1.0, 0.5], rel=1e-14)


def test_least_powers_by_hand():
    # p1 = (p2 + 1) / 2 and p2 = (p1 / 2 + 1) / 2.
    assert interference_matrix(BY_HAND).tolist() == pytest.approx(np.array([[0, 0.5], [0.25, 0]]), rel=1e-14)
    assert spectral_radius(interference_matrix(BY_HAND)) == pytest.approx(math.sqrt(0.125), rel=1e-14)
    assert least_powers(BY_HAND).tolist() == pytest.approx([6 / 7, 5 / 7], rel=1e-14)
    assert is_feasible(BY_HAND)
    assert not is_feasible(BY_HAND.replace(max_power_w=0.8, initial_power_w=[0.1, 0.1]))


def test_no_powers_reach_targets_at_a_spectral_radius_of_1():
    alike = Game(gain=np.ones((2, 2)), target_rate=[1.0, 1.0], initial_power_w=[1.0, 1.0])
    assert np.isinf(least_powers(alike)).all()
    assert not is_feasible(alike)


def test_a_silent_pair_has_no_rate_and_disturbs_nobody():
    assert rates(BY_HAND, np.array([3.0, 0.0])).tolist() == pytest.approx([math.log2(7), 0.0], rel=1e-14)


@given(seeds, st.integers(1, 6))
def test_rates_as_by_loops(seed, n):
    game = sample_game(n, seed)
    power = np.random.default_rng(seed).uniform(0, 10, n)
    assert rates(game, power).tolist() == pytest.approx(reference_rates(game, power), rel=1e-12)


@given(seeds, st.integers(2, 6))
def test_the_order_of_the_pairs_does_not_matter(seed, n):
    game, rng = sample_game(n, seed), np.random.default_rng(seed)
    order, power = rng.permutation(n), rng.uniform(0, 10, n)
    other = Game(
        gain=game.gain[np.ix_(order, order)],
        target_rate=game.target_rate[order],
        initial_power_w=game.initial_power_w[order],
    )
    assert rates(other, power[order]) == pytest.approx(rates(game, power)[order], rel=1e-12)
    assert least_powers(other) == pytest.approx(least_powers(game)[order], rel=1e-6)


@given(seeds, st.floats(1e-3, 1e3))
def test_only_the_ratio_of_gains_and_noise_matters(seed, factor):
    game = sample_game(4, seed)
    scaled = game.replace(gain=game.gain * factor, noise_w=factor)
    power = game.initial_power_w
    assert rates(scaled, power) == pytest.approx(rates(game, power), rel=1e-12)
    assert least_powers(scaled) == pytest.approx(least_powers(game), rel=1e-6)


@given(seeds, st.floats(0.1, 10))
def test_powers_scale_with_the_noise(seed, factor):
    game = sample_game(4, seed)
    louder = game.replace(noise_w=factor)
    assert rates(louder, game.initial_power_w * factor) == pytest.approx(rates(game, game.initial_power_w), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_a_batch_has_the_bits_of_its_games(n):
    games = sample_game(n, 5, (3, 4))
    power = np.random.default_rng(0).uniform(0, 10, (3, 4, n))
    together, least = rates(games, power), least_powers(games)
    for i, j in np.ndindex(3, 4):
        assert np.array_equal(rates(games[i, j], power[i, j]), together[i, j])
        assert np.array_equal(least_powers(games[i, j]), least[i, j])


def test_torch_computes_the_same():
    torch = pytest.importorskip("torch")
    games = sample_game(4, 0, (8,))
    there = games.to(torch)
    found = rates(there, there.initial_power_w)
    assert found.numpy() == pytest.approx(rates(games, games.initial_power_w), rel=1e-12)
    for name in metrics.names():
        wanted = metrics.metric_of(name)(games, games.initial_power_w, rates(games, games.initial_power_w))
        got = metrics.metric_of(name)(there, there.initial_power_w, found)
        assert got.numpy() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("feasible", [True, False])
def test_feasibility_is_that_of_a_linear_program(feasible):
    games = sample_game(3, 1, (40,), feasible=feasible)
    for game in games:
        matrix = np.eye(3) - interference_matrix(game)
        noise = game.target_sinr / game.own_gain
        found = optimize.linprog(np.ones(3), -matrix, -noise, bounds=(0, game.max_power_w), method="highs")
        assert found.status == (0 if feasible else 2)


# --- Draws --------------------------------------------------------------------------------------------------


def test_a_game_depends_on_seed_and_index_alone():
    many = sample_game(3, 7, (5,), feasible=False)
    few = sample_game(3, 7, (2,), feasible=False)
    for name in Game._arrays:
        assert np.array_equal(getattr(many, name)[:2], getattr(few, name))
        assert np.array_equal(getattr(sample_game(3, 7, feasible=False), name), getattr(few, name)[0])
        assert not np.array_equal(getattr(many, name)[0], getattr(many, name)[1])
    assert not np.array_equal(sample_game(3, 8).gain, sample_game(3, 7).gain)


def test_draws_are_those_of_the_paper():
    games = sample_game(4, 0, (4000,))
    amplitude = np.sqrt(games.gain)
    assert amplitude.mean() == pytest.approx(1.0, abs=0.01)  # Rayleigh: the variance is 4 / π − 1
    assert amplitude.var() == pytest.approx(4 / math.pi - 1, abs=0.01)
    assert games.initial_power_w.min() > 1
    assert games.initial_power_w.max() < 5
    assert games.initial_power_w.mean() == pytest.approx(3.0, abs=0.05)
    scale = games.target_rate / rates(games, games.initial_power_w)
    assert (scale > 0.5).all()
    assert (scale < 1.5).all()
    assert scale.mean() == pytest.approx(1.0, abs=0.01)
    assert games.max_power_w == 10.0
    assert games.noise_w == 1.0


def test_only_games_that_fit_are_drawn():
    assert is_feasible(sample_game(4, 0, (200,), feasible=True)).all()
    assert not is_feasible(sample_game(4, 0, (200,), feasible=False)).any()
    assert 0 < is_feasible(sample_game(4, 0, (200,))).sum() < 200


def test_games_that_fit_stay_where_they_are():
    every, some = sample_game(4, 0, (50,)), sample_game(4, 0, (50,), feasible=True)
    fit = is_feasible(every)
    assert np.array_equal(every.gain[fit], some.gain[fit])


def test_a_search_without_end_ends(monkeypatch):
    monkeypatch.setattr("secagent_env.power_control.generator.MOST_TRIES", 3)
    monkeypatch.setattr("secagent_env.power_control.generator.is_feasible", lambda game: np.ones(len(game), bool))
    with pytest.raises(ValueError, match="no game of 2 pairs with feasible=False in 3 tries"):
        sample_game(2, feasible=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_pairs": 0}, "num_pairs"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"batch": (-1,)}, "batch"),
        ({"feasible": "yes"}, "feasible"),
        ({"max_power_w": 4.0}, "at least the highest initial power 5 W"),
        ({"max_power_w": math.nan}, "max_power_w"),
    ],
)
def test_bad_draws(arguments, message):
    with pytest.raises(ValueError, match=message):
        sample_game(**arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gain": np.ones((2, 3))}, "gain must have shape"),
        ({"gain": [[1.0, 1.0], [1.0, 0.0]]}, "gain must be ≥ 0, and > 0"),
        ({"gain": [[1.0, -1.0], [1.0, 1.0]]}, "gain must be ≥ 0"),
        ({"gain": [[1.0, math.nan], [1.0, 1.0]]}, "gain must be finite"),
        ({"target_rate": [1.0]}, "gain must have shape"),
        ({"target_rate": [1.0, 0.0]}, "target_rate must be > 0"),
        ({"target_rate": 1.0}, "target_rate must have shape"),
        ({"initial_power_w": [0.0, 1.0]}, "initial_power_w must be in"),
        ({"initial_power_w": [1.0, 11.0]}, "initial_power_w must be in"),
        ({"initial_power_w": np.ones((3, 2))}, "batch dimensions"),
        ({"initial_power_w": np.array([True, False])}, "floating"),
        ({"max_power_w": 0}, "max_power_w"),
        ({"noise_w": math.inf}, "noise_w"),
    ],
)
def test_bad_games(changes, message):
    with pytest.raises(ValueError, match=message):
        BY_HAND.replace(**changes)


def test_only_games_alike_are_stacked():
    both = Game.stack([BY_HAND, BY_HAND.replace(target_rate=[2.0, 2.0])])
    assert both.batch_shape == (2,)
    assert both[1].target_rate.tolist() == [2.0, 2.0]
    for games in ([], [BY_HAND, BY_HAND.replace(noise_w=2.0)], [BY_HAND, sample_game(3)]):
        with pytest.raises(ValueError, match=r"Game\.stack"):
            Game.stack(games)


# --- Metrics ------------------------------------------------------------------------------------------------


def test_metrics_by_hand():
    power, rate = np.array([3.0, 2.0]), np.array([0.5, 2.0])
    game = BY_HAND.replace(target_rate=[1.0, 1.0])
    wanted = {
        "rate_gap": -0.75,  # |0.5| and |−1|
        "shortfall": -0.25,
        "power": -5.0,
        "rate_gap_and_power": -0.75 - 0.1 * 5 / 20,
        "sum_rate": 2.5,
        "fairness": 0.5,
        "energy_efficiency": 0.5,
    }
    assert {name: float(metrics.metric_of(name)(game, power, rate)) for name in metrics.names()} == pytest.approx(
        wanted
    )


def test_silence_has_a_metric_too():
    power = np.zeros(2)
    for name in metrics.names():
        assert np.isfinite(metrics.metric_of(name)(BY_HAND, power, rates(BY_HAND, power)))


def test_any_function_is_a_metric():
    def loudest(game, power_w, rate):
        """Let the loudest pair be quiet.

        More.
        """
        return -np.max(power_w, axis=-1)

    metric = metrics.metric_of(loudest)
    assert (metric.name, metric.description) == ("loudest", "Let the loudest pair be quiet.")
    assert metric(BY_HAND, np.array([3.0, 2.0]), np.ones(2)) == -3.0
    assert metrics.metric_of(metric) is metric


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda game, power_w, rate: rate, r"must return an array of shape \(\)"),
        (lambda game, power_w, rate: np.float64(np.nan), "must be finite"),
    ],
)
def test_bad_metrics(function, message):
    with pytest.raises(ValueError, match=message):
        metrics.metric_of(function)(BY_HAND, np.ones(2), np.ones(2))


def test_an_unknown_metric():
    with pytest.raises(ValueError, match="did you mean 'rate_gap'"):
        metrics.metric_of("rate-gap")
