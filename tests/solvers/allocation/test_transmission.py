"""Powers without jammers in closed form, the polish of a search's best decision, and ties of the whole energy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import solvers
from secagent_env import Decision, Instance, Scenario, evaluate, sample_instance
from secagent_env.allocation.actions import action_format
from secagent_env.allocation.guided import LOWEST_POWER_W
from solvers.beam.beamforming import best_beam, leakage_beam
from solvers.certificate.bounds import uplink_energy_floor
from solvers.certificate.linear_test import secret_senders
from solvers.interface.base import OutOfTime, Solver, SolverRun
from solvers.interface.ranking import TIE, to_ties
from solvers.power.powers import cheapest_powers, least_powers, optimise_powers, polish
from solvers.power.quiet import quiet_powers

PLAIN = Scenario(num_agents=8, num_antennas=6, min_selected=3)
SEVERAL = PLAIN.replace(num_eavesdroppers=3)
SCENARIOS = {
    "one": PLAIN,
    "several": SEVERAL,
    "colluding": SEVERAL.replace(colluding=True),
    "hardly any time": PLAIN.replace(bandwidth_hz=150.0, knowledge_bits=1e5),
}


def served(scenario: Scenario, seed: int) -> tuple[Instance, Decision]:
    """An instance and a decision without jammers whose beam reaches the agents that the eavesdroppers hear least."""
    instance = sample_instance(scenario, seed=seed)
    order = np.argsort(instance.gain_eve.sum(axis=1) / instance.bs_gain)
    selection = np.isin(np.arange(scenario.num_agents), order[: scenario.required_agents])
    power = np.where(selection, 0.1 * scenario.noise_power_w / instance.bs_gain, 0.0)
    return instance, Decision(selection=selection, beamformer=leakage_beam(instance, selection), power_w=power)


def quiet(instance: Instance, decision: Decision, excess: float = 1e-4, lowest_w: float = 0.0) -> Decision | None:
    power = quiet_powers(instance, decision, evaluate(instance, decision), excess, lowest_w)
    return None if power is None else decision.replace(power_w=power)


def reference(instance: Instance, decision: Decision, jammers: np.ndarray, starts: int = 4) -> float:
    """The least transmission energy by a general solver, from several starts, over senders and so many jammers."""
    scenario = instance.scenario
    rng = np.random.default_rng(0)
    active = np.concatenate([np.flatnonzero(decision.selection), jammers])
    unit = scenario.noise_power_w / np.maximum(instance.bs_gain, instance.gain_eve.max(axis=1))[active]

    def outcome(x):
        power = np.zeros(scenario.num_agents)
        power[active] = np.minimum(unit * np.exp(x), scenario.max_power_w)
        return evaluate(instance, decision.replace(power_w=power))

    def energy(x):
        return min(100.0, float(np.log(outcome(x).transmission_energy_j)))

    def slack(x):
        return max(-10.0, float(np.log(scenario.latency_limit_s / outcome(x).latency_s)))

    best = np.inf
    for _ in range(starts):
        result = optimize.minimize(
            energy,
            rng.uniform(-8, 0) + rng.normal(0, 0.3, len(active)),
            method="SLSQP",
            bounds=[(-18, 12)] * len(active),
            constraints=[{"type": "ineq", "fun": slack}],
            options={"maxiter": 200, "ftol": 1e-9},
        )
        if outcome(result.x).feasible:
            best = min(best, float(outcome(result.x).transmission_energy_j))
    return best


# --- Without jammers, in closed form -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # of the reference, far from secrecy
def test_a_general_solver_finds_no_cheaper_powers(name, seed):
    instance, decision = served(SCENARIOS[name], seed)
    found = quiet(instance, decision)
    assert found is not None
    outcome = evaluate(instance, found)
    assert outcome.feasible
    best = reference(instance, decision, jammers=np.flatnonzero(~decision.selection)[:1])
    assert np.isfinite(best)
    assert outcome.transmission_energy_j <= best * (1 + 2e-4)


def test_where_time_is_short_everybody_takes_all_of_it():
    instance, decision = served(SCENARIOS["hardly any time"], 0)
    outcome = evaluate(instance, quiet(instance, decision))
    np.testing.assert_allclose(outcome.latency_s, instance.scenario.latency_limit_s, rtol=2e-6)
    assert outcome.latency_s < instance.scenario.latency_limit_s
    secrecy = outcome.uplink_secrecy[decision.selection]
    np.testing.assert_allclose(secrecy, secrecy[0], rtol=1e-9)


@given(
    seed=st.integers(0, 10**6),
    excess=st.sampled_from([1e-2, 1e-3, 1e-4]),
    name=st.sampled_from(["one", "several", "colluding"]),
)
@settings(max_examples=40, deadline=None)
def test_the_excess_over_the_infimum_is_what_was_allowed(seed, excess, name):
    """The infimum takes σ² ln2 o/(B g_n (1 − ρ_n)) for each sender; what is given away for speed is nearly all used."""
    scenario = SCENARIOS[name].replace(latency_limit_s=1e9)
    instance, decision = served(scenario, seed)
    ratio = instance.gain_eve / instance.bs_gain[:, None]
    rho = (ratio.sum(axis=1) if scenario.colluding else ratio.max(axis=1))[decision.selection]
    found = quiet(instance, decision, excess)
    assert (found is None) == (not np.isfinite(evaluate(instance, decision).downlink_time_s) or not (rho < 1).all())
    if found is None:
        return
    infimum = np.sum(uplink_energy_floor(instance)[decision.selection] / (1 - rho))
    over = evaluate(instance, found).transmission_energy_j / infimum - 1
    assert 0 < over <= 1.02 * excess
    if name == "one" and rho.max() < 0.1:  # the estimate is not wasteful: everybody else's interference counts
        assert over > 0.5 * excess


def test_powers_have_a_floor_and_a_ceiling():
    instance, decision = served(PLAIN, 0)
    free = quiet(instance, decision).power_w[decision.selection]
    floor = float(np.median(free))
    raised = quiet(instance, decision, lowest_w=floor).power_w[decision.selection]
    assert raised.min() == floor
    louder = free > floor
    assert (raised[louder] > free[louder]).all()  # they have to be heard above the one that is too loud
    tight = instance.replace(scenario=PLAIN.replace(max_power_w=float(free.max()) * 0.99))
    assert quiet(tight, decision) is None
    enough = instance.replace(scenario=PLAIN.replace(max_power_w=float(free.max()) * 1.01))
    np.testing.assert_array_equal(quiet(enough, decision).power_w[decision.selection], free)


def test_the_closed_form_knows_where_it_does_not_hold():
    instance, decision = served(PLAIN, 0)
    senders = decision.selection
    assert quiet(instance, decision) is not None
    assert quiet(instance, decision.replace(selection=~senders & False)) is None
    assert quiet(instance, decision.replace(power_w=np.where(senders, decision.power_w, 1e-15))) is None  # a jammer
    assert quiet(instance, decision.replace(beamformer=0 * decision.beamformer)) is None  # no time is left
    assert quiet(instance.replace(scenario=PLAIN.replace(latency_limit_s=1e-3)), decision) is None
    heard = instance.replace(gain_eve=np.where(senders[:, None], instance.bs_gain[:, None], instance.gain_eve))
    assert quiet(heard, decision) is None
    nearly = instance.replace(gain_eve=np.where(senders[:, None], 0.9 * instance.bs_gain[:, None], instance.gain_eve))
    assert quiet(nearly, decision) is not None
    # One that must not be weaker than this, and that the eavesdropper does not hear, drowns the others out.
    first, second, third = np.flatnonzero(senders)
    gain = instance.gain_eve.copy()
    gain[[first, second], 0], gain[third, 0] = 0.9 * instance.bs_gain[[first, second]], 0.0
    loud = instance.replace(gain_eve=gain)
    lowest = np.zeros(8)
    lowest[third] = 0.3 * PLAIN.noise_power_w / instance.bs_gain[third]
    assert quiet(loud, decision) is not None
    assert quiet(loud, decision, lowest_w=lowest) is None
    lowest[third] *= 0.1
    assert quiet(loud, decision, lowest_w=lowest) is not None


@given(seed=st.integers(0, 10**6), colluding=st.booleans(), loud=st.floats(-3, 2))
@settings(max_examples=60, deadline=None)
def test_a_weaker_sender_saves_energy_its_own_and_that_of_the_others(seed, colluding, loud):
    """Wherever everybody is secret and nobody jams, however loud they are."""
    scenario = Scenario(num_agents=4, num_eavesdroppers=2, num_antennas=2, min_selected=4, colluding=colluding)
    instance = sample_instance(scenario.replace(eve_area_m=(20, 100)), seed)
    rng = np.random.default_rng(seed)
    ratio = rng.uniform(0.3, 1.0, 2) * (1 - 10 ** rng.uniform(-3, 0) * rng.random((4, 2)))  # well overheard, and alike
    instance = instance.replace(gain_eve=instance.bs_gain[:, None] * ratio / (1 + colluding))
    everybody = np.ones(4, bool)
    power = 10 ** (loud + rng.normal(0, 0.5, 4)) * scenario.noise_power_w / instance.bs_gain
    decision = Decision(selection=everybody, beamformer=np.zeros(2, complex), power_w=power)
    before = evaluate(instance, decision).uplink_secrecy
    if not (before > 0).all():
        return
    for agent in range(4):
        weaker = power * np.where(np.arange(4) == agent, 1 - 1e-3, 1.0)
        after = evaluate(instance, decision.replace(power_w=weaker)).uplink_secrecy
        others = np.arange(4) != agent
        assert (after[others] >= before[others] * (1 - 1e-12)).all()
        assert weaker[agent] / after[agent] <= power[agent] / before[agent] * (1 + 1e-12)


def test_senders_that_are_nearly_overheard_get_weaker_for_the_same_excess():
    instance, decision = served(PLAIN.replace(latency_limit_s=1e9), 0)
    first, second, _ = np.flatnonzero(decision.selection)
    gain = np.zeros_like(instance.gain_eve)
    gain[[first, second], 0] = 0.9 * instance.bs_gain[[first, second]]
    instance = instance.replace(gain_eve=gain)
    rho = (gain[:, 0] / instance.bs_gain)[decision.selection]
    infimum = np.sum(uplink_energy_floor(instance)[decision.selection] / (1 - rho))
    assert 0 < evaluate(instance, quiet(instance, decision, 1e-3)).transmission_energy_j / infimum - 1 <= 1e-3


# --- The polish of the best decision --------------------------------------------------------------------------


class Scripted(Solver):
    name = "scripted"

    def __init__(self, script):
        self.script = script

    def _solve(self, run: SolverRun) -> None:
        self.script(run)


def test_the_polish_takes_what_is_cheaper_and_only_that():
    instance, decision = served(PLAIN, 0)
    run = SolverRun(instance, 0)
    polish(run)  # nothing was found: nothing to do
    assert run.decision is None
    run.consider(decision.replace(power_w=0 * decision.power_w))
    polish(run)
    assert not run.feasible
    loud = decision.replace(power_w=np.where(decision.selection, decision.power_w, 1e-10))
    before = run.consider(loud)
    assert before.feasible
    polish(run)
    assert run.outcome.transmission_energy_j < 0.8 * before.transmission_energy_j
    assert not run.decision.power_w[~decision.selection].any()  # jammers that are not needed are silent
    np.testing.assert_array_equal(run.decision.selection, decision.selection)
    assert run.history[-1]["transmission_energy_j"] == run.outcome.transmission_energy_j
    kept = run.decision
    polish(run)
    np.testing.assert_allclose(run.decision.power_w, kept.power_w, rtol=1e-9)


@pytest.mark.parametrize("name", ["flat", "guided", "dict"])
def test_a_format_of_actions_limits_how_weak_a_sender_is(name):
    """A solver that plays an environment finds the cheapest powers which an action can say."""
    scenario = Scenario.preset("small")
    instance = sample_instance(scenario, seed=1)
    form = action_format(name, scenario)

    def express(decision):
        return form.decode(form.encode(decision, instance), instance)

    for solver in ("exact", "asc-plus"):
        free = solvers.make(solver).solve(instance)
        solution = solvers.make(solver).solve(instance, express=express)
        assert solution.status == "optimal"
        played = express(solution.decision)
        np.testing.assert_allclose(played.power_w, solution.decision.power_w, rtol=1e-5)
        sending = solution.decision.power_w[solution.decision.selection]
        floor = least_powers(SolverRun(instance, 0, express=express), solution.decision)[solution.decision.selection]
        assert (sending >= floor * (1 - 1e-5)).all()
        if name == "flat":
            np.testing.assert_allclose(floor, LOWEST_POWER_W, rtol=1e-5)
            trials = np.maximum(free.decision.power_w, np.where(solution.decision.selection, LOWEST_POWER_W, 0.0))
            np.testing.assert_allclose(sending, trials[solution.decision.selection], rtol=0.1)
        else:
            np.testing.assert_allclose(solution.transmission_gap, free.transmission_gap, rtol=1e-2)


@pytest.mark.parametrize("seed", [6, 1346])
def test_asc_plus_finds_what_needs_powers_below_minus_70_dbm(seed):
    """An agent next to the base station would drown the others out."""
    instance = sample_instance("paper", seed=seed)
    exact, asc = (solvers.make(name).solve(instance) for name in ("exact", "asc-plus"))
    assert exact.status == asc.status == "optimal"
    assert asc.decision.power_w[asc.decision.selection].min() < LOWEST_POWER_W
    np.testing.assert_array_equal(asc.decision.selection, exact.decision.selection)
    np.testing.assert_allclose(asc.outcome.transmission_energy_j, exact.outcome.transmission_energy_j, rtol=1e-4)


@pytest.mark.parametrize("name", ["exact", "asc-plus", "randas", "ipfirst"])
def test_solvers_end_at_the_least_transmission_energy_of_their_selection(name):
    for seed in range(3):
        instance = sample_instance("paper", seed=seed)
        solution = solvers.make(name).solve(instance)
        selection = solution.decision.selection
        assert secret_senders(instance)[selection].all()
        share = 1 / (1 - instance.gain_eve[:, 0] / instance.bs_gain)
        infimum = np.sum((uplink_energy_floor(instance) * share)[selection])
        assert infimum < solution.outcome.transmission_energy_j < infimum * (1 + 1.1e-4)


def test_jammers_that_are_needed_stay_and_cost_little():
    """Against a general solver, over all senders and jammers."""
    scenario = Scenario(num_agents=4, num_antennas=2, min_selected=2, eve_area_m=(60, 100), knowledge_bits=1e9)
    for seed in (3, 5, 8):
        instance = sample_instance(scenario, seed=seed)
        order = np.argsort(instance.gain_eve[:, 0] / instance.bs_gain)
        selection = np.isin(np.arange(4), order[:2])
        beam = leakage_beam(instance, selection)
        power = np.where(selection, 0.05 * scenario.noise_power_w / instance.bs_gain, 1e-8)
        decision = Decision(selection=selection, beamformer=beam, power_w=power)
        found = cheapest_powers(instance, decision, tolerance=1e-5)
        assert found.outcome.transmission_energy_j <= reference(instance, decision, np.flatnonzero(~selection)) * 1.002


@pytest.mark.parametrize("seed", [16, 52])
def test_the_polish_lets_other_agents_jam_where_that_is_cheaper(seed):
    scenario = Scenario(num_agents=8, num_antennas=3, num_eavesdroppers=2, min_selected=2, eve_area_m=(20, 100))
    instance = sample_instance(scenario.replace(knowledge_bits=5e9), seed=seed)
    order = np.argsort(instance.gain_eve.max(axis=1) / instance.bs_gain)
    selection = np.isin(np.arange(8), order[:2])
    power = np.where(selection, 0.05 * scenario.noise_power_w / instance.bs_gain, 0.0)
    power[order[-1]] = 1e-7
    beam = best_beam(instance, selection, power, np.random.default_rng(0)).beamformer
    decision = Decision(selection=selection, beamformer=beam, power_w=power)
    run = SolverRun(instance, 0)
    run.consider(decision)
    assert run.feasible
    alone = cheapest_powers(instance, decision).outcome.transmission_energy_j
    polish(run)
    assert run.outcome.transmission_energy_j < 0.85 * alone
    others = ~selection & (np.arange(8) != order[-1])
    assert run.decision.power_w[others].any()


# --- Ties, and the clock --------------------------------------------------------------------------------------


@given(energy=st.floats(1e-9, 1e9), factor=st.integers(-40, 40))
def test_ranks_tie_within_their_tolerance_whatever_the_unit(energy, factor):
    tied = to_ties(np.array([energy, energy * (1 + 3 * TIE)]))
    assert tied[0] < tied[1]
    assert abs(tied[0] / energy - 1) <= TIE
    assert to_ties(np.array(energy * 2.0**factor)) == tied[0] * 2.0**factor
    assert to_ties(tied[0]) == tied[0]


def test_ties_of_the_whole_energy_are_decided_by_the_transmission():
    instance, decision = served(PLAIN, 0)
    instance = instance.replace(compute_power_w=1e4 * instance.compute_power_w)
    weaker = quiet(instance, decision)
    energies = [evaluate(instance, each).energy_j for each in (weaker, decision)]
    assert to_ties(energies[0]) == to_ties(energies[1])
    for pair in itertools.permutations([decision, weaker]):
        for batch in (False, True):
            run = SolverRun(instance, 0)
            if batch:
                run.consider(Decision.stack(list(pair)))
            else:
                for one in pair:
                    run.consider(one)
            np.testing.assert_array_equal(run.decision.power_w, weaker.power_w)
    # Beyond the tolerance the whole counts.
    costly = decision.replace(selection=np.ones(8, bool))
    run = SolverRun(instance, 0)
    run.consider(decision)
    run.consider(costly)
    np.testing.assert_array_equal(run.decision.selection, decision.selection)


def test_the_clock_is_looked_at_in_every_newton_step():
    instance, decision = served(PLAIN, 0)
    decision = decision.replace(power_w=np.where(decision.selection, decision.power_w, 1e-9))
    calls = []

    def check_time():
        calls.append(None)
        if len(calls) == 3:
            raise OutOfTime

    with pytest.raises(OutOfTime):
        optimise_powers(instance, decision, check_time=check_time)
    assert len(calls) == 3
