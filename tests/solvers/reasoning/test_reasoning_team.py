"""The team: who is asked, what is sent, how it is voted; and the agents' tools."""

import math

import numpy as np
import pytest
from hashing_encoder import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from secagent_env import questions, sample_instance
from secagent_env.questions import Question
from solvers.knowledge.corpus import explanations
from solvers.knowledge.store.base import KnowledgeBase
from solvers.llm.chat import CapReached, EndpointError
from solvers.reasoning.answer import Answer
from solvers.reasoning.simulated import SimulatedReasoner
from solvers.reasoning.team import Supervisor, ask_all
from solvers.reasoning.tools import Calculator, Converter, Search

ENCODER = HashingEncoder()
QUESTION = Question("q", "What is a beam?", ("Light", "A shaped signal", "Noise"), 1, explanation="x", group="beam")


class Says:
    """Always says the same, and remembers what it was given."""

    name = "says"

    def __init__(self, option, error=None):
        self.option, self.error, self.seen = option, error, []

    def answer(self, question, texts, rng):
        self.seen.append((question.key, tuple(texts), rng.random()))
        if self.error is not None:
            raise self.error
        return Answer(self.option, fault="" if self.option is not None else "refusal")


def mask(size, *chosen):
    return np.isin(np.arange(size), chosen)


def test_only_the_selected_are_asked():
    team = [Says(0), Says(1), Says(1), Says(0)]
    verdict = Supervisor(team).ask(QUESTION, mask(4, 1, 2, 3))
    assert verdict.option == 1
    assert list(verdict.answers) == [1, 2, 3]
    assert verdict.tally.counts == (1, 2, 0)
    assert [len(agent.seen) for agent in team] == [0, 1, 1, 1]
    assert verdict.texts == ()


def test_a_decision_says_who_is_asked():
    network = sample_instance("small", seed=1)
    decision = solvers.make("exact").solve(network, seed=0).decision
    verdict = Supervisor([Says(2) for _ in range(6)]).ask(QUESTION, decision)
    assert list(verdict.answers) == np.flatnonzero(decision.selection).tolist()


def test_an_agent_draws_the_same_whoever_else_is_asked():
    team = [Says(0) for _ in range(5)]
    supervisor = Supervisor(team)
    supervisor.ask(QUESTION, mask(5, 3), seed=7)
    supervisor.ask(QUESTION, mask(5, 0, 3, 4), seed=7)
    supervisor.ask(QUESTION, mask(5, 3), seed=8)
    first, again, other = (seen[2] for seen in team[3].seen)
    assert first == again != other
    assert team[0].seen[0][2] != first


def test_ties_are_broken_by_chance_from_the_seed():
    supervisor = Supervisor([Says(0), Says(2)])
    won = [supervisor.ask(QUESTION, mask(2, 0, 1), seed=seed).option for seed in range(60)]
    assert set(won) == {0, 2}
    assert 15 < won.count(0) < 45
    assert won == [supervisor.ask(QUESTION, mask(2, 0, 1), seed=seed).option for seed in range(60)]


def test_a_weighted_vote_follows_the_accurate():
    team = [Says(0), Says(0), Says(1)]
    accuracy = [0.4, 0.4, 0.95]
    assert Supervisor(team).ask(QUESTION, mask(3, 0, 1, 2)).option == 0
    assert Supervisor(team, voting="weighted").ask(QUESTION, mask(3, 0, 1, 2), accuracy=accuracy).option == 1
    with pytest.raises(ValueError, match="accuracies of all 3 agents"):
        Supervisor(team, voting="weighted").ask(QUESTION, mask(3, 0))


def test_many_questions_have_a_row_each():
    questions = [QUESTION, Question("r", "Is it?", ("Yes", "No"), 0, category="c")]
    rows = ask_all(Supervisor([Says(1), Says(1), Says(None), Says(0)]), questions, mask(4, 0, 1, 2))
    common = {"option": 1, "answers": {0: 1, 1: 1, 2: None}, "faults": {"refusal": 1}}
    assert rows == [
        {"key": "q", "category": "", "right": True, "votes": (0, 2, 0), **common},
        {"key": "r", "category": "c", "right": False, "votes": (0, 2), **common},
    ]


def test_many_questions_are_answered_as_one_by_one():
    sample = questions.load("sample")[:20]
    supervisor = Supervisor([SimulatedReasoner(0.6)] * 5)
    rows = ask_all(supervisor, sample, mask(5, 0, 2, 4), seed=3)
    alone = [supervisor.ask(question, mask(5, 0, 2, 4), seed=3).option for question in sample]
    assert [row["option"] for row in rows] == alone
    assert [row["right"] for row in rows].count(True) == sum(
        option == question.answer for option, question in zip(alone, sample, strict=True)
    )


def test_faults_are_counted_and_have_no_vote():
    gone, full = EndpointError("nobody answers there"), CapReached("max_calls=3 leaves no room")
    team = [Says(None), Says(2), Says(0, gone), Says(1, full)]
    verdict = Supervisor(team).ask(QUESTION, mask(4, 0, 1, 2, 3))
    assert verdict.option == 2
    assert verdict.faults == {"cap": 1, "refusal": 1, "unreachable": 1}
    nothing = Supervisor(team).ask(QUESTION, mask(4, 0, 3))
    assert nothing.option is None
    assert nothing.tally.counts == (0, 0, 0)
    with pytest.raises(EndpointError, match="nobody answers there"):
        Supervisor(team).ask(QUESTION, mask(4, 2))


def test_knowledge_is_sent_but_not_what_tells_the_answer():
    sample = questions.load("sample")
    base = KnowledgeBase.build(explanations(sample), ENCODER)
    agent = Says(0)
    supervisor = Supervisor([agent], knowledge=base, encoder=ENCODER, passages=4)
    for question in sample:
        texts = supervisor.ask(question, mask(1, 0)).texts
        assert len(texts) == 4
        assert question.explanation not in texts
    assert agent.seen[-1][1] == texts
    assert Supervisor([agent], knowledge=base.select([]), encoder=ENCODER).ask(sample[0], mask(1, 0)).texts == ()
    assert Supervisor([agent], knowledge=base, encoder=ENCODER, passages=0).ask(sample[0], mask(1, 0)).texts == ()


def test_more_simulated_agents_are_right_more_often():
    sample = questions.load("sample")
    supervisor = Supervisor([SimulatedReasoner(0.6)] * 15)
    right = {
        count: sum(
            supervisor.ask(question, mask(15, *range(count)), seed=seed).option == question.answer
            for seed in range(12)
            for question in sample
        )
        / (12 * len(sample))
        for count in (1, 15)
    }
    assert right[1] == pytest.approx(0.6, abs=0.07)
    assert right[15] > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reasoners": []}, "at least one"),
        ({"voting": "majorty"}, "did you mean 'majority'"),
        ({"passages": -1}, "passages must be"),
        ({"knowledge": KnowledgeBase.build([], ENCODER)}, "needs the encoder"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        Supervisor(**{"reasoners": [Says(0)], **options})


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (np.array([True]), "2 times True or False"),
        (np.array([1, 0]), "2 times True or False"),
        (np.array([False, False]), "nobody is selected"),
    ],
)
def test_bad_selections_are_told(selection, message):
    with pytest.raises(ValueError, match=message):
        Supervisor([Says(0), Says(1)]).ask(QUESTION, selection)


# --- tools -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("10*log10(2) + 3", "6.0103"),
        ("-(2 + 3) ** 2 / 5", "-5"),
        ("2^10", "1024"),
        ("sqrt(2)", "1.41421"),
        ("1/0", "the value is not finite"),
        ("9**9**9", "the value is not finite"),
        ("(-8)**0.5", "the value is not finite"),
        ("ln(0)", "no expression"),
        ("__import__('os').system('true')", "no expression"),
        ("(lambda: 1)()", "no expression"),
        ("[1][0]", "no expression"),
        ("'a'*9", "no expression"),
        ("(" * 399, "no expression"),
        ("", "no expression"),
    ],
)
def test_the_calculator(text, result):
    output = Calculator().run(text)
    assert result in output
    if "no expression" not in result:
        assert output == result


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_tools_take_any_text(text):
    assert Calculator().run(text)
    assert Converter().run(text)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("30 dBm to W", "1 W"),
        ("2 W to dBm", "33.0103 dBm"),
        ("3 dB to ratio", "1.99526 ratio"),
        ("0.5 ratio to dB", "-3.0103 dB"),
        ("-107 dBm to mW", "1.99526e-11 mW"),
        ("1 W to ratio", "W is not of the kind of ratio"),
        ("0 W to dBm", "the value is not finite"),
        ("1e9 dB to ratio", "the value is not finite"),
        ("warm to cold", "this cannot be converted"),
    ],
)
def test_the_converter(text, result):
    assert Converter().run(text).startswith(result)


@given(st.floats(1e-12, 1e3))
@settings(deadline=None)
def test_conversions_undo_each_other(power):
    there = Converter().run(f"{power!r} W to dBm")
    back = Converter().run(f"{there} to W")
    assert float(back.split()[0]) == pytest.approx(power, rel=1e-4)
    assert float(there.split()[0]) == pytest.approx(10 * math.log10(power / 1e-3), abs=1e-3)


def test_the_search_leaves_a_group_out():
    sample = questions.load("sample")
    base = KnowledgeBase.build(explanations(sample), ENCODER)
    search = Search(base, ENCODER, passages=2)
    question = sample[0]
    assert question.explanation in search.run(question.explanation)
    assert question.explanation not in search.excluding(question.group).run(question.explanation)
    assert Search(base.select([]), ENCODER).run("anything") == "nothing was found"
