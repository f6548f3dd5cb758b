"""Knowledge bases: search, compression, and what travels."""

import itertools

import numpy as np
import pytest
from hashing_encoder import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.knowledge.compress.compression import adaptive_ratios, compress, missing, ranking
from solvers.knowledge.compress.shortening import leading_sentences, sentences, shorten
from solvers.knowledge.store import message, wire
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.encoder import default_encoder
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.store.quantisation import PRECISIONS, bytes_per_vector, pack, round_trip, unit

ENCODER = HashingEncoder()
VOCABULARY = "beam power secrecy channel antenna jammer agent token energy fading rate uplink downlink noise model"
WORDS = VOCABULARY.split()


def base_of(size: int, precision: str | None = None, seed: int = 0) -> KnowledgeBase:
    rng = np.random.default_rng(seed)
    passages = [
        Passage(
            f"p{i}",
            " ".join(rng.choice(WORDS, 12)) + f" number {i}.",
            category=("radio", "learning")[i % 2],
            group=f"g{i // 2}",
        )
        for i in range(size)
    ]
    return KnowledgeBase.build(passages, ENCODER, precision)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BASES = st.builds(
    lambda texts, precision: KnowledgeBase.build(
        [Passage(f"k{i}", text, category, group) for i, (text, category, group) in enumerate(texts)], ENCODER, precision
    ),
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=8),
    st.sampled_from([None, *PRECISIONS]),
)


def equal(first: KnowledgeBase, second: KnowledgeBase) -> bool:
    return (
        first.passages == second.passages
        and first.precision == second.precision
        and np.array_equal(first.vectors, second.vectors)
    )


# --- search ---------------------------------------------------------------------------------------------------


def test_search_by_hand():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    base = KnowledgeBase(tuple(Passage(f"{i}", f"text {i}", group=f"g{i}") for i in range(3)), vectors)
    indices, scores = base.search(np.array([[1.0, 0.0], [0.0, 1.0]]), 2)
    assert indices.tolist() == [[0, 2], [1, 2]]
    assert scores == pytest.approx(np.array([[1, 0.6], [1, 0.8]]))
    indices, scores = base.search(np.array([[1.0, 0.0]]), 5, exclude_groups=["g0"])
    assert indices.tolist() == [[2, 1, -1, -1, -1]]
    assert np.isneginf(scores[0, 2:]).all()
    indices, _ = base.search(np.array([[1.0, 0.0]]), 1, exclude_groups=[{"g0", "g2"}])
    assert indices.tolist() == [[1]]


@given(st.integers(1, 60), st.integers(0, 8), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_search_is_that_of_a_sort(size, k, seed):
    base = base_of(size, seed=seed)
    queries = base_of(3, seed=seed + 1).vectors
    indices, scores = base.search(queries, k)
    similar = queries @ base.vectors.T
    expected = np.argsort(-similar, axis=1, kind="stable")[:, :k]
    count = min(k, size)
    assert (indices[:, count:] == -1).all()
    assert scores[:, :count] == pytest.approx(np.take_along_axis(similar, expected, 1)[:, :count], abs=1e-6)


def test_an_empty_base_finds_nothing():
    empty = base_of(4).select([])
    indices, scores = empty.search(np.ones((2, 64)), 3)
    assert (indices == -1).all()
    assert np.isneginf(scores).all()
    assert missing(empty, np.ones((2, 64)), 0.0).all()
    assert wire.from_bytes(wire.to_bytes(empty)).passages == ()


def test_the_encoder_finds_by_meaning():
    texts = [
        "A jammer sends noise so that the eavesdropper decodes less.",
        "The knowledge graph holds entities and their relations.",
        "Rayleigh fading models a channel without line of sight.",
    ]
    encoder = default_encoder()
    base = KnowledgeBase.build([Passage(str(i), text) for i, text in enumerate(texts)], encoder)
    queries = ["How can somebody be kept from listening in?", "Which model of the radio channel is there?", ""]
    indices, scores = base.search(encoder.encode(queries), 1)
    assert indices[:2, 0].tolist() == [0, 2]
    assert scores[2, 0] == 0  # nothing was asked
    assert np.linalg.norm(base.vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_queries_in_other_languages_are_answered():
    encoder = default_encoder()
    base = KnowledgeBase.build([Passage("a", "Der Sender stört den Lauscher."), Passage("b", "窃听者")], encoder)
    indices, scores = base.search(encoder.encode(["干扰机让窃听者听不清", "Wer stört den Lauscher?"]), 2)
    assert indices[1, 0] == 0
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KnowledgeBase((Passage("a", "x"),) * 2, np.ones((2, 3), np.float32)), "keys must be unique"),
        (lambda: KnowledgeBase((Passage("a", "x"),), np.ones((2, 3), np.float32)), "a vector for each"),
        (lambda: KnowledgeBase((Passage("a", "x"),), np.full((1, 3), np.nan, np.float32)), "finite"),
        (lambda: base_of(2, "int7"), "did you mean 'int8'"),
        (lambda: base_of(2).search(np.ones((1, 64)), -1), "k must be an integer"),
        (lambda: base_of(2).merge(base_of(2, "int8")), "do not merge"),
    ],
)
def test_what_is_no_base_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- precision -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
def test_vectors_take_the_bytes_they_say_and_stay_near(precision):
    vectors = unit(np.random.default_rng(1).normal(size=(20, 50)))
    assert len(pack(vectors, precision)) == 20 * bytes_per_vector(precision, 50)
    left = round_trip(vectors, precision)
    assert np.linalg.norm(left, axis=1) == pytest.approx(1, abs=1e-3)
    least = {"float32": 1 - 1e-6, "float16": 0.999, "int8": 0.9995, "binary": 0.6}[precision]
    assert (np.sum(left * vectors, axis=1) > least).all()
    assert np.array_equal(round_trip(left, precision), left)  # who sends on what it has received loses no more


def test_quantised_by_hand():
    left = round_trip(np.array([[0.6, -0.8], [0, 0]], np.float32), "int8")
    assert left[0] == pytest.approx(unit(np.array([[round(0.6 / 0.8 * 127), -127]]))[0])
    assert left[1].tolist() == [0, 0]
    assert pack(np.array([[0.1, -0.2, 0.3]]), "binary") == bytes([0b10100000])


# --- the wire ----------------------------------------------------------------------------------------------------


@given(BASES)
@settings(max_examples=60, deadline=None)
def test_what_is_sent_is_what_arrives(base):
    data = wire.to_bytes(base)
    assert base.size_bits == 8 * len(data)
    assert equal(wire.from_bytes(data, ENCODER), base)


@given(BASES, st.data())
@settings(max_examples=60, deadline=None)
def test_a_difference_makes_the_new_base(old, data):
    keep = [i for i in range(len(old)) if data.draw(st.booleans())]
    fresh = KnowledgeBase.build([Passage(f"n{i}", f"new {i}") for i in range(data.draw(st.integers(0, 3)))], ENCODER)
    new = old.select(keep).merge(fresh.at_precision(old.precision))
    again = wire.apply(old, wire.difference(old, new), ENCODER)
    assert equal(again, new)


def test_a_difference_costs_what_is_new():
    old = base_of(400)
    changed = [Passage(f"p{i}", f"another text {i} about jammers", "radio") for i in range(4)]
    new = old.merge(KnowledgeBase.build(changed, ENCODER))
    update = wire.difference(old, new)
    assert 8 * len(update) < 0.06 * new.size_bits
    assert equal(wire.apply(old, update, ENCODER), new)
    assert len(wire.difference(old, old)) < 200


def test_a_difference_is_for_one_base():
    old, other = base_of(6), base_of(6, seed=5)
    update = wire.difference(old, old.select([0, 1]))
    with pytest.raises(ValueError, match="for another knowledge base"):
        wire.apply(other, update, ENCODER)
    with pytest.raises(ValueError, match="use apply"):
        wire.from_bytes(update)
    with pytest.raises(ValueError, match="use from_bytes"):
        wire.apply(old, wire.to_bytes(old))
    with pytest.raises(ValueError, match="send the whole base"):
        wire.difference(old, old.at_precision("int8"))


@given(st.sampled_from([None, "int8"]), st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_damage_is_seen(precision, place, change):
    data = bytearray(wire.to_bytes(base_of(3, precision)))
    data[place % len(data)] ^= change
    with pytest.raises(ValueError, match="message"):
        wire.from_bytes(bytes(data), ENCODER)


@pytest.mark.parametrize("data", [b"", b"SAKB", b"\0" * 100, b"PK\x03\x04" + b"x" * 60])
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ValueError, match="no message with knowledge"):
        wire.from_bytes(data)


def test_cut_messages_and_missing_encoders_are_told():
    data = wire.to_bytes(base_of(5))
    with pytest.raises(ValueError, match="is cut"):
        wire.from_bytes(data[:-1])
    with pytest.raises(ValueError, match="give the encoder"):
        wire.from_bytes(data)


def test_bombs_do_not_unfold(monkeypatch):
    data = wire.to_bytes(KnowledgeBase.build([Passage("a", "x" * 100_000)], ENCODER))
    assert len(data) < 1000
    monkeypatch.setattr(message, "MAX_TEXT_BYTES", 50_000)
    with pytest.raises(ValueError, match="unfolds to more"):
        wire.from_bytes(data, ENCODER)


# --- compression ---------------------------------------------------------------------------------------------------


@given(
    ratio=st.floats(0, 1),
    precision=st.sampled_from([None, *PRECISIONS]),
    shortening=st.sampled_from([None, "light", "telegraphic"]),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_a_ratio_is_kept(ratio, precision, shortening, seed):
    base = base_of(30, precision, seed)
    small = compress(base, ratio, shortening=shortening, encoder=ENCODER)
    assert small.size_bits <= max(ratio * base.size_bits, base.select([]).size_bits)
    keys = [passage.key for passage in base.passages]
    places = [keys.index(passage.key) for passage in small.passages]
    assert places == sorted(places)
    if shortening is None:
        assert set(small.passages) <= set(base.passages)


def test_all_and_nothing():
    base = base_of(20)
    assert compress(base, 1) is base
    assert len(compress(base, 0)) == 0
    assert len(compress(base.select([]), 0.5)) == 0


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan"), "half", True])
def test_what_is_no_ratio_is_refused(ratio):
    with pytest.raises(ValueError, match="from 0"):
        compress(base_of(3), ratio)


def test_more_bits_never_lose_a_passage():
    base = base_of(60)
    kept = [{p.key for p in compress(base, ratio).passages} for ratio in (0.1, 0.2, 0.4, 0.7, 0.9)]
    assert all(few <= many for few, many in itertools.pairwise(kept))
    assert len(kept[0]) < len(kept[-1]) < 60


def test_passages_are_chosen_for_the_questions_expected_and_not_twice():
    vectors = np.array([[1, 0, 0], [0.9, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    base = KnowledgeBase(tuple(Passage(str(i), f"text {i}") for i in range(4)), vectors)
    order = ranking(base, np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32))
    # The second passage serves as many questions as the first, but the first has already said it.
    assert order.tolist() == [0, 2, 1, 3]
    assert set(ranking(base)[:3].tolist()) & {2, 3} == {2, 3}


def test_of_two_passages_that_say_the_same_the_shorter_one_is_sent():
    vectors = unit(np.array([[1, 0], [1, 0], [0.9, 0.1]], np.float32))
    texts = ("a text with many more words than it needs", "a text", "a text that is a little longer")
    base = KnowledgeBase(tuple(Passage(str(i), text) for i, text in enumerate(texts)), vectors)
    assert ranking(base, np.array([[1.0, 0]]))[0] == 1


@given(st.integers(0, 200))
@settings(max_examples=20, deadline=None)
def test_the_lazy_ranking_is_the_greedy_one(seed):
    vectors = base_of(14, seed=seed).vectors
    base = KnowledgeBase(tuple(Passage(f"{i:02}", "of one length") for i in range(14)), vectors)
    queries = base_of(9, seed=seed + 1).vectors
    similar = np.maximum(base.vectors @ queries.T, 0)
    reached, left, greedy = np.zeros(9, np.float32), set(range(14)), []
    order = ranking(base, queries)
    for chosen in order:
        gains = {i: float(np.maximum(similar[i] - reached, 0).sum()) for i in left}
        assert gains[chosen] == pytest.approx(max(gains.values()), abs=1e-5)
        left.discard(chosen)
        greedy.append(chosen)
        reached = np.maximum(reached, similar[chosen])
    assert sorted(greedy) == list(range(14))


def test_fine_vectors_are_quantised_before_anything_is_dropped():
    base = base_of(40, "float32")
    small = compress(base, 0.75)
    assert (small.precision, len(small)) == ("int8", 40)
    assert len(compress(base, 0.1)) < 40


def test_ratios_by_category():
    base = base_of(40)
    small = compress(base, 0.5, ratios={"radio": 1.0, "learning": 0.0})
    assert {passage.category for passage in small.passages} == {"radio"}
    assert len(small) == 20
    with pytest.raises(ValueError, match="did you mean 'radio'"):
        compress(base, 0.5, ratios={"radios": 1.0})
    with pytest.raises(ValueError, match="the ratio of radio"):
        compress(base, 0.5, ratios={"radio": 2.0})


def test_a_writer_shortens_and_cannot_do_harm():
    base = base_of(10)
    written = compress(base, 0.99, writer=lambda text: text.split()[0], encoder=ENCODER)
    assert all(" " not in passage.text for passage in written.passages)
    silent = compress(base, 0.99, writer=lambda text: "", encoder=ENCODER)
    assert set(silent.passages) <= set(base.passages)
    with pytest.raises(ValueError, match="give the encoder"):
        compress(base, 0.5, shortening="light")


def test_the_leading_sentence_of_each_text_is_sent():
    texts = ["Beams protect agents. Beams protect agents and tokens. Nothing else.", "One sentence only."]
    base = KnowledgeBase.build([Passage(str(i), text) for i, text in enumerate(texts)], ENCODER, "int8")
    small = compress(base, 0.99, shortening="leading", encoder=ENCODER)
    assert [passage.text for passage in small.passages] == ["Beams protect agents and tokens.", "One sentence only."]
    with pytest.raises(ValueError, match="give the encoder"):
        compress(base, 0.5, shortening="leading")
    with pytest.raises(ValueError, match="unknown strength"):
        compress(base, 0.5, shortening="strong", encoder=ENCODER)


def test_bits_go_where_accuracy_is_lost():
    curves = {"steep": [(0, 0), (0.5, 90), (1, 100)], "flat": [(0, 80), (0.5, 81), (1, 82)]}
    assert adaptive_ratios(0.25, curves, {"steep": 100, "flat": 100}) == {"steep": 0.5, "flat": 0.0}
    assert adaptive_ratios(0.5, curves, {"steep": 100, "flat": 100}) == {"steep": 1.0, "flat": 0.0}
    assert adaptive_ratios(1, curves, {"steep": 100, "flat": 100}) == {"steep": 1.0, "flat": 1.0}
    # What lies under the hull counts for nothing: 20 of 100 bits are half of the way to the corner.
    dented = {"a": [(0, 0), (0.2, 1), (0.4, 60), (1, 60)]}
    assert adaptive_ratios(0.2, dented, {"a": 100}) == {"a": pytest.approx(0.2)}
    with pytest.raises(ValueError, match="from the ratio 0 to 1"):
        adaptive_ratios(0.5, {"a": [(0.5, 1)]}, {"a": 1})
    with pytest.raises(ValueError, match="unknown category"):
        adaptive_ratios(0.5, curves, {"steep": 1})


def test_texts_are_shortened_by_rules():
    text = "It should be noted that the beam (a vector) is not sent to the eavesdropper in 5G NR."
    assert shorten(text) == "the beam is not sent to the eavesdropper in 5G NR."
    assert shorten(text, "telegraphic") == "beam not sent eavesdropper 5G NR."
    assert shorten("(all of it)") == "(all of it)"
    assert shorten("the", "telegraphic") == "the"
    assert shorten("Das Signal (schwach) ist stark.") == "Das Signal ist stark."
    with pytest.raises(ValueError, match="unknown strength"):
        shorten(text, "lite")


def test_sentences_and_the_leading_ones():
    text = "Beams protect. Jammers jam the eavesdropper! Is it so? Yes."
    assert sentences(text) == ["Beams protect.", "Jammers jam the eavesdropper!", "Is it so?", "Yes."]
    [kept] = leading_sentences([text], ENCODER, keep=2)
    assert len(sentences(kept)) == 2
    assert leading_sentences(["One only."], ENCODER) == ["One only."]
    assert leading_sentences([], ENCODER) == []
