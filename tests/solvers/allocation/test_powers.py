"""The powers: the convex program's derivatives, feasible and falling iterates, and optima found by other means."""

import itertools

import numpy as np
import pytest
from scipy import optimize

import solvers
from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from secagent_env.allocation.guided import LOWEST_POWER_W
from solvers.beam.beamforming import best_beam
from solvers.certificate.bounds import transmission_bound
from solvers.numerics.barrier import minimise
from solvers.power.power_program import PowerProgram
from solvers.power.powers import optimise_powers, silence_jammers

AMONG = Scenario(num_agents=8, num_antennas=4, num_eavesdroppers=2, eve_area_m=(20, 100), min_selected=2)
FLOOR = np.full(AMONG.num_agents, LOWEST_POWER_W)
CASES = {
    "no jammers": (Scenario(num_agents=8, num_antennas=6, min_selected=3), 0.0),
    "jammers": (AMONG, 1e-7),
    "colluding": (AMONG.replace(colluding=True), 1e-7),
    "as many eavesdroppers as antennas": (AMONG.replace(num_antennas=2), 1e-7),
    "much to send": (AMONG.replace(knowledge_bits=5e9), 1e-6),
}


def start(scenario: Scenario, jamming: float, seed: int) -> tuple[Instance, Decision]:
    """An instance and a decision with secrecy: the agents that the eavesdroppers hear least, some others jamming."""
    instance = sample_instance(scenario, seed=seed)
    order = np.argsort(-instance.bs_gain / instance.gain_eve.max(axis=1))
    selection = np.zeros(scenario.num_agents, bool)
    selection[order[: scenario.required_agents]] = True
    power = np.where(selection, 0.05 * scenario.noise_power_w / instance.bs_gain, 0.0)
    power[order[-2:]] = jamming
    beam = best_beam(instance, selection, power, np.random.default_rng(0))
    return instance, Decision(selection=selection, beamformer=beam.beamformer, power_w=power)


@pytest.fixture(params=itertools.product(CASES, (0, 1)), ids=lambda p: f"{p[0]}-{p[1]}", name="case")
def _case(request):
    name, seed = request.param
    return start(*CASES[name], seed)


def transmission(instance: Instance, decision: Decision, powers: np.ndarray) -> np.ndarray:
    """The transmission energies of powers (·, N), infinite where they are infeasible in time or secrecy."""
    count = len(powers)
    outcome = evaluate(
        instance,
        Decision(
            selection=np.broadcast_to(decision.selection, (count, decision.selection.size)),
            beamformer=np.broadcast_to(decision.beamformer, (count, decision.beamformer.size)),
            power_w=powers,
        ),
    )
    return np.where(outcome.violated["latency_s"], np.inf, outcome.transmission_energy_j)


@pytest.mark.parametrize("hurry", [False, True])
def test_gradient_and_hessian_are_those_of_the_values(case, hurry):
    instance, decision = case
    program = PowerProgram(instance, decision, evaluate(instance, decision), FLOOR, hurry=hurry)
    z = program.interior()

    def barrier(z):
        f, slack = program.values(z)
        return 3.0 * f - np.log(slack).sum()

    gradient, hessian = program.newton(z, 3.0)
    steps = 1e-6 * np.eye(len(z))
    numeric = [(barrier(z + step) - barrier(z - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4 * np.abs(gradient).max())
    numeric = [(program.newton(z + step, 3.0)[0] - program.newton(z - step, 3.0)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(hessian, numeric, rtol=1e-3, atol=1e-4 * np.abs(hessian).max())
    assert np.linalg.eigvalsh(hessian)[0] > 0  # convex
    near = z[: program.count]
    program.low, program.high = near - 0.02, near + 0.03  # the box and the limit count as much as all the rest
    program.room = 1.02 * (program.downlink_time * np.exp(z[program.dl]) + program.uplink_time * np.exp(z[-1]))
    hessian = program.newton(z, 3.0)[1]
    numeric = [(program.newton(z + step, 3.0)[0] - program.newton(z - step, 3.0)[0]) / 2e-6 for step in steps]
    size = np.sqrt(np.diagonal(hessian))
    np.testing.assert_allclose((numeric - hessian) / np.outer(size, size), 0, atol=1e-4)


def test_the_program_bounds_the_truth(case):
    """Whatever satisfies its constraints satisfies the true ones, and its times are no shorter than the true ones."""
    instance, decision = case
    program = PowerProgram(instance, decision, evaluate(instance, decision), FLOOR, hurry=False)
    senders = program.active[program.senders]
    inside = program.interior()
    best = minimise(program, inside, gap=1e-3)
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(300):
        z = inside + rng.random() * (best - inside) + 0.03 * rng.normal(size=len(inside))
        if (program.values(z)[1] > 0).all():
            seen += 1
            outcome = evaluate(instance, decision.replace(power_w=program.powers(z)))
            uplink = instance.scenario.uplink_bits / (instance.scenario.bandwidth_hz * outcome.uplink_secrecy[senders])
            claimed = program.uplink_time * np.exp(z[program.count : program.dl] - program.lag)
            assert (uplink <= claimed * (1 + 1e-9)).all()
            assert outcome.downlink_time_s <= program.downlink_time * np.exp(z[program.dl]) * (1 + 1e-9)
            assert outcome.latency_s <= instance.scenario.latency_limit_s
    assert seen > 5


def test_every_iterate_is_feasible_and_the_energy_never_rises(case):
    instance, decision = case
    before = evaluate(instance, decision)
    for iterations in range(1, 7):  # the same run, stopped earlier: every iterate is seen
        search = optimise_powers(instance, decision, lowest_w=FLOOR, max_iterations=iterations)
        assert not search.outcome.violated["latency_s"]
        assert not search.outcome.violated["agent_power_w"]
        energies = search.energies_j
        assert all(after <= before for before, after in itertools.pairwise(energies))
        assert energies[0] == before.transmission_energy_j
        assert energies[-1] == search.outcome.transmission_energy_j
        power = search.decision.power_w
        assert (power[decision.power_w > 0] >= LOWEST_POWER_W).all()
        assert (power[decision.power_w == 0] == 0).all()
    assert search.outcome.transmission_energy_j >= transmission_bound(instance, decision.selection)


def test_powers_are_optimised_of_agents_that_are_too_few(case):
    """Whom to select is not the question here, so that a selection may violate (13) or (15)."""
    instance, decision = case
    few = instance.replace(scenario=instance.scenario.replace(min_selected=instance.scenario.num_agents))
    one, other = (optimise_powers(i, decision, lowest_w=FLOOR) for i in (instance, few))
    assert not other.outcome.feasible
    assert other.energies_j == one.energies_j
    assert len(one.energies_j) > 1


def test_no_other_powers_are_better(case):
    """Against a random search around the result and around the start, over all transmitters."""
    instance, decision = case
    found = optimise_powers(instance, decision, lowest_w=LOWEST_POWER_W, tolerance=1e-6).decision.power_w
    (energy,) = transmission(instance, decision, found[None])
    rng = np.random.default_rng(1)
    for centre, spread in itertools.product((found, decision.power_w), (0.01, 0.3, 2.0)):
        others = centre * np.exp(spread * rng.normal(size=(2000, len(found))))
        others = np.where(centre > 0, np.clip(others, LOWEST_POWER_W, instance.scenario.max_power_w), 0.0)
        assert transmission(instance, decision, others).min() >= energy * (1 - 1e-4)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("limit", [3000.0, None], ids=["slack latency", "tight latency"])
def test_the_optimum_of_two_senders_and_a_jammer_agrees_with_a_grid(seed, limit):
    scenario = Scenario(num_agents=3, num_antennas=3, min_selected=2, eve_area_m=(60, 100), knowledge_bits=1e9)
    instance = sample_instance(scenario, seed=seed)
    selection = np.arange(3) != np.argmax(instance.gain_eve[:, 0])
    power = np.where(selection, 0.01 * scenario.noise_power_w / instance.bs_gain, 1e-9)
    beam = best_beam(instance, selection, power, np.random.default_rng(0))
    decision = Decision(selection=selection, beamformer=beam.beamformer, power_w=power)
    latency = float(evaluate(instance, decision).latency_s)
    assert np.isfinite(latency)
    if limit is None:  # the start just meets the limit
        limit = latency * (1 + 1e-4)
    instance = instance.replace(scenario=scenario.replace(latency_limit_s=limit))
    search = optimise_powers(instance, decision, lowest_w=LOWEST_POWER_W, tolerance=1e-6)
    assert not search.outcome.violated["latency_s"]

    def objective(x):
        (energy,) = transmission(instance, decision, np.exp(x)[None])
        return np.log(energy) if np.isfinite(energy) else 100.0

    centre = np.log(search.decision.power_w)
    bounds = [(np.log(LOWEST_POWER_W), min(c + 6, np.log(scenario.max_power_w))) for c in centre]
    best = optimize.brute(objective, [slice(low, high, 14j) for low, high in bounds], finish=None, full_output=True)[1]
    result = optimize.minimize(objective, centre, method="Nelder-Mead", bounds=bounds, options={"xatol": 1e-6})
    assert np.log(search.outcome.transmission_energy_j) <= min(best, result.fun) + 2e-3


def test_a_start_that_is_too_slow_is_made_faster_first():
    instance, decision = start(*CASES["no jammers"], seed=0)
    outcome = evaluate(instance, decision)
    computing, sending = float(outcome.inference_time_s), float(outcome.latency_s - outcome.inference_time_s)

    def limited(limit):
        return instance.replace(scenario=instance.scenario.replace(latency_limit_s=limit))

    limit = computing + 0.9 * sending
    assert not evaluate(limited(limit), decision).feasible
    search = optimise_powers(limited(limit), decision)
    assert search.outcome.latency_s <= limit
    assert search.energies_j

    search = optimise_powers(limited(computing + 1e-3 * sending), decision)
    assert search.outcome.violated["latency_s"]
    assert search.outcome.latency_s <= computing + sending
    assert search.message
    assert not search.energies_j


def test_without_secrecy_at_the_start_the_powers_stay():
    instance, decision = start(*CASES["no jammers"], seed=0)
    for changes in ({"beamformer": 0 * decision.beamformer}, {"power_w": 0 * decision.power_w}):
        mute = decision.replace(**changes)
        search = optimise_powers(instance, mute)
        assert search.message == "no secrecy at the start"
        np.testing.assert_array_equal(search.decision.power_w, mute.power_w)


def test_powers_stay_within_what_an_action_can_say():
    """A start beyond the budget, or below −70 dBm, is clipped; the optimum on the lower edge is found."""
    instance, decision = start(*CASES["no jammers"], seed=0)
    power = np.where(decision.selection, 1e-13, 0.0)
    search = optimise_powers(instance, decision.replace(power_w=power), lowest_w=LOWEST_POWER_W)
    np.testing.assert_allclose(search.decision.power_w[decision.selection], LOWEST_POWER_W, rtol=1e-2)
    assert (search.decision.power_w[decision.selection] >= LOWEST_POWER_W).all()


def test_of_several_jammers_each_one_that_does_not_pay_is_silenced():
    instance = sample_instance("contested", 0)
    solution = solvers.make("exact", target_gap=0.05).solve(instance)
    best = silence_jammers(instance, solution.decision)  # whom nobody hears may jam or not: rounding decides
    assert evaluate(instance, best).energy_j == pytest.approx(solution.outcome.energy_j, rel=1e-12)
    jamming = ~best.selection & (best.power_w > 0)
    np.testing.assert_array_equal(silence_jammers(instance, best).power_w, best.power_w)
    assert jamming.any()
    others = np.flatnonzero(~best.selection & ~jamming)
    for agent in (others[0], others[-1]):
        more = best.replace(power_w=np.where(np.arange(30) == agent, 1e-9, best.power_w))
        np.testing.assert_array_equal(silence_jammers(instance, more).power_w, best.power_w)


def test_jammers_that_do_not_pay_are_silenced():
    instance, decision = start(Scenario(num_agents=8, num_antennas=6, min_selected=3), 1e-9, seed=1)
    assert evaluate(instance, decision).feasible
    silenced = silence_jammers(instance, decision)
    assert not silenced.power_w[~decision.selection].any()
    np.testing.assert_array_equal(silenced.power_w[decision.selection], decision.power_w[decision.selection])
    assert evaluate(instance, silenced).transmission_energy_j < evaluate(instance, decision).transmission_energy_j
    # With jammers that are needed, none of them goes.
    instance, decision = start(AMONG.replace(num_antennas=1, num_eavesdroppers=1, min_selected=1), 1e-5, seed=5)
    loud = evaluate(instance, decision)
    quiet = evaluate(instance, decision.replace(power_w=np.where(decision.selection, decision.power_w, 0)))
    kept = silence_jammers(instance, decision)
    assert evaluate(instance, kept).feasible == loud.feasible
    assert quiet.feasible or kept.power_w[~kept.selection].any()
