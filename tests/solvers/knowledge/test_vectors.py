"""Indices of vectors: exact ones find everything, approximate ones nearly so and say what they miss."""

import numpy as np
import pytest

from solvers.knowledge.store.quantisation import unit
from solvers.knowledge.store.vectors import KINDS, VectorIndex, recall


def clusters(count: int, dimension: int = 32, seed: int = 0) -> np.ndarray:
    centres = np.random.default_rng(7).normal(size=(40, dimension))
    rng = np.random.default_rng(seed)
    return unit(centres[rng.integers(40, size=count)] + 0.5 * rng.normal(size=(count, dimension)))


def nearest(vectors: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]


def test_an_exact_index_finds_what_a_sort_finds():
    vectors, queries = clusters(500), clusters(20, seed=1)
    indices, scores = VectorIndex(vectors).search(queries, 7)
    expected = nearest(vectors, queries, 7)
    assert indices.tolist() == expected.tolist()
    assert scores == pytest.approx(np.take_along_axis(queries @ vectors.T, expected, 1), abs=1e-5)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_more_effort_finds_more(kind):
    vectors, queries = clusters(4000), clusters(100, seed=1)
    exact = nearest(vectors, queries, 10)
    few, some, all_of_them = (
        recall(VectorIndex(vectors, kind, effort).search(queries, 10)[0], exact) for effort in (1, None, 4000)
    )
    assert few < some <= all_of_them
    assert some > 0.9
    assert all_of_them > 0.999


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 5, 60])
def test_few_vectors_are_all_found(kind, count, capfd):
    vectors = clusters(count)
    indices, scores = VectorIndex(vectors, kind, effort=1000).search(clusters(3, seed=1), 70)
    assert indices.shape == scores.shape == (3, 70)
    assert [sorted(row[row >= 0].tolist()) for row in indices] == [list(range(count))] * 3
    assert np.isneginf(scores[indices < 0]).all()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_index_is_built_again(kind):
    vectors, queries = clusters(1000), clusters(30, seed=1)
    first, second = (VectorIndex(vectors, kind).search(queries, 5)[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_recall_by_hand():
    assert recall(np.array([[3, 1], [9, -1]]), np.array([[1, 2], [9, 8]])) == 0.5
    assert recall(np.array([[5, -1]]), np.array([[5, -1]])) == 1
    assert recall(np.array([[-1]]), np.array([[-1]])) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VectorIndex(np.ones((3, 2)), "hsnw"), "did you mean 'hnsw'"),
        (lambda: VectorIndex(np.ones(3)), "shape"),
        (lambda: VectorIndex(np.full((3, 2), np.inf)), "finite"),
        (lambda: VectorIndex(np.ones((3, 2)), "ivf", effort=0), "effort must be"),
        (lambda: VectorIndex(np.ones((3, 2))).search(np.ones((1, 3)), 1), "must have 2 numbers"),
    ],
)
def test_what_cannot_be_indexed_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
