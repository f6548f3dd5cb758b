"""A teacher and a student: what is sent is all that is known, and what is fed back tells no answers."""

from dataclasses import replace

import numpy as np
import pytest
from colours import Reading, passage, question
from hashing_encoder import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.collaboration.levels import Inquiries, Opinion, decode, encode
from solvers.collaboration.student import Student, inquiry_of
from solvers.collaboration.teacher import Teacher, course
from solvers.knowledge.store import wire
from solvers.knowledge.store.passages import Passage

ENCODER = HashingEncoder(1024)
THINGS = [passage(number, "even" if number % 2 == 0 else "odd") for number in range(20)]


def a_student(**options):
    return Student(Reading(), ENCODER, **{"threshold": -1.0, **options})


def a_teacher(passages=THINGS, precision=None):
    return Teacher(passages, ENCODER, precision)


@pytest.mark.parametrize("precision", [None, "float32", "int8"])
def test_all_of_the_knowledge_arrives_and_costs_what_the_bytes_say(precision):
    teacher, student = a_teacher(precision=precision), a_student()
    message = teacher.teach()
    student.receive(message)
    assert student.base.passages == tuple(THINGS)
    assert 8 * len(message) == teacher.base.size_bits
    rng = np.random.default_rng(0)
    assert [student.answer(question(number), rng).option for number in range(8)] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert student.unanswered == ()


def test_with_nothing_sent_a_student_knows_nothing():
    student = a_student()
    answer = student.answer(question(3), np.random.default_rng(0))
    assert (answer.option, student.reasoner.read) == (None, [(question(3), ())])
    student.receive(a_teacher().teach(0.0))
    assert student.base.passages == ()


@settings(max_examples=25)
@given(st.floats(0, 1), st.sampled_from([None, "int8"]))
def test_what_is_sent_fits_the_ratio_and_nothing_else_is_known(ratio, precision):
    teacher, student = a_teacher(precision=precision), a_student()
    message = teacher.teach(ratio)
    student.receive(message)
    if ratio > 0.3:
        assert 8 * len(message) <= ratio * teacher.base.size_bits + 1e-9
    assert {each.key for each in student.base.passages} <= {each.key for each in THINGS}
    sent = "\n".join(each.text for each in wire.from_bytes(message, ENCODER).passages)
    for number in range(0, 20, 3):
        student.answer(question(number), np.random.default_rng(0))
    assert all(text in sent for _, texts in student.reasoner.read for text in texts)


def test_categories_can_have_their_own_ratios():
    teacher = a_teacher()
    teacher.teach(1.0, ratios={"odd": 0.0})
    assert {each.category for each in teacher.taught.passages} == {"even"}


def test_a_student_feeds_back_what_it_could_not_answer_and_gets_that_alone():
    teacher, student = a_teacher(), a_student()
    student.receive(teacher.teach(1.0, ratios={"odd": 0.0}))
    for number in (0, 1, 2, 5, 5):
        student.answer(question(number), np.random.default_rng(0))
    feedback = student.feedback()
    assert decode(feedback) == Inquiries((inquiry_of(question(1)), inquiry_of(question(5))))
    assert student.unanswered == ()
    update = teacher.refine(feedback)
    student.update(update)
    odd = {each.key for each in student.base.passages if each.category == "odd"}
    assert odd == {"p1", "p5"}
    assert set(student.base.passages) == set(teacher.taught.passages)
    assert len(update) < len(wire.to_bytes(teacher.taught)) / 2
    assert student.answer(question(5), np.random.default_rng(0)).option == 1


def test_a_shortened_passage_is_sent_in_full_when_asked_for():
    long = "Much else could be told of it, and is told here, at length and without need. " * 3
    things = [replace(each, text=f"{each.text} {long}{each.key}") for each in THINGS]
    teacher, student = a_teacher(things), a_student()
    student.receive(teacher.teach(0.9, shortening="telegraphic"))
    have = dict.fromkeys(each.key for each in student.base.passages)
    shortened = next(each for each in student.base.passages if each.text != things[int(each.key[1:])].text)
    number = int(shortened.key[1:])
    student.update(teacher.refine(encode(Inquiries((inquiry_of(question(number)),)))))
    assert things[number] in student.base.passages
    assert {each.key for each in student.base.passages} == set(have)


def test_an_unsure_or_far_fetched_answer_is_not_an_answer():
    rng = np.random.default_rng(0)
    for options, noted in [({"unsure": 0.95}, 1), ({"unsure": 0.9}, 0), ({"threshold": 1.0}, 1), ({}, 0)]:
        student = a_student(**options)
        student.receive(a_teacher().teach())
        assert student.answer(question(1), rng).option == 1
        assert len(student.unanswered) == noted
        student.answer(question(2), rng, note=False)
        assert len(student.unanswered) == noted


@given(st.integers(0, 3), st.text(max_size=30), st.integers(0, 5))
def test_feedback_never_tells_the_right_answer(answer, explanation, number):
    messages = set()
    for changes in ({}, {"answer": answer, "explanation": explanation, "passage": "Its own passage."}):
        student = a_student()
        student.answer(question(number, **changes), np.random.default_rng(0))
        messages.add(student.feedback())
    assert len(messages) == 1


def test_a_question_does_not_get_its_own_group_back():
    leak = Passage("leak", "The colour of thing1 is green so far.", group="g1")
    teacher, student = a_teacher([leak, *THINGS[2:]]), a_student()
    student.receive(teacher.teach(0.0))
    assert student.answer(question(1), np.random.default_rng(0)).option is None
    update = teacher.refine(student.feedback(), passages=len(THINGS))
    student.update(update)
    assert len(student.base.passages) == 18
    assert "leak" not in {each.key for each in student.base.passages}
    student.receive(teacher.teach())  # even where it is known it does not help its own question, but any other
    assert student.answer(question(1), np.random.default_rng(0)).option is None
    assert student.answer(question(1, group="other"), np.random.default_rng(0)).option == 1
    assert student.answer(question(1, key="g1", group=""), np.random.default_rng(0)).option is None


def test_a_bad_message_is_an_error_and_leaves_the_base_as_it_was():
    teacher, student = a_teacher(), a_student()
    first = teacher.teach(0.5)
    student.receive(first)
    before = student.base
    update = teacher.refine(encode(Inquiries(tuple(inquiry_of(question(number)) for number in range(20)))))
    for message in (b"", b"\x80\x04K\x01.", first[:-3], update[:-1], update + b"\0", bytes(99), encode(Opinion(1))):
        for take in (student.receive, student.update):
            with pytest.raises(ValueError, match=r"\w"):
                take(message)
    assert student.base is before
    with pytest.raises(ValueError, match=r"\w"):
        a_student().update(update)  # it changes a base that this student has not
    student.update(update)
    assert {each.key for each in student.base.passages} == {each.key for each in THINGS}


def test_feedback_that_is_none_is_an_error():
    teacher = a_teacher()
    with pytest.raises(ValueError, match="must be questions, got a message of opinion"):
        teacher.refine(encode(Opinion(1)))
    with pytest.raises(ValueError, match="another version"):
        teacher.refine(b"\x80")
    teacher.teach(0.5)
    before = teacher.taught
    student = a_student(base=before)
    student.update(teacher.refine(student.feedback()))
    assert student.base.passages == before.passages


def test_a_course_teaches_what_is_fed_back_and_counts_both_directions():
    questions, unseen = [question(number) for number in range(0, 10)], [question(number) for number in range(10, 20)]
    teacher, student = a_teacher(), a_student()
    rounds = course(teacher, student, questions, 3, ratio=0.4, held_out=unseen)
    assert rounds[0].bits_down <= 0.4 * teacher.base.size_bits
    assert rounds[0].fed_back == rounds[0].correct.count(False) > 0
    assert [each.accuracy for each in rounds[1:]] == [1.0, 1.0]
    assert [each.fed_back for each in rounds[1:]] == [0, 0]
    assert rounds[0].held_out == rounds[2].held_out  # no feedback on these
    assert rounds[1].passages >= rounds[0].passages
    fed_back = [each for each, right in zip(questions, rounds[0].correct, strict=True) if not right]
    assert rounds[0].bits_up == 8 * len(encode(Inquiries(tuple(map(inquiry_of, fed_back)))))
    assert rounds[2].bits_up == 0
    again = course(a_teacher(), a_student(), questions, 3, ratio=0.4, held_out=unseen)
    assert again == rounds


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"passages": 0}, "passages must be an integer ≥ 1"),
        ({"threshold": 1.5}, "threshold must be a finite number from -1 to 1"),
        ({"unsure": float("nan")}, "unsure must be a finite number from 0 to 1"),
    ],
)
def test_bad_options_of_a_student(options, match):
    with pytest.raises(ValueError, match=match):
        a_student(**options)


def test_bad_options_of_a_course():
    with pytest.raises(ValueError, match="rounds must be an integer ≥ 1, got 0"):
        course(a_teacher(), a_student(), [question(1)], 0)
    with pytest.raises(ValueError, match="ratio"):
        course(a_teacher(), a_student(), [question(1)], ratio=1.5)
    [only] = course(a_teacher(), a_student(), [], 1)
    assert np.isnan(only.accuracy)
