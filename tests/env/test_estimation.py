"""Estimated channels of the eavesdroppers: what changes, by how much, and what an estimate is drawn from."""

import math

import numpy as np
import pytest

from secagent_env import Scenario, sample_instance
from secagent_env.sampling.beforehand import mean_eve_gains
from secagent_env.sampling.estimation import estimate_eavesdroppers, estimate_generator

SMALL = Scenario.preset("small", num_eavesdroppers=2)
MANY = sample_instance(SMALL, seed=1, batch=4000)
ESTIMATED = ("channel_eve", "gain_eve")


def same(one, other) -> None:
    for name in one._arrays:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def test_without_error_it_is_the_truth_bit_for_bit():
    same(estimate_eavesdroppers(MANY, 0, seed=3), MANY)
    same(estimate_eavesdroppers(MANY[0], 0.0, np.random.default_rng(1)), MANY[0])


def test_only_the_eavesdroppers_change():
    estimate = estimate_eavesdroppers(MANY, 0.3)
    for name in MANY._arrays:
        if getattr(MANY, name) is None:
            continue
        changed = getattr(estimate, name) != getattr(MANY, name)
        assert changed.all() if name in ESTIMATED else not changed.any(), name


def test_the_estimate_is_the_formula():
    single = sample_instance(SMALL, seed=5)
    error_variance = 0.2
    estimate = estimate_eavesdroppers(single, error_variance, seed=7)
    parts = estimate_generator(7, 0).standard_normal(2 * (2 * 4 + 6 * 2)).reshape(-1, 2)
    error = (parts[:, 0] + 1j * parts[:, 1]) / math.sqrt(2)
    loss_db = 32.4 + 20 * math.log10(SMALL.carrier_hz / 1e9)
    for e in range(2):
        distance = np.linalg.norm(single.eve_position_m[e])
        mean = 4 / math.pi * 10 ** (-(loss_db + 20 * math.log10(distance)) / 10)
        expected = math.sqrt(0.8) * single.channel_eve[e] + math.sqrt(0.2 * mean) * error[4 * e : 4 * e + 4]
        np.testing.assert_allclose(estimate.channel_eve[e], expected, rtol=1e-12)
        for n in range(6):
            distance = np.linalg.norm(single.position_m[n] - single.eve_position_m[e])
            mean = 4 / math.pi * 10 ** (-(loss_db + 20 * math.log10(max(distance, 1.0))) / 10)
            coefficient = math.sqrt(0.8 * single.gain_eve[n, e]) + math.sqrt(0.2 * mean) * error[8 + 2 * n + e]
            assert estimate.gain_eve[n, e] == pytest.approx(abs(coefficient) ** 2, rel=1e-12)


def test_the_mean_gains_are_those_of_the_sampler():
    mean_bs, mean_agents = mean_eve_gains(MANY)
    assert mean_bs.shape == (4000, 2)
    assert mean_agents.shape == (4000, 6, 2)
    # Over exponential fading the ratio has mean 1 and standard deviation 1 / √(how many).
    assert np.mean(np.abs(MANY.channel_eve) ** 2 / mean_bs[..., None]) == pytest.approx(1, abs=4 / math.sqrt(32000))
    assert np.mean(MANY.gain_eve / mean_agents) == pytest.approx(1, abs=4 / math.sqrt(48000))


@pytest.mark.parametrize("error_variance", [0.05, 0.5, 0.95])
def test_statistics_of_the_error(error_variance: float):
    estimate = estimate_eavesdroppers(MANY, error_variance, seed=2)
    mean_bs, mean_agents = mean_eve_gains(MANY)
    scale = np.sqrt(mean_bs)[..., None]
    h, estimated = MANY.channel_eve / scale, estimate.channel_eve / scale
    close = 4 / math.sqrt(h.size)
    error = estimated - math.sqrt(1 - error_variance) * h
    assert np.mean(error) == pytest.approx(0, abs=close)
    assert np.mean(np.abs(error) ** 2) == pytest.approx(error_variance, rel=close)
    assert np.mean(error**2) == pytest.approx(0, abs=error_variance * close)  # circularly symmetric
    # The estimate is distributed as the truth; the correlation of the two is √(1−ε).
    assert np.mean(np.abs(estimated) ** 2) == pytest.approx(1, rel=close)
    assert np.mean(estimated * h.conj()) == pytest.approx(math.sqrt(1 - error_variance), abs=close)
    gain, estimated_gain = MANY.gain_eve / mean_agents, estimate.gain_eve / mean_agents
    assert np.mean(estimated_gain) == pytest.approx(1, rel=close)
    assert np.mean(estimated_gain**2) == pytest.approx(2, rel=0.1)  # of the exponential distribution
    # Powers of two CN(0, 1) whose correlation is ρ have the correlation |ρ|².
    assert np.corrcoef(gain.ravel(), estimated_gain.ravel())[0, 1] == pytest.approx(1 - error_variance, abs=3 * close)


def test_without_positions_the_error_is_relative_to_what_is_there():
    bare = MANY.replace(position_m=None)
    mean_bs, mean_agents = mean_eve_gains(bare)
    np.testing.assert_allclose(mean_bs, (np.abs(MANY.channel_eve) ** 2).sum(axis=-1) / 4, rtol=1e-12)
    np.testing.assert_array_equal(mean_agents, MANY.gain_eve)
    estimate = estimate_eavesdroppers(bare, 0.4)
    error = estimate.channel_eve - math.sqrt(0.6) * bare.channel_eve
    assert np.mean(np.abs(error) ** 2 / mean_bs[..., None]) == pytest.approx(0.4, rel=4 / math.sqrt(error.size))
    # |√(1−ε) + √ε z|² has mean 1 whatever ε is.
    assert np.mean(estimate.gain_eve / bare.gain_eve) == pytest.approx(1, rel=0.02)


def test_an_instance_of_a_batch_depends_on_seed_and_index_alone():
    estimates = estimate_eavesdroppers(MANY, 0.1, seed=4)
    same(estimate_eavesdroppers(MANY[0], 0.1, seed=4), estimates[0])
    same(estimate_eavesdroppers(MANY[7], 0.1, estimate_generator(4, 7)), estimates[7])
    same(estimate_eavesdroppers(MANY[:20], 0.1, seed=4), estimates[:20])
    shaped = estimate_eavesdroppers(sample_instance(SMALL, seed=1, batch=(3, 4)), 0.1, seed=4)
    same(shaped[1, 2], estimates[6])
    assert (estimate_eavesdroppers(MANY, 0.1, seed=5).channel_eve != estimates.channel_eve).all()


def test_errors_differ_between_instances_and_are_the_same_for_every_variance():
    scale = np.sqrt(mean_eve_gains(MANY)[0])[..., None]
    errors = [
        (estimate_eavesdroppers(MANY, eps, seed=1).channel_eve - math.sqrt(1 - eps) * MANY.channel_eve)
        / (math.sqrt(eps) * scale)
        for eps in (0.01, 0.5)
    ]
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-6, atol=1e-9)
    # Unrelated to each other, and to the channels, whose seed is the same.
    assert np.mean(errors[1][1:] * errors[1][:-1].conj()) == pytest.approx(0, abs=4 / math.sqrt(errors[1].size))
    assert np.mean(errors[1] * (MANY.channel_eve / scale).conj()) == pytest.approx(0, abs=4 / math.sqrt(32000))


def test_precision_is_kept():
    single = estimate_eavesdroppers(MANY.to(np, dtype=np.float32), 0.1)
    assert (single.channel_eve.dtype, single.gain_eve.dtype) == (np.complex64, np.float32)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, math.nan, math.inf, "0.1", None, True])
def test_bad_error_variances(value: object):
    with pytest.raises(ValueError, match=r"^error_variance must be a finite number ≥ 0 and < 1, got "):
        estimate_eavesdroppers(MANY, value)


def test_numbers_of_numpy_are_error_variances():
    same(estimate_eavesdroppers(MANY[0], np.float32(0.5)), estimate_eavesdroppers(MANY[0], 0.5))


@pytest.mark.parametrize("seed", [-1, 1.0, True, None])
def test_bad_seeds(seed: object):
    with pytest.raises(ValueError, match=r"^seed must be an integer ≥ 0 or a numpy Generator, got "):
        estimate_eavesdroppers(MANY, 0.1, seed)


def test_other_libraries_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"needs NumPy arrays; convert the instance with \.to\(numpy\)"):
        estimate_eavesdroppers(MANY[0].to(torch), 0.1)
