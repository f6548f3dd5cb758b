import networkx
import numpy as np
import pytest
from hashing_encoder import HashingEncoder
from hypothesis import given
from hypothesis import strategies as st

from secagent_env import questions
from solvers.knowledge.corpus import explanations
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.message import columns, pack_fields, unpack_fields
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure.concepts import BESIDE, MAX_LENGTH, MAX_MENTIONS, Concepts
from solvers.knowledge.structure.graph import BESIDE_WEIGHT, DAMPING, MAGIC, VERB_WEIGHT, KnowledgeGraph, Triple

TEXTS = (
    "Hybrid automatic repeat request (HARQ) uses soft combining.",
    "Soft combining improves reliability.",
    "A beam is a direction.",
)


def graph_of(*texts):
    return KnowledgeGraph.build(Passage(f"p{place}", text) for place, text in enumerate(texts))


def test_concepts_are_phrases_and_their_words():
    assert Concepts().of("Physical-layer security limits the eavesdroppers.") == (
        *("physical-layer security", "physical-layer", "security", "eavesdropper"),
    )


def test_of_a_long_phrase_its_end_stays():
    assert Concepts().of("dynamic downlink radio resource allocation")[0] == "radio resource allocation"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Hybrid automatic repeat request (HARQ) is old.", "harq"),
        ("The quality of service (QoS) matters.", "qos"),
        ("An unmanned aerial vehicle (UAV) flies.", "uav"),
    ],
)
def test_an_abbreviation_and_what_it_stands_for_are_one(text, short):
    long = text.split(" (")[0]
    reader = Concepts.learn([text])
    assert reader.of(f"{long} here") == reader.of(f"{short.upper()} here")
    assert short in reader.of(long)


def test_brackets_that_abbreviate_nothing_introduce_nothing():
    assert not Concepts.learn(["The network core (XYZ) is there.", "(NR)"]).abbreviations


def test_relations_are_told_by_verbs_and_end_with_the_sentence():
    relations = [
        mention.relation for mention in Concepts().mentions("HARQ uses coding with feedback. Beams are narrow.")
    ]
    assert relations == [None, "uses", BESIDE, None, "is a"]


@given(st.text(max_size=300))
def test_any_text_gives_bounded_concepts(text):
    reader = Concepts.learn([text])
    assert len(reader.mentions(text)) <= MAX_MENTIONS
    assert all(0 < len(concept) <= MAX_LENGTH for concept in reader.of(text))


def test_edges_say_what_passages_say():
    graph = graph_of(*TEXTS)
    relations = {(graph.concepts[e.subject], e.relation, graph.concepts[e.object]): e.passages for e in graph.relations}
    assert relations[("harq", "uses", "soft combining")] == (0,)
    assert relations[("soft combining", "enables", "reliability")] == (1,)
    assert relations[("beam", "is a", "direction")] == (2,)
    data = graph.graph.get_edge_data("harq", "soft combining")
    assert data[0]["weight"] == VERB_WEIGHT
    assert BESIDE_WEIGHT < VERB_WEIGHT


def test_a_relation_leads_to_passages_that_share_no_concept_with_the_question():
    graph = graph_of("HARQ uses retransmission.", "Retransmission increases delay.", "Beams need antennas.")
    indices, scores = graph.search_texts(["What of HARQ?"], 3)
    assert indices[0].tolist() == [0, 1, -1]
    assert scores[0, 0] > scores[0, 1] > 0
    assert np.isneginf(scores[0, 2])
    way = graph.explain("What of HARQ?", 1)
    assert way == (Triple("harq", "uses", "retransmission"),)
    assert graph.explain("What of HARQ?", 0) == (Triple("harq", "uses", "retransmission"),)
    assert graph.explain("What of HARQ?", 2) == ()


def test_the_walk_is_personalised_pagerank():
    graph = graph_of(*TEXTS, "Soft combining needs memory; reliability limits delay.")
    text = "reliability of a beam"
    start = {name: graph._rarity[graph.concepts.index(name)] for name in ("reliability", "beam")}
    plain = networkx.Graph()
    plain.add_nodes_from(graph.concepts)
    for one, other, weight in graph.graph.edges(data="weight"):
        before = plain.get_edge_data(one, other, {"weight": 0})["weight"]
        plain.add_edge(one, other, weight=before + weight)
    expected = networkx.pagerank(plain, alpha=DAMPING, personalization=start, dangling=start, tol=1e-12)
    np.testing.assert_allclose(graph.walk([text])[0], [expected[name] for name in graph.concepts], atol=1e-4)


def test_questions_of_the_sample_find_their_explanations():
    sample = questions.load("sample")
    passages = explanations(sample)
    graph = KnowledgeGraph.build(passages)
    indices, _ = graph.search_texts([question.text for question in sample], 5)
    hits = [
        any(passages[place].group == question.group for place in row if place >= 0)
        for question, row in zip(sample, indices, strict=True)
    ]
    assert np.mean(hits) > 0.9


def test_what_is_sent_arrives():
    graph = graph_of(*TEXTS)
    received = KnowledgeGraph.from_bytes(graph.to_bytes())
    assert received.passages == graph.passages
    assert received.relations == graph.relations
    np.testing.assert_array_equal(received.walk(["HARQ"]), graph.walk(["HARQ"]))
    assert graph.size_bits == 8 * len(graph.to_bytes())
    assert graph.to_bytes() == graph_of(*TEXTS).to_bytes()


@pytest.mark.parametrize("group", ["p0", "", "of others"])
def test_groups_arrive_and_those_called_as_their_passages_hardly_cost(group):
    passage = Passage("p0", TEXTS[0], "radio", group)
    graph = KnowledgeGraph.build([passage])
    assert KnowledgeGraph.from_bytes(graph.to_bytes()).passages == (passage,)
    assert (unpack_fields(MAGIC, graph.to_bytes())["groups"] == ["="]) == (group == "p0")


def test_passages_cost_as_much_as_with_vectors():
    passages = explanations(questions.load("sample"))
    texts = KnowledgeBase.build(passages, HashingEncoder()).size_bits
    assert 8 * len(pack_fields(MAGIC, columns(passages))) == pytest.approx(texts, rel=0.01)


@given(st.lists(st.text(max_size=40), max_size=6), st.text(max_size=40), st.integers(0, 4))
def test_any_texts_make_a_graph_that_is_sent_and_searched(texts, query, k):
    graph = graph_of(*texts)
    received = KnowledgeGraph.from_bytes(graph.to_bytes())
    indices, scores = received.search_texts([query, ""], k)
    assert indices.shape == scores.shape == (2, k)
    assert (indices[1] == -1).all()
    assert ((indices == -1) == np.isneginf(scores)).all()
    for place in indices[0][indices[0] >= 0]:
        received.explain(query, int(place))


def test_questions_in_another_language_find_what_they_name():
    graph = graph_of("HARQ uses retransmission.", "Beams need antennas.")
    assert graph.search_texts(["Was tut HARQ bei Fehlern?", "什么是波束"], 1)[0].tolist() == [[0], [-1]]


@pytest.mark.parametrize("place", [0, 4, 20, -1])
def test_damaged_messages_are_refused(place):
    data = bytearray(graph_of(*TEXTS).to_bytes())
    data[place] ^= 1
    with pytest.raises(ValueError, match="message"):
        KnowledgeGraph.from_bytes(bytes(data))
    with pytest.raises(ValueError, match="message"):
        KnowledgeGraph.from_bytes(bytes(data[:10]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("mentions", [[99], [], []]), ("mentions", [[True], [], []]), ("mentions", [])),
        *(("groups", [1, 2, 3]), ("groups", None), ("groups", [None])),
        *(("edges", [[0, 0]]), ("said", [[7]]), ("short", ["x", "y"]), ("concepts", [1]), ("texts", ["one"])),
    ],
)
def test_forged_messages_are_refused(name, value):
    fields = unpack_fields(MAGIC, graph_of(*TEXTS).to_bytes()) | {name: value}
    with pytest.raises(ValueError, match="damaged"):
        KnowledgeGraph.from_bytes(pack_fields(MAGIC, fields))


def test_a_negative_number_of_passages_is_refused():
    with pytest.raises(ValueError, match="k must be"):
        graph_of(*TEXTS).search_texts(["HARQ"], -1)
