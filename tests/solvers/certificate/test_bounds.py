"""The lower bound against brute force, against independent linear programs, and against everything that is achieved."""

import itertools

import numpy as np
import pytest

import solvers
from secagent_env import Decision, Scenario, evaluate, sample_instance
from secagent_env.model.presets import PRESETS
from secagent_env.support.blas import single_threaded
from solvers.asc_plus.links import LinkOptions, Links
from solvers.certificate.bounds import LowerBound, lower_bound, uplink_energy_floor
from solvers.certificate.cores import insecure_core
from solvers.certificate.linear_test import secret_at_best
from solvers.certificate.requirements import TimeFloors
from solvers.certificate.selection import cheapest_selection
from solvers.interface.base import SolverRun

AMONG = Scenario(num_agents=6, num_antennas=2, num_eavesdroppers=2, min_selected=2, eve_area_m=(20, 100))


def selections(instance):
    """All selections that meet (13) and (15), cheapest computing first."""
    scenario = instance.scenario
    found = []
    for bits in itertools.product([False, True], repeat=scenario.num_agents):
        chosen = np.array(bits)
        if (
            chosen.sum() >= scenario.required_agents
            and instance.accuracy[chosen].mean() >= scenario.min_accuracy
            and instance.inference_time_s[chosen].max() <= scenario.latency_limit_s
        ):
            found.append(chosen)
    return sorted(found, key=lambda chosen: float(instance.execution_energy_j[chosen].sum()))


def test_where_nobody_can_be_protected_the_reason_is_told():
    # The first two agents need jammers, each its own: what protects one of them exposes the other.
    instance = sample_instance(AMONG.replace(num_agents=4, num_antennas=1, min_accuracy=0.0), 0)
    heard = 1e-9 * np.array([[1.5, 0.1], [0.1, 1.5], [2.0, 0.01], [0.01, 2.0]])
    instance = instance.replace(channel_bs=np.full((4, 1), 1e-9**0.5, complex), gain_eve=heard)
    assert secret_at_best(instance).tolist() == [True, True, False, False]
    bound = lower_bound(instance)
    assert bound.energy_j == np.inf
    assert bound.message == (
        "latency_s: no selection of enough agents that are fast and accurate enough can be served in secret and in "
        "time, whoever jams and at whatever powers"
    )
    solution = solvers.make("exact").solve(instance)
    assert (solution.status, solution.message) == ("infeasible", bound.message)
    assert not random_outcomes(instance, 2000)[0].feasible.any()


def test_the_bound_is_the_cheapest_selection_that_can_all_send():
    raised = 0
    for seed in range(30):
        scenario = AMONG.replace(
            num_antennas=1 + seed % 2, min_selected=2 + seed % 3, min_accuracy=0.7 if seed % 4 > 1 else 0.0
        )
        instance = sample_instance(scenario, seed)
        cost = instance.execution_energy_j + uplink_energy_floor(instance)
        secret = [cost[s].sum() for s in selections(instance) if insecure_core(instance, s) is None]
        bound = lower_bound(instance)
        assert bound.energy_j == pytest.approx(min(secret, default=np.inf), rel=1e-9)
        raised += bool(bound.energy_j > cheapest_selection(instance, cost).cost * 1.001)
        assert lower_bound(instance, screened=0).energy_j <= bound.energy_j
    assert raised >= 5


# --- Times ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output_tokens", [64, 200_000])
def test_the_floors_of_the_times_are_those_of_one_agent_alone_and_of_all_senders_together(output_tokens):
    scenario = AMONG.replace(num_antennas=4, output_tokens=output_tokens, bandwidth_hz=1e5, eve_area_m=(150, 150))
    instance = sample_instance(scenario, 1)
    floors = TimeFloors.of(instance)
    snr = instance.bs_gain / scenario.noise_power_w
    downlink = scenario.downlink_bits / (1e5 * np.log2(1 + scenario.bs_power_w * snr))
    uplink = scenario.uplink_bits / (1e5 * np.log2(1 + scenario.max_power_w * snr))
    np.testing.assert_allclose(floors.alone, downlink + instance.inference_time_s + uplink, rtol=1e-9)
    for size in (1, 2, 4):
        chosen = np.arange(6) < size
        # Of K that send at once not all have an SINR above 1/(K − 1).
        together = scenario.uplink_bits / 1e5 / np.log2(size / (size - 1)) if size > 1 else 0.0
        first, second = downlink[chosen].max(), instance.inference_time_s[chosen].max()
        assert floors.latency(chosen) == pytest.approx(first + second + max(uplink[chosen].max(), together))
    assert together > uplink.max()


def test_no_decision_is_faster_than_the_floors():
    met = 0
    for seed in range(3):
        instance = sample_instance(AMONG.replace(num_antennas=4, eve_area_m=(150, 150), bandwidth_hz=1e5), seed)
        floors = TimeFloors.of(instance)
        outcome = random_outcomes(instance, 2000, seed)[0]
        for chosen, latency in zip(random_selections(instance, seed, 2000), outcome.latency_s, strict=True):
            if np.isfinite(latency):
                assert floors.latency(chosen) <= latency
                met += 1
    assert met > 50


# --- The whole problem ---------------------------------------------------------------------------------------


def best_by_links(instance, selection, seed=0) -> float:
    """The least energy that beam and powers of the solvers reach for a selection; infinite if none is feasible."""
    run = SolverRun(instance, seed)
    links = Links(run, LinkOptions())
    links.alternate(links.start(selection), rounds=1)
    return float(run.outcome.energy_j) if run.outcome.feasible else np.inf


BRUTE = {
    "alone": Scenario.preset("small"),
    "accuracy": Scenario.preset("small", min_accuracy=0.75),
    "latency": Scenario.preset("small", latency_limit_s=120.0),
    "few antennas": AMONG,
    "three eavesdroppers": AMONG.replace(num_eavesdroppers=3),
    "much to send": AMONG.replace(num_antennas=3, knowledge_bits=20e9),
}


def check_exact(instance):
    solution = solvers.make("exact").solve(instance)
    energy = float(solution.outcome.energy_j) if solution.outcome.feasible else np.inf
    for selection in selections(instance):
        if instance.execution_energy_j[selection].sum() >= energy:
            break  # computing alone costs more than that, and so do all that follow
        found = best_by_links(instance, selection)
        assert solution.lower_bound_j <= found
        if solution.status == "optimal":
            assert found >= energy * (1 - 1e-6)
        assert not (solution.status == "infeasible" and np.isfinite(found))
    return solution


@pytest.mark.parametrize("case", BRUTE)
def test_no_selection_beats_exact(case):
    statuses = [check_exact(sample_instance(BRUTE[case], seed)).status for seed in range(4)]
    assert set(statuses) <= {"optimal", "feasible", "infeasible", "failed"}
    if case in ("alone", "accuracy"):
        assert set(statuses) <= {"optimal", "infeasible"}


@pytest.mark.slow
@pytest.mark.parametrize("case", BRUTE)
def test_no_selection_of_twelve_beats_exact(case):
    for seed in range(3):
        check_exact(sample_instance(BRUTE[case].replace(num_agents=12, min_selected=4), seed))


def random_outcomes(instance, count, seed=0):
    """Outcomes of random decisions (beams that avoid eavesdroppers, powers of twelve decades); who sends in secret."""
    rng = np.random.default_rng(seed)
    scenario = instance.scenario
    n, antennas = scenario.num_agents, scenario.num_antennas
    beam = rng.normal(size=(count, antennas, 2)) @ [1, 1j]
    if antennas > scenario.num_eavesdroppers:
        basis = np.linalg.qr(instance.channel_eve.T)[0]
        beam = beam - beam @ basis.conj() @ basis.T
    beam *= np.sqrt(scenario.bs_power_w) / np.linalg.norm(beam, axis=1, keepdims=True)
    power = scenario.max_power_w * 10 ** rng.uniform(-12, 0, (count, n)) * (rng.random((count, n)) < 0.7)
    selection = rng.random((count, n)) < rng.uniform(0.2, 1, (count, 1))
    decision = Decision(selection=selection, beamformer=beam, power_w=power)
    everybody = evaluate(instance, decision.replace(selection=np.ones((count, n), bool)))
    return evaluate(instance, decision), everybody.uplink_secrecy > 0


def random_selections(instance, seed, count):
    """The selections of random_outcomes."""
    rng = np.random.default_rng(seed)
    n, antennas = instance.scenario.num_agents, instance.scenario.num_antennas
    rng.normal(size=(count, antennas, 2))
    rng.uniform(-12, 0, (count, n))
    rng.random((count, n))
    return rng.random((count, n)) < rng.uniform(0.2, 1, (count, 1))


@single_threaded()
def never_above(instance, bound: LowerBound, seed: int) -> int:
    """Check a bound against random decisions and those of two cheap selections; return how many were feasible."""
    random = random_outcomes(instance, 100, seed)[0]
    cost = instance.execution_energy_j + uplink_energy_floor(instance)
    links = Links(SolverRun(instance, seed), LinkOptions(draws=5))
    for selection in (bound.selection, cheapest_selection(instance, cost).selection):
        if selection is not None:
            links.start(selection)
    energies = list(random.energy_j[random.feasible])
    if links.run.outcome is not None and links.run.outcome.feasible:
        energies.append(links.run.outcome.energy_j)
    assert all(bound.energy_j <= energy for energy in energies)
    return len(energies)


def over_presets(count: int) -> dict[str, int]:
    """Check the bound on so many instances in all, shared between the presets; return the feasible ones met."""
    names = [name for name in PRESETS if Scenario.preset(name).num_agents <= 60]
    large = [name for name in PRESETS if name not in names]
    met = {}
    for name, seeds in [*((name, count // len(names)) for name in names), *((name, 2) for name in large)]:
        met[name] = 0
        for seed in range(seeds):
            instance = sample_instance(name, 1000 + seed)
            met[name] += bool(never_above(instance, lower_bound(instance), seed))
    return met


def test_the_bound_is_never_above_what_is_achieved():
    met = over_presets(75)
    assert met["paper"] >= 8
    assert met["small"] >= 8


@pytest.mark.slow
def test_the_bound_is_never_above_what_is_achieved_on_a_thousand_instances():
    over_presets(1000)


@pytest.mark.parametrize("changes", [{}, {"num_antennas": 1}, {"num_eavesdroppers": 5}, {"colluding": True}])
def test_the_bound_is_never_above_what_is_achieved_among_eavesdroppers(changes):
    scenario = AMONG.replace(**{"num_agents": 10, "num_eavesdroppers": 3, "min_selected": 3, **changes})
    for seed in range(6):
        instance = sample_instance(scenario, seed)
        bound = lower_bound(instance)
        assert bound.energy_j >= cheapest_selection(instance, instance.execution_energy_j).cost * (1 - 1e-9)
        never_above(instance, bound, seed)
