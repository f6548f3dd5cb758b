"""Paired statistics of schemes on the same instances, and means and profiles over seeds."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from eval.stats.paired import (
    cliffs_delta,
    interquartile_mean,
    over_seeds,
    paired_difference,
    paired_ratio,
    performance_profile,
    probability_larger,
)
from eval.stats.statistics import Interval

# --- Two schemes ---------------------------------------------------------------------------------------------


def test_paired_statistics_by_hand():
    values, reference = np.array([2.0, 3.0, 5.0, 6.0]), np.array([1.0, 3.0, 4.0, 8.0])
    assert paired_ratio(values, reference).mean == 1.0
    assert paired_difference(values, reference).mean == 0.0
    assert probability_larger(values, reference).mean == (1 + 0.5 + 1 + 0) / 4
    # Of the 16 pairs 7 are larger (2>1, 3>1, 5>1 3 4, 6>1 3 4 make 8), one is equal (3, 3): see below.
    larger = sum(v > r for v in values for r in reference)
    smaller = sum(v < r for v in values for r in reference)
    assert (larger, smaller) == (8, 7)
    assert cliffs_delta(values, reference) == pytest.approx((8 - 7) / 16)
    assert interquartile_mean(np.array([0.0, 1.0, 2.0, 90.0])) == 1.5


def test_what_is_equal_but_for_rounding_is_a_tie():
    values = np.array([1.0, 2.0, 3.0])
    nearly = values * (1 + 1e-12)
    assert paired_ratio(nearly, values) == Interval(1.0, 1.0, 1.0, 3)
    assert probability_larger(nearly, values) == Interval(0.5, 0.5, 0.5, 3)
    assert cliffs_delta(nearly, values) == 0.0


def test_pairing_makes_the_interval_narrow():
    rng = np.random.default_rng(0)
    reference = rng.uniform(10, 1000, 50)
    values = 1.1 * reference * rng.uniform(0.99, 1.01, 50)
    ratio = paired_ratio(values, reference)
    assert 1.09 < ratio.low < 1.1 < ratio.high < 1.11
    shuffled = paired_ratio(values, rng.permutation(reference))
    assert shuffled.high - shuffled.low > 10 * (ratio.high - ratio.low)


def test_paired_statistics_of_little_and_of_nonsense():
    one = paired_ratio(np.array([3.0]), np.array([2.0]))
    assert one.mean == 1.5
    assert np.isnan(one.low)
    assert np.isnan(paired_ratio(np.array([]), np.array([])).mean)
    assert np.isnan(cliffs_delta(np.array([]), np.array([1.0])))
    with pytest.raises(ValueError, match="on the same instances, got 1 and 2"):
        paired_difference(np.array([1.0]), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="finite values"):
        probability_larger(np.array([np.nan]), np.array([1.0]))
    with pytest.raises(ValueError, match="a mean > 0"):
        paired_ratio(np.array([1.0, 2.0]), np.array([0.0, 0.0]))


POSITIVE = hnp.arrays(float, 6, elements=st.floats(0.1, 100))


@settings(max_examples=20, deadline=None)
@given(POSITIVE, POSITIVE)
@example(np.full(6, 0.1), np.array([np.nextafter(0.1, 1), 1.0, 1.0, 1.0, 1.0, 1.0]))
def test_effect_sizes_are_antisymmetric_and_ratios_reciprocal(first: np.ndarray, second: np.ndarray):
    assert cliffs_delta(first, second) == pytest.approx(-cliffs_delta(second, first))
    there, back = probability_larger(first, second), probability_larger(second, first)
    assert there.mean + back.mean == pytest.approx(1)
    ratio = paired_ratio(first, second)
    assert ratio.mean == pytest.approx(first.mean() / second.mean())
    assert ratio.low <= ratio.mean * (1 + 1e-9) or ratio.low <= ratio.high


def test_values_that_are_equal_but_for_rounding_are_ties():
    values = np.array([1.0, 2.0, np.inf])
    rounded = np.array([np.nextafter(1.0, 2), np.nextafter(2.0, 1), np.inf])
    assert cliffs_delta(values, rounded) == 0
    assert cliffs_delta(values, rounded[:2]) == pytest.approx((3 - 1) / 6)
    assert cliffs_delta(np.array([1.0, 1.0]), np.array([1.0 + 1e-6])) == -1
    assert np.isnan(cliffs_delta(np.array([np.nan, 1.0]), np.array([1.0])))


# --- Over seeds ----------------------------------------------------------------------------------------------


def test_profiles_count_what_is_good_enough():
    gaps = np.array([[0.0, 0.02, np.nan, 0.5], [0.0, 0.0, 0.02, np.inf]])
    shares = [share.mean for share in performance_profile(gaps, [0.0, 0.02, 1.0])]
    assert shares == [3 / 8, 5 / 8, 6 / 8]
    bounds = performance_profile(gaps, [0.02])[0]
    assert 0 <= bounds.low <= 5 / 8 <= bounds.high <= 1
    assert performance_profile(np.zeros((3, 4)), [0.1])[0] == Interval(1.0, 1.0, 1.0, 3)
    assert performance_profile(np.zeros((1, 4)), [0.1])[0] == Interval(1.0, 1.0, 1.0, 4)


def test_intervals_hold_seeds_and_instances():
    rng = np.random.default_rng(0)
    of_seeds, of_instances = rng.normal(0, 1, (5, 1)), rng.normal(0, 1, (1, 400))
    noise = 0.01 * rng.normal(0, 1, (5, 400))
    seeds_alone, instances_alone = over_seeds(of_seeds + noise), over_seeds(of_instances + noise)
    assert seeds_alone.high - seeds_alone.low > 3 * (instances_alone.high - instances_alone.low)
    half = 1.96 / np.sqrt(400)
    assert instances_alone.high - instances_alone.low == pytest.approx(2 * half, rel=0.15)


def test_the_interquartile_mean_leaves_the_worst_and_the_best_seed_out():
    values = np.repeat([[0.0], [1.0], [2.0], [90.0]], 10, axis=1)
    assert over_seeds(values).mean == 1.5
    values[0] = np.nan  # infeasible everywhere: it has no mean
    values[1, :5] = np.nan
    assert over_seeds(values[:3]).mean == 1.5
    assert np.isnan(over_seeds(np.full((2, 3), np.nan)).mean)


def test_one_seed_has_the_interval_of_its_instances():
    interval = over_seeds(np.arange(100.0)[None])
    assert interval.mean == 49.5
    assert interval.low < 47 < 52 < interval.high


def test_profiles_resample_seeds_and_instances():
    # Of nine seeds six are good on every instance: only which seeds are drawn matters.
    gaps = np.repeat(np.r_[np.zeros(6), np.ones(3)][:, None], 50, axis=1)
    seeds_alone = performance_profile(gaps, [0.5])[0]
    low, high = stats.binom.ppf([0.025, 0.975], 9, 6 / 9) / 9
    assert (seeds_alone.mean, seeds_alone.low, seeds_alone.high) == pytest.approx((6 / 9, low, high))
    # Of a hundred instances sixty are good with every seed: only which instances are drawn matters.
    instances_alone = performance_profile(np.repeat(np.r_[np.zeros(60), np.ones(40)][None], 3, axis=0), [0.5])[0]
    low, high = stats.binom.ppf([0.025, 0.975], 100, 0.6) / 100
    assert (instances_alone.mean, instances_alone.size) == (pytest.approx(0.6), 3)
    assert (instances_alone.low, instances_alone.high) == pytest.approx((low, high), abs=0.011)


def test_means_over_seeds_resample_seeds_and_instances():
    seeds_alone = over_seeds(np.repeat(np.r_[np.zeros(6), np.ones(3)][:, None], 50, axis=1))
    ones = stats.binom.ppf([0.025, 0.975], 9, 3 / 9)  # of nine drawn, of which the middle five are averaged
    assert (seeds_alone.low, seeds_alone.high) == pytest.approx(np.clip((ones - 2) / 5, 0, 1))
    assert seeds_alone.mean == pytest.approx(interquartile_mean(np.r_[np.zeros(6), np.ones(3)]))
    instances_alone = over_seeds(np.repeat(np.r_[np.zeros(60), np.ones(40)][None], 3, axis=0))
    low, high = stats.binom.ppf([0.025, 0.975], 100, 0.4) / 100
    assert (instances_alone.low, instances_alone.high) == pytest.approx((low, high), abs=0.011)
    assert over_seeds(np.full((2, 3), 4.0)) == Interval(4.0, 4.0, 4.0, 2)
