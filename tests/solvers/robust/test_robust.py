"""Robust designs: bounds on links against draws, certificates by hand, designs that hold where others fail."""

import itertools

import gymnasium
import numpy as np
import pytest
from scipy import stats

import solvers
from secagent_env import Scenario, sample_instance
from secagent_env.sampling.beforehand import eve_prior
from secagent_env.sampling.estimation import estimate_eavesdroppers, posterior_eavesdroppers
from solvers.asc_plus.starts import protected_selection
from solvers.beam.noise import null_space_noise
from solvers.robust.belief import Belief
from solvers.robust.certificate import MOST, certify, draws_for, outage_bound
from solvers.robust.pessimism import METHODS, Pessimist, ball, bernstein, exact
from solvers.robust.selection import jammed_selections, overheard, safe_selection
from solvers.robust.trial import Trial

SMALL = Scenario.preset("paper", num_agents=8, num_antennas=6, min_selected=3, min_accuracy=0.6)


def posterior(scenario=SMALL, seed=0, error_variance=0.1):
    return posterior_eavesdroppers(sample_instance(scenario, seed), error_variance, seed)


def belief_of(instance):
    return Belief(instance, eve_prior(instance))


# --- Certificates ---------------------------------------------------------------------------------------------


def test_of_2000_draws_70_may_fail_for_five_percent():
    assert outage_bound(70, 2000, 1e-3) <= 0.05 < outage_bound(71, 2000, 1e-3)


@pytest.mark.parametrize(("failures", "draws"), [(0, 100), (3, 50), (40, 400)])
def test_the_bound_is_where_so_few_failures_have_the_probability_of_the_doubt(failures, draws):
    bound = outage_bound(failures, draws, 0.01)
    assert stats.binom.cdf(failures, draws, bound) == pytest.approx(0.01, rel=1e-9)
    assert outage_bound(draws, draws, 0.01) == 1.0


def test_more_draws_are_made_the_closer_an_outage_is_to_the_limit():
    numbers = [draws_for(outage, 0.05, 1e-3) for outage in (0.0, 0.02, 0.04, 0.045, 0.06)]
    assert numbers == sorted(numbers)
    assert numbers[0] == 2000
    assert numbers[-1] == MOST


def test_each_attempt_spends_half_of_the_doubt_that_is_left():
    """All certificates of a solve are wrong together with probability 1 − confidence at most."""
    belief = belief_of(posterior())
    decision = solvers.make("asc-plus").solve(belief.expected()).decision
    for attempt, share in ((1, 1 / 2), (2, 1 / 4), (5, 1 / 32)):
        found = certify(decision, belief, 0.01, 0.05, 0.99, attempt, np.random.default_rng(attempt))
        assert found.confidence == 0.99
        assert found.outage == found.failures / found.draws
        assert found.failures < found.draws
        assert stats.binom.cdf(found.failures, found.draws, found.bound) == pytest.approx(0.01 * share, rel=1e-6)


# --- Draws ----------------------------------------------------------------------------------------------------


def test_draws_have_the_moments_of_the_posterior_and_nothing_else_changes():
    instance = posterior()
    belief = belief_of(instance)
    parts = list(belief.draws(6000, np.random.default_rng(0)))
    assert sum(len(part) for part in parts) == 6000
    channel = np.concatenate([part.channel_eve for part in parts])[:, 0]
    mean, covariance = belief.links.bs_mean[0], belief.links.bs_covariance[0]
    size = np.sqrt(np.trace(covariance).real)
    np.testing.assert_allclose(channel.mean(0), mean, atol=0.05 * size)
    found = np.einsum("mi,mj->ij", channel - mean, (channel - mean).conj()) / 6000
    np.testing.assert_allclose(found, covariance, atol=0.02 * size**2)
    gains = np.concatenate([part.gain_eve for part in parts])
    expected = np.abs(belief.links.agents_mean) ** 2 + belief.links.agents_variance
    np.testing.assert_allclose(gains.mean(0) / expected, 1, atol=0.1)
    np.testing.assert_array_equal(parts[0][3].channel_bs, instance.channel_bs)
    np.testing.assert_array_equal(parts[0][3].gain_agents, instance.gain_agents)


def test_a_trial_counts_failures_and_orders_energies():
    trial = Trial(np.array([3.0, np.inf, 1.0, 2.0, np.inf, 5.0, 4.0, 6.0, 7.0, 8.0]))
    assert (trial.failures, trial.draws, trial.outage) == (2, 10, 0.2)
    assert trial.quantile_j(0.2) == 8.0
    assert trial.quantile_j(0.3) == 7.0
    assert trial.quantile_j(0.1) == np.inf


# --- Bounds on links ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [0.3, 0.05, 0.001])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 20.0, 3e4])
def test_bounds_hold_with_the_probability_they_say(tail, ratio):
    rng = np.random.default_rng(1)
    spread, power = 2.0, 2.0 * ratio
    draws = rng.normal(0, 1, (2, 400_000)) * np.sqrt(spread / 2)
    received = (np.sqrt(power) + draws[0]) ** 2 + draws[1] ** 2
    above = np.mean(received > exact(power, spread, tail))
    assert above == pytest.approx(tail, abs=5 * np.sqrt(tail / 4e5) + 1e-6)
    below = np.mean(received < exact(power, spread, 1 - tail))
    assert below == pytest.approx(tail, abs=5 * np.sqrt(tail / 4e5) + 1e-6)
    for bound in (ball, bernstein):
        assert np.mean(received > bound(power, spread, tail)) <= tail + 5 * np.sqrt(tail / 4e5)
        assert bound(power, spread, tail) >= exact(power, spread, tail) * (1 - 1e-6)
        assert bound(power, spread, 1 - tail) <= exact(power, spread, 1 - tail) * (1 + 1e-6)


@pytest.mark.parametrize("bound", METHODS.values())
def test_without_spread_a_bound_is_the_power(bound):
    power = np.array([0.0, 1e-9, 3.0])
    np.testing.assert_allclose(bound(power, np.zeros(3), 0.01, 4), power)


def test_a_pessimist_sees_loud_senders_quiet_jammers_and_more_to_send():
    instance = posterior()
    belief = belief_of(instance)
    near = solvers.make("asc-plus").solve(belief.expected()).decision
    pessimist = Pessimist(belief, exact, 0.01)
    risk = np.zeros(8)
    risk[np.flatnonzero(near.selection)[0]] = 0.2
    seen = pessimist.instance(near, risk, 100.0)
    power, variance = np.abs(belief.links.agents_mean) ** 2, belief.links.agents_variance
    senders = exact(power, variance, np.maximum(risk, 0.01)[:, None])
    expected = np.where(near.selection[:, None], senders, exact(power, variance, 0.99))
    np.testing.assert_allclose(seen.gain_eve, expected)
    assert (seen.gain_eve[near.selection] > power[near.selection]).all()
    assert (seen.gain_eve[~near.selection] < power[~near.selection]).all()
    floor = seen.scenario.knowledge_bits - instance.scenario.knowledge_bits
    beam = near.beamformer
    spread = np.real(beam.conj() @ belief.links.bs_covariance[0] @ beam)
    least = instance.scenario.bandwidth_hz * 100.0 * np.log2(1 + spread / instance.scenario.noise_power_w)
    assert floor > least


def test_artificial_noise_is_heard_as_loud_as_the_pessimist_counts_on():
    belief = belief_of(posterior(SMALL.replace(num_eavesdroppers=2)))
    selection = np.arange(8) < 3
    noise = null_space_noise(belief.instance, selection, 4.0)
    least = Pessimist(belief, exact, 0.05).noise_heard(noise)
    assert (least > 0).all()
    channel = np.concatenate([part.channel_eve for part in belief.draws(20_000, np.random.default_rng(0))])
    heard = np.real(np.einsum("bel,lm,bem->be", channel.conj(), noise, channel))
    assert (np.mean(heard < least, axis=0) <= 0.05).all()
    assert (least > 0.1 * heard.mean(axis=0)).all()
    mean, covariance = belief.links.bs_mean[1], belief.links.bs_covariance[1]
    middle = np.trace(noise @ covariance) + mean.conj() @ noise @ mean
    spread = np.trace(noise @ covariance @ noise @ covariance) + 2 * mean.conj() @ noise @ covariance @ noise @ mean
    assert least[1] == pytest.approx(middle.real - np.sqrt(-2 * np.log(0.05) * spread.real))
    assert not Pessimist(belief, exact, 0.05).noise_heard(None).any()


def test_artificial_noise_lowers_what_eavesdroppers_hear_and_what_the_beam_has():
    belief = belief_of(posterior())
    nominal = solvers.make("asc-plus").solve(belief.expected()).decision.replace(power_w=np.zeros(8))
    pessimist = Pessimist(belief, exact, 0.01)
    noise = null_space_noise(belief.instance, nominal.selection, 4.0)
    plain = pessimist.instance(nominal, np.zeros(8), 100.0)
    noisy = pessimist.instance(nominal.replace(noise_covariance=noise), np.zeros(8), 100.0)
    assert noisy.scenario.bs_power_w == pytest.approx(plain.scenario.bs_power_w - 4.0)
    bits = belief.instance.scenario.bandwidth_hz * 100.0
    floors = [
        2 ** ((n.scenario.knowledge_bits - belief.instance.scenario.knowledge_bits) / bits) - 1 for n in (plain, noisy)
    ]
    louder = 1 + pessimist.noise_heard(noise)[0] / belief.instance.scenario.noise_power_w
    assert floors[0] / floors[1] == pytest.approx(louder, rel=1e-6)
    scale = np.linalg.norm(plain.channel_eve) ** 2 / np.linalg.norm(noisy.channel_eve) ** 2
    assert scale == pytest.approx(louder * (1 + floors[1]) / (1 + floors[0]), rel=1e-6)


# --- Selections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colluding", [False, True])
def test_an_agent_is_overheard_where_an_eavesdropper_hears_it_better_than_the_base_station(colluding):
    scenario = SMALL.replace(num_eavesdroppers=2, eve_area_m=(20.0, 100.0), colluding=colluding)
    instance = posterior(scenario, 3)
    belief = belief_of(instance)
    parts = list(belief.draws(4000, np.random.default_rng(0)))
    found = overheard(parts, 0.5)
    mean, variance = belief.links.agents_mean, belief.links.agents_variance
    above = stats.ncx2.sf(instance.bs_gain[:, None] / 1.5 * 2 / variance, 2, 2 * np.abs(mean) ** 2 / variance)
    either = 1 - np.prod(1 - above, axis=1)
    assert (either > 0.05).any()
    assert (either < 0.95).any()
    if colluding:
        assert (found >= either - 0.03).all()
        assert found.sum() > either.sum() + 0.01
    else:
        np.testing.assert_allclose(found, either, atol=0.03)


@pytest.mark.parametrize("limit", [1e-3, 0.05, 0.4])
def test_the_safe_selection_is_the_cheapest_of_all_that_are_safe_enough(limit):
    rng = np.random.default_rng(5)
    instance = sample_instance(SMALL, 2)
    eligible = np.arange(8) != 4
    risk = np.round(np.append(rng.uniform(0, 0.2, 6), [0.0, 1.0]), 3)
    energy, accuracy = instance.execution_energy_j, instance.accuracy
    safe = [
        (energy[members].sum(), members)
        for bits in itertools.product([False, True], repeat=8)
        if (members := np.array(bits)).sum() >= 3
        and not (members & ~eligible).any()
        and accuracy[members].mean() >= 0.6
        and 1 - np.prod(1 - risk[members]) <= limit
    ]
    found = safe_selection(instance, eligible, risk, limit)
    if not safe:
        assert found is None
        return
    np.testing.assert_array_equal(found, min(safe, key=lambda pair: pair[0])[1])


def test_jammers_are_counted_with_the_gains_that_a_pessimist_gives_them():
    instance = posterior(SMALL.replace(eve_area_m=(20.0, 100.0)), 1)
    pessimist = Pessimist(belief_of(instance), exact, 0.01)
    selections = list(jammed_selections(pessimist, np.ones(8, bool)))
    assert selections
    for selection in selections:
        rivals = protected_selection(
            pessimist.belief.instance.replace(gain_eve=pessimist.loud),
            selection,
            0.1,
            jammed=pessimist.quiet,
            everybody=True,
        )
        assert rivals is not None
        power = np.where(selection, 0.0, rivals[1])
        noise, gain = instance.scenario.noise_power_w, instance.bs_gain
        at_bs = gain / (gain @ power + noise)
        at_eve = pessimist.loud / (power @ pessimist.quiet + noise)
        assert (at_bs[selection, None] > at_eve[selection]).all()


# --- Designs --------------------------------------------------------------------------------------------------


def test_a_robust_design_holds_where_the_nominal_one_fails():
    scenario = Scenario.preset("paper")
    instance = posterior(scenario, 900)
    belief = belief_of(instance)
    draws = list(belief.draws(2000, np.random.default_rng(7)))
    nominal = solvers.make("asc-plus").solve(instance)
    assert Trial.of(nominal.decision, draws).outage > 0.05
    solution = solvers.make("robust", outage=0.05).solve(instance)
    assert solution.status in ("optimal", "feasible")
    assert solution.certificate.bound <= 0.05
    assert solution.certificate.confidence == 0.999
    assert Trial.of(solution.decision, draws).outage <= 0.05
    assert solution.outcome.energy_j < nominal.outcome.energy_j * 1.01


def test_what_is_known_for_certain_is_designed_for_as_ever():
    instance = posterior(error_variance=0.0)
    assert belief_of(instance).certain
    nominal, robust = (solvers.make(name).solve(instance) for name in ("asc-plus", "robust"))
    assert robust.outcome.energy_j == pytest.approx(nominal.outcome.energy_j, rel=1e-9)
    assert robust.certificate.failures == 0


def test_estimates_and_their_error_variance_say_what_a_posterior_says():
    truth = sample_instance("uncertain", 3)
    one = solvers.make("robust", designs=1).solve(posterior_eavesdroppers(truth, 0.1, 0))
    other = solvers.make("robust", designs=1, error_variance=0.1).solve(estimate_eavesdroppers(truth, 0.1, 0))
    np.testing.assert_allclose(other.decision.power_w, one.decision.power_w, rtol=1e-6)
    assert one.certificate.failures == other.certificate.failures > 0
    assert one.certificate.energy_quantile_j == pytest.approx(other.certificate.energy_quantile_j)


def test_error_variances_of_each_link():
    truth = sample_instance(SMALL.replace(num_eavesdroppers=2), 0)
    to_bs, to_agents = np.array([0.1, 0.3]), np.linspace(0.0, 0.4, 16).reshape(8, 2)
    same = estimate_eavesdroppers(truth, (0.1, np.full((8, 2), 0.1)), 4)
    np.testing.assert_allclose(same.channel_eve, estimate_eavesdroppers(truth, 0.1, 4).channel_eve)
    np.testing.assert_allclose(same.gain_eve, estimate_eavesdroppers(truth, 0.1, 4).gain_eve)
    known = posterior_eavesdroppers(truth, (to_bs, to_agents), 4)
    for e, variance in enumerate(to_bs):
        one = posterior_eavesdroppers(truth, variance, 4)
        np.testing.assert_allclose(known.channel_eve[e], one.channel_eve[e])
        np.testing.assert_allclose(known.prior_bs_mean[e], one.prior_bs_mean[e])
        np.testing.assert_allclose(known.prior_bs_covariance[e], one.prior_bs_covariance[e])
    one = posterior_eavesdroppers(truth, to_agents[5, 1], 4)
    np.testing.assert_allclose(known.prior_agents_variance[5, 1], one.prior_agents_variance[5, 1])
    np.testing.assert_allclose(known.prior_agents_mean[5, 1], one.prior_agents_mean[5, 1])
    given = estimate_eavesdroppers(truth, (to_bs, to_agents), 4)
    solution = solvers.make("robust", designs=1, error_variance=(to_bs, to_agents)).solve(given)
    alike = solvers.make("robust", designs=1).solve(known)
    np.testing.assert_allclose(solution.decision.power_w, alike.decision.power_w, rtol=1e-6)


@pytest.mark.parametrize(
    ("variance", "said"),
    [
        ((0.1, 0.1, 0.1), "two arrays: of the base station's links and of the agents', got 3"),
        ((0.1, np.full((3, 1), 0.1)), r"of the agents' links must be numbers of the shape \(8, 1\)"),
        ((1.0, 0.1), r"of the base station's links must be in \[0, 1\), got 1.0"),
        ((0.1, np.nan), r"of the agents' links must be in \[0, 1\), got nan"),
    ],
)
def test_bad_error_variances(variance, said):
    with pytest.raises(ValueError, match=said):
        solvers.make("robust", error_variance=variance).solve(sample_instance(SMALL, 0))


def test_without_an_estimate_the_path_loss_says_what_is_known():
    instance = sample_instance("paper", 0)
    belief = Belief.of(instance)
    expected = eve_prior(instance)
    noise = instance.scenario.noise_power_w
    np.testing.assert_allclose(belief.links.bs_covariance, expected.bs_covariance / noise)
    np.testing.assert_allclose(belief.links.agents_variance, expected.agents_variance / noise)
    unknown = instance.replace(channel_eve=np.zeros_like(instance.channel_eve))
    one, other = (solvers.make("robust", designs=1).solve(each) for each in (instance, unknown))
    np.testing.assert_array_equal(one.decision.power_w, other.decision.power_w)


def test_artificial_noise_serves_whom_the_beam_alone_cannot():
    instance = sample_instance(SMALL.replace(num_antennas=8, eve_area_m=(20.0, 60.0)), 7)
    options = {"designs": 3, "outage": 0.1}
    assert solvers.make("robust", **options).solve(instance).status == "failed"
    solution = solvers.make("robust", artificial_noise=True, **options).solve(instance)
    assert solution.status in ("optimal", "feasible")
    noise, beam = solution.decision.noise_covariance, solution.decision.beamformer
    assert np.trace(noise).real + np.sum(np.abs(beam) ** 2) <= instance.scenario.bs_power_w * (1 + 1e-9)
    chosen = instance.channel_bs[solution.decision.selection]
    heard = np.real(np.einsum("nl,lm,nm->n", chosen.conj(), noise, chosen))
    assert (heard < 1e-9 * np.sum(np.abs(chosen) ** 2, axis=1)).all()
    draws = Belief.of(instance).draws(2000, np.random.default_rng(3))
    assert Trial.of(solution.decision, draws).outage <= 0.1


@pytest.mark.parametrize("action_format", ["flat", "dict"])
def test_what_is_certified_is_what_an_environment_plays(action_format):
    env = gymnasium.make("secagent/Allocation-v0", scenario=SMALL, csi_error=0.1, action_format=action_format)
    policy = solvers.as_policy(solvers.make("robust", designs=2), env)
    env.reset(seed=3)
    action = policy.act()
    played, solution = env.unwrapped.decode(action), policy.solution
    np.testing.assert_array_equal(played.power_w, solution.decision.power_w)
    assert solution.certificate.bound <= 0.05
    draws = Belief.of(env.unwrapped.instance).draws(2000, np.random.default_rng(1))
    assert Trial.of(played, draws).outage <= 0.05


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tightened", [False, True])
def test_every_method_holds_what_it_promises(method, tightened):
    instance = posterior(SMALL.replace(eve_area_m=(20.0, 100.0)), 2)
    solution = solvers.make("robust", method=method, tightened=tightened, designs=2, outage=0.1).solve(instance)
    assert solution.status != "failed" or "no design was certified to fail with probability 0.1" in solution.message
    if solution.certificate is not None:
        draws = belief_of(instance).draws(2000, np.random.default_rng(3))
        assert Trial.of(solution.decision, draws).outage <= 0.1


def test_a_certified_decision_counts_as_solved_where_the_channels_at_hand_are_among_its_failures():
    scenario = SMALL.replace(eve_area_m=(20.0, 100.0))
    solver = solvers.make("robust", designs=2, outage=0.5)
    solutions = (solver.solve(sample_instance(scenario, seed), seed=0) for seed in range(20))
    solution = next(each for each in solutions if each.certificate is not None and not each.outcome.feasible)
    assert solution.certificate.bound <= 0.5
    assert solution.status == "feasible"
    assert "one of the failures allowed for" in solution.message
    assert solution.gap == np.inf


def test_the_same_seed_gives_the_same_design():
    one, other = (solvers.make("robust", designs=2).solve(posterior(), seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.decision.power_w, other.decision.power_w)
    assert one.certificate == other.certificate


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"error_variance": 1.0}, "error_variance must be"),
        ({"outage": 0.0}, "outage must be"),
        ({"outage": 1.0}, "outage must be"),
        ({"confidence": 1.5}, "confidence must be"),
        ({"method": "guess"}, "unknown method 'guess'; valid are: bernstein, scenario, worst-case"),
        ({"designs": 0}, "designs must be"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(ValueError, match=said):
        solvers.make("robust", **options)


def test_without_anything_known_it_refuses():
    bare = sample_instance(SMALL, 0).replace(position_m=None, eve_position_m=None)
    with pytest.raises(ValueError, match="nothing is known of the eavesdroppers beforehand"):
        solvers.make("robust").solve(bare)
