"""The radio encoder, its messages, fusion, and the knowledge base that answers observations."""

import numpy as np
import pytest
from hashing_encoder import HashingEncoder
from hypothesis import given
from hypothesis import strategies as st

from secagent_env.radio_scenes import COUNTERMEASURES, SETS, sample_scenes
from secagent_env.radio_scenes.scenes import SHAPE
from solvers.knowledge import KnowledgeBase, Passage
from solvers.perception import message
from solvers.perception.encoder import SHIPPED, RadioEncoder, shipped_encoder
from solvers.perception.features import LOWER
from solvers.perception.fusion import LinearFusion, mean_vector
from solvers.perception.message import pack_sentence, pack_vector, unpack_sentence, unpack_vector
from solvers.perception.perceiver import Perceiver, handbook

pytest.importorskip("onnxruntime")
WORDS = HashingEncoder(384)
"""In the place of the sentence encoder, where meaning does not matter."""
BASE = KnowledgeBase.build([Passage(str(i), f"Sentence number {i} about {i * i}.") for i in range(300)], WORDS)


class Other:
    """Stands for another encoder of the same dimension."""

    dimension, digest = 384, "0" * 64


@pytest.fixture(scope="module")
def received() -> np.ndarray:
    return sample_scenes(SETS[:6], seed=11).received


# --- The encoder -------------------------------------------------------------------------------------------------


def test_the_shipped_encoder_is_small_has_a_card_and_says_whose_space_it_uses():
    encoder = shipped_encoder()
    assert SHIPPED.stat().st_size < 1e6
    assert encoder.text_encoder == "all-MiniLM-L6-v2"
    assert encoder.dimension == 384
    card = SHIPPED.with_suffix(".md").read_text(encoding="utf-8")
    assert "secagent study perception --ship" in card


def test_vectors_are_of_length_one_whatever_the_batch(received):
    encoder = shipped_encoder()
    vectors = encoder.encode(received)
    assert vectors.shape == (6, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert encoder.encode(received[2:3])[0] == pytest.approx(vectors[2], abs=1e-5)
    assert abs(encoder.encode(received, LOWER) - vectors).max() > 1e-3
    assert encoder.encode(received[:0]).shape == (0, 384)


def test_nan_samples_are_told(received):
    spoilt = received.copy()
    spoilt[2, 1, 4] = np.nan
    with pytest.raises(ValueError, match="8 samples are not finite, the first in observation 2 at snapshot 1"):
        shipped_encoder().encode(spoilt)
    with pytest.raises(ValueError, match="must be complex numbers of shape"):
        shipped_encoder().encode(received[..., :4])


def test_broken_and_foreign_files_are_told(tmp_path):
    from training.play.shipped import POLICIES

    content = SHIPPED.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[:-100])
    (tmp_path / "changed.onnx").write_bytes(content[:5000] + b"xx" + content[5002:])
    for name in ("cut.onnx", "changed.onnx"):
        with pytest.raises(ValueError, match=f"cannot use .*{name}: it is (damaged|broken)"):
            RadioEncoder(tmp_path / name)
    with pytest.raises(ValueError, match="it is no radio encoder"):
        RadioEncoder(POLICIES / "ppo.onnx")
    with pytest.raises(OSError, match=r"none\.onnx"):
        RadioEncoder(tmp_path / "none.onnx")


# --- Messages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "size", "error"), [("float16", 768, 1e-3), ("int8", 384, 0.02), ("binary", 48, 1)]
)
def test_a_vector_travels(received, precision, size, error):
    encoder = shipped_encoder()
    (vector,) = encoder.encode(received[:1])
    data = pack_vector(vector, encoder, precision)
    assert len(data) == size + message.OVERHEAD_BITS // 8
    back = unpack_vector(data, encoder)
    assert np.linalg.norm(back - vector) < error
    assert np.linalg.norm(back) == pytest.approx(1, abs=1e-3)


def test_the_number_of_a_sentence_travels():
    for index in (0, 7, 299):
        data = pack_sentence(BASE.vectors[index], BASE)
        assert len(data) == 2 + message.OVERHEAD_BITS // 8
        assert unpack_sentence(data, BASE) == index
    assert message.sentence_bytes(BASE.select(range(256))) == 1


def test_messages_that_cannot_be_used_are_told_in_a_sentence(received, monkeypatch):
    encoder = shipped_encoder()
    (vector,) = encoder.encode(received[:1])
    data, number = pack_vector(vector, encoder), pack_sentence(vector, BASE)
    with pytest.raises(ValueError, match="made with another encoder than the receiver's"):
        unpack_vector(pack_vector(vector, Other()), encoder)
    with pytest.raises(ValueError, match="made with another list of sentences"):
        unpack_sentence(number, BASE.select(range(299)))
    with pytest.raises(ValueError, match="holds no vector but the number"):
        unpack_vector(message._sealed(message._HEADER.pack(b"SP", 1, 0, message._mark(encoder.digest))), encoder)
    mark = message._mark(message._of(BASE))
    with pytest.raises(ValueError, match="does not hold the number of a sentence"):
        unpack_sentence(message._sealed(message._HEADER.pack(b"SP", 1, 3, mark)), BASE)
    with pytest.raises(ValueError, match="names sentence 300 of 300"):
        unpack_sentence(message._sealed(message._HEADER.pack(b"SP", 1, 0, mark) + (300).to_bytes(2, "little")), BASE)
    monkeypatch.setattr(message, "VERSION", 2)
    newer = pack_vector(vector, encoder)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="of version 2; this secagent reads version 1"):
        unpack_vector(newer, encoder)
    with pytest.raises(ValueError, match="begins differently, or is cut"):
        unpack_vector(b"SAKB" + data, encoder)
    for bad in (vector[:100], np.full(384, np.nan)):
        with pytest.raises(ValueError, match="one finite vector of 384 numbers"):
            pack_vector(bad, encoder)
    with pytest.raises(ValueError, match="unknown precision"):
        pack_vector(vector, encoder, "int4")


@given(st.integers(0, 393), st.integers(1, 255))
def test_no_cut_and_no_changed_byte_goes_unnoticed(place, flip):
    encoder = shipped_encoder()
    data = pack_vector(BASE.vectors[0], encoder)
    place = min(place, len(data) - 1)
    changed = data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]
    for damaged in (data[:place], changed, data + b"x"):
        with pytest.raises(ValueError, match="message"):
            unpack_vector(damaged, encoder)


# --- Fusion ------------------------------------------------------------------------------------------------------


def test_the_mean_of_vectors():
    first, second = np.eye(4)[:2], np.eye(4)[2:]
    assert mean_vector(np.stack([first, second])) == pytest.approx((first + second) / np.sqrt(2))
    with pytest.raises(ValueError, match="fusion takes finite vectors"):
        mean_vector(np.full((2, 1, 4), np.nan))
    with pytest.raises(ValueError, match=r"got shape \(2, 4\)"):
        mean_vector(first)


def test_the_linear_map_learns_which_sensor_knows_what():
    """The target's first half is the first sensor's, the second half the second's."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2, 500, 6))
    target = np.concatenate([vectors[0, :, :3], vectors[1, :, 3:]], axis=1)
    fusion = LinearFusion.fitted(vectors[:, :400], target[:400], penalty=1e-6)
    wanted = target[400:] / np.linalg.norm(target[400:], axis=1, keepdims=True)
    assert fusion(vectors[:, 400:]) == pytest.approx(wanted, abs=1e-5)
    with pytest.raises(ValueError, match="takes 12 numbers in all, got 18"):
        fusion(rng.standard_normal((3, 5, 6)))
    with pytest.raises(ValueError, match="need as many targets, got 3"):
        LinearFusion.fitted(vectors, target[:3])


# --- The knowledge base ------------------------------------------------------------------------------------------


def test_a_base_answers_observations_and_messages_alike(received):
    perceiver = Perceiver(BASE)
    found = perceiver.passages(received, k=3)
    assert [len(row) for row in found] == [3] * 6
    (vector,) = perceiver.encoder.encode(received[:1])
    similar = BASE.vectors @ vector
    assert found[0][0].key == str(int(similar.argmax()))
    data = pack_vector(vector, perceiver.encoder, "float16")
    assert perceiver.passages_of_message(data, 3) == found[0]
    with pytest.raises(ValueError, match="cut or damaged"):
        perceiver.passages_of_message(data[:-1])


def test_a_base_of_another_encoder_is_told():
    other = KnowledgeBase.build([Passage("a", "Some text.")], HashingEncoder(64))
    with pytest.raises(ValueError, match=r"384 numbers, those of the base 64: build the base with .*MiniLM"):
        Perceiver(other)


def test_a_handbook_advises_a_counter_measure(received):
    actions = {one: COUNTERMEASURES[len(one)] for one in SETS}
    base = handbook(actions, WORDS, each=2)
    assert len(base) == 2 * len(SETS)
    assert all(passage.text.endswith(f"Advice: {passage.category}.") for passage in base.passages)
    advised = Perceiver(base).advice(received)
    assert set(advised) <= set(COUNTERMEASURES)
    with pytest.raises(ValueError, match="unknown counter-measure"):
        Perceiver(BASE).advice(received)
    with pytest.raises(ValueError, match="unknown counter-measure 'pray'"):
        handbook(dict.fromkeys(SETS, "pray"), WORDS)


def test_observations_have_the_shape_that_the_encoder_takes(received):
    assert received.shape[1:] == SHAPE
