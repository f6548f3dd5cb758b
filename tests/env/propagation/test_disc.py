"""Eavesdroppers somewhere in a disc: mean gains, true places behind the reported ones, and draws of their links."""

import math

import numpy as np
import pytest
from scipy import stats

import secagent_env.sampling.whereabouts as whereabouts
from secagent_env import Instance, Scenario, sample_instance
from secagent_env.propagation.disc import disc_mean_gain, disc_places, place_in_disc
from secagent_env.propagation.registry import make_path_loss
from secagent_env.sampling.beforehand import eve_prior, mean_eve_gains
from secagent_env.sampling.eavesdroppers import draw_eavesdroppers
from secagent_env.sampling.estimation import posterior_eavesdroppers
from secagent_env.sampling.generator import draw_deployments
from secagent_env.sampling.motion import Mobility, advance, start
from secagent_env.sampling.seeds import generators_of
from secagent_env.sampling.whereabouts import Whereabouts
from solvers.robust.belief import Belief

PAPER = make_path_loss("paper", 3.5e9, None, None)
SCENARIO = Scenario(num_agents=5, num_antennas=4, num_eavesdroppers=2, min_selected=2, eve_area_m=(20, 100))
UNSURE = SCENARIO.replace(eve_position_error_m=25.0)


# --- Mean gains -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("distance", "radius"), [(60.0, 20.0), (3.0, 1.9), (1e3, 1.0), (1e3, 2e-3), (9.0, 1e-9)])
def test_free_space_averages_to_a_logarithm_outside_the_disc(distance, radius):
    mean = disc_mean_gain(PAPER, np.array(distance), False, radius) / PAPER.gain_at_1m
    assert mean == pytest.approx(-math.log1p(-(radius**2) / distance**2) / radius**2, rel=1e-6)


def test_at_the_centre_the_nearest_metre_counts_as_one_metre():
    mean = disc_mean_gain(PAPER, np.zeros(2), True, 20.0) / PAPER.gain_at_1m
    np.testing.assert_allclose(mean, (1 + math.log(400)) / 400, rtol=1e-4)


@pytest.mark.parametrize("name", ["paper", "umi", "inh"])
def test_the_mean_is_that_over_places_in_the_disc(name):
    model = make_path_loss(name, 3.5e9, None, None)
    distance, place = np.array([0.0, 4.0, 18.0, 21.0, 70.0]), disc_places(20.0, 200_000)
    squared = (place[:, 0] + distance[:, None]) ** 2 + place[:, 1] ** 2
    expected = model.mean_gain(squared, from_bs=False).mean(axis=-1)
    np.testing.assert_allclose(disc_mean_gain(model, distance, False, 20.0), expected, rtol=6e-3)


@pytest.mark.parametrize(
    "place", [disc_places(3.0, 40_000), place_in_disc(3.0, np.random.default_rng(0).random((40_000, 2)))]
)
def test_places_are_uniform_in_the_disc(place):
    squared = np.sum(place**2, axis=-1)
    assert stats.kstest(squared / 9, "uniform").pvalue > 0.01
    assert stats.kstest(np.arctan2(*place.T) / (2 * math.pi) + 0.5, "uniform").pvalue > 0.01


# --- Instances ------------------------------------------------------------------------------------------------


def test_all_links_of_an_eavesdropper_are_those_of_one_place_in_the_disc():
    sure, unsure = (sample_instance(scenario, seed=1, batch=300) for scenario in (SCENARIO, UNSURE))
    for name in Instance._arrays:
        if name not in ("channel_eve", "gain_eve"):
            np.testing.assert_array_equal(getattr(unsure, name), getattr(sure, name))
    # The fading is the same, so that the ratios of the gains are those of squared distances.
    devices = np.concatenate([np.zeros((300, 1, 2)), sure.position_m], axis=1)
    apart = devices[:, :, None] - sure.eve_position_m[:, None]
    nearer = np.concatenate(
        [
            np.abs(sure.channel_eve / unsure.channel_eve)[..., 0][:, None] ** 2,
            sure.gain_eve / unsure.gain_eve,
        ],
        axis=1,
    )
    squared = np.sum(apart**2, axis=-1) * nearer
    far = (np.minimum(squared, np.sum(apart**2, axis=-1)) > 1.01).all(axis=1)  # nearer ones count as at 1 m
    # |u − a|² = s of devices at a from the centre: linear in the place u after taking the first from the others.
    matrix, right = -2 * (apart[:, 1:] - apart[:, :1]), squared[:, 1:] - squared[:, :1]
    right = right - np.sum(apart[:, 1:] ** 2, axis=-1) + np.sum(apart[:, :1] ** 2, axis=-1)
    offset = (np.linalg.pinv(matrix.swapaxes(1, 2)) @ right.swapaxes(1, 2)[..., None])[..., 0][far]
    again = np.sum((offset[:, None] - apart.swapaxes(1, 2)[far]) ** 2, axis=-1)
    np.testing.assert_allclose(again, squared.swapaxes(1, 2)[far], rtol=1e-5, atol=1e-3)
    share = np.sum(offset**2, axis=-1) / 25.0**2
    assert share.max() <= 1 + 1e-9
    assert stats.kstest(share, "uniform").pvalue > 0.01


def test_what_is_expected_of_a_link_is_its_mean_over_the_disc():
    many = sample_instance(UNSURE.replace(area_m=(0, 30), eve_area_m=(90, 120)), seed=2, batch=4000)
    to_bs, to_agents = mean_eve_gains(many)
    close = 4 / math.sqrt(8000)
    assert np.mean(np.abs(many.channel_eve) ** 2 / to_bs[..., None]) == pytest.approx(1, abs=close)
    assert np.mean(many.gain_eve / to_agents) == pytest.approx(1, abs=close)
    assert np.mean(mean_eve_gains(many.replace(scenario=SCENARIO))[0] / to_bs) < 1 - 0.01
    prior = eve_prior(many[0])
    np.testing.assert_array_equal(prior.agents_variance, to_agents[0])
    np.testing.assert_allclose(
        np.diagonal(prior.bs_covariance, axis1=-2, axis2=-1), np.repeat(to_bs[0], 4).reshape(2, 4)
    )


def test_the_places_behind_the_reported_ones_move_with_them():
    mobility = Mobility(eve_speed_m_s=2.0, task_interval_s=1.0)
    deployment, task = draw_deployments(UNSURE, generators_of(0, 3))
    motion, deployment, task = start(mobility, deployment, task, generators_of(1, 3))
    offset = deployment.eve_offset_m
    for seed in (2, 3):
        motion, deployment, task = advance(mobility, motion, deployment, generators_of(seed, 3))
    assert (np.linalg.norm(offset, axis=-1) > 0).all()
    np.testing.assert_array_equal(deployment.eve_offset_m, offset)
    np.testing.assert_array_equal(task.eve_position_m, motion.place_m[:, 5:])
    distance = np.linalg.norm(task.eve_position_m + offset, axis=-1)
    np.testing.assert_allclose(deployment.links.deviation_eve, math.sqrt(PAPER.gain_at_1m / 2) / distance, rtol=1e-12)


# --- Draws ----------------------------------------------------------------------------------------------------


def statistics(instance):
    level = np.log(np.sum(np.abs(instance.channel_eve[..., 0, :]) ** 2, axis=-1))
    agents = np.log(np.mean(instance.gain_eve[..., 0], axis=-1))
    return {"base": level, "agents": agents, "both": level + agents, "apart": level - agents}


@pytest.mark.parametrize("error_variance", [0.15, 0.8])
def test_the_truth_is_one_of_the_draws(error_variance, monkeypatch):
    monkeypatch.setattr(whereabouts, "PLACES", 1000)
    truth = sample_instance(UNSURE.replace(num_eavesdroppers=1), seed=3, batch=120)
    known = posterior_eavesdroppers(truth, error_variance, seed=4)
    rank: dict[bool, list] = {True: [], False: []}
    for i, (one, true) in enumerate(zip(known, truth, strict=True)):
        links = eve_prior(one)
        for mixed, ranks in rank.items():
            place = Whereabouts.of(one, links) if mixed else None
            drawn = statistics(next(draw_eavesdroppers(one, links, 200, np.random.default_rng(i), place)))
            ranks.append([np.mean(drawn[name] < value) for name, value in statistics(true).items()])
    values = {mixed: [stats.kstest(row, "uniform").pvalue for row in np.transpose(rank[mixed])] for mixed in rank}
    assert min(values[True]) > 0.005
    assert min(values[False]) < 1e-4  # all links of an eavesdropper are strong together, or weak


def test_without_an_estimate_all_places_are_alike():
    one = sample_instance(UNSURE, seed=5)
    place = Whereabouts.of(one, eve_prior(one))
    steps = np.diff(place.below, axis=-1)
    np.testing.assert_allclose(steps, 1 / whereabouts.PLACES, rtol=1e-8)
    gain = PAPER.mean_gain(np.sum((one.eve_position_m[0] + disc_places(25.0, whereabouts.PLACES)) ** 2, -1), True)
    expected = np.repeat(gain[:, None] / mean_eve_gains(one)[0][0], 4, axis=1)
    np.testing.assert_allclose(place.to_bs[0], expected, rtol=1e-12)


def test_a_perfect_estimate_weighs_places_by_the_density_of_the_links():
    one = posterior_eavesdroppers(sample_instance(UNSURE, seed=5), 0.0)
    place = Whereabouts.of(one, eve_prior(one))
    np.testing.assert_allclose(place.to_bs, 1)
    np.testing.assert_allclose(place.to_agents, 1)
    at = one.eve_position_m[1] + disc_places(25.0, whereabouts.PLACES)
    gains = PAPER.mean_gain(np.maximum(np.sum((at[:, None] - one.position_m) ** 2, -1), 1), False)
    base = PAPER.mean_gain(np.sum(at**2, -1), True)
    likely = np.sum(-np.log(gains) - one.gain_eve[:, 1] / gains, axis=-1)
    likely += -4 * np.log(base) - np.sum(np.abs(one.channel_eve[1]) ** 2) / base
    weight = np.exp(likely - likely.max())
    np.testing.assert_allclose(place.below[1], np.cumsum(weight) / weight.sum(), atol=1e-9)


def test_in_a_tiny_disc_draws_are_those_of_the_gaussian():
    rng = np.random.default_rng(0)
    tiny = UNSURE.replace(eve_position_error_m=1e-7)
    one = posterior_eavesdroppers(sample_instance(tiny, seed=6), 0.3)
    turn = np.linalg.qr(rng.normal(size=(2, 4, 4)) + 1j * rng.normal(size=(2, 4, 4)))[0]
    spread = mean_eve_gains(sample_instance(tiny, seed=6))[0][:, None] * np.array([0.1, 0.2, 0.5, 0.9])
    one = one.replace(prior_bs_covariance=(turn * spread[:, None]) @ turn.conj().swapaxes(1, 2))
    links = eve_prior(one)
    plain, mixed = (
        next(draw_eavesdroppers(one, links, 50, np.random.default_rng(1), place))
        for place in (None, Whereabouts.of(one, links))
    )
    np.testing.assert_allclose(mixed.channel_eve, plain.channel_eve, rtol=1e-5)
    np.testing.assert_allclose(mixed.gain_eve, plain.gain_eve, rtol=1e-5)


def test_a_belief_draws_places_in_whatever_unit_the_gains_are():
    one = posterior_eavesdroppers(sample_instance(UNSURE, seed=7), 0.2)
    links = eve_prior(one)
    plain = next(draw_eavesdroppers(one, links, 20, np.random.default_rng(1), Whereabouts.of(one, links)))
    scaled = next(Belief.of(one).draws(20, np.random.default_rng(1)))
    np.testing.assert_allclose(scaled.gain_eve, plain.gain_eve / UNSURE.noise_power_w, rtol=1e-9)
    power, expected = (np.sum(np.abs(i.channel_eve) ** 2, -1) for i in (scaled, plain))
    np.testing.assert_allclose(power.mean(0), expected.mean(0) / UNSURE.noise_power_w, rtol=0.5)


# --- Bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [-1.0, math.nan, math.inf, "far", True])
def test_a_radius_is_a_finite_number(radius):
    with pytest.raises(ValueError, match="eve_position_error_m must be a finite number ≥ 0, got"):
        Scenario(eve_position_error_m=radius)


def test_a_disc_reaches_as_far_as_the_path_loss():
    fields = {"path_loss": "inh", "area_m": (0, 50), "eve_area_m": (0, 50)}
    Scenario(**fields, eve_position_error_m=70.0)
    with pytest.raises(ValueError, match="eve_area_m reaches 151 m from the base station"):
        Scenario(**fields, eve_position_error_m=80.0)


def test_without_positions_nothing_is_known_of_a_place():
    one = sample_instance(UNSURE, seed=0)
    with pytest.raises(ValueError, match="nothing is known of the eavesdroppers beforehand: give prior_bs_covariance"):
        Belief.of(one.replace(eve_position_m=None))
    known = posterior_eavesdroppers(one, 0.1)
    with pytest.raises(ValueError, match="eve_position_error_m says how far eve_position_m may be off"):
        Belief.of(known.replace(position_m=None))
    wide = known.replace(prior_agents_variance=2 * mean_eve_gains(one)[1])
    with pytest.raises(ValueError, match="wider than the path loss in the disc of eve_position_error_m"):
        Belief.of(wide)
