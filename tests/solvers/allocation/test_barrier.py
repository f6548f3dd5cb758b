"""The barrier method on programs whose minimum is known, and what it does where numbers go bad."""

import math

import numpy as np
import pytest

from solvers.numerics.barrier import _descent, minimise


class Box:
    """Minimise cᵀz with |z_i| ≤ 1: the minimum is −Σ|c_i|. It keeps the sharpness of every Newton step."""

    def __init__(self, cost: list[float]) -> None:
        self.cost = np.array(cost)
        self.sharpness: list[float] = []

    def values(self, z):
        return float(self.cost @ z), np.concatenate([1 - z, 1 + z])

    def newton(self, z, sharpness):
        self.sharpness.append(sharpness)
        upper, lower = 1 / (1 - z), 1 / (1 + z)
        return sharpness * self.cost + upper - lower, np.diag(upper**2 + lower**2)


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-8])
def test_the_minimum_is_met_within_the_gap(gap):
    program = Box([1.0, -0.5, 0.25])
    z = minimise(program, np.zeros(3), gap=gap)
    assert -1.75 <= program.cost @ z <= -1.75 + 1.1 * gap
    assert (program.values(z)[1] > 0).all()


def test_the_sharpness_rises_from_that_of_the_first_gap_to_that_of_the_last():
    program = Box([1.0, -0.5, 0.25])
    minimise(program, np.zeros(3), gap=1e-3, first_gap=0.5, reduction=10.0)
    stages = sorted(set(program.sharpness))
    assert program.sharpness == sorted(program.sharpness)
    assert stages == pytest.approx([6 / 0.5, 6 / 0.05, 6 / 0.005, 6 / 1e-3])
    wide = Box([1.0])
    minimise(wide, np.zeros(1), gap=0.1, first_gap=0.01)  # no sharper than the gap asked for
    assert set(wide.sharpness) == {2 / 0.1}


def test_it_stops_at_enough_and_after_so_many_steps():
    program = Box([1.0])
    assert -1 < program.cost @ minimise(program, np.zeros(1), enough=-0.5) <= -0.5
    program.sharpness.clear()
    minimise(program, np.zeros(1), max_steps=3)
    assert len(program.sharpness) == 3


def test_a_start_on_the_border_is_refused():
    with pytest.raises(ValueError, match="strictly feasible start"):
        minimise(Box([1.0]), np.ones(1))


def test_a_hessian_that_rounding_left_indefinite_is_raised_until_it_is_not():
    gradient = np.array([1.0, 2.0])
    direction = _descent(np.array([[1.0, 1 + 1e-10], [1 + 1e-10, 1.0]]), gradient)
    assert direction is not None
    assert gradient @ direction < 0
    scale = np.array([1e8, 1e-8])  # and the scale of the variables does not matter
    hessian = np.array([[2.0, 1.0], [1.0, 3.0]])
    exact = -np.linalg.solve(hessian, gradient)
    found = _descent(hessian * scale * scale[:, None], gradient * scale)
    assert found * scale == pytest.approx(exact)
    assert _descent(np.array([[1.0, 2.0], [2.0, 1.0]]), gradient) is None
    assert _descent(hessian, np.array([math.nan, 1.0])) is None
