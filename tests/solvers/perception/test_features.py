"""Features of observations: by hand, invariant where they should be, and one sentence for bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secagent_env.radio_scenes import sample_scenes
from secagent_env.radio_scenes.scenes import SHAPE
from solvers.perception.features import DELAYS, LOWER, PARTS, SIZE, features


def parts_of(row: np.ndarray) -> dict[str, np.ndarray]:
    found, start = {}, 0
    for name, shape in PARTS.items():
        size = int(np.prod(shape))
        found[name] = row[start : start + size].reshape(shape)
        start += size
    assert start == SIZE == len(row)
    return found


def test_a_constant_user_alone():
    """|ĥ|² = 100 over 8 antennas in the direction of beam 3; nothing else: −30 dB everywhere."""
    steering = np.exp(2j * np.pi * 3 * np.arange(8) / 8)
    found = parts_of(features(np.broadcast_to(10 * steering, SHAPE)[None])[0])
    assert found["user level"] == pytest.approx(2.0)
    assert found["user beams"] == pytest.approx([-3, -3, -3, np.log10(800), -3, -3, -3, -3], abs=1e-3)
    assert found["user correlation"] == pytest.approx(np.array([[1] * 4, [0] * 4, [1] * 4]), abs=1e-5)
    for name in ("spectrogram", "beams"):
        assert found[name] == pytest.approx(-3.0)
    assert found["seen"].all()


def test_a_phase_that_turns_shows_in_the_correlation_alone():
    turn = np.exp(0.3j * np.arange(16))
    found = parts_of(features((10 * turn)[:, None, None] * np.ones(SHAPE)[None])[0])
    wanted = np.exp(0.3j * np.array(DELAYS))
    assert found["user correlation"] == pytest.approx(np.stack([wanted.real, wanted.imag, np.ones(4)]), abs=1e-4)
    assert found["user level"] == pytest.approx(2.0)


def test_a_neighbour_on_one_subcarrier():
    """QPSK of power 16 at a beam on subcarrier 5: r = 15/16 of it there, 1/16 of it elsewhere."""
    rng = np.random.default_rng(0)
    received = np.zeros((1, *SHAPE), complex)
    steering = np.exp(2j * np.pi * 6 * np.arange(8) / 8)
    received[0, :, 5] = 4 * np.exp(0.5j * np.pi * rng.integers(4, size=(16, 1))) * steering
    found = parts_of(features(received)[0])
    assert found["spectrogram"][:, 5] == pytest.approx(np.log10(16 * (15 / 16) ** 2), abs=1e-4)
    assert found["spectrogram"][:, 4] == pytest.approx(np.log10(16 / 256), abs=1e-4)
    assert found["beams"][6, 5] == pytest.approx(np.log10(8 * 16 * (15 / 16) ** 2), abs=1e-4)
    assert found["beams"][2, 5] == pytest.approx(-3)
    assert found["direction"] == pytest.approx(1.0)  # data change the symbol and not the direction


def test_a_direction_that_changes_shows():
    received = np.zeros((1, *SHAPE), complex)
    for snapshot in range(16):
        received[0, snapshot, 5, snapshot % 8] = 4.0
    found = parts_of(features(received)[0])["direction"]
    assert found[:, 5] == pytest.approx([0, 0, 0, 1], abs=1e-6)  # the delay 8 is the only one that comes round


def test_what_is_not_seen_does_not_count():
    received = sample_scenes([("interference", "jamming")], seed=1).received
    other = received.copy()
    other[:, :, ~LOWER] = np.nan
    assert np.array_equal(features(received, LOWER), features(other, LOWER))
    found = parts_of(features(received, LOWER)[0])
    for name in ("spectrogram", "beams", "direction"):
        assert not found[name][..., ~LOWER].any()
        assert found[name][..., LOWER].any()
    assert np.array_equal(found["seen"].astype(bool), LOWER)


@settings(max_examples=10)
@given(st.floats(-np.pi, np.pi), st.integers(0, 1000))
def test_a_common_phase_changes_nothing(phase, seed):
    received = sample_scenes([("moving neighbour",)], seed=seed).received
    assert features(received * np.exp(1j * phase)) == pytest.approx(features(received), abs=2e-3)


NAN = np.full((2, *SHAPE), 1 + 1j)
NAN[1, 3, 5, 7] = np.nan


@pytest.mark.parametrize(
    ("received", "seen", "sentence"),
    [
        (NAN, None, "1 samples are not finite, the first in observation 1 at snapshot 3, subcarrier 5, antenna 7"),
        (np.zeros(SHAPE), None, r"shape \(16, 16, 8\) .* a stack of them, got shape \(16, 16, 8\)"),
        (np.zeros((1, 16, 8, 16)), None, r"got shape \(1, 16, 8, 16\)"),
        ([["a"]], None, "must be complex numbers"),
        ([[1, 2], [3]], None, "must be complex numbers"),
        (np.zeros((1, *SHAPE)), np.ones(16), "seen must be 16 truth values"),
        (np.zeros((1, *SHAPE)), np.ones((2, 16), bool), "seen must be 16 truth values"),
        (np.zeros((1, *SHAPE)), np.arange(16) == 3, "at least 2 subcarriers"),
    ],
)
def test_bad_observations(received, seen, sentence):
    with pytest.raises(ValueError, match=sentence):
        features(received, seen)
