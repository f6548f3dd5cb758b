from itertools import combinations

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.knowledge.store.message import pack_fields, unpack_fields
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure.topology import MAGIC, Complex, KnowledgeTopology

CIRCLE = [(0, 1), (1, 2), (0, 2)]
SPHERE = list(combinations(range(4), 3))
TORUS = [tuple((place + step) % 7 for step in steps) for place in range(7) for steps in ((0, 1, 3), (0, 2, 3))]
PROJECTIVE_PLANE = "124 125 136 134 156 235 236 246 345 456"
COMPLEXES = st.lists(st.frozensets(st.integers(0, 6), max_size=4), max_size=8)
TEXTS = (
    "Beamforming with jamming limits eavesdroppers.",
    "Beamforming with antennas.",
    "Jamming of antennas.",
    "Something else entirely.",
)


def topology_of(*texts, **options):
    return KnowledgeTopology.build((Passage(f"p{place}", text) for place, text in enumerate(texts)), **options)


@pytest.mark.parametrize(
    ("simplices", "betti", "euler"),
    [
        ([], [0, 0, 0], 0),
        ([(0,)], [1, 0, 0], 1),
        ([(0,), (1,), (2, 3)], [3, 0, 0], 3),
        (CIRCLE, [1, 1, 0], 0),
        ([(0, 1, 2)], [1, 0, 0], 1),
        ([*CIRCLE, (2, 3), (3, 4), (2, 4)], [1, 2, 0], -1),
        (SPHERE, [1, 0, 1], 2),
        ([(0, 1, 2, 3)], [1, 0, 0], 1),
        (TORUS, [1, 2, 1], 0),
        ([tuple(map(int, face)) for face in PROJECTIVE_PLANE.split()], [1, 1, 1], 1),  # over GF(2)
    ],
)
def test_betti_numbers_known_by_hand(simplices, betti, euler):
    own = Complex(simplices)
    assert [own.betti(dimension) for dimension in range(3)] == betti
    assert own.euler_characteristic == euler


@given(COMPLEXES)
def test_the_euler_characteristic_is_the_alternating_sum_of_betti_numbers(simplices):
    own = Complex(simplices)
    betti = [own.betti(dimension) for dimension in range(own.dimension + 1)]
    assert own.euler_characteristic == sum((-1) ** dimension * number for dimension, number in enumerate(betti))
    assert min(betti, default=0) >= 0


@given(COMPLEXES)
def test_the_first_betti_number_counts_parts(simplices):
    own = Complex(simplices)
    graph = networkx.Graph(own.faces(1))
    graph.add_nodes_from(vertex for (vertex,) in own.faces(0))
    assert own.betti(0) == networkx.number_connected_components(graph)


@given(COMPLEXES)
def test_a_cone_has_no_holes(simplices):
    cone = Complex([*({*simplex, 99} for simplex in simplices), {99}])
    assert [cone.betti(dimension) for dimension in range(4)] == [1, 0, 0, 0]


def test_star_and_link():
    own = Complex([(0, 1, 2), (0, 1, 3), (3, 4)])
    assert own.star([0, 1]) == [(0, 1, 2), (0, 1, 3)]
    assert own.link([0, 1]).given == ((2,), (3,))
    assert Complex(SPHERE).link([0]).betti(1) == 1  # around a vertex of a sphere there is a circle


def test_three_passages_make_a_cycle_that_a_fourth_fills():
    cycle = topology_of(*TEXTS)
    assert cycle.concepts == ("antenna", "beamforming", "jamming")
    assert cycle.simplices == ((1, 2), (0, 1), (0, 2), ())
    assert cycle.complex.betti(1) == 1
    filled = topology_of(*TEXTS, "Antennas, jamming, beamforming.")
    assert filled.complex.betti(1) == 0


def test_passages_of_the_largest_shared_face_come_first():
    topology = topology_of(*TEXTS)
    indices, scores = topology.search_texts(["Is jamming better than antennas?", "nothing known"], 4)
    assert indices.tolist() == [[2, 0, 1, -1], [-1] * 4]
    assert np.floor(scores[0, :3]).tolist() == [2, 1, 1]
    assert topology.shared_faces("Is jamming better than antennas?")[2] == ("antenna", "jamming")


def test_a_simplex_is_of_the_rarest_concepts():
    texts = ["alpha, beta, gamma", "alpha, beta, gamma", "alpha, beta", "alpha"]
    topology = topology_of(*texts, vertices=2)
    assert [topology.concepts[vertex] for vertex in topology.simplices[0]] == ["beta", "gamma"]
    with pytest.raises(ValueError, match="vertices must be an integer ≥ 1, got 0"):
        topology_of(*texts, vertices=0)


@given(st.lists(st.text(max_size=40), max_size=6), st.text(max_size=40), st.integers(0, 4))
def test_what_is_sent_arrives_and_faces_change_nothing(texts, query, k):
    topology = topology_of(*texts)
    for data in (topology.to_bytes(), topology.to_bytes(faces=True)):
        received = KnowledgeTopology.from_bytes(data)
        assert received.passages == topology.passages
        assert received.simplices == topology.simplices
        for got, own in zip(received.search_texts([query], k), topology.search_texts([query], k), strict=True):
            np.testing.assert_array_equal(got, own)
    assert topology.size_bits == 8 * len(topology.to_bytes())


def test_faces_cost_bits():
    topology = topology_of(*[" ".join(f"word{place}, " for place in range(8))] * 2)
    assert len(topology.to_bytes(faces=True)) > len(topology.to_bytes())


@pytest.mark.parametrize(
    ("name", "value"), [("simplices", [[9], [], [], []]), ("simplices", [[1, 0], [], [], []]), ("simplices", [])]
)
def test_forged_messages_are_refused(name, value):
    fields = unpack_fields(MAGIC, topology_of(*TEXTS).to_bytes()) | {name: value}
    with pytest.raises(ValueError, match="damaged"):
        KnowledgeTopology.from_bytes(pack_fields(MAGIC, fields))
