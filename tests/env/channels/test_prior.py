"""What is known of the eavesdroppers beforehand: kept where instances go, and what an estimate makes of it."""

import json
import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from scipy.stats import ncx2

from secagent_env import Instance, Scenario, sample_instance
from secagent_env.channels.importing import Recipe, imported
from secagent_env.model.prior import PRIOR
from secagent_env.sampling.beforehand import eve_prior, mean_eve_gains
from secagent_env.sampling.estimation import estimate_eavesdroppers, known_from, posterior_eavesdroppers
from solvers.interface.scaling import scaled

SCENARIO = Scenario(num_agents=4, num_antennas=3, num_eavesdroppers=2, min_selected=2)
SIZE = 1e-4
"""Of amplitude gains."""


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw CN(0, 1)."""
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)) / math.sqrt(2)


def prior_of(seed: int = 0) -> dict[str, Any]:
    """Return a prior whose links differ, of instances that share it; covariances are full."""
    rng = np.random.default_rng(seed)
    factor = SIZE * (noise(rng, 2, 3, 3) + 0.5 * np.eye(3))
    return {
        "prior_bs_mean": SIZE * noise(rng, 2, 3),
        "prior_bs_covariance": factor @ factor.conj().swapaxes(-1, -2),
        "prior_agents_mean": SIZE * noise(rng, 4, 2),
        "prior_agents_variance": SIZE**2 * rng.uniform(0.2, 2, size=(4, 2)),
    }


def made(count: int = 5, *, seed: int = 0, **changes: Any) -> Instance:
    """Return instances whose links to the eavesdroppers are drawn from the prior that they carry."""
    rng, prior = np.random.default_rng((seed, 1)), {**prior_of(seed), **changes}
    root = np.linalg.cholesky(prior["prior_bs_covariance"])
    to_bs = prior["prior_bs_mean"] + (root @ noise(rng, count, 2, 3, 1))[..., 0]
    to_agents = prior["prior_agents_mean"] + np.sqrt(prior["prior_agents_variance"]) * noise(rng, count, 4, 2)
    return Instance.from_channels(
        SIZE * noise(rng, count, 4, 3),
        to_bs,
        SCENARIO,
        gain_eve=np.abs(to_agents) ** 2,
        gain_agents=np.full((4, 4), SIZE**2),
        **prior,
    )


def slow_posterior(mean, covariance, estimate, eps, power):
    """Return mean and covariance of one link, as written in the model."""
    inverse = np.linalg.inv((1 - eps) * covariance + eps * power * np.eye(len(mean)))
    moved = math.sqrt(1 - eps) * covariance @ inverse @ (estimate - math.sqrt(1 - eps) * mean)
    return mean + moved, covariance - (1 - eps) * covariance @ inverse @ covariance


# --- The posterior -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [0.05, 0.5, 0.95])
def test_the_posterior_is_the_formula(eps):
    instance, prior = made(), prior_of()
    known = posterior_eavesdroppers(instance, eps, seed=3)
    for i in range(5):
        for e in range(2):
            mean, covariance = prior["prior_bs_mean"][e], prior["prior_bs_covariance"][e]
            power = (np.linalg.norm(mean) ** 2 + np.trace(covariance).real) / 3
            wanted = slow_posterior(mean, covariance, known.channel_eve[i, e], eps, power)
            np.testing.assert_allclose(known.prior_bs_mean[i, e], wanted[0], rtol=1e-9)
            np.testing.assert_allclose(known.prior_bs_covariance[i, e], wanted[1], atol=1e-9 * power)
            for n in range(4):
                variance = prior["prior_agents_variance"][n, e]
                power = abs(prior["prior_agents_mean"][n, e]) ** 2 + variance
                left = eps * power * variance / ((1 - eps) * variance + eps * power)
                assert known.prior_agents_variance[i, n, e] == pytest.approx(left, rel=1e-12)
                # Of the mean, ĥ can be had back; its power is the estimate.
                moved = known.prior_agents_mean[i, n, e] - prior["prior_agents_mean"][n, e]
                unmoved = math.sqrt(1 - eps) * prior["prior_agents_mean"][n, e]
                estimate = unmoved + moved / (math.sqrt(1 - eps) * left / (eps * power))
                assert abs(estimate) ** 2 == pytest.approx(known.gain_eve[i, n, e], rel=1e-9)


@pytest.mark.parametrize("eps", [0.1, 0.8])
def test_by_default_it_is_the_estimate_and_the_path_loss(eps):
    drawn = sample_instance(SCENARIO, 1, 6)
    known, estimate = posterior_eavesdroppers(drawn, eps, seed=2), estimate_eavesdroppers(drawn, eps, seed=2)
    to_bs, to_agents = mean_eve_gains(drawn)
    np.testing.assert_array_equal(known.channel_eve, estimate.channel_eve)
    np.testing.assert_array_equal(known.gain_eve, estimate.gain_eve)
    np.testing.assert_allclose(known.prior_bs_mean, math.sqrt(1 - eps) * estimate.channel_eve, rtol=1e-12)
    np.testing.assert_allclose(
        known.prior_bs_covariance, eps * to_bs[..., None, None] * np.eye(3), rtol=1e-12, atol=1e-14 * to_bs.max()
    )
    # A phase would tell of the true |h|, in whose place h is estimated.
    np.testing.assert_allclose(known.prior_agents_mean, np.sqrt((1 - eps) * estimate.gain_eve), rtol=1e-12)
    np.testing.assert_allclose(known.prior_agents_variance, eps * to_agents, rtol=1e-12)


@pytest.mark.parametrize("eps", [0.1, 0.7])
def test_the_truth_is_distributed_as_the_posterior_says(eps):
    instance = made(4000)
    known = posterior_eavesdroppers(instance, eps, seed=4)
    off = instance.channel_eve - known.prior_bs_mean
    distance = np.vecdot(off, np.linalg.solve(known.prior_bs_covariance, off[..., None])[..., 0]).real
    close = 4 / math.sqrt(distance.size)
    assert distance.mean() == pytest.approx(3, abs=close * math.sqrt(3))  # Gamma(L, 1)
    assert distance.var() == pytest.approx(3, rel=0.15)
    assert (np.abs(off.mean(axis=0)) <= close * SIZE * 4).all()
    # The powers of the agents' links are noncentral χ²: where in it they lie is uniform.
    half = known.prior_agents_variance / 2
    place = ncx2.cdf(instance.gain_eve / half, 2, np.abs(known.prior_agents_mean) ** 2 / half)
    for p in (0.05, 0.25, 0.5, 0.75, 0.95):
        spread = math.sqrt(p * (1 - p) / 4000)
        np.testing.assert_allclose((place <= p).mean(axis=0), p, atol=4.5 * spread)


@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_what_is_known_for_certain_stays_known(eps):
    line = SIZE * np.ones((2, 3)) * np.exp(1j * np.arange(3))
    ray = line[..., :, None] * line[..., None, :].conj()
    instance = made().replace(
        channel_eve=(2 - 1j) * np.broadcast_to(line, (5, 2, 3)),
        prior_bs_mean=None,
        prior_bs_covariance=np.broadcast_to(ray, (5, 2, 3, 3)),
        prior_agents_variance=np.zeros((5, 4, 2)),
    )
    known = posterior_eavesdroppers(instance, eps, seed=1)
    np.testing.assert_array_equal(known.prior_agents_mean, instance.prior_agents_mean)
    assert not known.prior_agents_variance.any()
    # All that can be is along the line, and without error the truth is known.
    along = np.vecdot(line, known.prior_bs_mean) / np.vecdot(line, line)
    np.testing.assert_allclose(known.prior_bs_mean, along[..., None] * line, atol=1e-6 * SIZE)
    if eps == 0:
        np.testing.assert_allclose(known.prior_bs_mean, instance.channel_eve, rtol=1e-6)
        assert np.abs(known.prior_bs_covariance).max() == 0


def test_the_power_of_an_error_is_that_of_the_prior():
    prior, instance = prior_of(), made()
    to_bs, to_agents = mean_eve_gains(instance)
    wanted = np.mean(np.abs(prior["prior_bs_mean"]) ** 2 + np.diagonal(prior["prior_bs_covariance"], 0, 1, 2).real, -1)
    np.testing.assert_allclose(to_bs, np.broadcast_to(wanted, (5, 2)))
    wanted = np.abs(prior["prior_agents_mean"]) ** 2 + prior["prior_agents_variance"]
    np.testing.assert_allclose(to_agents, np.broadcast_to(wanted, (5, 4, 2)))
    centred = instance.replace(prior_bs_mean=None, prior_agents_mean=None)
    np.testing.assert_array_equal(mean_eve_gains(centred)[1], instance.prior_agents_variance)


def test_a_prior_of_some_links_leaves_the_others_to_the_path_loss():
    drawn = sample_instance(SCENARIO, 1, 5)
    covariance = np.broadcast_to(prior_of()["prior_bs_covariance"], (5, 2, 3, 3))
    prior = eve_prior(drawn.replace(prior_bs_covariance=covariance))
    np.testing.assert_array_equal(prior.bs_covariance, covariance)
    np.testing.assert_array_equal(prior.agents_variance, mean_eve_gains(drawn)[1])
    assert not prior.bs_mean.any()
    assert not prior.agents_mean.any()
    bare = drawn.replace(position_m=None)
    with pytest.raises(ValueError, match=r"nothing is known .* give prior_bs_covariance, or position_m and eve_pos"):
        eve_prior(bare)
    with pytest.raises(ValueError, match=r"nothing is known .* give prior_agents_variance, or position_m"):
        posterior_eavesdroppers(bare.replace(prior_bs_covariance=covariance), 0.1)


def test_single_precision_is_kept():
    known = posterior_eavesdroppers(made().to(np, dtype=np.float32), 0.2)
    assert {getattr(known, name).dtype.itemsize for name in PRIOR} == {4, 8}


# --- Where instances go --------------------------------------------------------------------------------------


def same_prior(one: Instance, other: Instance) -> None:
    for name in PRIOR:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
        assert getattr(one, name) is not None


def test_it_goes_where_instances_go(tmp_path):
    instance = made()
    assert {instance.origin[name] for name in PRIOR} == {"given"}
    instance.save(tmp_path / "own.npz")
    Instance.save_folder(tmp_path / "own", [instance[:2], instance[2:]])
    for other in (
        Instance.load(tmp_path / "own.npz"),
        Instance.load(tmp_path / "own"),
        Instance.stack(list(instance)),
        instance.replace(accuracy=instance.accuracy / 2),
        instance.to(np, dtype=np.float32).to(np, dtype=np.float64).replace(**{n: getattr(instance, n) for n in PRIOR}),
    ):
        same_prior(other, instance)
    same_prior(instance[1:3], Instance.stack([instance[1], instance[2]]))


def test_only_files_with_one_are_of_the_second_version(tmp_path):
    drawn = sample_instance(SCENARIO, 0, 2)
    for instance, version in ((drawn, 1), (made(2), 2)):
        instance.save(tmp_path / "own.npz")
        with np.load(tmp_path / "own.npz") as file:
            assert json.loads(str(file["header"]))["version"] == version
            assert (set(file.files) & set(PRIOR) == set()) == (version == 1)


def test_the_scaled_network_has_it_in_its_units():
    instance = made()
    for one in (posterior_eavesdroppers(instance, 0.3), instance):
        small, root = scaled(one), math.sqrt(SCENARIO.noise_power_w)
        np.testing.assert_allclose(small.prior_bs_mean * root, one.prior_bs_mean, rtol=1e-12)
        np.testing.assert_allclose(small.prior_bs_covariance * root**2, one.prior_bs_covariance, rtol=1e-12)
        np.testing.assert_allclose(small.prior_agents_mean * root, one.prior_agents_mean, rtol=1e-12)
        np.testing.assert_allclose(small.prior_agents_variance * root**2, one.prior_agents_variance, rtol=1e-12)


@pytest.mark.parametrize("task", ["Allocation", "Lifetime"])
def test_episodes_are_the_same_with_it_and_without(task):
    instance = made()
    bare = instance.replace(**dict.fromkeys(PRIOR))
    name = f"secagent_env:secagent/{task}-v0"
    for make in (gymnasium.make, lambda name, **more: gymnasium.make_vec(name, 3, **more)):
        one, other = make(name, instances=instance), make(name, instances=bare)
        np.testing.assert_array_equal(one.reset(seed=1)[0], other.reset(seed=1)[0])
        action = one.action_space.sample()
        np.testing.assert_array_equal(one.step(action)[0], other.step(action)[0])


def test_a_file_gives_it_in_its_own_convention(tmp_path):
    prior = prior_of()
    rng = np.random.default_rng(0)
    given = {"channel_bs": SIZE * noise(rng, 6, 4, 3), "channel_eve": SIZE * noise(rng, 6, 2, 3)}
    np.savez(tmp_path / "own.npz", **given, **prior)
    recipe = {"kind": "npz", "complete": "scenario", "scale_db": 20.0}
    (plain,) = imported(tmp_path / "own.npz", SCENARIO, Recipe(**recipe, convention="hHw"), part=None)
    (turned,) = imported(tmp_path / "own.npz", SCENARIO, Recipe(**recipe, convention="Hw"), part=None)
    np.testing.assert_allclose(plain.prior_bs_mean, np.broadcast_to(10 * prior["prior_bs_mean"], (6, 2, 3)))
    np.testing.assert_allclose(plain.prior_bs_covariance[0], 100 * prior["prior_bs_covariance"])
    for name in ("channel_bs", "prior_bs_mean", "prior_bs_covariance"):
        np.testing.assert_allclose(getattr(turned, name), getattr(plain, name).conj())
    np.testing.assert_allclose(turned.prior_agents_variance[0], prior["prior_agents_variance"])
    parts = list(imported(tmp_path / "own.npz", SCENARIO, Recipe(**recipe, convention="Hw"), part=4))
    np.testing.assert_array_equal(
        np.concatenate([part.prior_bs_covariance for part in parts]), turned.prior_bs_covariance
    )


# --- Bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"prior_bs_covariance": np.zeros((2, 3))},
            r"prior_bs_covariance must have the shape \(…, E = 2, L = 3, L = 3\)",
        ),
        ({"prior_bs_mean": np.zeros((3, 2), complex)}, "prior_bs_mean .* its last two axes are transposed"),
        ({"prior_bs_mean": np.zeros((2, 3))}, "prior_bs_mean must be complex, amplitude gains"),
        ({"prior_bs_mean": np.full((2, 3), np.nan + 0j)}, "prior_bs_mean must be finite, got 30 NaN"),
        ({"prior_bs_covariance": np.full((2, 3, 3), np.inf)}, "prior_bs_covariance must be finite"),
        (
            {"prior_bs_covariance": np.triu(np.ones((2, 3, 3)))},
            "prior_bs_covariance must be Hermitian.*differs .* by 1",
        ),
        ({"prior_bs_covariance": np.ones((2, 3, 3)) * 1j}, "prior_bs_covariance must be Hermitian"),
        (
            {"prior_bs_covariance": np.ones((2, 3, 3)) - 1.01 * np.eye(3)},
            "prior_bs_covariance must be positive semidefinite, got an eigenvalue of -1.01",
        ),
        ({"prior_agents_variance": np.full((4, 2), -80.0)}, "prior_agents_variance .* ≥ 0, got -80.*decibels"),
        ({"prior_agents_variance": np.ones((4, 2)) + 0j}, "prior_agents_variance must be real"),
        ({"prior_agents_variance": None}, "prior_agents_mean needs prior_agents_variance beside it"),
        ({"prior_bs_covariance": None}, "prior_bs_mean needs prior_bs_covariance beside it"),
        ({"prior_bs_mean": np.zeros((3, 2, 3), complex)}, r"prior_bs_mean must have the batch dimensions \(5,\)"),
    ],
)
def test_bad_priors_are_refused_in_a_sentence_that_names_the_field(changes, sentence):
    instance = made()
    given = {name: getattr(instance, name) for name in Instance._arrays if name not in PRIOR}
    with pytest.raises(ValueError, match=sentence):
        Instance.from_channels(**given, **{**prior_of(), **changes}, scenario=SCENARIO)


def test_an_instance_checks_it_too():
    instance = made()
    with pytest.raises(ValueError, match="prior_agents_variance must be ≥ 0, got -1"):
        instance.replace(prior_agents_variance=-np.ones((5, 4, 2)))
    with pytest.raises(ValueError, match="prior_bs_covariance must be Hermitian"):
        instance.replace(prior_bs_covariance=instance.prior_bs_covariance + 1e-3j * SIZE**2)
    with pytest.raises(ValueError, match="prior_bs_covariance must be complex floating point"):
        instance.replace(prior_bs_covariance=np.ones((5, 2, 3, 3)))
    rounded = instance.prior_bs_covariance * (1 + 1e-12 * np.triu(np.ones((3, 3)), 1))
    instance.replace(prior_bs_covariance=rounded)


def test_a_real_covariance_is_one():
    correlated = SIZE**2 * 0.5 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    covariance = np.broadcast_to(correlated, (2, 3, 3))
    np.testing.assert_array_equal(made(prior_bs_covariance=covariance).prior_bs_covariance[4], covariance)


def test_what_estimates_tell_is_the_posterior_too():
    truth = sample_instance("small", 3)
    known = known_from(estimate_eavesdroppers(truth, 0.2, 5), 0.2)
    both = posterior_eavesdroppers(truth, 0.2, 5)
    for name in ("prior_bs_mean", "prior_bs_covariance", "prior_agents_variance"):
        np.testing.assert_allclose(getattr(known, name), getattr(both, name))
    np.testing.assert_allclose(np.abs(known.prior_agents_mean), np.abs(both.prior_agents_mean))
    with pytest.raises(ValueError, match="the phases are missing: posterior_eavesdroppers"):
        known_from(both, 0.2)
