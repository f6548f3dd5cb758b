"""The numbers of ``rng="bulk"``: counters, and what is made of their words in single precision."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from secagent_env.bulk.kernels import exponential, fill_words, level, philox, squared_length, turn, uniform
from secagent_env.bulk.networks import key_of

EDGES = [0, 1, 2, 2**24, 2**29 - 1, 2**29, 2**30, 3 * 2**29, 2**31 - 1, 2**31, 2**32 - 2**29, 2**32 - 2, 2**32 - 1]
"""Words at which something changes: the least, the greatest, and where quadrants and binary places begin."""


def words(key: int, episode: int, count: int = 64) -> np.ndarray:
    filled = np.empty(count, np.uint32)
    fill_words(filled, key_of(key), np.uint64(episode))
    return filled


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    """The words whose functions are compared with those of double precision: random ones and the edges."""
    return np.concatenate([np.array(EDGES, np.uint32), words(5, 7, 40_000)])


# --- Counters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "wanted"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_philox_has_the_known_answers(counter, key, wanted):
    """Those that Random123, the authors' library, ships for Philox4x32-10."""
    assert tuple(map(int, philox(*map(np.uint64, (*counter, *key))))) == wanted


def test_the_counter_is_the_index_and_the_episode_and_the_key_the_seed():
    seed, episode = 0x0123456789ABCDEF, 0xFEDCBA9876543210
    filled = words(seed, episode, 12)
    for block in range(3):
        halves = (block, 0, episode & 0xFFFFFFFF, episode >> 32, seed & 0xFFFFFFFF, seed >> 32)
        np.testing.assert_array_equal(filled[4 * block : 4 * block + 4], philox(*map(np.uint64, halves)))


def test_no_two_seeds_episodes_or_indices_share_numbers():
    seeds = [0, 1, 2, 3, 2**31, 2**32, 2**32 + 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 2**100]
    episodes = [0, 1, 2, 3, 2**32 - 1, 2**32, 2**32 + 1, 2**62]
    blocks = np.concatenate([words(seed, episode).reshape(-1, 4) for seed in seeds for episode in episodes])
    assert len(np.unique(blocks, axis=0)) == len(blocks)


def test_seeds_are_their_own_keys_below_two_to_the_64():
    assert [int(key_of(seed)) for seed in (0, 7, 2**64 - 1)] == [0, 7, 2**64 - 1]
    assert int(key_of(np.int64(7))) == 7
    with pytest.raises(ValueError, match=r"rng='bulk' draws by the seed.*call reset\(seed=…\)"):
        key_of(-1)


def test_neighbours_are_independent():
    """Of environments, episodes and indices: the words of each are correlated with nobody else's, nor is any bit."""
    count = 20_000
    columns = np.stack([words(seed, episode, count) for seed in range(6) for episode in range(6)]).astype(float)
    shifted = np.concatenate([columns[:, :-4], columns[:, 1:-3], columns[:, 4:]])  # their own neighbours
    correlation = np.corrcoef(shifted) - np.eye(len(shifted))
    assert np.max(np.abs(correlation)) < 5.5 / math.sqrt(count)
    bits = np.unpackbits(words(1, 0, count).view(np.uint8)).reshape(-1, 32) * 2.0 - 1
    assert np.max(np.abs(bits.mean(0))) < 4.5 / math.sqrt(count)
    assert np.max(np.abs(bits.T @ bits / count - np.eye(32))) < 5 / math.sqrt(count)
    assert np.max(np.abs(bits[1:].T @ bits[:-1] / count)) < 5 / math.sqrt(count)


# --- What is made of words ----------------------------------------------------------------------------------


def test_uniform_numbers_are_the_middles_of_equal_parts():
    assert [uniform(np.uint32(word)) for word in (0, 2**31, 2**32 - 1)] == [2**-33, 0.5 + 2**-33, 1 - 2**-33]


def test_exponential_numbers_are_the_quantiles(many):
    """−ln(1 − u) to single precision, where it is least too: no gain is 0."""
    wanted = -np.log1p(-(many + 0.5) / 2**32)
    got = np.array([exponential(word) for word in many])
    np.testing.assert_allclose(got, wanted, rtol=3e-7)


def test_turns_are_cosine_and_sine_of_the_angle(many):
    angle = many / 2**32 * 2 * math.pi
    got = np.array([turn(word) for word in many])
    np.testing.assert_allclose(got, np.stack([np.cos(angle), np.sin(angle)], -1), rtol=0, atol=2e-7)


@given(st.floats(-36.9, 37.9))
def test_levels_are_decibels_over_forty(exponent):
    ratio = np.float32(10.0**exponent)
    assert level(ratio, 100.0) == pytest.approx(np.log10(ratio, dtype=float) / 4, abs=2e-6)  # float32 near 9


@pytest.mark.parametrize(("ratio", "wanted"), [(0.0, -10), (1e-37, -10), (1e-40, -10), (1.0, 0), (np.inf, 10)])
def test_levels_have_bounds(ratio, wanted):
    assert level(np.float32(ratio), 10.0) == wanted


def test_squares_are_summed_up():
    assert squared_length(np.array([1.0, -2.0, 3.0, 4.0, 5.0])) == 55
