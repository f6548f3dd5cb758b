"""Votes: who wins, what a majority is worth in theory, and that simulated agents do what the theory says."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from secagent_env.model.workload import accuracy_at_difficulty
from secagent_env.questions import Question
from solvers.reasoning.simulated import (
    SimulatedReasoner,
    common_factor,
    fitted_difficulty,
    mean_accuracy,
    voted_accuracy,
)
from solvers.reasoning.vote_theory import expected_accuracy, poisson_binomial
from solvers.reasoning.votes import log_odds_weights, vote

probabilities = st.floats(0, 1)


def question(key="q", options=4, answer=1):
    return Question(key, "Which one?", tuple("ABCDEF"[:options]), answer)


def brute_force(accuracies, options, distractor=None, herd=0.0):
    """The probability that option 0 wins, over all ways to vote; ``herd``: how often the wrong follow option 1."""
    total = 0.0
    for votes in itertools.product(range(options), repeat=len(accuracies)):
        chance = 1.0
        for p, option in zip(accuracies, votes, strict=True):
            wrong = (1 - herd) / (options - 1) + (herd if option == distractor else 0.0)
            chance *= p if option == 0 else (1 - p) * wrong
        counts = [votes.count(option) for option in range(options)]
        if counts[0] == max(counts):
            total += chance / counts.count(max(counts))
    return total


# --- a vote -------------------------------------------------------------------------------------------------


def test_the_most_votes_win_and_no_answer_is_no_vote():
    tally = vote([2, 0, 2, None, None, None], 3)
    assert (tally.option, tally.counts, tally.tied) == (2, (1.0, 0.0, 2.0), (2,))


def test_nobody_who_votes_elects_nothing():
    tally = vote([None, None], 4)
    assert (tally.option, tally.counts, tally.tied) == (None, (0.0,) * 4, ())
    assert vote([], 2).option is None


def test_ties_go_to_the_lowest_index_or_are_drawn_evenly():
    assert vote([3, 1, 3, 1], 4).option == 1
    rng = np.random.default_rng(0)
    drawn = [vote([3, 1, 0, 3, 1], 4, rng=rng) for _ in range(2000)]
    assert {tally.tied for tally in drawn} == {(1, 3)}
    assert stats.binomtest(sum(tally.option == 1 for tally in drawn), 2000).pvalue > 1e-3


def test_weights_outvote_a_majority_and_may_count_against():
    assert vote([0, 0, 1], 2, [1.0, 1.0, 2.5]).option == 1
    assert vote([0, 0, 1], 3, [-1.0, -1.0, -3.0]).option == 2
    assert vote([0], 2, [-1.0]).option == 1


def test_equal_sums_of_weights_are_a_tie_in_whatever_order():
    """0.1 + 0.2 + 0.3 is another float than 0.3 + 0.2 + 0.1."""
    assert vote([0, 0, 0, 1, 1, 1], 2, [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]).tied == (0, 1)


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=12))
def test_equal_weights_are_the_majority(options):
    plain, weighted = vote(options, 5), vote(options, 5, [2.0] * len(options))
    assert (plain.option, plain.tied) == (weighted.option, weighted.tied)
    assert sum(plain.counts) == len([option for option in options if option is not None])


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (([4], 4), "from 0 to 3, or None, got 4"),
        (([-1], 4), "from 0 to 3"),
        (([0], 0), "num_options"),
        (([0, 1], 2, [1.0]), "each of the 2 agents"),
        (([0, 1], 2, [1.0, math.nan]), "finite"),
    ],
)
def test_what_is_no_vote_is_said(arguments, needs):
    with pytest.raises(ValueError, match=needs):
        vote(*arguments)


# --- weights ------------------------------------------------------------------------------------------------


def test_log_odds_by_hand():
    np.testing.assert_allclose(
        log_odds_weights([0.5, 0.75, 0.25, 0.1], 2), [0, math.log(3), -math.log(3), -math.log(9)], atol=1e-12
    )
    np.testing.assert_allclose(log_odds_weights([0.25, 0.5], 4), [0, math.log(3)], atol=1e-12)
    assert np.isfinite(log_odds_weights([0.0, 1.0], 3)).all()
    with pytest.raises(ValueError, match="from 0 to 1"):
        log_odds_weights([1.2], 2)
    with pytest.raises(ValueError, match="num_options"):
        log_odds_weights([0.5], 1)


@given(st.lists(st.floats(0.05, 0.95), min_size=1, max_size=4), st.integers(2, 3))
@settings(max_examples=40, deadline=None)
def test_the_log_odds_vote_is_the_most_likely_answer(accuracies, options):
    """For every way to vote, no option is likelier to be right than the winner: no rule can do better."""
    weights = log_odds_weights(accuracies, options)
    for votes in itertools.product(range(options), repeat=len(accuracies)):
        likelihood = [
            math.prod(
                p if said == truth else (1 - p) / (options - 1) for p, said in zip(accuracies, votes, strict=True)
            )
            for truth in range(options)
        ]
        winner = vote(votes, options, weights).option
        assert likelihood[winner] >= max(likelihood) * (1 - 1e-9)


# --- theory -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accuracies", "options", "value"),
    [
        ([0.7], 4, 0.7),
        ([0.8, 0.6, 0.7], 2, 0.788),  # all three, or two of three: .336 + .144 + .224 + .084
        ([0.6, 0.6], 2, 0.6),  # .36 + .48 / 2
        ([0.5, 0.5], 3, 0.5),  # .25 + .5 / 2
        ([0.5, 0.5, 0.5], 3, 9 / 16),  # 1/2 by two or three, 3/8 with one right, a tie of three in half of that
        ([1.0, 1.0, 0.0], 5, 1.0),
        ([0.0, 0.0], 5, 0.0),
    ],
)
def test_small_votes_by_hand(accuracies, options, value):
    assert expected_accuracy(accuracies, options) == pytest.approx(value, abs=1e-12)


@given(st.lists(probabilities, min_size=1, max_size=5), st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_independent_votes_are_exact(accuracies, options):
    assert expected_accuracy(accuracies, options) == pytest.approx(brute_force(accuracies, options), abs=1e-12)


@pytest.mark.parametrize("correlation", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("options", [2, 4])
def test_correlated_votes_are_the_integral_over_the_common_factor(correlation, options):
    accuracies = np.array([0.35, 0.5, 0.8, 0.65])

    def integrand(z):
        given = stats.norm.cdf((stats.norm.ppf(accuracies) - math.sqrt(correlation) * z) / math.sqrt(1 - correlation))
        return stats.norm.pdf(z) * brute_force(given, options, distractor=1, herd=correlation)

    integral, _ = integrate.quad(integrand, -8, 8, points=list(stats.norm.ppf(accuracies)), epsabs=1e-10)
    assert expected_accuracy(accuracies, options, correlation) == pytest.approx(integral, abs=1e-8)


def test_complete_correlation_leaves_one_voter():
    """Whoever is less accurate is right on fewer of the same questions: three voters are the middle one."""
    assert expected_accuracy([0.9, 0.4, 0.6], 4, 1.0) == pytest.approx(0.6, abs=1e-12)
    assert expected_accuracy([0.9, 0.4], 4, 1.0) == pytest.approx(0.65, abs=1e-12)
    assert expected_accuracy([0.9, 0.4, 0.6], 4, 0.9999) == pytest.approx(0.6, abs=2e-3)


def test_correlation_takes_from_a_majority_what_it_adds():
    expected = [expected_accuracy([0.6] * 10, 4, correlation) for correlation in (0, 0.2, 0.5, 0.8, 1)]
    assert expected == sorted(expected, reverse=True)
    assert expected[0] > 0.93
    assert expected[-1] == pytest.approx(0.6)


@given(st.lists(probabilities, min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_the_number_of_right_ones_is_distributed(accuracies):
    distribution = poisson_binomial(np.array(accuracies))
    assert distribution.sum() == pytest.approx(1)
    assert distribution @ np.arange(len(distribution)) == pytest.approx(sum(accuracies), abs=1e-9)


@given(st.lists(st.floats(0, 0.9), min_size=1, max_size=12), st.integers(2, 5), st.floats(0, 1), st.data())
@settings(max_examples=40, deadline=None)
def test_a_better_agent_makes_no_majority_worse(accuracies, options, correlation, data):
    who = data.draw(st.integers(0, len(accuracies) - 1))
    better = [p + 0.1 * (n == who) for n, p in enumerate(accuracies)]
    before, after = (expected_accuracy(p, options, correlation) for p in (accuracies, better))
    assert 0 <= before <= after + 1e-9 <= 1 + 1e-9


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (([], 4), "nobody votes"),
        (([1.5], 4), "from 0 to 1"),
        (([0.5], 1), "num_options"),
        (([0.5], 4, 1.5), "correlation must be a finite number from 0 to 1, got 1.5"),
        (([0.5], 4, math.nan), "correlation"),
    ],
)
def test_bad_arguments_of_the_theory(arguments, needs):
    with pytest.raises(ValueError, match=needs):
        expected_accuracy(*arguments)


# --- simulated agents ---------------------------------------------------------------------------------------


def answers(reasoners, questions, rng):
    return np.array([[reasoner.answer(one, (), rng).option for reasoner in reasoners] for one in questions])


@pytest.mark.parametrize("correlation", [0.0, 0.4, 1.0])
def test_simulated_agents_are_right_as_often_as_they_should(correlation):
    questions = [question(f"q{i}", 4, i % 4) for i in range(4000)]
    reasoners = [SimulatedReasoner(p, correlation, seed=5) for p in (0.1, 0.45, 0.9)]
    right = answers(reasoners, questions, np.random.default_rng(1)) == np.array([[one.answer] for one in questions])
    for n, p in enumerate((0.25, 0.45, 0.9)):  # nobody is worse than a guess
        assert stats.binomtest(int(right[:, n].sum()), len(questions), p).pvalue > 1e-3


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7])
def test_votes_of_simulated_agents_meet_the_theory(correlation):
    accuracies, options = [0.35, 0.4, 0.5, 0.5, 0.6, 0.7], 4
    questions = [question(f"q{i}", options, i % options) for i in range(3000)]
    reasoners = [SimulatedReasoner(p, correlation, seed=2) for p in accuracies]
    rng = np.random.default_rng(3)
    rows = answers(reasoners, questions, rng)
    right = sum(
        vote(row, options, rng=rng).option == one.answer for row, one in zip(rows.tolist(), questions, strict=True)
    )
    theory = expected_accuracy(accuracies, options, correlation)
    assert stats.binomtest(int(right), len(questions), theory).pvalue > 1e-3


def test_wrong_agents_follow_the_distractor_as_often_as_the_correlation_says():
    questions = [question(f"q{i}") for i in range(3000)]
    rows = answers([SimulatedReasoner(0.25, 0.6, seed=1)], questions, np.random.default_rng(0))[:, 0]
    pairs = zip(questions, rows.tolist(), strict=True)
    wrong = [(one, option) for one, option in pairs if option != one.answer]
    followed = sum((one.answer + 1 + common_factor(1, one.key, 4)[1]) % 4 == option for one, option in wrong)
    assert stats.binomtest(followed, len(wrong), 0.6 + 0.4 / 3).pvalue > 1e-3


def test_the_factor_belongs_to_question_and_seed():
    assert common_factor(0, "a", 4) == common_factor(0, "a", 4)
    assert len({common_factor(seed, key, 4)[0] for seed in range(3) for key in ("a", "b")}) == 6
    sure = SimulatedReasoner(1.0, 0.5)
    assert all(sure.answer(question(f"q{i}"), (), np.random.default_rng(i)).option == 1 for i in range(50))
    assert sure.name == "simulated (14)"


@pytest.mark.parametrize("bad", [{"accuracy": 1.1}, {"accuracy": math.nan}, {"accuracy": 0.5, "correlation": -0.1}])
def test_bad_simulated_agents(bad):
    with pytest.raises(ValueError, match=f"{list(bad)[-1]} must be a finite number from 0 to 1"):
        SimulatedReasoner(**bad)


# --- the difficulty -----------------------------------------------------------------------------------------

NETWORKS = [np.array([0.55, 0.6, 0.7, 0.8]), np.array([0.5, 0.65, 0.65, 0.7])]


@pytest.mark.parametrize("voted", [True, False])
def test_the_fitted_difficulty_gives_what_is_wanted(voted):
    options = {3: 1, 4: 9}
    difficulty = fitted_difficulty(NETWORKS, options, 0.6, 0.3, voted=voted)
    there = [accuracy_at_difficulty(selected, difficulty) for selected in NETWORKS]
    accuracy = voted_accuracy(there, options, 0.3) if voted else mean_accuracy(there, options)
    assert accuracy == pytest.approx(0.6, abs=1e-5)


def test_the_difficulty_of_the_mean_by_hand():
    """1 − 0.4^(1/δ) = 0.36 where δ = 2.0531…: ln 0.4 / ln 0.64."""
    assert fitted_difficulty([np.array([0.6])], {4: 1.0}, 0.36, voted=False) == pytest.approx(
        math.log(0.4) / math.log(0.64), rel=1e-5
    )


def test_nothing_is_harder_than_guessing():
    with pytest.raises(ValueError, match=r"no difficulty gives an accuracy of 0.4: it lies between 0.5 and 1"):
        fitted_difficulty(NETWORKS, {2: 1}, 0.4)
