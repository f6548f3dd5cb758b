"""The benchmark schemes of section V: what each of them is, where it ends, and the order of their energies."""

import sys

import numpy as np
import pytest

import solvers
from secagent_env import Decision, Scenario, evaluate, sample_instance
from solvers.asc_plus.reached import equal_beam, reached_selection
from solvers.benchmarks.de import _Space
from solvers.certificate.bounds import lower_bound
from solvers.certificate.linear_test import secret_senders
from solvers.certificate.selection import cheapest_selection

SMALL = Scenario(num_agents=8, num_antennas=4, min_selected=3)
QUICK = {
    "ga": {"population": 20, "generations": 15},
    "de": {"population": 2, "generations": 150},
    "fixedtp": {},
    "fixedbf": {"exchanges": 2},
}
NAMES = list(QUICK)


def quick(name, **options):
    return solvers.make(name, **{**QUICK[name], **options})


@pytest.fixture(scope="module")
def paper():
    """A few instances of the paper's case, and the solutions of the schemes."""
    instances = [sample_instance("paper", seed=seed) for seed in range(40, 44)]
    names = ["asc-plus", "randas", *NAMES]
    makers = {name: solvers.make(name, **({"exchanges": 2} if name == "fixedbf" else {})) for name in names}
    return instances, {name: [maker.solve(instance) for instance in instances] for name, maker in makers.items()}


# --- On the paper's case -------------------------------------------------------------------------------------


def test_all_but_fixed_powers_are_feasible_on_the_paper_s_case(paper):
    _, solutions = paper
    for name in ("ga", "de", "fixedbf"):
        assert all(solution.outcome.feasible for solution in solutions[name]), name


def test_the_order_of_the_execution_energies(paper):
    _, solutions = paper
    asc, ga, randas = (
        np.mean([solution.outcome.execution_energy_j for solution in solutions[name]])
        for name in ("asc-plus", "ga", "randas")
    )
    assert asc <= ga * (1 + 1e-9)
    assert ga < 0.8 * randas
    assert all(solution.gap < 0.02 for solution in solutions["ga"])


def test_the_order_of_the_transmission_energies(paper):
    _, solutions = paper
    joules = {
        name: np.mean([s.outcome.transmission_energy_j for s in solutions[name]])
        for name in ("asc-plus", "de", "fixedbf")
    }
    assert joules["asc-plus"] <= 1.01 * joules["de"] <= 3 * joules["asc-plus"]
    assert joules["asc-plus"] <= 1.01 * joules["fixedbf"]
    for asc, de in zip(solutions["asc-plus"], solutions["de"], strict=True):
        np.testing.assert_array_equal(asc.decision.selection, de.decision.selection)


def test_fixed_powers_are_fixed_and_only_agents_that_pass_are_selected(paper):
    instances, solutions = paper
    feasible = [solution for solution in solutions["fixedtp"] if solution.outcome.feasible]
    assert len(feasible) >= 2
    for instance, solution in zip(instances, solutions["fixedtp"], strict=True):
        passing = secret_senders(instance, np.full(30, 1.2))  # one eavesdropper: the same test
        np.testing.assert_array_equal(solvers.make("fixedtp").passing(instance), passing)
        if not solution.outcome.feasible:
            assert "of 30 agents can send in secret" in solution.message
            continue
        np.testing.assert_array_equal(solution.decision.power_w, np.full(30, 0.6 * 2.0))
        assert not (solution.decision.selection & ~passing).any()
        best = cheapest_selection(instance, instance.execution_energy_j, passing).cost
        assert best <= solution.outcome.execution_energy_j * (1 + 1e-9)
        assert solution.outcome.execution_energy_j <= 1.4 * best
        assert solution.outcome.transmission_energy_j > 50


def test_fixed_powers_that_let_too_few_agents_pass_are_told():
    instance = sample_instance("paper", seed=0)
    few = next(
        instance
        for instance in sample_instance("paper", seed=1, batch=(40,))
        if secret_senders(instance, np.full(30, 1.2)).sum() < 10
    )
    solution = solvers.make("fixedtp").solve(few)
    assert solution.status == "failed"
    assert "at 60% of p_max" in solution.message
    share = solvers.make("fixedtp", share=0.25).solve(instance)
    assert set(share.decision.power_w) <= {0.0, 0.5}


def test_the_fixed_beam_has_the_same_power_on_each_antenna(paper):
    _, solutions = paper
    for solution in solutions["fixedbf"]:
        np.testing.assert_array_equal(solution.decision.beamformer, np.full(20, np.sqrt(10 / 20)))


def test_a_fixed_beam_reaches_more_beside_jammers():
    helped = 0
    for instance in sample_instance("paper", seed=5, batch=(3,)):
        beam = equal_beam(instance)
        found = reached_selection(instance, beam, np.ones(30, bool), 0.1)
        silent = quick("fixedbf", jamming=False).solve(instance)
        jammed = quick("fixedbf").solve(instance)
        assert found is not None
        assert not silent.decision.power_w[~silent.decision.selection].any()
        assert jammed.outcome.energy_j <= silent.outcome.energy_j * (1 + 1e-9)
        if jammed.outcome.energy_j < 0.999 * silent.outcome.energy_j:
            helped += 1
            assert jammed.decision.power_w[~jammed.decision.selection].any()
    assert helped >= 1


@pytest.mark.parametrize("colluding", [False, True])
def test_the_program_of_a_fixed_beam_keeps_what_it_says(colluding):
    """Its selections have secrecy on both links while the senders are weak."""
    scenario = Scenario(
        num_agents=10, num_antennas=4, num_eavesdroppers=2, min_selected=3, eve_area_m=(60, 150), colluding=colluding
    )
    count = 0
    for instance in sample_instance(scenario, seed=2, batch=(12,)):
        beam = equal_beam(instance)
        found = reached_selection(instance, beam, np.ones(10, bool), 0.1)
        if found is None:
            continue
        selection, jammer_w = found
        count += 1
        assert not jammer_w[selection].any()
        snr = 1e-6 * scenario.noise_power_w / instance.bs_gain
        outcome = evaluate(
            instance, Decision(selection=selection, beamformer=beam, power_w=np.where(selection, snr, jammer_w))
        )
        assert outcome.downlink_secrecy > 0
        assert (outcome.uplink_secrecy[selection] > 0).all()
        assert not outcome.violated["accuracy"]
        assert not outcome.violated["selected"]
    assert count >= 4


# --- What all of them share ----------------------------------------------------------------------------------


def test_fixed_powers_leave_out_the_agent_that_holds_the_others_up():
    """Here the cheapest agents that pass are too slow with any beam, and without their bottleneck others are not."""
    instance = sample_instance(Scenario.preset("paper", knowledge_bits=1e9), 19)
    solution = solvers.make("fixedtp").solve(instance)
    assert solution.outcome.feasible
    passing = secret_senders(instance, np.full(30, 1.2))
    cheapest = cheapest_selection(instance, instance.execution_energy_j, passing)
    assert solution.outcome.execution_energy_j > cheapest.cost


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_one_decision(name):
    instance = sample_instance(SMALL, seed=2)
    one, two = (quick(name).solve(instance, seed=3) for _ in range(2))
    for field in ("selection", "beamformer", "power_w"):
        np.testing.assert_array_equal(getattr(one.decision, field), getattr(two.decision, field))
    assert one.evaluations == two.evaluations > 0


def test_evolution_may_choose_any_power_from_silence_to_the_most():
    instance = sample_instance(SMALL, 0)
    space = _Space(instance, np.arange(8) < 3, jamming=True)
    low, high = np.array(space.bounds).T
    quiet, loud = space.decision(np.stack([low, high])).power_w
    assert (quiet[3:] == 0).all()
    assert (quiet[:3] > 0).all()
    snr = quiet[:3] * instance.bs_gain[:3] / instance.scenario.noise_power_w
    assert snr == pytest.approx(np.full(3, snr[0]))
    assert loud[3:] == pytest.approx(np.full(5, instance.scenario.max_power_w))


def test_evolution_goes_from_decisions_without_secrecy_towards_it():
    solution = solvers.make("de", population=1, generations=60).solve(sample_instance("contested", 1))
    assert solution.outcome.feasible  # without an order among infeasible ones: nothing


def test_other_seeds_evolve_other_populations():
    instance = sample_instance("paper", seed=2)
    one, two = (solvers.make("ga", population=10, generations=2).solve(instance, seed=seed) for seed in (0, 1))
    assert (one.decision.selection != two.decision.selection).any()
    fittest = [r["fittest_j"] for r in quick("ga").solve(instance).history if r["sub_problem"] == "selection"]
    assert fittest == sorted(fittest, reverse=True)
    assert len(fittest) == 15
    assert two.evaluations > 2 * 10  # of its selections; the others are of beams and powers
    assert fittest[-1] >= lower_bound(instance).energy_j


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("changes", "constraint"), [({"latency_limit_s": 1.0}, "latency_s"), ({"min_accuracy": 0.999}, "accuracy")]
)
def test_infeasible_instances_are_told_with_the_constraint(name, changes, constraint):
    solution = quick(name).solve(sample_instance(SMALL.replace(**changes), seed=0))
    assert solution.status == "infeasible"
    assert constraint in solution.message
    assert not solution.outcome.feasible


@pytest.mark.parametrize("name", NAMES)
def test_time_limits_hold(name):
    instance = sample_instance("paper", seed=41)
    solution = quick(name).solve(instance, max_seconds=1e-9)
    assert solution.message.startswith("stopped after")
    assert solution.wall_time_s < 5
    if name == "de":  # in the midst of the search
        solution = solvers.make("de", generations=10**6, population=50).solve(instance, max_seconds=1.0)
        assert solution.message.startswith("stopped after")


@pytest.mark.parametrize(
    "changes",
    [
        {"num_agents": 1, "num_antennas": 1},
        {"num_agents": 2, "min_selected": 2},
        {"num_agents": 3, "num_antennas": 1, "num_eavesdroppers": 3},
        {"num_eavesdroppers": 2, "colluding": True, "eve_area_m": (20, 100)},
        {"latency_limit_s": 150.0},
        {"max_power_w": 1e-11},
        {"bs_power_w": 1e-6},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", NAMES)
def test_no_scenario_raises_and_nothing_infeasible_is_called_feasible(name, changes):
    scenario = SMALL.replace(min_selected=None).replace(**changes)
    instance = sample_instance(scenario, seed=1)
    solution = quick(name).solve(instance, max_seconds=3)
    outcome = evaluate(instance, solution.decision)
    assert solution.outcome.feasible == outcome.feasible
    assert (solution.status in ("optimal", "feasible")) == bool(outcome.feasible) or solution.status == "stopped"
    assert solution.message
    assert "failed inside" not in solution.message
    if outcome.feasible:
        assert solution.lower_bound_j <= outcome.energy_j


@pytest.mark.parametrize("name", ["ga", "de", "fixedbf"])
def test_without_jamming_the_others_are_silent(name):
    solution = quick(name, jamming=False).solve(sample_instance("small", seed=0))
    assert not solution.decision.power_w[~solution.decision.selection].any()


def test_a_start_counts_as_the_scheme_would_have_it():
    instance = sample_instance("small", seed=3)
    start = solvers.make("exact").solve(instance).decision
    n, antennas = instance.scenario.num_agents, instance.scenario.num_antennas
    powers = quick("fixedtp").solve(instance, start=start).decision.power_w
    np.testing.assert_array_equal(powers, np.full(n, 0.6 * instance.scenario.max_power_w))
    beam = quick("fixedbf").solve(instance, start=start).decision.beamformer
    np.testing.assert_array_equal(beam, np.full(antennas, np.sqrt(instance.scenario.bs_power_w / antennas)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ga", {"population": 0}, "population must be an integer ≥ 1, got 0"),
        ("ga", {"generations": 1.5}, "generations must be an integer ≥ 1, got 1.5"),
        ("ga", {"rho": 1.0}, "unknown option of ga 'rho'"),
        ("de", {"population": True}, "population must be an integer ≥ 1, got True"),
        ("fixedtp", {"share": 0.0}, "share must be a finite number > 0, got 0.0"),
        ("fixedtp", {"share": 1.5}, "share must be a finite number > 0 and ≤ 1, got 1.5"),
        ("fixedtp", {"jamming": False}, "jamming must be True for fixedtp"),
        ("fixedbf", {"jamming": 1}, "jamming must be True or False, got 1"),
    ],
    ids=str,
)
def test_options_are_checked(name, options, message):
    with pytest.raises(ValueError, match=message):
        solvers.make(name, **options)


def test_without_pymoo_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymoo", None)
    with pytest.raises(ImportError, match=r"needs pymoo.*pip install 'secagent-env\[solvers\]'"):
        solvers.make("ga")
