"""The sequential test: what harms is found, and what does not harm is not, more often than the stated rate."""

import numpy as np
import pytest

from solvers.knowledge.quarantine import Quarantine


def test_wealth_is_the_product_of_bets():
    watch = Quarantine(0.05)
    watch.note("p", False, True)
    assert watch.wealth("p") == pytest.approx(1.5)
    watch.note("p", True, False)
    assert watch.wealth("p") == pytest.approx(0.75)
    watch.note("p", True, True)
    assert watch.wealth("p") == pytest.approx(0.75)
    assert watch.wealth("unknown") == 1


def test_a_passage_that_always_harms_is_found_after_eight_answers():
    watch = Quarantine(0.05)
    found = [watch.note("p", False, True) for _ in range(9)]
    assert found == [False] * 7 + [True] * 2  # 1.5^7 = 17.1, 1.5^8 = 25.6, beside 1 / 0.05 = 20
    assert watch.keys == {"p": 8}


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_harmless_passages_are_quarantined_no_more_often_than_stated(rate):
    rng = np.random.default_rng(0)
    watch = Quarantine(rate)
    for key in range(400):
        for reward in rng.choice([-1, 0, 1], 300):  # the worst that is no harm: zero in the mean
            watch.note(str(key), reward >= 0, reward <= 0)
    assert 0 < len(watch.keys) / 400 <= rate + 3 * np.sqrt(rate * (1 - rate) / 400)


@pytest.mark.parametrize("rate", [0, 1, -1, float("nan")])
def test_bad_rates_are_refused(rate):
    with pytest.raises(ValueError, match="false_alarms must be"):
        Quarantine(rate)
