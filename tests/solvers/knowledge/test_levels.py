"""What agents tell each other at each level: bits counted by hand; a stranger's bytes are a message or an error."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.collaboration.levels import (
    LEVELS,
    MAX_BYTES,
    Information,
    Inquiries,
    Inquiry,
    Intent,
    Opinion,
    Pointers,
    check_level,
    coarse,
    decode,
    encode,
)
from solvers.knowledge.store.passages import Passage

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
MESSAGES = st.one_of(
    st.builds(
        Inquiries,
        st.lists(st.builds(Inquiry, TEXTS, st.lists(TEXTS, max_size=4).map(tuple), TEXTS, TEXTS), max_size=3).map(
            tuple
        ),
    ),
    st.builds(Information, st.lists(st.builds(Passage, TEXTS, TEXTS, TEXTS, TEXTS), max_size=4).map(tuple)),
    st.builds(
        Opinion,
        st.none() | st.integers(0, 254),
        st.none() | st.integers(0, 254).map(lambda steps: steps / 254),
        TEXTS,
    ),
    st.builds(
        Intent,
        st.sets(st.integers(0, 2**31), max_size=9).map(lambda numbers: tuple(sorted(numbers))),
        st.lists(st.integers(-127, 127), max_size=40).map(tuple),
    ),
    st.builds(Pointers, st.lists(st.integers(0, 2**32 - 1), max_size=9).map(tuple)),
)


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (Opinion(None), 4),  # kind, option, confidence, length of no reason
        (Opinion(2, 0.5, "abc"), 7),
        (Opinion(2, 0.5, "né"), 7),  # three bytes of UTF-8
        (Intent(concepts=(3, 130, 400)), 7),  # kind, count, 3 and 127 in a byte each, 270 in two, no vector
        (Intent(vector=(1, -2, 3)), 6),
        (Pointers((0, 127, 128)), 6),
        (Information((Passage("a", "text", "x", ""),)), 12),
        (Inquiries((Inquiry("why?", ("a", "bc"), group="g"),)), 16),
    ],
)
def test_what_a_message_takes_is_what_one_counts_by_hand(message, size):
    assert len(encode(message)) == size
    assert len(decode(encode(message)).__dict__) == len(message.__dict__)


def test_the_layout_of_a_decision():
    assert encode(Opinion(2, 0.5, "abc")) == bytes([0x12, 3, 128, 3]) + b"abc"


def test_long_messages_are_deflated_and_short_ones_are_not():
    text = "the base station sends to the user " * 20
    whole = encode(Information((Passage("key", text),)))
    assert len(whole) < len(text) / 4
    assert decode(whole) == Information((Passage("key", text),))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = bytes([1, 3]) + b"key" + bytes([700 % 128 | 128, 700 // 128]) + text.encode() + bytes(2)
    assert whole[1:] == packer.compress(body) + packer.flush()


@given(MESSAGES)
def test_what_is_encoded_is_decoded(message):
    decoded = decode(encode(message))
    if isinstance(message, Opinion) and message.confidence is not None:
        assert decoded.confidence == pytest.approx(message.confidence)
    else:
        assert decoded == message
    assert encode(decoded) == encode(message)


@given(st.binary(max_size=60), st.sampled_from(range(8)), st.booleans())
def test_any_bytes_are_a_message_or_an_error(data, kind, deflated):
    try:
        message = decode(bytes([0x10 | kind | 8 * deflated]) + data)
    except ValueError:
        return
    assert decode(encode(message)) == message


@given(MESSAGES, st.data())
def test_a_message_that_is_cut_off_or_goes_on_is_an_error(message, data):
    whole = encode(message)
    with pytest.raises(ValueError, match="message"):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ValueError, match="message"):
        decode(whole + b"\0")


def test_hostile_messages():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(2 * MAX_BYTES)) + packer.flush()
    with pytest.raises(ValueError, match="more than 33554432 bytes"):
        decode(bytes([0x1C]) + bomb)
    with pytest.raises(ValueError, match="another version"):
        decode(b"\x80\x04")  # a pickle
    with pytest.raises(ValueError, match="unknown kind"):
        decode(b"\x17")
    with pytest.raises(ValueError, match="cut off"):
        decode(b"\x14\xff\xff\xff\xff\x0f")  # 2^32 - 1 pointers, none of which comes
    with pytest.raises(ValueError, match="32 bits"):
        decode(b"\x14\x01\xff\xff\xff\xff\x7f")
    with pytest.raises(ValueError, match="UTF-8"):
        decode(b"\x12\x01\x01\x01\xff")
    with pytest.raises(ValueError, match="out of order"):
        decode(b"\x13\x02\x05\x00\x00")


@pytest.mark.parametrize(
    ("message", "match"),
    [
        (Opinion(255), "option"),
        (Opinion(-1), "option"),
        (Opinion(0, 1.5), "confidence"),
        (Opinion(0, float("nan")), "confidence"),
        (Intent((3, 3)), "ascending"),
        (Intent(vector=(128,)), "-127"),
        (Pointers((2**32,)), "number"),
        (Information((Passage("", "x" * MAX_BYTES),)), "at most"),
    ],
)
def test_what_cannot_be_told_is_an_error(message, match):
    with pytest.raises(ValueError, match=match):
        encode(message)


def test_a_coarse_vector_keeps_its_direction():
    vector = np.random.default_rng(0).normal(size=384)
    near = np.array(coarse(vector), float)
    assert near @ vector / np.linalg.norm(near) / np.linalg.norm(vector) > 0.9999
    assert coarse(np.zeros(3)) == (0, 0, 0)
    assert max(coarse(vector)) == 127 or min(coarse(vector)) == -127


def test_the_levels_are_the_papers_and_another_one_is_named():
    assert LEVELS == ("information", "decision", "intent")
    with pytest.raises(ValueError, match="did you mean 'decision'"):
        check_level("decisions")
