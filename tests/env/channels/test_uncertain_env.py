"""The environment under ``csi_error``: it shows estimates, scores the truth, and tells it only afterwards."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from vector_conformance import check_vector_env

import solvers
from secagent_env import Instance, evaluate, sample_instance
from secagent_env.allocation.env import AllocationEnv
from secagent_env.allocation.observations import observe
from secagent_env.allocation.vector import AllocationVectorEnv
from secagent_env.lifetime.env import LifetimeEnv
from secagent_env.lifetime.vector import LifetimeVectorEnv
from secagent_env.sampling.estimation import (
    estimate_eavesdroppers,
    generator_beside,
    known_from,
    posterior_eavesdroppers,
)
from solvers.interface.base import Solver

ID = "secagent_env:secagent/Allocation-v0"
EVES = ("channel_eve", "gain_eve")
CONTESTED = {"num_agents": 7, "num_antennas": 3, "num_eavesdroppers": 2, "eve_area_m": (20, 100)}


def own(count=6, *, mean: bool) -> Instance:
    """Return instances with a prior of their own: with a mean, from estimates, and without positions."""
    drawn = sample_instance(CONTESTED, 1, count)
    if not mean:
        return drawn.replace(prior_agents_variance=1.5 * drawn.gain_eve + 1e-12)
    return posterior_eavesdroppers(drawn, 0.5, 2).replace(position_m=None, eve_position_m=None)


def same(one: Instance, other: Instance, *names: str) -> None:
    for name in names or one._arrays:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


# --- One and many --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"scenario": CONTESTED, "action_format": "guided", "observation_format": "dict"},
        {"scenario": {**CONTESTED, "colluding": True}, "episodes_per_instance": 3, "observation_format": "compact"},
        {"instances": own(mean=True), "action_format": "guided"},
        {"instances": own(mean=False), "order": "sequential", "episodes_per_instance": 2},
    ],
    ids=["guided", "kept", "prior", "half-a-prior"],
)
def test_many_conform_to_one(arguments):
    arguments = {"csi_error": 0.1, **arguments}
    check_vector_env(lambda size: AllocationVectorEnv(size, **arguments), lambda: AllocationEnv(**arguments))


@pytest.mark.parametrize("arguments", [{"scenario": CONTESTED}, {"instances": own(mean=True)}], ids=["drawn", "own"])
def test_many_know_what_one_knows(arguments):
    envs = AllocationVectorEnv(3, csi_error=0.2, threads=2, **arguments)
    ones = [AllocationEnv(csi_error=0.2, **arguments) for _ in range(3)]
    envs.reset(seed=5)
    for i, env in enumerate(ones):
        env.reset(seed=5 + i)
    for _ in range(2):
        for i, env in enumerate(ones):
            same(envs.instance[i], env.instance)
            same(envs.truth[i], env.truth, *EVES)
        envs.step(envs.action_space.sample())
        for env in ones:
            env.step(env.action_space.sample())
            env.reset()


# --- What is seen, and what counts -----------------------------------------------------------------------------


def test_networks_are_those_without_errors_and_the_first_estimate_is_that_of_the_seed():
    env, plain = AllocationEnv("small", csi_error=0.3), AllocationEnv("small")
    observation, _ = env.reset(seed=4)
    plain.reset(seed=4)
    estimate = estimate_eavesdroppers(plain.instance, 0.3, seed=4)
    np.testing.assert_array_equal(observation, observe(estimate, "flat"))
    same(env.instance, known_from(estimate, 0.3))
    for _ in range(3):
        same(env.truth, plain.truth)
        env.reset(), plain.reset()
    assert plain.truth is plain.instance


@pytest.mark.parametrize("name", ["flat", "guided"])
def test_actions_mean_what_they_do_in_the_estimate_and_count_in_the_truth(name):
    env = AllocationEnv("small", csi_error=0.4, action_format=name)
    env.reset(seed=1)
    action = env.encode(solvers.make("exact", jamming=False).solve(env.instance).decision)
    decision = env._rules.actions.decode(action, env.instance)
    outcome, reward, _ = env._rules.score(env.truth, decision)
    _, got, _, _, info = env.step(action)
    assert got == float(reward)
    assert info["transmission_energy_j"] == float(outcome.transmission_energy_j)
    assert float(evaluate(env.instance, decision).transmission_energy_j) != info["transmission_energy_j"]


def test_a_generator_of_ones_own_has_errors_beside_it():
    env = AllocationEnv("small", csi_error=0.3)
    env.reset(seed=1)
    env.np_random = np.random.default_rng(4)
    env.reset()
    same(env.instance, estimate_eavesdroppers(env.truth, 0.3, seed=4), *EVES)
    same(env.truth, sample_instance("small", np.random.default_rng(4)))


def test_a_given_instance_is_the_truth():
    truth = sample_instance(CONTESTED, 9)
    env, envs = AllocationEnv(CONTESTED, csi_error=0.2), AllocationVectorEnv(2, CONTESTED, csi_error=0.2)
    env.reset(seed=3, options={"instance": truth})
    assert env.truth is truth
    same(env.instance, known_from(estimate_eavesdroppers(truth, 0.2, seed=3), 0.2))
    envs.reset(seed=3, options={"instance": truth})
    same(envs.instance[0], env.instance)
    prior = own(mean=True)[0]
    envs.reset(seed=[5, 4], options={"instance": prior})
    env.reset(seed=4, options={"instance": prior})
    same(envs.instance[1], env.instance)
    envs.step(envs.action_space.sample())  # the next ones are drawn, and have no prior
    assert envs.truth.prior_bs_mean is None
    with pytest.raises(ValueError, match="share one kind of prior"):
        envs.reset(options={"instance": own(mean=False)[0], "reset_mask": np.array([True, False])})


def test_priors_are_what_was_known_beforehand():
    truths = own(mean=True)
    env = AllocationEnv(instances=truths, order="sequential", csi_error=0.3)
    env.reset(seed=0)
    known = posterior_eavesdroppers(truths[0], 0.3, 0)
    same(env.instance, known, *EVES, "prior_bs_mean", "prior_bs_covariance")
    np.testing.assert_allclose(env.instance.prior_agents_variance, known.prior_agents_variance, rtol=1e-12)
    np.testing.assert_allclose(np.abs(env.instance.prior_agents_mean), np.abs(known.prior_agents_mean), rtol=1e-9)
    same(env.truth, truths[0])


def test_an_error_of_zero_is_the_truth_and_known_to_be():
    arguments = {"scenario": CONTESTED, "action_format": "guided"}
    zero, plain = (AllocationVectorEnv(4, csi_error=error, **arguments) for error in (0, None))
    plain.action_space.seed(0)
    np.testing.assert_array_equal(zero.reset(seed=0)[0], plain.reset(seed=0)[0])
    same(zero.instance, plain.instance, *EVES)
    np.testing.assert_allclose(zero.instance.prior_bs_mean, zero.truth.channel_eve)
    assert not zero.instance.prior_bs_covariance.any()
    assert not zero.instance.prior_agents_variance.any()
    action = plain.action_space.sample()
    results = [envs.step(action) for envs in (zero, plain)]
    for one, other in zip(*(result[:4] for result in results), strict=True):
        np.testing.assert_array_equal(one, other)
    told, nothing = (infos["final_info"] for *_, infos in results)
    assert set(told) - set(nothing) == {"truth", "_truth"}


# --- No leak ---------------------------------------------------------------------------------------------------


def numbers(value) -> np.ndarray:
    """Return all numbers in what an environment returns, real and imaginary parts apart."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.dtype == object):
        return np.concatenate([np.zeros(0), *map(numbers, value)])
    if isinstance(value, Instance):
        return numbers([getattr(value, name) for name in value._arrays])
    array = np.ravel(np.asarray(0.0 if value is None else value))
    return np.concatenate([array.real, array.imag]).astype(float)


def secrets(truth: Instance, estimate: Instance) -> np.ndarray:
    """Return the numbers that say the truth: of the instance, and of its observations."""
    shown = numbers(observe(truth, "dict"))
    own = [truth.channel_eve, truth.gain_eve, np.abs(truth.channel_eve), np.angle(truth.channel_eve)]
    own.append(np.sqrt(truth.gain_eve))
    return np.concatenate([numbers(own), np.setdiff1d(shown, numbers(observe(estimate, "dict")))])


def leaks(returned, truth: Instance, estimate: Instance) -> bool:
    hidden = np.sort(np.abs(secrets(truth, estimate)))
    hidden = hidden[hidden > 0]
    found = np.abs(numbers(returned))
    near = hidden[np.searchsorted(hidden, found).clip(0, len(hidden) - 1)]
    before = hidden[(np.searchsorted(hidden, found) - 1).clip(0)]
    return bool((np.minimum(np.abs(found / near - 1), np.abs(found / before - 1)) < 1e-7).any())


@pytest.mark.parametrize("kept", [1, 2])
@pytest.mark.parametrize("name", ["flat", "dict", "compact"])
def test_nothing_tells_the_truth_before_the_last_step_on_it(name, kept):
    arguments = {"scenario": CONTESTED, "observation_format": name, "csi_error": 0.1, "episodes_per_instance": kept}
    env = gymnasium.make(ID, **arguments)
    inner = env.unwrapped
    for seed in range(3):
        for episode in range(kept):
            assert not leaks(env.reset(seed=None if episode else seed), inner.truth, inner.instance)
            assert not leaks(inner.instance, inner.truth, inner.instance)
            *_, info = result = env.step(env.action_space.sample())
            assert not leaks(result[:4], inner.truth, inner.instance)
            assert ("truth" in info) == (episode == kept - 1)
        same(inner.truth.replace(**info["truth"]), inner.truth)
        assert leaks(info, inner.truth, inner.instance)
    envs = AllocationVectorEnv(3, **arguments)
    assert not leaks(envs.reset(seed=0), envs.truth, envs.instance)
    for step in range(1, 5):
        before = envs.truth
        *_, infos = result = envs.step(envs.action_space.sample())
        assert not leaks(result, envs.truth, envs.instance)
        assert ("truth" in infos["final_info"]) == (step % kept == 0)
        if step % kept == 0:
            same(before.replace(**{name: infos["final_info"]["truth"][name] for name in EVES}), before)


def test_the_search_finds_what_leaks():
    truth = sample_instance(CONTESTED, 0)
    estimate = estimate_eavesdroppers(truth, 0.1)
    assert not leaks(observe(estimate, "flat"), truth, estimate)
    for leaked in (observe(truth, "compact"), {"a": [truth.gain_eve[2, 1]]}, -truth.channel_eve[1].imag):
        assert leaks((observe(estimate, "flat"), leaked), truth, estimate)


def test_pictures_show_the_estimate_and_then_the_truth():
    env, other = (AllocationEnv(CONTESTED, csi_error=error, render_mode="ansi") for error in (0.5, None))
    env.reset(seed=0)
    other.reset(options={"instance": env.instance})
    assert env.render() == other.render()
    action = env.encode(solvers.make("exact", jamming=False).solve(env.instance).decision)
    other.reset(options={"instance": env.truth})
    for played in (env, other):
        played.step(action)
    assert env.render() == other.render()


# --- Lifetime --------------------------------------------------------------------------------------------------

NEAR = {"preset": "small", "eve_area_m": (20, 100)}


@pytest.mark.parametrize(
    "arguments",
    [
        {"scenario": NEAR, "mobility": "gauss-markov", "eve_speed_m_s": 2.0, "action_format": "guided"},
        {"instances": own(mean=True), "observation_format": "dict", "action_format": "guided"},
    ],
    ids=["moving", "own"],
)
def test_many_lifetimes_conform_to_one(arguments):
    arguments = {"csi_error": 0.2, "battery_j": (2e4, 4e4), "max_failures": 2, **arguments}
    check_vector_env(
        lambda size: LifetimeVectorEnv(size, **arguments),
        lambda: LifetimeEnv(**arguments),
    )


def test_tasks_are_seen_by_estimates_and_served_in_truth():
    env, plain = (LifetimeEnv(NEAR, csi_error=error, max_failures=40) for error in (0.3, None))
    policy = solvers.as_policy(solvers.make("exact", jamming=False), env)
    observation, _ = env.reset(seed=1)
    plain.reset(seed=1)
    believed = served = 0
    errors = generator_beside(env._generators[0])
    for _ in range(12):
        same(env.truth, plain.truth)
        estimate = env._running.instance[0]
        same(estimate, estimate_eavesdroppers(env.truth, 0.3, errors))
        same(env.instance, known_from(estimate, 0.3))
        np.testing.assert_array_equal(observation[: -2 * 6], observe(estimate, "flat"))
        assert not leaks((observation, env.instance), env.truth, env.instance)
        before, action = env.truth, policy.act(observation)
        outcome = evaluate(before, env.decode(action))
        believed += bool(policy.solution.outcome.feasible)
        observation, reward, over, _, info = env.step(action)
        plain.step(action)
        assert reward == outcome.feasible
        same(before.replace(**info["truth"]), before)
        served += int(reward)
        if over:
            break
    assert 0 < served < believed


# --- Played ----------------------------------------------------------------------------------------------------


class Spy(Solver):
    """A solver that notes what it is given."""

    name = "spy"

    def _solve(self, run):
        self.given = run.given
        run.consider(solvers.make("exact", jamming=False).solve(run.given).decision)


def test_solvers_see_what_is_known():
    env = gymnasium.make(ID, scenario="small", csi_error=0.1)
    spy = Spy()
    policy = solvers.as_policy(spy, env)
    observation, _ = env.reset(seed=2)
    env.step(policy.act(observation))
    assert spy.given is env.unwrapped.instance
    assert not leaks(spy.given, env.unwrapped.truth, env.unwrapped.instance)


@pytest.mark.parametrize("error", [0.0, 0.1])
def test_robust_certifies_what_it_plays(error):
    env = AllocationEnv("small", csi_error=error)
    policy = solvers.as_policy(solvers.make("robust", designs=2, draws=500), env)
    env.reset(seed=2)
    *_, info = env.step(policy.act())
    assert policy.solution.certificate.bound <= 0.05
    assert info["feasible"]
    if not error:  # then it is the nominal design, not that of the prior
        nominal = solvers.make("asc-plus").solve(env.truth).outcome
        assert info["transmission_energy_j"] == pytest.approx(nominal.transmission_energy_j, rel=0.02)


# --- As Gymnasium has it ---------------------------------------------------------------------------------------


def test_gymnasium_finds_nothing_wrong():
    check_env(AllocationEnv("small", csi_error=0.1, observation_format="dict"), skip_render_check=True)
    vector = gymnasium.make_vec(ID, 2, vectorization_mode="vector_entry_point", scenario="small", csi_error=0.1)
    envs = gymnasium.wrappers.vector.DictInfoToList(gymnasium.wrappers.vector.RecordEpisodeStatistics(vector))
    envs.reset(seed=0)
    truth = vector.unwrapped.truth
    *_, infos = envs.step(envs.action_space.sample())
    same(truth[1].replace(**{name: infos[1]["final_info"]["truth"][name] for name in EVES}), truth[1])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
@pytest.mark.parametrize("make", [AllocationEnv, lambda *args, **more: AllocationVectorEnv(2, *args, **more)])
def test_copies_go_on_alike(make, copied):
    env = make(CONTESTED, csi_error=0.1)
    env.reset(seed=0)
    other = copied(env)
    same(other.instance, env.instance)
    for _ in range(2):
        same(other.truth, env.truth)
        np.testing.assert_array_equal(other.reset()[0], env.reset()[0])


@pytest.mark.parametrize("error", [-0.1, 1, 1.5, float("nan"), "0.1", True])
def test_errors_out_of_range_are_refused(error):
    for make in (AllocationEnv, AllocationVectorEnv):
        with pytest.raises(ValueError, match=r"^csi_error must be a finite number ≥ 0 and < 1, got"):
            make(scenario="small", csi_error=error)


def test_instances_of_which_nothing_is_known_beforehand_are_refused():
    bare = sample_instance("small", 1, 3).replace(position_m=None, eve_position_m=None)
    for make in (AllocationEnv, AllocationVectorEnv):
        with pytest.raises(ValueError, match=r"^nothing is known .*: give prior_bs_covariance, or position_m and"):
            make(instances=bare, csi_error=0.1)
        env = make(scenario="small", csi_error=0.1)
        with pytest.raises(ValueError, match=r"^nothing is known"):
            env.reset(options={"instance": bare[0]})
        make(instances=bare)
