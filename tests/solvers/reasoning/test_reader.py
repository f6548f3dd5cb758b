"""The retrieval reader: its features by hand, what texts change, and that it does not look at the answer."""

from dataclasses import replace

import numpy as np
import pytest
from hashing_encoder import HashingEncoder
from hypothesis import given
from hypothesis import strategies as st

from secagent_env.questions import Question
from solvers.reasoning import reader
from solvers.reasoning.reader import RetrievalReader

ASKED = Question("q", "which band does the cell use", ("band seven", "band three", "band twenty"), 1)
TELLS = ("the cell use band three", "the cell use band seven", "the cell use band twenty")


class PlaneEncoder:
    """Knows a few texts, as unit vectors of the plane, by their angle in degrees."""

    name, dimension = "plane", 2

    def __init__(self, **degrees):
        self.degrees = {name.replace("_", " "): angle for name, angle in degrees.items()}

    def encode(self, texts):
        angles = np.radians([self.degrees[text] for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture
def hashed():
    return RetrievalReader(HashingEncoder(512))


def test_features_by_hand():
    encoder = PlaneEncoder(
        who=0, me=60, none_of_us=90, who_me=30, who_none_of_us=45, who_me_none_of_us=0, me_it_is=30, it_rains=90
    )
    question = Question("q", "who", ("me", "none of us"), 0)
    got = RetrievalReader(encoder).features(question, ["me it is", "it rains"])
    # Similarities to the whole question are cos 30° and cos 90°, so the first text weighs 1 / (1 + exp(-20 cos 30°)).
    first = 1 / (1 + np.exp(-20 * np.sqrt(3) / 2))
    weights = np.array([first, 1 - first])
    cos = {degrees: np.cos(np.radians(degrees)) for degrees in (0, 15, 30, 45, 60, 90)}
    expected = [
        [cos[60], 0, np.log(2), weights @ [cos[0], cos[60]], weights @ [cos[30], cos[30]], weights @ [1, 0]],
        [cos[90], -1, np.log(10), weights @ [cos[15], cos[45]], weights @ [cos[60], cos[0]], 0],
    ]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_scores_are_the_weighted_features(hashed):
    for texts, weights in (([], reader.WITHOUT_TEXTS), ([TELLS[0]], reader.WITH_TEXTS)):
        [scores] = hashed.scores([ASKED], [texts])
        np.testing.assert_allclose(scores, hashed.features(ASKED, texts) @ np.array(weights))


@pytest.mark.parametrize("right", range(3))
def test_the_option_that_the_text_tells_is_taken(hashed, right):
    tells = f"the cell use {ASKED.options[right]}"
    assert hashed.answer(ASKED, [tells], np.random.default_rng(0)).option == right


def test_the_text_nearest_to_the_question_counts_most(hashed):
    near, far = "which band does the cell use band seven", "twenty apples and twenty pears"
    assert hashed.answer(ASKED, [far, near]).option == 0
    assert hashed.answer(ASKED, [near, far]).option == 0


def test_its_own_passage_is_read_as_a_text(hashed):
    with_passage = hashed.answer(replace(ASKED, passage=TELLS[0]), [])
    assert with_passage == hashed.answer(ASKED, [TELLS[0]])
    assert with_passage.option == 1


def test_without_texts_an_option_that_sums_up_is_guessed_and_one_that_denies_is_not(hashed):
    question = Question("q", "which one", ("alpha waves", "All of the above", "beta waves", "None of the above"), 0)
    [scores] = hashed.scores([question], [[]])
    assert scores.argmax() == 1
    assert scores.argmin() == 3
    for option in ("Both options", "both of them", "all of these"):
        assert hashed.features(replace(question, options=("x", option)), [])[1, 1] == 1
    for option in ("Allocation of these", "Bothersome", "all cells that transmit on a licensed carrier"):
        assert hashed.features(replace(question, options=("x", option)), [])[1, 1] == 0


def test_neither_answer_nor_explanation_is_read(hashed):
    for texts in ([], [TELLS[1]]):
        answers = {hashed.answer(replace(ASKED, answer=i, explanation=TELLS[i]), texts) for i in range(3)}
        assert len(answers) == 1


@given(order=st.permutations(range(3)), texts=st.lists(st.sampled_from(TELLS), max_size=3))
def test_the_order_of_options_and_of_texts_does_not_matter(order, texts):
    hashed = RetrievalReader(HashingEncoder(512))
    [scores] = hashed.scores([ASKED], [texts])
    shuffled = replace(ASKED, options=tuple(ASKED.options[i] for i in order))
    weights_of_order = hashed.scores([shuffled], [texts[::-1]])[0]
    # The question as a whole names its options in their order, which a bag of words does not see.
    np.testing.assert_allclose(weights_of_order, scores[list(order)], atol=1e-5)


def test_many_at_once_are_as_one_by_one(hashed):
    questions = [replace(ASKED, key=str(i), text=f"{ASKED.text} {i}") for i in range(5)]
    texts = [[], [TELLS[0]], list(TELLS), ["  "], [TELLS[2]]]
    together = hashed.answer_all(questions, texts)
    assert together == [hashed.answer(question, own) for question, own in zip(questions, texts, strict=True)]
    assert len({answer.option for answer in together}) > 1


@pytest.mark.parametrize("texts", [[""], ["  ", "\n"]])
def test_texts_without_content_are_none(hashed, texts):
    assert hashed.answer(ASKED, texts) == hashed.answer(ASKED, [])


def test_equal_options_leave_no_confidence_and_the_first_one(hashed):
    answer = hashed.answer(replace(ASKED, options=("same", "same", "same")), [TELLS[0]])
    assert answer.option == 0
    assert answer.confidence == pytest.approx(0, abs=1e-9)


@given(st.text(min_size=1).filter(str.strip), st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=6))
def test_any_language_and_any_sign_gets_an_option_and_a_confidence(text, options):
    question = Question("q", text, tuple(options), 0)
    for texts in ([], [options[-1], "Ведь это известно. 众所周知。"]):
        answer = RetrievalReader(HashingEncoder(32)).answer(question, texts)
        assert answer.option in range(len(options))
        assert 0 <= answer.confidence <= 1
        assert not answer.fault


def test_a_text_tells_more_than_a_guess_makes_surer(hashed):
    assert hashed.answer(ASKED, [TELLS[0]]).confidence > hashed.answer(ASKED, list(TELLS)).confidence


def test_every_question_needs_its_texts(hashed):
    with pytest.raises(ValueError, match="each question needs a list of texts: got 1 for 2"):
        hashed.answer_all([ASKED, ASKED], [[]])


def test_with_the_real_encoder_it_finds_what_a_text_says_in_other_words():
    question = Question(
        "q",
        "What does a jammer in a secure network send?",
        ("Artificial noise", "Encryption keys", "Routing tables", "Software updates"),
        2,
    )
    texts = {
        0: "To keep eavesdroppers from decoding, friendly nodes radiate interference, so-called artificial noise.",
        1: "A jammer hands out the keys with which all traffic is encrypted.",
        3: "Firmware patches and other updates of software are what jammers distribute.",
    }
    real = RetrievalReader()
    assert real.name == "retrieval reader (offline)"
    for option, text in texts.items():
        assert real.answer(question, [text], np.random.default_rng(0)).option == option
