"""The exact programme of two vehicles earns what it says, and nobody exceeds the bound."""

import numpy as np
import pytest

from eval.studies.convoy.cells import figures
from secagent_env.convoy.crossing import Start, draw
from secagent_env.convoy.rules import CrossingRules
from solvers.convoy.reference import Programme, bound, fastest, least_cost, on_grid
from solvers.convoy.team import Team, play

TWO = CrossingRules(num_vehicles=2, full_information=True)


@pytest.fixture(scope="module")
def programme() -> Programme:
    return Programme()


@pytest.fixture(scope="module")
def starts() -> Start:
    return on_grid(draw(TWO, np.random.default_rng(7), 60))


def test_the_programme_earns_its_value_in_the_environment(programme: Programme, starts: Start):
    running, earned = programme.play(starts)
    assert not running.collided.any()
    assert running.crossed.all()
    assert earned == pytest.approx(programme.rewards(starts), abs=1e-9)


def test_the_bound_is_above_the_programme_and_near(programme: Programme, starts: Start):
    gap = bound(TWO, starts) - programme.rewards(starts)
    assert gap.min() >= 0
    assert gap.mean() < 1.5


def test_no_rule_exceeds_the_bound(starts: Start):
    for team in (Team(level="nothing", full_information=True), Team(level="decision"), Team(level="nothing")):
        rewards = np.array(figures(play(TWO, team, starts, 3))["reward"])
        assert (rewards <= bound(TWO, starts) + 1e-9).all()


def test_alone_the_programme_is_near_the_bound_of_one(programme: Programme):
    # The second is so far ahead that they never meet.
    start = on_grid(Start(np.array([[-40.0, 20.0]]), np.array([[12.0, 12.0]])))
    one, other = (least_cost(TWO, place, np.array(12.0), 0.0) for place in start.place[0])
    gap = -(one + other) / 2 - programme.rewards(start)[0]
    assert 0 <= gap < 0.7


def test_full_throttle_by_hand():
    # From 9 m/s 2 s to the limit, 24 m, then 15 m/s.
    assert fastest(np.array(54.0), np.array(9.0)) == pytest.approx(4.0)
    assert fastest(np.array(24.0), np.array(9.0)) == pytest.approx(2.0)


def test_the_least_cost_by_hand():
    # 2·10⁻⁵ · 1500 = 0.03: T* = (0.03 · 60²)^(1/3) = 4.7622 s, between the fastest and 60 / 10 s.
    t = (0.03 * 3600) ** (1 / 3)
    expected = t + 0.015 * ((60 / t) ** 2 - 100)
    assert least_cost(TWO, np.array(-30.0), np.array(10.0), 0.0) == pytest.approx(expected)
    assert least_cost(TWO, np.array(-30.0), np.array(10.0), 9.0) == pytest.approx(9.0)


def test_what_is_not_on_the_grid_is_told(programme: Programme):
    with pytest.raises(ValueError, match="whole metres"):
        programme.rewards(Start(np.array([[-40.5, -30.0]]), np.array([[10.0, 10.0]])))
    with pytest.raises(ValueError, match="two vehicles, got 3"):
        Programme(CrossingRules(num_vehicles=3))
