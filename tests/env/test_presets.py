"""The presets: they can be drawn and solved, and what docs/scenarios.md claims of them holds."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

import solvers
from eval.command.cli import main
from eval.compare.solving import instance_at
from eval.studies.hardness.cells import silent_optimum
from eval.studies.hardness.study import DEARER, SILENT, Hardness, by_instance, tables
from eval.sweep.engine import Sweep, run_sweep
from secagent_env import Decision, Scenario, evaluate, sample_instance
from secagent_env.model.presets import PRESETS
from secagent_env.sampling.estimation import posterior_eavesdroppers
from solvers.benchmarks.ipfirst import cheapest_agents, uplink_hopeless
from solvers.certificate.bounds import lower_bound
from solvers.certificate.linear_test import secret_senders
from solvers.certificate.requirements import TimeFloors
from solvers.certificate.selection import cheapest_selection
from solvers.robust.belief import Belief
from solvers.robust.trial import Trial

CONTESTED = Scenario.preset("contested")
QUICK = {"exchanges": 1, "jammer_starts": 2}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_can_be_drawn_and_bounded(name: str):
    scenario = Scenario.preset(name)
    network = sample_instance(name, seed=0)
    assert network.scenario == scenario == Scenario(**scenario.to_dict())
    assert network.channel_bs.shape == (scenario.num_agents, scenario.num_antennas)
    assert 0 < lower_bound(network).energy_j < math.inf


def test_dense_is_solved_to_optimality():
    network = sample_instance("dense", seed=0)
    solution = solvers.make("exact").solve(network)
    assert solution.status == "optimal"
    assert solution.decision.selection.sum() >= 66


# --- tight-latency -------------------------------------------------------------------------------------------


def test_the_cheapest_agents_are_too_slow_in_tight_latency():
    scenario = Scenario.preset("tight-latency")
    networks = [instance_at(scenario, 0, i) for i in range(30)]
    late = [TimeFloors.of(n).latency(cheapest_agents(n).selection) > scenario.latency_limit_s for n in networks]
    assert np.mean(late) >= 0.5


def test_every_phase_takes_time_in_tight_latency():
    network = instance_at(Scenario.preset("tight-latency"), 0, 1)
    outcome = solvers.make("asc-plus", **QUICK).solve(network).outcome
    assert outcome.feasible
    limit = network.scenario.latency_limit_s
    assert min(outcome.downlink_time_s, outcome.inference_time_s, outcome.uplink_time_s) > 0.1 * limit
    assert outcome.latency_s > 0.9 * limit


# --- contested -----------------------------------------------------------------------------------------------


def test_contested_takes_jammers_and_another_selection():
    network = instance_at(CONTESTED, 0, 0)
    best = solvers.make("asc-plus", **QUICK).solve(network)
    assert best.outcome.feasible
    jammers = ~best.decision.selection & (best.decision.power_w > 0)
    assert jammers.any()
    lower, found = silent_optimum(network)
    assert lower <= found
    assert lower >= DEARER * best.outcome.energy_j
    first = solvers.make("ipfirst").solve(network)
    assert first.outcome.energy_j >= DEARER * best.outcome.energy_j


@pytest.mark.slow
def test_contested_meets_its_claims(tmp_path: Path):
    rows = by_instance(run_sweep(Sweep(Hardness(CONTESTED, 30).cells()), tmp_path))
    assert np.mean([row["energy"]["asc-plus"] < math.inf for row in rows]) > 0.8
    for scheme, share in ((SILENT, 0.8), ("ipfirst", 0.5)):
        short = [row["energy"][scheme] >= DEARER * row["best"] for row in rows if row["best"] < math.inf]
        assert np.mean(short) >= share


# --- qwen ----------------------------------------------------------------------------------------------------


def test_accuracy_binds_in_qwen_and_can_always_be_met():
    network = sample_instance("qwen", seed=1, batch=(300,))
    required, accuracy = 10, network.scenario.min_accuracy
    best = np.sort(network.accuracy, -1)[:, -required:]
    cheapest = np.argsort(network.execution_energy_j, -1)[:, :required]
    assert np.mean(np.mean(best, -1) >= accuracy) == 1
    assert np.mean(np.mean(np.take_along_axis(network.accuracy, cheapest, -1), -1) < accuracy) > 0.98


# --- uncertain -----------------------------------------------------------------------------------------------


def test_designs_for_an_estimate_fail_in_uncertain_and_robust_ones_hold():
    outages, others = [], 0
    for index in (2, 4):
        known = posterior_eavesdroppers(instance_at(Scenario.preset("uncertain"), 0, index), 0.1, index)
        draws = list(Belief.of(known).draws(1000, np.random.default_rng(0)))
        nominal, robust = (solvers.make(name).solve(known) for name in ("asc-plus", "robust"))
        assert robust.certificate.bound <= 0.05
        assert Trial.of(robust.decision, draws).outage <= 0.05
        outages.append(Trial.of(nominal.decision, draws).outage)
        others += (robust.decision.selection != nominal.decision.selection).any()
    assert np.mean(outages) >= 0.5
    assert others >= 1


# --- urban-micro, indoor, line-of-sight ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["urban-micro", "indoor", "line-of-sight"])
def test_the_cheapest_agents_may_be_heard_on_other_channels(name: str):
    scenario = Scenario.preset(name)
    networks = [instance_at(scenario, 3, i) for i in range(30)]
    heard = [uplink_hopeless(network, cheapest_agents(network).selection) for network in networks]
    assert 0.1 <= np.mean(heard) <= 0.6
    able = [secret_senders(network, np.zeros(30)).sum() for network in networks]
    assert 14 < np.mean(able) < 29


def test_silence_costs_in_urban_micro():
    network = instance_at(Scenario.preset("urban-micro"), 0, 1)
    best, silent = (solvers.make("exact", jamming=jamming).solve(network) for jamming in (True, False))
    assert best.status == "optimal"
    assert np.any(best.decision.power_w[~best.decision.selection] > 0)
    assert silent.outcome.energy_j > 1.05 * best.outcome.energy_j


def test_a_null_costs_who_stands_in_the_eavesdroppers_direction():
    kept = {}
    for name in ("paper", "line-of-sight"):
        networks = sample_instance(name, seed=3, batch=100)
        overlap = np.abs(np.sum(networks.channel_bs.conj() * networks.channel_eve, axis=-1)) ** 2
        kept[name] = 1 - overlap / networks.bs_gain / np.sum(np.abs(networks.channel_eve) ** 2, axis=-1)
    assert np.quantile(kept["line-of-sight"], 0.05) < 0.35 < 0.8 < np.quantile(kept["paper"], 0.05)
    assert np.median(kept["line-of-sight"]) > np.median(kept["paper"]) > 0.9


# --- What the claims rest on ---------------------------------------------------------------------------------


def test_hopeless_means_that_no_powers_pass():
    rng = np.random.default_rng(0)
    hopeless = 0
    for i in range(20):
        network = instance_at(CONTESTED, 1, i)
        n = CONTESTED.num_agents
        selection = np.isin(np.arange(n), rng.choice(n, 5, replace=False))
        power = CONTESTED.max_power_w * 10 ** rng.uniform(-9, 0, (2000, n)) * (rng.random((2000, n)) < 0.5)
        shape = (len(power), n)
        beam = np.ones((len(power), CONTESTED.num_antennas))
        decisions = Decision(selection=np.broadcast_to(selection, shape), beamformer=beam, power_w=power)
        outcome = evaluate(network, decisions)
        if uplink_hopeless(network, selection):
            hopeless += 1
            assert not np.isfinite(outcome.uplink_time_s).any()
    assert hopeless > 5


def test_what_was_served_is_not_called_hopeless():
    for scenario in ("small", "paper"):
        network = sample_instance(scenario, seed=0)
        assert not uplink_hopeless(network, solvers.make("exact").solve(network).decision.selection)


def test_the_silent_bound_is_below_what_asc_finds_without_jammers():
    scenario = CONTESTED.replace(num_agents=12, min_selected=3, knowledge_bits=20e9, num_eavesdroppers=2)
    found = 0
    for i in range(2):
        network = instance_at(scenario, 0, i)
        lower, least = silent_optimum(network)
        outcome = solvers.make("asc-plus", jamming=False, **QUICK).solve(network).outcome
        if outcome.feasible:
            found += 1
            assert lower <= outcome.energy_j
            assert least <= outcome.energy_j * (1 + 1e-6)
    assert found


def test_ipfirst_is_optimal_where_the_cheapest_agents_can_be_served():
    network = sample_instance("paper", seed=0)
    solution = solvers.make("ipfirst").solve(network)
    assert solution.status == "optimal"
    assert cheapest_selection(network, network.execution_energy_j).cost == pytest.approx(solution.outcome.energy_j)


def test_ipfirst_says_why_it_ends_without_a_decision():
    solution = solvers.make("ipfirst").solve(instance_at(CONTESTED, 0, 0))
    assert solution.status == "failed"
    assert "cheapest agents" in solution.message
    hopeless = sample_instance(Scenario.preset("small", min_accuracy=0.9), seed=0)
    assert solvers.make("ipfirst").solve(hopeless).status == "infeasible"


def test_ipfirst_keeps_jammers_silent_if_told_to():
    solution = solvers.make("ipfirst", jamming=False).solve(instance_at(CONTESTED, 0, 0))
    assert not solution.decision.power_w[~solution.decision.selection].any()


def test_the_tables_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["study", "hardness", "small", "--instances", "2", "--workers", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "| ipfirst" in printed
    assert "asc-plus: share of τ" in printed


def test_a_report_without_anything_solved_is_a_report(tmp_path: Path):
    study = Hardness(Scenario.preset("small", min_accuracy=0.9), 1)
    assert "0 of 1 instances" in tables(by_instance(run_sweep(Sweep(study.cells()), tmp_path, workers=1)))


def test_presets_differ_from_the_paper_in_valid_fields_only():
    fields = {field.name for field in dataclasses.fields(Scenario)}
    assert all(set(preset) <= fields for preset in PRESETS.values())
