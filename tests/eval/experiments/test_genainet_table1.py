"""GenAINet's Table 1: who is asked, what is known, what is counted, and that no text leaves a cell."""

import itertools
import json

import numpy as np
import pandas
import pytest
from experiment_options import from_options
from hashing_encoder import HashingEncoder

from eval.experiments.knowledge_transfer import cells as knowledge_answers
from eval.experiments.knowledge_transfer.cells import (
    ALL,
    ANSWERS_CHOSEN,
    CHOSEN,
    COMPRESSED,
    CONDITIONS,
    FULL,
    LEAK,
    LEAK_COMPRESSED,
    PRINTED_RATIO,
    RANDOM,
    WITH_ANSWERS,
    WITHOUT,
    Block,
    Condition,
    blocks,
)
from eval.experiments.knowledge_transfer.claims import claims, verdict
from eval.experiments.knowledge_transfer.experiment import CURVE, KnowledgeTransfer, measured_curve
from eval.experiments.knowledge_transfer.printed import OVERALL, TABLE_1
from eval.experiments.knowledge_transfer.results import Sent, Transfer, points_of
from eval.experiments.knowledge_transfer.tables import markdown
from eval.experiments.protocol import run
from eval.experiments.question_source import Source
from eval.stats.statistics import Interval
from eval.sweep.engine import Sweep, run_sweep
from secagent_env import questions
from secagent_env.questions import Question, QuestionSet
from solvers.knowledge.store.lookup import group_of
from solvers.reasoning.reader import FITTED_ON


@pytest.fixture(autouse=True)
def hashing(monkeypatch):
    """Nothing here needs a real encoder, and no block of one is left to others."""
    encoder = HashingEncoder(64)
    monkeypatch.setattr(knowledge_answers, "default_encoder", lambda: encoder)
    monkeypatch.delenv("SECAGENT_DATA", raising=False)
    knowledge_answers.block_of.cache_clear()
    yield
    knowledge_answers.block_of.cache_clear()


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The rows of the packaged sample with the stand-in encoder, the folder, and the report that was written there."""
    with pytest.MonkeyPatch.context() as patch:
        encoder = HashingEncoder(64)
        patch.setattr(knowledge_answers, "default_encoder", lambda: encoder)
        patch.delenv("SECAGENT_DATA", raising=False)
        knowledge_answers.block_of.cache_clear()
        out = tmp_path_factory.mktemp("table1")
        text = run(KnowledgeTransfer(), out, workers=1)
        return rows(out), out, text


def rows(out):
    """Return the rows of the packaged sample in a folder."""
    return run_sweep(Sweep(KnowledgeTransfer().cells()), out, workers=1)


def made(count, name="made"):
    """Questions of two categories; every tenth says what the one before says."""
    found = [
        Question(
            f"k{i}", f"text {i}", ("a", "b"), i % 2, f"c{i % 2}", f"explanation {i}", group=f"g{i - (i % 10 == 9)}"
        )
        for i in range(count)
    ]
    return QuestionSet(name, tuple(found))


def test_a_part_is_asked_with_one_base_and_a_whole_set_in_folds():
    asked = made(200)
    [block] = blocks(asked, 60, 0)
    assert len(block) == len(set(block.tolist())) == 60
    folds = blocks(asked, 10_000, 0)
    assert len(folds) == 5
    assert sorted(np.concatenate(folds).tolist()) == list(range(200))


def test_none_is_asked_that_the_reader_was_fitted_on():
    asked = made(3000, "teleqna")
    fitted = np.random.default_rng(0).permutation(3000)[:FITTED_ON]
    seen = {asked[int(number)].group for number in fitted}
    chosen = np.concatenate(blocks(asked, 5000, 0))
    assert len(chosen) > 1000
    assert not seen & {asked[int(number)].group for number in chosen}


@pytest.mark.parametrize("count", [40, 1000])
def test_what_is_known_is_of_other_groups_and_only_the_leak_is_not(count):
    asked = made(100)
    for numbers in blocks(asked, count, 1):
        block = Block(asked, numbers, 1)
        own = {asked[int(number)].group for number in numbers}
        for condition in CONDITIONS:
            known = {passage.group for passage in block.sent(condition).passages}
            assert condition.kind.startswith(LEAK) or not known & own, condition
        assert own <= {passage.group for passage in block.sent(Condition(LEAK)).passages}
        assert {passage.group for passage in block.sent(Condition(FULL)).passages} == {q.group for q in asked} - own


def test_batches_are_of_others_only():
    asked = made(100)
    [numbers] = blocks(asked, 40, 0)
    block = Block(asked, numbers, 0)
    own = {group_of(asked[int(number)]) for number in numbers}
    assert block.batch
    assert not own & {group_of(question) for question in block.batch}


def test_what_is_sent_keeps_to_the_ratio(swept):
    frame, *_ = swept
    for condition in CONDITIONS:
        rows = frame[(frame["condition"] == condition.kind) & (frame["ratio"] == condition.ratio)]
        if condition.kind in (COMPRESSED, RANDOM, LEAK_COMPRESSED):
            # an empty message has a header
            assert (rows["bits"] <= np.maximum(condition.ratio * rows["whole_bits"], 1000)).all()
        if condition in (ALL, WITH_ANSWERS):
            assert (rows["bits"] == rows["whole_bits"]).all()
    full = frame[frame["condition"] == FULL].set_index("block")["passages"]
    leak = frame[frame["condition"] == LEAK].set_index("block")["passages"]
    assert (leak == 60).all()
    assert (full < leak).all()


def test_every_question_is_asked_once_in_each_condition(swept):
    frame, *_ = swept
    for _, rows in frame.groupby(["condition", "ratio"]):
        asked = [number for text in rows["asked"] for number in json.loads(text)]
        assert sorted(asked) == list(range(len(questions.load("sample"))))


def test_a_text_that_tells_the_answer_helps_even_this_reader(swept):
    frame, *_ = swept
    found = Transfer.of(frame, Source.of())
    assert verdict(found.difference(WITH_ANSWERS, WITHOUT)) == 1


def test_no_text_of_a_question_leaves_a_cell(swept):
    frame, out, text = swept
    written = [path.read_text() for path in out.iterdir() if path.suffix in (".md", ".csv", ".json")]
    assert len(written) == 3
    everything = " ".join([frame.to_csv(), text, *written])
    for question in questions.load("sample"):
        for told in (question.text, question.explanation, *(o for o in question.options if len(o) > 12)):
            assert told not in everything


def test_files_say_the_same_as_the_report(swept):
    frame, out, text = swept
    assert (out / "genainet-table1.md").read_text() == text
    table = pandas.read_csv(out / "genainet-table1.csv")
    found = Transfer.of(frame, Source.of())
    [full] = table[(table["knowledge"] == FULL) & (table["category"] == OVERALL)].to_dict("records")
    assert full["accuracy"] == found.right[ALL].mean()
    told = json.loads((out / CURVE).read_text())
    assert told["questions"] == "sample"
    curve = measured_curve(2000, 0, out, workers=1)
    assert [float(ratio) for ratio in told["others"]] == [point.ratio for point in curve]
    assert told["others"]["0.4552"]["accuracy"] == found.right[CHOSEN].mean()
    assert told["others"]["0"]["bits"] == 0
    assert (out / "genainet-table1.png").stat().st_size > 10_000
    assert (out / "genainet-table1.pdf").read_bytes().startswith(b"%PDF")
    assert "the packaged sample stands for it" in text


def test_a_run_that_is_there_is_not_computed_again(swept, monkeypatch):
    frame, out, _ = swept

    def never(*_):
        raise AssertionError

    monkeypatch.setattr(Block, "__init__", never)
    again = rows(out)
    pandas.testing.assert_frame_equal(again, frame)


@pytest.mark.parametrize("name", ["others", "answers", "asked"])
def test_the_curve_goes_from_nothing_to_everything(swept, name):
    frame, *_ = swept
    found = Transfer.of(frame, Source.of())
    curve = points_of(found, name)
    assert curve[0].accuracy == found.accuracy(WITHOUT)
    assert curve[-1].accuracy == found.accuracy(ALL if name == "others" else WITH_ANSWERS)
    ratios = [point.ratio for point in curve]
    assert ratios == sorted(set(ratios))
    assert (ratios[0], ratios[-1]) == (0, 1)
    assert PRINTED_RATIO in ratios
    assert all(before.bits <= after.bits for before, after in itertools.pairwise(curve))


def test_printed_numbers_are_fractions_of_500_questions():
    counts = {name: [value * row.questions for value in row.accuracies] for name, row in TABLE_1.items()}
    assert sum(row.questions for name, row in TABLE_1.items() if name != OVERALL) == TABLE_1[OVERALL].questions == 500
    for found in counts.values():
        np.testing.assert_allclose(found, np.round(found), atol=0.02)
    sums = np.sum([np.round(found) for name, found in counts.items() if name != OVERALL], axis=0)
    np.testing.assert_array_equal(sums, [448, 420, 349])  # the paper prints 346 (69.2 %) of no knowledge
    np.testing.assert_array_equal(np.round(counts[OVERALL]), [448, 420, 346])


def outcome(none, full, chosen, random=None, leak=None, categories=None):
    """A result made by hand; what is not given is as with all knowledge."""
    none, full, chosen = (np.array(right, bool) for right in (none, full, chosen))
    right = dict.fromkeys(CONDITIONS, full)
    right |= {WITHOUT: none, CHOSEN: chosen, Condition(RANDOM, PRINTED_RATIO): full if random is None else random}
    right[WITH_ANSWERS] = right[ANSWERS_CHOSEN] = full if leak is None else np.array(leak, bool)
    names = np.array(categories if categories is not None else ["Lexicon", "Research overview"] * (len(full) // 2))
    sent = {condition: Sent(10, 100 * condition.ratio, 100, {OVERALL: condition.ratio}) for condition in CONDITIONS}
    return Transfer(Source("teleqna", None, ""), names, right, sent, 0.2)


def test_accuracies_and_differences_by_hand():
    found = outcome([0, 0, 1, 0], [1, 0, 1, 1], [0, 0, 1, 1])
    assert found.accuracy(ALL).mean == 0.75
    assert found.accuracy(ALL, "Lexicon").mean == 1.0
    assert found.accuracy(ALL, "Lexicon").size == 2
    assert found.difference(ALL, WITHOUT).mean == pytest.approx(0.5)
    assert found.difference(CHOSEN, ALL, "Research overview").mean == 0
    assert found.difference(CHOSEN, ALL, "Lexicon").mean == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (np.nan, np.nan, 0)]
)
def test_verdicts(low, high, expected):
    assert verdict(Interval(0.0, low, high, 9)) == expected


def test_claims_follow_the_numbers():
    size = 200
    half, most, few = (np.arange(size) % 10 < limit for limit in (5, 8, 2))
    helps = claims(outcome(half, most, half))
    assert helps[0].startswith("**Knowledge helps: holds.** +30.0")
    assert "nearly free: does not hold" in helps[1]
    assert "0% is left (printed 73%)" in helps[1]
    assert "better than none: cannot be told" in helps[2]
    assert "is worse than the same bits at random" in helps[3]
    hurts = claims(outcome(most, half, half, random=few))
    assert "Knowledge helps: does not hold" in hurts[0]
    assert "nearly free: holds" in hurts[1]
    assert "better than none: does not hold" in hurts[2]
    assert "is better than the same bits at random" in hurts[3]
    assert "limits the rows above" in claims(outcome(few, half, half, leak=np.ones(size)))[-1]
    assert "limits the rows above" not in hurts[-1]


def test_lexicon_is_compared_with_the_rest():
    names = ["Lexicon", "Research overview"] * 200
    lexicon = np.arange(400) % 2 == 0
    full = np.ones(400, bool)
    some = np.arange(400) % 7 < 4
    steady = claims(outcome(~full, full, lexicon | some, categories=names))[4]
    assert "less sensitive to compression than the rest: holds" in steady
    worse = claims(outcome(~full, full, ~lexicon | some, categories=names))[4]
    assert "less sensitive to compression than the rest: does not hold" in worse


def test_other_categories_than_the_paper_s_are_shown_without_printed_numbers():
    found = outcome([0, 1, 0, 1], [1, 1, 0, 1], [1, 1, 0, 0], categories=["", "", "b", "a"])
    assert found.names == ["", "a", "b"]
    text = markdown(found)
    assert "there is no such category here" in text
    assert "too few of the paper's categories" in text


@pytest.mark.filterwarnings("default")
def test_bad_options_end_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="the number of questions must be an integer ≥ 1, got 0"):
        run(from_options(KnowledgeTransfer, "--questions", "0"), tmp_path)
    (tmp_path / "TeleQnA.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"TeleQnA\.zip is not the file of teleqna"):
        run(from_options(KnowledgeTransfer, "--data", str(tmp_path)), tmp_path)


def test_cells_of_teleqna(data_folder):
    experiment = KnowledgeTransfer(2000, 0, data_folder)
    source = experiment.source
    assert source.name == "teleqna"
    found = experiment.cells()
    assert len(found) == 16
    assert len({cell.key for cell in found}) == 16
    assert all(cell.options["block"] == 0 for cell in found)
    assert sum(map(len, blocks(source.load(), 2000, 0))) == 2000
