"""Passages as thoughts: which are chosen, by which reward, and that no label is seen."""

import numpy as np
import pytest

from secagent_env.questions import Question
from solvers.planning import MalformedThought, make
from solvers.planning.passages import Reading, SimilarPassages, agreement, confidence, planned_answer
from solvers.reasoning import Answer

RNG = np.random.default_rng(0)


class Scale:
    """A reader that says B if a text says so, the surer the fewer others it reads; and fails if it sees a label."""

    name = "scale"

    def answer(self, question, texts, rng):
        votes = [text.count("B") for text in texts]
        return Answer(int(any(votes)), confidence=sum(votes) / len(texts))


def reading(*texts):
    question = Question(key="q", text="Which?", options=("A", "B"), answer=0)
    similarity = np.linspace(0.9, 0.1, len(texts))
    return Reading(question, texts, similarity, Scale())


def test_the_rewards_by_hand():
    state = reading("A", "B", "A", "B")
    assert confidence(state, [(0,), (1,), (0, 1)]) == [0.0, 1.0, 0.5]
    assert agreement(state, [(0,), (0, 1)]) == [0.5, 0.5]
    assert agreement(reading("A", "A", "B"), [(0, 1), (2,)]) == pytest.approx([2 / 3, 1 / 3])
    assert SimilarPassages().score(state, (0, 3), RNG) == pytest.approx(0.5)


def test_a_choice_grows_is_exchanged_and_merged():
    state, proposer = reading(*"ABABABA"), SimilarPassages()
    grown = proposer.propose(state, (0, 1), RNG)
    assert len(grown) == 3
    assert {0, 1} < set(grown)
    full = proposer.propose(state, (0, 1, 2, 3, 4), RNG)
    assert len(set(full)) == 5
    assert set(full) & {5, 6}
    assert proposer.merge(state, (0, 4, 6), (1, 4, 5), RNG) == (0, 1, 4, 5, 6)
    assert proposer.merge(state, (0, 4, 6, 2), (1, 4, 5), RNG) == (0, 1, 2, 4, 5)
    with pytest.raises(MalformedThought, match="no passage left"):
        proposer.propose(reading("A", "B"), (0, 1), RNG)


@pytest.mark.parametrize("name", ["chain", "tree", "graph"])
def test_confidence_finds_the_passage_that_answers(name):
    state = reading("A", "A", "A", "B", "A")
    answer, choice = planned_answer(state, make(name), "confidence", 8, seed=1)
    assert answer.option == 1
    assert 3 in choice
    assert planned_answer(state, make(name), "confidence", 8, seed=1)[1] == choice
    assert planned_answer(state, make(name), "self", 8, seed=1)[1] == (0, 1, 2)


def test_bad_input_is_told():
    with pytest.raises(ValueError, match="unknown reward 'sure'"):
        planned_answer(reading("A"), make("tree"), "sure", 4, 0)
    with pytest.raises(ValueError, match="at least one text"):
        planned_answer(reading(), make("tree"), "self", 4, 0)


def test_a_reward_of_ones_own_chooses():
    def one_passage_of_the_last(state, choices):
        return [float(3 in choice) - 0.1 * len(choice) for choice in choices]

    _, choice = planned_answer(reading("A", "A", "A", "B"), make("chain"), one_passage_of_the_last, 8, seed=1, first=1)
    assert 3 in choice
