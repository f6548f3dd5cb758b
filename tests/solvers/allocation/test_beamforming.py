"""The beam: the relaxation against a conic solver, its bounds against beams, and what best_beam returns."""

import dataclasses
import warnings

import numpy as np
import pytest

from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from solvers.beam import beamforming, sdr
from solvers.beam import polish as polish_module
from solvers.beam.beamforming import best_beam, leakage_beam, null_beam
from solvers.beam.linearised_sdr import relax_linearised
from solvers.beam.polish import ascend, polish, smooth_secrecy

AMONG = Scenario(num_agents=12, num_antennas=6, num_eavesdroppers=3, eve_area_m=(20, 100), min_selected=4)
CASES = {
    "one eavesdropper far away": (Scenario(num_agents=12, num_antennas=8), 0.0),
    "more receivers than antennas": (Scenario(num_agents=12, num_antennas=3), 0.0),
    "eavesdroppers among the agents": (AMONG, 0.0),
    "jammers": (AMONG, 1e-6),
    "colluding": (AMONG.replace(colluding=True), 1e-6),
    "more eavesdroppers than antennas": (AMONG.replace(num_antennas=2), 1e-5),
    "one antenna": (AMONG.replace(num_antennas=1), 1e-5),
}


@pytest.fixture(params=CASES, name="case")
def _case(request):
    scenario, jamming = CASES[request.param]
    instance = sample_instance(scenario, seed=3)
    selection = np.zeros(12, bool)
    selection[np.argsort(-instance.bs_gain / instance.gain_eve.max(axis=1))[:4]] = True
    return instance, selection, np.where(selection, 1e-9, jamming)


def secrecy(instance: Instance, selection, power_w, beams) -> np.ndarray:
    """The downlink secrecy rates of beams (·, L), by evaluate."""
    count = len(beams)
    decision = Decision(
        selection=np.broadcast_to(selection, (count, selection.size)),
        beamformer=beams,
        power_w=np.broadcast_to(power_w, (count, power_w.size)),
    )
    return evaluate(instance, decision).downlink_secrecy


def random_beams(instance: Instance, count: int, seed: int = 0) -> np.ndarray:
    """Full-power beams: random directions, and random combinations of the receivers' channels."""
    rng = np.random.default_rng(seed)
    antennas = instance.scenario.num_antennas
    channels = np.concatenate([instance.channel_bs, instance.channel_eve])
    mixed = rng.normal(size=(count, len(channels), 2)) @ [1, 1j] @ (channels / np.abs(channels).max())
    beams = np.concatenate([rng.normal(size=(count, antennas, 2)) @ [1, 1j], mixed])
    return beams / np.linalg.norm(beams, axis=1, keepdims=True) * np.sqrt(instance.scenario.bs_power_w)


def conic_ratio(problem: sdr.Downlink) -> float:
    """The semidefinite program as model and solver text books have it, whitened, solved by Clarabel."""
    cp = pytest.importorskip("cvxpy")
    values, vectors = np.linalg.eigh(np.eye(problem.users.shape[1]) + problem.eves.T @ problem.eves.conj())
    root = (vectors / np.sqrt(values)) @ vectors.conj().T
    users, eves = problem.users @ root.T, problem.eves @ root.T
    scale = max(1.0, float(np.max(np.sum(np.abs(users) ** 2, axis=1))))
    z, s, t = cp.Variable(root.shape, hermitian=True), cp.Variable(nonneg=True), cp.Variable()

    def received(h):
        return cp.real(cp.sum(cp.multiply(np.outer(h.conj(), h), z)))

    leaks = [sum(received(g) for g in eves)] if problem.colluding else [received(g) for g in eves]
    constraints = [z >> 0, cp.real(cp.sum(cp.multiply((root @ root).T, z))) <= s, *(s + leak <= 1 for leak in leaks)]
    constraints += [(s + received(h)) / scale >= t for h in users]
    program = cp.Problem(cp.Maximize(t), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": the tolerance of the test allows for it
        program.solve(solver="CLARABEL")
    assert program.status.startswith("optimal")
    return float(t.value) * scale


def test_the_relaxation_agrees_with_a_conic_solver(case):
    problem = sdr.Downlink.of(*case)
    relaxation = sdr.relax(problem, gap=1e-7)
    assert relaxation.bound == pytest.approx(np.log2(conic_ratio(problem)), abs=2e-3)
    # W itself is feasible, and its ratio reaches the bound: no gap between primal and dual.
    w = relaxation.covariance
    assert np.trace(w) == pytest.approx(1)
    assert np.linalg.eigvalsh(w)[0] >= -1e-12
    received, leak = (np.einsum("kd,de,ke->k", h.conj(), w, h).real for h in (problem.users, problem.eves))
    worst = leak.sum() if problem.colluding else leak.max()
    assert np.log2((1 + received.min()) / (1 + worst)) == pytest.approx(relaxation.bound, abs=2e-3)


def test_no_beam_exceeds_the_bounds_and_best_beam_exceeds_all_others(case):
    instance, selection, _power_w = case
    beam = best_beam(*case, np.random.default_rng(0), starts=3, tolerance=1e-4)
    (reached,) = secrecy(*case, beam.beamformer[None])
    assert beam.secrecy == pytest.approx(reached, abs=1e-9)
    assert reached <= beam.bound
    assert np.sum(np.abs(beam.beamformer) ** 2) <= instance.scenario.bs_power_w * (1 + 1e-9)

    others = random_beams(instance, 2000)
    closed_forms = [w for w in (null_beam(instance, selection), leakage_beam(instance, selection)) if w is not None]
    others = np.concatenate([others, closed_forms])
    assert secrecy(*case, others).max() <= reached + 1e-6
    # Weights of any kind prove a bound, too.
    rng = np.random.default_rng(1)
    problem = sdr.Downlink.of(*case)
    for _ in range(20):
        weights = rng.exponential(size=len(problem.users)), rng.exponential(size=len(problem.eves))
        assert sdr.secrecy_bound(problem, *weights) >= beam.bound - 2e-3 >= reached - 2e-3


def test_the_bound_of_given_weights_is_a_generalised_eigenvalue(case):
    problem = sdr.Downlink.of(*case)
    rng = np.random.default_rng(3)
    users, eves = rng.exponential(size=len(problem.users)), rng.exponential(size=len(problem.eves))
    weights = [users / users.sum(), np.ones(len(eves)) if problem.colluding else eves / eves.sum()]
    signal, leak = (
        np.eye(problem.users.shape[1]) + sum(weight * np.outer(h, h.conj()) for weight, h in zip(*pair, strict=True))
        for pair in zip(weights, (problem.users, problem.eves), strict=True)
    )
    rate = np.log2(max(1.0, *np.linalg.eigvals(np.linalg.solve(leak, signal)).real))
    assert sdr.secrecy_bound(problem, 5 * users, 3 * eves) == pytest.approx(rate, rel=1e-6, abs=1e-6)


def test_the_problem_in_the_span_is_the_problem(case):
    instance, _selection, _power_w = case
    problem = sdr.Downlink.of(*case)
    beams = random_beams(instance, 50)
    inside = problem.coordinates(beams)
    back = inside @ problem.basis.T
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), np.sqrt(instance.scenario.bs_power_w))
    np.testing.assert_allclose(np.maximum(problem.margin(inside), 0), secrecy(*case, back), rtol=1e-9, atol=1e-12)


def test_the_polish_never_loses_and_ends_at_a_stationary_beam(case):
    problem = sdr.Downlink.of(*case)
    rng = np.random.default_rng(2)
    dimension = problem.users.shape[1]
    for _ in range(5):
        start = rng.normal(size=(dimension, 2)) @ [1, 1j]
        start /= np.linalg.norm(start)
        result = polish(problem, start, tolerance=1e-6, max_iterations=100)
        assert result.margin >= problem.margin(start)
        assert result.margin == pytest.approx(problem.margin(result.beam))
        nearby = result.beam + 1e-4 * (rng.normal(size=(500, dimension, 2)) @ [1, 1j])
        nearby /= np.linalg.norm(nearby, axis=1, keepdims=True)
        assert problem.margin(nearby).max() <= result.margin + 2e-5


def test_the_smooth_secrecy_rate_of_the_ascent(case):
    problem = sdr.Downlink.of(*case)
    space = problem.whitened()
    d = len(space.length)
    rng = np.random.default_rng(3)
    beams = rng.normal(size=(4, d, 2)) @ [1, 1j]
    for beam in beams / np.linalg.norm(beams, axis=1, keepdims=True):
        x = space.point(beam)
        np.testing.assert_allclose(space.beam(x), beam, atol=1e-12)
        value, gradient = smooth_secrecy(problem, space, x, 4.0)
        step = 1e-7 * np.linalg.norm(x)
        for direction in (*np.eye(d), *(1j * np.eye(d))):
            up, down = (smooth_secrecy(problem, space, x + sign * step * direction, 4.0)[0] for sign in (1, -1))
            slope = (gradient.conj() @ direction).real
            assert (up - down) / (2 * step) == pytest.approx(slope, abs=1e-4 * (np.abs(gradient).max() + 1))
        assert smooth_secrecy(problem, space, 7 * x, 4.0)[0] == pytest.approx(value, abs=1e-9)
        margin = problem.margin(beam) * np.log(2)
        assert value <= margin + 1e-9
        assert smooth_secrecy(problem, space, x, 1e7)[0] == pytest.approx(margin, abs=1e-5)


def test_the_ascent_comes_near_a_local_optimum_from_anywhere(case):
    problem = sdr.Downlink.of(*case)
    best = sdr.relax(problem).bound
    rng = np.random.default_rng(4)
    d = problem.users.shape[1]
    for start in rng.normal(size=(5, d, 2)) @ [1, 1j]:
        beam = ascend(problem, start / np.linalg.norm(start))
        assert np.linalg.norm(beam) == pytest.approx(1)
        assert problem.margin(beam) >= polish(problem, beam, tolerance=1e-4).margin - 0.05
        assert problem.margin(beam) <= best + 1e-6


@pytest.mark.parametrize("antennas", [8, 40])
def test_hundreds_of_receivers(antennas, monkeypatch):
    instance = sample_instance(Scenario(num_agents=300, num_antennas=antennas), seed=0)
    selection, silent = np.arange(300) < 150, np.zeros(300)
    steps = []
    for program in (sdr._Dual, polish_module._Tangents):
        newton = program.newton
        monkeypatch.setattr(program, "newton", lambda *args, newton=newton: steps.append(1) or newton(*args))
    beam = best_beam(instance, selection, silent, np.random.default_rng(0), starts=1, tolerance=1e-2)
    assert len(steps) < 200
    assert beam.secrecy == pytest.approx(secrecy(instance, selection, silent, beam.beamformer[None])[0])
    assert beam.secrecy <= beam.bound
    # The polish alone, from the best of the draws, ends lower.
    steps.clear()
    monkeypatch.setattr(beamforming, "FAR", np.inf)
    slow = best_beam(instance, selection, silent, np.random.default_rng(0), starts=1, tolerance=1e-2)
    assert beam.secrecy > slow.secrecy
    assert sdr.relax(sdr.Downlink.of(instance, selection, silent), gap=1e-6).bound <= beam.bound + 1e-3


def test_a_beam_ends_when_the_time_is_over(case):
    class Over(Exception):
        pass

    def over() -> None:
        raise Over

    for sdr_name, dimensions in (("whitened", 64), ("linearised", 64), ("whitened", 1)):
        with pytest.raises(Over):
            best_beam(*case, np.random.default_rng(0), sdr=sdr_name, sdp_dimensions=dimensions, check_time=over)


@pytest.mark.parametrize("length", [1e6, 1e15])
def test_bounds_hold_and_beams_are_good_at_any_signal_to_noise_ratio(case, length):
    instance, selection, power_w = case
    quiet = instance.replace(scenario=instance.scenario.replace(noise_power_w=1e-14 / length**2))
    beam = best_beam(quiet, selection, power_w, np.random.default_rng(0), starts=3)
    (reached,) = secrecy(quiet, selection, power_w, beam.beamformer[None])
    assert reached <= beam.bound
    others = random_beams(quiet, 500)
    others = [
        others,
        *(w[None] for w in (null_beam(quiet, selection), leakage_beam(quiet, selection)) if w is not None),
    ]
    assert secrecy(quiet, selection, power_w, np.concatenate(others)).max() <= reached + 0.03 * max(
        reached, 1
    )  # a null is as deep as rounding lets it


def test_beyond_the_dimensions_of_the_semidefinite_program_the_polish_stands_alone(case):
    relaxed = best_beam(*case, np.random.default_rng(0), starts=3)
    alone = best_beam(*case, np.random.default_rng(0), starts=3, sdp_dimensions=1)
    antennas = case[0].scenario.num_antennas
    assert (relaxed.method, alone.method) == ("sdr", "polish" if antennas > 1 else "sdr")
    assert alone.bound >= relaxed.secrecy
    assert alone.secrecy <= relaxed.bound


def test_jammers_are_counted():
    scenario = AMONG.replace(num_antennas=2)
    instance = sample_instance(scenario, seed=3)
    selection = np.arange(12) < 2
    jammers = np.zeros(12)
    jammers[2 + np.argsort(-instance.gain_eve[2:].min(axis=1))[:3]] = 1e-4
    quiet = best_beam(instance, selection, np.zeros(12), np.random.default_rng(0))
    loud = best_beam(instance, selection, jammers, np.random.default_rng(0))
    assert quiet.bound != pytest.approx(loud.bound, abs=0.1)
    for beam, power_w in ((quiet, np.zeros(12)), (loud, jammers)):
        assert beam.secrecy == pytest.approx(secrecy(instance, selection, power_w, beam.beamformer[None])[0])


def test_a_given_beam_is_never_lost_and_seeds_repeat(case):
    instance = case[0]
    best = best_beam(*case, np.random.default_rng(0), starts=3, tolerance=1e-5)
    again = best_beam(*case, np.random.default_rng(7), start=best.beamformer, draws=1, starts=1)
    assert again.secrecy >= best.secrecy - 1e-9
    one, two = (best_beam(*case, np.random.default_rng(5)).beamformer for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (instance.scenario.num_antennas,)


def test_deaf_agents_and_identical_channels_do_no_harm():
    instance = sample_instance(Scenario(num_agents=4, num_antennas=3), seed=0)
    same = instance.replace(channel_bs=np.broadcast_to(instance.channel_bs[:1], (4, 3)))
    selection = np.array([True, True, True, False])
    beam = best_beam(same, selection, np.zeros(4), np.random.default_rng(0))
    assert 0 < beam.secrecy <= beam.bound
    channels = instance.channel_bs.copy()
    channels[1] = 0
    deaf = instance.replace(channel_bs=channels)
    beam = best_beam(deaf, selection, np.zeros(4), np.random.default_rng(0))
    assert beam.secrecy == 0
    assert np.isfinite(beam.beamformer).all()
    listening = instance.replace(channel_eve=instance.channel_bs[:1])
    beam = best_beam(listening, selection, np.zeros(4), np.random.default_rng(0))
    assert beam.secrecy < 1e-9


def test_the_linearised_program_of_the_paper_ends_at_the_same_bound(case):
    problem = sdr.Downlink.of(*case)
    whitened = sdr.relax(problem)
    linearised = relax_linearised(problem)
    assert np.trace(linearised.covariance) == pytest.approx(1)
    assert np.linalg.eigvalsh(linearised.covariance)[0] >= -1e-12
    assert linearised.bound == pytest.approx(whitened.bound, abs=1e-2)
    beams = [best_beam(*case, np.random.default_rng(0), sdr=way) for way in ("whitened", "linearised")]
    assert [beam.method for beam in beams] == ["sdr", "linearised sdr"]
    assert beams[1].secrecy == pytest.approx(beams[0].secrecy, abs=1e-3)
    assert beams[1].secrecy <= min(beam.bound for beam in beams)
    again = relax_linearised(problem, problem.coordinates(beams[1].beamformer))
    assert again.bound == pytest.approx(whitened.bound, abs=1e-2)
    faint = dataclasses.replace(problem, users=1e-4 * problem.users, eves=1e-4 * problem.eves)
    assert relax_linearised(faint).bound == pytest.approx(sdr.relax(faint).bound, rel=0.05)


def test_an_unknown_way_to_solve_the_relaxation(case):
    with pytest.raises(ValueError, match="sdr must be one of whitened, linearised, got 'exact'"):
        best_beam(*case, np.random.default_rng(0), sdr="exact")
