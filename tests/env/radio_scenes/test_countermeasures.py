"""Counter-measures: rates by hand, and each of them the best somewhere."""

import numpy as np
import pytest

from secagent_env.radio_scenes import COUNTERMEASURES, SETS, Scenes, rates, sample_scenes
from secagent_env.radio_scenes.countermeasures import best_countermeasures
from secagent_env.radio_scenes.settings import JAMMER, NEIGHBOUR, USER

ALONG, ACROSS = np.zeros(8), np.zeros(8)
ALONG[0], ACROSS[0], ACROSS[1] = 1.0, 0.6, 0.8
"""Directions with an inner product of 0.6."""


def scene(user_db: float, *, neighbour_db=None, jammer_db=None, direction=ACROSS, turn: float = 0.0) -> Scenes:
    """Return a scene of constant channels, but for a phase of the user that turns by so many radians a snapshot."""
    channel = np.zeros((1, 24, 4, 8), np.complex64)
    channel[0, :, USER] = 10 ** (user_db / 20) * ALONG * np.exp(1j * turn * np.arange(24))[:, None]
    occupied = np.zeros((1, 2, 16), bool)
    if neighbour_db is not None:
        channel[0, :, NEIGHBOUR] = 10 ** (neighbour_db / 20) * direction
        occupied[0, 0, :4] = True
    if jammer_db is not None:
        channel[0, :, JAMMER] = 10 ** (jammer_db / 20) * direction
    nothing = np.zeros((1, 16, 16, 8), np.complex64)
    return Scenes(
        received=nothing, present=np.zeros((1, 5), bool), channel=channel, occupied=occupied,
        line_of_sight=np.ones(1, bool),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (scene(15.0), [5.0, 4.5, 4.5, 1.5]),  # 2⁵ − 1 = 31 is 14.9 dB
        (scene(14.8), [0.0, 0.0, 0.0, 1.5]),
        (scene(2.7), [0.0, 0.0, 0.0, 1.5]),  # 2^1.5 − 1 = 1.83 is 2.62 dB
        (scene(2.5), [0.0, 0.0, 0.0, 0.0]),
        # A quarter of the band: 0.36 · 20 dB = 36 against 100 through the matched beam. Orthogonal to the neighbour,
        # 0.64 of the signal is left: 64 > 31.
        (scene(20.0, neighbour_db=20.0), [3.75, 4.5, 4.5, 1.5]),
        (scene(20.0, jammer_db=20.0), [0.0, 4.5, 0.0, 1.5]),
        # The same direction: no beam helps, a change of the band does against the neighbour alone.
        (scene(20.0, neighbour_db=20.0, direction=ALONG), [3.75, 0.9 * 3.75, 4.5, 0.75 * 1.5]),
        (scene(20.0, jammer_db=20.0, direction=ALONG), [0.0, 0.0, 0.0, 0.0]),
        # |1 − e^(2jφ)|² = 4 sin² φ of the signal is lost to an estimate that is two snapshots old.
        (scene(40.0, turn=0.08), [5.0, 4.5, 4.5, 1.5]),  # 1/0.0255 = 39
        (scene(40.0, turn=0.10), [0.0, 0.0, 0.0, 1.5]),  # 1/0.0399 = 25
    ],
)
def test_rates_by_hand(case, expected):
    assert rates(case)[0] == pytest.approx(expected)


def test_the_best_counter_measure_follows_the_condition():
    best = best_countermeasures(each=12, seed=1)
    assert set(best) == set(SETS)
    assert best[frozenset()] == "do nothing"
    assert best[frozenset({"jamming"})] == "change beam"
    assert best[frozenset({"moving neighbour"})] == "change band"
    assert best[frozenset({"doppler"})] == "lower rate"
    assert set(best.values()) == set(COUNTERMEASURES)


def test_rates_are_between_nothing_and_everything():
    found = rates(sample_scenes(SETS, "uma", seed=1))
    assert found.shape == (len(SETS), 4)
    assert (found >= 0).all()
    assert (found <= [5.0, 4.5, 4.5, 1.5]).all()
