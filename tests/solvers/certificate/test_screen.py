"""What proves that a selection cannot be served: bounds on the rate of a multicast, and how many sets are screened."""

import numpy as np
import pytest

from secagent_env import Scenario, sample_instance
from solvers.certificate.bounds import lower_bound
from solvers.certificate.screen import multicast_rate, relaxed_multicast_rate, too_slow


def test_the_rate_of_a_multicast_by_hand():
    scenario = Scenario.preset("small", num_agents=3, num_antennas=2, min_selected=1)
    instance = sample_instance(scenario, 0).replace(
        channel_bs=np.array([[1e-4, 0], [0, 1e-4j], [0, 0]], complex)  # orthogonal, and one that hears nothing
    )
    snr = scenario.bs_power_w / scenario.noise_power_w * 1e-8
    for rate in (multicast_rate, relaxed_multicast_rate):
        assert rate(instance, np.array([True, False, False])) == pytest.approx(np.log2(1 + snr), rel=1e-4)
        assert rate(instance, np.array([True, True, False])) == pytest.approx(np.log2(1 + snr / 2), rel=1e-4)
    assert multicast_rate(instance, np.array([True, False, True])) == 0.0
    assert too_slow(instance, np.array([True, False, True]), 0.0)


def test_no_beam_is_faster_than_the_bounds_of_a_multicast():
    rng = np.random.default_rng(0)
    for seed in range(5):
        instance = sample_instance("paper", seed)
        selection = np.isin(np.arange(30), rng.choice(30, 10, replace=False))
        beams = rng.normal(size=(500, 20, 2)) @ [1, 1j]
        beams *= np.sqrt(instance.scenario.bs_power_w) / np.linalg.norm(beams, axis=1, keepdims=True)
        gain = np.abs(beams @ instance.channel_bs[selection].conj().T) ** 2
        best = np.log2(1 + gain.min(axis=1) / instance.scenario.noise_power_w).max()
        assert best <= relaxed_multicast_rate(instance, selection) <= multicast_rate(instance, selection) + 1e-6


def test_no_more_sets_are_screened_than_asked_for():
    instance = sample_instance("tight-latency", 301)  # where some hundred are too slow
    none, few, many = (lower_bound(instance, screened=count).energy_j for count in (0, 3, 300))
    assert none < few < many
