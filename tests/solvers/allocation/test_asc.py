"""ASC: each equation of Algorithm 1 by hand, Algorithm 2 against the bound, its ablations, and the printed errors."""

import ast
import functools
import importlib.util
import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import solvers
from secagent_env import Decision, Scenario, evaluate, sample_instance
from secagent_env.allocation.guided import LOWEST_POWER_W
from solvers.asc.algorithm1 import Algorithm1, penalty_method
from solvers.asc.algorithm2 import ASC
from solvers.asc.auxiliary import AuxiliaryProgram, relaxed_selection, rounded
from solvers.asc.costs import Costs, SelectionProblem, downlink_times, separable_costs
from solvers.asc.greedy import reconstruct
from solvers.asc.printed import ERRORS, PrintedASC, PrintedProgram, PrintedRelaxation
from solvers.asc.relaxation import Relaxation
from solvers.asc.starts import execution_costs, matched_beam, starting_point
from solvers.beam.beamforming import leakage_beam
from solvers.beam.sdr import Downlink, randomise
from solvers.certificate.selection import random_selection

SMALL = Scenario(num_agents=8, num_antennas=4, min_selected=3)
EVERYBODY = np.array(list(itertools.product([False, True], repeat=8)))


def costs_of(change, surplus, required, allowed=None) -> Costs:
    change = np.array(change, float)
    return Costs(
        change=change,
        accuracy=0.7 + np.array(surplus, float),
        min_accuracy=0.7,
        allowed=np.ones(change.size, bool) if allowed is None else np.array(allowed, bool),
        required=required,
        unit_j=1.0,
        uplink_time_s=np.zeros(change.size),
    )


def problem_of(scenario=SMALL, seed=0, jammer_w=1e-4) -> SelectionProblem:
    instance = sample_instance(scenario, seed=seed)
    beam = matched_beam(instance, np.arange(instance.scenario.num_agents) < 4)
    send = np.minimum(0.3 * instance.scenario.noise_power_w / instance.bs_gain, instance.scenario.max_power_w)
    return SelectionProblem(instance, beam, send, np.full(send.size, jammer_w))


# --- What it is made of --------------------------------------------------------------------------------------


def imported(module: str, seen: set[str]) -> set[str]:
    """Return the modules of the solvers that one imports, directly or not."""
    spec = importlib.util.find_spec(module)
    if module in seen or spec is None or spec.origin is None:
        return seen
    seen.add(module)
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("solvers."):
            imported(node.module, seen)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("solvers."):
                    imported(alias.name, seen)
    return seen


@pytest.mark.parametrize("module", ["solvers.asc.algorithm2", "solvers.asc.printed"])
def test_asc_uses_neither_exchanges_nor_jammed_starts_nor_an_integer_program_for_the_selection(module):
    modules = imported(module, set())
    assert "solvers.asc.relaxation" in modules  # the walk works
    assert not [
        name for name in modules if name.startswith(("solvers.asc_plus", "solvers.exact", "solvers.benchmarks"))
    ]
    for name in (name for name in modules if name.startswith("solvers.asc.")):
        source = Path(importlib.util.find_spec(name).origin).read_text(encoding="utf-8")
        assert "cheapest_selection" not in source
        assert "binary_program" not in source
    assert "solvers.asc_plus.exchanges" in imported("solvers.asc_plus.solver", set())


# --- Costs, (27) ---------------------------------------------------------------------------------------------


def test_costs_are_those_of_a_sender_less_those_of_a_jammer_who_waits_for_both_links():
    problem, alpha = problem_of(jammer_w=1e-9), np.arange(8) < 2
    idle = problem.instance.replace(
        compute_power_w=0 * problem.instance.compute_power_w
    )  # or joules would hide nanojoules
    problem = replace(problem, instance=idle, beamformer=leakage_beam(idle, alpha))
    instance, limit = problem.instance, problem.instance.scenario.latency_limit_s
    costs = separable_costs(problem, alpha)
    outcome = evaluate(instance, problem.decision(alpha))
    downlink = downlink_times(problem, alpha)
    # The slowest receiver of α̂ sets the downlink time.
    assert np.max(downlink[alpha]) == pytest.approx(float(outcome.downlink_time_s))
    with np.errstate(divide="ignore"):
        uplink = instance.scenario.uplink_bits / instance.scenario.bandwidth_hz / outcome.uplink_secrecy
    np.testing.assert_allclose(costs.uplink_time_s[alpha], uplink[alpha], rtol=1e-12)
    waiting = np.max(downlink[alpha]) + np.max(uplink[alpha])
    assert waiting < limit
    sending = instance.execution_energy_j + problem.sender_w * np.minimum(costs.uplink_time_s, limit)
    np.testing.assert_allclose(sending - costs.change * costs.unit_j, problem.jammer_w * waiting, rtol=1e-6)
    assert costs.unit_j == pytest.approx(sending.mean())


def test_one_agent_more_is_taken_at_its_own_rate_beside_the_others():
    problem = problem_of()
    alpha = np.arange(8) < 4
    costs = separable_costs(problem, alpha)
    with_sixth = evaluate(problem.instance, problem.decision(alpha | (np.arange(8) == 6)))
    scenario = problem.instance.scenario
    expected = scenario.uplink_bits / scenario.bandwidth_hz / with_sixth.uplink_secrecy[6]
    assert costs.uplink_time_s[6] == pytest.approx(float(expected))
    late = scenario.replace(latency_limit_s=float(problem.instance.inference_time_s[6] + 0.5 * expected))
    limited = SelectionProblem(
        problem.instance.replace(scenario=late), problem.beamformer, problem.sender_w, problem.jammer_w
    )
    assert not separable_costs(limited, alpha).allowed[6]


# --- The relaxation, (29) to (31) ----------------------------------------------------------------------------


def test_agents_of_the_auxiliary_selection_are_favoured_and_prices_buy_agents_and_accuracy():
    costs = costs_of([0.2, 0.2, 0.5, 0.5], [0.1, -0.1, 0.1, -0.1], 2)
    relaxation = Relaxation(costs, np.array([True, False, True, False]), rho=0.3)
    # (29), with surpluses in units of their mean size, 0.1: 0.2 − 0.3 ≤ 0, but 0.2 + 0.3, 0.5 − 0.3 and 0.8 are not.
    np.testing.assert_array_equal(relaxation.minimiser(0.0, 0.0), [1, 0, 0, 0])
    np.testing.assert_array_equal(relaxation.minimiser(0.21, 0.0), [1, 0, 1, 0])
    np.testing.assert_array_equal(relaxation.minimiser(0.51, 0.0), [1, 1, 1, 0])
    np.testing.assert_array_equal(relaxation.minimiser(0.0, 0.21), [1, 0, 1, 0])  # the accurate ones
    np.testing.assert_array_equal(relaxation.minimiser(0.51, 0.21), [1, 0, 1, 0])


def test_prices_rise_where_their_constraint_fails_and_fall_to_zero_where_it_holds():
    relaxation = Relaxation(costs_of([1.0] * 4, [0.1, -0.1, 0.1, -0.1], 2), np.zeros(4, bool), rho=0.0)
    one, inaccurate = np.array([1, 0, 0, 0], bool), np.array([0, 1, 0, 1], bool)
    assert relaxation.prices(one, 0.0, 0.5, 0.25) == pytest.approx((0.25, 0.25))  # one missing; accurate enough
    assert relaxation.prices(inaccurate, 0.5, 0.5, 0.25) == pytest.approx((0.5, 1.0))
    assert relaxation.prices(np.ones(4, bool), 0.3, 0.1, 0.25) == pytest.approx((0.0, 0.1))


def test_the_relaxation_finds_what_brute_force_finds():
    """Its best feasible iterate is the cheapest selection where the count alone binds."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        costs = costs_of(rng.uniform(0.5, 1.5, 8), rng.uniform(0, 0.1, 8), 3)
        iterates = [s for s in Relaxation(costs, np.zeros(8, bool), 1e-3).iterates(40) if costs.meets(s)]
        assert min(map(costs.total, iterates)) == pytest.approx(np.sort(costs.change)[:3].sum())


# --- The greedy method ---------------------------------------------------------------------------------------


def test_the_greedy_method_adds_by_energy_per_accuracy_and_drops_what_is_not_needed():
    # (13): 0.6 / 0.9 before 0.5 / 0.71, though it is dearer.
    np.testing.assert_array_equal(reconstruct(costs_of([0.6, 0.5], [0.2, 0.01], 1), np.zeros(2, bool)), [1, 0])
    # (15) fails by 0.1: 0.5 for 0.2 is cheaper per accuracy than 0.3 for 0.1, and no agent below Acc_min helps.
    costs = costs_of([1.0, 0.5, 0.3, 0.1], [-0.1, 0.2, 0.1, -0.02], 1)
    np.testing.assert_array_equal(reconstruct(costs, np.array([1, 0, 0, 0], bool)), [0, 1, 0, 0])
    # Of those that are not needed the dearest is dropped first, and none that saves energy.
    costs = costs_of([3.0, 1.0, 2.0, -0.5], [0.1] * 4, 2)
    np.testing.assert_array_equal(reconstruct(costs, np.ones(4, bool)), [0, 1, 0, 1])


def test_the_greedy_method_exchanges_no_agents():
    """A cheaper one outside is left there, where nothing is missing and everybody is needed."""
    costs = costs_of([2.0, 3.0, 0.1], [0.1] * 3, 2)
    np.testing.assert_array_equal(reconstruct(costs, np.array([1, 1, 0], bool)), [1, 1, 0])


def test_the_greedy_method_takes_nobody_who_is_not_allowed():
    assert reconstruct(costs_of([1.0] * 3, [0.1] * 3, 2, allowed=[1, 0, 0]), np.zeros(3, bool)) is None


def test_what_the_greedy_method_returns_is_feasible_or_nothing_is():
    rng = np.random.default_rng(3)
    none = 0
    for _ in range(300):
        costs = costs_of(rng.uniform(-0.2, 2, 8), rng.normal(-0.05, 0.1, 8), rng.integers(1, 5), rng.random(8) < 0.8)
        found = reconstruct(costs, rng.random(8) < 0.5)
        possible = any(costs.meets(s) and not (s & ~costs.allowed).any() for s in EVERYBODY)
        assert (found is not None) == possible
        none += found is None
        if found is not None:
            assert costs.meets(found)
            assert not (found & ~costs.allowed).any()
    assert 10 < none < 290


# --- The auxiliary selection, (41) ---------------------------------------------------------------------------


def test_the_auxiliary_selection_leaves_out_whom_the_beam_does_not_reach():
    """α̂ is not α: an agent that hears less than the eavesdropper would stop everybody's downlink."""
    problem = problem_of(jammer_w=1e-10)
    instance = problem.instance
    deaf = instance.replace(channel_bs=np.where(np.arange(8)[:, None] == 2, 1e-9, 1.0) * instance.channel_bs)
    problem = SelectionProblem(deaf, problem.beamformer, problem.sender_w, problem.jammer_w)
    signal = np.abs(deaf.channel_bs.conj() @ problem.beamformer) ** 2
    assert signal[2] < np.abs(deaf.channel_eve.conj() @ problem.beamformer).max() ** 2
    alpha = signal >= np.sort(signal)[-3]
    alpha[2] = True
    costs = separable_costs(problem, alpha)
    for jammers in (problem.jammer_w, 0 * problem.jammer_w):  # the shortcut without jammers, too
        quiet = SelectionProblem(deaf, problem.beamformer, problem.sender_w, jammers)
        decided = relaxed_selection(quiet, alpha, alpha, costs, 0.01)
        assert not decided[2]
        np.testing.assert_array_equal(decided, alpha & (np.arange(8) != 2))


def test_a_jammer_who_costs_more_than_the_penalty_is_turned_into_a_sender():
    """The objective of (41) holds the jammers' waiting times: slow senders are given up where jammers wait for them."""
    problem = problem_of(jammer_w=1e-10)
    limit = problem.instance.scenario.latency_limit_s
    reached = np.isfinite(downlink_times(problem, np.ones(8, bool)))
    assert reached.sum() >= 3
    slow = int(np.flatnonzero(reached)[0])
    alpha = reached.copy()
    alpha[np.flatnonzero(~reached)[:1]] = False
    costs = separable_costs(problem, alpha)
    times = np.where(np.arange(8) == slow, 0.3 * limit, 1e-3 * limit)
    costs = Costs(**{**vars_of(costs), "uplink_time_s": times})
    program = AuxiliaryProgram(problem, alpha, alpha, costs, 0.01)
    np.testing.assert_array_equal(rounded(program), alpha)
    z = np.linspace(0.1, 0.9, 11)  # α̂, t_dl, the longest computing, the longest uplink
    f = program.jamming * (z[8] + z[10]) + program.rho * np.sum((z[:8] - alpha) ** 2)
    assert program.values(z)[0] == pytest.approx(f)
    program.weigh(0.1 * costs.unit_j / limit, costs)  # waiting for the slow one costs 0.03, its penalty 0.01
    decided = rounded(program)
    assert not decided[slow]
    np.testing.assert_array_equal(decided | (np.arange(8) == slow), alpha)


def vars_of(costs: Costs) -> dict:
    return {name: getattr(costs, name) for name in Costs.__dataclass_fields__}


def test_alpha_and_auxiliary_take_turns_until_one_comes_up_again():
    problem, calls = problem_of(), []
    start, other = np.arange(8) < 4, np.arange(8) < 5

    def choose(costs, auxiliary):
        calls.append(auxiliary)
        return other

    penalty_method(problem, start, 6, choose, lambda costs, selection, auxiliary: selection)
    assert [call.sum() for call in calls] == [4, 5]
    calls.clear()
    penalty_method(problem, start, 1, choose, lambda costs, selection, auxiliary: selection)
    assert len(calls) == 1


def test_algorithm_1_returns_its_best_feasible_iterate_and_the_last_one_where_none_is():
    problem = problem_of()
    algorithm = Algorithm1(problem, ASC(), lambda decision: evaluate(problem.instance, decision))
    iterates = [np.arange(8) < k for k in (3, 4, 5)]
    algorithm.trace = [{"energy_j": value} for value in (math.inf, 2.0, 3.0)]
    np.testing.assert_array_equal(algorithm.returned(iterates), iterates[1])
    algorithm.trace = [{"energy_j": math.inf}] * 3
    np.testing.assert_array_equal(algorithm.returned(iterates), iterates[2])


def test_algorithm_1_looks_at_the_time_while_it_solves_41():
    problem, calls = problem_of(jammer_w=1e-6), []
    score = functools.partial(evaluate, problem.instance)
    algorithm = Algorithm1(problem, ASC(), score, lambda: calls.append(1))
    algorithm.select(np.arange(8) < 4)
    assert len(calls) > 10


# --- The beam ------------------------------------------------------------------------------------------------


def test_beams_are_drawn_with_the_relaxation_s_covariance():
    """Their mean outer product is W, for a W that is neither a multiple of the identity nor real."""
    problem = Downlink.of(sample_instance(SMALL, seed=0), np.arange(8) < 3, np.zeros(8))
    root = np.array([[2.0, 0, 0, 0], [1j, 0.5, 0, 0], [0, 0, 0.1, 0], [0, 0, 0, 0.1]])
    covariance = root @ root.conj().T
    covariance /= np.trace(covariance).real
    beams = randomise(problem, covariance, np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(np.linalg.norm(beams, axis=1), 1.0)
    # Directions alone are kept; they are those of CN(0, W).
    rng = np.random.default_rng(1)
    draws = (rng.standard_normal((20_000, 4)) + 1j * rng.standard_normal((20_000, 4))) @ np.linalg.cholesky(
        covariance
    ).T
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    expected, found = (x.T @ x.conj() / len(x) for x in (draws, beams[1:]))
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert abs(expected[1, 0].imag) > 0.2  # so that a transpose or a conjugate would show


# --- Algorithm 2 ---------------------------------------------------------------------------------------------


def test_the_start_is_open_and_knows_no_costs():
    instance = sample_instance("paper", seed=3)
    alpha, problem = starting_point(instance, np.random.default_rng(7), initial="random", sender_snr=0.1, jamming=True)
    np.testing.assert_array_equal(alpha, random_selection(instance, np.random.default_rng(7)))
    direction = instance.channel_bs[alpha].sum(axis=0)
    np.testing.assert_allclose(problem.beamformer, direction * np.sqrt(10) / np.linalg.norm(direction))
    snr = problem.sender_w * instance.bs_gain / instance.scenario.noise_power_w
    np.testing.assert_allclose(snr[problem.sender_w > LOWEST_POWER_W], 0.1)
    assert (problem.jammer_w == LOWEST_POWER_W).all()
    greedy, quiet = starting_point(instance, np.random.default_rng(7), initial="greedy", sender_snr=1, jamming=False)
    assert not quiet.jammer_w.any()
    assert execution_costs(instance, alpha).total(greedy) < execution_costs(instance, alpha).total(alpha)
    solution = solvers.make("asc").solve(instance, seed=7)
    assert solution.history[0]["iteration"] == 1


def test_agents_keep_a_power_as_a_sender_and_one_as_a_jammer():
    problem = problem_of(jammer_w=1e-9)
    selection = np.arange(8) < 3
    decision = Decision(
        selection=selection, beamformer=2 * problem.beamformer, power_w=np.where(selection, [1e-6] * 8, 0.0)
    )
    after = ASC().problem_at(problem, decision)
    np.testing.assert_array_equal(after.beamformer, decision.beamformer)
    np.testing.assert_array_equal(after.sender_w[:3], 1e-6)
    median = np.median(1e-6 * problem.instance.bs_gain[:3])
    np.testing.assert_allclose(after.sender_w[3:] * problem.instance.bs_gain[3:], median)
    np.testing.assert_array_equal(after.jammer_w, np.where(selection, 1e-9, 0.0))


def excess(instances, **options) -> np.ndarray:
    name = options.pop("name", "asc")
    return np.array([solvers.make(name, **options).solve(i, seed=k).gap for k, i in enumerate(instances)])


@pytest.fixture(scope="module")
def networks():
    return list(sample_instance("paper", seed=77, batch=(8,)))


@pytest.fixture(scope="module")
def gaps(networks):
    return excess(networks)


def test_asc_comes_close_to_the_bound_from_a_random_start(gaps):
    assert np.isfinite(gaps).all()
    assert gaps.mean() < 3e-3


def test_the_relaxation_and_algorithm_1_are_what_it_owes_this_to(networks, gaps):
    assert excess(networks, relaxation_iterations=0).mean() > gaps.mean() + 0.01
    assert excess(networks, admm_iterations=0).mean() > 0.5


@pytest.mark.parametrize(
    "options",
    [
        {"repair": False},
        {"auxiliary": False},
        {"sdr": "principal"},
        {"draws": 0},
        {"initial": "greedy"},
        {"polished": 1},
    ],
    ids=str,
)
def test_other_parts_can_be_switched_off(networks, options):
    assert np.isfinite(excess(networks[:2], **options)).all()


def test_powers_can_be_left_as_they_are(networks):
    solution, without = (
        solvers.make("asc", **options).solve(networks[0], seed=0) for options in ({}, {"power_iterations": 0})
    )
    assert solution.transmission_gap < 0.3 < without.transmission_gap


def test_history_tells_what_algorithm_1_does(networks):
    history = solvers.make("asc").solve(networks[0], seed=0).history
    assert [record["sub_problem"] for record in history[:3]] == ["selection", "beam", "powers"]
    for record in history:
        for step in record.get("admm", ()):
            assert set(step) == {"energy_j", "execution_energy_j", "penalty_j", "changed"}
            assert step["penalty_j"] >= 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"admm_iterations": -1}, "admm_iterations must be an integer ≥ 0, got -1"),
        ({"max_iterations": 0}, "max_iterations must be an integer ≥ 1, got 0"),
        ({"repair": 1}, "repair must be True or False, got 1"),
        ({"initial": "gready"}, "unknown initial 'gready'; did you mean 'greedy'"),
        ({"sdr": "princpal"}, "unknown sdr 'princpal'; did you mean 'principal'"),
        ({"exchanges": 3}, "unknown option of asc 'exchanges'"),
    ],
    ids=str,
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        solvers.make("asc", **options)


# --- As printed ----------------------------------------------------------------------------------------------


def only(*errors: str, **options) -> PrintedASC:
    return PrintedASC(corrected=[error for error in ERRORS if error not in errors], **options)


def test_with_every_error_corrected_it_is_asc(networks):
    for k, instance in enumerate(networks[:3]):
        one, other = ASC().solve(instance, seed=k), only().solve(instance, seed=k)
        np.testing.assert_array_equal(one.decision.selection, other.decision.selection)
        np.testing.assert_array_equal(one.decision.power_w, other.decision.power_w)
        np.testing.assert_array_equal(one.decision.beamformer, other.decision.beamformer)


def test_as_printed_it_is_far_dearer(networks, gaps):
    assert excess(networks[:3], name="asc-printed").mean() > 0.3


@pytest.mark.parametrize("error", ["27", "29", "31"])
def test_some_errors_alone_make_it_dearer(networks, gaps, error):
    printed = [only(error).solve(instance, seed=k).gap for k, instance in enumerate(networks[:4])]
    assert np.mean(printed) > gaps[:4].mean() + 0.005


def test_printed_prices_and_penalties_by_hand():
    problem, auxiliary = problem_of(), np.arange(8) < 4
    costs = separable_costs(problem, auxiliary)

    def relaxation(*errors: str) -> PrintedRelaxation:
        return PrintedRelaxation(only(*errors, rho=0.2), problem, costs, auxiliary)

    change = costs.change
    np.testing.assert_allclose(relaxation().penalised, change + np.where(auxiliary, -0.2, 0.2))
    np.testing.assert_allclose(relaxation("29").penalised, change + np.where(auxiliary, -0.8, 0.2))
    assert relaxation().minimiser(1e9, 0.0)[costs.allowed].all()
    assert not relaxation("27").minimiser(1e9, 0.0).any()
    accurate = relaxation().surplus > 0
    assert accurate.any()
    assert relaxation().prices(accurate, 0, 0, 0.1)[1] == 0
    assert relaxation("31").prices(accurate, 0, 0, 0.1)[1] == pytest.approx(0.1 * relaxation().surplus[accurate].sum())
    assert (relaxation("28").penalised < 0).all()  # 10 Mbit outweigh all energies


def test_the_printed_auxiliary_program_by_hand():
    problem, auxiliary = problem_of(), np.arange(8) < 4
    selection, before = np.arange(8) < 5, np.arange(8) < 6
    costs = separable_costs(problem, auxiliary)

    def program(*errors: str) -> PrintedProgram:
        return PrintedProgram(only(*errors, rho=0.2), problem, selection, before, auxiliary, costs)

    right = program()
    np.testing.assert_array_equal(right.alpha, selection)
    np.testing.assert_array_equal(program("32").alpha, before)
    assert program("35").jamming / program("35").rho == pytest.approx(3 * right.limit / costs.unit_j / 0.2)
    assert right.jamming / right.rho == pytest.approx(3e-4 * right.limit / costs.unit_j / 0.2)
    assert program("36").bits == pytest.approx(right.bits * problem.instance.scenario.bandwidth_hz)
    flat = program("39")
    np.testing.assert_allclose(flat.rate + flat.slope @ auxiliary, right.rate + right.slope @ auxiliary)
    np.testing.assert_allclose(flat.slope, right.slope * np.log(2))


def test_an_agent_with_one_power_alone_cannot_leave_its_silence():
    problem, selection = problem_of(), np.arange(8) < 4
    decision = problem.decision(selection).replace(power_w=np.where(selection, 1e-7, 0.0))
    after = only("power").problem_at(problem, decision)
    assert not separable_costs(after, selection).allowed[~selection].any()
    assert separable_costs(only().problem_at(problem, decision), selection).allowed[~selection].any()


def test_errors_are_named():
    with pytest.raises(ValueError, match="unknown error of the printed algorithms '30'"):
        PrintedASC(corrected=["30"])
    with pytest.raises(ValueError, match="corrected must be a list of errors, got '27'"):
        PrintedASC(corrected="27")
