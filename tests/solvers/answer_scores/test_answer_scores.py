"""Scores of options: their files, how they become distributions, and how an endpoint tells them."""

import dataclasses
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from faulty_server import FaultyServer, completion, fails, says, sends

from secagent_env.questions import Question, QuestionSet
from solvers.answer_scores import measuring, prompts
from solvers.answer_scores.endpoint import EndpointScorer
from solvers.answer_scores.files import FORMAT, Scored, read_scores, recording
from solvers.answer_scores.readout import UNBIASED, Readout, best, readouts
from solvers.answer_scores.scores import Scores
from solvers.llm.chat import EndpointError

ABOUT = {"format": FORMAT, "version": 1, "model": "m", "dim": 8, "sets": {"s": "d"}, "seed": 0}
QUESTION = Question("s-0", "What is red?", ("A rose", "The sea", "Snow"), 0)


class Counting:
    """Scores the right option as likely, and counts."""

    def __init__(self, model="m"):
        self.about = {"model": model, "dim": 8}
        self.asked, self.texts, self.known = [], [], []

    def score(self, question, text=True, letter=()):
        self.asked.append(question.key)
        self.texts.append(text)
        self.known.append(tuple(letter))
        return Scores(letter=tuple(-0.1 if i == question.answer else -3.0 for i in range(len(question.options))))


def questions(name, count=9):
    return QuestionSet(
        name, tuple(dataclasses.replace(QUESTION, key=f"{name}-{i}", answer=i % 3) for i in range(count))
    )


def test_a_measurement_goes_on_where_it_was_interrupted_and_asks_the_sets_in_turn(tmp_path):
    sets, path, first = {"s": questions("s"), "t": questions("t")}, tmp_path / "scores.jsonl", Counting()
    digests = {"s": "d", "t": "e"}
    assert measuring.measure(first, sets, digests, 3, path, "none") == 6
    assert [key[0] for key in first.asked] == ["s", "t"] * 3
    content = path.read_bytes()
    path.write_bytes(content[:-10])  # the last line was cut off
    second = Counting()
    assert measuring.measure(second, sets, digests, 5, path, "none") == 10
    assert second.asked[0] == first.asked[-1]
    assert len(second.asked) == 5
    [read] = read_scores(path)
    assert [each.key for each in read.of("s")] == [q.key for q in measuring.order(sets["s"], 5)]
    assert {each.data_set for each in read.questions} == {"s", "t"}
    assert b"rose" not in path.read_bytes()
    with pytest.raises(ValueError, match="measured with another model: write into another file"):
        measuring.measure(Counting("other"), sets, digests, 5, path)
    with pytest.raises(ValueError, match="measured with another sets"):
        measuring.measure(Counting(), sets, {**digests, "s": "changed"}, 5, path)


def test_a_file_of_some_sets_is_extended_by_others_and_by_no_others_that_changed(tmp_path):
    sets, path, second = {"s": questions("s"), "t": questions("t")}, tmp_path / "scores.jsonl", Counting()
    measuring.measure(Counting(), {"s": sets["s"]}, {"s": "d"}, 3, path, "none")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="measured with another sets"):
        measuring.measure(second, sets, {"s": "changed", "t": "e"}, 3, path, "none")
    assert path.read_bytes() == before
    assert measuring.measure(second, sets, {"s": "d", "t": "e"}, 3, path, "none", {"writer": "w"}) == 6
    assert [key[0] for key in second.asked] == ["t"] * 3
    [read] = read_scores(path)
    assert read.about["sets"] == {"s": "d", "t": "e"}
    assert read.about["writer"] == "w"
    with pytest.raises(ValueError, match="measured with another sets"):
        measuring.measure(second, {"s": sets["s"]}, {"s": "d"}, 3, path, "none")


class Texts(Counting):
    """Scores by letter and by text, of which one is right."""

    def __init__(self, by_text):
        super().__init__()
        self.by_text = by_text

    def score(self, question, text=True, letter=()):
        self.asked.append(question.key)
        self.texts.append(text)
        self.known.append(tuple(letter))
        right, wrong = (tuple(-0.1 if i == (question.answer + off) % 3 else -3.0 for i in range(3)) for off in (0, 1))
        letter, told = (wrong, right) if self.by_text else (right, wrong)
        if not text:
            return Scores(letter=letter)
        return Scores(letter=letter, text=told, prior=(-1.0,) * 3, length=(4,) * 3)


def test_a_letter_that_no_calibration_question_has_is_taken_as_it_is():
    readout = Readout(UNBIASED, 1.0, (-0.5, 0.5))
    plain = np.exp([-1.0 + 0.5, -2.0 - 0.5, -1.5])
    found = readout.distribution(Scores(letter=(-1.0, -2.0, -1.5)))
    assert found == pytest.approx(plain / plain.sum())


def test_texts_are_scored_where_they_are_needed(tmp_path):
    sets = {"s": questions("s")}
    calibrated = [False, False, True] * 2
    for by_text, path in ((False, tmp_path / "letter"), (True, tmp_path / "text")):
        scorer = Texts(by_text)
        assert measuring.measure(scorer, sets, {}, 6, path, "needed") == 6
        assert scorer.texts == (calibrated + [True] * 4 if by_text else calibrated)
        [read] = read_scores(path)
        assert [each.key for each in read.questions] == [q.key for q in measuring.order(sets["s"], 6)]
        assert [bool(each.scores.text) for each in read.questions] == ([True] * 6 if by_text else calibrated)
        measured = [each.scores.letter for each in read.questions if each.key not in scorer.asked[2:6:3]]
        assert scorer.known == [()] * 6 + (measured if by_text else [])  # letters are scored once
        again = Texts(by_text)
        measuring.measure(again, sets, {}, 6, path, "needed")
        assert not again.asked
    measuring.measure(again, sets, {}, 6, tmp_path / "letter", "all")
    assert again.texts == [True] * 4
    [read] = read_scores(tmp_path / "letter")
    assert all(each.scores.text for each in read.questions)


def test_a_model_that_tells_letters_alone_is_not_asked_for_texts_again_and_again(tmp_path):
    measuring.measure(Counting(), {"s": questions("s")}, {}, 6, tmp_path / "scores", "all")
    again = Counting()
    measuring.measure(again, {"s": questions("s")}, {}, 6, tmp_path / "scores", "all")
    assert len(again.asked) == 1


def test_texts_can_be_scored_on_calibration_questions_alone(tmp_path):
    for text, expected in (("needed", [False, False, True] * 2), ("none", [False] * 6)):
        scorer = Counting()
        measuring.measure(scorer, {"s": questions("s")}, {}, 6, tmp_path / text, text)
        assert scorer.texts == expected
    assert list(range(9))[measuring.CALIBRATION] == [2, 5, 8]


def test_a_recording_holds_the_files_of_several_models(tmp_path):
    for model in ("m", "n"):
        measuring.measure(Counting(model), {"s": questions("s")}, {}, 6, tmp_path / model)
    files = [file for model in ("m", "n") for file in read_scores(tmp_path / model)]
    packed = tmp_path / "packed"
    packed.write_bytes(recording(files))
    assert read_scores(packed) == files
    packed.write_bytes(recording([files[0], files[0]]))
    with pytest.raises(ValueError, match="the scores of a model twice"):
        read_scores(packed)
    damaged = bytearray(recording(files))
    damaged[len(damaged) // 2] ^= 1
    for content in (bytes(damaged), recording(files)[:-20]):
        packed.write_bytes(content)
        with pytest.raises(ValueError, match="is damaged"):
            read_scores(packed)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"letter": [-1.0]}, "letter must be a list of 3 numbers"),
        ({"letter": [-1.0, -1.0, "x"]}, "finite numbers"),
        ({"letter": [-1.0, -1.0, 0.1]}, "must not be above 0"),
        ({}, "neither scores of letters nor of texts"),
        ({"text": [-1.0, -1.0, -1.0]}, "need prior and length"),
        ({"letter": [-1.0, -1.0, -1.0], "answer": 3}, "answer must be"),
        ({"letter": [-1.0, -1.0, -1.0], "options": 1}, "options must be"),
        ({"letter": [-1.0, -1.0, -1.0], "key": ""}, "set and key"),
    ],
)
def test_a_damaged_line_is_told_with_its_place(tmp_path, line, message):
    path = tmp_path / "scores.jsonl"
    whole = {"set": "s", "key": "s-0", "options": 3, "answer": 0, **line}
    path.write_text(f"{json.dumps(ABOUT)}\n{json.dumps(whole)}\n")
    with pytest.raises(ValueError, match=f"line 2: .*{message}"):
        read_scores(path)


def test_files_of_another_kind_and_questions_twice_are_refused(tmp_path):
    path = tmp_path / "scores.jsonl"
    for content, message in (
        ("", "holds no scores"),
        ("{}\n", "line 1: it is not the header"),
        ('{"format": "other"}\n', "line 1: it is not the header"),
        ("[]\n", "line 1: it is no JSON object"),
        (json.dumps(ABOUT | {"version": 9}) + "\n", "of version 9"),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            read_scores(path)
    line = Scored("s", "s-0", 2, 0, Scores(letter=(-1.0, -2.0))).to_line()
    path.write_text("\n".join([json.dumps(ABOUT), line, line, ""]))
    with pytest.raises(ValueError, match="line 3: s-0 was there before"):
        read_scores(path)


def scored(answer, **scores):
    size = len(next(iter(scores.values())))
    return Scored("s", f"s-{answer}", size, answer, Scores(**scores))


def test_a_distribution_is_the_softmax_over_the_temperature():
    scores = Scores(letter=(-1.0, -2.0), text=(-6.0, -4.0), prior=(-5.0, -1.0), length=(6, 2))
    cases = {
        ("letter", ()): 1.0,
        (UNBIASED, (0.25, -0.25)): 0.5,
        ("text", ()): -2.0,
        ("text per byte", ()): 1.0,
        ("text over prior", ()): 2.0,
    }
    for (rule, offsets), difference in cases.items():
        first, second = Readout(rule, 2.0, offsets).distribution(scores)
        assert first + second == pytest.approx(1)
        assert math.log(first / second) == pytest.approx(difference / 2), rule
    with pytest.raises(ValueError, match=r"scores by text.* measure them into the same file with --text needed"):
        Readout("text", 1.0).distribution(Scores(letter=(-1.0, -2.0)))


def test_the_temperature_makes_the_right_answers_likeliest():
    # The letter's odds are e; three of four answers are the likelier one: the best odds are 3, at T = 1 / ln 3.
    calibration = [scored(answer, letter=(-1.0, -2.0)) for answer in (0, 0, 0, 1)]
    fitted = readouts(calibration)["letter"]
    assert fitted.temperature == pytest.approx(1 / math.log(3), rel=1e-3)
    assert fitted.best == 0.75
    assert fitted.drawn == pytest.approx(0.75 * 0.75 + 0.25 * 0.25, rel=1e-3)


def test_a_preference_for_a_letter_is_taken_off():
    # A is always the likeliest; what tells is by how much.
    calibration = [scored(i % 2, letter=(-0.5, -2.0 + 0.8 * (i % 2))) for i in range(20)]
    fitted = readouts(calibration)
    assert fitted["letter"].best == 0.5
    assert fitted[UNBIASED].best == 1.0
    assert fitted[UNBIASED].offsets == pytest.approx((0.55, -0.55))
    assert best(fitted).rule == UNBIASED
    assert readouts(calibration[:8])[UNBIASED].offsets == (0.0, 0.0)  # too few to tell


def test_the_rule_is_chosen_whose_drawn_answers_are_right_most_often():
    random = np.random.default_rng(0)
    calibration = [
        scored(
            answer,
            letter=tuple(-1 - random.random(3)),
            text=tuple(-9.0 + 3 * (i == answer) for i in range(3)),
            prior=(-1.0, -1.0, -1.0),
            length=(4, 40, 400),
        )
        for answer in [0, 1, 2] * 5
    ]
    fitted = readouts(calibration)
    assert set(fitted) == {"letter", UNBIASED, "text", "text per byte", "text over prior"}
    assert best(fitted).rule == "text"
    assert fitted["text"].best == fitted["text over prior"].best == 1.0
    assert fitted["text per byte"].best < 1.0
    with pytest.raises(ValueError, match="no calibration questions"):
        readouts([])


def told(*likeliest):
    """Answer with the likeliest first tokens."""
    body = completion("A")
    content = [{"token": token, "logprob": value} for token, value in likeliest]
    body["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -1.0, "top_logprobs": content}]}
    return sends(body)


def test_an_endpoint_tells_letters(monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    steps = (told(("A", -1.0), (" A", -1.0), ("The", -2.0), ("B", -3.0)), says("A"), told(("The", -0.1)), fails(400))
    with FaultyServer(*steps) as server, EndpointScorer("m", server.base_url, 64) as scorer:
        assert scorer.about == {"model": "m", "dim": 64, "prompts": prompts.version()}
        assert scorer.score(QUESTION).letter == pytest.approx((-1 + math.log(2), -3.0, -3.0))
        for message in ("tells no log-probabilities", "no letter of an option", "did not answer a question"):
            with pytest.raises(EndpointError, match=message) as caught:
                scorer.score(QUESTION)
            assert "secret" not in str(caught.value)
        asked = server.bodies[0]
    assert (asked["logprobs"], asked["max_tokens"], asked["temperature"]) == (True, 1, 0)
    content = asked["messages"][0]["content"]
    places = [content.index(part) for part in ("What is red?", "A. A rose", "B. The sea", "C. Snow", "letter")]
    assert all(first < second for first, second in pairwise(places))


def test_prompts_give_the_passage_first():
    question = dataclasses.replace(QUESTION, passage="Roses are red.")
    assert prompts.cloze(question) == "Roses are red.\nQuestion: What is red?\nAnswer:"
    assert prompts.chat(question).startswith("Roses are red.\nQuestion: What is red?\nA. A rose\n")
    assert prompts.continuation("A rose ") == " A rose"
