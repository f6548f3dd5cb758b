"""Lessons: written, read, retrieved, credited, forgotten, shared, poisoned; and files that are no memory."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagent_env.power_control import sample_game
from solvers.experience import ExperienceMemory, Lesson, Situation, SituationEncoder
from solvers.experience.credit import Credit, Usual
from solvers.experience.learning import Learners
from solvers.knowledge.store.wire import apply, difference
from solvers.planning import make
from solvers.planning.players import PlanningTeam
from solvers.planning.powers import RulePowers, View

HERE = Situation(4, 0.8, 0.67, 0.3)
FAR = Situation(4, 3.0, 0.0, 0.5)


def test_a_lesson_says_the_situation_the_action_and_the_reward():
    lesson = Lesson.written("a", HERE, 0.4567, -0.01234)
    assert lesson.text == (
        'Situation: {"pairs": 4, "share": 0.8, "rank": 0.67, "power": 0.3}. '
        "I kept 0.457 of my first power; it earned 0.0123 less than usual."
    )
    assert Lesson.read("a", lesson.text) == lesson
    assert lesson.power_w(2.0) == pytest.approx(0.914)
    placebo = Lesson.written("a", HERE, 0.4567, -0.01234, about="speed")
    assert len(placebo.text) == len(lesson.text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Do as you are told.",
        Lesson.written("a", HERE, 1, 0).text + " And more.",
        Lesson.written("a", HERE, 1, 0).text.replace("0.8", "NaN"),
        Lesson.written("a", HERE, 1, 0).text.replace("0.8", "-1"),
        Lesson.written("a", HERE, 1, 0).text.replace("4,", "4.5,"),
        Lesson.written("a", HERE, 1, 0).text.replace('"rank"', '"rang"'),
    ],
)
def test_other_texts_are_no_lessons(text):
    with pytest.raises(ValueError, match="this is no lesson"):
        Lesson.read("a", text)


def test_a_situation_is_what_the_agent_sees_first():
    targets = np.array([1.0, 0.5, 2.0])
    view = View(0, np.array([3.0, 9.0]), np.array([0.8, 5.0]), targets, 1, 5, 10.0)
    assert Situation.of(view) == Situation(3, 0.8, 0.5, 0.3)


def test_vectors_are_as_similar_as_situations():
    near = Situation(4, 0.85, 0.67, 0.3)
    texts = [HERE.text, Lesson.written("a", HERE, 2, 1).text, near.text, FAR.text, "no situation", '{"pairs": 0}']
    same, lesson, beside, apart, nothing, wrong = SituationEncoder().encode(texts)
    np.testing.assert_array_equal(same, lesson)
    assert same @ same == pytest.approx(1.0, abs=1e-5)
    assert same @ beside > 0.95 > 0.4 > same @ apart
    assert not nothing.any()
    assert not wrong.any()
    gap = (math.log(0.85) - math.log(0.8)) / 0.5
    assert same @ beside == pytest.approx(math.exp(-(gap**2) / 2), abs=0.01)


def test_the_most_similar_lessons_are_recalled_and_others_never():
    memory = ExperienceMemory()
    assert memory.recall(HERE, 2) == []
    memory.learn(Lesson.written("far", FAR, 2.0, 0.1))
    memory.learn(Lesson.written("near", Situation(4, 0.85, 0.67, 0.3), 0.5, 0.1))
    memory.learn(Lesson.written("here", HERE, 0.4, 0.1))
    assert [lesson.key for lesson in memory.recall(HERE, 2)] == ["here", "near"]
    assert [lesson.key for lesson in memory.recall(HERE, 3)] == ["here", "near"]  # "far" is too far


def test_a_full_memory_lets_the_worst_lesson_go():
    memory = ExperienceMemory(capacity=2)
    for key in "ab":
        memory.learn(Lesson.written(key, HERE, 1.0, 0.1))
    memory.credit(["a"], -0.5)
    memory.learn(Lesson.written("c", HERE, 1.0, 0.1))
    assert "a" not in memory
    assert "b" in memory
    assert "c" in memory
    assert memory.forgotten == []  # it made room, and was not found to mislead


def test_the_bet_by_hand():
    credit = Credit().after(-1.0)  # half of the clip: 1 + 0.8 / 2
    assert credit == Credit(1, -1.0, 1.4)
    assert credit.after(5.0) == Credit(2, 4.0, 1.4 * (1 - 0.8))
    assert Credit().after(math.nan).wealth == pytest.approx(1.8)
    assert not Credit(wealth=19.9).misleads()
    assert Credit(wealth=20.0).misleads()


def test_a_lesson_without_harm_is_seldom_forgotten_and_a_harmful_one_soon():
    rng = np.random.default_rng(0)
    forgotten, uses = 0, []
    for _ in range(400):
        credit = Credit()
        for advantage in np.clip(rng.standard_normal(100), -2, 2):
            credit = credit.after(advantage)
            if credit.misleads():
                forgotten += 1
                break
        credit = Credit()
        while not credit.misleads() and credit.uses < 200:
            credit = credit.after(rng.standard_normal() - 1.5)
        uses.append(credit.uses)
    assert forgotten <= 0.05 * 400
    assert np.median(uses) < 12


@given(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=30))
def test_the_usual_is_the_mean_and_the_standard_deviation(values):
    usual = Usual()
    for value in values:
        usual.add(value)
    usual.add(math.nan)
    deviation = np.std(values, ddof=1)
    assert usual.mean == pytest.approx(np.mean(values), abs=1e-6)
    if deviation > 1e-3:
        assert usual.advantage(5.0) == pytest.approx((5.0 - np.mean(values)) / deviation, rel=1e-6, abs=1e-6)
    assert Usual(2, 1.0, 1.0).advantage(9.0) == 0.0


def test_harmful_lessons_are_forgotten_and_without_the_test_kept():
    for level, left in ((0.05, 0), (0.0, 1)):
        memory = ExperienceMemory(level=level)
        memory.learn(Lesson.written("poison", HERE, 8.0, 1.0))
        for _ in range(6):
            memory.credit(["poison", "unknown"], -2.0)
        assert len(memory) == left
        assert memory.forgotten == ["poison"][: 1 - left]


def test_what_is_learnt_is_sent_as_a_difference():
    memory, other = ExperienceMemory(), ExperienceMemory().base
    bits = memory.learn(Lesson.written("a", HERE, 0.4, 0.1))
    update = difference(other, memory.base)
    assert bits == 8 * len(update)
    assert apply(other, update, memory.encoder).passages == memory.base.passages


def filled():
    memory = ExperienceMemory()
    for key, place in (("a", HERE), ("b", FAR)):
        memory.learn(Lesson.written(key, place, 0.4, 0.1))
    memory.credit(["a"], 0.7)
    memory.forgotten.append("c")
    return memory


def test_a_memory_is_saved_and_loaded(tmp_path):
    memory = filled()
    memory.save(tmp_path / "memory.bin")
    again = ExperienceMemory.load(tmp_path / "memory.bin")
    assert again.base.passages == memory.base.passages
    assert again.credit_of("a") == memory.credit_of("a")
    assert again.recall(HERE, 1) == memory.recall(HERE, 1)
    assert again.forgotten == ["c"]
    assert len(ExperienceMemory.from_bytes(ExperienceMemory().to_bytes())) == 0


def test_files_that_are_no_memory_are_refused_in_a_sentence(tmp_path):
    data = filled().to_bytes()
    flipped = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in range(0, len(data), 7)]
    for damaged in [b"", data[:10], data[:-1], data + b"x", *flipped]:
        with pytest.raises(ValueError, match="message"):
            ExperienceMemory.from_bytes(damaged)
    newer = bytearray(data)
    newer[4] = 9
    (tmp_path / "memory.bin").write_bytes(newer)
    with pytest.raises(ValueError, match=r"memory.bin cannot be read as a memory: the message is of version 9"):
        ExperienceMemory.load(tmp_path / "memory.bin")


def season(kind, **options):
    games = sample_game(2, 3, (12,), feasible=False)
    team = PlanningTeam(planner=make("chain"), proposer=RulePowers(), budget=2, follow=True)
    return Learners(team=team, kind=kind, **options).play([games[i] for i in range(12)], 2)


def test_a_season_learns_shares_and_repeats():
    off, own, shared = season("off"), season("own"), season("shared")
    np.testing.assert_array_equal(own.reward, season("own").reward)
    np.testing.assert_array_equal(off.reward[:3], own.reward[:3])  # nothing is learnt before the usual is known
    assert (off.reward[4:] != own.reward[4:]).any()
    assert off.lessons == off.bits == own.bits == 0
    assert own.lessons > 0 < shared.bits
    assert len(own.memories) == 2
    assert len(shared.memories) == 1


def test_placebos_keep_as_many_lessons_of_another_task():
    placebo = season("placebo")
    assert {Lesson.read(p.key, p.text).about for m in placebo.memories for p in m.base.passages} == {"speed"}
    assert {Lesson.read(p.key, p.text).about for m in season("own").memories for p in m.base.passages} == {"power"}


def test_poison_is_counted_until_it_is_forgotten():
    poisoned = season("shared", poisoned=4, level=0.0)
    assert poisoned.poison_left.tolist() == [0] * 4 + [2] * 8
    with pytest.raises(ValueError, match="unknown memory 'shard'; did you mean 'shared'"):
        season("shard")
