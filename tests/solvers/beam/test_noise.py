"""Artificial noise: the ascent, the semidefinite programs and their bound, null-space noise, and asc-plus with it."""

import dataclasses

import gymnasium
import numpy as np
import pytest
from scipy import stats

import solvers
from secagent_env import Decision, Scenario, evaluate, sample_instance
from secagent_env.model.physics import LN2, downlink_sinr, heard_noise
from solvers.beam.beamforming import best_beam
from solvers.beam.noise import (
    ascend_with_noise,
    noisy_margin,
    null_space_noise,
    smooth_noisy_secrecy,
    with_noise,
)
from solvers.beam.noise_sdr import _LeastPower, relax_with_noise
from solvers.beam.sdr import Downlink
from solvers.certificate.selection import cheapest_selection
from solvers.numerics.barrier import minimise
from solvers.power.power_program import PowerProgram

CROWD = Scenario.preset("contested", num_agents=8, num_antennas=2, num_eavesdroppers=3, min_selected=2)
"""More eavesdroppers than antennas, among the agents."""


@pytest.fixture(scope="module")
def network():
    return sample_instance(CROWD, seed=1000)


def chosen(network):
    return cheapest_selection(network, network.execution_energy_j).selection


def downlink(network, colluding=False):
    silent = np.zeros(network.scenario.num_agents)
    return dataclasses.replace(Downlink.of(network, chosen(network), silent), colluding=colluding)


def random_beams(rng, problem, noise=1.0, columns=3):
    shape = (problem.users.shape[1], columns)
    beams = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    beams[:, 1:] *= noise
    return beams / np.linalg.norm(beams)


# --- secrecy rate and ascent --------------------------------------------------------------------------------


@pytest.mark.parametrize("colluding", [False, True])
def test_the_margin_is_that_of_the_physics(network, colluding):
    network = network.replace(scenario=network.scenario.replace(colluding=colluding))
    problem = downlink(network, colluding)
    rng = np.random.default_rng(0)
    positive = 0
    for iterations in range(1, 11):
        beams = ascend_with_noise(problem, random_beams(rng, problem, noise=0.1), iterations)
        sent = problem.basis @ beams
        decision = Decision(
            selection=chosen(network),
            beamformer=sent[:, 0],
            power_w=np.zeros(8),
            noise_covariance=sent[:, 1:] @ sent[:, 1:].conj().T,
        )
        outcome = evaluate(network, decision)
        assert abs(outcome.violations["beam_power_w"]) < 1e-12
        margin = noisy_margin(problem, beams)
        assert outcome.downlink_secrecy == pytest.approx(max(margin, 0.0), rel=1e-9, abs=1e-12)
        positive += margin > 0
    assert positive >= 3


@pytest.mark.parametrize("colluding", [False, True])
def test_the_smooth_secrecy_has_its_gradient_and_tends_to_the_margin(network, colluding):
    problem = downlink(network, colluding)
    space = problem.whitened()
    rng = np.random.default_rng(1)
    beams = random_beams(rng, problem, noise=0.1)
    points = (space.whiten @ beams) / space.length[:, None]
    value, gradient = smooth_noisy_secrecy(problem, space, points, 4.0)
    for _ in range(5):
        way = rng.normal(size=points.shape) + 1j * rng.normal(size=points.shape)
        step = 1e-6 * np.linalg.norm(points)
        ahead, behind = (smooth_noisy_secrecy(problem, space, points + s * way, 4.0)[0] for s in (step, -step))
        assert (ahead - behind) / (2 * step) == pytest.approx(np.sum(gradient.conj() * way).real, rel=1e-5)
    sharp, _ = smooth_noisy_secrecy(problem, space, 3.0 * points, 1e6)
    assert sharp / LN2 == pytest.approx(noisy_margin(problem, beams), abs=1e-4)
    assert value / LN2 < noisy_margin(problem, beams)


def test_the_ascent_uses_the_whole_budget_and_climbs(network):
    problem = downlink(network)
    beams = random_beams(np.random.default_rng(2), problem)
    better = ascend_with_noise(problem, beams)
    assert np.linalg.norm(better) == pytest.approx(1.0, rel=1e-12)
    assert noisy_margin(problem, better) > noisy_margin(problem, beams) + 1


# --- the semidefinite programs ------------------------------------------------------------------------------


def least_power(problem, beta, gamma):
    program = _LeastPower(problem, beta, gamma)
    return program, minimise(program, program.start(), gap=1e-6, first_gap=10.0)


@pytest.mark.parametrize(("beta", "gamma"), [(0.5, 3.0), (5.0, 30.0), (40.0, 100.0)])
def test_the_least_power_is_that_of_a_conic_solver(network, beta, gamma):
    cp = pytest.importorskip("cvxpy")
    weak = downlink(network)  # of channels of moderate size, as conic solvers need
    problem = dataclasses.replace(weak, users=weak.users / 300, eves=weak.eves / 300)
    program, z = least_power(problem, beta, gamma)
    d = problem.users.shape[1]
    beam, noise = (cp.Variable((d, d), hermitian=True) for _ in range(2))
    heard = [
        [cp.real(cp.trace(np.outer(h, h.conj()) @ matrix)) for matrix in (beam, noise)]
        for h in (*problem.users, *problem.eves)
    ]
    users = len(problem.users)
    limits = [s - gamma * v >= gamma for s, v in heard[:users]] + [s - beta * v <= beta for s, v in heard[users:]]
    total = cp.real(cp.trace(beam) + cp.trace(noise))
    want = cp.Problem(cp.Minimize(total), [beam >> 0, noise >> 0, *limits]).solve(solver="CLARABEL")
    assert -program.values(z)[0] == pytest.approx(want, rel=1e-3)
    # In channels that much louder the power is 1, and the covariances reach both SINRs.
    louder = dataclasses.replace(problem, users=problem.users * want**0.5, eves=problem.eves * want**0.5)
    program, z = least_power(louder, beta, gamma)
    covariances = program.covariances(z)
    assert sum(np.trace(m).real for m in covariances) == pytest.approx(1.0)
    users, eves = (
        [np.einsum("kd,de,ke->k", c.conj(), m, c).real for m in covariances] for c in (louder.users, louder.eves)
    )
    assert (users[0] / (1 + users[1])).min() >= 0.99 * gamma
    assert (eves[0] / (1 + eves[1])).max() <= 1.01 * beta


def test_a_proof_reaches_down_as_far_as_it_says(network):
    """What one program rules out, down to β', no other program finds possible."""
    problem = downlink(network)
    best = relax_with_noise(problem, 0.0).secrecy
    ratio = np.exp2(best + 0.5)
    beta = 30.0
    program, z = least_power(problem, beta, ratio * (1 + beta) - 1)
    assert program.values(z)[0] < -1
    low = program.reach(z, ratio)
    assert 0 <= low < beta
    user, eve = z[: program.count].sum(), z[program.count :].sum()
    for smaller in np.linspace(low * (1 + 1e-6), beta, 5):  # the same multipliers, still feasible and above 1
        there = _LeastPower(problem, smaller, ratio * (1 + smaller) - 1)
        value, slacks = there.values(z)
        assert (slacks > 0).all()
        assert value < -1
    if low > 0:
        assert (ratio * (1 + 0.99 * low) - 1) * user - 0.99 * low * eve < 1 + 1e-5


def test_no_beam_and_noise_exceed_the_bound_and_some_reach_it(network):
    problem, selection = downlink(network), chosen(network)
    rng = np.random.default_rng(3)
    plain = best_beam(network, selection, np.zeros(8), rng)
    beam = with_noise(network, selection, np.zeros(8), plain, rng, proof=True)
    assert beam.secrecy > plain.bound + 1  # far beyond what any beam reaches alone
    assert beam.secrecy <= beam.bound <= beam.secrecy + 0.05
    for _ in range(10):
        better = ascend_with_noise(problem, random_beams(rng, problem, noise=10.0 ** rng.uniform(-3, 0)))
        assert noisy_margin(problem, better) <= beam.bound
    total = np.sum(np.abs(beam.beamformer) ** 2) + np.trace(beam.noise_covariance).real
    assert total == pytest.approx(network.scenario.bs_power_w, rel=1e-12)
    assert evaluate(
        network,
        Decision(
            selection=selection,
            beamformer=beam.beamformer,
            power_w=np.zeros(8),
            noise_covariance=beam.noise_covariance,
        ),
    ).downlink_secrecy == pytest.approx(beam.secrecy, rel=1e-9)


def test_where_the_beam_shuts_the_eavesdropper_out_noise_is_proved_to_be_worth_nothing():
    network = sample_instance("small", seed=1)
    rng = np.random.default_rng(4)
    plain = best_beam(network, chosen(network), np.zeros(6), rng)
    beam = with_noise(network, chosen(network), np.zeros(6), plain, rng, proof=True)
    assert beam.noise_covariance is None
    np.testing.assert_array_equal(beam.beamformer, plain.beamformer)
    assert plain.secrecy <= beam.bound <= plain.secrecy + 0.0101


def test_colluding_eavesdroppers_have_the_bound_of_the_best_of_them(network):
    apart, together = downlink(network), downlink(network, colluding=True)
    rng = np.random.default_rng(5)
    bound = relax_with_noise(together, 0.0).bound
    assert bound == pytest.approx(relax_with_noise(apart, 0.0).bound, abs=0.02)
    together_best = max(
        noisy_margin(together, ascend_with_noise(together, random_beams(rng, together))) for _ in range(3)
    )
    assert 0 < together_best < bound


# --- noise that needs no knowledge of the eavesdroppers -----------------------------------------------------


def test_null_space_noise_is_heard_by_no_selected_agent():
    network = sample_instance("paper", seed=0)
    selection = chosen(network)
    noise = null_space_noise(network, selection, 4.0)
    assert np.trace(noise).real == pytest.approx(4.0, rel=1e-12)
    np.testing.assert_allclose(noise @ noise, 4.0 / (20 - selection.sum()) * noise, atol=1e-13)  # a scaled projector
    heard = heard_noise(network.channel_bs, noise) / (4.0 * network.bs_gain)
    assert heard[selection].max() < 1e-14
    assert heard[~selection].min() > 1e-3
    assert null_space_noise(sample_instance("contested", seed=0), np.ones(30, bool), 1.0) is None


def test_an_unknown_eavesdropper_hears_null_space_noise_as_in_closed_form():
    """Zhou and McKay, 2010: a Rayleigh eavesdropper's SINR has the tail e^(−xσ²/(m P_s)) (1 + x P_n/(P_s R))^(−R).

    For a beam of power P_s in the agents' span, and noise of power P_n in the R = L − K dimensions beside it.
    """
    network = sample_instance(Scenario(num_antennas=8, num_agents=4, min_selected=3, num_eavesdroppers=1), seed=2)
    scenario, rng = network.scenario, np.random.default_rng(6)
    selection = np.array([True, True, True, False])
    beam = network.channel_bs[selection].sum(axis=0)
    signal_w, noise_w = 6.0, 4.0
    beam *= np.sqrt(signal_w) / np.linalg.norm(beam)
    mean = scenario.noise_power_w / 3.0  # so that σ² matters beside the noise that is heard
    draws = rng.normal(size=(20000, 8, 2)) @ np.array([1, 1j]) * np.sqrt(mean / 2)
    drawn = network._map(lambda array: np.broadcast_to(array, (len(draws), *array.shape)))
    drawn = drawn._trusted(**drawn._fields() | {"channel_eve": draws[:, None]})
    noise = null_space_noise(network, selection, noise_w)
    decision = Decision(selection=selection, beamformer=beam, power_w=np.zeros(4), noise_covariance=noise)
    _, sinr = downlink_sinr(drawn, decision)
    assert heard_noise(draws, noise).mean() == pytest.approx(mean * noise_w, rel=0.02)
    rest = 8 - 3
    for x in (0.1, 0.5, 1.0, 3.0):
        tail = np.exp(-x * scenario.noise_power_w / (mean * signal_w)) * (1 + x * noise_w / (signal_w * rest)) ** -rest
        share = float(np.mean(sinr > x))
        assert stats.binomtest(round(share * len(draws)), len(draws), tail).pvalue > 1e-3


# --- in the solvers -----------------------------------------------------------------------------------------


def test_the_power_program_hears_the_noise():
    """Its downlink rates are those of the physics at other powers of the jammers, and the bound on r_eve is tangent."""
    network, rng = sample_instance(Scenario.preset("small", num_eavesdroppers=2), seed=8), np.random.default_rng(7)
    selection = chosen(network)
    factor = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    decision = Decision(
        selection=selection,
        beamformer=best_beam(network, selection, np.zeros(6), rng).beamformer + 0.03 * factor[0],  # it leaks
        power_w=np.where(selection, 1e-9, 1e-8),
        noise_covariance=1e-6 * factor @ factor.conj().T,
    )
    program = PowerProgram(network, decision, evaluate(network, decision), np.full(6, 1e-15), hurry=False)
    rows, step = program.rows.time == selection.sum(), 1e-4
    z = np.zeros(program.size)
    z[: program.count] = step * rng.normal(size=program.count)
    reach, leak, *_ = (part[rows] for part in program._parts(z))
    _, leak_before, *_ = (part[rows] for part in program._parts(np.zeros(program.size)))
    before, after = (downlink_sinr(network, decision.replace(power_w=program.powers(z * s))) for s in (0, 1))
    rate = [np.repeat(np.log1p(sinr[selection]), 2) for sinr, _ in (before, after)]
    np.testing.assert_allclose(reach, np.log(rate[1] / rate[0]), atol=1e-12)
    heard = [np.tile(np.log1p(sinr), selection.sum()) for _, sinr in (before, after)]
    change = (heard[1] - heard[0]) / rate[0]
    np.testing.assert_allclose(leak - leak_before, change, rtol=0, atol=1e-3 * np.abs(change).max())


def test_asc_plus_solves_with_noise_what_it_does_not_solve_without():
    network = sample_instance(CROWD.replace(num_agents=6), seed=4)
    options = {"exchanges": 1, "jammer_starts": 1, "max_iterations": 3}
    plain = solvers.make("asc-plus", **options).solve(network)
    assert plain.status == "failed"
    assert plain.decision.noise_covariance is None
    noisy = solvers.make("asc-plus", artificial_noise=True, **options).solve(network)
    assert noisy.status == "optimal"
    assert noisy.outcome.energy_j == evaluate(network, noisy.decision).energy_j
    # Without its noise the decision is worth nothing; a solver that sends none does not take it from a start.
    assert not evaluate(network, noisy.decision.replace(noise_covariance=None)).feasible
    again = solvers.make("ipfirst").solve(network, start=noisy.decision)
    assert again.decision.noise_covariance is None
    assert not again.outcome.feasible


def test_it_plays_the_environment_that_takes_noise(network):
    env = gymnasium.make("secagent/Allocation-v0", scenario=CROWD, action_format="dict", artificial_noise=True)
    env.reset(options={"instance": network})
    solver = solvers.make("randas", artificial_noise=True)
    policy = solvers.as_policy(solver, env)
    policy.reset(3)
    *_, info = env.step(policy.act())
    assert info["energy_j"] == pytest.approx(float(policy.solution.outcome.energy_j), rel=1e-9)
    assert policy.solution.decision.noise_covariance is not None
