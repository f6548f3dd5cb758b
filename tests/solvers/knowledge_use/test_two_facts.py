"""Questions that need two facts: neither tells the answer, both do, and a walk of two hops finds them."""

import re

import numpy as np
import pytest
from hashing_encoder import HashingEncoder

from solvers.knowledge.facts.phrasings import KINDS
from solvers.knowledge.facts.reader import ExactReader
from solvers.knowledge.facts.world import OPTIONS, build, change, commonest, union
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure.graph import KnowledgeGraph
from solvers.knowledge.structure.hops import search_hops, walk
from solvers.knowledge.structure.topology import KnowledgeTopology

WORLDS = [build(seed=seed) for seed in range(5)]


READER = ExactReader(union(WORLDS))


def right(asked, texts, rng):
    return READER.answer(asked.question, texts, rng).option == asked.question.answer


def test_with_both_facts_the_answer_is_always_right():
    rng = np.random.default_rng(0)
    for asked in WORLDS[0].asked:
        texts = [WORLDS[0].sentences[fact] for fact in WORLDS[0].needed(asked)]
        assert right(asked, texts, rng)
        assert right(asked, [passage.text for passage in WORLDS[0].passages], rng)


@pytest.mark.parametrize("missing", ["first", "second"])
def test_without_one_fact_whoever_knows_all_others_is_at_chance(missing):
    rng = np.random.default_rng(0)
    hits, questions = np.zeros(3), 0
    for world in WORLDS:
        for asked in world.asked:
            lacking = world.without(asked, missing)
            texts = [passage.text for passage in lacking.passages]
            guesses = commonest(lacking, asked), commonest(lacking, asked, least=True)
            hits += [right(asked, texts, rng), *(guess == asked.question.answer for guess in guesses)]
            questions += 1
    assert questions == 5 * 72
    assert np.abs(hits / questions - 1 / OPTIONS).max() < 4 * np.sqrt(0.25 * 0.75 / questions)


@pytest.mark.parametrize("missing", ["first", "second"])
def test_without_one_fact_every_option_stays_possible(missing):
    world = WORLDS[0]
    things = {fact.relation: {other.value for other in world.sentences} for fact in world.sentences}
    for asked in world.asked:
        first, second = world.needed(asked)
        ends = {f.subject: f.value for f in world.sentences if f.relation == second.relation}
        middles = {f.value for f in world.sentences if f.relation == first.relation} | ends.keys()
        reached = {ends[m] for m in middles if m in ends} if missing == "first" else things[second.relation]
        assert set(asked.question.options) <= reached


def test_no_sentence_says_two_facts_and_no_question_names_the_middle():
    names = {name.lower() for fact in WORLDS[0].sentences for name in (fact.subject, fact.value)}
    for text in WORLDS[0].sentences.values():
        assert len(names & set(re.findall(r"\w+", text.lower()))) == 2
    for asked in WORLDS[0].asked:
        middle = WORLDS[0].needed(asked)[0].value
        assert middle not in asked.question.text
        assert not any(option in asked.question.text for option in asked.question.options)


def test_sentences_have_both_ends_and_are_all_different():
    for kind in KINDS.values():
        assert len(set(kind.sentences)) == 8
        assert all("{s}" in sentence and "{v}" in sentence for sentence in kind.sentences)
    assert len(set(WORLDS[0].sentences.values())) == len(WORLDS[0].sentences) == 6 * 120


def test_the_same_seed_draws_the_same_world():
    assert build(seed=3) == build(seed=3) != build(seed=4)


@pytest.mark.parametrize("arguments", [{"questions": 0}, {"things": 121}, {"questions": 30, "things": 20}])
def test_bad_numbers_are_refused(arguments):
    with pytest.raises(ValueError, match="must be an integer"):
        build(**arguments)


def test_facts_change_and_answers_with_them():
    world, rng = WORLDS[0], np.random.default_rng(0)
    moved = change(world, 0.1, rng)
    old, new = world.values, moved.values
    assert old.keys() == new.keys()
    assert sum(old[key] != new[key] for key in old) == 72
    kept = [fact for fact in world.sentences if new[fact.subject, fact.relation] == fact.value]
    assert all(moved.sentences[fact] == world.sentences[fact] for fact in kept)
    texts, reader = [passage.text for passage in moved.passages], ExactReader(union([moved]))
    assert all(reader.answer(asked.question, texts, rng).option == asked.question.answer for asked in moved.asked)
    stale = ExactReader(union([world]))
    texts = [passage.text for passage in world.passages]
    hits = [stale.answer(each.question, texts, rng).option == each.question.answer for each in moved.asked]
    assert 0.6 < np.mean(hits) < 1


def test_the_exact_reader_knows_its_own_questions_alone():
    from secagent_env import questions

    with pytest.raises(ValueError, match="made-up network alone"):
        ExactReader({}).answer(questions.load("sample")[0], [], np.random.default_rng(0))


def graph_of(*texts):
    return KnowledgeGraph.build(Passage(f"p{place}", text) for place, text in enumerate(texts))


def test_two_hops_reach_what_shares_nothing_with_the_question():
    graph = graph_of("Alpha stands at Bravo.", "Bravo belongs to Charlie.", "Delta belongs to Echo.")
    one, _ = search_hops(graph, ["Whose is Alpha?"], 3, hops=1)
    two, scores = search_hops(graph, ["Whose is Alpha?"], 3, hops=2)
    assert one.tolist() == [[0, -1, -1]]
    assert two.tolist() == [[0, 1, -1]]
    # After one hop all visits are at passage 0. Its one concept that another passage mentions is Bravo, of passages
    # 0 and 1: half of the visits of the second hop each.
    assert scores[0, :2] == pytest.approx([1.5, 0.5])


def test_the_walk_prefers_rare_concepts_and_passages_near_the_question():
    graph = graph_of("Alpha Bravo Charlie.", "Bravo one.", "Charlie two.", "Charlie three.", "Charlie four.")
    visits = walk(graph, ["Alpha"], 2)[0]
    assert visits.argsort()[::-1][1] == 1
    similar = np.zeros((1, 5))
    similar[0, 3] = 1
    assert walk(graph, ["Alpha"], 2, similar)[0, 3] > visits[3]
    assert walk(graph, ["Alpha"], 2, np.zeros((1, 5)))[0] == pytest.approx(visits)


@pytest.mark.parametrize("structure", [KnowledgeGraph, KnowledgeTopology])
def test_hops_on_any_structure_end_well(structure):
    empty = structure.build([])
    assert (search_hops(empty, ["Alpha?"], 2)[0] == -1).all()
    held = structure.build(WORLDS[0].passages)
    indices, scores = search_hops(held, ["", *(each.question.text for each in WORLDS[0].asked[:3])], 5, 3)
    assert (indices[0] == -1).all()
    assert (np.diff(scores[1:], axis=1) <= 0).all()
    assert walk(held, ["Alpha bravo", WORLDS[0].asked[0].question.text], 2).sum(axis=1) == pytest.approx([0, 2])
    with pytest.raises(ValueError, match="similarities must have the shape"):
        search_hops(held, ["x"], 2, similar=np.zeros((1, 3)))
    with pytest.raises(ValueError, match="hops must be"):
        search_hops(held, ["x"], 2, hops=0)


def test_two_hops_find_both_facts_where_vectors_and_one_hop_do_not():
    world = WORLDS[0]
    keys = [passage.key for passage in world.passages]
    texts = [each.question.text for each in world.asked]
    encoder = HashingEncoder(1024)
    graph, base = KnowledgeGraph.build(world.passages), KnowledgeBase.build(world.passages, encoder)

    def both(indices):
        found = [{keys[place] for place in row if place >= 0} for row in indices]
        return np.mean([{f.key for f in world.needed(a)} <= own for a, own in zip(world.asked, found, strict=True)])

    assert both(base.search(encoder.encode(texts), 10)[0]) < 0.1
    assert both(search_hops(graph, texts, 10, hops=1)[0]) < 0.1
    assert both(search_hops(graph, texts, 10, hops=2)[0]) > 0.5
