"""The exact accuracy of votes that are drawn from distributions."""

import numpy as np
import pytest

from solvers.reasoning.drawn_votes import expected_vote
from solvers.reasoning.vote_theory import expected_accuracy
from solvers.reasoning.votes import vote


@pytest.mark.parametrize("num_options", [2, 3, 4])
def test_agents_that_err_evenly_vote_as_theory_says(num_options):
    accuracies = np.array([0.3, 0.5, 0.8, 0.6])
    p = np.repeat(((1 - accuracies) / (num_options - 1))[None, :, None], num_options, axis=2)
    p[0, :, 1] = accuracies
    assert expected_vote(p, np.array([1])) == pytest.approx(expected_accuracy(accuracies, num_options))


def test_votes_are_those_of_a_simulation():
    rng = np.random.default_rng(0)
    p = rng.dirichlet((1.0, 0.5, 2.0), (2, 5))
    answers, draws = np.array([0, 2]), 4000
    expected = expected_vote(p, answers)
    for question, answer in enumerate(answers):
        right = 0
        for _ in range(draws):
            options = [int(rng.choice(3, p=p[question, agent])) for agent in range(5)]
            right += vote(options, 3, rng=rng).option == answer
        assert right / draws == pytest.approx(expected[question], abs=0.03)
    wins = sum(expected_vote(p, np.full(2, option)) for option in range(3))
    assert wins == pytest.approx(1)


def test_ties_are_drawn():
    p = np.eye(3)[None, [0, 1]]  # two agents, sure of different options
    assert expected_vote(np.repeat(p, 3, axis=0), np.arange(3)) == pytest.approx([0.5, 0.5, 0])


@pytest.mark.parametrize(
    ("shape", "answers", "message"),
    [((1, 0, 2), (1,), r"must be \(Q, N, m\)"), ((1, 2, 1), (1,), "must be"), ((2, 1, 2), (1,), "must be")],
)
def test_wrong_shapes_are_refused(shape, answers, message):
    with pytest.raises(ValueError, match=message):
        expected_vote(np.full(shape, 0.5), np.zeros(answers, int))


def test_what_is_no_distribution_is_refused():
    for p in ([0.6, 0.6], [1.5, -0.5]):
        with pytest.raises(ValueError, match="sum to 1"):
            expected_vote(np.array([[p]]), np.array([0]))
