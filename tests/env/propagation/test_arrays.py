"""Antenna arrays against closed forms: responses, their factor of a beam, and the correlation of scatter."""

import math

import numpy as np
import pytest
from scipy.special import j0

from secagent_env import Scenario
from secagent_env.propagation.arrays import exponential_factor, grid_of, one_ring_factor, response


def directions(count=50, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((count, 3))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T


@pytest.mark.parametrize("spacing", [0.5, 0.37, 2.0])
@pytest.mark.parametrize("grid", [(1, 1), (1, 2), (1, 20), (1, 64), (4, 5), (7, 3), (5, 1)])
def test_a_response_is_a_phase_for_each_antenna(grid, spacing):
    _, u, v = directions()
    rows, columns = grid
    found = response(grid, spacing, u, v)
    assert found.shape == (50, rows * columns)
    for antenna in range(rows * columns):
        row, column = divmod(antenna, columns)
        expected = np.exp(2j * np.pi * spacing * (column * u + row * v))
        np.testing.assert_allclose(found[:, antenna], expected, atol=1e-12)
    np.testing.assert_allclose(np.abs(found), 1, atol=1e-13)


def test_the_first_antenna_can_have_any_phase():
    _, u, v = directions()
    first = np.exp(1j * np.arange(50)) * 3
    np.testing.assert_allclose(response((3, 4), 0.5, u, v, first), first[:, None] * response((3, 4), 0.5, u, v))


@pytest.mark.parametrize("antennas", [4, 20])
def test_two_directions_of_a_line_meet_as_the_array_factor(antennas):
    """|a(u)ᴴ a(u')| = |sin(π L d Δ) / sin(π d Δ)|, which has its first null at Δ = 1/(L d)."""
    apart = np.linspace(0.01, 0.9, 30)
    zero = np.zeros_like(apart)
    a, b = (response((1, antennas), 0.5, u, zero) for u in (zero, apart))
    expected = np.abs(np.sin(math.pi * antennas * 0.5 * apart) / np.sin(math.pi * 0.5 * apart))
    np.testing.assert_allclose(np.abs(np.sum(a.conj() * b, axis=-1)), expected, atol=1e-11)
    null = response((1, antennas), 0.5, np.array([2 / antennas]), np.zeros(1))
    assert abs(null.sum()) < 1e-12 * antennas


@pytest.mark.parametrize(
    ("antennas", "rows", "grid"),
    [(20, None, (4, 5)), (64, None, (8, 8)), (7, None, (1, 7)), (20, 2, (2, 10)), (20, 20, (20, 1)), (1, None, (1, 1))],
)
def test_a_plane_is_as_square_as_its_antennas_allow(antennas, rows, grid):
    assert grid_of("upa", antennas, rows) == grid
    assert Scenario(array="upa", num_antennas=antennas, array_rows=rows).array_rows == rows
    assert grid_of("ula", antennas) == grid_of("iid", antennas) == (1, antennas)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"array": "circle"}, "array must be one of iid, ula, upa, got 'circle'"),
        ({"array": "upa", "array_rows": 3}, "array_rows must divide the 20 antennas, got 3"),
        ({"array": "upa", "array_rows": 21}, "array_rows must be an integer from 1 to 20, got 21"),
        ({"array": "upa", "array_rows": 0}, "array_rows must be an integer ≥ 1, got 0"),
        ({"array": "ula", "array_rows": 2}, "array_rows must be None with array='ula', got 2"),
        ({"array": "ula", "antenna_spacing": 0}, "antenna_spacing must be a finite number > 0, got 0"),
        ({"array": "ula", "array_bearing_deg": 361}, "array_bearing_deg must be a finite number from -360 to 360"),
        ({"scatter_correlation": "one-ring"}, "scatter_correlation='one-ring' needs array='ula' or 'upa'"),
        (
            {"array": "ula", "scatter_correlation": "ring"},
            "scatter_correlation must be one of none, exponential, one-r",
        ),
        ({"correlation_coefficient": 1.0}, "correlation_coefficient must be a finite number ≥ 0 and < 1, got 1.0"),
        ({"angular_spread_deg": 0}, "angular_spread_deg must be a finite number"),
        ({"fading": "nakagami"}, "fading must be one of rayleigh, rician, got 'nakagami'"),
        ({"fading": "rician"}, "rician_k_db must be a number with path_loss='paper'"),
        ({"fading": "rician", "rician_k_db": 201}, "rician_k_db must be a finite number from -200 to 200, got 201"),
    ],
)
def test_what_does_not_fit_together_is_refused(fields, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        Scenario(**fields)


# --- Scatter ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [(1, 20), (4, 5), (2, 3)])
@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.95])
def test_exponential_correlation_falls_with_every_antenna_between(grid, coefficient):
    factor = exponential_factor(grid, coefficient)
    rows, columns = grid
    matrix = factor @ factor.T
    for one in range(rows * columns):
        for other in range(rows * columns):
            apart = abs(one // columns - other // columns) + abs(one % columns - other % columns)
            assert matrix[one, other] == pytest.approx(coefficient**apart, abs=1e-12)


def ring(grid, spacing, azimuth, elevation, spread):
    factor = one_ring_factor(grid, spacing, np.array([azimuth]), np.array([elevation]), spread)[0]
    return factor @ factor.conj().T


def test_a_full_ring_is_jakes():
    """Scatter from all around a horizontal line: R_lm = J₀(2π d |l − m|)."""
    matrix = ring((1, 20), 0.5, 0.3, 0.0, math.pi)
    apart = np.abs(np.subtract.outer(np.arange(20), np.arange(20)))
    np.testing.assert_allclose(matrix, j0(math.pi * apart), atol=3e-9)


def test_a_narrow_ring_is_a_sinc_around_its_direction():
    """For small spreads R_lm = exp(jωm sin θ) sinc(ω Δ cos θ), ω = 2π d (l − m), to the order of the spread squared."""
    azimuth, spread = 0.4, math.radians(0.5)
    matrix = ring((1, 10), 0.5, azimuth, 0.0, spread)
    omega = math.pi * np.subtract.outer(np.arange(10), np.arange(10))
    expected = np.exp(1j * omega * math.sin(azimuth)) * np.sinc(omega * spread * math.cos(azimuth) / math.pi)
    np.testing.assert_allclose(matrix, expected, atol=omega.max() * spread**2 / 3)
    assert np.abs(matrix - expected.conj()).max() > 0.5  # the phase has its sign


def test_a_ring_by_brute_force():
    """An average over a hundred thousand directions, of a plane seen from below."""
    azimuth, elevation, spread = -0.7, -0.3, math.radians(15)
    angle = azimuth + spread * (np.arange(100_000) + 0.5) / 50_000 - spread
    u, v = np.cos(elevation) * np.sin(angle), np.full(angle.shape, np.sin(elevation))
    waves = response((3, 4), 0.6, u, v)
    expected = np.einsum("kl,km->lm", waves, waves.conj()) / len(angle)
    matrix = ring((3, 4), 0.6, azimuth, elevation, spread)
    np.testing.assert_allclose(matrix, expected, atol=1e-8)
    np.testing.assert_allclose(np.diag(matrix), 1, atol=1e-13)


def test_many_antennas_and_a_point_source_have_a_factor():
    matrix = ring((1, 256), 0.5, 0.2, 0.0, math.radians(0.01))
    assert np.isfinite(matrix).all()
    assert abs(matrix[0, -1]) > 0.99
