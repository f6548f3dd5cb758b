"""Radio scenes: conditions show in what is received, seeds repeat everything, bad input gets one sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secagent_env import Scenario
from secagent_env.radio_scenes import (
    CHANNELS,
    CONDITIONS,
    SEEN_CHANNELS,
    SEEN_SETS,
    SETS,
    UNSEEN_CHANNELS,
    UNSEEN_SETS,
    condition_set,
    sample_scenes,
)
from secagent_env.radio_scenes.conditions import in_words, indicators
from secagent_env.radio_scenes.scenes import BLOCK, SHAPE, SNAPSHOTS
from secagent_env.radio_scenes.settings import JAMMER, MOVING, NEIGHBOUR, USER

MANY = 24


def power(scenes) -> np.ndarray:
    return np.mean(abs(scenes.received) ** 2, axis=(1, 3))  # (B, 16) by subcarrier


# --- Sets --------------------------------------------------------------------------------------------------------


def test_sets_are_split_and_every_condition_is_trained_alone_and_in_company():
    assert len(SETS) == 26 == len(set(SETS))
    assert set(SEEN_SETS) | set(UNSEEN_SETS) == set(SETS)
    assert not set(SEEN_SETS) & set(UNSEEN_SETS)
    for name in CONDITIONS:
        assert frozenset({name}) in SEEN_SETS
        assert sum(name in one for one in SEEN_SETS) >= 3
        assert sum(name in one for one in UNSEEN_SETS if len(one) == 2) >= 1
    assert set(SEEN_CHANNELS) | set(UNSEEN_CHANNELS) == set(CHANNELS)
    assert {CHANNELS[name].path_loss for name in SEEN_CHANNELS} == {"umi", "uma"}
    assert "one-ring" in {CHANNELS[name].scatter_correlation for name in UNSEEN_CHANNELS}


def test_sets_have_labels_and_indicators():
    assert in_words(frozenset()) == "clear"
    assert in_words(frozenset({"doppler", "interference"})) == "interference + doppler"
    assert indicators([("jamming",), ()]).tolist() == [[False, False, False, True, False], [False] * 5]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("jaming",), "did you mean 'jamming'"),
        ("jamming", "must be a collection of names"),
        (CONDITIONS[:4], "at most 3 conditions"),
    ],
)
def test_bad_sets(names, sentence):
    with pytest.raises(ValueError, match=sentence):
        condition_set(names)


# --- Physics -----------------------------------------------------------------------------------------------------


def test_what_is_received_follows_from_channels_and_noise():
    """Without neighbours and jammer, received − h is the noise: of power 1, alike in both parts."""
    scenes = sample_scenes([()] * MANY, seed=3)
    noise = scenes.received - scenes.channel[:, :SNAPSHOTS, USER][:, :, None]
    assert scenes.received.shape == (MANY, *SHAPE)
    assert np.mean(abs(noise) ** 2) == pytest.approx(1, rel=0.02)
    assert np.mean(noise.real**2) == pytest.approx(0.5, rel=0.03)
    assert abs(np.mean(noise)) < 0.02
    assert not scenes.channel[:, :, [NEIGHBOUR, MOVING, JAMMER]].any()
    assert not scenes.occupied.any()


def test_neighbours_are_received_on_their_subcarriers_and_jammers_on_all():
    scenes = sample_scenes([("interference",)] * MANY + [("jamming",)] * MANY, seed=4)
    user = np.mean(abs(scenes.channel[:, :SNAPSHOTS, USER]) ** 2, axis=(1, 2))[:, None]
    extra = power(scenes) - user - 1
    block = scenes.occupied[:MANY, 0]
    assert ((BLOCK[0] <= block.sum(axis=1)) & (block.sum(axis=1) <= BLOCK[1])).all()
    assert (abs(np.diff(block.astype(int), axis=1)).sum(axis=1) <= 2).all()  # one piece
    neighbour = np.mean(abs(scenes.channel[:MANY, :SNAPSHOTS, NEIGHBOUR]) ** 2, axis=(1, 2))
    inside = np.array([row[on].mean() for row, on in zip(extra[:MANY], block, strict=True)])
    assert np.median(inside / neighbour) == pytest.approx(1, abs=0.15)
    assert abs(np.median(extra[:MANY][~block])) < 0.2
    jammer = np.mean(abs(scenes.channel[MANY:, :SNAPSHOTS, JAMMER]) ** 2, axis=(1, 2))
    assert np.median(extra[MANY:].mean(axis=1) / jammer) == pytest.approx(1, abs=0.15)


def test_a_blocked_user_has_no_line_of_sight_and_is_weaker():
    scenes = sample_scenes([()] * MANY + [("blockage",)] * MANY, seed=5)
    assert scenes.line_of_sight.tolist() == [True] * MANY + [False] * MANY
    level = 10 * np.log10(np.mean(abs(scenes.channel[:, :SNAPSHOTS, USER]) ** 2, axis=(1, 2)))
    assert 10 < np.median(level[:MANY]) < 20  # 12 to 18 dB, shadowing of 4 dB
    assert np.median(level[:MANY]) - np.median(level[MANY:]) > 6


@pytest.mark.parametrize(("condition", "device"), [("doppler", USER), ("moving neighbour", MOVING)])
def test_channels_of_what_moves_change(condition, device):
    """At 10 to 30 m/s a channel is another one after four snapshots of 0.5 ms; at rest it stays."""
    scenes = sample_scenes([(condition, "interference")] * MANY if device == USER else [(condition,)] * MANY, seed=6)
    still = sample_scenes([("interference",)] * MANY, seed=6)

    def kept(channel: np.ndarray) -> np.ndarray:
        first, later = channel[:, :-4], channel[:, 4:]
        return abs(np.sum(first.conj() * later - abs(first) ** 2, axis=(1, 2))) / np.sum(abs(first) ** 2, axis=(1, 2))

    assert np.median(kept(scenes.channel[:, :, device])) > 0.3
    assert np.median(kept(still.channel[:, :, USER])) < 0.3
    assert kept(still.channel[:, :, NEIGHBOUR]).max() < 1e-3


def test_scenes_depend_on_seed_and_place_alone():
    sets = [SETS[i % len(SETS)] for i in range(10)]
    whole = sample_scenes(sets, "inh", seed=9)
    part = sample_scenes(sets[4:], "inh", seed=9, first=4)
    assert np.array_equal(whole.received[4:], part.received)
    assert np.array_equal(whole.channel[4:], part.channel)
    assert not np.array_equal(sample_scenes(sets, "inh", seed=10).received, whole.received)
    with pytest.raises(ValueError, match="at least one scene's conditions"):
        sample_scenes([])


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_model_gives_finite_scenes(channel):
    scenes = sample_scenes(SETS[::5], channel, seed=2)
    assert np.isfinite(scenes.received).all()
    assert np.array_equal(scenes.present, indicators(SETS[::5]))


@pytest.mark.parametrize(
    ("channel", "sentence"),
    [
        ("umj", "unknown channel of scenes 'umj'; did you mean 'umi'"),
        (Scenario(num_agents=3, num_antennas=8), "4 agents and 8 antennas, got 3 and 8"),
        (Scenario(num_agents=4, num_antennas=8), "knows a line of sight, got 'paper'"),
    ],
)
def test_bad_channels(channel, sentence):
    with pytest.raises(ValueError, match=sentence):
        sample_scenes([()], channel)


@settings(max_examples=10)
@given(st.sets(st.sampled_from(CONDITIONS), max_size=3), st.integers(0, 2**32))
def test_only_what_is_present_is_received(conditions, seed):
    scenes = sample_scenes([conditions], seed=seed)
    silent = ~np.any(scenes.channel != 0, axis=(0, 1, 3))
    assert not silent[USER]
    wanted = ["interference" not in conditions, "moving neighbour" not in conditions, "jamming" not in conditions]
    assert silent[1:].tolist() == wanted
    assert bool(scenes.line_of_sight[0]) == ("blockage" not in conditions)
