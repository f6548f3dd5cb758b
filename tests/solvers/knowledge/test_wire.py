"""Messages that were made to do harm or went wrong: each is refused in a sentence. Differences look at vectors too."""

import bz2
import hashlib
import json
import struct
import zlib

import numpy as np
import pytest
from hashing_encoder import HashingEncoder
from hypothesis import given
from hypothesis import strategies as st

from solvers.knowledge.store import message, wire
from solvers.knowledge.store.base import KnowledgeBase
from solvers.knowledge.store.passages import Passage

ENCODER = HashingEncoder(8)
TWO = {"keys": ["a", "b"], "texts": ["x", "y"], "categories": ["", ""], "groups": ["", ""]}


def forged(
    fields: object = TWO,
    *,
    version=1,
    kind=0,
    codec=0,
    precision=0,
    dimension=8,
    vectors=b"",
    text: bytes | None = None,
) -> bytes:
    """Return a message with whatever content and a checksum that is right."""
    plain = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    text = (bz2.compress if codec == 1 else zlib.compress)(plain) if text is None else text
    header = struct.pack("<4sBBBBIQQ", b"SAKB", version, kind, codec, precision, dimension, len(text), len(vectors))
    body = header + text + vectors
    return body + hashlib.sha256(body).digest()[:8]


def contents(base: KnowledgeBase) -> dict[Passage, list[float]]:
    return dict(zip(base.passages, base.vectors.tolist(), strict=True))


@pytest.mark.parametrize("codec", [0, 1])
def test_a_message_made_by_hand_is_read(codec):
    base = wire.from_bytes(forged(codec=codec, precision=3, vectors=bytes([127, 0, 0, 0, 0, 0, 0, 0]) * 2))
    assert [(passage.key, passage.text) for passage in base.passages] == [("a", "x"), ("b", "y")]
    assert base.vectors.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]] * 2
    assert base.precision == "int8"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (forged(version=2), "of version 2; this secagent reads version 1"),
        (forged(kind=7), "header makes no sense"),
        (forged(codec=2), "header makes no sense"),
        (forged(precision=5), "header makes no sense"),
        (forged(dimension=1 << 20), "header makes no sense"),
        (forged(text=b"nonsense"), "texts cannot be read"),
        (forged(text=b"nonsense", codec=1), "texts cannot be read"),
        (forged(text=zlib.compress(b"{}")[:-2]), "too early or too late"),
        (forged(text=zlib.compress(b"{}") + b"more"), "too early or too late"),
        (forged(b"not JSON"), "texts cannot be read"),
        (forged(b"\xff\xfe\xfd"), "texts cannot be read"),
        (forged(b"[" * 100_000), "texts cannot be read"),
        (forged(b"9" * 10_000), "texts cannot be read"),
        (forged([1, 2]), "texts cannot be read"),
        (forged({}), "no list of texts"),
        (forged({**TWO, "texts": "xy"}), "no list of texts"),
        (forged({**TWO, "texts": ["x", None]}), "no list of texts"),
        (forged({**TWO, "texts": ["x"]}), "gaps"),
        (forged({**TWO, "keys": ["a", "a"]}), "given to two passages"),
        (forged(vectors=b"1234"), "vectors of no precision"),
        (forged(precision=1, vectors=b"1234"), "take 64 bytes, got 4"),
        (forged(precision=1, vectors=struct.pack("<f", float("nan")) * 16), "not finite"),
        (forged(dimension=9), "both need the same one"),
    ],
)
def test_a_forged_message_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        wire.from_bytes(data, ENCODER)


@pytest.mark.parametrize("codec", [0, 1])
def test_a_bomb_is_not_unfolded(codec, monkeypatch):
    monkeypatch.setattr(message, "MAX_TEXT_BYTES", 1 << 16)
    data = forged(b" " * (1 << 22), codec=codec)
    assert len(data) < 5000
    with pytest.raises(ValueError, match="unfolds to more than 65536 bytes"):
        wire.from_bytes(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"of": "0" * 16}, "for another knowledge base"),
        ({"gives": "0" * 16}, "another knowledge base than the sender has"),
        ({"removed": ["p0"]}, "another knowledge base than the sender has"),
        ({"removed": None}, "removed are no list of texts"),
        ({"removed": [1]}, "removed are no list of texts"),
    ],
)
def test_a_forged_difference_is_refused(change, message):
    old = KnowledgeBase.build([Passage(f"p{i}", f"text {i}") for i in range(3)], ENCODER)
    empty = {"keys": [], "texts": [], "categories": [], "groups": []}
    fields = {"of": wire.digest(old), "gives": wire.digest(old), "removed": [], **empty}
    assert wire.apply(old, forged(fields, kind=1)).passages == old.passages
    with pytest.raises(ValueError, match=message):
        wire.apply(old, forged({**fields, **change}, kind=1))
    with pytest.raises(ValueError, match="not like those"):
        wire.apply(old, forged(fields, kind=1, precision=2))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_other_vectors_are_a_difference_only_where_vectors_are_sent(precision):
    passages = tuple(Passage(f"p{i}", f"text {i}") for i in range(3))
    vectors = np.eye(3, 8, dtype=np.float32)
    other = vectors.copy()
    other[1] = vectors[7 % 3 + 1]
    old, new = KnowledgeBase(passages, vectors, precision), KnowledgeBase(passages, other, precision)
    update = wire.difference(old, new)
    again = wire.apply(old, update)
    assert contents(again) == contents(new)
    with pytest.raises(ValueError, match="another knowledge base"):
        wire.apply(new, update)
    alone = KnowledgeBase(passages, vectors), KnowledgeBase(passages, other)
    assert wire.digest(alone[0]) == wire.digest(alone[1])


def test_differences_follow_what_was_received():
    """A receiver's base is what the message left of the sender's: updates must fit it, at every precision."""
    passages = [Passage(f"p{i}", f"words {i} of a text") for i in range(20)]
    for precision in ("float32", "float16", "int8", "binary", None):
        sender = KnowledgeBase.build(passages[:15], ENCODER, precision)
        receiver = wire.from_bytes(wire.to_bytes(sender), ENCODER)
        for start in (5, 9, 12):
            changed = [Passage(f"p{start}", "another text"), *passages[15 : start + 8]]
            grown = sender.merge(KnowledgeBase.build(changed, ENCODER, precision))
            receiver = wire.apply(receiver, wire.difference(sender, grown), ENCODER)
            sender = grown
        assert contents(receiver) == contents(sender)


def test_vectors_of_another_size_are_no_difference():
    old = KnowledgeBase.build([Passage("a", "x")], ENCODER)
    new = KnowledgeBase.build([Passage("a", "x")], HashingEncoder(16))
    with pytest.raises(ValueError, match="8 numbers at None cannot be updated by 16"):
        wire.difference(old, new)


@given(st.lists(st.text(st.characters(), max_size=30), max_size=5))
def test_any_text_travels(texts):
    """Half of a surrogate pair, as a broken JSON reply leaves it, included."""
    base = KnowledgeBase(
        tuple(Passage(str(i), text) for i, text in enumerate(texts)), np.zeros((len(texts), 2)), "int8"
    )
    assert wire.from_bytes(wire.to_bytes(base)).passages == base.passages


def test_many_similar_texts_take_less_than_each_alone():
    many = KnowledgeBase.build([Passage(f"p{i}", f"agent {i} reports that all is well") for i in range(300)], ENCODER)
    alone = sum(many.select([i]).size_bits for i in range(0, 300, 10)) * 10
    assert many.size_bits < 0.1 * alone
