"""Chain, tree and graph of thoughts: what a thought grows from, at equal numbers, and what malformed ones cost."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers import planning
from solvers.planning.rewards import random_rewards, self_evaluation
from solvers.planning.thoughts import MalformedThought, Path, Thought, reward_of


class Scripted:
    """A proposer that counts: its n-th thought is the number n; it records what each grew from."""

    name = "scripted"

    def __init__(self, bad=()):
        self.grew, self.bad = [], set(bad)

    def _next(self, *parents):
        self.grew.append(parents)
        if len(self.grew) in self.bad:
            raise MalformedThought("the reply is empty")
        return len(self.grew)

    def propose(self, state, last, rng):
        return self._next(*(() if last is None else (last,)))

    def merge(self, state, first, second, rng):
        return self._next(first, second)

    def score(self, state, content, rng):
        return -content


def table(rewards):
    return lambda state, contents: [rewards[content] for content in contents]


def plan(name, rewards, budget, proposer=None, **more):
    proposer = proposer or Scripted()
    path = planning.make(name).plan("state", proposer, table(rewards), budget, np.random.default_rng(0), **more)
    return path, proposer


# Thought n earns RISING[n]; 2 and 3 are the best of the first level.
FIRST = {0: 0.0, 1: 0.1, 2: 0.4, 3: 0.3, 4: 0.2, 5: 0.5, 6: 0.9, 7: 0.0, 8: 0.0}


def test_a_chain_grows_from_the_last_thought_and_answers_with_the_best():
    path, proposer = plan("chain", FIRST, 4)
    assert proposer.grew == [(), (1,), (2,), (3,)]
    assert path.content == 2
    assert [thought.content for thought in path.steps] == [1, 2]


def test_a_tree_grows_from_the_two_best_thoughts_of_all_levels():
    path, proposer = plan("tree", FIRST, 8)
    assert proposer.grew == [(), (), (), (), (2,), (3,), (2,), (3,)]
    assert path.content == 6
    assert [thought.content for thought in path.steps] == [3, 6]


def test_a_graph_merges_the_two_best_branches_first():
    path, proposer = plan("graph", FIRST, 8)
    assert proposer.grew == [(), (), (), (), (2, 3), (2,), (3,), (2,)]
    assert path.content == 6  # grew from 2 alone
    merged, _ = plan("graph", {**FIRST, 6: 0.0}, 8)
    assert [thought.content for thought in merged.steps] == [2, 3, 5]


def test_a_graph_merges_no_thought_with_its_own_parent_and_no_pair_twice():
    # The best are 2 and 5, which merges 2 and 3; their next pair that is apart is 2 with 4.
    _, proposer = plan("graph", {**FIRST, 5: 1.0, 6: 0.0}, 9 - 1)
    later = planning.make("graph").plan(
        "state", proposer := Scripted(), table(dict.fromkeys(range(13), 0.0) | {2: 0.4, 3: 0.3, 4: 0.2, 5: 1.0}), 12,
        np.random.default_rng(0),
    )  # fmt: skip
    merges = [parents for parents in proposer.grew if len(parents) == 2]
    assert merges == [(2, 3), (5, 4)]
    assert later.content == 5


def test_a_root_is_evaluated_beyond_the_budget_and_starts_within_it():
    path, proposer = plan("tree", FIRST | {9: 0.7}, 3, root=0, starts=[9])
    assert [thought.content for thought in path.thoughts] == [0, 9, 1, 2]
    assert proposer.grew == [(9,), (0,)]
    assert path.content == 9
    none, proposer = plan("chain", FIRST, 2, root=0, starts=[4, 3, 2])
    assert proposer.grew == []
    assert [thought.content for thought in none.thoughts] == [0, 4, 3]


@given(
    st.sampled_from(planning.names()),
    st.integers(1, 30),
    st.sets(st.integers(1, 30)),
    st.lists(st.floats(allow_nan=True), min_size=31, max_size=31),
)
def test_all_planners_ask_for_the_same_number_and_answer_with_the_best(name, budget, bad, rewards):
    path, proposer = plan(name, rewards, budget, Scripted(bad))
    assert len(proposer.grew) == path.calls == budget
    assert len(path.lost) == len([n for n in bad if n <= budget])
    usable = [n for n in range(1, budget + 1) if n not in bad]
    assert [thought.content for thought in path.thoughts] == usable
    if usable:
        assert reward_of(rewards[path.content]) == max(reward_of(rewards[n]) for n in usable)
        assert path.steps[-1].content == path.content
    else:
        assert path.content is None
        assert path.steps == ()


def test_nan_is_never_better_than_a_number_and_the_later_of_equals_wins():
    path, _ = plan("chain", {1: -5.0, 2: math.nan, 3: -7.0}, 3)
    assert path.content == 1
    assert path.thoughts[1].reward == -math.inf
    assert Path((Thought(1, 0.5), Thought(2, 0.5))).best == 1
    assert reward_of("much") == -math.inf


def test_other_rewards_change_the_answer_and_nothing_else():
    proposer = Scripted()
    rng = np.random.default_rng(3)
    path = planning.make("tree").plan("state", proposer, self_evaluation(proposer, rng), 8, rng)
    assert path.content == 1  # it likes small numbers
    answers = {
        planning.make("tree").plan(
            "state", Scripted(), random_rewards(np.random.default_rng(seed)), 8, np.random.default_rng(0)
        ).content
        for seed in range(40)
    }  # fmt: skip
    assert len(answers) > 3


def test_bad_input_is_told():
    with pytest.raises(ValueError, match="unknown planner 'three'; did you mean 'tree'"):
        planning.make("three")
    with pytest.raises(ValueError, match="beam must be an integer ≥ 1"):
        planning.make("tree", beam=0)
    with pytest.raises(ValueError, match="budget must be an integer ≥ 1"):
        plan("chain", FIRST, 0)
