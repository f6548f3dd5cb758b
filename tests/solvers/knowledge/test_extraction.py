"""Graphs that a language model reads: a real server on the loopback interface, and what a reply may do wrong."""

import json

import pytest
from faulty_server import FaultyServer, fails, says

from solvers.knowledge.language.extraction import Extractor
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure import changes
from solvers.knowledge.structure.concepts import Concepts, Content, KnownNames, canonical
from solvers.knowledge.structure.graph import KnowledgeGraph
from solvers.knowledge.structure.hops import search_hops
from solvers.knowledge.structure.topology import KnowledgeTopology
from solvers.llm import ChatOptions, EndpointError

TEXT = "The keys of Amber Falcon lie with Orbicom, the operator."


def reply(names, *relations):
    triples = [dict(zip(("subject", "relation", "object"), each, strict=True)) for each in relations]
    return says(json.dumps({"names": names, "relations": triples}))


def options(server: FaultyServer, **more) -> ChatOptions:
    return ChatOptions(model="m", base_url=server.base_url, api_key="k", retries=0, timeout_s=5, **more)


def read(step, text: str = TEXT):
    """Return the content of a text with one reply, and the extractor."""
    with FaultyServer(step) as server, Extractor(options(server)) as extractor:
        [content] = extractor.read([text])
        assert text in server.bodies[0]["messages"][-1]["content"]
    return content, extractor


def test_names_and_relations_of_a_text():
    content, extractor = read(
        reply(["Orbicom", "AMBER  Falcon", "orbicom"], ("Orbicom", " Keeps  keys of", "Amber Falcon"))
    )
    assert content == Content(("amber falcon", "orbicom"), (("orbicom", "keeps keys of", "amber falcon"),))
    assert (extractor.faults, extractor.made_up, extractor.name) == ({}, 0, "m")


def test_what_a_model_makes_up_is_dropped():
    relations = [
        ("Telluna", "owns", "Amber Falcon"),
        ("Amber Falcon", "is", "amber falcon"),
        ("Amber Falcon", " ", "Orbicom"),
        ("operator", "is", "Orbicom"),
    ]
    content, extractor = read(reply(["Amber Falcon", "Telluna", "Orbi", "Orbicom", "?!"], *relations))
    assert content == Content(("amber falcon", "orbicom"))
    assert extractor.made_up == 2  # Telluna, and a part of a word


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (fails(500), "server error"),
        (says("Amber Falcon"), "malformed"),
        (says('{"names": "Amber Falcon"}'), "malformed"),
        (says('{"relations": []}'), "malformed"),
        (says(None, refusal="no"), "refusal"),
    ],
)
def test_after_a_fault_a_text_has_no_concepts(step, fault):
    content, extractor = read(step)
    assert content == Content(())
    assert extractor.faults == {fault: 1}


def test_texts_are_asked_for_once_and_a_cap_leaves_the_rest():
    with FaultyServer(reply(["Orbicom"])) as server:
        with Extractor(options(server, max_calls=1)) as extractor:
            contents = extractor.read([TEXT, "Orbicom again", TEXT])
            assert extractor.read([TEXT]) == [Content(("orbicom",))]
        assert len(server.bodies) == 1
    assert contents == [Content(("orbicom",)), Content(()), Content(("orbicom",))]
    assert extractor.faults == {"cap": 1}


def test_an_endpoint_of_no_use_is_told():
    with (
        FaultyServer(fails(401)) as server,
        Extractor(options(server)) as extractor,
        pytest.raises(EndpointError, match="key"),
    ):
        extractor.read([TEXT])


def test_rules_stand_in_for_a_model():
    with Extractor(ChatOptions()) as extractor:
        [content] = extractor.read(["Transmit beamforming uses antennas."])
        assert extractor.name == "no LLM"
    assert content == Content(
        ("transmit beamforming", "transmit", "beamforming", "antenna"), (("transmit beamforming", "uses", "antenna"),)
    )


# --- The graph ----------------------------------------------------------------------------------------------

PASSAGES = [
    Passage("stands", "Cell Amber Falcon stands at Maple Lane."),
    Passage("runs", "The keys of Maple Lane lie with Orbicom."),
    Passage("other", "Cell Amber Heron stands at Maple Ridge."),
]
NAMES = {
    "stands": ["Amber Falcon", "Maple Lane"],
    "runs": ["Maple Lane", "Orbicom"],
    "other": ["Amber Heron", "Maple Ridge"],
}
QUESTION = "Who runs the site on which Amber Falcon stands?"


@pytest.fixture
def graph():
    contents = [Content(tuple(map(canonical, NAMES[passage.key]))) for passage in PASSAGES]
    return KnowledgeGraph.of_contents(PASSAGES, KnownNames(), contents)


def test_a_question_is_read_by_the_names_of_the_graph(graph):
    assert [graph.concepts[place] for place in graph.known("Does AMBER-FALCON or Falcon hear Orbicom?")] == ["orbicom"]
    assert [graph.concepts[place] for place in graph.known(QUESTION)] == ["amber falcon"]
    found, _ = search_hops(graph, [QUESTION], 3, 2)
    assert found.tolist() == [[0, 1, -1]]  # the site is what the two facts share, and the other cell is not reached


def test_names_are_whole_words_and_the_longest_come_first():
    reader = KnownNames(names=frozenset({"falcon", "amber falcon", "n1"}))
    assert reader.of("At n14 Amber Falcon, n1") == ("amber falcon", "falcon", "n1")
    assert KnownNames().of("Amber") == ()
    assert (canonical(" The  Maple-Lane! "), canonical("?!")) == ("the maple-lane", "")


def test_a_graph_of_names_is_sent_and_updated(graph):
    again = KnowledgeGraph.from_bytes(graph.to_bytes())
    assert again.known(QUESTION) == graph.known(QUESTION)
    assert again.reader == graph.reader
    more = [*PASSAGES, Passage("new", "Brightline rents Maple Ridge.")]
    grown = KnowledgeGraph.of_contents(more, KnownNames(), [*graph.contents, Content(("brightline", "maple ridge"))])
    updated = changes.apply(again, changes.difference(graph, grown))
    assert changes.digest(updated) == changes.digest(grown)
    assert [updated.concepts[place] for place in updated.known("What does Brightline rent?")] == ["brightline"]
    with pytest.raises(ValueError, match="send the whole one"):
        changes.difference(graph, KnowledgeGraph.build(PASSAGES))
    topology = KnowledgeTopology.of_contents(PASSAGES, KnownNames(), graph.contents)
    assert KnowledgeTopology.from_bytes(topology.to_bytes()).reader == topology.reader == graph.reader


def test_the_rules_know_no_names():
    assert KnowledgeGraph.build(PASSAGES).reader == Concepts()


def test_a_model_reads_a_graph(graph):
    steps = [reply(NAMES[passage.key]) for passage in PASSAGES]
    with FaultyServer(*steps) as server, Extractor(options(server, concurrency=1)) as extractor:
        found = extractor.graph(PASSAGES)
    assert changes.digest(found) == changes.digest(graph)
    assert found.reader == graph.reader
