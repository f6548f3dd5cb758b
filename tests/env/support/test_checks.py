"""Checks of what users give: what they return, what they refuse, and the sentence they say."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from secagent_env.support.checks import choice, flag, integer, interval, number


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_integers_of_any_kind_become_pythons(value: object):
    assert integer("n", value) == 3
    assert type(integer("n", value)) is int


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int64(3), Fraction(3)])
def test_numbers_of_any_kind_become_floats(value: object):
    assert number("x", value) == 3.0
    assert type(number("x", value)) is float


def test_bounds_belong_to_the_range_unless_they_are_strict():
    assert (integer("n", 0), integer("n", 1, 1, 2), integer("n", 2, 1, 2), integer("n", -5, None)) == (0, 1, 2, -5)
    assert (number("x", 0, 0, 1), number("x", 1, 0, 1), number("x", -1e300)) == (0.0, 1.0, -1e300)
    assert number("x", np.nextafter(0, 1), above=0) > 0
    assert number("x", np.nextafter(1, 0), below=1) < 1
    assert interval("r", [1, 1]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("value", "bounds", "sentence"),
    [
        (-1, (), "n must be an integer ≥ 0, got -1"),
        (0, (1,), "n must be an integer ≥ 1, got 0"),
        (7, (1, 6), "n must be an integer from 1 to 6, got 7"),
        (7, (None, 6), "n must be an integer ≤ 6, got 7"),
        (1.0, (None,), "n must be an integer, got 1.0"),
        (True, (), "n must be an integer ≥ 0, got True"),
        ("3", (), "n must be an integer ≥ 0, got '3'"),
        (None, (), "n must be an integer ≥ 0, got None"),
        ([1] * 100, (), f"n must be an integer ≥ 0, got {[1] * 100!s:.200}"),
    ],
)
def test_what_is_no_integer_of_the_range(value: object, bounds: tuple, sentence: str):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        integer("n", value, *bounds)


@pytest.mark.parametrize(
    ("value", "bounds", "sentence"),
    [
        (0, {"above": 0}, "x must be a finite number > 0, got 0"),
        (-0.5, {"low": 0}, "x must be a finite number ≥ 0, got -0.5"),
        (1, {"low": 0, "below": 1}, "x must be a finite number ≥ 0 and < 1, got 1"),
        (2.5, {"low": 0, "high": 2}, "x must be a finite number from 0 to 2, got 2.5"),
        (3, {"high": 2}, "x must be a finite number ≤ 2, got 3"),
        (math.nan, {}, "x must be a finite number, got nan"),
        (-math.inf, {}, "x must be a finite number, got -inf"),
        (False, {}, "x must be a finite number, got False"),
        ("1", {}, "x must be a finite number, got '1'"),
        (1j, {}, "x must be a finite number, got 1j"),
    ],
)
def test_what_is_no_number_of_the_range(value: object, bounds: dict, sentence: str):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        number("x", value, **bounds)


def test_an_integer_beyond_all_floats_is_not_finite():
    with pytest.raises(ValueError, match="x must be a finite number, got 1000"):
        number("x", 10**400)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (5, "r must be a (low, high) range, got 5"),
        ((1, 2, 3), "r must be a (low, high) range, got (1, 2, 3)"),
        ((2, 1), "r must be a (low, high) range with low ≤ high, got (2, 1)"),
        ((0, 1), "r[0] must be a finite number > 0, got 0"),
        ((1, None), "r[1] must be a finite number > 0, got None"),
    ],
)
def test_what_is_no_range(value: object, sentence: str):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        interval("r", value, above=0)


def test_flags():
    assert flag("f", True) is True
    assert flag("f", np.bool_(False)) is False
    for value in (1, 0, "True", None):
        with pytest.raises(ValueError, match=f"^f must be True or False, got {value!r}$"):
            flag("f", value)


def test_choices():
    assert choice("c", "b", ("a", "b")) == "b"
    for value in ("d", None, ["a"]):
        with pytest.raises(ValueError, match=r"^c must be one of a, b, got ."):
            choice("c", value, ("a", "b"))
