"""The search over selections: its bound holds whenever it is stopped, and no global search goes below it."""

import contextlib
import itertools
import math

import numpy as np
import pytest
from scipy.optimize import differential_evolution

import solvers
from eval.compare.solving import instance_at
from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from solvers.certificate.bounds import LowerBound, lower_bound, uplink_energy_floor
from solvers.exact.search import SetSearch
from solvers.interface.base import OutOfTime, SolverRun

JAMMED = Scenario.preset("contested", num_agents=6, num_antennas=2, num_eavesdroppers=3, min_selected=2)
HASTY = JAMMED.replace(num_antennas=3, num_eavesdroppers=2, latency_limit_s=900.0, min_accuracy=0.5)


def test_no_bound_is_lost_or_too_high_when_time_is_over(monkeypatch):
    instance = sample_instance(JAMMED, 9)
    best = float(solvers.make("exact").solve(instance).outcome.energy_j)
    least = lower_bound(instance).energy_j
    for calls in (1, 5, 20, 60, 200, 500, 1000, 2000):
        run = SolverRun(instance, 0, None, None, None)
        left = iter(range(calls))

        def check_time(_, left=left):
            if next(left, None) is None:
                raise OutOfTime

        monkeypatch.setattr(SolverRun, "check_time", check_time)
        search = SetSearch(run, gap=1e-3, steps=10_000, starts=[lambda: None] * 2, jamming=True)
        with contextlib.suppress(OutOfTime):
            search.solve()
        assert least * (1 - 1e-9) <= search.bound_j <= best
        assert run.bound is None or run.bound.energy_j <= search.bound_j


def test_the_gap_is_what_was_asked_for():
    instance = sample_instance(HASTY, 0)
    for gap in (0.1, 1e-2, 1e-3):
        solution = solvers.make("exact", target_gap=gap).solve(instance)
        assert solution.gap <= gap
        jammers = np.where(solution.decision.selection, 0.0, solution.decision.power_w)
        assert jammers.max() > 0


def test_the_search_ends_where_every_set_is_within_the_gap():
    for gap in (0.1, 1e-3):
        run = SolverRun(sample_instance(HASTY, 0), 0, None, None, None)
        search = SetSearch(run, gap=gap, steps=10_000, starts=[lambda: None] * 2, jamming=True)
        search.solve()
        assert search.steps > 9_900
        assert search.bound_j <= run.energy_j <= search.bound_j * (1 + gap)


def test_only_feasible_decisions_are_moved_to_their_local_optimum(monkeypatch):
    instance = sample_instance(JAMMED, 9)
    asked = []
    monkeypatch.setattr("solvers.exact.search.locally_best", lambda _, decision, __: asked.append(decision) or decision)
    best = solvers.make("exact").solve(instance).decision
    assert asked
    assert all(evaluate(instance, decision).feasible for decision in asked)
    run = SolverRun(instance, 0, None, None, None)
    run.consider(best.replace(power_w=np.full(6, 2.0)))
    assert not run.feasible
    assert run.decision is not None
    asked.clear()
    SetSearch(run, gap=1e-3, steps=0, starts=[lambda: None] * 2, jamming=True)._refine()
    assert not asked
    run.consider(best)
    SetSearch(run, gap=1e-3, steps=0, starts=[lambda: None] * 2, jamming=True)._refine()
    assert asked == [run.decision]


def test_asc_plus_does_not_lower_the_bound_of_the_run_that_asks_it():
    instance = sample_instance(JAMMED, 9)
    run = SolverRun(instance, 0, None, None, None)
    run.bound = known = LowerBound(1.0, None)
    solvers.make("asc-plus")._solve(run)
    assert run.bound is known


def test_time_limits_hold_where_jammers_are_needed():
    instance = sample_instance("contested", seed=10)
    solution = solvers.make("exact").solve(instance, max_seconds=0.3)
    assert solution.status == "stopped"
    assert solution.wall_time_s < 1.0


def evolve(instance: Instance, start: Decision, seed: int) -> float:
    """Return the least energy that differential evolution over beam and powers finds at a selection, J."""
    scenario, antennas = instance.scenario, len(start.beamformer)
    limit = math.sqrt(scenario.bs_power_w)

    def decisions(z: np.ndarray) -> Decision:
        beam = (z[:antennas] + 1j * z[antennas : 2 * antennas]).T * limit
        beam /= np.maximum(np.linalg.norm(beam, axis=1, keepdims=True) / limit, 1.0)
        power = np.where(z[2 * antennas :].T < -15.9, 0.0, 10.0 ** z[2 * antennas :].T)
        return Decision(selection=np.broadcast_to(start.selection, power.shape), beamformer=beam, power_w=power)

    def energy(z: np.ndarray) -> np.ndarray:
        outcome = evaluate(instance, decisions(z))
        late = np.where(np.isfinite(outcome.latency_s), outcome.latency_s / scenario.latency_limit_s, 1e6)
        return np.where(outcome.feasible, outcome.energy_j, 1e6 * np.maximum(late, 1.0))

    beam = start.beamformer / limit
    with np.errstate(divide="ignore"):
        x0 = np.concatenate([beam.real, beam.imag, np.clip(np.log10(start.power_w), -16, None)])
    most = math.log10(scenario.max_power_w)
    bounds = [(-1.0, 1.0)] * (2 * antennas) + [(-16.0, most)] * len(start.power_w)
    x0 = np.clip(x0, *np.array(bounds).T)
    spread = 10.0 ** np.random.default_rng(seed).uniform(-5, 0, (60, 1))
    noise = np.random.default_rng(seed).standard_normal((60, len(x0)))
    init = np.clip(x0 + spread * noise * (np.arange(60) > 0)[:, None], *np.array(bounds).T)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = differential_evolution(
            energy, bounds, init=init, maxiter=150, vectorized=True, updating="deferred", polish=False, seed=seed, tol=0
        )
    return float(found.fun)


@pytest.mark.parametrize(
    ("scenario", "seeds"), [(JAMMED, (2, 4, 9)), (HASTY, (0, 3, 5, 7, 8))], ids=["jammed", "hasty"]
)
def test_no_global_search_goes_below_the_bound(scenario, seeds):
    for seed in seeds:
        instance = sample_instance(scenario, seed)
        solution = solvers.make("exact").solve(instance)
        assert solution.gap <= 1e-3
        assert solution.decision.power_w[~solution.decision.selection].max() > 0
        assert evolve(instance, solution.decision, seed) >= solution.lower_bound_j


def test_contested_ends_at_the_gap_asked_for_and_the_bound_is_below_the_energy():
    solution = solvers.make("exact").solve(sample_instance("contested", 102))
    assert solution.status == "feasible"
    assert 0 <= solution.gap <= 1e-3
    bounds = [record["bound_j"] for record in solution.history if "bound_j" in record]
    best = [record["best_energy_j"] for record in solution.history if "bound_j" in record]
    assert bounds == sorted(bounds)
    assert best == sorted(best, reverse=True)
    assert solution.lower_bound_j >= bounds[-1]
    steps = list(zip(itertools.pairwise(bounds), itertools.pairwise(best), strict=True))
    assert any(b1 < b2 and e1 == e2 for (b1, b2), (e1, e2) in steps)  # a record of the bound alone


def test_a_decision_is_found_where_asc_plus_finds_none():
    solution = solvers.make("exact").solve(sample_instance("contested", 338))
    assert solution.gap <= 1e-3
    assert solution.outcome.energy_j < 0.8852


def test_thousands_of_sets_that_cannot_be_served_do_not_end_the_search():
    solution = solvers.make("exact").solve(instance_at(Scenario.preset("tight-latency"), 0, 0))
    assert solution.status == "optimal"
    assert solution.outcome.energy_j == pytest.approx(10911.0162)
    tests = [record["sets"] for record in solution.history if record["sub_problem"] == "sets"]
    assert tests[-1] > 3000


def test_a_test_of_a_set_counts_less_than_a_semidefinite_program():
    run = SolverRun(instance_at(Scenario.preset("tight-latency"), 0, 0), 0, None, None, None)
    search = SetSearch(run, gap=1e-3, steps=10, starts=[lambda: None] * 2, jamming=True)
    search.solve()
    assert 100 < search.sets <= 200


def test_with_a_time_limit_nothing_else_ends_the_search_unless_asked_for(monkeypatch):
    monkeypatch.setattr("solvers.exact.solver.MOST_STEPS", 1)
    limits = []
    monkeypatch.setattr(SetSearch, "solve", lambda search: limits.append(search.steps))
    instance = sample_instance(JAMMED, 9)
    for options, seconds in (({}, None), ({}, 60.0), ({"max_steps": 7}, 60.0), ({"max_steps": 7}, None)):
        solvers.make("exact", **options).solve(instance, max_seconds=seconds)
    assert limits == [1, math.inf, 7, 7]


def test_bounds_beyond_the_limit_are_not_lost():
    instance = sample_instance(JAMMED, 9)
    best = float(solvers.make("exact").solve(instance).outcome.energy_j)
    run = SolverRun(instance, 0, None, None, None)
    search = SetSearch(run, gap=1e-3, steps=10_000, starts=[lambda: None] * 2, jamming=True)
    run.consider = lambda decision: None  # so that no decision is known
    limits, bounds = [search._limit_j], []
    for _ in range(120):
        search.steps = 1
        search._search()
        limits.append(search._limit_j)
        bounds.append(search.bound_j)
        assert bounds[-1] <= min(best, limits[-1])
    assert limits[-1] > limits[0]
    assert limits == sorted(limits)
    assert bounds == sorted(bounds)


def test_other_searches_are_asked_once_boxes_have_led_nowhere_for_a_while(monkeypatch):
    monkeypatch.setattr("solvers.exact.search.PATIENCE", ({False: 2, True: math.inf}, {False: 5, True: math.inf}))
    run = SolverRun(sample_instance(JAMMED, 9), 0, None, None, None)
    run.consider = lambda decision: None  # so that no decision is known
    asked = []
    search = SetSearch(
        run, gap=1e-3, steps=60, starts=[lambda k=k: asked.append((k, search._boxes)) for k in "ab"], jamming=True
    )
    search._search()
    assert asked == [("a", 2), ("b", 5)]


def test_what_was_left_out_for_now_comes_back_when_the_limit_rises():
    run = SolverRun(sample_instance(JAMMED, 9), 0, None, None, None)
    search = SetSearch(run, gap=1e-3, steps=10_000, starts=[lambda: None] * 2, jamming=True)
    everybody = sum(1 for _ in iter(search._ordered.next, None))
    search = SetSearch(run, gap=1e-3, steps=10_000, starts=[lambda: None] * 2, jamming=True)
    search._forbid(np.arange(6) == 3, for_now=True)
    others = sum(1 for _ in iter(search._ordered.next, None))
    assert 0 < others < everybody
    assert math.isinf(search._ordered.least_j)
    search._raise_limit()
    with_it = [selection for _, selection in iter(search._ordered.next, None)]
    assert all(selection[3] for selection in with_it)
    assert others + len(with_it) == everybody


@pytest.mark.parametrize("seed", [309, 314, 336, 339])  # of 339 no beam reaches the relaxation
def test_where_the_latency_binds_free_jammers_are_ruled_out(seed):
    instance = sample_instance("tight-latency", seed)
    solution = solvers.make("exact").solve(instance, max_seconds=120)
    assert solution.status == "optimal"
    assert 0 <= solution.gap <= 1.1e-6
    cost = instance.execution_energy_j + uplink_energy_floor(instance)
    assert solution.lower_bound_j <= cost[solution.decision.selection].sum()  # what is served may cost less to send


def test_without_steps_nothing_is_tried():
    search = SetSearch(
        SolverRun(sample_instance(JAMMED, 9), 0, None, None, None),
        gap=1e-3,
        steps=0,
        starts=[lambda: None] * 2,
        jamming=True,
    )
    search.solve()
    assert search.sets == 0
    assert 0 < search.bound_j < np.inf
