"""The lower bound against brute force, against independent linear programs, and against everything that is achieved."""

import itertools

import numpy as np
import pytest
from scipy import optimize

import solvers
from secagent_env import Decision, Scenario, evaluate, sample_instance
from secagent_env.model.presets import PRESETS
from solvers.asc.links import LinkOptions, Links
from solvers.certificate.bounds import LowerBound, lower_bound, uplink_energy_floor
from solvers.certificate.integer_program import TimeFloors
from solvers.certificate.joint_program import protect, unservable
from solvers.certificate.linear_test import secret_at_best
from solvers.certificate.secrecy_program import cheapest_secret_selection
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


# --- Secrecy in the uplink -----------------------------------------------------------------------------------


def can_all_send(instance, selection) -> bool:
    """Whether some powers p ≥ 0, however large, give all of a selection uplink secrecy: a linear program in p, σ²."""
    eves = instance.gain_eve.sum(axis=1, keepdims=True) if instance.scenario.colluding else instance.gain_eve
    rows = []
    for n, e in itertools.product(np.flatnonzero(selection), range(eves.shape[1])):
        g, b = instance.bs_gain, instance.gain_eve[:, e]
        row = np.append(g[n] * b - b[n] * g, g[n] - b[n])  # the last one: of the noise
        row = row / np.append(g + instance.gain_eve.max(axis=1), 1.0)  # any positive unit of each power will do
        rows.append(np.append(-row / np.abs(row).max(), 1.0))
    size = instance.scenario.num_agents + 1
    total = np.append(np.ones(size), 0.0)
    result = optimize.linprog(
        -np.eye(size + 1)[-1], rows, np.zeros(len(rows)), [total], [1.0], [(0, None)] * size + [(None, 1)]
    )
    assert result.status == 0
    return result.x[-1] > 1e-7


def brute_force(instance, cost) -> float:
    """The least cost of all selections whose members can all send in secret at once."""
    return next((cost[s].sum() for s in selections(instance) if can_all_send(instance, s)), np.inf)


@pytest.mark.parametrize("antennas", [1, 2])
def test_the_secrecy_program_against_linear_programs(antennas):
    raised = infeasible = 0
    for seed in range(30):
        scenario = AMONG.replace(
            num_antennas=antennas, min_selected=2 + seed % 3, min_accuracy=0.7 if seed % 2 else 0.0
        )
        instance = sample_instance(scenario, seed)
        cost = instance.execution_energy_j
        choice = cheapest_secret_selection(instance, cost, np.ones(6, bool))
        best = brute_force(instance, cost)
        assert choice.cost == pytest.approx(best, rel=1e-6)
        plain = cheapest_selection(instance, cost).cost
        assert choice.cost >= plain * (1 - 1e-6)
        raised += bool(choice.cost > plain * 1.001)
        if np.isinf(best):
            infeasible += np.isfinite(plain)
            assert choice.selection is None
            assert choice.message.startswith(("latency_s", "accuracy"))
        else:
            assert can_all_send(instance, choice.selection)
            assert cost[choice.selection].sum() == pytest.approx(best)
    assert raised >= 2
    assert infeasible >= 1


def test_colluding_eavesdroppers_are_bounded_from_below():
    met = 0
    for seed in range(20):
        instance = sample_instance(AMONG.replace(num_eavesdroppers=3, min_selected=3, colluding=True), seed)
        cost = instance.execution_energy_j
        bound = cheapest_secret_selection(instance, cost, np.ones(6, bool)).cost
        secret = random_outcomes(instance, 500)[1]
        for members in np.unique(secret, axis=0):
            if members.sum() >= 3 and instance.accuracy[members].mean() >= 0.7:
                assert bound <= cost[members].sum()
                met += 1
    assert met > 0


def test_where_nobody_can_be_protected_the_reason_is_told():
    # The first two agents need jammers, each its own: what protects one of them exposes the other.
    instance = sample_instance(AMONG.replace(num_agents=4, num_antennas=1, min_accuracy=0.0), 0)
    heard = 1e-9 * np.array([[1.5, 0.1], [0.1, 1.5], [2.0, 0.01], [0.01, 2.0]])
    instance = instance.replace(channel_bs=np.full((4, 1), 1e-9**0.5, complex), gain_eve=heard)
    assert secret_at_best(instance).tolist() == [True, True, False, False]
    bound = lower_bound(instance)
    assert bound.energy_j == np.inf
    assert bound.message == (
        "latency_s: no 2 agents that are fast and accurate enough can all send in secret at once, "
        "whoever jams and at whatever powers"
    )
    solution = solvers.make("exact").solve(instance)
    assert (solution.status, solution.message) == ("infeasible", bound.message)
    assert not random_outcomes(instance, 2000)[0].feasible.any()


def test_out_of_time_the_bound_is_weaker_not_wrong():
    instance = sample_instance(AMONG.replace(num_agents=60, num_eavesdroppers=4, min_selected=20), 1)
    cost = instance.execution_energy_j
    full = cheapest_secret_selection(instance, cost, np.ones(60, bool), seconds=20.0)
    hurried = cheapest_secret_selection(instance, cost, np.ones(60, bool), seconds=1e-3)
    assert 0 <= hurried.cost <= full.cost
    for members in ([full.selection], [full.selection, np.arange(60) < 30]):
        cut = cheapest_secret_selection(instance, cost, np.ones(60, bool), cuts=members)
        assert cut.cost >= full.cost * (1 - 1e-9)
        assert not any(cut.selection[group].all() for group in members)


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
        # Of K that send at once not all have an SINR above 1/(K − 1), and log2(1 + x) ≤ x / ln 2.
        together = (size - 1) * scenario.uplink_bits * np.log(2) / 1e5
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
    met = over_presets(60)
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


# --- Jammers and beam at once --------------------------------------------------------------------------------

HARD = Scenario(
    num_agents=12,
    num_antennas=3,
    num_eavesdroppers=4,
    eve_area_m=(20, 100),
    knowledge_bits=50e9,
    min_selected=3,
    output_tokens=128,
    tool_tokens=(64, 256),
)


def test_jammers_found_together_with_the_beam_serve_selections_and_proofs_are_never_wrong():
    served = 0
    for seed in range(2):
        instance = sample_instance(HARD, seed)
        cheapest = lower_bound(instance).selection
        rng = np.random.default_rng(seed)
        groups = [cheapest, *(np.isin(np.arange(12), rng.choice(12, 2, replace=False)) for _ in range(2))]
        for group in groups:
            protections = protect(instance, group)
            margins = [protection.margin for protection in protections]
            assert margins == sorted(margins, reverse=True)
            links = Links(SolverRun(instance, 0), LinkOptions())
            for protection in protections[:1]:
                assert not protection.jammer_w[group].any()
                assert protection.jammer_w.max() <= instance.scenario.max_power_w
                links.jammed(group, protection.jammer_w)
            fast = links.run.outcome is not None and links.run.outcome.latency_s <= instance.scenario.latency_limit_s
            proof = unservable(instance, group, max_programs=20)
            served += fast
            assert not (fast and proof)
            assert not (proof and margins and margins[0] > 1e-3)
    assert served >= 2

    # An agent next to one of six eavesdroppers: who protects its uplink drowns its downlink.
    instance = sample_instance(HARD.replace(num_agents=30, num_antennas=4, num_eavesdroppers=6, min_selected=5), 3)
    assert unservable(instance, np.arange(30) == 22)


def test_the_linear_program_of_beam_and_jammers_bounds_what_random_decisions_reach():
    """Whoever is served by some decision, with few antennas and eavesdroppers near, is never proved unservable."""
    for seed in range(2):
        instance = sample_instance(HARD.replace(num_agents=6, num_eavesdroppers=2, knowledge_bits=5e9), seed)
        outcome, _ = random_outcomes(instance, 3000, seed)
        met = outcome.latency_s <= instance.scenario.latency_limit_s
        for selection in np.unique(random_selections(instance, seed)[met], axis=0)[:3]:
            assert not unservable(instance, selection, max_programs=20)


def random_selections(instance, seed, count=3000):
    """The selections of random_outcomes."""
    rng = np.random.default_rng(seed)
    n, antennas = instance.scenario.num_agents, instance.scenario.num_antennas
    rng.normal(size=(count, antennas, 2))
    rng.uniform(-12, 0, (count, n))
    rng.random((count, n))
    return rng.random((count, n)) < rng.uniform(0.2, 1, (count, 1))


def test_exact_proves_what_is_joint_almost_to_the_end():
    gaps = [solvers.make("exact").solve(sample_instance(HARD, seed)).gap for seed in (0, 1)]
    assert min(gaps) < 5e-3
