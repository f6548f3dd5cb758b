"""The crossing's geometry, motion, radio and messages, against numbers computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagent_env.convoy import messages
from secagent_env.convoy.geometry import conflicts, crossing_points, in_sight, overlapping, places
from secagent_env.convoy.messages import ROADSIDE, Message, decode, encode
from secagent_env.convoy.motion import DRAG_KG_M, MASS_KG, move
from secagent_env.convoy.radio import heard, needed_sinr, path_gain

# --- Geometry ---------------------------------------------------------------------------------------------------


def test_vehicles_drive_on_the_right():
    points = places(np.array([-10.0, -10.0, -10.0, -10.0]))
    assert points.tolist() == [[-10.0, -1.75], [1.75, -10.0], [10.0, 1.75], [-1.75, 10.0]]


def test_lanes_cross_where_their_points_meet():
    s = crossing_points(4)
    assert conflicts(4).tolist() == [[(i - j) % 2 == 1 for j in range(4)] for i in range(4)]
    for i in range(4):
        for j in range(4):
            if (i - j) % 2:
                there = np.zeros((2, 4))
                there[0, i], there[1, j] = s[i, j], s[j, i]
                assert places(there)[0, i] == pytest.approx(places(there)[1, j])


@given(st.lists(st.floats(-12, 12), min_size=4, max_size=4))
def test_an_overlap_is_one_of_rectangles(s: list[float]):
    place = np.array(s)
    points = places(place)
    half = np.array([[2.25, 0.9], [0.9, 2.25], [2.25, 0.9], [0.9, 2.25]])
    touching = {
        i for i in range(4) for j in range(4) if i != j and (np.abs(points[i] - points[j]) < half[i] + half[j]).all()
    }
    assert set(np.flatnonzero(overlapping(place, np.ones(4, bool)))) == touching
    assert not overlapping(place, np.arange(4) < 1).any()


@given(st.lists(st.floats(-60, 30), min_size=4, max_size=4), st.floats(3, 20))
def test_sight_is_free_where_no_point_between_is_in_a_building(s: list[float], setback: float):
    points = places(np.array(s))
    clear = in_sight(np.array(s), setback)
    t = np.linspace(0, 1, 2001)[:, None]
    for i in range(4):
        for j in range(4):
            between = np.abs(points[i] + t * (points[j] - points[i]))
            depth = (between.min(-1) - setback).max()  # how deep in a building the line goes
            if abs(depth) > 0.05:
                assert clear[i, j] == (depth < 0)


def test_sight_opens_at_the_corner():
    # From 20 m, lanes at 1.75 m: the line from (−20, −1.75) to (1.75, −y) passes the corner (−5, −5).
    slope = (5 - 1.75) / 15
    opens = 1.75 + slope * 21.75
    s = np.array([[-20.0, -opens + 0.01], [-20.0, -opens - 0.01]])
    assert in_sight(s, 5.0)[:, 0, 1].tolist() == [True, False]


# --- Motion -----------------------------------------------------------------------------------------------------


def test_motion_and_its_energy():
    place, speed, energy = move(np.array(-10.0), np.array(10.0), np.array(2.0), 0.5)
    assert (place, speed) == (pytest.approx(-10 + 5.25), pytest.approx(11.0))
    assert energy == pytest.approx((1500 * (2 + 0.0981) + 0.396 * 10.5**2) * 5.25)


def test_brakes_end_at_rest_and_give_nothing_back():
    place, speed, energy = move(np.array(0.0), np.array(1.0), np.array(-5.0), 1.0)
    assert (place, speed, energy) == (pytest.approx(0.1), 0.0, 0.0)  # v² / 2a


def test_speed_has_a_limit():
    place, speed, energy = move(np.array(0.0), np.array(14.0), np.array(2.0), 1.0)
    assert (place, speed) == (pytest.approx(14.5 * 0.5 + 15 * 0.5), 15.0)
    mean = 14.75
    assert energy == pytest.approx((MASS_KG * (1 + 0.0981) + DRAG_KG_M * mean**2) * mean)


@given(st.floats(0, 15), st.floats(-6, 3))
def test_motion_in_two_halves_is_the_same(speed: float, a: float):
    whole = move(np.array(0.0), np.array(speed), np.array(a), 0.4)
    half = move(np.array(0.0), np.array(speed), np.array(a), 0.2)
    again = move(half[0], half[1], np.array(a), 0.2)
    assert again[:2] == pytest.approx(whole[:2], abs=1e-9)


# --- Radio ------------------------------------------------------------------------------------------------------


def test_path_gain_is_friis_and_walls():
    wavelength = 299_792_458 / 5.9e9
    free = path_gain(np.array([50.0, 0.1]), np.array([True, True]), 35.0)
    assert free == pytest.approx([(wavelength / (4 * math.pi * 50)) ** 2, (wavelength / (4 * math.pi)) ** 2])
    assert path_gain(np.array(50.0), np.array(False), 30.0) == pytest.approx(free[0] / 1000)


def test_shannon_says_what_a_message_needs():
    assert needed_sinr(np.array([25, 50, 0]), 1e5, 2.5e-4).tolist() == pytest.approx([1.0, 3.0, 0.0])


def test_capture_interference_and_deaf_senders():
    gain = np.array([[0.0, 1e-9, 4e-9], [1e-9, 0.0, 1e-9], [4e-9, 1e-9, 0.0]])
    power, needed, noise = np.array([0.0, 0.1, 0.1]), np.full(3, 2.0), 1e-12
    ok, sinr = heard(power, np.array([0, 1, 1]), gain, needed, noise)
    # Node 0 hears node 2 through node 1, which is four times weaker; the two senders hear nothing.
    assert sinr[0, 2] == pytest.approx(4e-10 / (1e-12 + 1e-10))
    assert sinr[0, 1] == pytest.approx(1e-10 / (1e-12 + 4e-10))
    assert ok.tolist() == [[False, False, True], [False, False, False], [False, False, False]]
    apart, clean = heard(power, np.array([0, 0, 1]), gain, needed, noise)
    assert clean[0, 1] == pytest.approx(1e-10 / 1e-12)
    assert apart.tolist() == [[False, True, True], [False, False, True], [False, True, False]]


def test_who_is_silent_is_not_heard():
    ok, _ = heard(np.zeros(2), np.array([0, 1]), np.ones((2, 2)), np.zeros(2), 1.0)
    assert not ok.any()


# --- Messages ---------------------------------------------------------------------------------------------------

INFORMATION = Message("information", 1, ((1, -20.0, 10.0, 0.0), (0, -12.5, 9.75, 0.4)))
DECISION, INTENT = Message("decision", 2, ((2, -20.0, 10.0, -1.5),)), Message("intent", 3, ((3, 1.0),))
ORDERS = Message("decision", ROADSIDE, ((0, -6.0), (3, 3.0)))
LEAVES = Message("intent", ROADSIDE, ((0, 1.0), (1, 0.0), (2, 1.0)))


@pytest.mark.parametrize(
    ("message", "bits"), [(INFORMATION, 46), (DECISION, 24), (INTENT, 6), (ORDERS, 22), (LEAVES, 17)]
)
def test_messages_come_back_and_their_bits_are_counted(message: Message, bits: int):
    text = encode(message)
    assert len(text) == bits
    level = messages.LEVELS.index(message.level)
    assert messages.bits_of(np.array(level), np.array(len(message.entries)), message.sender == ROADSIDE) == bits
    back = decode(text)
    assert (back.level, back.sender) == (message.level, message.sender)
    assert np.array(back.entries) == pytest.approx(np.array(message.entries))


@pytest.mark.parametrize("message", [INFORMATION, DECISION, INTENT, ORDERS, LEAVES])
def test_a_message_that_is_cut_off_is_refused(message: Message):
    text = encode(message)
    for size in range(len(text)):
        with pytest.raises(ValueError, match=r"cut off|no level"):
            decode(text[:size])
    with pytest.raises(ValueError, match="goes on for 1 bits"):
        decode(text + "0")


def test_a_text_that_is_no_message_is_told():
    with pytest.raises(ValueError, match="0 and 1"):
        decode("01a")
    with pytest.raises(ValueError, match="another version"):
        decode("00" + "1" * 20)
    with pytest.raises(ValueError, match="level of a message"):
        encode(Message("gossip", 0, ()))


def test_nothing_has_no_bits():
    assert messages.bits_of(np.array([0, 3]), np.array([2, 2])).tolist() == [0, 6]


@given(st.floats(-200, 100))
def test_numbers_are_told_to_half_a_step(value: float):
    told = float(messages.PLACE.rounded(value))
    assert abs(told - min(max(value, -96.0), 31.5)) <= 0.25 + 1e-9
