"""Powers proposed by a language model: the prompt, the stand-in, and replies that cannot be used."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from secagent_env.power_control import sample_game
from solvers.experience import Lesson, Situation
from solvers.llm.chat import CapReached, EndpointError, Reply
from solvers.planning import MalformedThought, make
from solvers.planning.language import LanguagePowers, PowerThoughts
from solvers.planning.players import PlanningTeam
from solvers.planning.powers import View

VIEW = View(0, np.array([2.0]), np.array([1.0]), np.array([2.0, 1.0]), 0, 4, 10.0, lessons=("Hold back.",))
RNG = np.random.default_rng(0)


class Answers:
    """A session that gives some replies, and counts its calls."""

    def __init__(self, *replies):
        self.replies, self.requests = list(replies), []

    def ask(self, requests):
        self.requests += requests
        answer = self.replies.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [Reply(answer)]

    def close(self):
        pass


def asking(*replies, **options):
    agent = LanguagePowers(PowerThoughts(**options))
    agent.close()
    agent._session = Answers(*replies)
    return agent


def test_the_prompt_is_short_and_tells_the_facts_and_lessons():
    agent = asking(bandwidth_khz=100.0)
    system, user = agent.prompt(VIEW, [4.0])
    lines = user.content.splitlines()
    assert "100 kHz" in system.content
    assert lines[0] == 'Targets: {"pair_0": 200.0, "pair_1": 100.0}'
    assert lines[1] == 'Known: "Hold back."'
    seen = json.loads(lines[2].removeprefix("Observation: "))
    # 2 W gave SINR 1, so 4 W are expected to give SINR 2.
    assert seen["power_w"] == 4.0
    assert seen["rate"] == pytest.approx(100 * np.log2(3), rel=1e-4)
    assert lines[3] == "Thoughts so far: [4.0]"
    assert len(system.content) + len(user.content) < 900


def test_a_thought_is_a_power_within_its_bounds_with_a_confidence():
    second = replace(VIEW, agent=1, round=2)
    agent = asking(
        '{"why": "more", "power_w": 40, "confidence": 9}', '{"power_w": 0}', '{"power_w": 3, "confidence": 2}'
    )
    assert agent.propose(VIEW, None, RNG) == 10.0
    assert agent.score(VIEW, 10.0, RNG) == 9.0
    assert agent.merge(VIEW, 1.0, 4.0, RNG) == pytest.approx(1e-3)
    assert agent.score(VIEW, 7.0, RNG) == 5.0
    assert agent.propose(second, None, RNG) == 3.0
    others = [replace(second, agent=0), replace(second, round=0), VIEW]
    assert [agent.score(view, 3.0, RNG) for view in (second, *others)] == [2.0, 5.0, 5.0, 5.0]
    shown = agent._session.requests[1].messages[1].content
    assert '"power_w": 2.0' in shown  # the geometric mean of the two
    assert "Thoughts so far: [1.0, 4.0]" in shown


@pytest.mark.parametrize("reply", ["", "4 W", '{"power_w": "much"}', '{"power_w": NaN}', '{"power_w": -1}', "{" * 99])
def test_a_reply_that_is_none_is_lost_and_counted(reply):
    agent = asking(reply)
    with pytest.raises(MalformedThought):
        agent.propose(VIEW, None, RNG)
    assert agent.faults == {"unusable answer": 1}
    assert not agent.unfinished


def test_an_endpoint_that_ends_ends_the_thoughts_and_at_the_beginning_is_an_error():
    agent = asking('{"power_w": 1}', EndpointError("gone"))
    assert agent.propose(VIEW, None, RNG) == 1.0
    for _ in range(2):
        with pytest.raises(MalformedThought, match="no more answers: gone"):
            agent.propose(VIEW, None, RNG)
    assert agent.unfinished
    capped = asking('{"power_w": 1}', CapReached("enough"))
    capped.propose(VIEW, None, RNG)
    with pytest.raises(MalformedThought, match="enough"):
        capped.propose(VIEW, None, RNG)
    assert not capped.unfinished
    with pytest.raises(EndpointError):
        asking(EndpointError("refused")).propose(VIEW, None, RNG)


def test_agents_ask_at_the_same_time_and_each_gets_its_own_answer():
    endpoint = {"model": "tiny", "base_url": "http://127.0.0.1:9/v1"}
    agent, both = asking(**endpoint, concurrency=2), threading.Barrier(2)

    class Together:
        def ask(self, requests):
            both.wait(30)
            return [Reply('{"power_w": 1}' if '"agent": "pair_0"' in requests[0].messages[1].content else "none")]

    agent._session = Together()
    team = PlanningTeam(planner=make("chain"), proposer=agent, budget=1, reward="random")
    played = team.play(sample_game(2, 5), 8)
    assert 1.0 in played.record.power_w[:, 0]
    assert 1.0 not in played.record.power_w[:, 1]
    assert agent.faults == {"unusable answer": 8}
    assert asking(**endpoint, concurrency=2, max_calls=99).concurrency == asking().concurrency == 1


def test_the_stand_in_plays_and_does_not_read_lessons():
    lesson = Lesson.written("a", Situation(2, 1.0, 0.0, 0.3), 0.1, 1.0)
    with LanguagePowers(PowerThoughts()) as proposer:
        assert proposer.name == "GenAINet's stand-in (no LLM)"
        team = PlanningTeam(planner=make("chain"), proposer=proposer, budget=1)
        game = sample_game(2, 5)
        played = team.play(game, 2)
        told = team.play(game, 2, recall=lambda view: [lesson])
    assert played.lost == ()
    np.testing.assert_array_equal(played.record.power_w, told.record.power_w)


def test_bad_options_are_told():
    with pytest.raises(ValueError, match="bandwidth_khz must be a finite number > 0"):
        PowerThoughts(bandwidth_khz=0)
