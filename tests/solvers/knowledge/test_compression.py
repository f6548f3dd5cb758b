"""Ratios by category, and where bits are best spent: properties that hold for whatever curves and bases."""

import numpy as np
import pytest
from hashing_encoder import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.knowledge.compress.compression import adaptive_ratios, compress, ranking
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.store.quantisation import unit

ENCODER = HashingEncoder()
CATEGORIES = ("lexicon", "standards", "research")


def base_of(size: int, precision: str | None = None) -> KnowledgeBase:
    rng = np.random.default_rng(size)
    words = [f"word{i}" for i in range(60)]
    texts = [" ".join(rng.choice(words, rng.integers(3, 25))) for _ in range(size)]
    passages = [Passage(f"p{i}", text, CATEGORIES[i % 3]) for i, text in enumerate(texts)]
    return KnowledgeBase.build(passages, ENCODER, precision)


def part(base: KnowledgeBase, category: str) -> KnowledgeBase:
    return base.select([i for i, passage in enumerate(base.passages) if passage.category == category])


@given(
    st.dictionaries(st.sampled_from(CATEGORIES), st.floats(0, 1)),
    st.floats(0, 1),
    st.sampled_from([None, "float32", "int8"]),
)
@settings(max_examples=30)
def test_each_category_keeps_its_ratio(ratios, ratio, precision):
    base = base_of(36, precision)
    small = compress(base, ratio, ratios=ratios)
    nothing = base.select([]).size_bits
    for category in CATEGORIES:
        share = ratios.get(category, ratio)
        assert part(small, category).size_bits <= max(share * part(base, category).size_bits, nothing)
        if share == 1:
            assert part(small, category).passages == part(base, category).passages
    keys = [passage.key for passage in small.passages]
    assert keys == [passage.key for passage in base.passages if passage.key in set(keys)]


CURVES = st.lists(
    st.tuples(st.lists(st.floats(0.05, 0.95), max_size=4, unique=True), st.lists(st.floats(0, 100), min_size=6)),
    min_size=1,
    max_size=4,
).map(
    lambda drawn: {
        f"c{number}": list(zip([0.0, *sorted(inner), 1.0], values, strict=False))
        for number, (inner, values) in enumerate(drawn)
    }
)


def value(curve: list[tuple[float, float]], ratio: float) -> float:
    """Return what a ratio is worth on the hull of a curve: the best mix of two of its points, none above the ratio."""
    best = max(v for at, v in curve if at <= ratio)
    for low, before in curve:
        for high, after in curve:
            if low <= ratio < high:
                best = max(best, before + (after - before) * (ratio - low) / (high - low))
    return best


@given(CURVES, st.floats(0, 1), st.lists(st.floats(1, 100), min_size=4, max_size=4))
@settings(max_examples=200)
def test_no_other_split_is_worth_more(curves, ratio, weights):
    bits = dict(zip(curves, weights, strict=False))
    ratios = adaptive_ratios(ratio, curves, bits)
    total = sum(bits.values())
    assert all(0 <= own <= 1 for own in ratios.values())
    # Below the smallest normal number products are rounded to multiples of 5e-324, which no relative tolerance covers.
    assert sum(ratios[name] * bits[name] for name in curves) <= ratio * total * (1 + 1e-9) + np.finfo(float).tiny
    ours = sum(value(curves[name], ratios[name]) for name in curves)
    assert ours >= sum(value(curves[name], ratio) for name in curves) - 1e-6 * (1 + abs(ours))
    rng = np.random.default_rng(0)
    for _ in range(10):  # any split of the same bits
        share = rng.dirichlet(np.ones(len(curves))) * ratio * total
        other = {name: min(1.0, part / bits[name]) for name, part in zip(curves, share, strict=True)}
        assert ours >= sum(value(curves[name], other[name]) for name in curves) - 1e-6 * (1 + abs(ours))


@pytest.mark.parametrize("precision", [None, "float32"])
def test_the_smallest_ratio_leaves_nothing(precision):
    base = base_of(9, precision)
    smallest = np.finfo(float).smallest_subnormal
    assert len(compress(base, smallest)) == len(compress(base, 0.0)) == 0
    [ratio] = adaptive_ratios(smallest, {"c": [(0.0, 0.0), (1.0, 5.0)]}, {"c": 3.0}).values()
    assert 0 <= ratio <= 2 * smallest


def test_long_passages_have_to_be_worth_their_bits():
    vectors = unit(np.array([[1, 0.1], [0.9, 0.4], [0, 1]], np.float32))
    texts = ("short and on it", "a passage that says much else beside what is asked for " * 4, "off")
    base = KnowledgeBase(tuple(Passage(str(i), text) for i, text in enumerate(texts)), vectors)
    assert ranking(base, np.array([[0.95, 0.3]], np.float32))[0] == 0


def test_thousands_of_passages_are_ranked_by_what_is_new():
    rng = np.random.default_rng(0)
    topics = unit(rng.normal(size=(20, 32)))
    vectors = unit(topics[np.arange(3000) % 20] + 0.02 * rng.normal(size=(3000, 32)))
    base = KnowledgeBase(tuple(Passage(f"{i:04}", "of one length") for i in range(3000)), vectors)
    first = ranking(base)[:20]
    assert {int(i) % 20 for i in first} == set(range(20))  # one of each topic before a second of any


@pytest.mark.parametrize(
    ("queries", "message"),
    [(np.ones((2, 5)), "64 numbers each, got 5"), (np.full((1, 64), np.nan), "finite")],
)
def test_queries_of_another_encoder_are_refused(queries, message):
    with pytest.raises(ValueError, match=message):
        compress(base_of(3), 0.5, queries=queries)
