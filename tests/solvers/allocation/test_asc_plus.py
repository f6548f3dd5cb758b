"""ASC-plus and RandAS: the selection against brute force, the whole against the bound, and what users see of both."""

import itertools
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from scipy import stats

import solvers
from secagent_env import Scenario, evaluate, sample_instance
from solvers.asc.auxiliary import AuxiliaryProgram, relaxed_selection
from solvers.asc.costs import Costs, SelectionProblem, separable_costs
from solvers.asc.relaxation import Relaxation
from solvers.asc_plus.exchanges import exchanges, repair
from solvers.asc_plus.links import Links
from solvers.asc_plus.selection import BestSelection, descend, select
from solvers.asc_plus.solver import ASCPlus, ASCPlusOptions
from solvers.asc_plus.starts import jammer_patterns, protected_selection
from solvers.beam.beamforming import best_beam
from solvers.certificate.bounds import lower_bound
from solvers.certificate.linear_test import secret_senders
from solvers.certificate.selection import random_selection
from solvers.interface.base import OutOfTime, SolverRun
from solvers.interface.ranking import rank_by_secrecy

SMALL = Scenario(num_agents=8, num_antennas=4, min_selected=3)
AMONG = SMALL.replace(
    num_eavesdroppers=2, eve_area_m=(60, 100), output_tokens=128, tool_tokens=(64, 256), min_accuracy=0.5
)
CONTESTED = Scenario(
    num_antennas=4,
    num_eavesdroppers=6,
    eve_area_m=(20, 100),
    knowledge_bits=50e9,
    min_selected=5,
    output_tokens=128,
    tool_tokens=(64, 256),
)
EVERYBODY = np.array(list(itertools.product([False, True], repeat=8)))


# --- Greedy repair -------------------------------------------------------------------------------------------


def random_costs(seed: int) -> Costs:
    rng = np.random.default_rng(seed)
    return Costs(
        change=rng.uniform(0.2, 2, 8),
        accuracy=rng.normal(-0.02, 0.1, 8),
        min_accuracy=0.0,
        allowed=rng.random(8) < 0.9,
        required=int(rng.integers(1, 5)),
        unit_j=1.0,
        uplink_time_s=np.zeros(8),
    )


def test_repair_finds_the_cheapest_selection_or_says_there_is_none():
    for seed in range(300):
        costs = random_costs(seed)
        possible = [s for s in EVERYBODY if costs.meets(s) and not (s & ~costs.allowed).any()]
        repaired = repair(costs, np.random.default_rng(seed).random(8) < 0.5)
        if not possible:
            assert repaired is None
            continue
        assert costs.meets(repaired)
        assert not (repaired & ~costs.allowed).any()
        assert costs.total(repaired) <= min(costs.total(s) for s in possible) + 1e-9


def test_exchanges_are_the_neighbours_that_meet_the_constraints():
    costs = random_costs(1)
    selection = np.arange(8) < 5
    near = {tuple(s) for s in exchanges(costs, selection, 10**6)}
    expected = {
        tuple(s) for s in EVERYBODY if np.sum(s & ~selection) <= 1 and np.sum(selection & ~s) <= 1 and costs.meets(s)
    }
    assert near == expected
    totals = [costs.total(s) for s in exchanges(costs, selection, 3)]
    assert totals == sorted(totals)
    assert len(totals) == min(3, len(expected))


def test_the_relaxation_follows_its_rule_and_its_prices_lead_to_feasible_iterates():
    costs = random_costs(3)
    auxiliary = np.arange(8) < 4
    first, *others = Relaxation(costs, auxiliary, 0.3).iterates(40)
    # (29) at μ = λ = 0, ρ with (1 − 2α̂).
    np.testing.assert_array_equal(first, (costs.change + np.where(auxiliary, -0.3, 0.3) <= 0) & costs.allowed)
    assert any(costs.meets(alpha) for alpha in others)


# --- Algorithm 1 ---------------------------------------------------------------------------------------------


def selection_problem(scenario: Scenario, seed: int) -> SelectionProblem:
    instance = sample_instance(scenario, seed=seed)
    rng = np.random.default_rng(seed)
    jamming = scenario.num_eavesdroppers > 1
    jammer_w = np.where(rng.random(8) < 0.6, 10 ** rng.uniform(-8, -2, 8), 0) if jamming else np.zeros(8)
    snr = 3.0 if jamming else 0.03
    sender_w = np.minimum(snr * scenario.noise_power_w / instance.bs_gain, scenario.max_power_w)
    beam = best_beam(instance, np.ones(8, bool), np.zeros(8), rng)
    return SelectionProblem(instance, beam.beamformer, sender_w, jammer_w)


@pytest.mark.parametrize("scenario", [SMALL, AMONG, AMONG.replace(colluding=True)], ids=["silent", "jam", "colluding"])
def test_the_selection_agrees_with_brute_force(scenario):
    excess, missed, count = [], 0, 0
    for seed in range(25):
        problem = selection_problem(scenario, seed)
        outcome = evaluate(problem.instance, problem.decision(EVERYBODY))
        found = select(problem, np.zeros(8, bool), lambda d, i=problem.instance: evaluate(i, d))
        if not outcome.feasible.any():
            assert found is None
            continue
        count += 1
        if found is None:
            missed += 1
            continue
        chosen = evaluate(problem.instance, problem.decision(found))
        assert chosen.feasible
        excess.append(float(chosen.energy_j / outcome.energy_j[outcome.feasible].min()) - 1)
    assert count >= 15
    assert missed <= 0.05 * count
    if scenario is SMALL:  # separable costs
        assert np.max(excess) <= 1e-9
    assert np.mean(np.array(excess) > 1e-3) <= 0.1


@pytest.mark.parametrize("colluding", [False, True])
@pytest.mark.parametrize("jammer_w", [0.0, 1e-9])
def test_uplink_times_are_those_beside_the_others_of_the_selection(colluding, jammer_w):
    scenario = Scenario(num_agents=8, num_antennas=4, num_eavesdroppers=2, min_selected=2, colluding=colluding)
    problem = selection_problem(scenario, seed=0)
    problem = replace(problem, jammer_w=np.full(8, jammer_w))
    others = np.arange(8) < 3
    times = separable_costs(problem, others).uplink_time_s
    for agent in range(8):
        outcome = evaluate(problem.instance, problem.decision(others | (np.arange(8) == agent)))
        secrecy = outcome.uplink_secrecy[agent]
        expected = scenario.uplink_bits / (scenario.bandwidth_hz * secrecy) if secrecy > 0 else np.inf
        np.testing.assert_allclose(times[agent], expected, rtol=1e-9)


def test_the_selection_looks_at_the_clock():
    problem = selection_problem(Scenario(num_agents=8, num_antennas=4, min_selected=2), seed=0)
    start = np.ones(8, bool)
    looks = []
    select(problem, start, lambda decision: evaluate(problem.instance, decision), check_time=lambda: looks.append(1))
    assert len(looks) > 3

    def over():
        raise OutOfTime

    with pytest.raises(OutOfTime):
        select(problem, start, lambda decision: evaluate(problem.instance, decision), check_time=over)
    best = BestSelection(problem, lambda decision: evaluate(problem.instance, decision), over)
    best.consider(start[None])
    with pytest.raises(OutOfTime):
        descend(best, 10)


def test_a_start_of_too_few_agents_is_completed_before_agents_are_exchanged():
    problem = selection_problem(Scenario(num_agents=8, num_antennas=4, min_selected=3), seed=0)
    best = BestSelection(problem, lambda decision: evaluate(problem.instance, decision))
    best.consider(np.zeros((1, 8), bool))
    descend(best, 30)
    assert best.selection.sum() >= 3
    assert evaluate(problem.instance, problem.decision(best.selection)).feasible


def test_silent_jammers_can_be_selected_and_costs_are_in_units_of_their_mean():
    problem = selection_problem(SMALL, 0)
    costs = separable_costs(problem, np.zeros(8, bool))
    assert np.isfinite(costs.change).all()
    assert costs.change.mean() == pytest.approx(1)
    energy = problem.instance.execution_energy_j
    np.testing.assert_allclose(costs.change * costs.unit_j, energy, rtol=1e-6)
    loud = SelectionProblem(problem.instance, problem.beamformer, problem.sender_w, np.full(8, 1e-3))
    assert (separable_costs(loud, np.arange(8) < 4).change < costs.change).all()  # who is selected jams no more


def test_the_rank_orders_by_feasibility_before_energy():
    problem = selection_problem(AMONG, 3)
    outcome = evaluate(problem.instance, problem.decision(EVERYBODY))
    ranks = rank_by_secrecy(problem.instance, outcome)
    assert outcome.feasible.any()
    assert ranks[outcome.feasible].max() < ranks[~outcome.feasible].min()
    np.testing.assert_array_equal(ranks[outcome.feasible], outcome.energy_j[outcome.feasible])


@pytest.mark.parametrize("scenario", [AMONG, AMONG.replace(colluding=True)], ids=["each", "colluding"])
def test_the_auxiliary_program_is_the_one_stated_and_is_solved(scenario):
    problem = selection_problem(scenario, 2)
    alpha = np.arange(8) % 2 == 0
    costs = separable_costs(problem, alpha)
    arguments = (problem, alpha, alpha, costs, 0.05)
    program = AuxiliaryProgram(*arguments)
    rng = np.random.default_rng(0)
    z = program.start() + 0.02 * rng.random(11)

    def barrier(z):
        f, slack = program.values(z)
        return 3.0 * f - np.log(slack).sum()

    gradient, hessian = program.newton(z, 3.0)
    steps = 1e-6 * np.eye(11)
    numeric = [(barrier(z + step) - barrier(z - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-5 * np.abs(gradient).max())
    numeric = [(program.newton(z + step, 3.0)[0] - program.newton(z - step, 3.0)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(hessian, numeric, rtol=1e-3, atol=1e-5 * np.abs(hessian).max())
    assert np.linalg.eigvalsh(hessian)[0] > 0
    # The tangent is exact where it touches: there the rows are the true secrecy rates at α, for a given t_dl.
    decision = problem.decision(alpha)
    outcome = evaluate(problem.instance, decision)
    reach = program.rate + program.slope @ alpha
    leak, _ = program._leak(alpha.astype(float))
    secrecy = (reach[alpha].min() - leak.max()) / np.log(2)
    assert max(secrecy, 0) == pytest.approx(float(outcome.downlink_secrecy), abs=1e-9)
    assert relaxed_selection(*arguments).dtype == bool


# --- ASC on random instances ---------------------------------------------------------------------------------


def test_on_the_paper_s_case_asc_attains_the_certified_bound():
    instances = sample_instance("paper", seed=5, batch=(12,))
    for instance in instances:
        solution = solvers.make("asc-plus").solve(instance)
        assert solution.status == "optimal"
        assert solution.gap <= 1e-6
        assert evaluate(instance, solution.decision).feasible
        assert solution.transmission_gap <= 0.7  # the eavesdropper's part
        jammers = solution.decision.power_w[~solution.decision.selection]
        assert not jammers.any()


@pytest.mark.parametrize(
    "changes",
    [
        {"num_agents": 1, "num_antennas": 1},
        {"num_agents": 2, "min_selected": 2},
        {"num_agents": 3, "num_antennas": 1, "num_eavesdroppers": 3},
        {"num_agents": 50, "num_antennas": 40},
        {"num_agents": 10, "num_eavesdroppers": 3, "colluding": True, "eve_area_m": (20, 100)},
        {"num_agents": 10, "knowledge_bits": 50e9},
        {"num_agents": 10, "latency_limit_s": 150.0},
        {"num_agents": 10, "latency_limit_s": 0.01},
        {"num_agents": 10, "min_accuracy": 0.0},
        {"num_agents": 10, "min_accuracy": 0.8},
        {"num_agents": 10, "min_accuracy": 1.0},
        {"num_agents": 10, "min_selected": 10},
        {"num_agents": 10, "max_power_w": 1e-9},
        {"num_agents": 10, "max_power_w": 1e-11},
        {"num_agents": 10, "noise_power_w": 1e-6},
        {"num_agents": 10, "bs_power_w": 1e-6},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["asc-plus", "randas"])
def test_no_scenario_raises_and_nothing_infeasible_is_called_feasible(name, changes):
    scenario = Scenario(**changes)
    for instance in sample_instance(scenario, seed=1, batch=(2,)):
        solution = solvers.make(name).solve(instance, max_seconds=10)
        outcome = evaluate(instance, solution.decision)
        assert solution.outcome.feasible == outcome.feasible
        assert (solution.status in ("optimal", "feasible")) == bool(outcome.feasible)
        assert solution.message
        if outcome.feasible:
            assert solution.lower_bound_j <= outcome.energy_j
        power = solution.decision.power_w
        assert (power >= 0).all()


def test_degenerate_instances():
    instance = sample_instance(SMALL, seed=2)
    channels = instance.channel_bs.copy()
    channels[:2] = 0
    for changed in (
        instance.replace(channel_bs=channels),  # two agents out of reach
        instance.replace(channel_bs=0 * channels),  # all
        instance.replace(channel_eve=0 * instance.channel_eve, gain_eve=0 * instance.gain_eve),  # a deaf eavesdropper
        instance.replace(gain_eve=1e6 * instance.gain_eve),
        instance.replace(channel_eve=instance.channel_bs[3:4]),  # an eavesdropper beside an agent
        instance.replace(compute_power_w=0 * instance.compute_power_w),
    ):
        for name in ("asc-plus", "randas"):
            solution = solvers.make(name).solve(changed, max_seconds=20)
            assert solution.status in ("optimal", "feasible", "failed", "infeasible"), solution.message
            assert "failed inside" not in solution.message
            assert (solution.decision.selection & (changed.bs_gain == 0)).sum() == 0 or not solution.outcome.feasible


def test_starts_beside_jammers_can_send_in_secret():
    found = 0
    for seed in range(3):
        instance = sample_instance(CONTESTED, seed)
        run = SolverRun(instance, 0, None, None, None)
        solver = solvers.make("asc-plus")
        for selection, jammer_w in solver._jammed_selections(Links(run, solver), run.eligible_agents()):
            assert not (jammer_w[selection] > 0).any()
            assert secret_senders(instance, jammer_w)[selection].all()
            assert selection.sum() >= instance.scenario.required_agents
            found += 1
    assert found >= 6


def test_the_first_to_jam_are_those_heard_best_by_an_eavesdropper_and_least_by_the_base_station():
    for seed in range(4):
        instance = sample_instance(SMALL.replace(num_eavesdroppers=2, eve_area_m=(20, 100)), seed)
        order = np.argsort(-instance.gain_eve / instance.bs_gain[:, None], axis=0)
        patterns = jammer_patterns(instance)
        jammers = [set(np.flatnonzero(pattern)) for pattern in patterns]
        for count in (1, 2, 3):
            assert set(order[:count].ravel()) in jammers
        assert set(patterns[patterns > 0]) == {1e-6 * 2.0, 1e-3 * 2.0}
        assert (np.diff(patterns.max(axis=1)) >= 0).all()  # weakest first


def test_so_many_exchanges_are_worked_out_and_no_more(monkeypatch):
    instance = sample_instance(CONTESTED, seed=1)
    run = SolverRun(instance, 0, None, None, None)
    run.consider(solvers.make("asc-plus", jamming=False).solve(instance).decision)
    assert run.feasible
    tried = []
    monkeypatch.setattr("solvers.asc_plus.solver.protecting_jammers", lambda _, agents, __: tried.append(agents) or [])
    solver = solvers.make("asc-plus", exchanges=7)
    solver.exchange(Links(run, solver), run.eligible_agents())
    assert len(tried) == 7
    assert len({agents.tobytes() for agents in tried}) == 7


def test_where_the_beam_cannot_protect_jammers_do():
    """The regime in which parts interact: without jammers infeasible, or dearer."""
    with_jammers = without = 0
    for seed in (1, 4, 10):
        instance = sample_instance(CONTESTED, seed=seed)
        solution = solvers.make("asc-plus", jammer_starts=2, exchanges=5).solve(instance)
        with_jammers += bool(solution.outcome.feasible)
        silent = solvers.make("asc-plus", jamming=False).solve(instance)
        without += bool(silent.outcome.feasible)
        assert not silent.decision.power_w[~silent.decision.selection].any()
        if silent.outcome.feasible:
            assert solution.outcome.energy_j < 0.95 * silent.outcome.energy_j
    assert with_jammers == 3
    assert without == 1


def test_a_tight_latency_limit_is_met_with_more_power():
    """The slowest agent that must take part leaves little time for the links: powers rise far above the lowest ones."""
    scenario = SMALL.replace(min_selected=8, min_accuracy=0.0)
    instance = sample_instance(scenario, seed=4)
    slowest = float(instance.inference_time_s.max())
    slack = solvers.make("asc-plus").solve(instance)
    tight = instance.replace(scenario=scenario.replace(latency_limit_s=slowest + 1.5))
    solution = solvers.make("asc-plus").solve(tight)
    assert solution.outcome.feasible
    assert slack.outcome.latency_s > slowest + 1.5
    assert solution.outcome.transmission_energy_j > slack.outcome.transmission_energy_j


@pytest.mark.parametrize("name", ["asc-plus", "randas"])
@pytest.mark.parametrize(
    "scenario", [Scenario(), CONTESTED, SMALL.replace(latency_limit_s=200)], ids=["paper", "jam", "tight"]
)
def test_the_environment_confirms_what_the_solver_says(name, scenario):
    instance = sample_instance(scenario, seed=1)
    env = gymnasium.make("secagent_env:secagent/Allocation-v0", scenario=scenario)
    env.reset(seed=0, options={"instance": instance})
    policy = solvers.as_policy(solvers.make(name, jammer_starts=1), env)
    *_, info = env.step(policy.act())
    outcome = policy.solution.outcome
    assert info["feasible"] == outcome.feasible
    if outcome.feasible:
        assert info["energy_j"] == pytest.approx(float(outcome.energy_j), rel=1e-5)
        assert info["transmission_energy_j"] == pytest.approx(float(outcome.transmission_energy_j), rel=1e-5)


# --- What users see ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["asc-plus", "randas"])
def test_one_seed_one_decision(name):
    instance = sample_instance("paper", seed=2)
    one, two, other = (solvers.make(name).solve(instance, seed=seed) for seed in (3, 3, 4))
    for field in ("selection", "beamformer", "power_w"):
        np.testing.assert_array_equal(getattr(one.decision, field), getattr(two.decision, field))
    if name == "randas":
        assert (one.decision.selection != other.decision.selection).any()
        assert one.decision.selection.sum() == instance.scenario.required_agents


def test_history_has_a_record_per_sub_problem():
    solution = solvers.make("asc-plus").solve(sample_instance("paper", seed=0))
    steps = [record["sub_problem"] for record in solution.history]
    assert steps[:3] == ["selection", "beam", "powers"]
    keys = {"iteration", "energy_j", "execution_energy_j", "transmission_energy_j", "violation", "seconds", "method"}
    assert all(keys <= set(record) for record in solution.history[:-1])
    assert keys - {"iteration"} <= set(solution.history[-1])  # the powers of the best decision once more
    seconds = [record["seconds"] for record in solution.history]
    assert seconds == sorted(seconds)
    assert solution.history[-1]["best_energy_j"] == solution.outcome.energy_j
    beam = next(record for record in solution.history if record["sub_problem"] == "beam")
    assert beam["method"] == "sdr"
    assert beam["downlink_bound"] > 0
    for record in solution.history:
        energies = record.get("transmission_energies_j", [])
        assert energies == sorted(energies, reverse=True)


def test_beyond_the_dimensions_of_the_program_history_says_so():
    solution = solvers.make("asc-plus", sdp_dimensions=2).solve(sample_instance("small", seed=0))
    assert {record["method"] for record in solution.history if record["sub_problem"] == "beam"} == {"polish"}
    assert solution.status == "optimal"


@pytest.mark.parametrize("name", ["asc-plus", "randas"])
def test_infeasible_instances_are_told_with_the_constraint(name):
    for scenario, constraint in (
        (SMALL.replace(latency_limit_s=1.0), "latency_s"),
        (SMALL.replace(min_accuracy=0.999), "accuracy"),
    ):
        solution = solvers.make(name).solve(sample_instance(scenario, seed=0))
        assert solution.status == "infeasible"
        assert constraint in solution.message
        assert not solution.outcome.feasible


@pytest.mark.parametrize("name", ["asc-plus", "randas"])
def test_time_limits_hold(name):
    instance = sample_instance(CONTESTED, seed=0)
    solution = solvers.make(name).solve(instance, max_seconds=1e-9)
    assert solution.status == "stopped"
    assert solution.wall_time_s < 1
    assert solution.decision is not None


def test_a_start_is_never_lost_and_is_improved():
    instance = sample_instance("small", seed=3)
    best = solvers.make("exact").solve(instance).decision
    louder = best.replace(power_w=100 * best.power_w)
    solution = solvers.make("asc-plus").solve(instance, start=louder)
    assert solution.history[0]["transmission_energy_j"] <= evaluate(instance, louder).transmission_energy_j
    assert solution.outcome.transmission_energy_j <= 1.05 * evaluate(instance, best).transmission_energy_j


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_iterations": 0}, "max_iterations must be an integer ≥ 1, got 0"),
        ({"draws": 2.5}, "draws must be an integer ≥ 0, got 2.5"),
        ({"rho": -1}, "rho must be a finite number > 0, got -1"),
        ({"tolerance": float("nan")}, "tolerance must be a finite number > 0, got nan"),
        ({"jamming": 1}, "jamming must be True or False, got 1"),
        ({"polished": True}, "polished must be an integer ≥ 0, got True"),
        ({"max_iteration": 3}, "unknown option of asc-plus 'max_iteration'; did you mean 'max_iterations'"),
    ],
    ids=str,
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        solvers.make("asc-plus", **options)


def test_options_are_a_frozen_dataclass():
    solver = solvers.make("asc-plus", rho=0.2)
    assert isinstance(solver, ASCPlus)
    assert isinstance(solver, ASCPlusOptions)
    assert solver.rho == 0.2
    with pytest.raises(AttributeError):
        solver.rho = 0.3
    with pytest.raises(ValueError, match="unknown option of randas 'rho'"):
        solvers.make("randas", rho=0.2)


# --- RandAS --------------------------------------------------------------------------------------------------


def test_randas_is_uniform_over_the_feasible_selections_of_n_min_agents():
    instance = sample_instance(Scenario(num_agents=6, min_selected=3, min_accuracy=0.72), seed=8)
    possible = [
        s
        for s in itertools.product([False, True], repeat=6)
        if sum(s) == 3 and instance.accuracy[list(s)].mean() >= 0.72
    ]
    assert 3 <= len(possible) < 20
    rng = np.random.default_rng(0)
    draws = [tuple(map(bool, random_selection(instance, rng))) for _ in range(3000)]
    assert set(draws) == set(possible)
    assert stats.chisquare([draws.count(s) for s in possible]).pvalue > 1e-3


@pytest.mark.parametrize(("agents", "eavesdroppers", "required", "seed"), [(8, 2, 2, 0), (10, 1, 3, 7)])
def test_one_antenna_leaves_no_choice_of_a_beam_and_jammers_serve_both_links(agents, eavesdroppers, required, seed):
    scenario = Scenario(
        num_agents=agents, num_antennas=1, num_eavesdroppers=eavesdroppers, min_selected=required, min_accuracy=0.0
    )
    instance = sample_instance(scenario.replace(eve_area_m=(20, 100)) if eavesdroppers > 1 else scenario, seed=seed)
    solution, fixed = (solvers.make(name).solve(instance) for name in ("asc-plus", "fixedbf"))
    assert fixed.outcome.feasible
    assert solution.outcome.energy_j <= fixed.outcome.energy_j * (1 + 1e-6)
    assert solution.decision.power_w[~solution.decision.selection].any()


def test_randas_costs_twice_the_optimum_and_shares_beam_and_powers_with_asc():
    ratios = []
    for seed in range(8):
        instance = sample_instance("paper", seed=seed)
        solution = solvers.make("randas").solve(instance, seed=seed)
        assert solution.outcome.feasible
        assert solution.decision.selection.sum() == 10
        ratios.append(float(solution.outcome.energy_j) / lower_bound(instance).energy_j)
        assert {record["sub_problem"] for record in solution.history} == {"beam", "powers"}
        assert solution.transmission_gap < 5
    assert 1.5 < np.mean(ratios) < 2.6


def test_the_linearised_relaxation_of_the_paper_is_an_option():
    instance = sample_instance("small", seed=0)
    ours, papers = (solvers.make("asc-plus", sdr=sdr).solve(instance) for sdr in ("whitened", "linearised"))
    assert papers.outcome.energy_j == pytest.approx(ours.outcome.energy_j, rel=1e-6)
    assert {r["method"] for r in papers.history if r["sub_problem"] == "beam"} == {"linearised sdr"}
    with pytest.raises(ValueError, match="unknown sdr 'linearized'; did you mean 'linearised'"):
        solvers.make("asc-plus", sdr="linearized")


def test_who_is_not_heard_by_an_eavesdropper_at_all_jams_nobody():
    network = sample_instance(Scenario.preset("contested", num_agents=12, min_selected=4), 1)
    gain = network.gain_eve.copy()
    gain[::3] = 0.0
    deaf = network.replace(gain_eve=gain)
    for margin in (0.1, 3.0):
        protected = protected_selection(deaf, np.ones(12, bool), margin)
        assert protected is None or np.isfinite(protected[1]).all()
