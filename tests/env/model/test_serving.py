"""Serving a selection: the beam against known optima, jammers against a linear program, senders by their definition."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh
from scipy.optimize import linprog, minimize

import solvers
from secagent_env import Instance, Scenario, evaluate, sample_instance
from secagent_env.model.beams import beam_directions
from secagent_env.model.physics import downlink_sinr
from secagent_env.model.serving import serve

SMALL = Scenario.preset("small")  # N = 6, L = 4, E = 1, N_min = 2
CONTESTED = Scenario.preset("contested", num_agents=12, min_selected=3)


def rate(instance: Instance, selected: list[int], beam: np.ndarray) -> float:
    """The secrecy rate (6) of a beam while nobody jams, negative where an eavesdropper hears more."""
    noise = instance.scenario.noise_power_w
    sinr, heard = (abs(c.conj() @ beam) ** 2 / noise for c in (instance.channel_bs, instance.channel_eve))
    loudest = heard.sum() if instance.scenario.colluding else heard.max()
    return float(np.log2((1 + sinr[selected].min()) / (1 + loudest)))


def beam_of(instance: Instance, selected: list[int], iterations: int = 30) -> np.ndarray:
    """The beam alone: nobody jams."""
    return serve(instance, np.array(selected), iterations=0, quiet_iterations=iterations).beamformer


def without_haste(scenario: Scenario, seed: int) -> Instance:
    """An instance in which nobody needs to jam: there is time for any rate above nothing, and uploads are unheard."""
    instance = sample_instance(scenario.replace(latency_limit_s=1e12), seed)
    return dataclasses.replace(instance, gain_eve=np.zeros_like(instance.gain_eve))


# --- The beam -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colluding", [False, True])
@pytest.mark.parametrize("eves", [1, 3])
def test_for_one_agent_the_beam_is_the_generalised_eigenvector(eves: int, colluding: bool):
    scenario = SMALL.replace(num_eavesdroppers=eves, colluding=colluding, eve_area_m=(20.0, 100.0))
    for seed in range(4):
        instance = without_haste(scenario, seed)
        own = np.outer(instance.channel_bs[1], instance.channel_bs[1].conj()) / scenario.noise_power_w
        heard = sum(np.outer(g, g.conj()) / scenario.noise_power_w for g in instance.channel_eve)
        identity = np.eye(scenario.num_antennas) / scenario.bs_power_w
        best = np.log2(eigh(own + identity, heard + identity, eigvals_only=True)[-1])
        found = rate(instance, [1], beam_of(instance, [1], 1000))
        if colluding or eves == 1:
            assert found == pytest.approx(best, rel=1e-3)
        else:  # the sum of what several hear is more than what the loudest hears
            assert found > best - 1e-3


def test_where_nobody_listens_the_beam_is_the_matched_filter():
    instance = sample_instance(SMALL, 0)
    instance = dataclasses.replace(instance, channel_eve=np.zeros_like(instance.channel_eve))
    beam, channel = beam_of(instance, [3]), instance.channel_bs[3]
    assert abs(np.vdot(channel, beam)) == pytest.approx(np.linalg.norm(channel) * np.sqrt(SMALL.bs_power_w), rel=1e-9)


@pytest.mark.parametrize("colluding", [False, True])
def test_the_beam_comes_near_the_best_of_a_general_search(colluding: bool):
    ratios, scenario = [], CONTESTED.replace(colluding=colluding)
    for seed in range(6):
        instance, selected = without_haste(scenario, seed), [0, 4, 7]

        def loss(z, instance=instance, selected=selected):
            beam = z[:4] + 1j * z[4:]
            return -rate(instance, selected, np.sqrt(scenario.bs_power_w) * beam / np.linalg.norm(beam))

        starts = beam_directions(instance, np.array(selected))
        searches = [minimize(loss, [*b.real, *b.imag], method="Nelder-Mead", options={"maxfev": 2000}) for b in starts]
        best = max(-search.fun for search in searches)
        if best > 1:
            found = [rate(instance, selected, beam_of(instance, selected, n)) for n in (0, 30, 300)]
            assert found == sorted(found)
            ratios.append([value / best for value in found])
    zero_forcing, default, many = np.mean(ratios, axis=0)
    assert many > 0.98
    assert default > 0.9
    assert zero_forcing < default - 0.05


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["paper", "contested", "tight-latency"]), st.floats(0, 9))
def test_it_is_never_worse_than_the_zero_forcing_beam_and_has_full_power(seed: int, preset: str, louder: float):
    scenario = Scenario.preset(preset)
    scenario = scenario.replace(noise_power_w=scenario.noise_power_w * 10**louder)
    instance, rng = without_haste(scenario, seed), np.random.default_rng(seed)
    selected = rng.permutation(scenario.num_agents)[: scenario.required_agents].tolist()
    beams = [beam_of(instance, selected, n) for n in (0, 1, 3, 30)]
    zero_forcing = np.sqrt(scenario.bs_power_w) * beam_directions(instance, np.array(selected))[2]
    np.testing.assert_allclose(beams[0], zero_forcing)
    rates = [rate(instance, selected, beam) for beam in beams]
    assert (np.diff(rates) >= -1e-9).all()
    for beam in beams:
        assert np.linalg.norm(beam) == pytest.approx(np.sqrt(scenario.bs_power_w), rel=1e-12)


# --- Jammers --------------------------------------------------------------------------------------------------


def served(scenario: Scenario, count: int, seed: int = 0, **options: int):
    """Random selections, served: the instances, the decisions and their outcomes."""
    instances, rng = sample_instance(scenario, seed, (count,)), np.random.default_rng(seed)
    chosen = rng.random((count, scenario.num_agents)).argsort(-1)[:, : scenario.required_agents]
    decisions = serve(instances, chosen, **options)
    np.testing.assert_array_equal(np.sort(chosen), np.argwhere(decisions.selection)[:, 1].reshape(count, -1))
    return instances, decisions, evaluate(instances, decisions)


def least_jamming(instance: Instance, decision, secret: float) -> float:
    """The least total power, W, with a decision's beam and extreme SINRs, and secret uploads: a linear program."""
    noise, selection = instance.scenario.noise_power_w, np.asarray(decision.selection)
    sinr, heard = downlink_sinr(instance, decision)
    power = [abs(c.conj() @ decision.beamformer) ** 2 for c in (instance.channel_bs, instance.channel_eve)]
    weakest, loudest, jam = sinr[selection].min(), heard.max(), ~selection
    eve, base = instance.gain_eve[jam], instance.bs_gain[jam]
    rows = [-loudest * eve.T, weakest * instance.gain_agents[jam][:, selection].T]
    right = [loudest * noise - power[1], power[0][selection] - weakest * noise]
    for agent in np.flatnonzero(selection):
        ratio = instance.gain_eve[agent] / instance.bs_gain[agent]  # r_ke = ratio · I_0 / I_e
        rows.append(ratio[:, None] * base - secret * eve.T)
        right.append((secret - ratio) * noise)
    matrix, right = np.concatenate(rows), np.concatenate(right)
    scale = np.abs(matrix).max(1) * 1e-5
    found = linprog(
        np.ones(jam.sum()),
        matrix / scale[:, None] * 1e-5,
        right / scale,
        bounds=(0, instance.scenario.max_power_w / 1e-5),
    )
    assert found.status == 0
    return float(found.fun * 1e-5)


def test_jammers_spend_little_more_than_a_linear_program():
    ratios = []
    instances, decisions, outcome = served(CONTESTED, 120)
    jamming = np.where(decisions.selection, 0.0, decisions.power_w)
    for i in np.flatnonzero(np.asarray(outcome.feasible) & (jamming.sum(-1) > 0)):
        ratios.append(jamming[i].sum() / least_jamming(instances[i], decisions[i], 0.9901))
    assert len(ratios) > 10
    assert min(ratios) > 0.999
    assert np.median(ratios) < 1.02


def test_jammers_serve_selections_that_a_beam_alone_cannot():
    _, _, alone = served(CONTESTED, 60, iterations=0)
    _, _, together = served(CONTESTED, 60)
    _, _, longer = served(CONTESTED, 60, iterations=300)
    shares = [np.asarray(outcome.feasible).mean() for outcome in (alone, together, longer)]
    assert shares[0] < shares[1] - 0.1
    assert shares[1] <= shares[2] + 0.05


@pytest.mark.parametrize("colluding", [False, True])
def test_nobody_jams_where_the_beam_is_enough_and_budgets_hold(colluding: bool):
    for scenario in (Scenario.preset("paper", colluding=colluding), CONTESTED.replace(colluding=colluding)):
        _, decisions, outcome = served(scenario, 30, 3)
        assert not np.asarray(outcome.violated["agent_power_w"]).any()
        assert not np.asarray(outcome.violated["beam_power_w"]).any()
        assert not np.asarray(outcome.violated["selected"]).any()
        jamming = np.where(decisions.selection, 0, decisions.power_w).sum(-1)
        _, _, quiet = served(scenario, 30, 3, iterations=0)
        served_by_beam = np.asarray(quiet.latency_s <= scenario.latency_limit_s)
        assert (jamming[~served_by_beam] > 0).all()
        if scenario.num_eavesdroppers == 1:
            assert served_by_beam.mean() > 0.9
            assert (jamming[served_by_beam] == 0).mean() == 1.0


def test_what_certified_designs_select_is_served():
    energies, feasible = [], []
    for scenario in (CONTESTED, Scenario.preset("tight-latency", num_agents=12, min_selected=3)):
        for seed in range(6):
            instance = sample_instance(scenario, seed)
            solution = solvers.make("exact").solve(instance, max_seconds=60)
            if solution.outcome.feasible:
                outcome = evaluate(instance, serve(instance, np.flatnonzero(solution.decision.selection)))
                feasible.append(bool(outcome.feasible))
                energies.append(float(outcome.energy_j / solution.outcome.energy_j))
    assert len(feasible) >= 9
    assert np.mean(feasible) > 0.8
    assert np.median(np.array(energies)[feasible]) < 1.03


# --- Senders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["paper", "contested", "tight-latency"])
def test_senders_have_equal_secrecy_at_the_least_powers(preset: str):
    scenario = Scenario.preset(preset, num_agents=12, min_selected=3)
    instances, decisions, outcome = served(scenario, 120, 1)
    checked = 0
    for i in np.flatnonzero(np.asarray(outcome.feasible))[:20]:
        secrecy = outcome.uplink_secrecy[i][decisions.selection[i]]
        assert np.ptp(secrecy) < 0.01 * secrecy.mean()
        decision = decisions[i]
        for agent in np.flatnonzero(decision.selection):
            power = decision.power_w.copy()
            power[agent] *= 0.95
            less = evaluate(instances[i], dataclasses.replace(decision, power_w=power))
            assert less.uplink_time_s > outcome.uplink_time_s[i]
        checked += 1
    assert checked > 10


def test_uploads_take_the_time_that_is_left_or_half_a_percent_of_the_limit():
    scenario = Scenario.preset("tight-latency", num_agents=12, min_selected=3)
    _, _, tight = served(scenario, 60, 2)
    latency = np.asarray(tight.latency_s)[np.asarray(tight.feasible)] / scenario.latency_limit_s
    np.testing.assert_allclose(latency, 1.0, atol=3e-4)
    assert len(latency) > 10
    _, _, easy = served(Scenario.preset("paper"), 30, 2)
    times = np.asarray(easy.uplink_time_s)
    assert np.asarray(easy.latency_s <= Scenario().latency_limit_s).all()
    np.testing.assert_allclose(times, 5e-3 * Scenario().latency_limit_s, rtol=1e-3)


# --- Any numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-17, 1e-6, 1e6])
def test_units_do_not_matter(unit: float):
    instance = sample_instance(CONTESTED, 1)
    scaled = dataclasses.replace(
        instance,
        scenario=instance.scenario.replace(noise_power_w=instance.scenario.noise_power_w * unit),
        channel_bs=instance.channel_bs * np.sqrt(unit),
        channel_eve=instance.channel_eve * np.sqrt(unit),
        gain_agents=instance.gain_agents * unit,
        gain_eve=instance.gain_eve * unit,
    )
    chosen = np.array([0, 4, 7])
    one, other = serve(instance, chosen, iterations=20), serve(scaled, chosen, iterations=20)
    np.testing.assert_allclose(other.beamformer, one.beamformer, atol=3e-3)  # iterations enlarge roundings
    np.testing.assert_allclose(other.power_w, one.power_w, rtol=1e-2, atol=1e-30)


@pytest.mark.parametrize(("gain", "noise"), [(1e-12, 1.0), (1.0, 1e-30), (1e-6, 1e-13)])
@pytest.mark.parametrize("agents", [1, 3, 12])
def test_extreme_networks_are_served_with_finite_numbers(gain: float, noise: float, agents: int):
    scenario = CONTESTED.replace(noise_power_w=noise)
    sampled, rng = sample_instance(scenario, 2), np.random.default_rng(0)

    def drawn(shape):
        return np.sqrt(gain) * (rng.normal(size=shape) + 1j * rng.normal(size=shape))

    channels = {name: drawn(getattr(sampled, name).shape) for name in ("channel_bs", "channel_eve")}
    gains = {name: gain * rng.exponential(size=getattr(sampled, name).shape) for name in ("gain_agents", "gain_eve")}
    np.fill_diagonal(gains["gain_agents"], 0.0)
    decision = serve(dataclasses.replace(sampled, **channels, **gains), np.arange(agents))
    assert np.isfinite(decision.beamformer).all()
    assert ((decision.power_w >= 0) & (decision.power_w <= scenario.max_power_w)).all()
    assert np.linalg.norm(decision.beamformer) == pytest.approx(np.sqrt(scenario.bs_power_w), rel=1e-9)


def test_channels_of_zero_leave_a_beam_for_the_others_or_none():
    instance = sample_instance(SMALL, 0)
    channels = instance.channel_bs.copy()
    channels[0] = 0
    one = dataclasses.replace(instance, channel_bs=channels)
    assert np.linalg.norm(serve(one, np.array([0, 1])).beamformer) == pytest.approx(np.sqrt(SMALL.bs_power_w))
    none = dataclasses.replace(instance, channel_bs=np.zeros_like(channels))
    decision = serve(none, np.array([0, 1]))
    np.testing.assert_array_equal(decision.beamformer, np.zeros(4))
    assert np.isfinite(decision.power_w).all()


@pytest.mark.parametrize("colluding", [False, True])
def test_batches_give_the_same_decisions(colluding: bool):
    scenario = CONTESTED.replace(colluding=colluding)
    instances, rng = sample_instance(scenario, 0, (2, 3)), np.random.default_rng(0)
    chosen = rng.random((2, 3, 12)).argsort(-1)[..., :3]
    decisions = serve(instances, chosen)
    for i in np.ndindex(2, 3):
        alone = serve(instances[i], chosen[i])
        for name in ("selection", "beamformer", "power_w"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(decisions, name)[i])
    broadcast = serve(instances[1, 2], chosen)
    np.testing.assert_array_equal(broadcast.power_w[1, 2], decisions.power_w[1, 2])
