"""Teachers, students and peers on vectors, graph or topology: the same messages arrive, bad ones change nothing."""

import numpy as np
import pytest
from hashing_encoder import HashingEncoder

from solvers.collaboration.peers import SHARING, Peers
from solvers.collaboration.student import Student
from solvers.collaboration.teacher import Teacher
from solvers.knowledge.facts.reader import ExactReader
from solvers.knowledge.facts.world import build, change, union
from solvers.knowledge.representation import REPRESENTATIONS, Structured, representation
from solvers.knowledge.store.message import pack_fields, unpack_fields
from solvers.knowledge.store.passages import Passage
from solvers.knowledge.structure import changes
from solvers.knowledge.structure.graph import KnowledgeGraph
from solvers.knowledge.structure.topology import KnowledgeTopology

ENCODER = HashingEncoder(256)
WORLD = build(4, 12)
MOVED = change(WORLD, 0.2, np.random.default_rng(0))
STRUCTURES = [KnowledgeGraph, KnowledgeTopology]


def pair(name, passages=WORLD.passages, precision=None):
    how = representation(name, ENCODER, precision)
    teacher = Teacher(passages, ENCODER, representation=how)
    reader = ExactReader(union([WORLD, MOVED]))
    return teacher, Student(reader, ENCODER, representation=how, passages=10, threshold=-1, unsure=0.5)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_difference_gives_the_same_structure_as_reading_everything(structure):
    old, new = structure.build(WORLD.passages), structure.build(MOVED.passages)
    update = changes.difference(old, new)
    assert len(update) < len(new.to_bytes())
    received = changes.apply(structure.from_bytes(old.to_bytes()), update)
    assert changes.digest(received) == changes.digest(new) != changes.digest(old)
    text = "Where does the cell stand?" + WORLD.asked[0].question.text
    scores = [np.sort(held.search_texts([text], 5)[1]) for held in (received, new)]
    assert scores[0] == pytest.approx(scores[1])


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_difference_takes_away_adds_and_learns_abbreviations(structure):
    one = Passage("a", "Hybrid automatic repeat request (HARQ) uses soft combining.")
    two, three = Passage("b", "Soft combining needs memory."), Passage("c", "Memory limits HARQ.")
    for before, after in (
        ((one, two), (two, three)),
        ((), (one, two, three)),
        ((one, two, three), ()),
        ((one,), (one,)),
    ):
        old, new = structure.build(before), structure.build(after)
        received = changes.apply(old, changes.difference(old, new))
        assert changes.digest(received) == changes.digest(new)
        assert set(received.passages) == set(after)
        assert received.reader.abbreviations == new.reader.abbreviations


@pytest.mark.parametrize("structure", STRUCTURES)
def test_bad_differences_are_one_sentence_each(structure):
    old, new = structure.build(WORLD.passages), structure.build(MOVED.passages)
    update = changes.difference(old, new)
    magic = update[:4]
    fields = unpack_fields(magic, update)
    with pytest.raises(ValueError, match="damaged or cut"):
        changes.apply(old, update[:-3])
    with pytest.raises(ValueError, match="begins differently"):
        changes.apply(old, old.to_bytes())
    with pytest.raises(ValueError, match="is of version 9"):
        changes.apply(old, magic + b"\x09" + update[5:])
    with pytest.raises(ValueError, match=f"for another {old.noun}; ask for the whole one"):
        changes.apply(new, update)
    for name, bad in (
        ("mentions", [[10**6]]),
        ("mentions", fields["mentions"][:-1]),
        ("removed", [[10**6]]),
        ("gives", "0" * 16),
        ("short", ["x"]),
        ("texts", ["other"] * len(fields["texts"])),
        ("edges", [[0]] * len(fields["edges"])),
    ):
        with pytest.raises(ValueError, match="the message is damaged"):
            changes.apply(old, pack_fields(magic, {**fields, name: bad}))
    other = KnowledgeTopology if structure is KnowledgeGraph else KnowledgeGraph
    with pytest.raises(ValueError, match="send the whole one"):
        changes.difference(old, other.build(()))


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_a_student_follows_its_teacher_by_differences(name):
    teacher, student = pair(name)
    student.receive(teacher.teach())
    teacher.learn(MOVED.passages)
    update = teacher.update()
    assert 0 < len(update) < len(teacher.base.to_bytes())
    student.update(update)
    assert set(student.base.passages) == set(MOVED.passages)
    before = student.base
    for message in (update, update[:-1], b"", teacher.teach()[:20]):
        with pytest.raises(ValueError, match=r"\w"):
            student.update(message)
        with pytest.raises(ValueError, match=r"\w"):
            student.receive(message)
        assert student.base is before


@pytest.mark.parametrize("name", ["graph", "topology"])
def test_a_message_of_another_representation_is_refused(name):
    teacher, _ = pair("vectors")
    _, student = pair(name)
    for message in (teacher.teach(), pair("topology" if name == "graph" else "graph")[0].teach()):
        with pytest.raises(ValueError, match="begins differently"):
            student.receive(message)
    assert len(student.base) == 0


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_feedback_brings_what_a_student_lacks(name):
    teacher, student = pair(name)
    student.receive(teacher.teach(0.3))
    assert 0 < len(student.base) < len(teacher.base)
    rng = np.random.default_rng(0)
    for asked in WORLD.asked:
        student.answer(asked.question, rng)
    assert student.unanswered
    student.update(teacher.refine(student.feedback(), passages=2))
    assert changes_nothing(teacher.taught, student.base)


def changes_nothing(one, other):
    return set(one.passages) == set(other.passages)


@pytest.mark.parametrize("name", ["graph", "topology"])
def test_a_compressed_structure_fits_its_ratio(name):
    teacher, _ = pair(name)
    for ratio in (0.2, 0.5, 0.9):
        assert 8 * len(teacher.teach(ratio)) <= ratio * teacher.base.size_bits
    assert 8 * len(teacher.teach(1.0)) == teacher.base.size_bits
    with pytest.raises(ValueError, match="give one"):
        Structured(name).compress(teacher.base, 0.5)


@pytest.mark.parametrize("name", ["graph", "topology"])
@pytest.mark.parametrize("sharing", SHARING)
def test_peers_share_whatever_holds_their_knowledge(name, sharing):
    how = representation(name, ENCODER)
    reader = ExactReader(union([WORLD]))
    halves = [how.build(WORLD.passages[start::2]) for start in range(2)]
    peers = [Student(reader, ENCODER, half, representation=how, passages=10, unsure=0.5) for half in halves]
    before = [len(peer.base) for peer in peers]
    done = Peers(peers, sharing).round([WORLD.asked[0].question, WORLD.asked[1].question])
    assert len(done.correct) == 2
    assert (done.bits == 0) == (sharing in ("alone", "broadcast"))
    if sharing != "request":  # which brings only what scores higher than the peer's own
        assert (sum(done.passages) > sum(before)) == (sharing in ("gossip", "central"))


def test_groups_are_left_out_of_a_walk():
    passages = [Passage("a", "Alpha stands at Bravo.", group="g"), Passage("b", "Alpha is old.", group="h")]
    how = Structured("graph")
    held = how.build(passages)
    assert how.search(held, ["Alpha"], 2)[0].tolist() == [[0, 1]]
    indices, scores = how.search(held, ["Alpha", "Alpha"], 2, exclude_groups=["g", ["g", "h"]])
    assert indices.tolist() == [[1, -1], [-1, -1]]
    assert np.isneginf(scores[indices < 0]).all()


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown representation 'vector'"):
        representation("vector", ENCODER)
