"""The solvers' common interface, the integer program and its bound, the exact solver, and solvers as policies."""

import functools
import itertools
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import solvers
from secagent_env import Decision, Scenario, evaluate, sample_instance
from secagent_env.allocation.shaping import secrecy_shortfall
from secagent_env.model.physics import downlink_sinr
from solvers.certificate.bounds import lower_bound, transmission_bound, uplink_energy_floor
from solvers.certificate.linear_test import secret_at_best
from solvers.certificate.selection import cheapest_selection, random_selection
from solvers.interface.base import Infeasible, Solver, silent_decision
from solvers.interface.ranking import rank_by_violation
from solvers.interface.registry import module_of

SMALL = Scenario.preset("small")


class Scripted(Solver):
    """A solver that does what a test tells it to."""

    name = "scripted"

    def __init__(self, script):
        self.script = script

    def _solve(self, run):
        self.script(run)


# --- Registry ------------------------------------------------------------------------------------------------


def test_names_lists_what_make_makes():
    assert {"exact", "asc", "randas"} <= set(solvers.names())
    for name in solvers.names():
        assert solvers.make(name).name == ("law (no LLM)" if name == "law" else name)  # who stands in says so


def test_a_solver_can_be_registered(monkeypatch):
    monkeypatch.setattr("solvers.interface.registry._factories", dict.fromkeys(["exact"], "solvers.exact.solver:Exact"))

    def factory(script=lambda run: None):
        return Scripted(script)

    solvers.register("mine", factory)
    assert solvers.names() == ["exact", "mine"]
    assert solvers.make("mine").solve(sample_instance("small")).solver == "scripted"
    with pytest.raises(ValueError, match="'exact' is taken"):
        solvers.register("exact", factory)
    with pytest.raises(ValueError, match="must be callable"):
        solvers.register("other", 3)
    with pytest.raises(ValueError, match="non-empty string"):
        solvers.register("", factory)


def test_the_module_of_a_solver_is_named_without_importing_it(monkeypatch):
    monkeypatch.setattr("solvers.interface.registry._factories", {"gone": "no.such.module:Solver"})
    solvers.register("mine", Scripted)
    solvers.register("tuned", functools.partial(functools.partial(Scripted, None)))
    assert module_of("gone") == "no.such.module"
    assert module_of("mine") == module_of("tuned") == __name__
    with pytest.raises(ValueError, match="unknown solver 'mime'; did you mean 'mine'"):
        module_of("mime")


def test_unknown_names_and_options():
    with pytest.raises(ValueError, match="unknown solver 'exct'; did you mean 'exact'"):
        solvers.make("exct")
    with pytest.raises(ValueError, match="unknown option of exact 'jaming'; did you mean 'jamming'"):
        solvers.make("exact", jaming=False)


# --- The driver ----------------------------------------------------------------------------------------------


def random_decision(run):
    n, antennas = run.instance.scenario.num_agents, run.instance.scenario.num_antennas
    beam = run.rng.normal(size=antennas) + 1j * run.rng.normal(size=antennas)
    return Decision(selection=run.rng.random(n) < 0.5, beamformer=beam, power_w=1e-9 * run.rng.random(n))


def test_the_best_decision_seen_is_returned_and_scored_by_evaluate():
    def script(run):
        for _ in range(50):
            run.consider(random_decision(run))
        run.consider(Decision.stack([random_decision(run) for _ in range(50)]))

    instance = sample_instance(SMALL.replace(min_accuracy=0.0), 1)
    seen = []
    solution = Scripted(lambda run: (script(run), seen.append(run))).solve(instance, seed=3)
    assert solution.evaluations == 100
    assert solution.outcome.feasible
    assert solution.outcome.energy_j == evaluate(instance, solution.decision).energy_j
    rng_again = Scripted(script).solve(instance, seed=3)
    assert np.array_equal(rng_again.decision.power_w, solution.decision.power_w)
    assert Scripted(script).solve(instance, seed=4).outcome.energy_j != solution.outcome.energy_j


def test_infeasible_decisions_are_ranked_by_the_sum_of_their_relative_violations():
    instance = sample_instance(SMALL, 3)
    best = solvers.make("exact").solve(instance).decision
    required = instance.scenario.required_agents
    agents = np.flatnonzero(best.selection)

    def rank(decision):
        return float(rank_by_violation(instance, evaluate(instance, decision)))

    def without(count):
        return best.replace(selection=best.selection & ~np.isin(np.arange(6), agents[:count]))

    assert rank(best) == evaluate(instance, best).energy_j
    for count in (1, required - 1):
        outcome = evaluate(instance, without(count))
        short = max(instance.scenario.min_accuracy - outcome.mean_accuracy, 0) / instance.scenario.min_accuracy
        expected = 1e100 * (1 + count / required + (short if outcome.violated["accuracy"] else 0.0))
        assert rank(without(count)) == pytest.approx(expected)
    assert rank(best.replace(beamformer=0 * best.beamformer)) == pytest.approx(1e100 * (1 + 10))  # latency: ten at most


def test_the_shortfall_of_secrecy_is_a_sum_of_logarithms_of_ratios():
    instance = sample_instance(SMALL, 3)
    best = solvers.make("exact").solve(instance).decision
    outcome = evaluate(instance, best)

    def shortfall(instance, decision):
        batch = Decision.stack([decision])
        return secrecy_shortfall(instance, batch, evaluate(instance, batch))[0]

    assert shortfall(instance, best) == 0
    late = instance.replace(scenario=SMALL.replace(latency_limit_s=float(outcome.latency_s) / 1.5))
    assert shortfall(late, best) == pytest.approx(np.log(1.5))
    heard = instance.replace(channel_eve=3 * instance.channel_bs[np.flatnonzero(best.selection)[:1]])
    late_by = np.log(1e6)  # no secrecy, no end
    sinr, ours = downlink_sinr(heard, best)[1], downlink_sinr(heard, best)[0][best.selection].min()
    assert shortfall(heard, best) == pytest.approx(np.log(float(np.max(sinr)) / ours) + late_by)


def test_an_exception_inside_returns_the_best_so_far():
    instance = sample_instance(SMALL, 0)
    best = solvers.make("exact").solve(instance).decision

    def script(run):
        run.consider(best)
        raise FloatingPointError("the conic solver gave up")

    solution = Scripted(script).solve(instance)
    assert solution.status == "optimal"
    assert "gave up" in solution.message

    def at_once(run):
        run.consider(silent_decision(instance))
        raise FloatingPointError("the conic solver gave up")

    solution = Scripted(at_once).solve(instance)
    assert solution.status == "failed"
    assert not solution.outcome.feasible
    assert solution.gap == np.inf


def test_a_solver_that_finds_nothing_says_so():
    solution = Scripted(lambda run: None).solve(sample_instance(SMALL, 0))
    assert solution.status == "failed"
    assert "no feasible decision found; the best one violates selected, accuracy, latency_s" in solution.message


def test_out_of_time_is_stopped_with_the_best_so_far():
    instance = sample_instance("paper", 1)
    poor = solvers.make("exact").solve(instance).decision
    poor = poor.replace(selection=np.ones(30, bool), power_w=uplink_energy_floor(instance) * 1e-2)

    def script(run):
        while True:
            run.consider(poor)
            run.check_time()

    solution = Scripted(script).solve(instance, max_seconds=0.2)
    assert solution.status == "stopped"
    assert solution.outcome.feasible
    assert solution.message.startswith("stopped after")
    assert solution.wall_time_s >= 0.2


def test_a_false_proof_is_never_believed_over_a_feasible_decision():
    instance = sample_instance(SMALL, 0)
    start = solvers.make("exact").solve(instance).decision

    def script(run):
        raise Infeasible("latency_s: nobody is fast enough")

    assert Scripted(script).solve(instance, start=start).outcome.feasible
    assert Scripted(script).solve(instance).status == "infeasible"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"instance": "x"}, "instance must be an Instance, got str"),
        ({"instance": sample_instance("small", batch=(2,))}, r"got a batch \(2,\); use instance\[i\]"),
        ({"seed": -1}, "seed must be an integer ≥ 0, got -1"),
        ({"seed": 0.5}, "seed must be an integer ≥ 0"),
        ({"max_seconds": 0}, "max_seconds must be > 0 or None, got 0"),
        ({"max_seconds": float("nan")}, "max_seconds must be > 0 or None"),
        (
            {"start": Decision(selection=[1], beamformer=[1], power_w=[1])},
            r"selection must have shape \(…, N=6\)",
        ),
    ],
)
def test_bad_arguments_of_solve(arguments, said):
    with pytest.raises(ValueError, match=said):
        solvers.make("exact").solve(**{"instance": sample_instance("small"), **arguments})


def test_torch_instances_are_solved_too():
    torch = pytest.importorskip("torch")
    instance = sample_instance("small", 0)
    assert solvers.make("exact").solve(instance.to(torch)).outcome.energy_j == pytest.approx(
        solvers.make("exact").solve(instance).outcome.energy_j
    )


# --- The bound ------------------------------------------------------------------------------------------------


def test_why_nothing_is_feasible_names_the_constraint():
    slow = sample_instance(SMALL.replace(latency_limit_s=1.0), 0)
    solution = solvers.make("exact").solve(slow)
    assert solution.status == "infeasible"
    assert solution.message.startswith("latency_s: only 0 agents")
    assert solution.lower_bound_j == np.inf
    picky = sample_instance(SMALL.replace(min_accuracy=1.0), 0)
    solution = solvers.make("exact").solve(picky)
    assert solution.status == "infeasible"
    assert solution.message.startswith("accuracy: the 2 most accurate agents reach a mean of 0.")


@settings(max_examples=100)
@given(st.integers(0, 10_000), st.sampled_from(["paper", "small"]), st.floats(-12, 0.3))
def test_the_bound_is_never_above_what_a_feasible_decision_achieves(seed, preset, log_power):
    instance = sample_instance(preset, seed)
    bound = lower_bound(instance)
    if bound.selection is None:
        return
    solution = solvers.make("exact").solve(instance)
    n = instance.scenario.num_agents
    rng = np.random.default_rng(seed)
    others = Decision(
        selection=np.stack([bound.selection, bound.selection, np.ones(n, bool)]),
        beamformer=np.stack([solution.decision.beamformer] * 3),
        power_w=10**log_power * rng.random((3, n)) * np.array([[1.0], [0.0], [1.0]]) + [[0], [1e-12], [0]] * np.ones(n),
    )
    for outcome in [solution.outcome, *evaluate(instance, others)]:
        if outcome.feasible:
            assert bound.energy_j <= outcome.energy_j


def test_the_transmission_bound_is_the_low_power_limit():
    instance = sample_instance("small", 0)
    # Alone, at vanishing power and out of the eavesdropper's reach, the uplink costs o ln2 σ² / (B g).
    alone = instance.replace(gain_eve=0 * instance.gain_eve)
    selection = np.arange(6) == 2
    decision = Decision(selection=selection, beamformer=np.ones(4), power_w=np.where(selection, 1e-16, 0.0))
    energy = evaluate(alone, decision).transmission_energy_j
    assert energy == pytest.approx(uplink_energy_floor(instance)[2], rel=1e-6)
    assert transmission_bound(instance, selection) <= energy


@given(st.integers(0, 1000), st.sampled_from([0.6, 0.7, 0.75]))
def test_a_random_selection_is_feasible_and_of_the_size_required(seed, accuracy):
    instance = sample_instance(SMALL.replace(num_agents=9, min_selected=None, min_accuracy=accuracy), seed)
    selection = random_selection(instance, np.random.default_rng(seed), tries=100)
    feasible = np.isfinite(cheapest_selection(instance, np.ones(9)).cost)
    assert (selection is not None) == feasible
    if feasible:
        assert selection.sum() == 3
        assert instance.accuracy[selection].mean() >= accuracy - 2e-9


def test_random_selections_are_uniform_among_the_feasible_ones():
    instance = sample_instance(SMALL.replace(min_selected=3), 4)
    mean = {s: instance.accuracy[list(s)].mean() for s in itertools.combinations(range(6), 3)}
    required = float(np.median(list(mean.values())))
    instance = instance.replace(scenario=instance.scenario.replace(min_accuracy=required))
    feasible = [subset for subset in mean if mean[subset] >= required]
    assert len(feasible) == 10
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(feasible, 0)
    draws = 400 * len(feasible)
    for _ in range(draws):
        counts[tuple(np.flatnonzero(random_selection(instance, rng)).tolist())] += 1
    # Each count is binomial with mean 400: five standard deviations are 100.
    assert max(abs(count - 400) for count in counts.values()) < 100


def test_where_rejection_fails_a_walk_of_swaps_finds_a_feasible_one():
    instance = sample_instance(Scenario(min_accuracy=0.8), 2)
    assert np.isfinite(cheapest_selection(instance, np.ones(30)).cost)
    found = {tuple(np.flatnonzero(random_selection(instance, np.random.default_rng(s), tries=0))) for s in range(10)}
    assert len(found) > 5
    assert all(len(subset) == 10 and instance.accuracy[list(subset)].mean() >= 0.8 - 2e-9 for subset in found)


def random_decisions(instance, count):
    """Return the outcomes of random decisions: powers over twelve decades or silent, beams that null eavesdroppers."""
    rng = np.random.default_rng(0)
    scenario = instance.scenario
    n, antennas = scenario.num_agents, scenario.num_antennas
    beam = rng.normal(size=(count, antennas)) + 1j * rng.normal(size=(count, antennas))
    if antennas > scenario.num_eavesdroppers:
        basis = np.linalg.qr(instance.channel_eve.T)[0]
        beam = beam - beam @ basis.conj() @ basis.T
    beam *= np.sqrt(scenario.bs_power_w) / np.linalg.norm(beam, axis=1, keepdims=True)
    power = scenario.max_power_w * 10 ** rng.uniform(-12, 0, (count, n)) * (rng.random((count, n)) < 0.7)
    selection = rng.random((count, n)) < rng.uniform(0.2, 1, (count, 1))
    return evaluate(instance, Decision(selection=selection, beamformer=beam, power_w=power))


# --- Exact ---------------------------------------------------------------------------------------------------


def test_exact_proves_the_typical_case():
    batch = sample_instance("paper", seed=11, batch=(60,))
    solutions = [solvers.make("exact").solve(instance) for instance in batch]
    solved = [s for s in solutions if s.status != "infeasible"]
    assert len(solved) >= 58
    assert all(s.status == "optimal" and s.gap <= 1e-6 for s in solved)
    assert np.median([s.transmission_gap for s in solved]) < 0.1
    # 11 566 ± 20 J is the published mean of the optimum; the standard error over 60 draws is about 135 J.
    assert np.mean([s.outcome.energy_j for s in solved]) == pytest.approx(11_566, abs=4 * 135)
    assert np.mean([s.outcome.transmission_energy_j for s in solved]) == pytest.approx(11.4e-9, rel=0.15)
    tried = [[r["feasible"] for r in s.history if r["sub_problem"] == "cheapest selection"] for s in solved]
    assert sum(feasible == [True] for feasible in tried) >= 55  # the first beam serves, at some powers of the grid


@pytest.mark.parametrize(
    "changes",
    [
        {"num_antennas": 1},
        {"num_antennas": 2},
        {"num_agents": 1},
        {"num_agents": 2, "num_antennas": 1},
        {"num_eavesdroppers": 3, "eve_area_m": (20, 100)},
        {"num_eavesdroppers": 30, "colluding": True},
        {"latency_limit_s": 60.0},
        {"num_agents": 60, "num_antennas": 8},
    ],
)
def test_exact_is_honest_wherever_it_is_hard(changes):
    batch = sample_instance(SMALL.replace(**{"min_selected": None, **changes}), 0, batch=(6,))
    for instance in batch:
        solution = solvers.make("exact", max_steps=60).solve(instance)
        outcome = evaluate(instance, solution.decision)
        assert bool(outcome.feasible) == (solution.status in {"optimal", "feasible"})
        if outcome.feasible:
            assert solution.lower_bound_j <= outcome.energy_j
            assert solution.gap == pytest.approx(outcome.energy_j / solution.lower_bound_j - 1, abs=1e-12)
        if solution.status == "infeasible":
            assert not random_decisions(instance, 2000).feasible.any()


def test_exact_goes_on_while_the_tests_of_selections_are_cheap():
    network = sample_instance("tight-latency", 0, batch=(36,))[35]  # a hundred selections cannot be served in time
    exact = solvers.make("exact")
    exact.asc = SimpleNamespace(_solve=lambda run: pytest.fail("asc-plus is not needed"))
    assert exact.solve(network).status == "optimal"


def test_exact_next_to_the_base_station_and_through_the_flat_format():
    """One agent stands so near that −70 dBm, the least the flat format can say, drowns a neighbour in the optimum."""
    instance = sample_instance("paper", seed=6)
    solution = solvers.make("exact").solve(instance)
    assert solution.status == "optimal"
    assert 0 < solution.decision.power_w[solution.decision.selection].min() < 1e-10
    env = gymnasium.make("secagent_env:secagent/Allocation-v0")
    observation, _ = env.reset(options={"instance": instance})
    policy = solvers.as_policy(solvers.make("exact"), env)
    *_, info = env.step(policy.act(observation))
    assert info["feasible"]
    assert info["energy_j"] == pytest.approx(float(policy.solution.outcome.energy_j), rel=1e-9)
    assert 0 < policy.solution.gap < 0.05


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 3), st.booleans())
def test_who_can_never_send_in_secret_never_does(seed, eavesdroppers, colluding):
    scenario = SMALL.replace(num_antennas=1, num_eavesdroppers=eavesdroppers, eve_area_m=(20, 100), colluding=colluding)
    instance = sample_instance(scenario, seed)
    outcome = random_decisions(instance, 500)
    assert not outcome.uplink_secrecy[:, ~secret_at_best(instance)].any()


def test_who_reaches_nobody_never_sends_in_secret():
    instance = sample_instance(SMALL, 0)
    dead = np.arange(6) == 2
    gain_eve = np.where(dead[:, None], 0.0, instance.gain_eve)
    channel_bs = np.where(dead[:, None], 0.0, instance.channel_bs)
    assert not secret_at_best(instance.replace(channel_bs=channel_bs, gain_eve=gain_eve))[dead].any()


def test_exact_without_jamming_keeps_the_unselected_silent():
    scenario = SMALL.replace(num_antennas=2, num_eavesdroppers=2, eve_area_m=(20, 100))
    jammed = 0
    for instance in sample_instance(scenario, 0, batch=(8,)):
        silent = solvers.make("exact", jamming=False).solve(instance)
        assert np.all(silent.decision.power_w[~silent.decision.selection] == 0)
        free = solvers.make("exact").solve(instance)
        jammed += bool(np.any(free.decision.power_w[~free.decision.selection] > 0))
        if silent.outcome.feasible:
            assert free.outcome.energy_j <= silent.outcome.energy_j * (1 + 1e-12)
    assert jammed > 0
    instance = sample_instance("contested", 0)  # where silence is dear; the bound is one on all decisions all the same
    silent, free = (solvers.make("exact", jamming=jamming, target_gap=0.3).solve(instance) for jamming in (False, True))
    assert silent.outcome.energy_j > 2 * free.outcome.energy_j > 2 * silent.lower_bound_j


# --- Solvers play environments -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exact", "asc", "randas"])
@pytest.mark.parametrize("action_format", ["flat", "dict"])
def test_every_solver_plays_the_environment(name, action_format):
    env = gymnasium.make("secagent_env:secagent/Allocation-v0", scenario="paper", action_format=action_format)
    policy = solvers.as_policy(solvers.make(name), env)
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        policy.reset(seed)
        action = policy.act(observation)
        assert env.action_space.contains(action)
        *_, info = env.step(action)
        outcome = policy.solution.outcome
        assert info["feasible"]
        for quantity in ("energy_j", "execution_energy_j", "transmission_energy_j", "latency_s"):
            assert info[quantity] == pytest.approx(float(getattr(outcome, quantity)), rel=1e-5)
        for constraint, violation in info["violations"].items():
            assert violation == pytest.approx(float(outcome.violations[constraint]), rel=1e-5, abs=1e-5)


def test_a_policy_is_repeatable():
    env = gymnasium.make("secagent_env:secagent/Allocation-v0", scenario="small")
    env.reset(seed=0)
    policy = solvers.as_policy(solvers.make("randas"), env)
    policy.reset(7)
    first = [policy.act() for _ in range(3)]
    policy.reset(7)
    assert all(np.array_equal(policy.act(), action) for action in first)


def test_a_policy_needs_an_environment_of_instances():
    with pytest.raises(ValueError, match=r"environments of Instances, .*CartPole.* has no 'instance'"):
        solvers.as_policy(solvers.make("exact"), gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize("name", ["exact", "asc", "randas"])
def test_without_jamming_a_start_is_silenced_too(name):
    instance = sample_instance("small", 0)
    start = solvers.make("exact").solve(instance).decision
    start = start.replace(power_w=np.maximum(start.power_w, 1e-10))
    decision = solvers.make(name, jamming=False).solve(instance, start=start).decision
    assert not decision.power_w[~decision.selection].any()
