"""Means with bootstrap intervals, on which instances they are taken, and how the table writes them."""

import math

import numpy as np
import pytest
from scipy import stats

from eval.compare.summary import common_instances, summarise
from eval.compare.table import markdown
from eval.stats.formatting import count, fixed, percent, with_unit
from eval.stats.statistics import Interval, bootstrap_mean, crossed_mean, excess, interval_in, share, spread

pandas = pytest.importorskip("pandas")


def test_interval_of_normal_data_is_that_of_theory():
    values = np.random.default_rng(1).normal(5, 2, 200)
    interval = bootstrap_mean(values)
    half = 1.96 * values.std(ddof=1) / math.sqrt(200)
    assert interval.mean == values.mean()
    assert interval.size == 200
    np.testing.assert_allclose([interval.low, interval.high], [values.mean() - half, values.mean() + half], atol=0.03)


def test_a_geometric_mean_exceeds_one_by_what_its_logarithm_says():
    logarithm = bootstrap_mean(np.log([2.0, 8.0]))
    found = excess(logarithm)
    assert (found.mean, found.size) == (pytest.approx(3), 2)
    assert (found.low, found.high) == (pytest.approx(math.exp(logarithm.low) - 1), pytest.approx(7))


def test_intervals_cover_the_true_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    intervals = [bootstrap_mean(rng.exponential(1.0, 30), seed=i) for i in range(200)]
    covered = sum(interval.low <= 1 <= interval.high for interval in intervals)
    assert 0.88 <= covered / 200 <= 0.99


def test_the_interval_of_skewed_data_is_skewed():
    values = np.r_[np.zeros(18), 10.0, 30.0]
    interval = bootstrap_mean(values)
    assert interval.high - interval.mean > 1.2 * (interval.mean - interval.low)


def test_same_seed_same_interval_whatever_the_scale():
    values = np.random.default_rng(2).random(20)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)
    tiny = bootstrap_mean(values * 1e-9)  # nanojoules
    assert tiny.low == pytest.approx(bootstrap_mean(values).low * 1e-9, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "mean", "bounds"),
    [
        ([], math.nan, (math.nan, math.nan)),
        ([3.0], 3.0, (math.nan, math.nan)),
        ([3.0, 3.0, 3.0], 3.0, (3.0, 3.0)),
        ([0.0, 0.0], 0.0, (0.0, 0.0)),
    ],
)
def test_degenerate_data(values: list[float], mean: float, bounds: tuple[float, float]):
    interval = bootstrap_mean(values)
    np.testing.assert_equal((interval.mean, interval.low, interval.high), (mean, *bounds))
    assert interval.size == len(values)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 1.0 + 1e-15, 1.0], [1.0] * 19 + [2.0], [1e-300, 2e-300, 1e300]])
def test_nearly_degenerate_data_has_finite_bounds_around_the_mean(values: list[float]):
    interval = bootstrap_mean(values)
    assert interval.low <= interval.mean <= interval.high
    assert math.isfinite(interval.low)
    assert math.isfinite(interval.high)


def test_bad_input():
    with pytest.raises(ValueError, match="finite values"):
        bootstrap_mean([1.0, math.nan])
    with pytest.raises(ValueError, match="confidence must be between 0 and 1, got 95"):
        bootstrap_mean([1.0, 2.0], confidence=95)


def test_an_interval_as_columns():
    assert spread("gap", Interval(0.2, 0.1, 0.4, 9)) == {"gap": 0.2, "gap_low": 0.1, "gap_high": 0.4}
    np.testing.assert_equal(spread("gap", None), {"gap": math.nan, "gap_low": math.nan, "gap_high": math.nan})


def test_shares_have_wilsons_interval():
    found, z, p = share(8, 10), stats.norm.ppf(0.975), 0.8
    middle, half = (p + z**2 / 20) / (1 + z**2 / 10), z / (1 + z**2 / 10) * math.sqrt(p * (1 - p) / 10 + z**2 / 400)
    assert (found.mean, found.low, found.high, found.size) == pytest.approx((0.8, middle - half, middle + half, 10))
    assert share(0, 5).low == 0 < share(0, 5).high
    np.testing.assert_equal(share(0, 0), Interval(math.nan, math.nan, math.nan, 0))


def frame(feasible: dict[str, list[bool]]) -> "pandas.DataFrame":
    rows = []
    for solver, flags in feasible.items():
        for i, flag in enumerate(flags):
            row = {
                "solver": solver,
                "instance": i,
                "feasible": flag,
                "status": "feasible" if flag else "failed",
            }
            row |= {
                "message": "as it is",
                "energy_j": 1000.0 * (i + 1) if flag else math.nan,
                "lower_bound_j": 900.0,
            }
            row |= {
                "execution_energy_j": 1000.0 * (i + 1),
                "transmission_energy_j": 1.5e-8,
                "latency_s": 1332.0,
            }
            row |= {"gap": 0.5, "transmission_gap": 0.01, "evaluations": 7.0, "seconds": 0.0123}
            rows.append(row)
    return pandas.DataFrame(rows)


def test_means_are_over_the_instances_that_all_solved():
    data = frame({"a": [True, True, True, False], "b": [True, False, True, True]})
    assert common_instances(data) == [0, 2]
    a, b = summarise(data)
    assert (a.solver, a.instances, a.feasible, a.endings) == ("a", 4, 3, {"feasible": 3, "failed": 1})
    assert a.means["energy_j"].mean == b.means["energy_j"].mean == 2000
    assert a.means["energy_j"].size == 2
    assert a.means["seconds"].size == 4


def test_a_solver_that_never_succeeds_does_not_empty_the_table():
    data = frame({"a": [True, True], "never": [False, False]})
    assert common_instances(data) == [0, 1]
    assert math.isnan(summarise(data)[1].means["energy_j"].mean)
    text = markdown(data)
    assert "over the 2 of 2 instances that every solver but never solved" in text
    assert "never has no feasible decision for 2 of 2 (instances 0, 1); the first: failed, as it is." in text


def test_no_common_instance_is_said():
    text = markdown(frame({"a": [True, False], "b": [False, True]}))
    assert "No means: not one of the 2 instances was solved feasibly by every solver." in text
    assert common_instances(frame({"a": [False, False]})) == []


@pytest.mark.parametrize(
    ("interval", "unit", "text"),
    [
        (Interval(11566.2, 11526.4, 11606.0, 20), "J", "11.57 kJ [11.53, 11.61]"),
        (Interval(1.13e-8, 9.9e-9, 1.25e-8, 20), "J", "11.30 nJ [9.90, 12.50]"),
        (Interval(999.96, 999.9, 1000.1, 5), "J", "1.000 kJ [1.000, 1.000]"),
        (Interval(0.0, 0.0, 0.0, 5), "J", "0.000 J"),
        (Interval(1332.0, 1277.0, 1392.4, 5), "s", "1332 s [1277, 1392]"),
        (Interval(5.0, math.nan, math.nan, 1), "J", "5.000 J"),
        (Interval(math.nan, math.nan, math.nan, 0), "J", "–"),
        (Interval(math.inf, math.nan, math.nan, 1), "s", "inf s"),
    ],
)
def test_quantities_have_fitting_units(interval: Interval, unit: str, text: str):
    assert with_unit(interval, unit) == text


def test_other_columns():
    assert percent(Interval(1.034, 0.97, 1.1, 9)) == "103 % [97, 110]"
    assert percent(Interval(1.04e-12, 1.01e-12, 1.06e-12, 9)) == "1e-10 % [1e-10, 1e-10]"
    assert count(Interval(61.52, 58.2, 65.06, 9)) == "61.5 [58.2, 65.1]"
    assert count(Interval(12345.6, 12000.0, 13000.0, 9)) == "12346 [12000, 13000]"


def test_a_crossed_mean_draws_rows_and_columns():
    effect = np.random.default_rng(0).normal(size=80)
    expected = bootstrap_mean(effect)
    for values in (np.tile(effect, (5, 1)), np.tile(effect[:, None], (1, 5))):
        interval = crossed_mean(values)
        assert interval.mean == pytest.approx(expected.mean)
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=0.02)
    both = crossed_mean(effect[:, None] + effect[None, ::-1])
    width = 2**0.5 * (expected.high - expected.low)
    assert both.high - both.low == pytest.approx(width, rel=0.05)
    assert crossed_mean(np.ones((2, 3))).low == 1.0
    for wrong in (np.ones(3), np.full((2, 2), np.nan), np.ones((0, 3))):
        with pytest.raises(ValueError, match="matrix of finite values"):
            crossed_mean(wrong)


def test_an_interval_comes_back_from_the_columns_that_it_was_spread_over():
    row = spread("gap", Interval(0.05, 0.04, 0.07, 9))
    assert interval_in(row, "gap") == Interval(0.05, 0.04, 0.07, 0)
    assert fixed(interval_in(row, "gap"), "+.2f") == "+0.05 [+0.04, +0.07]"
    assert fixed(Interval(1.0, 1.0, 1.0, 3)) == "1.0000"
    assert fixed(Interval(np.nan, np.nan, np.nan, 0)) == "–"
